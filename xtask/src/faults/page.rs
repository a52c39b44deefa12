//! The measured parts of docs/reliability.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::options::Order;
use super::results::{Played, Results};

/// What the names of cells begin with that were played with the original's order.
pub(super) const THEIRS: &str = "submit-then-record";

/// The same, with ours.
pub(super) const OURS: &str = "intent-first";

/// Puts what was found between the marks of its parts of the page: one for each engine, or that of the
/// comparison. Parts of engines that were not played stay as they are.
pub(super) fn write(root: &Path, results: &Results, order: Order) -> Result<()> {
    let path = root.join("docs/reliability.md");
    let mut text = fs::read_to_string(&path).context("cannot read docs/reliability.md")?;
    let seed = results.seed().map(|seed| format!(", seed {seed}")).unwrap_or_default();
    let about = format!("Played {}{seed}.", today()?);
    let parts: Vec<(&str, String)> = match order {
        Order::Compared => vec![("comparison", comparison(results))],
        Order::IntentFirst => {
            let engines: BTreeSet<&str> =
                results.played().filter_map(|played| Some(parts(played)?[0])).collect();
            engines.into_iter().map(|engine| (engine, matrix(&results.of(engine)))).collect()
        }
    };
    for (part, table) in parts {
        text = replace(&text, part, &format!("{about}\n\n{table}"))?;
    }
    fs::write(&path, text).context("cannot write docs/reliability.md")
}

/// Puts a table that was measured now between the marks of a part of the page.
pub(crate) fn write_part(root: &Path, part: &str, table: &str) -> Result<()> {
    let path = root.join("docs/reliability.md");
    let text = fs::read_to_string(&path).context("cannot read docs/reliability.md")?;
    let text = replace(&text, part, &format!("Played {}.\n\n{table}", today()?))?;
    fs::write(&path, text).context("cannot write docs/reliability.md")
}

/// Replaces what stands between the marks of a part.
fn replace(text: &str, part: &str, by: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- {part}: begin -->"), format!("<!-- {part}: end -->"));
    let missing = || format!("docs/reliability.md has no `{begin}` before `{end}`");
    let from = text.find(&begin).with_context(missing)? + begin.len();
    let to = from + text[from..].find(&end).with_context(missing)?;
    Ok(format!("{}\n{by}{}", &text[..from], &text[to..]))
}

/// One row for each victim and manner.
fn matrix(results: &Results) -> String {
    #[derive(Default)]
    struct Row<'row> {
        places: BTreeSet<&'row str>,
        databases: BTreeSet<&'row str>,
        cells: usize,
        good: usize,
    }
    let mut rows: BTreeMap<[&str; 2], Row<'_>> = BTreeMap::new();
    for played in results.played() {
        let Some([_, database, victim, place, manner]) = parts(played) else { continue };
        let row = rows.entry([victim, manner]).or_default();
        row.places.insert(place);
        row.databases.insert(database);
        row.cells += 1;
        row.good += usize::from(played.is_good());
    }
    let mut text = "| struck | how | where | MetaDB | cells | good |\n".to_owned();
    text.push_str("|---|---|---|---|---|---|\n");
    for ([victim, manner], row) in rows {
        let places: Vec<String> = row.places.iter().map(|place| format!("`{place}`")).collect();
        let databases: Vec<&str> = row.databases.into_iter().collect();
        text.push_str(&format!(
            "| {victim} | {manner} | {} | {} | {} | {} |\n",
            places.join(" "),
            databases.join(" "),
            row.cells,
            row.good
        ));
    }
    text.push_str(&format!("\n**{}**\n", results.counts()));
    text
}

/// The two orders side by side: a cell's first part names the order.
fn comparison(results: &Results) -> String {
    let mut text = "| order | cells | doubled | lost | stuck |\n|---|---|---|---|---|\n".to_owned();
    for (order, words) in [
        (THEIRS, "submit, then record (the original's)"),
        (OURS, "intent, held job, record, release (ours)"),
    ] {
        let of_order = results.of(order);
        text.push_str(&format!("| {words} | {} |\n", of_order.columns()));
    }
    text.push_str("\n| cell | submit, then record | ours |\n|---|---|---|\n");
    let mut rows: BTreeMap<&str, [String; 2]> = BTreeMap::new();
    for played in results.played() {
        let Some((order, cell)) = played.cell.split_once('/') else { continue };
        let words = played.findings();
        let words = if words.is_empty() { "good".to_owned() } else { words.join("; ") };
        rows.entry(cell).or_default()[usize::from(order == OURS)] = words;
    }
    for (cell, [theirs, ours]) in rows {
        text.push_str(&format!("| `{cell}` | {theirs} | {ours} |\n"));
    }
    text
}

fn parts(played: &Played) -> Option<[&str; 5]> {
    let parts: Vec<&str> = played.cell.split('/').collect();
    parts.try_into().ok()
}

/// Returns the day and the machine, as the documents name them.
fn today() -> Result<String> {
    let day = Command::new("date").arg("+%Y-%m-%d").output().context("cannot start date")?;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let day = String::from_utf8_lossy(&day.stdout).trim().to_owned();
    Ok(format!("{day} on {processors} processors"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_part_between_its_marks_changes() {
        let page = "a\n<!-- matrix: begin -->\nold\n<!-- matrix: end -->\nb\n";
        let new = replace(page, "matrix", "new\n").unwrap();
        assert_eq!(new, "a\n<!-- matrix: begin -->\nnew\n<!-- matrix: end -->\nb\n");
        assert!(replace(page, "comparison", "new").is_err());
    }
}
