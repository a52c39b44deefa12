//! What scripts rely on: printed lines byte for byte, exit codes, formats, and pipes that close early.

use std::fs;

use crate::site::{Site, User};

const NAP: &str = "niassa: 1\nname: Nap\nversion: \"1\"\ndescription: Does nothing\nparameters:\n  \
    word: {type: string, default: hello, help: What to say}\nsteps:\n  - name: nap\n    \
    command: echo \"$word\"\n";

const FAIL: &str = "niassa: 1\nname: Fail\nversion: \"1\"\ndescription: Fails\nsteps:\n  \
    - name: fail\n    command: exit 3\n";

fn study(user: &User) -> i64 {
    user.seqware(&["create", "study", "--title", "T", "--description", "D"]).ok().swid()
}

#[test]
fn created_things_are_told_in_niassas_words() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let created = |arguments: &[&str]| bob.seqware(arguments).ok().stdout;
    let study = ["create", "study", "--title", "T", "--description", "D"];
    assert_eq!(created(&study), "Created study with SWID: 1\n");
    let title = ["--title", "T", "--description", "D"];
    let of = |noun: &str, parent: &str, swid: &str| {
        let line = ["create", noun, parent, swid];
        created(&[&line[..], &title[..]].concat())
    };
    assert_eq!(of("experiment", "--study-accession", "1"), "Created experiment with SWID: 2\n");
    assert_eq!(of("sample", "--experiment-accession", "2"), "Created sample with SWID: 3\n");
    let file = ["create", "file", "--path", "/data/a.bam", "--meta-type", "application/bam"];
    assert_eq!(created(&file), "Created file with SWID: 4\n");
    let workflow = ["create", "workflow", "--name", "W", "--version", "1", "--description", "D"];
    assert_eq!(created(&workflow), "Created workflow with SWID: 5\n");
    let run = created(&[
        "create",
        "workflow-run",
        "--workflow-accession",
        "5",
        "--parent-accession",
        "3",
        "--file",
        "bam::application/bam::/data/b.bam",
    ]);
    let lines: Vec<&str> = run.lines().collect();
    assert_eq!(lines.len(), 2, "{run}");
    assert!(lines[0].starts_with("Created processing with SWID: "), "{run}");
    assert!(lines[1].starts_with("Created workflow run with SWID: "), "{run}");
    assert_eq!(
        bob.seqware(&["-q", "create", "study", "--title", "T", "--description", "D"])
            .ok()
            .stdout
            .trim()
            .parse::<i64>()
            .unwrap(),
        9
    );
}

#[test]
fn files_are_told_in_niassas_words() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let workflow = bob.install(&site.bundle("nap", NAP)).to_string();
    let ini = bob.seqware(&["workflow", "ini", "--accession", &workflow]).ok();
    assert_eq!(ini.stdout, "Created 'workflow.ini'.\n");
    let text = fs::read_to_string(bob.home().join("workflow.ini")).unwrap();
    assert!(text.contains("#key=word:type=string:display=F\nword=hello\n"), "{text}");
    let run = bob.schedule(1, "here", &[]).to_string();
    bob.launch_and_finish("here");
    for (verb, extension, content) in
        [("stdout", "out", "hello"), ("stderr", "err", "nap"), ("ini", "ini", "word=hello")]
    {
        let written = bob.seqware(&["workflow-run", verb, "--accession", &run]).ok();
        assert_eq!(written.stdout, format!("Created '{run}.{extension}'.\n"));
        let text = fs::read_to_string(bob.home().join(format!("{run}.{extension}"))).unwrap();
        assert!(text.contains(content), "{verb}: {text}");
    }
    let report = ["workflow-run", "report", "--accession", &run, "--tsv", "--out", "run.tsv"];
    assert_eq!(
        bob.seqware(&report).ok().stdout,
        "swid\tcreated\n".replace("swid\t", "") + "run.tsv\n"
    );
}

