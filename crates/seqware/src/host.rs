//! The label that this machine's launcher serves.

use niassa_model::host::HostLabel;
use niassa_pipeline::place::machine;
use niassa_pipeline::programs;

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

/// Returns the label given by a flag, else the one in the settings, else this machine's full name.
pub fn label(flag: Option<HostLabel>, settings: &Settings) -> Result<FoundLabel, Failure> {
    match flag.map_or_else(|| settings.host(), |label| Ok(Some(label)))? {
        Some(label) => Ok(FoundLabel { label, doubt: None }),
        None => of_this_machine(),
    }
}

/// Asks the `hostname` command, as the person who schedules does in `$(hostname --long)`.
fn of_this_machine() -> Result<FoundLabel, Failure> {
    if let Some(Ok(label)) = programs::full_host_name().map(HostLabel::try_from) {
        return Ok(FoundLabel { label, doubt: None });
    }
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
