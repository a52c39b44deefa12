//! Passwords: argon2id, away from the threads that answer requests, and few at a time.
//!
//! A hash goes on when the client that wanted it is gone. So its turn goes with it onto the thread,
//! and ends when the hash does.

use std::sync::{Arc, OnceLock};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use niassa_api::error::ProblemCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Failed;

/// Passwords hashed at the same time: each takes 19 MiB.
const AT_ONCE: usize = 2;
/// Most that wait for their turn.
const WAITING: usize = 64;

/// Fewest characters of a password.
const SHORTEST: usize = 8;
/// Most bytes of a password: hashing a longer one only costs time.
const LONGEST: usize = 1_024;

/// Blocks of 1 KiB of which glibc never keeps the memory: more than 32 MiB.
const NEVER_KEPT_BLOCKS: usize = 33 * 1024;

/// Gives out the turns to hash.
pub(crate) struct Hashing {
    turns: Arc<Semaphore>,
    waiting: Semaphore,
}

/// The right to hash one password now.
pub(crate) struct Turn {
    _permit: OwnedSemaphorePermit,
}

/// A password cannot be used, or hashed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PasswordError {
    #[error("a password needs at least {SHORTEST} characters")]
    TooShort,
    #[error("a password has at most {LONGEST} bytes")]
    TooLong,
    #[error("too many passwords are being hashed")]
    Busy,
    #[error("hash a password: {0}")]
    Hash(String),
    #[error("hash a password")]
    Ended(#[source] tokio::task::JoinError),
}

impl Default for Hashing {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)), waiting: Semaphore::new(WAITING) }
    }
}

impl Hashing {
    /// Waits for a turn, unless too many wait already.
    pub(crate) async fn turn(&self) -> Result<Turn, PasswordError> {
        let place = self.waiting.try_acquire().map_err(|_| PasswordError::Busy)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        drop(place);
        // Turns are never closed, so there is always one at last.
        turn.map(|permit| Turn { _permit: permit }).map_err(|_| PasswordError::Busy)
    }

    /// Hashes a new password with a salt of its own.
    pub(crate) async fn hash(&self, password: &str) -> Result<String, PasswordError> {
        if password.chars().count() < SHORTEST {
            return Err(PasswordError::TooShort);
        }
        if is_too_long(password) {
            return Err(PasswordError::TooLong);
        }
        let password = password.to_owned();
        let turn = self.turn().await?;
        let hashed = tokio::task::spawn_blocking(move || {
            let hashed = hash_now(&password);
            drop(turn);
            hashed
        });
        hashed.await.map_err(PasswordError::Ended)?
    }
}

/// Tells whether no account can have this password.
pub(crate) fn is_too_long(password: &str) -> bool {
    password.len() > LONGEST
}

/// Verifies a password against a stored hash. Where there is none, as long is spent on a hash that
/// nothing matches, so that the time does not tell which accounts exist. The turn comes back, and
/// ends where the caller is done with it, or with the hash where the caller is gone.
pub(crate) async fn verify(
    turn: Turn,
    password: String,
    hash: Option<String>,
) -> Result<(bool, Turn), Failed> {
    if is_too_long(&password) {
        return Ok((false, turn));
    }
    let verified = tokio::task::spawn_blocking(move || {
        let verified = matches(&password, hash.as_deref().unwrap_or_else(|| decoy()));
        (verified, turn)
    });
    verified.await.map_err(|error| Failed::internal(&error))
}

impl From<PasswordError> for Failed {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::TooShort | PasswordError::TooLong => {
                Self::new(ProblemCode::Invalid, error.to_string())
            }
            PasswordError::Busy => {
                let detail = "too many sign in with passwords or change them at this moment";
                Self::new(ProblemCode::TooMany, detail).hint("a token is verified at once")
            }
            PasswordError::Hash(_) | PasswordError::Ended(_) => Self::internal(&error),
        }
    }
}

fn hash_now(password: &str) -> Result<String, PasswordError> {
    let failed = |error: &dyn std::fmt::Display| PasswordError::Hash(error.to_string());
    let (params, salt) = (Params::DEFAULT, Salt::generate());
    let hash = digest(password, &salt, &params).map_err(|error| failed(&error))?;
    let whole = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).map_err(|error| failed(&error))?,
        salt: Some(salt),
        hash: Some(Output::new(&hash).map_err(|error| failed(&error))?),
    };
    Ok(whole.to_string())
}

