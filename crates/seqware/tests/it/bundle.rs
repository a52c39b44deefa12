//! Bundles from the user's side: installing, launching directly, and bad input of every kind.

use std::fs;

use crate::site::{Site, User};

const ECHO: &str = "niassa: 1\nname: Echo\nversion: \"1\"\ndescription: Echoes\nparameters:\n  \
    word: {type: string, default: hello}\nsteps:\n  \
    - name: echo\n    command: printf '%s\\n' \"$word\" > word.txt\n    \
    outputs: [{path: word.txt, meta_type: text/plain}]\n";

fn install(user: &User, folder: &std::path::Path) -> crate::site::Ran {
    user.seqware(&["bundle", "install", "--dir", folder.to_str().unwrap()])
}

#[test]
fn the_same_content_is_installed_once_and_other_content_is_a_conflict() {
    let site = Site::start();
    let (alice, bob) = (site.account("alice@lab.net"), site.account("bob@lab.net"));
    let folder = site.bundle("echo", ECHO);
    let first = install(&bob, &folder).ok().swid();
    assert_eq!(install(&bob, &folder).ok().swid(), first);
    fs::write(folder.join("workflow.yaml"), ECHO.replace("hello", "changed")).unwrap();
    install(&bob, &folder).fails(5);
    fs::write(folder.join("workflow.yaml"), ECHO.replace("\"1\"", "\"2\"")).unwrap();
    install(&alice, &folder).fails(4);
    assert!(install(&bob, &folder).ok().swid() > first);
    let listed = alice.seqware(&["workflow", "list", "--json"]).ok().json();
    assert_eq!(listed.as_array().unwrap().len(), 2, "everybody may use what is installed");
}

#[test]
fn a_bundle_is_launched_directly_with_and_without_metadata() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let folder = site.bundle("echo", ECHO);
    let folder = folder.to_str().unwrap();
    let launched =
        bob.seqware(&["bundle", "launch", "--dir", folder, "--override", "word=direct"]).ok();
    let run = launched.swid();
    assert_eq!(bob.status(run), "completed");
    let listed = bob.seqware(&["workflow", "list", "--json"]).ok().json();
    assert_eq!(listed.as_array().unwrap().len(), 0, "a development version is hidden");

    let without = bob
        .seqware(&[
            "bundle",
            "launch",
            "--dir",
            folder,
            "--no-metadata",
            "--override",
            "word=alone",
        ])
        .ok();
    assert!(without.stdout.contains("completed"), "{}", without.stdout);
    let runs = bob.seqware(&["workflow-run", "report", "--json"]).ok().json();
    assert_eq!(runs.as_array().unwrap().len(), 1, "the service never heard of the second one");
}

#[test]
fn a_failing_direct_launch_ends_with_its_own_code() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let folder = site.bundle("echo", &ECHO.replace("printf", "exit 7; printf"));
    let failed = bob.seqware(&["bundle", "launch", "--dir", folder.to_str().unwrap()]).fails(10);
    assert!(failed.stdout.contains("exit code 7"), "{}\n{}", failed.stdout, failed.stderr);
}

#[test]
fn a_dry_run_leaves_no_trace() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let folder = site.bundle("echo", ECHO);
    let out = site.path("out");
    bob.seqware(&[
        "bundle",
        "dry-run",
        "--dir",
        folder.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ])
    .ok();
    assert!(out.join("plan.json").is_file());
    assert!(!site.work_dir().exists());
    let runs = bob.seqware(&["workflow-run", "report", "--json"]).ok().json();
    assert_eq!(runs.as_array().unwrap().len(), 0);
}

