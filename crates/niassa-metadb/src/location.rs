//! Where a MetaDB is: a file for SQLite, a URL for PostgreSQL.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::error::{MetaDbError, Result};

/// Where a MetaDB is.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// A file of SQLite's, made when it is not there.
    Sqlite(PathBuf),
    /// A PostgreSQL server.
    Postgres {
        /// The whole URL, with a password if one was given in it.
        url: String,
        /// A file that holds the password, readable by its owner alone.
        password_file: Option<PathBuf>,
    },
}

/// How a server's own programs reach it: a password never stands on a command line.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerAccess {
    /// The URL, without a password.
    pub url: String,
    /// The password, where one is configured.
    pub password: Option<String>,
}

impl Location {
    /// Reads a path, `sqlite:PATH`, or a `postgresql://` URL.
    pub fn parse(text: &str) -> Result<Self> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres { url: text.to_owned(), password_file: None });
        }
        let path =
            text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:")).unwrap_or(text);
        if path.is_empty() || path.contains("://") {
            return Err(MetaDbError::NotALocation(text.to_owned()));
        }
        Ok(Self::Sqlite(PathBuf::from(path)))
    }

    /// Takes the password of a PostgreSQL server from a file; SQLite has none.
    #[must_use]
    pub fn with_password_file(self, file: Option<PathBuf>) -> Self {
        match self {
            Self::Postgres { url, .. } => Self::Postgres { url, password_file: file },
            Self::Sqlite(path) => Self::Sqlite(path),
        }
    }

    /// Tells whether the URL holds a password: then whatever file it stands in must be closed.
    pub fn holds_password(&self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            Self::Postgres { url, .. } => password_range(url).is_some(),
        }
    }

    /// Returns how a server's own programs reach it; an embedded MetaDB has none.
    pub fn server(&self) -> Result<Option<ServerAccess>> {
        let Self::Postgres { url, password_file } = self else { return Ok(None) };
        let (url, in_url) = without_password(url);
        let password = match password_file {
            Some(file) => Some(read_password(file)?),
            None => in_url,
        };
        Ok(Some(ServerAccess { url, password }))
    }

    /// Returns the URL to connect with, the password file's content put in.
    pub(crate) fn url(&self) -> Result<String> {
        match self {
            Self::Sqlite(path) => Ok(format!("sqlite://{}?mode=rwc", escape_path(path))),
            Self::Postgres { url, password_file: None } => Ok(url.clone()),
            Self::Postgres { url, password_file: Some(file) } => {
                Ok(with_password(url, &read_password(file)?))
            }
        }
    }
}

/// Shows where, never the password.
impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(formatter, "{}", path.display()),
            Self::Postgres { url, .. } => match password_range(url) {
                Some(range) => write!(formatter, "{}***{}", &url[..range.start], &url[range.end..]),
                None => formatter.write_str(url),
            },
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Location({self})")
    }
}

fn read_password(file: &Path) -> Result<String> {
    let failed = |source| MetaDbError::PasswordFile { path: file.to_owned(), source };
    let mode = std::fs::metadata(file).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(MetaDbError::PasswordOpen(file.to_owned()));
    }
    let text = std::fs::read_to_string(file).map_err(failed)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Where a password stands in a URL: in its query, or in front of the host.
fn password_range(url: &str) -> Option<std::ops::Range<usize>> {
    password_in_query(url).or_else(|| password_of_user(url))
}

/// Where `password=` or `sslpassword=` has its value.
fn password_in_query(url: &str) -> Option<std::ops::Range<usize>> {
    let mut start = url.find('?')? + 1;
    for parameter in url[start..].split('&') {
        if let Some((name, value)) = parameter.split_once('=')
            && name.to_lowercase().ends_with("password")
        {
            let begin = start + name.len() + 1;
            return Some(begin..begin + value.len());
        }
        start += parameter.len() + 1;
    }
    None
}

