//! Whether somebody launches on this host: cron, an agent, or a launcher the service heard of.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use niassa_api::client::Client;
use niassa_api::hosts::Host;
use niassa_api::runs::StepQuery;
use niassa_model::host::HostLabel;
use niassa_model::limits::PAGE_MOST;
use niassa_model::time::Timestamp;
use niassa_pipeline::programs;

use super::found::Found;
use crate::exit::Failure;
use crate::settings::Settings;
use crate::ui::words;

/// A launcher that was not heard of for longer, in microseconds, is away.
const AWAY: i64 = 10 * 60 * 1_000_000;

/// A script that a crontab names is read up to this size.
const SCRIPT_BYTES: u64 = 64 << 10;

/// What launches on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LaunchesBy {
    Agent,
    Cron,
}

/// Checks whether runs for this machine's label are launched.
pub async fn probes(settings: &Settings, client: Option<&Client>, now: Timestamp) -> Vec<Found> {
    let mut found = vec![launcher(launches_by())];
    if let (Some(client), Ok(label)) = (client, crate::host::label(None, settings)) {
        let hosts = rows_of(client, &label.label).await;
        found.extend(match hosts {
            Ok(rows) => vec![waiting(&label.label, &rows, now), hold(&label.label, &rows)],
            Err(failure) => vec![Found::not_known("launches", failure.explain())],
        });
    }
    found
}

async fn rows_of(client: &Client, label: &HostLabel) -> Result<Vec<Host>, Failure> {
    let mut query = StepQuery { limit: Some(PAGE_MOST), ..StepQuery::default() };
    let mut rows = Vec::new();
    loop {
        let page = client.hosts(&query).await?;
        rows.extend(page.items.into_iter().filter(|row| row.host == *label));
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(rows),
        }
    }
}

fn launcher(by: Option<LaunchesBy>) -> Found {
    match by {
        Some(LaunchesBy::Agent) => Found::good("launcher", "an agent runs here"),
        Some(LaunchesBy::Cron) => Found::good("launcher", "cron launches here"),
        None => Found::doubtful(
            "launcher",
            "neither cron nor an agent launches here; where runs are only scheduled, none needs to",
            "crontab -e with the line below, or seqware agent",
        ),
    }
}

fn waiting(label: &HostLabel, rows: &[Host], now: Timestamp) -> Found {
    let waiting: u64 = rows.iter().map(|row| row.waiting).sum();
    let seen = rows.iter().filter_map(|row| row.last_seen).max();
    let asked = seen.map_or("no launcher ever asked for them".to_owned(), |seen| {
        format!("a launcher asked for them {}", words::ago(seen, now))
    });
    let is_away = seen.is_none_or(|seen| now.micros_since(seen) > AWAY);
    match (waiting, is_away) {
        (0, _) => Found::good("launches", format!("no run waits for `{label}`")),
        (_, false) => Found::good("launches", format!("{waiting} runs wait; {asked}")),
        (_, true) => Found::bad(
            "launches",
            format!("{waiting} runs wait for `{label}`; {asked}"),
            "start cron or `seqware agent` where they shall be launched",
        ),
    }
}

fn hold(label: &HostLabel, rows: &[Host]) -> Found {
    match rows.iter().find_map(|row| row.held_because.as_deref()) {
        None => Found::good("hold", format!("`{label}` gives out launches")),
        Some(why) => Found::doubtful(
            "hold",
            format!("`{label}` gives out none: {why}"),
            format!("seqware host release --host '{label}'"),
        ),
    }
}

fn launches_by() -> Option<LaunchesBy> {
    if agent_runs(Path::new("/proc"), rustix::process::geteuid().as_raw()) {
        return Some(LaunchesBy::Agent);
    }
    let crontab = programs::crontab().ok().flatten().unwrap_or_default();
    let of_system = fs::read_dir("/etc/cron.d").into_iter().flatten().flatten();
    let texts = of_system.filter_map(|entry| fs::read_to_string(entry.path()).ok());
    std::iter::once(crontab).chain(texts).any(|text| launches(&text)).then_some(LaunchesBy::Cron)
}

