//! The one box by which runs are searched: `status:failed workflow:x after:2026-11-01 text`.
//!
//! Words are joined by blanks; quotes keep a value with blanks together. All that is wrong is told
//! at once. Nothing here asks anybody: the box is text, and what it means is a filter.

use std::collections::BTreeSet;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use niassa_metadb::runs::{RunFilter, Whose};
use niassa_model::accession::Accession;
use niassa_model::account::Email;
use niassa_model::run::{Mark, RunStatus};
use niassa_model::time::Timestamp;

/// Most bytes of the box.
const BYTES: usize = 2_000;
/// Most words that are looked for.
const WORDS: usize = 8;
/// Most marks that are asked for.
const MARKS: usize = 8;
/// What the keys are, for who types another one.
const KEYS: &str = "status, is, workflow, host, account, mark, after, before";

/// Reads the box.
pub(super) fn parse(text: &str, now: Timestamp) -> Result<RunFilter, Vec<String>> {
    let mut search = Search { now, filter: RunFilter::default(), errors: Vec::new() };
    if text.len() > BYTES {
        return Err(vec![format!("the search has more than {BYTES} bytes")]);
    }
    if text.contains('\0') {
        return Err(vec!["the search holds a NUL character".to_owned()]);
    }
    for term in terms(text) {
        search.term(&term);
    }
    if search.filter.words.len() > WORDS {
        search.errors.push(format!("at most {WORDS} words are looked for"));
    }
    if search.filter.marks.len() > MARKS {
        search.errors.push(format!("at most {MARKS} marks are asked for"));
    }
    if search.errors.is_empty() { Ok(search.filter) } else { Err(search.errors) }
}

struct Search {
    now: Timestamp,
    filter: RunFilter,
    errors: Vec<String>,
}

impl Search {
    fn term(&mut self, term: &Term) {
        let Some(key) = &term.key else { return self.word(&term.value) };
        if term.value.is_empty() {
            self.errors.push(format!("{key}: is followed by a value"));
            return;
        }
        match key.as_str() {
            "status" => self.statuses(&term.value),
            "is" => self.kind(&term.value),
            "workflow" => match term.value.parse::<Accession>() {
                Ok(workflow) => self.filter.workflow = Some(workflow),
                Err(_) => self.filter.workflow_name = Some(term.value.clone()),
            },
            "host" => self.filter.host = Some(term.value.clone()),
            "account" => match term.value.parse::<Email>() {
                Ok(email) => self.filter.account = Some(email),
                Err(error) => self.errors.push(error.to_string()),
            },
            "mark" => match term.value.parse::<Mark>() {
                Ok(mark) => self.filter.marks.push(mark),
                Err(error) => self.errors.push(error.to_string()),
            },
            "after" => self.filter.from = self.time(key, &term.value),
            "before" => self.filter.to = self.time(key, &term.value),
            other => self.errors.push(format!("`{other}:` is not one of {KEYS}")),
        }
    }

    /// A number alone is an accession; other words are looked for in what lists show.
    fn word(&mut self, word: &str) {
        match word.trim_start_matches('#').parse::<Accession>() {
            Ok(run) => self.filter.accessions.get_or_insert_default().push(run),
            Err(_) => self.filter.words.push(word.to_owned()),
        }
    }

    fn statuses(&mut self, value: &str) {
        let mut statuses = BTreeSet::new();
        for word in value.split(',') {
            if let Ok(status) = word.parse::<RunStatus>() {
                statuses.insert(status);
            } else {
                let all = RunStatus::ALL.map(RunStatus::as_str).join(", ");
                self.errors.push(format!("`{word}` is not a status: {all}"));
            }
        }
        self.narrow(&statuses);
    }

    fn kind(&mut self, value: &str) {
        match value {
            "active" => {
                let active = RunStatus::ALL.into_iter().filter(|status| status.is_active());
                self.narrow(&active.collect());
            }
            "mine" => self.filter.whose = Whose::Own,
            other => self.errors.push(format!("`is:{other}` is neither is:active nor is:mine")),
        }
    }

    /// Several conditions on the status must all hold.
    fn narrow(&mut self, statuses: &BTreeSet<RunStatus>) {
        let before = self.filter.statuses.take();
        let both = before.map_or_else(|| statuses.clone(), |before| &before & statuses);
        self.filter.statuses = Some(both);
    }

    fn time(&mut self, key: &str, value: &str) -> Option<i64> {
        let time = read_time(value, self.now);
        if time.is_none() {
            self.errors.push(format!(
                "{key}:{value} is no time: write a date (2026-11-01), a date and time in UTC \
                 (2026-11-01T09:30), or how long ago (90min, 12h, 7d)"
            ));
        }
        time
    }
}

/// A part of the box: `key:value`, or a word.
struct Term {
    key: Option<String>,
    value: String,
}

