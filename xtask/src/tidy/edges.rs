//! Crate edges: who may depend on whom, and what a crate proves by not depending on it.
//!
//! Dependencies of tests are free: a test may start a service, the crate it tests may not.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

use super::finding::Finding;

/// What a crate of the workspace may have.
struct Crate {
    name: &'static str,
    /// The crates of the workspace it may name.
    may_use: &'static [&'static str],
    /// Crates that may not come in, not even through others.
    never: &'static [&'static str],
}

const CRATES: &[Crate] = &[
    Crate {
        name: "niassa-model",
        may_use: &[],
        never: &[
            "tokio",
            "mio",
            "sqlx",
            "axum",
            "reqwest",
            "hyper",
            "rand",
            "uuid",
            "rustix",
            "libc",
            "tempfile",
            "serde_json",
            "tracing",
        ],
    },
    Crate {
        name: "niassa-bundle",
        may_use: &["niassa-model"],
        never: &["tokio", "mio", "sqlx", "axum", "reqwest", "hyper"],
    },
    Crate { name: "niassa-api", may_use: &["niassa-model"], never: &["sqlx", "axum"] },
    Crate {
        name: "niassa-metadb",
        may_use: &["niassa-model"],
        never: &["axum", "reqwest", "hyper"],
    },
    Crate {
        name: "niassa-webservice",
        may_use: &["niassa-api", "niassa-bundle", "niassa-metadb", "niassa-model"],
        never: &[],
    },
    Crate {
        name: "niassa-pipeline",
        may_use: &["niassa-api", "niassa-bundle", "niassa-model"],
        never: &["sqlx", "axum"],
    },
    Crate {
        name: "seqware",
        may_use: &[
            "niassa-api",
            "niassa-bundle",
            "niassa-model",
            "niassa-pipeline",
            "niassa-webservice",
        ],
        never: &[],
    },
    Crate { name: "xtask", may_use: &[], never: &["tokio", "sqlx", "axum", "reqwest"] },
];

/// Crates that only some may name themselves.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("sqlx", &["niassa-metadb"]),
    ("axum", &["niassa-webservice"]),
    ("clap", &["seqware"]),
    ("anyhow", &["seqware", "xtask"]),
];

/// Checks what `cargo metadata` says of the workspace.
pub(crate) fn check(metadata: &Value) -> Result<Vec<Finding>> {
    let members = members(metadata)?;
    let mut findings: Vec<Finding> =
        members.iter().flat_map(|m| check_member(m, &members)).collect();
    for known in CRATES {
        if !members.iter().any(|member| member.name == known.name) {
            findings.push(Finding::of_file("Cargo.toml", format!("no crate `{}`", known.name)));
        }
    }
    Ok(findings)
}

/// A crate of the workspace, as cargo sees it.
struct Member {
    name: String,
    manifest: String,
    /// Names of what it depends on itself.
    direct: BTreeSet<String>,
    /// Names of all that comes in with it, itself excluded.
    all: BTreeSet<String>,
}

fn check_member(member: &Member, members: &[Member]) -> Vec<Finding> {
    let Some(known) = CRATES.iter().find(|known| known.name == member.name) else {
        let message = format!("`{}` has no row in the table of crates", member.name);
        return vec![Finding::of_file(&member.manifest, message)];
    };
    let mut messages = Vec::new();
    for other in members.iter().filter(|other| member.direct.contains(&other.name)) {
        if !known.may_use.contains(&other.name.as_str()) {
            messages.push(format!("`{}` may not depend on `{}`", member.name, other.name));
        }
    }
    for name in known.never.iter().filter(|name| member.all.contains(**name)) {
        messages.push(format!("`{name}` may not come into `{}`", member.name));
    }
    for (name, places) in ONLY_IN {
        if member.direct.contains(*name) && !places.contains(&member.name.as_str()) {
            messages.push(format!("`{name}` belongs to {} only", places.join(" and ")));
        }
    }
    messages.into_iter().map(|message| Finding::of_file(&member.manifest, message)).collect()
}

fn members(metadata: &Value) -> Result<Vec<Member>> {
    let packages = list(&metadata["packages"], "packages")?;
    let nodes = list(&metadata["resolve"]["nodes"], "resolve.nodes")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let root = text(&metadata["workspace_root"]);
    let names: BTreeMap<String, String> =
        packages.iter().map(|package| (text(&package["id"]), text(&package["name"]))).collect();
    let edges: BTreeMap<String, Vec<String>> =
        nodes.iter().map(|node| (text(&node["id"]), shipped_dependencies(node))).collect();
    let by_id = |ids: &[String]| ids.iter().filter_map(|id| names.get(id).cloned()).collect();

    let mut members = Vec::new();
    for id in list(&metadata["workspace_members"], "workspace_members")?.iter().map(text) {
        let package = packages.iter().find(|package| text(&package["id"]) == id);
        let package = package.with_context(|| format!("no package {id}"))?;
        let manifest = text(&package["manifest_path"]);
        members.push(Member {
            name: text(&package["name"]),
            manifest: manifest.trim_start_matches(&root).trim_start_matches('/').to_owned(),
            direct: by_id(edges.get(&id).map_or(&[], Vec::as_slice)),
            all: by_id(&reachable(&id, &edges)),
        });
    }
    Ok(members)
}