/// Tells whether an agent of this user runs, or the whole system in one process.
fn agent_runs(proc: &Path, user: u32) -> bool {
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    entries.filter(|entry| entry.metadata().is_ok_and(|about| about.uid() == user)).any(|entry| {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        let is_seqware = words.first().is_some_and(|program| program.ends_with(b"seqware"));
        let verb = words.get(1).copied().unwrap_or_default();
        is_seqware && matches!(verb, b"agent" | b"up") && !words.contains(&b"--once".as_slice())
    })
}

/// Tells whether a crontab launches: a line does, or a script that it names.
fn launches(crontab: &str) -> bool {
    let lines = crontab.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines
        .into_iter()
        .any(|line| says_so(line) || line.split([' ', '\t', ';', '"', '\'']).any(script_says_so))
}

fn script_says_so(word: &str) -> bool {
    let path = Path::new(word);
    let is_small = || fs::metadata(path).is_ok_and(|about| about.len() <= SCRIPT_BYTES);
    path.is_absolute() && path.is_file() && is_small() && {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.lines().any(|line| !line.trim_start().starts_with('#') && says_so(line))
    }
}

fn says_so(line: &str) -> bool {
    line.contains("launch-scheduled") || line.contains("seqware agent")
}

#[cfg(test)]
mod tests {
    use super::super::found::Verdict::{Bad, Doubtful, Good};
    use super::super::found::assert_verdict;
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000_000_000);

    fn row(waiting: u64, seen_before: Option<i64>, held: Option<&str>) -> Host {
        let seen = seen_before.map(|micros| Timestamp::from_micros(NOW.as_micros() - micros));
        Host {
            user: None,
            account: None,
            host: "server2".parse().unwrap(),
            os_user: None,
            machine: None,
            last_seen: seen,
            oldest_waiting_micros: None,
            waiting,
            oldest_waiting: None,
            held_because: held.map(ToOwned::to_owned),
        }
    }

    #[test]
    fn a_launcher_is_missed() {
        assert_verdict(&launcher(Some(LaunchesBy::Agent)), Good);
        assert_verdict(&launcher(Some(LaunchesBy::Cron)), Good);
        assert_verdict(&launcher(None), Doubtful);
    }

    #[test]
    fn runs_that_nobody_asks_for_are_a_fault() {
        let label = "server2".parse().unwrap();
        let check = |row: Host| waiting(&label, &[row], NOW);
        assert_verdict(&check(row(0, None, None)), Good);
        assert_verdict(&check(row(3, Some(AWAY), None)), Good);
        assert_verdict(&check(row(3, Some(AWAY + 1), None)), Bad);
        assert_verdict(&check(row(3, None, None)), Bad);
        assert_verdict(&hold(&label, &[row(0, None, None)]), Good);
        let held = hold(&label, &[row(0, None, Some("new disks"))]);
        assert_verdict(&held, Doubtful);
        assert!(held.finding.contains("new disks"));
    }

    #[test]
    fn cron_launches_by_a_line_or_by_a_script() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("status.cron");
        let line = format!("* * * * * {} >> /tmp/log", script.display());
        assert!(!launches(&line));
        fs::write(&script, "# seqware workflow-run launch-scheduled\n").unwrap();
        assert!(!launches(&line));
        fs::write(&script, "seqware workflow-run launch-scheduled\n").unwrap();
        assert!(launches(&line) && !launches(&format!("# {line}")));
        assert!(launches("* * * * * seqware agent --once"));
        assert!(!launches("MAILTO=bob\n0 3 * * * /usr/bin/updatedb"));
    }

    #[test]
    fn an_agent_of_this_user_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let process = folder.path().join("17");
        fs::create_dir(&process).unwrap();
        let me = rustix::process::geteuid().as_raw();
        for (line, runs) in [
            ("/usr/bin/seqware\0agent\0", true),
            ("seqware\0up\0--data\0/d\0", true),
            ("seqware\0agent\0--once\0", false),
            ("seqware\0serve\0", false),
            ("vi\0agent\0", false),
        ] {
            fs::write(process.join("cmdline"), line).unwrap();
            assert_eq!(agent_runs(folder.path(), me), runs, "{line:?}");
            assert!(!agent_runs(folder.path(), me + 1));
        }
    }
}