fn matches(password: &str, stored: &str) -> bool {
    let Ok(stored) = PasswordHash::new(stored) else { return false };
    let (Ok(params), Some(salt), Some(hash)) =
        (Params::try_from(&stored), stored.salt, stored.hash)
    else {
        return false;
    };
    let is_ours = stored.algorithm == Algorithm::Argon2id.ident();
    // Outputs are compared in constant time.
    is_ours
        && digest(password, &salt, &params)
            .is_ok_and(|digest| Output::new(&digest).is_ok_and(|output| output == hash))
}

/// Hashes in memory that goes back to the system at once. glibc keeps smaller pieces for itself, and
/// an idle service would hold 19 MiB per thread; only the blocks that are used are ever touched.
fn digest(password: &str, salt: &[u8], params: &Params) -> Result<[u8; 32], argon2::Error> {
    let mut blocks = Vec::with_capacity(params.block_count().max(NEVER_KEPT_BLOCKS));
    blocks.resize(params.block_count(), Block::new());
    let mut digest = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
        .hash_password_into_with_memory(password.as_bytes(), salt, &mut digest, &mut blocks)?;
    Ok(digest)
}

fn decoy() -> &'static str {
    static DECOY: OnceLock<String> = OnceLock::new();
    DECOY.get_or_init(|| {
        let nobody = format!("{:x}", rand::random::<u128>());
        hash_now(&nobody).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use argon2::PasswordHasher;
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_hash_has_a_salt_of_its_own_and_matches_only_its_password() {
        let hashing = Hashing::default();
        let first = hashing.hash("long enough").await.unwrap();
        let second = hashing.hash("long enough").await.unwrap();
        assert!(first.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{first}");
        assert_ne!(first, second);
        let check = async |password: &str, hash: Option<String>| {
            let turn = hashing.turn().await.unwrap();
            verify(turn, password.to_owned(), hash).await.unwrap().0
        };
        assert!(check("long enough", Some(first.clone())).await);
        assert!(!check("long enougH", Some(first)).await);
        assert!(!check("long enough", None).await);
        assert!(!check("long enough", Some("x".to_owned())).await);
        assert!(!check(&"x".repeat(LONGEST + 1), Some(second)).await);
    }

    #[test]
    fn hashes_are_those_that_others_make() {
        let theirs: PasswordHash = Argon2::default().hash_password(b"long enough").unwrap();
        assert!(matches("long enough", &theirs.to_string()));
        assert!(!matches("another one", &theirs.to_string()));
    }

    #[tokio::test]
    async fn short_and_endless_passwords_are_refused() {
        let hashing = Hashing::default();
        assert!(matches!(hashing.hash("1234567").await, Err(PasswordError::TooShort)));
        let endless = hashing.hash(&"x".repeat(1_025)).await;
        assert!(matches!(endless, Err(PasswordError::TooLong)));
    }

    #[tokio::test]
    async fn a_hash_that_nobody_waits_for_keeps_its_turn() {
        let hashing = Hashing::default();
        let (first, second) = (hashing.turn().await.unwrap(), hashing.turn().await.unwrap());
        // Polled once, the hash is on its thread; then the client is gone.
        let verified = verify(first, "long enough".to_owned(), None);
        assert!(verified.now_or_never().is_none());
        assert_eq!(hashing.turns.available_permits(), 0);
        let third = hashing.turn().await.unwrap();
        drop((second, third));
        let hashed = hashing.hash("long enough");
        assert!(hashed.now_or_never().is_none());
        assert_eq!(hashing.turns.available_permits(), 1);
    }

    #[tokio::test]
    async fn the_queue_has_an_end() {
        let hashing = Hashing::default();
        let turns = [hashing.turn().await.unwrap(), hashing.turn().await.unwrap()];
        let mut waiting: Vec<_> = (0..WAITING).map(|_| Box::pin(hashing.turn())).collect();
        for turn in &mut waiting {
            assert!(turn.now_or_never().is_none());
        }
        let busy = hashing.hash("long enough").await;
        assert!(matches!(busy, Err(PasswordError::Busy)));
        drop(turns);
        assert!(waiting.remove(0).await.is_ok());
    }
}
