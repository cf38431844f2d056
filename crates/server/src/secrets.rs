//! Link secrets and the console token: 256 random bits, stored as hashes, compared in constant time.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use providers::Secret;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Characters of a secret: 43 of URL-safe base64 hold 256 bits.
pub const SECRET_CHARS: usize = 43;

/// Makes a secret of 256 random bits, safe in a URL fragment.
///
/// # Errors
/// When the operating system has no randomness to give.
pub fn mint() -> io::Result<String> {
    let mut bits = [0_u8; 32];
    getrandom::fill(&mut bits).map_err(io::Error::other)?;
    Ok(base64_simd::URL_SAFE_NO_PAD.encode_to_string(bits))
}

/// What is stored of a secret. SHA-256 without salt is enough: 256 random bits cannot be looked up.
#[must_use]
pub fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Whether two hashes are the same, in constant time.
#[must_use]
pub fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    one.ct_eq(other).into()
}

/// The console token: the configured one, else the one kept beside the database, made at the first start.
///
/// # Errors
/// When the file cannot be read or written.
pub fn console_token(configured: &Secret, database: &Path) -> io::Result<Secret> {
    if !configured.expose().is_empty() {
        return Ok(configured.clone());
    }
    let path = database.with_file_name("console-token");
    match fs::read_to_string(&path) {
        Ok(token) if token.trim().len() >= 16 => return Ok(Secret::new(token.trim())),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let token = mint()?;
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(&path)?
        .write_all(format!("{token}\n").as_bytes())?;
    Ok(Secret::new(token))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use providers::Secret;

    use super::{SECRET_CHARS, console_token, hash, mint, same};

    #[test]
    fn secrets_differ_and_only_the_right_one_matches_its_hash() {
        let (one, other) = (mint().unwrap(), mint().unwrap());
        assert_eq!(one.len(), SECRET_CHARS);
        assert!(same(&hash(&one), &hash(&one)));
        assert!(!same(&hash(&one), &hash(&other)));
    }

    #[test]
    fn the_console_token_is_made_once_and_kept_for_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("deep/colloquy.db");
        let first = console_token(&Secret::new(""), &database).unwrap();
        let second = console_token(&Secret::new(""), &database).unwrap();
        assert_eq!(first.expose(), second.expose());
        let configured = console_token(&Secret::new("sixteen-characters"), &database).unwrap();
        assert_eq!(configured.expose(), "sixteen-characters");
    }
}
