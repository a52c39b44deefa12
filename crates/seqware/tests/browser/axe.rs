//! Accessibility, as axe-core finds it: no serious or critical finding on any page.

use serde::Deserialize;

use crate::browser::Browser;

/// A rule that a page breaks.
#[derive(Debug, Deserialize)]
struct Finding {
    id: String,
    impact: Option<String>,
    nodes: Vec<String>,
}

/// Reads the script; nothing where it is not there.
pub fn script() -> Option<String> {
    let path = std::env::var("NIASSA_AXE").ok()?;
    Some(std::fs::read_to_string(path).unwrap())
}

/// Checks the page that is shown.
pub async fn check(browser: &Browser, axe: &str, page: &str) {
    browser.execute(axe, Vec::new()).await.unwrap();
    let run = "const done = arguments[arguments.length - 1];
        axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] })
            .then((found) => done(found.violations.map((broken) => ({
                id: broken.id, impact: broken.impact,
                nodes: broken.nodes.map((node) => node.html + ' ' + node.failureSummary),
            }))));";
    let found = browser.execute_async(run, Vec::new()).await.unwrap();
    let found: Vec<Finding> = found.convert().unwrap();
    let grave =
        |finding: &&Finding| matches!(finding.impact.as_deref(), Some("serious" | "critical"));
    let grave: Vec<_> = found.iter().filter(grave).map(|f| (&f.id, &f.nodes)).collect();
    assert!(grave.is_empty(), "{page}: {grave:#?}");
}
