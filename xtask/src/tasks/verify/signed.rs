//! What a file's signature adds to the verdict, when a key is given to hold it against.

use std::path::{Path, PathBuf};

use ssh_key::PublicKey;

use crate::finding::{Finding, Findings};
use crate::shown::escaped;
use crate::signature::{self, SignatureError};

/// The key that everything must be signed by.
pub struct Signer {
    pub key: PublicKey,
    /// Where the signature is; beside the file if not given.
    pub signature: Option<PathBuf>,
}

/// What was found out about one file.
pub struct Judged {
    /// For the summary, `signed by SHA256:…`; nothing if it is not.
    pub words: Option<String>,
    pub findings: Vec<Finding>,
    /// How many files a signed list of checksums vouches for; none if this is no list.
    pub listed: Option<usize>,
}

impl Signer {
    /// A file is signed, or it is not: there is no lesser fault. A list of checksums that is signed vouches for the files
    /// beside it, so each of them is looked at.
    pub fn judge(&self, file: &Path) -> Judged {
        let mut findings = Findings::default();
        let place = self.signature.clone().unwrap_or_else(|| signature::beside(file));
        let bytes = match self.verify(file, &place) {
            Ok(bytes) => bytes,
            Err(error) => {
                findings.error(id(&error), escaped(&place.to_string_lossy()), error.to_string());
                return Judged { words: None, findings: findings.into_vec(), listed: None };
            }
        };
        let sums = signature::parse(&bytes);
        let folder = file.parent().unwrap_or(Path::new(""));
        for sum in sums.iter().flatten() {
            if let Some(fault) = signature::compare(folder, sum) {
                findings.error("listed-file", escaped(&sum.file), fault);
            }
        }
        let words = Some(format!("signed by {}", signature::fingerprint(&self.key)));
        Judged { words, findings: findings.into_vec(), listed: sums.map(|sums| sums.len()) }
    }

    fn verify(&self, file: &Path, place: &Path) -> Result<Vec<u8>, SignatureError> {
        let signature = signature::read(place)?;
        let bytes = signature::signed_bytes(file)?;
        signature::verify(&self.key, &bytes, &signature).map(|()| bytes)
    }
}

fn id(error: &SignatureError) -> &'static str {
    match error {
        SignatureError::Read { .. } => "signature-missing",
        SignatureError::OtherSigner { .. } => "signature-key",
        SignatureError::OtherPurpose { .. } => "signature-purpose",
        SignatureError::Mismatch => "signature-bytes",
        _ => "signature-syntax",
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::finding::Level;
    use crate::package_view::Format;
    use crate::package_view::samples::Sample;
    use crate::tasks::sign;
    use crate::tasks::verify::{Verdict, lines, verdict};

    /// A release in small: a package and the list of it, both signed.
    struct Release {
        folder: tempfile::TempDir,
        signer: Signer,
    }

    impl Release {
        fn new() -> Release {
            let folder = tempfile::tempdir().unwrap();
            let path = |name: &str| folder.path().join(name);
            let (key, _) = signature::generate(&path("key"), "tests").unwrap();
            fs::write(path("web.pkg"), Sample::new().bytes(Format::Svr4)).unwrap();
            let made = crate::tasks::pkg::made(&path("web.pkg"), "").unwrap();
            fs::write(path("SHA256SUMS"), format!("{}  web.pkg\n", made.sha256)).unwrap();
            sign::files(&path("key"), &[path("web.pkg"), path("SHA256SUMS")]).unwrap();
            Release { signer: Signer { key, signature: None }, folder }
        }

        fn of(&self, name: &str) -> Verdict {
            verdict(&self.folder.path().join(name), Some(&self.signer))
        }

        fn ids(&self, name: &str) -> Vec<&'static str> {
            self.of(name).findings.iter().filter(|f| f.level == Level::Error).map(|f| f.id).collect()
        }

        fn append(&self, name: &str) {
            let path = self.folder.path().join(name);
            let bytes = [fs::read(&path).unwrap(), b"x".to_vec()].concat();
            fs::write(path, bytes).unwrap();
        }
    }

    #[test]
    fn a_signed_package_is_judged_as_a_package_and_a_list_by_its_files() {
        let release = Release::new();
        let (package, list) = (release.of("web.pkg"), release.of("SHA256SUMS"));
        assert!(package.good && list.good, "{}{}", lines(&package), lines(&list));
        assert!(package.summary.contains("SVR4 datastream") && package.summary.contains("signed by SHA256:"));
        assert!(list.summary.contains("1 file listed and as listed"), "{}", list.summary);
    }

    #[test]
    fn what_was_changed_after_signing_is_bad_though_it_installs() {
        let release = Release::new();
        release.append("web.pkg");
        assert_eq!(release.ids("web.pkg"), ["signature-bytes"]);
        assert_eq!(release.ids("SHA256SUMS"), ["listed-file"]);
        release.append("SHA256SUMS");
        assert_eq!(release.ids("SHA256SUMS"), ["signature-bytes"], "an unsigned list vouches for nothing");
    }

    #[test]
    fn a_missing_signature_another_key_and_nonsense_are_told_apart() {
        let mut release = Release::new();
        let signature = release.folder.path().join("web.pkg.sig");
        let text = fs::read_to_string(&signature).unwrap();
        fs::write(&signature, &text[..text.len() / 2]).unwrap();
        assert_eq!(release.ids("web.pkg"), ["signature-syntax"]);
        fs::remove_file(&signature).unwrap();
        assert_eq!(release.ids("web.pkg"), ["signature-missing"]);
        fs::write(&signature, text).unwrap();
        release.signer.key = Release::new().signer.key;
        assert_eq!(release.ids("web.pkg"), ["signature-key"]);
    }

    #[test]
    fn a_signature_may_lie_elsewhere() {
        let mut release = Release::new();
        let elsewhere = release.folder.path().join("elsewhere");
        fs::rename(release.folder.path().join("web.pkg.sig"), &elsewhere).unwrap();
        release.signer.signature = Some(elsewhere);
        assert!(release.of("web.pkg").good);
    }
}
