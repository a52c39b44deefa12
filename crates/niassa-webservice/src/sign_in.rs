//! Who is asking: passwords and tokens, verified once and remembered for a moment.
//!
//! Verifying a password costs a memory-hard hash, so a verified header is remembered, as its HMAC
//! under a key that only this process knows. Whoever changes an account or a token forgets it here
//! in the same breath; another process that changes it (`seqware account password --metadb`) is
//! noticed after a minute.

mod failures;
pub(crate) mod password;
mod remembered;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use niassa_api::error::ProblemCode;
use niassa_metadb::MetaDb;
use niassa_metadb::tokens::TokenFate;
use niassa_model::account::{AccountId, Caller, Email};
use niassa_model::limits::CREDENTIAL_CACHE;
use sha2::{Digest, Sha256};

use crate::error::Failed;
use failures::{Attempt, Failures};
use password::Hashing;
use remembered::{Entry, Remembered};

/// What every token begins with, so that people and scanners recognise one.
pub(crate) const TOKEN_PREFIX: &str = "nia_";
/// Characters of an address that the audit log keeps.
const EMAIL_CHARACTERS: usize = 254;
/// How long a token is remembered: another process may revoke it.
const TOKEN_CACHE: Duration = Duration::from_secs(5);

/// The digest under which a credential is remembered.
type Fingerprint = [u8; 32];

/// Knows who is asking.
pub(crate) struct SignIn {
    mac: Hmac<Sha256>,
    remembered: Mutex<Remembered>,
    failures: Mutex<Failures>,
    hashing: Hashing,
}

/// What stands in the `Authorization` header.
enum Credential<'header> {
    /// An account's address and its password.
    Basic(&'header str),
    /// A token's secret.
    Bearer(&'header str),
}

impl SignIn {
    pub(crate) fn new() -> Self {
        let key: [u8; 32] = rand::random();
        let mac = Hmac::new_from_slice(&key).expect("a key of any length will do");
        Self {
            mac,
            remembered: Mutex::default(),
            failures: Mutex::default(),
            hashing: Hashing::default(),
        }
    }

    /// Returns who sent this `Authorization` header from this address.
    pub(crate) async fn caller(
        &self,
        metadb: &MetaDb,
        header: &[u8],
        client: IpAddr,
    ) -> Result<Arc<Caller>, Failed> {
        let fingerprint = self.fingerprint(header);
        if let Some(caller) = lock(&self.remembered).recall(&fingerprint, Instant::now()) {
            return Ok(caller);
        }
        match parse(header).ok_or_else(unreadable)? {
            Credential::Bearer(secret) => self.by_token(metadb, fingerprint, secret).await,
            Credential::Basic(encoded) => {
                let (email, password) = decode_basic(encoded).ok_or_else(unreadable)?;
                self.by_password(metadb, fingerprint, &email, password, client).await
            }
        }
    }

    /// Returns whose this address and password are, as a form sends them. Guesses are counted
    /// together with those in headers. What was verified before does not count: a session lasts long,
    /// and another process may have changed the password since.
    pub(crate) async fn caller_of_form(
        &self,
        metadb: &MetaDb,
        email: &str,
        password: &str,
        client: IpAddr,
    ) -> Result<Arc<Caller>, Failed> {
        let of_this_once: Fingerprint = rand::random();
        self.by_password(metadb, of_this_once, email, password.to_owned(), client).await
    }

    /// Hashes a new password.
    pub(crate) async fn hash(&self, password: &str) -> Result<String, Failed> {
        Ok(self.hashing.hash(password).await?)
    }

    /// Forgets what was verified of an account, because it or a token of it changed.
    pub(crate) fn forget(&self, account: AccountId) {
        lock(&self.remembered).forget(account);
    }

    async fn by_token(
        &self,
        metadb: &MetaDb,
        fingerprint: Fingerprint,
        secret: &str,
    ) -> Result<Arc<Caller>, Failed> {
        let generation = lock(&self.remembered).generation();
        let digest = sha256_hex(secret.as_bytes());
        let Some(found) = metadb.caller_of_token(&digest).await? else {
            return Err(metadb.fate_of_token(&digest).await?.map_or_else(refused, over));
        };
        let caller = Arc::new(found);
        self.remember(fingerprint, &caller, TOKEN_CACHE, generation);
        Ok(caller)
    }

    async fn by_password(
        &self,
        metadb: &MetaDb,
        fingerprint: Fingerprint,
        email: &str,
        password: String,
        client: IpAddr,
    ) -> Result<Arc<Caller>, Failed> {
        if password::is_too_long(&password) {
            // No account has it, so it is no guess, and there is nothing to hash or to count.
            return Err(refused());
        }
        let who = Attempt {
            pair: self.fingerprint(format!("{client} {}", email.to_lowercase()).as_bytes()),
            address: self.fingerprint(client.to_string().as_bytes()),
        };
        self.check_failures(&who)?;
        let turn = self.hashing.turn().await?;
        // Others that waited before this one may have failed meanwhile.
        self.check_failures(&who)?;
        // Sixteen clients that come with the same password at once wait here for the first of them.
        if let Some(caller) = lock(&self.remembered).recall(&fingerprint, Instant::now()) {
            return Ok(caller);
        }
        let generation = lock(&self.remembered).generation();
        let account = match email.parse::<Email>() {
            Ok(email) => metadb.account_to_sign_in(&email).await?,
            Err(_) => None,
        };
        let hash = account.as_ref().map(|account| account.password_hash.clone());
        // The turn is kept until the outcome is counted: whoever comes next sees the count.
        let (verified, _turn) = password::verify(turn, password, hash).await?;
        let caller = account.filter(|account| verified && !account.is_disabled);
        let Some(account) = caller else {
            lock(&self.failures).count(&who, Instant::now());
            tell_of_failure(metadb, email, client).await;
            return Err(refused());
        };
        let caller = Arc::new(Caller {
            account: account.id,
            email: account.email,
            role: account.role,
            scopes: None,
            token_expires_at: None,
        });
        self.remember(fingerprint, &caller, CREDENTIAL_CACHE, generation);
        Ok(caller)
    }

    fn check_failures(&self, who: &Attempt) -> Result<(), Failed> {
        if lock(&self.failures).are_too_many(who, Instant::now()) {
            let detail = "too many failed attempts to sign in to this account from your address";
            return Err(Failed::new(ProblemCode::TooMany, detail).hint("wait a minute"));
        }
        Ok(())
    }

    fn remember(&self, at: Fingerprint, caller: &Arc<Caller>, lasts: Duration, generation: u64) {
        let now = Instant::now();
        let entry = Entry { caller: Arc::clone(caller), until: now + lasts };
        lock(&self.remembered).remember(at, entry, generation, now);
    }

    fn fingerprint(&self, text: &[u8]) -> Fingerprint {
        let mut mac = self.mac.clone();
        mac.update(text);
        mac.finalize().into_bytes().into()
    }
}

/// Draws a secret that nobody guesses.
pub(crate) fn new_secret() -> String {
    let random: [u8; 32] = rand::random();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random)
}

