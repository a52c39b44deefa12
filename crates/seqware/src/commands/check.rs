//! `seqware check`.

mod probes;
mod service;
mod work;

use serde_json::json;

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::settings::{Key, Settings, this_executable};
use crate::ui::cell::Cell;
use crate::ui::listing::{Column, Listing};
use crate::ui::run_view::Brush;
use crate::ui::words::Tone;
use crate::ui::{Format, Look};
use probes::{Found, Verdict};

/// Looks for faults in the settings, the service and this machine, each with its fix.
///
/// Ends with 9 when something must be mended. Changes nothing but a few short-lived files in the
/// work directory.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware check
  $ seqware check --settings       # each setting's value and where it is from")]
pub struct Args {
    /// Show each setting's value and where it is from
    #[arg(long)]
    settings: bool,
}

/// Checks everything that a schedule or a launch will need.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    if args.settings {
        let listing = settings_listing(context.settings()?);
        context.ui.listing(&listing)?;
        return Ok(Exit::Done);
    }
    let mut found = Vec::new();
    match Settings::read(&context.surroundings) {
        Ok(settings) => {
            found.extend(probes::of_settings(&settings));
            found.extend(service::probes(&settings, context.now()).await);
            found.extend(work::probes(&settings));
        }
        Err(error) => {
            let fix = error.hint();
            found.push(Found::bad("settings", error.to_string(), fix));
        }
    }
    found.extend(probes::of_machine());
    let exit = match found.iter().any(|found| found.verdict == Verdict::Bad) {
        true => Exit::FaultFound,
        false => Exit::Done,
    };
    show(&found, context)?;
    Ok(exit)
}

fn show(found: &[Found], context: &mut Context) -> Result<(), Failure> {
    match context.ui.format() {
        Format::Table => {
            let mut text = found
                .iter()
                .map(|found| line(found, context.ui.look()))
                .collect::<Vec<_>>()
                .join("\n");
            text.push_str(&format!("\n\ncrontab line for this host:\n  {}", crontab()));
            context.ui.text(&text)
        }
        Format::Json => {
            let found: Vec<_> = found
                .iter()
                .map(|found| {
                    json!({
                        "check": found.check,
                        "verdict": found.verdict.word(),
                        "finding": found.finding,
                        "fix": found.fix,
                    })
                })
                .collect();
            context.ui.json(&json!(found))
        }
        Format::Tsv => {
            let lines = found.iter().map(|found| {
                let fix = found.fix.as_deref().unwrap_or_default();
                format!("{}\t{}\t{}\t{fix}", found.check, found.verdict.word(), found.finding)
            });
            let titles = "Check\tVerdict\tFinding\tFix".to_owned();
            context.ui.text(&std::iter::once(titles).chain(lines).collect::<Vec<_>>().join("\n"))
        }
        Format::Quiet => Ok(()),
    }
}

/// Where findings begin in a line.
const INDENT: usize = 17;

fn line(found: &Found, look: Look) -> String {
    let brush = Brush { look };
    let (symbol, ascii, tone) = match found.verdict {
        Verdict::Good => ('✔', '+', Tone::Good),
        Verdict::Doubtful => ('!', '!', Tone::Warning),
        Verdict::Bad => ('✘', 'x', Tone::Bad),
    };
    let symbol = if look.unicode { symbol } else { ascii }.to_string();
    let finding = brush.wrap(&found.finding, INDENT);
    let mut line = format!("{} {:<15}{finding}", brush.paint(tone, &symbol), found.check);
    if let Some(fix) = &found.fix {
        line.push_str(&format!("\n{:INDENT$}fix: {}", "", brush.wrap(fix, INDENT + 5)));
    }
    line
}

/// Returns the line for cron that launches and propagates every minute.
fn crontab() -> String {
    let program = this_executable().map_or("seqware".to_owned(), |path| path.display().to_string());
    format!(
        "* * * * * {program} workflow-run launch-scheduled; \
         {program} workflow-run propagate-statuses --threads 10"
    )
}

const SETTING_COLUMNS: &[Column] =
    &[Column::short("Name"), Column::long("Value"), Column::long("Origin")];

fn settings_listing(settings: &Settings) -> Listing {
    let mut listing = Listing::new(SETTING_COLUMNS, "no settings");
    for key in Key::ALL {
        let (Some(text), Some(origin)) = (settings.text(key), settings.origin(key)) else {
            continue;
        };
        let shown = if key.is_secret() { "(secret)" } else { text };
        listing.rows.push(vec![Cell::text(key.name()), Cell::text(shown), Cell::text(origin)]);
    }
    listing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_and_its_fix_stand_together() {
        let look = Look { width: Some(80), color: false, unicode: true, live: false };
        let bad = Found::bad("service", "cannot reach http://127.0.0.1:8080", "seqware serve");
        assert_eq!(
            line(&bad, look),
            "✘ service        cannot reach http://127.0.0.1:8080\n                 fix: seqware serve"
        );
    }
}
