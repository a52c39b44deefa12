//! Words that people give to runs, on the command line.

use crate::clusters::chain;
use crate::site::Site;

#[test]
fn runs_are_marked_and_found_by_their_marks() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let workflow = bob.install(&site.bundle("one", &chain("One", &["true"])));
    let [first, second] = [0; 2].map(|_| bob.schedule(workflow, "here", &[]).to_string());
    let both = format!("{first},{second}");
    let mark = |runs: &str, more: &[&str]| {
        bob.seqware(&[&["workflow-run", "mark", "--accession", runs], more].concat())
    };
    let marked = mark(&both, &["--add", "Urgent,qc:done"]).ok().stdout;
    assert_eq!(marked, format!("Marks +urgent +qc:done for [{first}, {second}]\n"));
    let taken = mark(&second, &["--add", "new", "--remove", "urgent"]).ok().stdout;
    assert_eq!(taken, format!("Marks +new -urgent for [{second}]\n"));

    let found = |word: &str| {
        let report = ["workflow-run", "report", "--mark", word, "--quiet"];
        bob.seqware(&report).ok().stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(found("urgent"), [first.as_str()]);
    assert_eq!(found("QC:done"), [second.as_str(), first.as_str()]);
    assert_eq!(found("nothing").len(), 0);
    let why = bob.seqware(&["workflow-run", "explain", "--accession", &second]).ok().stdout;
    assert!(
        why.lines().any(|line| line.contains("marks") && line.contains("new qc:done")),
        "{why}"
    );

    mark(&first, &[]).fails(2);
    let refused = mark(&first, &["--add", "two words"]).fails(2).stderr;
    assert!(refused.contains("is no mark"), "{refused}");
    let partly = mark(&format!("{first},4711"), &["--add", "x"]).fails(8).stderr;
    assert!(partly.contains("run 4711"), "{partly}");
    let eve = site.account("eve@lab.net");
    eve.seqware(&["workflow-run", "mark", "--accession", &first, "--add", "x"]).fails(3);
}
