//! Links within the documentation: each leads to a file, and to a heading that is there.
//!
//! Markdown is read by lines: links are `[text](target)`, or the `src` of a picture, headings begin with `#`, and what stands in a
//! block of code is neither. Links to other sites are not followed.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// What stands around the target of a link, and around that of a picture in HTML.
const TARGETS: [(&str, char); 3] = [("](", ')'), ("src=\"", '"'), ("srcset=\"", '"')];

/// A link that leads nowhere, or a page that no chapter names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    file: String,
    line: usize,
    what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// Checks every page below `docs`, and the README.
pub(super) fn check(root: &Path) -> Result<Vec<Finding>> {
    let mut pages = vec![PathBuf::from("README.md")];
    collect(root, Path::new("docs"), &mut pages)?;
    let mut findings = Vec::new();
    let mut chapters = BTreeSet::new();
    for page in &pages {
        let text = read(&root.join(page))?;
        for (line, target) in links(&text) {
            match follow(root, page, &target)? {
                Ok(path) if page.ends_with("SUMMARY.md") => {
                    chapters.insert(path);
                }
                Ok(_) => {}
                Err(what) => findings.push(finding(page, line, what)),
            }
        }
    }
    for page in
        pages.iter().filter(|page| page.starts_with("docs") && !page.ends_with("SUMMARY.md"))
    {
        if !chapters.contains(&root.join(page)) {
            findings.push(finding(page, 1, "is no chapter of docs/SUMMARY.md".to_owned()));
        }
    }
    Ok(findings)
}

fn finding(page: &Path, line: usize, what: String) -> Finding {
    Finding { file: page.display().to_string(), line, what }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn collect(root: &Path, folder: &Path, pages: &mut Vec<PathBuf>) -> Result<()> {
    let absolute = root.join(folder);
    let context = || format!("cannot list {}", absolute.display());
    for entry in fs::read_dir(&absolute).with_context(context)? {
        let entry = entry.with_context(context)?;
        let path = folder.join(entry.file_name());
        if entry.path().is_dir() {
            collect(root, &path, pages)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    pages.sort();
    Ok(())
}

/// Returns the lines outside of blocks of code, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    text.lines().enumerate().filter_map(move |(number, line)| {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
            return None;
        }
        (!is_code && !line.starts_with("    ")).then_some((number + 1, line))
    })
}

/// Returns the targets of links, but not those of other sites.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        for (begin, end) in TARGETS {
            let mut rest = line;
            while let Some((_, after)) = rest.split_once(begin) {
                let Some((target, after)) = after.split_once(end) else { break };
                if !target.contains("://") && !target.starts_with("mailto:") {
                    found.push((number, target.to_owned()));
                }
                rest = after;
            }
        }
    }
    found
}

/// Returns the file a link leads to, or what is wrong with it.
fn follow(root: &Path, page: &Path, target: &str) -> Result<Result<PathBuf, String>> {
    let (file, heading) = match target.split_once('#') {
        Some((file, heading)) => (file, Some(heading)),
        None => (target, None),
    };
    let path = match file {
        "" => root.join(page),
        file => root.join(page).parent().unwrap_or(root).join(file),
    };
    let Ok(path) = path.canonicalize() else { return Ok(Err(format!("no file `{target}`"))) };
    if let Some(heading) = heading
        && !headings(&read(&path)?).contains(&heading.to_owned())
    {
        return Ok(Err(format!("no heading `{target}`")));
    }
    let root = root.canonicalize().context("cannot find the root")?;
    let within = path.strip_prefix(&root).map(Path::to_owned);
    Ok(within.map_err(|_| format!("`{target}` leads out of the repository")))
        .map(|within| within.map(|within| root.join(within)))
}

/// Returns the names by which headings are linked to, as mdBook makes them.
fn headings(text: &str) -> Vec<String> {
    let titles = prose(text).filter_map(|(_, line)| {
        let title = line.trim_start_matches('#');
        (title.len() < line.len()).then(|| title.trim())
    });
    titles.map(slug).collect()
}

fn slug(title: &str) -> String {
    let kept = title.chars().filter_map(|character| match character {
        ' ' => Some('-'),
        '-' | '_' => Some(character),
        other if other.is_alphanumeric() => Some(other.to_ascii_lowercase()),
        _ => None,
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_of_the_documentation_leads_somewhere() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
        let findings = check(&root).unwrap();
        assert!(findings.is_empty(), "{findings:#?}");
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir(root.join("docs")).unwrap();
        fs::write(
            root.join("README.md"),
            "[a](docs/a.md) [b](docs/b.md) [c](http://c.net)\n<img src=\"no.png\" alt=\"\">",
        )
        .unwrap();
        fs::write(root.join("docs/SUMMARY.md"), "# Book\n\n- [A](a.md)\n").unwrap();
        let page = "# A page: its `title`\n\n[here](#a-page-its-title) [no](#nothing)\n\
                    ```\n[code](nowhere)\n```\n";
        fs::write(root.join("docs/a.md"), page).unwrap();
        fs::write(root.join("docs/lonely.md"), "").unwrap();
        let found: Vec<String> = check(&root).unwrap().iter().map(ToString::to_string).collect();
        let expected = [
            "README.md:1: no file `docs/b.md`",
            "README.md:2: no file `no.png`",
            "docs/a.md:3: no heading `#nothing`",
            "docs/lonely.md:1: is no chapter of docs/SUMMARY.md",
        ];
        assert_eq!(found, expected);
    }
}
