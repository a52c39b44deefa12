//! Runs that a launcher took, as it would record them.

use niassa_api::claims::{ActionAnswers, Claim, Claimed, Word};
use niassa_api::facts::FactsRecorded;
use serde_json::{Value, json};

use super::TestService;

/// A run of bob's that was launched.
pub(crate) struct Launched<'service> {
    service: &'service TestService,
    pub(crate) claim: Claim,
}

impl TestService {
    /// Launches the one run that waits for server2, with steps of a name, an element and parents.
    pub(crate) async fn launch(&self, steps: &[(&str, Option<u32>, &[u32])]) -> Launched<'_> {
        let place =
            json!({"work_dir_id": "w", "os_user": "robert", "engine": "local", "cluster": ""});
        let asked = json!({"holder": "a", "want": "launch", "host": "server2",
            "places": [place], "limit": 1});
        let mut claimed: Claimed = self.user("bob").post("/v1/claims", &asked).await.json();
        let run = claimed.claims.remove(0);
        let step = |(index, (name, element, after)): (usize, &(&str, Option<u32>, &[u32]))| {
            json!({"index": index, "name": name, "element": element, "after": after,
                "resources": {"threads": 2, "memory_bytes": 1 << 30, "seconds": 60}})
        };
        let recorded: Vec<Value> = steps.iter().enumerate().map(step).collect();
        let placed = json!({"place": place, "directory": "/runs/1", "launched_on": "server2a"});
        let mut done = vec![
            json!({"placed": placed}),
            json!({"planned": {"sha256": "b".repeat(64), "steps": steps.len()}}),
        ];
        done.extend(recorded.chunks(1_000).map(|steps| json!({"steps": steps})));
        done.push(json!({"launched": {}}));
        for done in done {
            let action = json!({"swid": run.swid, "epoch": run.epoch, "done": done});
            let actions = json!({"holder": "a", "actions": [action]});
            let answers: ActionAnswers =
                self.user("bob").post("/v1/actions", &actions).await.json();
            assert_eq!(answers.answers[0].word, Word::Go);
        }
        let held = json!({"holder": "a", "runs": [{"swid": run.swid, "epoch": run.epoch}]});
        self.user("bob").post("/v1/claims/release", &held).await.json::<Value>();
        Launched { service: self, claim: run }
    }
}

impl Launched<'_> {
    /// Records what is known of the first attempt of a step.
    pub(crate) async fn fact(&self, step: u32, status: &str, more: Value) {
        let mut fact = json!({
            "run": self.claim.swid, "tag": self.claim.tag, "step": step, "attempt": 1,
            "status": status, "machine": "server2a", "started_at": 1_800_000_001_000_000_i64,
        });
        if status != "running" {
            fact["ended_at"] = json!(1_800_000_005_000_000_i64);
        }
        for (name, value) in more.as_object().unwrap() {
            fact[name] = value.clone();
        }
        let facts = json!({ "facts": [fact] });
        let recorded: FactsRecorded =
            self.service.user("bob").post("/v1/facts", &facts).await.json();
        assert_eq!(recorded.refused, []);
    }

    /// Returns the path of its page.
    pub(crate) fn page(&self) -> String {
        format!("/runs/{}", self.claim.swid)
    }
}
