//! How findings are shown: by parts of the system, each with its fix, and a sum at the end.

use serde_json::json;

use super::found::{Found, Section, Verdict};
use crate::context::Context;
use crate::exit::Failure;
use crate::settings::this_executable;
use crate::ui::run_view::Brush;
use crate::ui::words::Tone;
use crate::ui::{Format, Look};

/// Where findings begin in a line.
const INDENT: usize = 19;

/// Shows what was found.
pub fn show(sections: &[Section], context: &mut Context) -> Result<(), Failure> {
    match context.ui.format() {
        Format::Table => {
            let look = context.ui.look();
            let mut parts: Vec<String> =
                sections.iter().map(|section| part(section, look)).collect();
            parts.push(sum(sections));
            parts.push(format!("A line for this host's crontab:\n  {}", crontab()));
            context.ui.text(&parts.join("\n\n"))
        }
        Format::Json => {
            let found: Vec<_> = each(sections)
                .map(|(title, found)| {
                    json!({
                        "part": title,
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
            let lines = each(sections).map(|(title, found)| {
                let fix = found.fix.as_deref().unwrap_or_default();
                let verdict = found.verdict.word();
                format!("{title}\t{}\t{verdict}\t{}\t{fix}", found.check, found.finding)
            });
            let titles = "Part\tCheck\tVerdict\tFinding\tFix".to_owned();
            context.ui.text(&std::iter::once(titles).chain(lines).collect::<Vec<_>>().join("\n"))
        }
        Format::Quiet => Ok(()),
    }
}

fn each(sections: &[Section]) -> impl Iterator<Item = (&str, &Found)> {
    sections
        .iter()
        .flat_map(|section| section.found.iter().map(|found| (section.title.as_str(), found)))
}

fn part(section: &Section, look: Look) -> String {
    let title = Brush { look }.paint(Tone::Strong, &section.title);
    let lines = section.found.iter().map(|found| line(found, look));
    std::iter::once(title).chain(lines).collect::<Vec<_>>().join("\n")
}

fn line(found: &Found, look: Look) -> String {
    let brush = Brush { look };
    let (symbol, ascii, tone) = match found.verdict {
        Verdict::Good => ('✔', '+', Tone::Good),
        Verdict::NotKnown => ('·', '?', Tone::Plain),
        Verdict::Doubtful => ('!', '!', Tone::Warning),
        Verdict::Bad => ('✘', 'x', Tone::Bad),
    };
    let symbol = if look.unicode { symbol } else { ascii }.to_string();
    let finding = brush.wrap(&found.finding, INDENT);
    let mut line = format!("  {} {:<15}{finding}", brush.paint(tone, &symbol), found.check);
    if let Some(fix) = &found.fix {
        line.push_str(&format!("\n{:INDENT$}fix: {}", "", brush.wrap(fix, INDENT + 5)));
    }
    line
}

/// Returns how many checks ended how.
pub fn sum(sections: &[Section]) -> String {
    let count = |verdict| each(sections).filter(|(_, found)| found.verdict == verdict).count();
    let mut parts = vec![format!("{} good", count(Verdict::Good))];
    let others = [
        (Verdict::NotKnown, "not known"),
        (Verdict::Doubtful, "to look at"),
        (Verdict::Bad, "to mend"),
    ];
    for (verdict, words) in others {
        match count(verdict) {
            0 => {}
            number => parts.push(format!("{number} {words}")),
        }
    }
    parts.join(", ")
}

/// Returns the line for cron that launches and propagates every minute.
fn crontab() -> String {
    let program = this_executable().map_or("seqware".to_owned(), |path| path.display().to_string());
    format!(
        "* * * * * {program} workflow-run launch-scheduled; \
         {program} workflow-run propagate-statuses --threads 10"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Look = Look { width: Some(80), color: false, unicode: true, live: false };

    #[test]
    fn a_finding_and_its_fix_stand_together() {
        let bad = Found::bad("service", "cannot reach http://127.0.0.1:8080", "seqware serve");
        assert_eq!(
            line(&bad, LOOK),
            "  ✘ service        cannot reach http://127.0.0.1:8080\n                   \
             fix: seqware serve"
        );
    }

    #[test]
    fn long_findings_fit_a_terminal() {
        let long = "a finding of many words ".repeat(10);
        let text = line(&Found::doubtful("same directory", &long, &long), LOOK);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn the_sum_names_what_there_is() {
        let found = vec![Found::good("a", "x"), Found::bad("b", "x", "y"), Found::good("c", "x")];
        let sections = [Section { title: "Part".to_owned(), found }];
        assert_eq!(sum(&sections), "2 good, 1 to mend");
        assert_eq!(part(&sections[0], LOOK).lines().count(), 5);
    }
}
