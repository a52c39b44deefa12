//! Calls about accounts, tokens, and the service itself.

use niassa_model::account::Email;
use reqwest::Method;
use uuid::Uuid;

use super::{Client, ClientError};
use crate::accounts::{
    Account, ChangeAccount, CreateAccount, CreateToken, CreatedToken, SetPassword, Token, WhoAmI,
};
use crate::error::ProblemCode;
use crate::page::Page;
use crate::paths::{self, fill};
use crate::service::ServiceState;

impl Client {
    /// Returns who the caller is, and the service's version and clock.
    pub async fn whoami(&self) -> Result<WhoAmI, ClientError> {
        self.get(paths::WHOAMI).await
    }

    /// Tells whether the service can work: it answers, its MetaDB is migrated, an account exists.
    pub async fn ready(&self) -> Result<(), ClientError> {
        let request = self.begin(Method::GET, self.route(paths::READYZ))?;
        let limit = niassa_model::limits::REQUEST_TIMEOUT;
        let response = request.timeout(limit).send().await;
        let response = response.map_err(|error| self.no_answer(error, limit))?;
        self.accepted(response).await.map(drop)
    }

    /// Returns how the service itself is; `None` where it is too old to tell. For administrators.
    pub async fn service_state(&self) -> Result<Option<ServiceState>, ClientError> {
        match self.get(paths::SERVICE).await {
            Ok(state) => Ok(Some(state)),
            Err(error) if error.code() == Some(ProblemCode::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Lists accounts.
    pub async fn accounts(&self) -> Result<Page<Account>, ClientError> {
        self.get(paths::ACCOUNTS).await
    }

    /// Makes an account.
    pub async fn create_account(&self, request: &CreateAccount) -> Result<Account, ClientError> {
        self.create(paths::ACCOUNTS, request, Uuid::new_v4()).await
    }

    /// Disables or enables an account, or changes its role.
    pub async fn change_account(
        &self,
        email: &Email,
        request: &ChangeAccount,
    ) -> Result<Account, ClientError> {
        self.change(Method::PATCH, &fill(paths::ACCOUNT, email), request).await
    }

    /// Sets an account's password.
    pub async fn set_password(
        &self,
        email: &Email,
        request: &SetPassword,
    ) -> Result<(), ClientError> {
        self.change(Method::PUT, &fill(paths::ACCOUNT_PASSWORD, email), request).await
    }

    /// Lists the caller's tokens.
    pub async fn tokens(&self) -> Result<Page<Token>, ClientError> {
        self.get(paths::TOKENS).await
    }

    /// Makes a token for the caller; its secret is in this one answer only.
    pub async fn create_token(&self, request: &CreateToken) -> Result<CreatedToken, ClientError> {
        self.create(paths::TOKENS, request, Uuid::new_v4()).await
    }

    /// Revokes one of the caller's tokens.
    pub async fn revoke_token(&self, id: i64) -> Result<(), ClientError> {
        self.delete(&fill(paths::TOKEN, id)).await
    }
}