/// Tells the audit log of a guess. How many there are is bounded by the count of failures; a log that
/// cannot be written keeps nobody from being refused.
async fn tell_of_failure(metadb: &MetaDb, email: &str, client: IpAddr) {
    let email: String = email.chars().take(EMAIL_CHARACTERS).collect();
    if let Err(error) = metadb.audit_failed_sign_in(&email, &client.to_string()).await {
        tracing::warn!(%error, "a failed sign-in is missing in the audit log");
    }
}

/// Makes a token's secret, and the digest under which it is stored.
pub(crate) fn new_token() -> (String, String) {
    let secret = format!("{TOKEN_PREFIX}{}", new_secret());
    let digest = sha256_hex(secret.as_bytes());
    (secret, digest)
}

/// Returns the SHA-256 of some bytes in hexadecimal digits.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Writes bytes in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Says what a request without credentials hears.
pub(crate) fn missing() -> Failed {
    Failed::new(ProblemCode::NotSignedIn, "this needs an account")
        .hint("set SW_REST_USER and SW_REST_PASS, or SW_REST_TOKEN, in ~/.seqware/settings")
}

/// Says what somebody hears whose credentials are not right.
pub(crate) fn refused() -> Failed {
    let detail = "the account or its password, or the token, is not right";
    Failed::new(ProblemCode::NotSignedIn, detail)
}

/// Says what became of a token to whoever has it.
fn over(fate: TokenFate) -> Failed {
    let (what, at) = match fate {
        TokenFate::Expired(at) => ("this token expired at", at),
        TokenFate::Revoked(at) => ("this token was revoked at", at),
        TokenFate::AccountDisabled(at) => ("the account of this token was disabled at", at),
    };
    let failed = Failed::new(ProblemCode::NotSignedIn, format!("{what} {at}"));
    failed.hint("make another one (`seqware token create`) and put it into SW_REST_TOKEN")
}

fn unreadable() -> Failed {
    let detail = "the Authorization header is neither Basic nor Bearer as they should be";
    Failed::new(ProblemCode::NotSignedIn, detail)
}

fn parse(header: &[u8]) -> Option<Credential<'_>> {
    let (scheme, value) = std::str::from_utf8(header).ok()?.split_once(' ')?;
    let value = value.trim();
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Credential::Basic(value));
    }
    let token = scheme.eq_ignore_ascii_case("bearer") && value.starts_with(TOKEN_PREFIX);
    token.then_some(Credential::Bearer(value))
}

fn decode_basic(encoded: &str) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (email, password) = text.split_once(':')?;
    Some((email.to_owned(), password.to_owned()))
}

/// What these locks guard is whole between any two statements, so a panic elsewhere spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_clients_write_them() {
        assert!(matches!(parse(b"Basic Ym9iOng="), Some(Credential::Basic("Ym9iOng="))));
        assert!(matches!(parse(b"bearer  nia_x"), Some(Credential::Bearer("nia_x"))));
        for header in [&b"Bearer x"[..], b"Digest x", b"Basic", b"", b"Basic\xff x"] {
            assert!(parse(header).is_none());
        }
        let pair = ("bob@lab.net".to_owned(), "a:b".to_owned());
        assert_eq!(decode_basic("Ym9iQGxhYi5uZXQ6YTpi"), Some(pair));
        assert_eq!(decode_basic("!"), None);
    }

    #[test]
    fn a_token_is_long_random_and_stored_as_a_digest() {
        let (secret, digest) = new_token();
        assert_eq!(secret.len(), TOKEN_PREFIX.len() + 43);
        assert_eq!(digest.len(), 64);
        assert!(!digest.contains(&secret));
        assert_ne!(new_token().0, secret);
        assert_eq!(hex(&[0, 0xa5, 0xff]), "00a5ff");
    }
}
