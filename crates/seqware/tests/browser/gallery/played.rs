//! A launcher that is played: it claims runs and tells the service what a real one would tell of them.

use niassa_api::claims::{Claim, ClaimRuns, HeldClaims, RecordActions, Word};
use niassa_api::client::{Client, ClientConfig, Credentials};
use niassa_api::facts::RecordFacts;
use niassa_model::time::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A step of a plan, with what it takes.
pub struct Planned {
    pub name: &'static str,
    pub element: Option<u32>,
    pub after: Vec<u32>,
    pub minutes: i64,
    pub threads: u32,
    /// GiB asked for, and tenths of a GiB used.
    pub memory: (i64, i64),
    /// A file it makes, with its type.
    pub output: Option<(String, &'static str)>,
}

/// What becomes of a run.
#[derive(Debug, Clone, Copy)]
pub enum Ending {
    /// It is handed over, and waits in the queue.
    Waits,
    /// So many of its steps have ended, and some run.
    Runs { done: u32 },
    /// All of its steps succeed.
    Succeeds,
    /// A step runs out of memory, and those behind it are skipped.
    Fails { step: u32 },
}

/// A launcher for one label.
pub struct Launcher {
    client: Client,
    host: &'static str,
    place: Value,
    machine: &'static str,
    nodes: &'static str,
}

impl Launcher {
    /// Starts to play one: who signs in, for which label, as which user of which machine, and what its
    /// nodes are called.
    pub fn new(
        client: Client,
        host: &'static str,
        place: Value,
        (machine, nodes): (&'static str, &'static str),
    ) -> Self {
        Self { client, host, place, machine, nodes }
    }

    /// Takes the runs that wait for the label.
    pub async fn claim(&self) -> Vec<Claim> {
        let asked = json!({"holder": "played", "want": "launch", "host": self.host,
            "places": [self.place], "limit": 50});
        self.client.claim_runs(&read::<ClaimRuns>(asked)).await.unwrap().claims
    }

    /// Launches the oldest run that waits for the label, and tells what becomes of it.
    pub async fn play(&self, steps: &[Planned], ending: Ending) {
        let mut claims = self.claim().await;
        claims.sort_by_key(|claim| claim.swid);
        let run = claims.remove(0);
        self.launch(&run, steps).await;
        let mut held = vec![json!({"swid": run.swid, "epoch": run.epoch})];
        held.extend(claims.iter().map(|run| json!({"swid": run.swid, "epoch": run.epoch})));
        let held = json!({"holder": "played", "runs": held});
        self.client.release_claims(&read::<HeldClaims>(held)).await.unwrap();
        let facts = Telling { launcher: self, run: &run, steps, began: now() }.facts(ending);
        let told = self.client.record_facts(&read::<RecordFacts>(json!({"facts": facts}))).await;
        assert_eq!(told.unwrap().refused, []);
    }

    async fn launch(&self, run: &Claim, steps: &[Planned]) {
        let directory = directory(run);
        let recorded = steps.iter().enumerate().map(|(index, step)| {
            json!({"index": index, "name": step.name, "element": step.element,
                "after": step.after, "resources": {"threads": step.threads,
                "memory_bytes": step.memory.0 << 30, "seconds": 6 * 3_600}})
        });
        let done = [
            json!({"placed": {"place": self.place, "directory": directory,
                "launched_on": self.machine}}),
            json!({"planned": {"sha256": "b".repeat(64), "steps": steps.len()}}),
            json!({"steps": recorded.collect::<Vec<_>>()}),
            json!({"launched": {}}),
        ];
        let action = |done| json!({"swid": run.swid, "epoch": run.epoch, "done": done});
        let actions: Vec<Value> = done.into_iter().map(action).collect();
        let actions = json!({"holder": "played", "actions": actions});
        let told = self.client.record_actions(&read::<RecordActions>(actions)).await.unwrap();
        assert!(told.answers.iter().all(|answer| answer.word == Word::Go));
    }
}

/// Makes a client of the service for somebody.
pub fn client(url: &str, user: &str, password: &str) -> Client {
    let (user, password) = (user.to_owned(), password.to_owned());
    Client::new(ClientConfig::new(url, Credentials::Basic { user, password })).unwrap()
}

/// What is told of the steps of one run.
struct Telling<'run> {
    launcher: &'run Launcher,
    run: &'run Claim,
    steps: &'run [Planned],
    began: i64,
}

