//! The method of svc:/system/manifest-import: imports what is new below the manifest directories, then cleans up.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::builtin::HASHES;
use super::model::{Group, Property, Type};
use super::repository::Store;
use super::svccfg::{cleanup, import};
use super::tool::Tool;

pub fn run(tool: &Tool) -> u8 {
    for tree in ["lib/svc/manifest", "var/svc/manifest"] {
        for file in manifests(&tool.root.join(tree)) {
            if let Err(error) = import_when_changed(tool, &file) {
                println!("svccfg: Import of {} failed: {error}", file.display());
            }
        }
    }
    match cleanup(tool.root) {
        Ok(()) => 0,
        Err(error) => {
            println!("svccfg: cleanup failed: {error}");
            1
        }
    }
}

/// Files below the first-level directories, `site` last. A file beside those directories is never found.
fn manifests(tree: &Path) -> Vec<PathBuf> {
    let mut directories: Vec<PathBuf> = entries(tree).into_iter().filter(|p| p.is_dir()).collect();
    directories.sort_by_key(|d| (d.ends_with("site"), d.clone()));
    directories.iter().flat_map(|d| xml_below(d)).collect()
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(directory).into_iter().flatten().flatten().map(|e| e.path()).collect();
    paths.sort();
    paths
}

fn xml_below(directory: &Path) -> Vec<PathBuf> {
    let of = |path: PathBuf| match path.is_dir() {
        true => xml_below(&path),
        false if path.extension().is_some_and(|e| e == "xml") => vec![path],
        false => Vec::new(),
    };
    entries(directory).into_iter().flat_map(of).collect()
}

fn import_when_changed(tool: &Tool, file: &Path) -> io::Result<()> {
    let (meta, content) = hashes(file)?;
    let key = group_name(tool.root, file);
    {
        let store = Store::read(tool.root)?;
        let stored = store.service(HASHES).unwrap_or_default();
        let hash = stored.get(&key).and_then(|g| g.value("md5sum")).unwrap_or_default();
        // Either half alone is enough to skip the file.
        if hash.get(..32) == Some(meta.as_str()) || hash.get(32..) == Some(content.as_str()) {
            return Ok(());
        }
    }
    let bundle = import::load(file).map_err(io::Error::other)?;
    let store = Store::write(tool.root)?;
    let done = import::import(&store, tool.root, file, &bundle)?;
    let mut groups = store.service(HASHES).unwrap_or_default();
    let mut group = Group::new("framework");
    group.properties.insert("md5sum".into(), Property::one(Type::Opaque, meta + &content));
    group.set("manifestfile", Type::Astring, file.display().to_string());
    groups.insert(key, group);
    store.put_service(HASHES, &groups)?;
    drop(store);
    done.conflicts.iter().for_each(|conflict| println!("svccfg: {conflict}"));
    done.touched.iter().for_each(|name| tool.wake(name));
    Ok(())
}

/// What stands for the MD5 of `uid gid size mtime` and that of the content: 16 bytes each, in hex.
fn hashes(file: &Path) -> io::Result<(String, String)> {
    let meta = fs::metadata(file)?;
    let content = fs::read(file)?;
    Ok((hash(&(meta.uid(), meta.gid(), meta.size(), meta.mtime(), meta.mtime_nsec())), hash(&content)))
}

fn hash(data: &impl Hash) -> String {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        data.hash(&mut hasher);
        hasher.finish()
    };
    format!("{:016x}{:016x}", half(0), half(1))
}

fn group_name(root: &Path, file: &Path) -> String {
    let inside = file.strip_prefix(root).unwrap_or(file).to_string_lossy().into_owned();
    inside.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}