/// Takes the box apart. What stands in quotes is one value; a quote without an end closes there.
fn terms(text: &str) -> Vec<Term> {
    let mut terms = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end_of_key = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let key = (end_of_key > 0 && rest[end_of_key..].starts_with(':'))
            .then(|| rest[..end_of_key].to_ascii_lowercase());
        let from = key.as_ref().map_or(rest, |key| &rest[key.len() + 1..]);
        let (value, after) = value(from);
        if key.is_some() || !value.is_empty() {
            terms.push(Term { key, value: value.to_owned() });
        }
        rest = after.trim_start();
    }
    terms
}

fn value(text: &str) -> (&str, &str) {
    if let Some(quoted) = text.strip_prefix('"') {
        return quoted.split_once('"').unwrap_or((quoted, ""));
    }
    text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()))
}

fn read_time(value: &str, now: Timestamp) -> Option<i64> {
    if let Some(ago) = read_ago(value) {
        return Some(now.as_micros().saturating_sub(ago));
    }
    let moment = match value.trim_end_matches('Z').parse::<DateTime>() {
        Ok(moment) => moment,
        Err(_) => value.parse::<Date>().ok()?.at(0, 0, 0, 0),
    };
    Some(moment.to_zoned(TimeZone::UTC).ok()?.timestamp().as_microsecond())
}

fn read_ago(value: &str) -> Option<i64> {
    let end = value.find(|c: char| !c.is_ascii_digit()).filter(|end| (1..=6).contains(end))?;
    let (number, unit) = value.split_at(end);
    let seconds = match unit {
        "s" => 1,
        "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return None,
    };
    Some(number.parse::<i64>().ok()? * seconds * 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
    const DAY: i64 = 86_400 * 1_000_000;

    fn read(text: &str) -> RunFilter {
        parse(text, NOW).unwrap()
    }

    #[test]
    fn an_empty_box_finds_everything() {
        assert_eq!(read("  "), RunFilter::default());
    }

    #[test]
    fn keys_and_words_are_told_apart() {
        let filter = read("status:failed workflow:Align host:server2 after:2026-11-01 lane 3x");
        assert_eq!(filter.statuses.unwrap(), BTreeSet::from([RunStatus::Failed]));
        assert_eq!(filter.workflow_name.as_deref(), Some("Align"));
        assert_eq!(filter.host.as_deref(), Some("server2"));
        assert_eq!(filter.from, Some(1_793_491_200_000_000));
        assert_eq!(filter.words, ["lane", "3x"]);
        assert_eq!(read("workflow:7").workflow.unwrap().get(), 7);
        let marked = read("mark:Urgent mark:qc:done").marks;
        assert_eq!(marked.iter().map(Mark::as_str).collect::<Vec<_>>(), ["urgent", "qc:done"]);
        assert_eq!(read("#12 13").accessions.unwrap().len(), 2);
        let host = read(r#"host:"s3://bucket/a b" "two words" s3://x"#);
        assert_eq!(host.host.as_deref(), Some("s3://bucket/a b"));
        assert_eq!(host.words, ["two words", "s3://x"]);
    }

    #[test]
    fn conditions_on_the_status_are_joined() {
        assert_eq!(read("status:failed,cancelled").statuses.unwrap().len(), 2);
        assert_eq!(read("is:active").statuses.unwrap().len(), 5);
        assert_eq!(read("is:active status:failed").statuses.unwrap().len(), 0);
        assert_eq!(read("is:mine").whose, Whose::Own);
    }

    #[test]
    fn times_are_dates_or_so_long_ago() {
        let now = NOW.as_micros();
        assert_eq!(read("after:7d").from, Some(now - 7 * DAY));
        assert_eq!(read("before:90min").to, Some(now - 90 * 60 * 1_000_000));
        assert_eq!(read("after:2027-01-15T08:00").from, Some(now));
        assert_eq!(read("after:2027-01-15T08:00:00Z").from, Some(now));
    }

    #[test]
    fn all_that_is_wrong_is_told() {
        let wrong = |text: &str| parse(text, NOW).unwrap_err().len();
        assert_eq!(wrong("status:done colour:red after:soon is:nice host:"), 5);
        assert_eq!(wrong("account:bob"), 1);
        assert_eq!(wrong("mark:\"two words\""), 1);
        assert_eq!(wrong(&"mark:a ".repeat(MARKS + 1)), 1);
        assert_eq!(wrong("after:2026-13-01"), 1);
        assert_eq!(wrong(&"x ".repeat(9)), 1);
        assert_eq!(wrong(&"x".repeat(BYTES + 1)), 1);
        assert_eq!(wrong("a\0b"), 1);
    }

    #[test]
    fn a_quote_without_an_end_ends_with_the_box() {
        assert_eq!(read("host:\"a b").host.as_deref(), Some("a b"));
        assert_eq!(read("\"").words, [""; 0]);
    }
}
