//! `seqware workflow report`.

use std::path::PathBuf;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use niassa_api::client::Client;
use niassa_api::reports::{ReportQuery, ReportRow};
use niassa_api::runs::RunQuery;
use niassa_model::accession::Accession;
use niassa_model::limits::PAGE_MOST;
use niassa_model::run::RunStatus;
use niassa_model::time::Timestamp;

use crate::commands::workflow_run::report;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Reports on every run of a workflow, or on every run with a status: Niassa's 22 columns.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware workflow report --accession 1
  $ seqware workflow report --accession 1 --status failed \\
      --when 2026-11-01:2026-11-30
  $ seqware workflow report --status completed --tsv --out november.tsv")]
pub struct Args {
    /// The workflow
    #[arg(long, value_name = "SWID", required_unless_present = "status")]
    accession: Option<Accession>,
    /// Only runs with this status
    #[arg(long)]
    status: Option<RunStatus>,
    /// Only runs accepted on these days, both included: YYYY-MM-DD, or two with a colon
    #[arg(long, value_name = "DAY[:DAY]", value_parser = parse_days)]
    when: Option<Days>,
    /// Write to a file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// The first moment of a first day and the first moment after a last day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days {
    from: Timestamp,
    to: Timestamp,
}

/// Reports on the runs of a workflow.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let client = context.client()?;
    let rows = match args.accession {
        Some(workflow) => of_workflow(&client, workflow, args.status, args.when).await?,
        None => with_status(&client, args.status, args.when).await?,
    };
    report::print_rows(&rows, args.out.as_deref(), context)?;
    Ok(Exit::Done)
}

async fn of_workflow(
    client: &Client,
    workflow: Accession,
    status: Option<RunStatus>,
    when: Option<Days>,
) -> Result<Vec<ReportRow>, Failure> {
    let mut query = ReportQuery {
        status: status.map(|status| status.to_string()),
        from: when.map(|days| days.from.as_micros()),
        to: when.map(|days| days.to.as_micros()),
        limit: Some(PAGE_MOST),
        after: None,
    };
    let mut rows = Vec::new();
    loop {
        let page = client.workflow_report(workflow, &query).await?;
        rows.extend(page.items);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(rows),
        }
    }
}

/// Reports on runs of all workflows, one by one: there is no report over workflows.
async fn with_status(
    client: &Client,
    status: Option<RunStatus>,
    when: Option<Days>,
) -> Result<Vec<ReportRow>, Failure> {
    let mut query = RunQuery { status, limit: Some(PAGE_MOST), ..RunQuery::default() };
    let mut rows = Vec::new();
    loop {
        let page = client.runs(&query).await?;
        for run in page.items {
            let within = |days: Days| days.from <= run.created_at && run.created_at < days.to;
            if when.is_none_or(within) {
                rows.push(client.run_report(run.swid).await?.row);
            }
        }
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(rows),
        }
    }
}

/// Reads one day or two; both are included, in the machine's time zone.
fn parse_days(text: &str) -> Result<Days, String> {
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    let day = |text: &str| {
        Date::strptime("%Y-%m-%d", text)
            .or_else(|_| Date::strptime("%Y%m%d", text))
            .map_err(|_| format!("`{text}` is not a day: YYYY-MM-DD is needed"))
    };
    let (first, last) = (day(first)?, day(last)?);
    if last < first {
        return Err(format!("{last} is before {first}"));
    }
    let after = last.tomorrow().map_err(|error| error.to_string())?;
    let start = |day: Date| {
        let start = day.to_zoned(TimeZone::system()).map_err(|error| error.to_string())?;
        Ok::<_, String>(Timestamp::from_micros(start.timestamp().as_microsecond()))
    };
    Ok(Days { from: start(first)?, to: start(after)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::workflow_run::report::columns;

    #[test]
    fn the_last_day_is_included() {
        let one = parse_days("2026-11-23").unwrap();
        let two = parse_days("20261122:2026-11-23").unwrap();
        assert_eq!(one.to, two.to);
        assert!(one.to.micros_since(one.from) >= 23 * 3_600 * 1_000_000);
        assert!(two.from < one.from);
        assert!(parse_days("2026-11-23:2026-11-22").is_err());
        assert!(parse_days("yesterday").is_err());
    }

    #[test]
    fn the_report_has_niassas_columns() {
        assert_eq!(columns(&ReportRow::default()).len(), 22);
    }
}