#[test]
fn exit_codes_are_the_documented_ones() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let nap = bob.install(&site.bundle("nap", NAP));
    let fail = bob.install(&site.bundle("fail", FAIL));
    let (good, bad) = (bob.schedule(nap, "here", &[]), bob.schedule(fail, "here", &[]));
    bob.launch_and_finish("here");
    let (good, bad) = (good.to_string(), bad.to_string());
    let run = |verb: &str, accession: &str| {
        bob.seqware(&["workflow-run", verb, "--accession", accession])
    };
    run("watch", &good).ok();
    let watched = run("watch", &bad).fails(10);
    assert!(watched.stdout.contains("exit code 3"), "{}", watched.stdout);
    run("report", "4711").fails(3);
    run("watch", "4711").fails(3);
    run("cancel", "4711").fails(3);
    let over = run("cancel", &good).fails(5);
    assert_eq!(
        over.stdout,
        format!("Submitted request to cancel workflow run with SWID(s) [{good}]\n")
    );
    assert_eq!(over.stderr.lines().count(), 1, "{}", over.stderr);
    run("retry", &good).fails(5);
    let partly = run("retry", &format!("{good},{bad}")).fails(8);
    assert_eq!(
        partly.stdout,
        format!("Submitted request to retry workflow run with SWID [{good}, {bad}]\n")
    );
    assert_eq!(partly.stderr.lines().count(), 1, "{}", partly.stderr);
    let waiting = bob.schedule(nap, "nowhere", &[]).to_string();
    let late = ["workflow-run", "watch", "--accession", &waiting, "--timeout", "1s"];
    bob.seqware(&late).fails(12);
    run("cancel", &waiting).ok();
    run("watch", &waiting).fails(11);
    bob.seqware(&["workflow", "list", "--no-such-flag"]).fails(2);
    bob.seqware(&["workflw", "list"]).fails(2);
    bob.seqware(&["account", "list"]).fails(4);
    let both = ["workflow-run", "launch-scheduled", "--host", "h", "--accession", &good];
    bob.seqware(&both).fails(2);
    bob.seqware(&["workflow-run", "propagate-statuses", "--threads", "0"]).fails(2);
}

#[test]
fn programs_get_data_in_every_format() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let nap = bob.install(&site.bundle("nap", NAP));
    bob.schedule(nap, "here", &[]);
    let listed = bob.seqware(&["workflow", "list", "--json"]).ok().json();
    assert_eq!(listed[0]["name"], "Nap");
    assert_eq!(listed[0]["swid"], nap);
    let tsv = bob.seqware(&["workflow", "list", "--tsv"]).ok().stdout;
    assert!(tsv.starts_with("SWID\tName\tVersion\t"), "{tsv}");
    assert_eq!(bob.seqware(&["workflow", "list", "-q"]).ok().stdout, format!("{nap}\n"));
    let launched =
        bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here", "--json"]).ok().json();
    assert_eq!(launched["waiting"], 1);
    assert_eq!(launched["launched"].as_array().unwrap().len(), 1);
    let rows = bob.seqware(&["workflow", "report", "--accession", &nap.to_string(), "--tsv"]).ok();
    assert_eq!(rows.stdout.lines().next().unwrap().split('\t').count(), 22);
    assert_eq!(rows.stdout.lines().count(), 2);
    let queried = bob.seqware(&["query", "workflow", "--accession", &nap.to_string()]).ok();
    assert!(queried.stdout.contains("Nap"), "{}", queried.stdout);
    bob.seqware(&["query", "study", "--accession", &nap.to_string()]).fails(3);
}

#[test]
fn a_reader_that_went_away_ends_a_command_silently() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    for _ in 0..30 {
        study(&bob);
    }
    for line in ["seqware --help", "seqware query --accession 1", "seqware check --settings"] {
        let piped = bob.shell(&format!("set -o pipefail; {line} | head -c 1 > /dev/null"));
        assert_eq!((piped.code, piped.stderr.as_str()), (0, ""), "{line}");
        let closed = bob.shell(&format!("{line} | true; echo \"${{PIPESTATUS[0]}}\""));
        assert_eq!(closed.stderr, "", "{line}");
        assert_eq!(closed.stdout, "0\n", "{line}");
    }
}

#[test]
fn colours_are_for_terminals_alone() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let shown = bob.seqware(&["check"]);
    assert!(!shown.stdout.contains('\u{1b}') && !shown.stderr.contains('\u{1b}'));
}