/// Where the password stands between the first `:` of the user part and the last `@`.
fn password_of_user(url: &str) -> Option<std::ops::Range<usize>> {
    let start = url.find("://")? + 3;
    let authority_end = url[start..].find(['/', '?']).map_or(url.len(), |at| start + at);
    let at = start + url[start..authority_end].rfind('@')?;
    let colon = start + url[start..at].find(':')?;
    Some(colon + 1..at)
}

/// Takes a password out of a URL, percent-decoded.
fn without_password(url: &str) -> (String, Option<String>) {
    let Some(range) = password_range(url) else { return (url.to_owned(), None) };
    let password = percent_decode(&url[range.clone()]);
    let mut before = &url[..range.start];
    let mut after = &url[range.end..];
    if let Some(name) = before.strip_suffix('=') {
        // `?password=x&a=b` leaves `?a=b`, `?a=b&password=x` leaves `?a=b`.
        before = &before[..name.rfind(['?', '&']).map_or(before.len(), |at| at + 1)];
        match after.strip_prefix('&') {
            Some(rest) => after = rest,
            None => before = &before[..before.len() - 1],
        }
    } else {
        before = before.strip_suffix(':').unwrap_or(before);
    }
    (format!("{before}{after}"), Some(password))
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(decoded) if byte == b'%' => {
                bytes.push(decoded);
                rest = &after[2..];
            }
            Some(_) | None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Puts a password into a URL as a query parameter, percent-encoded.
fn with_password(url: &str, password: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}password={}", percent_encode(password.as_bytes()))
}

/// SQLite URLs are percent-decoded, so what is special in a URL must be encoded.
fn escape_path(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    percent_encode(path.as_os_str().as_bytes())
}

fn percent_encode(bytes: &[u8]) -> String {
    let mut encoded = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(byte) {
            encoded.push(char::from(*byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_urls_are_told_apart() {
        assert_eq!(Location::parse("/a/b.db").unwrap(), Location::Sqlite("/a/b.db".into()));
        assert_eq!(Location::parse("sqlite://x.db").unwrap(), Location::Sqlite("x.db".into()));
        assert!(matches!(Location::parse("postgresql:///n").unwrap(), Location::Postgres { .. }));
        assert!(Location::parse("mysql://n").is_err());
        assert!(Location::parse("").is_err());
    }

    #[test]
    fn a_password_is_never_shown() {
        let location = Location::parse("postgresql://bob:s3:cr@t@db.lab.net/niassa?x=1").unwrap();
        assert!(location.holds_password());
        assert_eq!(location.to_string(), "postgresql://bob:***@db.lab.net/niassa?x=1");
        assert!(!Location::parse("postgresql://bob@db/niassa").unwrap().holds_password());
        let location = Location::parse("postgresql://db/n?user=bob&Password=s3&x=1").unwrap();
        assert!(location.holds_password());
        assert_eq!(location.to_string(), "postgresql://db/n?user=bob&Password=***&x=1");
    }

    #[test]
    fn a_password_is_taken_out_of_a_url() {
        for (url, bare, password) in [
            ("postgresql://bob:p%26%3Dw@db/n?x=1", "postgresql://bob@db/n?x=1", Some("p&=w")),
            ("postgresql://db/n?password=a%20b&x=1", "postgresql://db/n?x=1", Some("a b")),
            ("postgresql://db/n?x=1&password=100%", "postgresql://db/n?x=1", Some("100%")),
            ("postgresql://db/n?password=a", "postgresql://db/n", Some("a")),
            ("postgresql:///n?host=/tmp&user=b", "postgresql:///n?host=/tmp&user=b", None),
        ] {
            let access = Location::parse(url).unwrap().server().unwrap().unwrap();
            assert_eq!((access.url.as_str(), access.password.as_deref()), (bare, password));
        }
        assert!(Location::parse("/a.db").unwrap().server().unwrap().is_none());
    }

    #[test]
    fn an_open_password_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "p&=w\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        let location =
            Location::parse("postgresql://db/n").unwrap().with_password_file(Some(file.clone()));
        assert!(matches!(location.url(), Err(MetaDbError::PasswordOpen(_))));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(location.url().unwrap(), "postgresql://db/n?password=p%26%3Dw");
    }
}
