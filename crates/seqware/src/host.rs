//! The label that this machine's launcher serves.

use niassa_model::host::HostLabel;
use niassa_pipeline::place::machine;
use niassa_pipeline::programs::FullHostName;

use crate::exit::Failure;
use crate::settings::Settings;

/// A label, and what people should know about how it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundLabel {
    /// The label.
    pub label: HostLabel,
    /// Why it may not be the one that was meant.
    pub doubt: Option<String>,
}

/// A question for the label, under way: where nobody says which, this machine is asked.
pub enum Question {
    /// It is known.
    Known(HostLabel),
    /// This machine is being asked.
    Asked(FullHostName),
}

impl Question {
    /// Takes the label given by a flag, else the one in the settings, else asks for this machine's
    /// full name, which takes a moment.
    pub fn ask(flag: Option<HostLabel>, settings: &Settings) -> Result<Self, Failure> {
        let known = flag.map_or_else(|| settings.host(), |label| Ok(Some(label)))?;
        Ok(known.map_or_else(|| Self::Asked(FullHostName::ask()), Self::Known))
    }

    /// Waits for the answer.
    pub fn answer(self) -> Result<FoundLabel, Failure> {
        let name = match self {
            Self::Known(label) => return Ok(FoundLabel { label, doubt: None }),
            Self::Asked(question) => question.answer(),
        };
        match name.map(HostLabel::try_from) {
            Some(Ok(label)) => Ok(FoundLabel { label, doubt: None }),
            Some(Err(_)) | None => node_name(),
        }
    }
}

/// Returns the label given by a flag, else the one in the settings, else this machine's full name.
pub fn label(flag: Option<HostLabel>, settings: &Settings) -> Result<FoundLabel, Failure> {
    Question::ask(flag, settings)?.answer()
}

/// Returns this machine's own idea of its name, which is as good as any where it has no full one.
fn node_name() -> Result<FoundLabel, Failure> {
    let label = HostLabel::try_from(machine()).map_err(|error| {
        Failure::usage(format!("this machine's name is no label: {error}"))
            .with_hint("give one: --host LABEL, or SW_HOST in the settings")
    })?;
    let doubt = format!(
        "`hostname --long` does not work here; serving the node name `{label}` \
         (set SW_HOST to say which label is meant)"
    );
    Ok(FoundLabel { label, doubt: Some(doubt) })
}
