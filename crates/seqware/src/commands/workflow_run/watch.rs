//! `seqware workflow-run watch`.

use std::time::{Duration, Instant};

use niassa_model::resources::parse_seconds;

use crate::commands::OneAccession;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::follow::{Following, Heard, News, follow, interrupts};
use crate::settings::MetadataMethod;

/// How long to wait between two looks.
const BETWEEN: Duration = Duration::from_millis(500);

/// Follows a run to its end.
///
/// Its end decides the exit code: 0 completed, 10 failed, 11 cancelled, 12 when the time is over.
/// Ctrl-C ends the watching, not the run.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware workflow-run watch --accession 7
  $ seqware workflow-run watch --accession 7 --timeout 2h && next-command")]
pub struct Args {
    #[command(flatten)]
    run: OneAccession,
    /// How long to watch at most: 90, 45s, 30m, 2h or 1d
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    timeout: Option<Duration>,
}

/// Follows a run.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let client = context.client()?;
    let following = Following {
        run: args.run.accession,
        deadline: args.timeout.map(|timeout| Instant::now() + timeout),
        metadata: MetadataMethod::Webservice,
        interrupt: interrupts()?,
    };
    let wait = async || {
        tokio::time::sleep(BETWEEN).await;
        Ok(Heard { news: News::Status, problems: Vec::new() })
    };
    follow(following, &client, context, wait).await
}

/// Reads a duration.
pub fn seconds(text: &str) -> Result<Duration, String> {
    parse_seconds(text).map(Duration::from_secs).map_err(|error| error.to_string())
}
