//! Lets an account launch the runs of another one with a label, and takes it back.

use niassa_api::error::ProblemCode;
use niassa_api::grants::GrantLaunch;
use niassa_metadb::Access;
use niassa_metadb::grants::{LaunchGrant, LaunchGranted, NewLaunchGrant};
use niassa_metadb::idempotency::OnceKey;
use niassa_model::account::Email;

use super::findings::Findings;
use crate::app::App;
use crate::error::{Failed, done};

/// Longest life of a grant that ends by itself, in seconds: ten years.
const LONGEST: i64 = 10 * 365 * 24 * 3_600;

/// Revokes a grant; it is worth nothing at the next call.
pub(crate) async fn revoke(app: &App, access: &Access, id: &str) -> Result<(), Failed> {
    let missing = || Failed::not_found(format!("grant {id}"));
    let number: i64 = id.parse().map_err(|_| missing())?;
    if app.metadb.revoke_launch_grant(access, number).await? { Ok(()) } else { Err(missing()) }
}

/// Makes a grant. Only the account itself and administrators speak for an account.
pub(crate) async fn grant_launch(
    app: &App,
    access: &Access,
    caller: &Email,
    request: GrantLaunch,
    once: Option<OnceKey>,
) -> Result<LaunchGrant, Failed> {
    let owner = request.from.unwrap_or_else(|| caller.clone());
    let mut findings = Findings::default();
    if owner == request.to {
        findings.add("an account launches its own runs without a grant".to_owned());
    }
    if request.seconds.is_some_and(|seconds| !(1..=LONGEST).contains(&seconds)) {
        findings.add(format!("a grant is good for 1 second to ten years ({LONGEST} seconds)"));
    }
    findings.settle()?;
    if owner != *caller && access.sees != niassa_metadb::access::Sees::Everything {
        let detail = "only an administrator grants launching in the name of another account";
        return Err(Failed::new(ProblemCode::NotAllowed, detail));
    }
    let new =
        NewLaunchGrant { owner, grantee: request.to, host: request.host, seconds: request.seconds };
    match done(app.metadb.grant_launch(access, &new, once.as_ref()).await?)? {
        LaunchGranted::Granted(grant) => Ok(grant),
        LaunchGranted::NoAccount(email) => Err(Failed::not_found(format!("account {email}"))),
    }
}
