//! The founding text's commands, word by word, as child processes.

use std::fs;

use crate::site::{Site, wait_for};

const HELLO: &str = r#"
niassa: 1
name: Hello
version: "1.0"
description: Greets in two steps
parameters:
  greeting: {type: string, default: hello}
steps:
  - name: greet
    command: echo "$greeting" > greeting.txt
  - name: count
    needs: [greet]
    command: wc -c < greeting.txt > count.txt
    outputs: [{path: count.txt, meta_type: text/plain}]
"#;

/// `--accession 1 --parent-accession 99` means: the first bundle is object 1, and object 99 is
/// there. Studies are made until it is.
#[test]
fn the_three_commands_work_verbatim() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let bundle = site.bundle("hello", HELLO);
    let installed = bob.seqware(&["bundle", "install", "--dir", bundle.to_str().unwrap()]).ok();
    assert_eq!(installed.stdout, "Added 'Hello' (SWID: 1)\n");
    let mut last = 1;
    while last < 99 {
        let title = format!("study {last}");
        let made = bob.seqware(&["create", "study", "--title", &title, "--description", "d"]).ok();
        assert_eq!(made.stdout, format!("Created study with SWID: {}\n", last + 1));
        last = made.swid();
    }
    fs::write(bob.home().join("workflow.ini"), "greeting=good day\n").unwrap();

    let scheduled = bob
        .shell(
            "seqware workflow schedule --accession 1 --parent-accession 99  --ini workflow.ini --host \"$(hostname --long)\"",
        )
        .ok();
    assert_eq!(scheduled.stdout, "Created workflow run with SWID: 100\n");
    assert_eq!(scheduled.stderr, "");
    assert_eq!(bob.status(100), "submitted");

    let launched =
        bob.shell("seqware workflow-run launch-scheduled --host \"$(hostname --long)\"").ok();
    assert_eq!(launched.stdout, "Number of submitted workflows: 1\nWorking Run: 100\n");
    assert_eq!(launched.stderr, "");

    wait_for("the run completes", || {
        let propagated = bob.shell("seqware workflow-run propagate-statuses --threads 10").ok();
        assert_eq!(propagated.stdout, "Propagated workflow engine statuses\n");
        assert_eq!(propagated.stderr, "");
        bob.status(100) == "completed"
    });
    let report = bob.report(100);
    assert_eq!(report["output_file_meta_types"], "text/plain");
    let count = fs::read_to_string(report["output_file_paths"].as_str().unwrap()).unwrap();
    assert_eq!(count.trim(), "9");
}

/// The cron script has no `--host`: the launcher's label is what `hostname --long` prints.
#[test]
fn an_idle_tick_of_cron_is_silent_on_stderr() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let tick = bob
        .shell("seqware workflow-run launch-scheduled\nseqware workflow-run propagate-statuses --threads 10")
        .ok();
    assert_eq!(
        tick.stdout,
        "Number of submitted workflows: 0\nPropagated workflow engine statuses\n"
    );
    assert_eq!(tick.stderr, "");
}

#[test]
fn schedule_without_a_host_is_refused_with_the_line_to_use() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let bundle = site.bundle("hello", HELLO);
    bob.seqware(&["bundle", "install", "--dir", bundle.to_str().unwrap()]).ok();
    let refused = bob.seqware(&["workflow", "schedule", "--accession", "1"]).fails(2);
    assert!(refused.stderr.contains("--host \"$(hostname --long)\""), "{}", refused.stderr);
    assert_eq!(refused.stdout, "");
}
