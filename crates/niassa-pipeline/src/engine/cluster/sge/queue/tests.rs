//! Answers as a real `qstat` gave them, and what becomes of spoiled ones.

use proptest::prelude::*;

use super::*;

/// Seven entries of one look: somebody's own job, an array in parts, a stuck job, a held one, and one
/// that waits for another.
const LOOK: &str = include_str!("look.xml");
/// 2026-11-30T17:24:00Z.
const NOW: Timestamp = Timestamp::from_micros(1_796_059_440_000_000);

fn looked(text: &str) -> Vec<SeenJob> {
    read(text, NOW).unwrap().settle(&HashSet::new())
}

fn is_refused(text: &str) -> bool {
    matches!(read(text, NOW), Err(SchedulerError::NotUnderstood { program: "qstat", .. }))
}

#[test]
fn jobs_of_ours_are_seen_with_their_elements() {
    let jobs = looked(LOOK);
    let ids: Vec<_> = jobs.iter().map(|job| (job.id.0.as_str(), job.element)).collect();
    let expected = [
        ("30.1", Some(1)),
        ("30.3", Some(3)),
        ("30.8", Some(8)),
        ("30.10", Some(10)),
        ("30.11", Some(11)),
        ("31", None),
        ("32", None),
        ("33", None),
    ];
    assert_eq!(ids, expected, "the job that is not ours is passed over");
    let states: Vec<_> = jobs.iter().map(|job| job.state.clone()).collect();
    let running = JobState::Running(Duration::from_secs(15));
    let waiting = JobState::Waiting;
    let expected = [
        JobState::Suspended,
        running,
        waiting.clone(),
        waiting.clone(),
        waiting.clone(),
        JobState::Stuck,
        JobState::Held,
        waiting,
    ];
    assert_eq!(states, expected);
    assert_eq!(jobs[1].node.as_deref(), Some("vm"));
    assert_eq!(jobs[1].words, "dr");
    assert_eq!(jobs[2].node, None);
    assert_eq!(jobs[5].words, "Eqw; `qstat -j 31` tells why");
}

#[test]
fn a_job_that_waits_for_others_is_held_if_the_list_of_held_ones_says_so() {
    let seen = read(LOOK, NOW).unwrap();
    assert!(seen.has_doubtful());
    let held = read_ids(&LOOK.replace("<tasks>8,10-11:1</tasks>", "")).unwrap();
    assert!(held.contains(&JobId("33".to_owned())) && held.contains(&JobId("30".to_owned())));
    assert_eq!(seen.settle(&held).last().unwrap().state, JobState::Held);
    let certain = LOOK.replace("<predecessor_jobs>31</predecessor_jobs>", "");
    assert!(!read(&certain, NOW).unwrap().has_doubtful());
}

#[test]
fn an_empty_queue_has_no_jobs_and_an_empty_answer_is_none() {
    let empty = "<?xml version='1.0'?>\n<job_info  xmlns:xsd=\"http://x\">\n  <queue_info>\n  \
        </queue_info>\n  <job_info>\n  </job_info>\n</job_info>\n";
    assert_eq!(looked(empty), []);
    for text in ["", "\n", "<job_info/>", "<job_info><queue_info/></job_info>", "error: commlib"] {
        assert!(is_refused(text), "{text}");
    }
}

#[test]
fn an_answer_that_is_cut_off_is_refused_wherever_it_was_cut() {
    for end in (0..LOOK.trim_end().len()).step_by(13) {
        assert!(is_refused(&LOOK[..end]), "cut at {end}");
    }
}

#[test]
fn a_job_of_ours_that_is_not_understood_spoils_the_answer() {
    for (good, bad) in [
        ("<JB_job_number>32<", "<JB_job_number>3x<"),
        ("<JB_job_number>32<", "<JB_job_number><"),
        ("8,10-11:1", "8,11-10:1"),
        ("8,10-11:1", "1-9:0"),
        ("8,10-11:1", "0-4294967295:1"),
        ("8,10-11:1", "1-4294967295:1"),
        ("8,10-11:1", ""),
        ("<state>Eqw<", "<state><"),
        ("<state>Eqw<", "<state>x<"),
        ("<state>Eqw<", "<state>q w<"),
        ("<full_job_name>nia", "<full_job_name>\u{1}nia"),
    ] {
        let spoiled = LOOK.replace(good, bad);
        assert_ne!(spoiled, LOOK);
        assert!(is_refused(&spoiled), "{bad}");
    }
    // Entities that grow without bound are not even declared.
    let bomb = LOOK.replace("<job_info ", "<!DOCTYPE j [<!ENTITY a \"aa\">]><job_info ");
    assert!(is_refused(&bomb));
}

#[test]
fn states_by_their_letters() {
    let state_of = |letters: &str| {
        let text = LOOK.replace("<state>Eqw<", &format!("<state>{letters}<"));
        looked(&text).into_iter().find(|job| job.id.0 == "31").map(|job| job.state)
    };
    let zero = JobState::Running(Duration::ZERO);
    for (letters, state) in [
        ("qw", JobState::Waiting),
        ("Rqw", JobState::Waiting),
        ("hqw", JobState::Held),
        ("hRqw", JobState::Held),
        ("Ehqw", JobState::Stuck),
        ("t", zero.clone()),
        ("Rr", zero.clone()),
        ("dr", zero.clone()),
        ("hr", zero),
        ("S", JobState::Suspended),
        ("T", JobState::Suspended),
        ("ds", JobState::Suspended),
    ] {
        assert_eq!(state_of(letters), Some(state), "{letters}");
    }
    assert_eq!(state_of("z"), None, "it is over");
}

#[test]
fn a_clock_that_is_behind_counts_nothing() {
    let early = Timestamp::from_micros(0);
    let jobs = read(LOOK, early).unwrap().settle(&HashSet::new());
    assert_eq!(jobs[1].state, JobState::Running(Duration::ZERO));
    let garbled = LOOK.replace("2026-11-30T17:23:45", "yesterday");
    assert_eq!(looked(&garbled)[1].state, JobState::Running(Duration::ZERO));
}

#[test]
fn what_qconf_says() {
    assert_eq!(cluster_name("vm\n", "default").unwrap(), "vm.default");
    assert_eq!(cluster_name("a.lab.net\n", "c/../d").unwrap(), "a.lab.net.c_.._d");
    assert!(cluster_name("", "default").is_err());
    assert!(cluster_name("error: no host", "default").is_err());
    let settings =
        "#global:\nmax_aj_instances             2000\nmax_aj_tasks                 75000\n";
    assert_eq!(setting(settings, "max_aj_tasks"), Some("75000"));
    assert_eq!(setting(settings, "max_aj"), None);
}

proptest! {
    #[test]
    fn any_text_is_an_answer_or_an_error(text: String) {
        drop(read(&text, NOW));
        drop(read_ids(&text));
        drop(elements(&text));
        drop(cluster_name(&text, &text));
    }

    #[test]
    fn spoiled_answers_never_panic(at in 0..LOOK.len(), text in "[0-9a-zE<>/:,-]{0,8}", cut in 0..9_usize) {
        let end = (at + cut).min(LOOK.len());
        drop(read(&format!("{}{text}{}", &LOOK[..at], &LOOK[end..]), NOW));
    }

    #[test]
    fn elements_are_those_of_the_range(from in 1..500_u32, more in 0..500_u32, step in 1..9_u32) {
        let read = elements(&format!("{from}-{}:{step}", from + more)).unwrap();
        let expected: Vec<u32> = (from..=from + more).filter(|n| (n - from) % step == 0).collect();
        prop_assert_eq!(read, expected);
    }
}
