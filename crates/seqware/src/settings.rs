//! Settings: the only reader of the environment.
//!
//! A flag comes first, then the environment variable of the same name, the personal file, the
//! site's file, and the default. Flags are looked at where they are declared; the rest is here.

mod clusters;
mod error;
mod file;
mod key;
mod surroundings;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use niassa_api::client::{ClientConfig, Credentials, PlainHttp};
use niassa_model::host::HostLabel;
use niassa_model::place::EngineKind;

pub use error::SettingsError;
use file::Owner;
pub use key::Key;
pub use surroundings::{Surroundings, this_executable};

/// Every setting that has a value, and where it is from.
#[derive(Debug, Clone)]
pub struct Settings {
    values: BTreeMap<Key, Value>,
    unknown: Vec<(String, Origin)>,
    home: Option<PathBuf>,
}

/// The text of a setting.
#[derive(Clone)]
struct Value {
    text: String,
    origin: Origin,
}

impl fmt::Debug for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "from {}", self.origin)
    }
}

/// Where a value is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The environment.
    Environment,
    /// A file.
    File(PathBuf),
    /// Nobody gave it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => formatter.write_str("environment"),
            Self::File(path) => write!(formatter, "{}", path.display()),
            Self::Default => formatter.write_str("default"),
        }
    }
}

/// Where metadata is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetadataMethod {
    /// In the Web Service.
    Webservice,
    /// In a MetaDB of the command's own.
    None,
}

impl Settings {
    /// Returns settings that nobody gave: for commands that look at no file.
    pub fn none() -> Self {
        Self { values: BTreeMap::new(), unknown: Vec::new(), home: None }
    }

