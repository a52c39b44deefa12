//! Makes a token.

use niassa_api::accounts::CreateToken;
use niassa_metadb::Access;
use niassa_metadb::idempotency::OnceKey;
use niassa_metadb::tokens::{NewToken, StoredToken};

use super::findings::Findings;
use crate::app::App;
use crate::error::{Failed, done};
use crate::sign_in::new_token;

/// Longest life of a token, in seconds: ten years.
const LONGEST: i64 = 10 * 365 * 24 * 3_600;
/// Most scopes of a token.
const MOST_SCOPES: usize = 100;

/// Makes a token for the caller, and returns it with its secret.
pub(crate) async fn create_token(
    app: &App,
    access: &Access,
    request: CreateToken,
    once: Option<OnceKey>,
) -> Result<(StoredToken, String), Failed> {
    let mut findings = Findings::default();
    if request.scopes.is_empty() || request.scopes.len() > MOST_SCOPES {
        findings.add(format!("a token has 1 to {MOST_SCOPES} scopes"));
    }
    if !(1..=LONGEST).contains(&request.seconds) {
        findings.add(format!("a token is good for 1 second to ten years ({LONGEST} seconds)"));
    }
    findings.optional_line("the label", request.label.as_deref());
    findings.settle()?;
    let (secret, secret_sha256) = new_token();
    let new = NewToken {
        label: request.label,
        scopes: request.scopes,
        seconds: request.seconds,
        secret_sha256,
    };
    let token = done(app.metadb.create_token(access, &new, once.as_ref()).await?)?;
    Ok((token, secret))
}
