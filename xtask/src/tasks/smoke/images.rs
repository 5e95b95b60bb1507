//! `cargo xtask smoke images` and `smoke fetch`: which images there are, and getting one.

use std::fmt::Write as _;
use std::io::{Write, stdout};
use std::path::Path;

use anyhow::{Context, Result};

use crate::smoke::guest::profile::{self, Profile};
use crate::smoke::image::fetch;
use crate::smoke::image::{self, Kept};

/// Prints what there is.
pub fn list(workspace: &Path) -> Result<()> {
    let profiles = profile::read_all(&workspace.join(profile::FOLDER))?;
    let text = told(&profiles, &workspace.join(image::FOLDER));
    stdout().write_all(text.as_bytes()).context("cannot tell what there is")
}

fn told(profiles: &[Profile], images: &Path) -> String {
    let mut text = String::new();
    for profile in profiles {
        let Some(image) = &profile.image else { continue };
        let kept = Kept::of(images, &profile.name);
        let state = match (kept.image(image), kept.begun()) {
            (Ok(path), _) => format!("here: {}", path.display()),
            (Err(_), Some(bytes)) => format!("{} MB of it are here", bytes / 1_000_000),
            (Err(_), None) => "not fetched".to_string(),
        };
        let size = image.megabytes.map_or(String::new(), |size| format!(" (some {size} MB)"));
        let checked = match (&image.sha256, &image.sha256_url) {
            (Some(sum), _) => sum.clone(),
            (None, Some(url)) => format!("in {url}"),
            (None, None) => "none is published".to_string(),
        };
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{}: {}\n  from   {}{size}\n  SHA-256 {checked}\n  state  {state}",
            profile.name, profile.title, image.url
        );
    }
    text
}

/// Gets one image and prints where it is.
pub fn fetch(workspace: &Path, name: &str) -> Result<()> {
    let profile = profile::find(&workspace.join(profile::FOLDER), name)?;
    let image = profile.image.as_ref().with_context(|| format!("{name} has no image: it is made here"))?;
    let kept = Kept::of(&workspace.join(image::FOLDER), name);
    if let Ok(path) = kept.image(image) {
        eprintln!("{name} is here already");
        return Ok(writeln!(stdout(), "{}", path.display())?);
    }
    eprintln!("fetching {}", image.url);
    let fetched = fetch::fetch(Path::new("curl"), &kept, image)?;
    if fetched.is_published {
        eprintln!("its SHA-256 is the published one, {}", fetched.sha256);
    } else {
        let profile = format!("{}/{name}.toml", profile::FOLDER);
        eprintln!("nobody publishes its SHA-256; it is {}: as sha256 in {profile} it is held against", fetched.sha256);
    }
    Ok(writeln!(stdout(), "{}", fetched.image.display())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_is_listed_with_its_state() {
        let workspace = crate::flags::workspace();
        let profiles = profile::read_all(&workspace.join(profile::FOLDER)).unwrap();
        let images = tempfile::tempdir().unwrap();
        let folder = images.path().join("openindiana");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("download.part"), vec![0; 2_500_000]).unwrap();
        let text = told(&profiles, images.path());
        for profile in profiles.iter().filter(|profile| profile.image.is_some()) {
            assert!(text.contains(&format!("{}: {}\n", profile.name, profile.title)), "{text}");
        }
        assert!(text.contains("2 MB of it are here") && text.contains("not fetched"), "{text}");
        assert!(!text.contains("standin"), "{text}");
    }

    #[test]
    fn what_is_made_here_is_not_fetched() {
        let error = fetch(&crate::flags::workspace(), "standin").unwrap_err().to_string();
        assert_eq!(error, "standin has no image: it is made here");
    }
}
