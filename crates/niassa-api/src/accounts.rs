//! Accounts, passwords, tokens, and who the caller is.

use niassa_model::account::{Email, Role, Scope};
use niassa_model::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who the caller is, and what answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhoAmI {
    /// The account.
    #[schema(value_type = String)]
    pub email: Email,
    /// What it is.
    #[schema(value_type = String)]
    pub role: Role,
    /// The scopes of the token used; absent with a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub scopes: Option<Vec<Scope>>,
    /// When the token used stops being good; absent with a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub token_expires_at: Option<Timestamp>,
    /// The version of the service.
    pub service_version: String,
    /// The service's clock, in microseconds.
    #[schema(value_type = i64)]
    pub now: Timestamp,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Account {
    /// Its address.
    #[schema(value_type = String)]
    pub email: Email,
    /// What it is.
    #[schema(value_type = String)]
    pub role: Role,
    /// Whether it can sign in.
    pub state: AccountState,
    /// When it was made.
    #[schema(value_type = i64)]
    pub created_at: Timestamp,
}

/// Whether an account can sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// It can.
    Enabled,
    /// It cannot; what it owns stays.
    Disabled,
}

/// Makes an account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreateAccount {
    /// Its address.
    #[schema(value_type = String)]
    pub email: Email,
    /// What it is.
    #[schema(value_type = String)]
    pub role: Role,
    /// Its password: at least 8 characters.
    pub password: String,
}

/// Changes an account; what is absent stays.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ChangeAccount {
    /// Whether it can sign in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<AccountState>,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub role: Option<Role>,
}

/// Sets a password: one's own, or as an administrator anybody's.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SetPassword {
    /// The new password: at least 8 characters.
    pub password: String,
}

/// Makes a token for the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreateToken {
    /// What it is good for.
    #[schema(value_type = Vec<String>)]
    pub scopes: Vec<Scope>,
    /// How long it is good, in seconds.
    pub seconds: i64,
    /// What it is for, in the owner's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// A new token. Its secret is shown this once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedToken {
    /// The token as stored.
    pub token: Token,
    /// What to sign in with: `nia_...`.
    pub secret: String,
}

/// A token as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// Its id.
    pub id: i64,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What it is good for.
    #[schema(value_type = Vec<String>)]
    pub scopes: Vec<Scope>,
    /// When it was made.
    #[schema(value_type = i64)]
    pub created_at: Timestamp,
    /// When it stops being good.
    #[schema(value_type = i64)]
    pub expires_at: Timestamp,
    /// When it was revoked, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub revoked_at: Option<Timestamp>,
}