fn list<'v>(value: &'v Value, name: &str) -> Result<&'v Vec<Value>> {
    value.as_array().with_context(|| format!("cargo metadata has no list {name}"))
}

/// Returns the ids of what a package needs when it is shipped or built, not when it is tested.
fn shipped_dependencies(node: &Value) -> Vec<String> {
    let is_shipped = |dependency: &&Value| {
        let kinds = dependency["dep_kinds"].as_array();
        kinds.into_iter().flatten().any(|kind| kind["kind"] != "dev")
    };
    let dependencies = node["deps"].as_array().into_iter().flatten();
    dependencies.filter(is_shipped).filter_map(|d| d["pkg"].as_str().map(str::to_owned)).collect()
}

fn reachable(from: &str, edges: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut waiting = vec![from];
    while let Some(id) = waiting.pop() {
        for next in edges.get(id).into_iter().flatten() {
            if seen.insert(next.clone()) {
                waiting.push(next);
            }
        }
    }
    seen.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A workspace of all known crates with the given edges (crate, dependency, kind).
    fn workspace(extra: &[&str], edges: &[(&str, &str, Option<&str>)]) -> Value {
        let members: Vec<&str> = CRATES.iter().map(|known| known.name).collect();
        let outside = ["sqlx", "axum", "tokio", "anyhow", "helpful"];
        let all: Vec<&str> = members.iter().chain(extra).chain(&outside).copied().collect();
        let node = |name: &str| {
            let deps: Vec<Value> = edges
                .iter()
                .filter(|(from, _, _)| *from == name)
                .map(|(_, to, kind)| json!({"pkg": to, "dep_kinds": [{"kind": kind}]}))
                .collect();
            json!({"id": name, "deps": deps})
        };
        let package = |name: &str| json!({"id": name, "name": name, "manifest_path": format!("/w/{name}/Cargo.toml")});
        json!({
            "workspace_root": "/w",
            "packages": all.iter().map(|name| package(name)).collect::<Vec<_>>(),
            "workspace_members": members.iter().chain(extra).collect::<Vec<_>>(),
            "resolve": {"nodes": all.iter().map(|name| node(name)).collect::<Vec<_>>()},
        })
    }

    fn check(edges: &[(&str, &str, Option<&str>)], expected: &[&str]) {
        let found = super::check(&workspace(&[], edges)).unwrap();
        let found: Vec<String> = found.iter().map(Finding::to_string).collect();
        assert_eq!(found, expected, "{edges:?}");
    }

    #[test]
    fn edges_of_the_table_are_allowed() {
        check(&[], &[]);
        check(&[("niassa-pipeline", "niassa-api", None), ("niassa-metadb", "sqlx", None)], &[]);
        check(
            &[("niassa-webservice", "niassa-metadb", None), ("niassa-metadb", "sqlx", None)],
            &[],
        );
    }

    #[test]
    fn other_edges_are_findings() {
        check(
            &[("niassa-model", "niassa-api", None)],
            &["niassa-model/Cargo.toml: `niassa-model` may not depend on `niassa-api`"],
        );
        check(
            &[("seqware", "niassa-metadb", Some("build"))],
            &["seqware/Cargo.toml: `seqware` may not depend on `niassa-metadb`"],
        );
        check(
            &[("niassa-api", "anyhow", None)],
            &["niassa-api/Cargo.toml: `anyhow` belongs to seqware and xtask only"],
        );
    }

    #[test]
    fn what_is_forbidden_may_not_come_through_others() {
        check(
            &[("niassa-model", "helpful", None), ("helpful", "tokio", None)],
            &["niassa-model/Cargo.toml: `tokio` may not come into `niassa-model`"],
        );
    }

    #[test]
    fn tests_may_depend_on_anything() {
        check(
            &[
                ("niassa-model", "tokio", Some("dev")),
                ("niassa-api", "niassa-webservice", Some("dev")),
            ],
            &[],
        );
    }

    #[test]
    fn an_unknown_crate_needs_a_row() {
        let found = super::check(&workspace(&["niassa-new"], &[])).unwrap();
        assert_eq!(found.len(), 1);
        assert!(found[0].to_string().contains("no row"), "{found:?}");
    }

    #[test]
    fn a_strange_answer_of_cargo_is_an_error() {
        assert!(super::check(&json!({"packages": 1})).is_err());
    }
}
