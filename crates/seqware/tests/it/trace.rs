//! One id from the command line to the step: in the service's log, the launcher's, and the step's world.

use std::fs;

use serde_json::Value;

use crate::clusters::{chain, on_slurm};
use crate::http::ask;
use crate::site::{Site, User, wait_for};
use crate::slurm_server::SlurmServer;

/// Returns the lines of a JSON log that say something about a run, as far as they are whole.
fn lines(log: &str, message: &str) -> Vec<Value> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter(|line| line["fields"]["message"] == message)
        .map(|line| line["fields"].clone())
        .collect()
}

fn an_id_goes_all_the_way(site: &Site, bob: &User) {
    let trace = uuid::Uuid::new_v4().to_string();
    let says = chain("Says", &["echo \"id $NIASSA_TRACE_ID\""]);
    let workflow = bob.install(&site.bundle("says", &says)).to_string();
    let schedule = ["workflow", "schedule", "--accession", &workflow, "--host", "here"];
    let run = bob.seqware_with(&[("NIASSA_TRACE_ID", &trace)], &schedule).ok().swid();
    let scheduled = lines(&site.service_log(), "a run was scheduled");
    let told = scheduled.iter().find(|line| line["run"] == run).unwrap();
    assert_eq!((&told["trace"], &told["account"]), (&trace.as_str().into(), &"bob@lab.net".into()));

    let log = site.path("agent.log");
    let mut agent = bob.command();
    agent.args(["agent", "--host", "here"]).stdin(std::process::Stdio::null());
    let mut agent = agent.stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
    wait_for("the run is completed", || bob.status(run) == "completed");
    agent.kill().unwrap();
    agent.wait().unwrap();
    let handed = lines(&fs::read_to_string(&log).unwrap(), "a run is handed to its engine");
    let told = handed.iter().find(|line| line["run"] == run).unwrap();
    assert_eq!(told["trace"], trace.as_str());

    let number = run.to_string();
    bob.seqware(&["workflow-run", "stdout", "--accession", &number]).ok();
    let stdout = fs::read_to_string(bob.home().join(format!("{run}.out"))).unwrap();
    assert!(stdout.contains(&format!("id {trace}")), "{stdout}");
    let object = bob.seqware(&["query", "--accession", &number]).ok().stdout;
    assert!(object.contains(&trace), "{object}");
}

#[test]
fn an_id_goes_from_the_command_line_to_the_step() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    an_id_goes_all_the_way(&site, &bob);
    // Without one each command draws its own, and a step hands its own on to what it schedules.
    let again = bob.schedule(1, "here", &[]);
    let line = lines(&site.service_log(), "a run was scheduled").pop().unwrap();
    assert_eq!(line["run"], again);
    assert!(line["trace"].as_str().unwrap().parse::<uuid::Uuid>().is_ok(), "{line}");
}

#[test]
fn an_id_goes_to_a_step_on_slurm() {
    let Some(slurm) = SlurmServer::shared() else { return };
    let site = Site::start();
    let bob = on_slurm(&site.account("bob@lab.net"), slurm);
    an_id_goes_all_the_way(&site, &bob);
}

#[test]
fn an_answer_carries_the_id_that_was_asked_under() {
    let site = Site::start();
    let id = uuid::Uuid::new_v4().to_string();
    let asked = ask(&site, "GET", "/v1/whoami", &[format!("X-Request-Id: {id}")], b"");
    assert!(asked.head.contains(&format!("x-request-id: {id}")), "{asked:?}");
    assert_eq!(asked.json()["request_id"], id.as_str());
    // What is no id would spoil logs and the environment of steps: another one is drawn.
    let evil = ask(&site, "GET", "/livez", &["X-Request-Id: $(reboot)".to_owned()], b"");
    assert!(!evil.head.contains("reboot") && evil.head.contains("x-request-id: "), "{evil:?}");
}

#[test]
fn logs_are_written_as_they_are_asked_for() {
    let site = Site::start();
    assert!(site.service_log().lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    let mut serve = site.admin().command();
    serve.args(["serve", "--log-format", "text", "--listen", "127.0.0.1:0", "--metadb"]);
    serve.arg(site.metadb()).arg("--data").arg(site.path("other"));
    let log = site.path("text.log");
    let stderr = fs::File::create(&log).unwrap();
    let mut serve = serve.stdout(std::process::Stdio::null()).stderr(stderr).spawn().unwrap();
    let told = || fs::read_to_string(&log).unwrap();
    wait_for("the service tells that it listens", || told().contains("listens on"));
    serve.kill().unwrap();
    serve.wait().unwrap();
    assert!(!told().contains("\"fields\""), "{}", told());
}
