//! Where files came from: parents, processings, outputs with checksums, and the report.

use std::fs;

use crate::site::{Database, Site};

fn files_are_traced_to_what_made_them(database: Database) {
    let Some(site) = Site::start_on(database) else { return };
    let bob = site.account("bob@lab.net");
    let study = bob
        .seqware(&["create", "study", "--title", "Phages", "--description", "All of them"])
        .ok()
        .swid();
    let input = site.path("input.txt");
    fs::write(&input, "some reads\n").unwrap();
    let out = site.path("out");
    let text = "niassa: 1\nname: Copy\nversion: \"1.0\"\ndescription: Copies\nparameters:\n  \
        input: {type: file, meta_type: text/plain}\nsteps:\n  - name: copy\n    \
        command: cat \"$input\" > copied.txt\n    memory: 10M\n    \
        outputs: [{path: copied.txt, meta_type: text/x-copy}]\n";
    let bundle = site.bundle("copy", text);
    let workflow =
        bob.seqware(&["bundle", "install", "--dir", bundle.to_str().unwrap()]).ok().swid();
    let number = workflow.to_string();
    let run = bob
        .seqware(&[
            "workflow",
            "schedule",
            "--accession",
            &number,
            "--parent-accession",
            &study.to_string(),
            "--host",
            "here",
            "--override",
            &format!("input={}", input.display()),
            "--override",
            &format!("output_prefix={}", out.display()),
            "--override",
            "output_dir=results",
        ])
        .ok()
        .swid();
    bob.launch_and_finish("here");
    let report = bob.report(run);
    assert_eq!(report["workflow_run_status"], "completed");
    assert_eq!(report["workflow"], "Copy 1.0");
    let place = out.join("results/copied.txt");
    assert_eq!(report["output_file_paths"].as_str().unwrap(), place.display().to_string());
    assert_eq!(report["output_file_meta_types"], "text/x-copy");
    assert_eq!(fs::read_to_string(&place).unwrap(), "some reads\n");
    assert_eq!(report.as_object().unwrap().keys().filter(|key| is_column(key)).count(), 22);

    let file = report["output_file_swids"].as_str().unwrap().to_owned();
    let found = bob.seqware(&["query", "--accession", &file, "--json"]).ok().json();
    let shown = found.to_string();
    let sha256 = sha256_of("some reads\n");
    assert!(shown.contains(&sha256), "{shown}");
    let shared = run.to_string();
    let ini = bob.seqware(&["workflow-run", "ini", "--accession", &shared, "--out", "-"]).ok();
    assert!(ini.stdout.contains("output_dir"), "{}", ini.stdout);
}

fn is_column(key: &str) -> bool {
    key.starts_with("workflow")
        || key.starts_with("library_")
        || key.starts_with("identity_")
        || key.starts_with("ius_")
        || key.starts_with("input_")
        || key.starts_with("immediate_")
        || key.starts_with("output_")
}

#[test]
fn files_are_traced_to_what_made_them_on_sqlite() {
    files_are_traced_to_what_made_them(Database::Sqlite);
}

#[test]
fn files_are_traced_to_what_made_them_on_postgres() {
    files_are_traced_to_what_made_them(Database::Postgres);
}

#[test]
fn logs_are_shown_step_by_step() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let text = "niassa: 1\nname: Talk\nversion: \"1\"\ndescription: Talks\nsteps:\n  \
        - name: one\n    command: echo said by one; echo warned by one >&2\n  \
        - name: two\n    needs: [one]\n    command: echo said by two\n";
    let bundle = site.bundle("talk", text);
    let workflow =
        bob.seqware(&["bundle", "install", "--dir", bundle.to_str().unwrap()]).ok().swid();
    let run = bob.schedule(workflow, "here", &[]).to_string();
    bob.launch_and_finish("here");
    let out =
        bob.seqware(&["workflow-run", "stdout", "--accession", &run, "--out", "-"]).ok().stdout;
    assert!(out.contains("said by one") && out.contains("said by two"), "{out}");
    assert!(!out.contains("warned"), "{out}");
    let err =
        bob.seqware(&["workflow-run", "stderr", "--accession", &run, "--out", "-"]).ok().stdout;
    assert!(err.contains("warned by one"), "{err}");
}

/// The checksum as coreutils make it, so that ours is compared with somebody else's.
fn sha256_of(text: &str) -> String {
    let output = std::process::Command::new("bash")
        .args(["-c", "printf %s \"$1\" | sha256sum", "bash", text])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().split_whitespace().next().unwrap().to_owned()
}
