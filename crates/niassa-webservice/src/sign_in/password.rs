//! Passwords: argon2id, away from the threads that answer requests.

use std::sync::OnceLock;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

use niassa_api::error::ProblemCode;

use crate::error::Failed;

/// Fewest characters of a password.
const SHORTEST: usize = 8;
/// Most bytes of a password: hashing a longer one only costs time.
const LONGEST: usize = 1_024;

/// A password cannot be used, or hashed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PasswordError {
    #[error("a password needs at least {SHORTEST} characters")]
    TooShort,
    #[error("a password has at most {LONGEST} bytes")]
    TooLong,
    #[error("hash a password: {0}")]
    Hash(String),
    #[error("hash a password")]
    Ended(#[source] tokio::task::JoinError),
}

/// Hashes a new password with a salt of its own.
pub(crate) async fn hash(password: &str) -> Result<String, PasswordError> {
    if password.chars().count() < SHORTEST {
        return Err(PasswordError::TooShort);
    }
    if password.len() > LONGEST {
        return Err(PasswordError::TooLong);
    }
    let password = password.to_owned();
    let hashed = tokio::task::spawn_blocking(move || hash_now(&password)).await;
    hashed.map_err(PasswordError::Ended)?
}

/// Verifies a password against a stored hash. Where there is none, as long is spent on a hash that
/// nothing matches, so that the time does not tell which accounts exist.
pub(crate) async fn verify(password: String, hash: Option<String>) -> Result<bool, Failed> {
    if password.len() > LONGEST {
        return Ok(false);
    }
    let verified = tokio::task::spawn_blocking(move || match hash {
        Some(hash) => matches(&password, &hash),
        None => matches(&password, decoy()) && false,
    });
    verified.await.map_err(|error| Failed::internal(&error))
}

impl From<PasswordError> for Failed {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::TooShort | PasswordError::TooLong => {
                Self::new(ProblemCode::Invalid, error.to_string())
            }
            PasswordError::Hash(_) | PasswordError::Ended(_) => Self::internal(&error),
        }
    }
}

fn hash_now(password: &str) -> Result<String, PasswordError> {
    let hashed = Argon2::default().hash_password(password.as_bytes());
    hashed.map(|hash| hash.to_string()).map_err(|error| PasswordError::Hash(error.to_string()))
}

fn matches(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
    })
}

fn decoy() -> &'static str {
    static DECOY: OnceLock<String> = OnceLock::new();
    DECOY.get_or_init(|| {
        let nobody = format!("{:x}", rand::random::<u128>());
        hash_now(&nobody).unwrap_or_default()
    })
}