impl Telling<'_> {
    fn facts(&self, ending: Ending) -> Vec<Value> {
        let mut ends: Vec<i64> = Vec::new();
        let mut facts = Vec::new();
        let mut skipped: Vec<u32> = Vec::new();
        for (index, step) in (0_u32..).zip(self.steps) {
            let parents = step.after.iter().map(|parent| ends[*parent as usize]);
            // Queues let steps wait, some longer than others.
            let waited = 40 + i64::from(index * 37 % 11) * 35;
            let started = parents.max().unwrap_or(0) + waited;
            let took = step.minutes * (52 + (i64::from(index * 29) + self.run.swid.get()) % 17);
            ends.push(started + took);
            let is_behind = step.after.iter().any(|parent| skipped.contains(parent));
            match ending {
                Ending::Waits => break,
                Ending::Runs { done } if index >= done + 2 => break,
                Ending::Runs { done } if index >= done => facts.push(self.running(index)),
                Ending::Fails { step: failed } if index == failed => {
                    skipped.push(index);
                    facts.push(self.out_of_memory(index, (started, started + took)));
                }
                Ending::Fails { .. } if is_behind => {
                    skipped.push(index);
                    facts.push(self.fact(
                        index,
                        &json!({"status": "skipped",
                        "reason": "parent_failed"}),
                    ));
                }
                _ => facts.push(self.success(index, (started, started + took))),
            }
        }
        facts
    }

    fn fact(&self, index: u32, more: &Value) -> Value {
        let mut fact = json!({"run": self.run.swid, "tag": self.run.tag, "step": index,
            "attempt": 1});
        for (name, value) in more.as_object().unwrap() {
            fact[name] = value.clone();
        }
        fact
    }

    fn running(&self, index: u32) -> Value {
        let more = json!({"status": "running", "started_at": self.began,
            "machine": self.node(index)});
        self.fact(index, &more)
    }

    fn success(&self, index: u32, (started, ended): (i64, i64)) -> Value {
        let step = &self.steps[index as usize];
        let outputs: Vec<Value> =
            step.output.iter().map(|(path, kind)| output(path, kind)).collect();
        let more = json!({"status": "success", "exit_code": 0, "started_at": self.at(started),
            "ended_at": self.at(ended), "machine": self.node(index),
            "cpu_micros": (ended - started) * i64::from(step.threads) * 870_000,
            "peak_memory_bytes": (step.memory.1 << 30) / 10, "outputs": outputs,
            "stdout": self.stream(index, "stdout", "done\n")});
        self.fact(index, &more)
    }

    fn out_of_memory(&self, index: u32, (started, ended): (i64, i64)) -> Value {
        let asked = self.steps[index as usize].memory.0;
        let text = "\
[call] chr6:31,250,000  1,038,402 reads, 214 active regions
[call] chr6:31,998,112  1,104,210 reads, 231 active regions
[call] chr6:32,584,307  1,163,970 reads, 1,840 haplotypes in one window
slurmstepd: error: Detected 1 oom_kill event in StepId=48211.batch. Some of the step tasks have been OOM Killed.
";
        let more = json!({"status": "failed", "reason": "out_of_memory", "exit_code": 137,
            "started_at": self.at(started), "ended_at": self.at(ended),
            "machine": self.node(index), "peak_memory_bytes": (asked << 30) - (48 << 20),
            "stderr": self.stream(index, "stderr", text)});
        self.fact(index, &more)
    }

    fn stream(&self, index: u32, name: &str, text: &str) -> Value {
        let step = self.steps[index as usize].name;
        let path = format!("{}/steps/0/{index}-{step}/attempt-1/{name}", directory(self.run));
        json!({"path": path, "size": text.len(), "tail": text})
    }

    fn node(&self, index: u32) -> String {
        format!("{}{:02}", self.launcher.nodes, 3 + index * 5 % 9)
    }

    fn at(&self, second: i64) -> i64 {
        self.began + second * 1_000_000
    }
}

fn directory(run: &Claim) -> String {
    let tag: String = run.tag.as_str().chars().take(8).collect();
    format!("/scratch/niassa/runs/{}-{tag}", run.swid)
}

/// A file with checksums of nothing but its name: there is no content.
fn output(path: &str, kind: &str) -> Value {
    let digest = |words: std::ops::Range<u64>| -> String {
        let word = |salt: u64| {
            let mut word = salt.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0xcbf2_9ce4_8422_2325;
            for byte in path.bytes() {
                word = (word ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
            format!("{word:016x}")
        };
        words.map(word).collect()
    };
    json!({"path": path, "meta_type": kind, "size": 48_213_377_u64 + path.len() as u64 * 9_731,
        "sha256": digest(1..5), "md5": digest(5..7)})
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap()).as_micros()
}

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}