#[test]
fn bad_values_are_all_told_at_once_with_their_lines() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let text = "niassa: 1\nname: Typed\nversion: \"1\"\ndescription: Typed\nparameters:\n  \
        number: {type: int, min: 1}\n  needed: {type: string}\n  word: {type: string, default: a}\n\
        steps:\n  - name: a\n    command: \"true\"\n";
    let workflow = install(&bob, &site.bundle("typed", text)).ok().swid().to_string();
    let ini = bob.home().join("bad.ini");
    fs::write(&ini, "# a comment\nnumber=many\nword=$(touch /tmp/canary)\n").unwrap();
    let refused = bob
        .seqware(&[
            "workflow",
            "schedule",
            "--accession",
            &workflow,
            "--host",
            "h",
            "--ini",
            ini.to_str().unwrap(),
        ])
        .fails(2);
    for part in ["bad.ini:2", "bad.ini:3", "needed", "number", "word"] {
        assert!(refused.stderr.contains(part), "no {part} in:\n{}", refused.stderr);
    }
    let runs = bob.seqware(&["workflow-run", "report", "--json"]).ok().json();
    assert_eq!(runs.as_array().unwrap().len(), 0, "nothing was scheduled");
}

#[test]
fn unknown_things_are_not_found_and_strange_labels_are_kept() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let workflow = install(&bob, &site.bundle("echo", ECHO)).ok().swid();
    let number = workflow.to_string();
    let schedule = |arguments: &[&str]| {
        let mut all = vec!["workflow", "schedule"];
        all.extend(arguments);
        bob.seqware(&all)
    };
    schedule(&["--accession", "4711", "--host", "h"]).fails(3);
    schedule(&["--accession", &number, "--host", "h", "--parent-accession", "4711"]).fails(3);
    schedule(&["--accession", &number, "--host", "h", "--parent-accession", &number]).fails(2);
    schedule(&["--accession", "one", "--host", "h"]).fails(2);
    schedule(&["--accession", &number, "--host", ""]).fails(2);
    schedule(&["--accession", &number, "--host", &"x".repeat(1_025)]).fails(2);
    for label in ["s3://bucket/a b", "it's \"quoted\" $HOME", &"ü".repeat(512)] {
        let run = bob.schedule(workflow, label, &[]);
        bob.seqware(&["workflow-run", "launch-scheduled", "--host", label]).ok();
        assert_ne!(bob.status(run), "submitted", "{label}");
    }
}

#[test]
fn a_step_larger_than_the_machine_fails_and_says_why() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let text = ECHO.replace("    outputs:", "    threads: 5000\n    outputs:");
    let workflow = install(&bob, &site.bundle("large", &text)).ok().swid();
    let run = bob.schedule(workflow, "here", &[]);
    bob.launch_and_finish("here");
    assert_eq!(bob.status(run), "failed");
    let number = run.to_string();
    let explained = bob.seqware(&["workflow-run", "explain", "--accession", &number]).ok();
    assert!(explained.stdout.contains("could not start"), "{}", explained.stdout);
}

#[test]
fn an_unreadable_input_fails_the_run_with_its_path() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let text = "niassa: 1\nname: Reads\nversion: \"1\"\ndescription: Reads\nparameters:\n  \
        input: {type: file, meta_type: text/plain}\nsteps:\n  - name: a\n    \
        command: cat \"$input\"\n";
    let workflow = install(&bob, &site.bundle("reads", text)).ok().swid();
    let run = bob.schedule(workflow, "here", &["input=/not/there.txt"]);
    bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]);
    assert_eq!(bob.status(run), "failed");
    let number = run.to_string();
    let explained = bob.seqware(&["workflow-run", "explain", "--accession", &number]).ok();
    assert!(explained.stdout.contains("/not/there.txt"), "{}", explained.stdout);
}

#[test]
fn broken_archives_are_refused() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let zip = site.path("broken.zip");
    fs::write(&zip, b"PK\x03\x04 and then nothing").unwrap();
    bob.seqware(&["bundle", "install", "--zip", zip.to_str().unwrap()]).fails(2);
    fs::write(&zip, b"").unwrap();
    bob.seqware(&["bundle", "install", "--zip", zip.to_str().unwrap()]).fails(2);
    let no_manifest = site.path("empty");
    fs::create_dir(&no_manifest).unwrap();
    install(&bob, &no_manifest).fails(2);
    let cycle = ECHO.replace("- name: echo\n", "- name: echo\n    needs: [echo]\n");
    install(&bob, &site.bundle("cycle", &cycle)).fails(2);
}
