//! An older agent keeps working with a newer service, and a newer one is told what it cannot do.
//!
//! The recordings in `previous_version` are what released programs said and needed. They are never
//! edited: a version that would have to is not compatible with the one before.

mod recorder;
mod schemas;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::clusters::chain;
use crate::http::{ask, signed_in};
use crate::site::{Site, User, wait_for};
use recorder::Recorder;

/// Every version whose programs may still be in use, oldest first.
const VERSIONS: &[&str] = &["0.1"];

/// What a launcher went through when it was recorded, each with its recording.
const STORIES: &[&str] = &["launch", "retry", "start", "cancel"];

fn recorded(version: &str, name: &str) -> String {
    let path = folder(version).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn folder(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/previous_version").join(version)
}

/// A site on which a run was scheduled, and what brings it to the beginning of the next story.
struct Stage {
    site: Site,
    bob: User,
    run: String,
    /// A workflow whose runs do not end by themselves.
    long: i64,
    /// The run of it.
    started: Cell<i64>,
}

impl Stage {
    fn new() -> Self {
        // No claim lapses, however slow the machine is.
        let site = Site::start_at(None, 60, |_| String::new());
        let bob = site.account("bob@lab.net");
        let cure = site.path("cure").display().to_string();
        let fragile = chain("Fragile", &["true", &format!("test -e '{cure}'")]);
        let workflow = bob.install(&site.bundle("fragile", &fragile));
        let run = bob.schedule(workflow, "here", &[]).to_string();
        let long = bob.install(&site.bundle("long", &chain("Long", &["sleep 600"])));
        Self { site, bob, run, long, started: Cell::new(0) }
    }

    /// Does what people do before a story begins.
    fn before(&self, story: &str) {
        let run = self.run.as_str();
        match story {
            "launch" => {}
            "retry" => {
                fs::write(self.site.path("cure"), "").unwrap();
                self.bob.seqware(&["workflow-run", "retry", "--accession", run]).ok();
            }
            "start" => {
                self.started.set(self.bob.schedule(self.long, "here", &[]));
            }
            "cancel" => {
                let run = self.started.get().to_string();
                assert_eq!(self.bob.status(self.started.get()), "running");
                self.bob.seqware(&["workflow-run", "cancel", "--accession", &run]).ok();
            }
            other => panic!("{other}"),
        }
    }
}

/// Takes from two answers to the same request what a launcher would send back.
fn learn(old: &Value, new: &Value, words: &mut BTreeMap<String, String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, value) in old {
                let Some(found) = new.get(name) else { continue };
                if let ("retries", Some(old), Some(new)) =
                    (name.as_str(), value.as_array(), found.as_array())
                {
                    let both = old.iter().filter_map(Value::as_str);
                    let both = both.zip(new.iter().filter_map(Value::as_str));
                    words.extend(both.map(|(old, new)| (old.to_owned(), new.to_owned())));
                }
                let is_drawn = ["tag", "bundle_sha256"].contains(&name.as_str());
                if let (true, Some(old), Some(new)) = (is_drawn, value.as_str(), found.as_str()) {
                    words.insert(old.to_owned(), new.to_owned());
                }
                learn(value, found, words);
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            old.iter().zip(new).for_each(|(old, new)| learn(old, new, words));
        }
        _ => {}
    }
}

/// Says what an answer lacks that an older program reads in it.
fn lacks(at: &str, old: &Value, new: &Value, found: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, value) in old {
                match new.get(name) {
                    Some(there) => lacks(&format!("{at}.{name}"), value, there, found),
                    None => found.push(format!("{at}.{name} is missing")),
                }
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            if old.len() != new.len() {
                found.push(format!("{at} had {} elements, and has {}", old.len(), new.len()));
            }
            for (position, (old, new)) in old.iter().zip(new).enumerate() {
                lacks(&format!("{at}[{position}]"), old, new, found);
            }
        }
        (Value::String(_), Value::String(_))
        | (Value::Number(_), Value::Number(_))
        | (Value::Bool(_), Value::Bool(_))
        | (Value::Null, Value::Null) => {}
        (old, new) => found.push(format!("{at} was {old}, and is {new}")),
    }
}

/// Words of an answer by which a launcher decides; they have to be the same.
fn decisions(answer: &Value) -> Vec<String> {
    let mut told = Vec::new();
    let mut rest = vec![answer];
    while let Some(value) = rest.pop() {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    if ["status", "word", "need", "desire", "waiting"].contains(&name.as_str()) {
                        told.push(format!("{name}={value}"));
                    }
                    rest.push(value);
                }
            }
            Value::Array(values) => rest.extend(values),
            _ => {}
        }
    }
    told.sort();
    told
}

