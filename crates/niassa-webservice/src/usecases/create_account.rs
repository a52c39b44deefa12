//! Makes an account.

use niassa_api::accounts::CreateAccount;
use niassa_api::error::ProblemCode;
use niassa_metadb::Access;
use niassa_metadb::accounts::{Account, AccountMade, NewAccount};
use niassa_metadb::idempotency::OnceKey;

use crate::app::App;
use crate::error::{Failed, done};
use crate::sign_in::sha256_hex;

/// Makes an account for somebody who may administer.
pub(crate) async fn create_account(
    app: &App,
    access: &Access,
    request: CreateAccount,
    once: Option<OnceKey>,
) -> Result<Account, Failed> {
    let password_hash = app.sign_in.hash(&request.password).await?;
    let once = once.map(|once| without_password(once, &request));
    let new = NewAccount { email: request.email, role: request.role, password_hash };
    match done(app.metadb.create_account(access, &new, once.as_ref()).await?)? {
        AccountMade::Made(account) => Ok(account),
        AccountMade::Exists => {
            let detail = format!("there is an account {} already", new.email);
            Err(Failed::new(ProblemCode::Conflict, detail))
        }
    }
}

/// The digest of a request is kept for a day; a plain one of a password could be guessed from.
fn without_password(once: OnceKey, request: &CreateAccount) -> OnceKey {
    let told = format!("create account {} {}", request.email, request.role.as_str());
    OnceKey { request_sha256: sha256_hex(told.as_bytes()), ..once }
}
