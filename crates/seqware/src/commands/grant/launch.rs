//! `seqware grant launch`.

use std::time::Duration;

use niassa_api::grants::GrantLaunch;
use niassa_model::account::Email;
use niassa_model::host::HostLabel;
use serde_json::json;

use crate::commands::workflow_run::watch::seconds;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Lets an account launch your runs on a host.
///
/// It may claim, record and read those that are scheduled for the label, and neither schedule nor
/// cancel nor retry them. Their files and jobs belong to the OS user that its launcher runs as.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware grant launch --to svc@lab.net --host server2
  $ seqware grant launch --from alice@lab.net --to svc@lab.net --host server2 \\
      --expires 90d")]
pub struct Args {
    /// Whose runs: yours, unless you are an administrator
    #[arg(long, value_name = "EMAIL")]
    from: Option<Email>,
    /// Who may launch them
    #[arg(long, value_name = "EMAIL")]
    to: Email,
    /// The label
    #[arg(long, value_name = "LABEL")]
    host: HostLabel,
    /// How long: 45s, 30m, 2h or 90d; until it is revoked, if absent
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    expires: Option<Duration>,
}

/// Lets an account launch runs.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let too_long = |_| Failure::usage("--expires is too long");
    let seconds =
        args.expires.map(|time| i64::try_from(time.as_secs()).map_err(too_long)).transpose()?;
    let request = GrantLaunch { from: args.from, to: args.to, host: args.host, seconds };
    let grant = context.client()?.grant_launch(&request).await?;
    let line = format!(
        "{} may launch runs of {} on {} (grant {})",
        grant.to, grant.from, grant.host, grant.id
    );
    context.ui.did(&line, None, &json!(grant))?;
    Ok(Exit::Done)
}