fn an_older_launcher_works(version: &str) {
    let stage = Stage::new();
    let token = signed_in(&stage.bob, "launch:here");
    let mut words: BTreeMap<String, String> = BTreeMap::new();
    for story in STORIES {
        stage.before(story);
        for (number, line) in recorded(version, &format!("{story}.jsonl")).lines().enumerate() {
            let at = format!("{version} {story} {}", number + 1);
            let exchange: Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| {
                let text = exchange[name].as_str().unwrap_or_default().to_owned();
                words.iter().fold(text, |text, (old, new)| text.replace(old, new))
            };
            let mut headers = vec![token.clone(), format!("User-Agent: {}", text("user_agent"))];
            let mut body = String::new();
            if !exchange["request"].is_null() {
                headers.push("Content-Type: application/json".to_owned());
                let request = exchange["request"].to_string();
                body = words.iter().fold(request, |text, (old, new)| text.replace(old, new));
            }
            let method = text("method");
            let answer = ask(&stage.site, &method, &text("path"), &headers, body.as_bytes());
            assert_eq!(json!(answer.status), exchange["status"], "{at}: {}", answer.body);
            if exchange["answer"].is_null() {
                continue;
            }
            let answered = answer.json();
            let mut found = Vec::new();
            lacks(&at, &exchange["answer"], &answered, &mut found);
            assert!(found.is_empty(), "{found:#?}\nrecorded: {exchange}\nnow: {answered}");
            assert_eq!(decisions(&answered), decisions(&exchange["answer"]), "{at}");
            learn(&exchange["answer"], &answered, &mut words);
        }
    }
    assert!(!words.is_empty(), "no run was claimed");
    assert_eq!(stage.bob.status(stage.run.parse().unwrap()), "completed");
}

#[test]
fn launchers_of_older_versions_work() {
    for version in VERSIONS {
        an_older_launcher_works(version);
    }
}

#[test]
fn no_route_or_field_of_an_older_version_is_gone() {
    let now =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json"));
    let now: Value = serde_json::from_str(&now.unwrap()).unwrap();
    for version in VERSIONS {
        let old: Value = serde_json::from_str(&recorded(version, "openapi.json")).unwrap();
        let broken = schemas::broken(&old, &now);
        assert!(broken.is_empty(), "clients of {version} would trip over:\n{}", broken.join("\n"));
    }
}

#[test]
fn recordings_are_never_edited() {
    for version in VERSIONS {
        let checked = std::process::Command::new("sha256sum")
            .args(["--check", "--strict", "SHA256SUMS"])
            .current_dir(folder(version))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&checked.stdout);
        assert!(checked.status.success(), "a recording of {version} was edited:\n{said}");
        assert_eq!(said.lines().count(), STORIES.len() + 1, "each recording has its digest");
    }
}

#[test]
fn a_newer_agent_is_served_as_far_as_it_is_understood() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let token = signed_in(&bob, "launch:here");
    let headers = [
        token,
        "Content-Type: application/json".to_owned(),
        "User-Agent: seqware/9.1.0".to_owned(),
    ];
    let post =
        |path: &str, body: &Value| ask(&site, "POST", path, &headers, body.to_string().as_bytes());
    let claim = json!({"holder": "a", "want": "launch", "host": "here", "places": [], "limit": 1,
        "wishes": {"of": "tomorrow"}});
    assert_eq!(post("/v1/claims", &claim).json()["waiting"], 0, "unknown fields are left alone");
    let facts = json!({"facts": [], "dreams": []});
    assert_eq!(post("/v1/facts", &facts).json()["runs"], json!([]));
    let unknown = post(
        "/v1/claims",
        &json!({"holder": "a", "want": "dream", "places": [],
        "limit": 1}),
    );
    let problem = unknown.json();
    assert_eq!(unknown.status, 422, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("dream"), "{problem}");
    let hint = problem["hint"].as_str().unwrap_or_default();
    assert!(hint.contains("9.1.0") && hint.contains(env!("CARGO_PKG_VERSION")), "{problem}");
    let route = post("/v1/tomorrow", &json!({}));
    assert_eq!(route.status, 404);
    assert!(route.json()["hint"].as_str().unwrap_or_default().contains("9.1.0"), "{route:?}");
}

/// Records what a launcher of this version says; done once, when a version is released.
#[test]
#[ignore = "writes recordings into the folder that NIASSA_RECORD names"]
fn record_this_version() {
    let folder = PathBuf::from(std::env::var_os("NIASSA_RECORD").expect("NIASSA_RECORD"));
    let stage = Stage::new();
    let recorder = Recorder::start(&stage.site);
    let agent = stage.bob.with([("SW_REST_URL", recorder.url.clone())]);
    for story in STORIES {
        stage.before(story);
        agent.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
        let propagate = ["workflow-run", "propagate-statuses"];
        match *story {
            "start" => wait_for("the run is running", || {
                agent.seqware(&propagate).ok();
                stage.bob.status(stage.started.get()) == "running"
            }),
            _ => drop(agent.seqware(&[&propagate[..], &["--until-done"]].concat()).ok()),
        }
        fs::write(folder.join(format!("{story}.jsonl")), recorder.take()).unwrap();
    }
}