    /// Reads the settings that hold in the given surroundings.
    pub fn read(surroundings: &Surroundings) -> Result<Self, SettingsError> {
        let mut settings =
            Self { values: BTreeMap::new(), unknown: Vec::new(), home: surroundings.home.clone() };
        for key in Key::ALL {
            if let Some(text) = key.default() {
                let value = Value { text: text.to_owned(), origin: Origin::Default };
                settings.values.insert(key, value);
            }
        }
        let site = &surroundings.site_file;
        if let Some(values) = file::read(site, Owner::Site, surroundings.os_user)? {
            settings.take(values, &Origin::File(site.clone()));
        }
        if let Some(path) = surroundings.personal_file() {
            match file::read(&path, Owner::Person, surroundings.os_user)? {
                Some(values) => settings.take(values, &Origin::File(path)),
                None if surroundings.variable("SEQWARE_SETTINGS").is_some() => {
                    return Err(SettingsError::NotThere(path));
                }
                None => {}
            }
        }
        for key in Key::ALL {
            let alias = (key == Key::WorkDir).then(|| surroundings.variable("OOZIE_WORK_DIR"));
            let text = surroundings.variable(key.name()).or(alias.flatten());
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                let value = Value { text: text.to_owned(), origin: Origin::Environment };
                settings.values.insert(key, value);
            }
        }
        Ok(settings)
    }

    fn take(&mut self, values: Vec<(String, String)>, origin: &Origin) {
        for (name, text) in values {
            match Key::find(&name) {
                Some(key) if !text.is_empty() => {
                    self.values.insert(key, Value { text, origin: origin.clone() });
                }
                Some(_) => {}
                None if key::is_known(&name) => {}
                None => self.unknown.push((name, origin.clone())),
            }
        }
    }

    /// Returns a setting's text.
    pub fn text(&self, key: Key) -> Option<&str> {
        self.values.get(&key).map(|value| value.text.as_str())
    }

    /// Returns where a setting is from.
    pub fn origin(&self, key: Key) -> Option<&Origin> {
        self.values.get(&key).map(|value| &value.origin)
    }

    /// Returns names in settings files that mean nothing here.
    pub fn unknown(&self) -> &[(String, Origin)] {
        &self.unknown
    }

    /// Returns where the service is and what to sign in with.
    pub fn client_config(&self) -> Result<ClientConfig, SettingsError> {
        let url = self.required(Key::RestUrl)?;
        let credentials = match self.text(Key::RestToken) {
            Some(token) => Credentials::Token(token.to_owned()),
            None => Credentials::Basic {
                user: self.required(Key::RestUser)?.to_owned(),
                password: self.required(Key::RestPass)?.to_owned(),
            },
        };
        let plain_http = match self.text(Key::RestAllowHttp) {
            Some("true" | "yes" | "1") => PlainHttp::Anywhere,
            Some("false" | "no" | "0") | None => PlainHttp::OnlyLoopback,
            Some(_) => return Err(self.wrong(Key::RestAllowHttp, "`true` or `false` is needed")),
        };
        let ca = self.path(Key::RestCa)?;
        Ok(ClientConfig { ca, plain_http, ..ClientConfig::new(url, credentials) })
    }

    /// Returns who signs in, in words for messages and for telling launchers apart.
    pub fn signed_in_as(&self) -> String {
        match (self.text(Key::RestToken), self.text(Key::RestUser)) {
            (Some(_), Some(user)) => format!("token of {user}"),
            (Some(_), None) => "token".to_owned(),
            (None, user) => user.unwrap_or("nobody").to_owned(),
        }
    }

    /// Returns where metadata is kept.
    pub fn metadata_method(&self) -> Result<MetadataMethod, SettingsError> {
        match self.required(Key::MetadataMethod)? {
            "webservice" => Ok(MetadataMethod::Webservice),
            "none" | "inmemory" => Ok(MetadataMethod::None),
            _ => Err(self.wrong(Key::MetadataMethod, "`webservice` or `none` is needed")),
        }
    }

    /// Returns the engine of runs that demand none.
    pub fn default_engine(&self) -> Result<EngineKind, SettingsError> {
        self.required(Key::DefaultWorkflowEngine)?
            .parse()
            .map_err(|error| self.wrong(Key::DefaultWorkflowEngine, error))
    }

    /// Returns the label of this machine's launcher, if one is set.
    pub fn host(&self) -> Result<Option<HostLabel>, SettingsError> {
        let Some(text) = self.text(Key::Host) else { return Ok(None) };
        text.parse().map(Some).map_err(|error| self.wrong(Key::Host, error))
    }

    /// Returns where run directories are made.
    pub fn work_dir(&self) -> Result<PathBuf, SettingsError> {
        self.path(Key::WorkDir)?.ok_or(SettingsError::Missing(Key::WorkDir))
    }

    /// Returns where fetched bundles are unpacked, if that is set.
    pub fn bundle_dir(&self) -> Result<Option<PathBuf>, SettingsError> {
        self.path(Key::BundleDir)
    }

    /// Returns the program that is told status changes, if one is set.
    pub fn on_change(&self) -> Result<Option<PathBuf>, SettingsError> {
        self.path(Key::OnChange)
    }

    fn required(&self, key: Key) -> Result<&str, SettingsError> {
        self.text(key).ok_or(SettingsError::Missing(key))
    }

    /// Returns a path, with `~/` as the home directory; a path must not depend on where it is used.
    fn path(&self, key: Key) -> Result<Option<PathBuf>, SettingsError> {
        let Some(text) = self.text(key) else { return Ok(None) };
        let path = match text.strip_prefix("~/") {
            Some(rest) => match &self.home {
                Some(home) => home.join(rest),
                None => return Err(self.wrong(key, "there is no home directory for `~`")),
            },
            None => Path::new(text).to_owned(),
        };
        if path.is_relative() {
            return Err(self.wrong(key, "an absolute path is needed"));
        }
        Ok(Some(path))
    }

    fn wrong(&self, key: Key, why: impl fmt::Display) -> SettingsError {
        let value = self.values.get(&key);
        SettingsError::Wrong {
            key,
            value: value.map(|value| value.text.clone()).unwrap_or_default(),
            origin: value.map_or(Origin::Default, |value| value.origin.clone()),
            why: why.to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
