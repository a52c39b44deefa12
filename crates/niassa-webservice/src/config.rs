//! The configuration of the service, as `service.toml` writes it; flags are put over it.
//!
//! What is absent has a default that may depend on the rest, so fields stay optional until the
//! service starts and asks for them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use niassa_metadb::{Location, MetaDbError};
use niassa_model::limits::{LEASE, LEASE_SECONDS};
use serde::Deserialize;

/// Where everything is kept unless told otherwise.
const DATA: &str = "/var/lib/niassa";

/// How the service runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceConfig {
    /// The MetaDB: a path for SQLite, a URL for PostgreSQL; by default `niassa.db` in the data
    /// directory.
    pub metadb: Option<String>,
    /// A file with the password of a PostgreSQL server, readable by its owner alone.
    pub metadb_password_file: Option<PathBuf>,
    /// Where archives are kept, and the MetaDB by default: `/var/lib/niassa`. The executable puts a
    /// directory in the home of whoever is not root here.
    pub data: Option<PathBuf>,
    /// Where to listen: 127.0.0.1, port 8443 with TLS, 8080 without. Port 0 is a free one.
    pub listen: Option<SocketAddr>,
    /// The certificate and its key; without them the service speaks plain HTTP.
    pub tls: Option<Tls>,
    /// Addresses of reverse proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// The address by which people reach the service, where it is not the one it listens on.
    pub public_url: Option<String>,
    /// How long a claim lasts, in seconds: 1 to 600.
    pub lease_seconds: Option<u64>,
}

/// Certificate and key, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The file with the certificate chain.
    pub cert: PathBuf,
    /// The file with the key.
    pub key: PathBuf,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is not TOML, or holds what has no meaning here.
    #[error("the configuration cannot be understood")]
    Toml(#[source] toml::de::Error),
    /// The certificate is there without the key, or the key without the certificate.
    #[error("tls_cert and tls_key are given together or not at all")]
    HalfOfTls,
    /// A claim would last too short or too long.
    #[error("lease_seconds is {0}; 1 to 600 are allowed")]
    Lease(u64),
    /// Others can read a password.
    #[error("{} holds a password and can be read by others; run: chmod 600 {}", .0.display(), .0.display())]
    PasswordOpen(PathBuf),
    /// The MetaDB's location means nothing.
    #[error("the MetaDB's location cannot be used")]
    Metadb(#[source] MetaDbError),
}

/// The keys of `service.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    metadb: Option<String>,
    metadb_password_file: Option<PathBuf>,
    data: Option<PathBuf>,
    listen: Option<SocketAddr>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    #[serde(default)]
    trusted_proxies: Vec<IpAddr>,
    public_url: Option<String>,
    lease_seconds: Option<u64>,
}

impl ServiceConfig {
    /// Makes the configuration of a service inside another program: everything in one directory, a
    /// free port on this machine only.
    pub fn embedded(data: &Path) -> Self {
        Self {
            data: Some(data.to_owned()),
            listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
            ..Self::default()
        }
    }

    /// Reads a file. One that holds a password must be closed to others.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let failed = |source| ConfigError::Read { path: path.to_owned(), source };
        let config = Self::from_toml(&std::fs::read_to_string(path).map_err(failed)?)?;
        let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode();
        if mode & 0o077 != 0 && config.location()?.holds_password() {
            return Err(ConfigError::PasswordOpen(path.to_owned()));
        }
        Ok(config)
    }

    /// Reads the text of a file.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let file: Keys = toml::from_str(text).map_err(ConfigError::Toml)?;
        let tls = match (file.tls_cert, file.tls_key) {
            (Some(cert), Some(key)) => Some(Tls { cert, key }),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(ConfigError::HalfOfTls),
        };
        let config = Self {
            metadb: file.metadb,
            metadb_password_file: file.metadb_password_file,
            data: file.data,
            listen: file.listen,
            tls,
            trusted_proxies: file.trusted_proxies,
            public_url: file.public_url,
            lease_seconds: file.lease_seconds,
        };
        config.lease()?;
        Ok(config)
    }

    /// Returns the directory of the archives.
    pub fn data(&self) -> &Path {
        self.data.as_deref().unwrap_or(Path::new(DATA))
    }

    /// Returns where to listen.
    pub fn listen(&self) -> SocketAddr {
        let port = if self.tls.is_some() { 8443 } else { 8080 };
        self.listen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, port).into())
    }

    /// Returns where the MetaDB is.
    pub fn location(&self) -> Result<Location, ConfigError> {
        let location = match &self.metadb {
            Some(text) => Location::parse(text).map_err(ConfigError::Metadb)?,
            None => Location::Sqlite(self.data().join("niassa.db")),
        };
        Ok(match &self.metadb_password_file {
            Some(file) => location.with_password_file(Some(file.clone())),
            None => location,
        })
    }

    /// Returns how long a claim lasts.
    pub fn lease(&self) -> Result<Duration, ConfigError> {
        match self.lease_seconds {
            None => Ok(LEASE),
            Some(seconds) if LEASE_SECONDS.contains(&seconds) => Ok(Duration::from_secs(seconds)),
            Some(seconds) => Err(ConfigError::Lease(seconds)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_depends_on_tls() {
        let plain = ServiceConfig::from_toml("").unwrap();
        assert_eq!(plain.listen().to_string(), "127.0.0.1:8080");
        assert_eq!(plain.location().unwrap(), Location::Sqlite("/var/lib/niassa/niassa.db".into()));
        let tls = ServiceConfig::from_toml("tls_cert = 'a'\ntls_key = 'b'\ndata = '/d'").unwrap();
        assert_eq!(tls.listen().to_string(), "127.0.0.1:8443");
        assert_eq!(tls.location().unwrap(), Location::Sqlite("/d/niassa.db".into()));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in ["tls_cert = 'a'", "lease_seconds = 0", "lease_seconds = 601", "port = 1", "="]
        {
            assert!(ServiceConfig::from_toml(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_file_with_a_password_is_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("service.toml");
        std::fs::write(&file, "metadb = 'postgresql://bob:secret@db/niassa'\n").unwrap();
        let set = |mode| std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        set(0o640);
        assert!(matches!(ServiceConfig::read(&file), Err(ConfigError::PasswordOpen(_))));
        set(0o600);
        assert!(ServiceConfig::read(&file).unwrap().location().unwrap().holds_password());
    }
}
