use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;

/// A folder with a key pair, a file, and its signature.
struct Signed {
    folder: tempfile::TempDir,
    key: PublicKey,
}

const TEXT: &[u8] = b"what was signed\n";

impl Signed {
    fn new() -> Signed {
        let folder = tempfile::tempdir().unwrap();
        let (key, _) = generate(&folder.path().join("key"), "tests").unwrap();
        let signed = Signed { folder, key };
        let private = private(&signed.path("key")).unwrap();
        fs::write(signed.path("file"), TEXT).unwrap();
        fs::write(signed.path("file.sig"), sign(&private, TEXT).unwrap()).unwrap();
        signed
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn signature(&self) -> String {
        fs::read_to_string(self.path("file.sig")).unwrap()
    }

    /// What is said of the file with this text for a signature.
    fn with(&self, signature: &[u8]) -> Result<(), SignatureError> {
        fs::write(self.path("file.sig"), signature).unwrap();
        self.verify()
    }

    fn verify(&self) -> Result<(), SignatureError> {
        let bytes = signed_bytes(&self.path("file"))?;
        verify(&self.key, &bytes, &read(&beside(&self.path("file")))?)
    }
}

#[test]
fn what_was_signed_is_verified_by_the_key_from_its_file() {
    let signed = Signed::new();
    signed.verify().unwrap();
    assert_eq!(public(&signed.path("key.pub")).unwrap().key_data(), signed.key.key_data());
    assert!(fingerprint(&signed.key).starts_with("SHA256:"));
}

#[test]
fn a_tampered_file_is_found() {
    let signed = Signed::new();
    for at in 0..TEXT.len() {
        let mut bytes = TEXT.to_vec();
        bytes[at] ^= 1;
        fs::write(signed.path("file"), bytes).unwrap();
        assert!(matches!(signed.verify(), Err(SignatureError::Mismatch)), "byte {at}");
    }
    fs::write(signed.path("file"), [TEXT, b"more"].concat()).unwrap();
    assert!(matches!(signed.verify(), Err(SignatureError::Mismatch)));
}

#[test]
fn another_key_is_told_by_both_fingerprints() {
    let (signed, other) = (Signed::new(), Signed::new());
    let error = verify(&other.key, TEXT, &read(&signed.path("file.sig")).unwrap()).unwrap_err().to_string();
    assert!(error.contains(&fingerprint(&signed.key)) && error.contains(&fingerprint(&other.key)), "{error}");
}

/// A signature that carries a key of the verifier's and another's bytes.
#[test]
fn a_signature_under_a_borrowed_name_is_none() {
    let (signed, other) = (Signed::new(), Signed::new());
    let theirs = read(&signed.path("file.sig")).unwrap();
    let forged =
        SshSig::new(other.key.key_data().clone(), theirs.namespace(), theirs.hash_alg(), theirs.signature().clone());
    assert!(matches!(verify(&other.key, TEXT, &forged.unwrap()), Err(SignatureError::Mismatch)));
}

#[test]
fn a_signature_for_something_else_is_none_of_ours() {
    let signed = Signed::new();
    let key = private(&signed.path("key")).unwrap();
    let commit = key.sign("git", HashAlg::Sha512, TEXT).unwrap();
    let error = verify(&signed.key, TEXT, &commit).unwrap_err();
    assert!(matches!(&error, SignatureError::OtherPurpose { found } if found == "git"), "{error}");
}

#[test]
fn a_signature_cut_short_anywhere_is_none() {
    let signed = Signed::new();
    let whole = signed.signature();
    for length in 0..whole.trim_end().len() {
        let error = signed.with(&whole.as_bytes()[..length]).unwrap_err();
        assert!(matches!(error, SignatureError::NoSignature { .. }), "{length}: {error}");
    }
}

#[test]
fn what_is_no_signature_is_refused_and_named() {
    let signed = Signed::new();
    for hostile in [
        &b""[..],
        b"\xff\xfe\0\0",
        b"-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n",
        b"-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAf////8=\n-----END SSH SIGNATURE-----\n",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
    ] {
        let error = signed.with(hostile).unwrap_err();
        assert!(error.to_string().contains("file.sig is no signature"), "{error}");
    }
    let error = signed.with(&vec![b'A'; MAX_TEXT as usize + 1]).unwrap_err();
    assert!(matches!(error, SignatureError::TooLarge { .. }), "{error}");
}

#[test]
fn keys_are_never_replaced_and_half_a_pair_is_not_left() {
    let signed = Signed::new();
    assert!(matches!(generate(&signed.path("key"), ""), Err(SignatureError::KeyThere { .. })));
    fs::write(signed.path("other.pub"), "mine").unwrap();
    assert!(matches!(generate(&signed.path("other"), ""), Err(SignatureError::KeyThere { .. })));
    assert!(!signed.path("other").exists());
}

#[test]
fn a_private_key_is_its_owners_alone() {
    let signed = Signed::new();
    let mode = fs::metadata(signed.path("key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    fs::set_permissions(signed.path("key"), fs::Permissions::from_mode(0o640)).unwrap();
    assert!(private(&signed.path("key")).unwrap_err().to_string().contains("chmod 600"));
}

#[test]
fn what_is_no_key_is_refused_and_named() {
    let signed = Signed::new();
    fs::write(signed.path("key"), "no key").unwrap();
    assert!(private(&signed.path("key")).unwrap_err().to_string().contains("is no private key"));
    assert!(public(&signed.path("key")).unwrap_err().to_string().contains("is no public key"));
    assert!(matches!(public(&signed.path("nothing")), Err(SignatureError::Read { .. })));
}

/// What users are told to do. Where OpenSSH is not installed this shows nothing.
#[test]
fn openssh_verifies_what_is_signed_here_and_the_other_way_round() {
    let signed = Signed::new();
    let public = fs::read_to_string(signed.path("key.pub")).unwrap();
    fs::write(signed.path("allowed"), format!("vboxsvc {public}")).unwrap();
    let ssh_keygen = |words: &[&str]| {
        let mut command = Command::new("ssh-keygen");
        command.args(words).current_dir(signed.folder.path()).stdout(Stdio::null());
        command.stdin(File::open(signed.path("file")).unwrap()).status()
    };
    let check = ["-Y", "verify", "-f", "allowed", "-I", "vboxsvc", "-n", NAMESPACE, "-s", "file.sig"];
    let Ok(status) = ssh_keygen(&check) else {
        eprintln!("no ssh-keygen here: not tried");
        return;
    };
    assert!(status.success());
    fs::remove_file(signed.path("file.sig")).unwrap();
    assert!(ssh_keygen(&["-q", "-Y", "sign", "-n", NAMESPACE, "-f", "key", "file"]).unwrap().success());
    signed.verify().unwrap();
    let other = ["-q", "-t", "ed25519", "-N", "secret", "-f", "encrypted"];
    assert!(ssh_keygen(&other).unwrap().success());
    assert!(matches!(private(&signed.path("encrypted")), Err(SignatureError::EncryptedKey { .. })));
}

#[test]
fn lists_of_checksums_name_files_beside_them_and_nothing_else() {
    let hash = "0".repeat(64);
    assert_eq!(parse(format!("{hash}  a b\n").as_bytes()).unwrap(), [Sum { sha256: hash.clone(), file: "a b".into() }]);
    for bad in ["../up", "/etc/passwd", "a/b", ".."] {
        assert_eq!(parse(format!("{hash}  {bad}\n").as_bytes()), None, "{bad}");
    }
    assert_eq!(parse(b""), None);
    assert_eq!(parse(b"words\n"), None);
}

#[test]
fn a_file_that_is_missing_or_another_is_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("abc"), "abc").unwrap();
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned();
    let sum = |file: &str| Sum { sha256: sha256.clone(), file: file.to_owned() };
    assert_eq!(compare(folder.path(), &sum("abc")), None);
    assert_eq!(compare(folder.path(), &sum("gone")).as_deref(), Some("is missing"));
    fs::write(folder.path().join("abc"), "abd").unwrap();
    assert!(compare(folder.path(), &sum("abc")).unwrap().contains("is not the file"));
}

/// All but the version is signed, or is the key. The format has one version, and OpenSSH's tool takes older ones.
#[test]
fn a_signature_of_another_version_is_none() {
    let signed = Signed::new();
    let mut text = signed.signature().into_bytes();
    let version = "-----BEGIN SSH SIGNATURE-----\n".len() + "SSHSIG\0\0\0\x01".len() * 8 / 6;
    text[version] ^= 0x10;
    assert_eq!(SshSig::from_pem(&text).unwrap().version(), 0);
    let error = signed.with(&text).unwrap_err();
    assert!(matches!(error, SignatureError::NoSignature { .. }), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_is_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = SshSig::from_pem(&bytes);
        let _ = parse(&bytes);
    }

    /// The insides, under a good cover.
    #[test]
    fn a_signature_with_a_changed_byte_is_never_taken(at in 0usize..200, bit in 0u8..8) {
        let signed = Signed::new();
        let mut text = signed.signature().into_bytes();
        let at = at % text.len();
        text[at] ^= 1 << bit;
        let same = SshSig::from_pem(&text).ok() == SshSig::from_pem(signed.signature()).ok();
        prop_assert_eq!(signed.with(&text).is_ok(), same);
    }
}
