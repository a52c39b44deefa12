//! A Web Service in this process: for `serve`, `up`, and `bundle launch` without metadata.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use niassa_api::accounts::CreateToken;
use niassa_api::client::{Client, ClientConfig, Credentials};
use niassa_model::account::{Email, Scope};
use niassa_webservice::administer::{self, AdministerError};
use niassa_webservice::config::{ConfigError, ServiceConfig};
use niassa_webservice::{RunningService, StartError};
use uuid::Uuid;

use crate::clock::SystemClock;
use crate::exit::{Exit, Failure};

/// How long the token of an embedded service is good, in seconds: as long as one may be.
const TOKEN_SECONDS: i64 = 10 * 365 * 86_400;

/// A service with a MetaDB of its own, and the account it was made with.
pub struct Embedded {
    /// The service.
    pub service: RunningService,
    /// A client that is signed in.
    pub client: Client,
    /// The account's address.
    pub user: Email,
    /// The account's password.
    pub password: String,
}

/// Starts a service.
pub async fn start(config: ServiceConfig) -> Result<RunningService, Failure> {
    niassa_webservice::start(config, Arc::new(SystemClock)).await.map_err(Failure::from)
}

/// Starts a service over a MetaDB in `data`, which is made with an account for `user` the first
/// time. The password is drawn, and kept in a file beside the MetaDB that only its owner can read.
///
/// So is a token: to look at a password takes far longer than to launch a run, a token does not.
pub async fn start_embedded(
    data: &Path,
    listen: SocketAddr,
    user: Email,
) -> Result<Embedded, Failure> {
    let failed = |error| Failure::io(format_args!("make {}", data.display()), error);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(failed)?;
    let password = password(data, &user).await?;
    let config = ServiceConfig { listen: Some(listen), ..ServiceConfig::embedded(data) };
    let service = start(config).await?;
    let url = service.url();
    let token = match read_if_there(&data.join("token"))? {
        Some(token) => token,
        None => make_token(data, &url, &user, &password).await?,
    };
    let client = Client::new(ClientConfig::new(url, Credentials::Token(token)))?;
    Ok(Embedded { service, client, user, password })
}

/// Returns the password of the account, which is made the first time. Of several processes that
/// come first, one makes it.
async fn password(data: &Path, user: &Email) -> Result<String, Failure> {
    let file = data.join("password");
    if let Some(password) = read_if_there(&file)? {
        return Ok(password);
    }
    let _lock = lock(&data.join("lock"))?;
    if let Some(password) = read_if_there(&file)? {
        return Ok(password);
    }
    let password = Uuid::new_v4().simple().to_string();
    let metadb = data.join("niassa.db").display().to_string();
    administer::init_metadb(&metadb, user, &password).await?;
    write_secret(&file, &password)?;
    Ok(password)
}

async fn make_token(
    data: &Path,
    url: &str,
    user: &Email,
    password: &str,
) -> Result<String, Failure> {
    let credentials = Credentials::Basic { user: user.to_string(), password: password.to_owned() };
    let client = Client::new(ClientConfig::new(url, credentials))?;
    let request = CreateToken {
        scopes: vec![Scope::Admin],
        seconds: TOKEN_SECONDS,
        label: Some("embedded service".to_owned()),
    };
    let token = client.create_token(&request).await?.secret;
    write_secret(&data.join("token"), &token)?;
    Ok(token)
}

fn read_if_there(path: &Path) -> Result<Option<String>, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::io(format_args!("read {}", path.display()), error)),
    }
}

/// Waits until no other process holds the lock; it is given back when the file is dropped.
fn lock(path: &Path) -> Result<fs::File, Failure> {
    let failed = |error| Failure::io(format_args!("lock {}", path.display()), error);
    let file = fs::File::create(path).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}

/// Writes a file that nobody else can read; it appears whole or not at all.
pub fn write_secret(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error| Failure::io(format_args!("write {}", path.display()), error);
    let temporary: PathBuf = path.with_extension(format!("tmp{}", std::process::id()));
    let mut options = fs::OpenOptions::new();
    let opened = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary);
    let mut file = opened.map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&temporary, path).map_err(failed)
}

/// Returns an account's address for whoever runs this process.
pub fn local_user() -> Result<Email, Failure> {
    let address = format!("{}@localhost", niassa_pipeline::place::os_user());
    address.parse().map_err(|error| Failure::of(Exit::Unexpected, &error))
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let exit = match &error {
            StartError::Config(error) => exit_of_config(error),
            StartError::NotMigrated { .. } => Exit::Conflict,
            StartError::Tls(_) => Exit::Usage,
            StartError::Data { source, .. } | StartError::Listen { source, .. } => {
                match source.kind() {
                    io::ErrorKind::PermissionDenied => Exit::NotAllowed,
                    io::ErrorKind::AddrInUse => Exit::Conflict,
                    io::ErrorKind::AddrNotAvailable => Exit::Usage,
                    _ => Exit::Unexpected,
                }
            }
            StartError::MetaDb(_) => Exit::Unexpected,
        };
        let failure = Self::of(exit, &error);
        match error {
            StartError::Listen { address, .. } => failure
                .with_hint(format!("another port: --listen {}:0 is a free one", address.ip())),
            StartError::Config(_)
            | StartError::NotMigrated { .. }
            | StartError::Tls(_)
            | StartError::Data { .. }
            | StartError::MetaDb(_) => failure,
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::of(exit_of_config(&error), &error)
    }
}

fn exit_of_config(error: &ConfigError) -> Exit {
    match error {
        ConfigError::Read { source, .. } => match source.kind() {
            io::ErrorKind::NotFound => Exit::NotFound,
            io::ErrorKind::PermissionDenied => Exit::NotAllowed,
            _ => Exit::Unexpected,
        },
        ConfigError::PasswordOpen(_) => Exit::NotAllowed,
        ConfigError::Toml(_)
        | ConfigError::HalfOfTls
        | ConfigError::Lease(_)
        | ConfigError::Metadb(_) => Exit::Usage,
    }
}

impl From<AdministerError> for Failure {
    fn from(error: AdministerError) -> Self {
        let exit = match &error {
            AdministerError::Config(error) => exit_of_config(error),
            AdministerError::PasswordOnCommandLine | AdministerError::Password(_) => Exit::Usage,
            AdministerError::HasAccounts(_)
            | AdministerError::NotMigrated(_)
            | AdministerError::AccountExists(_) => Exit::Conflict,
            AdministerError::NoAccount(_) => Exit::NotFound,
            AdministerError::MetaDb(_) => Exit::Unexpected,
        };
        Self::of(exit, &error)
    }
}
