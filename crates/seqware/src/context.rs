//! What every command is given: the printer, the settings, and a client when it asks for one.

use std::cell::OnceCell;

use niassa_api::client::{Client, ClientConfig, ClientError};
use niassa_model::time::{Clock, Timestamp};
use uuid::Uuid;

use crate::clock::SystemClock;
use crate::exit::Failure;
use crate::settings::{Settings, Surroundings};
use crate::ui::Ui;

/// The world of one command. Settings are read when something of them is needed, so that commands
/// without a service work without settings.
pub struct Context {
    /// The printer.
    pub ui: Ui,
    /// What the process was given.
    pub surroundings: Surroundings,
    settings: OnceCell<Settings>,
    /// The id under which logs find what this command asks.
    trace: Uuid,
}

impl Context {
    /// Makes the world of one command.
    pub fn new(ui: Ui, surroundings: Surroundings) -> Self {
        let trace = surroundings.trace().unwrap_or_else(Uuid::new_v4);
        Self { ui, surroundings, settings: OnceCell::new(), trace }
    }

    /// Returns the settings.
    pub fn settings(&self) -> Result<&Settings, Failure> {
        if let Some(settings) = self.settings.get() {
            return Ok(settings);
        }
        let settings = Settings::read(&self.surroundings)?;
        Ok(self.settings.get_or_init(|| settings))
    }

    /// Returns a client of the service that the settings name.
    pub fn client(&self) -> Result<Client, Failure> {
        let config = self.settings()?.client_config()?;
        let config = ClientConfig { trace: Some(self.trace), ..config };
        Client::new(config).map_err(|error: ClientError| error.into())
    }

    /// Returns the machine's time.
    #[expect(clippy::unused_self, reason = "the time belongs to the world of a command")]
    pub fn now(&self) -> Timestamp {
        SystemClock.now()
    }
}
