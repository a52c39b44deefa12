//! Shuts or opens an account, or changes its role.

use niassa_api::accounts as api;
use niassa_api::error::ProblemCode;
use niassa_metadb::Access;
use niassa_metadb::accounts::{Account, AccountChange, AccountChanged, AccountState};
use niassa_model::account::Email;

use crate::app::App;
use crate::error::Failed;

/// Changes an account for somebody who may administer. What was verified of it is forgotten, so
/// the next request of its owner meets the change.
pub(crate) async fn change_account(
    app: &App,
    access: &Access,
    email: &Email,
    change: &api::ChangeAccount,
) -> Result<Account, Failed> {
    let state = change.state.map(|state| match state {
        api::AccountState::Enabled => AccountState::Enabled,
        api::AccountState::Disabled => AccountState::Disabled,
    });
    let change = AccountChange { state, role: change.role };
    match app.metadb.change_account(access, email, change).await? {
        AccountChanged::Changed(account) => {
            app.sign_in.forget(account.id);
            Ok(account)
        }
        AccountChanged::Missing => Err(Failed::not_found(format!("account {email}"))),
        AccountChanged::LastAdministrator => {
            let detail = format!("{email} is the last administrator that can sign in");
            let hint = "make another account an administrator first";
            Err(Failed::new(ProblemCode::Conflict, detail).hint(hint))
        }
    }
}
