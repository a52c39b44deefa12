//! `seqware check`.

mod certificate;
mod found;
mod launcher;
mod machine;
mod node;
mod print;
mod scheduler;
mod service;
mod settings;
mod work;

use std::time::Duration;

use niassa_api::client::Client;
use niassa_model::resources::parse_seconds;

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::pipeline;
use crate::settings::{Key, Settings};
use crate::ui::cell::Cell;
use crate::ui::listing::{Column, Listing};
use found::{Found, Section, Verdict};
pub use node::{NodeCheckArgs, on_node};

/// Looks for faults in the settings, the service and this machine, each with its fix.
///
/// Ends with 9 when something must be mended. Changes nothing but a few short-lived files in the
/// work directory. With --from-node it hands one small job to the configured engine, which looks at
/// the node and at the work directory from there.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware check
  $ seqware check --from-node      # one small job looks at a node, too
  $ seqware check --settings       # each setting's value and where it is from")]
pub struct Args {
    /// Show each setting's value and where it is from
    #[arg(long)]
    settings: bool,
    /// Look from a node of the cluster as well
    #[arg(long, conflicts_with = "settings")]
    from_node: bool,
    /// How long the job may wait for a node, such as 90s or 10m
    #[arg(long, value_name = "TIME", default_value = "5m", requires = "from_node",
          value_parser = parse_seconds)]
    wait: u64,
}

/// Checks everything that a schedule or a launch will need.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    if args.settings {
        let listing = settings_listing(context.settings()?);
        context.ui.listing(&listing)?;
        return Ok(Exit::Done);
    }
    let mut sections = from_here(context).await;
    if args.from_node {
        sections.extend(from_node(Duration::from_secs(args.wait), context));
    }
    let mut found = sections.iter().flat_map(|section| &section.found);
    let exit = match found.any(|found| found.verdict == Verdict::Bad) {
        true => Exit::FaultFound,
        false => Exit::Done,
    };
    print::show(&sections, context)?;
    Ok(exit)
}

/// Looks at everything from here, and returns how many checks ended how.
pub async fn in_short(context: &Context) -> String {
    print::sum(&from_here(context).await)
}

async fn from_here(context: &Context) -> Vec<Section> {
    let mut sections = match Settings::read(&context.surroundings) {
        Ok(settings) => of_settings(&settings, context).await,
        Err(error) => vec![section("Settings", vec![settings::unreadable(&error)])],
    };
    let mut of_machine = machine::of_steps();
    of_machine.extend(machine::of_people(&context.surroundings));
    sections.push(section("This machine", of_machine));
    sections
}

async fn of_settings(settings: &Settings, context: &Context) -> Vec<Section> {
    let mut of_settings = settings::probes(settings);
    of_settings.extend(scheduler::probes(settings));
    let service::Asked { found, client } = service::probes(settings, context.now()).await;
    let launching = launcher::probes(settings, client.as_ref(), context.now()).await;
    let deployment = client.as_ref().and_then(Client::deployment);
    let mut of_work = work::probes(settings, &context.surroundings, context.now());
    of_work.extend(work::of_deployments(settings, deployment.as_deref(), context.now()));
    vec![
        section("Settings and engine", of_settings),
        section("Web Service", found),
        section("Launching", launching),
        section("Work directory", of_work),
    ]
}

fn from_node(patience: Duration, context: &Context) -> Vec<Section> {
    match pipeline::settings(context) {
        Ok(settings) => node::probes(&settings, patience, context),
        Err(failure) => {
            let fix = failure.hint().unwrap_or("seqware check --settings").to_owned();
            let found = Found::bad("step runner", failure.explain(), fix);
            vec![section("From a node", vec![found])]
        }
    }
}

fn section(title: &str, found: Vec<Found>) -> Section {
    Section { title: title.to_owned(), found }
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
