//! Records as a real Grid Engine wrote them.

use proptest::prelude::*;

use super::*;

const NAME: &str = "nia-9-abcdefghij-e1-l0";

/// Makes a line of the accounting file.
fn line(number: u32, element: u32, failed: u32, status: i32, asked: &str) -> String {
    format!(
        "main.q:vm:niassa-test:niassa-test:{NAME}:{number}:sge:0:1796059425:1796059425:1796059427:\
         {failed}:{status}:2:0.001287:0.006189:4752.000000:0:0:0:0:413:0:0:0.000000:8:0:0:0:4:2:NONE:\
         defaultdepartment:NONE:1:{element}:0.007476:0.000000:0.000023:{asked}:0.000000:NONE:\
         5087232.000000:0:0"
    )
}

fn end(failed: u32, status: i32, asked: &str) -> Option<JobEnd> {
    Record::from_line(&line(30, 0, failed, status, asked)).unwrap().end()
}

#[test]
fn ends_by_grid_engines_own_verdict() {
    for (failed, status, expected) in [
        (0, 0, JobEnd::Completed),
        (0, 3, JobEnd::Exited(3)),
        // The script itself said so; no signal was seen.
        (0, 143, JobEnd::Exited(143)),
        (30, 100, JobEnd::Exited(100)),
        (100, 137, JobEnd::Signalled(9)),
        (100, 143, JobEnd::Signalled(15)),
        (100, 0, JobEnd::Unknown),
        (28, 0, JobEnd::CouldNotStart),
        (26, 0, JobEnd::CouldNotStart),
        (8, 0, JobEnd::CouldNotStart),
        (19, 0, JobEnd::Unknown),
        (21, 0, JobEnd::Unknown),
        (4_000_000_000, i32::MIN, JobEnd::Unknown),
    ] {
        assert_eq!(end(failed, status, "NONE"), Some(expected), "{failed} {status}");
    }
    assert_eq!(end(25, 99, "NONE"), None, "it is run again");
}

#[test]
fn limits_of_time_and_memory_are_told_apart_where_that_can_be() {
    assert_eq!(end(37, 137, "-l h_rt=2"), Some(JobEnd::TimeLimit));
    assert_eq!(end(37, 137, "NONE"), Some(JobEnd::TimeLimit), "the queue's own limit");
    assert_eq!(end(37, 137, "-l h_rt=60,h_vmem=2G"), Some(JobEnd::OutOfMemory));
    assert_eq!(end(37, 137, "-l h_rt=1,h_vmem=2G"), Some(JobEnd::TimeLimit));
}

#[test]
fn the_last_record_of_a_job_counts() {
    let records: Vec<_> = [
        line(30, 2, 25, 99, "NONE"),
        line(31, 0, 0, 0, "NONE"),
        line(30, 2, 0, 1, "NONE"),
        line(30, 3, 25, 99, "NONE"),
    ]
    .iter()
    .map(|line| Record::from_line(line).unwrap())
    .collect();
    let jobs = ["30.2", "30.3", "77"].map(|id| JobId(id.to_owned()));
    let (id, name) = (JobId("30.2".to_owned()), NAME.parse().unwrap());
    let expected = vec![EndedJob { id, name, end: JobEnd::Exited(1) }];
    let mut later = Wanted::new(&jobs);
    for record in &records {
        later.take_later(record);
    }
    assert!(!later.is_complete(), "of 77 there is nothing");
    assert_eq!(later.into_ends(), expected);
    let mut earlier = Wanted::new(&jobs[..2]);
    for record in records.iter().rev() {
        earlier.take_earlier(record);
    }
    assert!(earlier.is_complete());
    assert_eq!(earlier.into_ends(), expected);
}

#[test]
fn an_array_stands_for_its_elements() {
    let jobs = [JobId("30".to_owned())];
    let mut wanted = Wanted::new(&jobs);
    for element in 1..=3 {
        let line = line(30, element, 0, 0, "NONE");
        wanted.take_later(&Record::from_line(&line).unwrap());
    }
    let mut ids: Vec<_> = wanted.into_ends().into_iter().map(|job| job.id.0).collect();
    ids.sort();
    assert_eq!(ids, ["30.1", "30.2", "30.3"]);
}

#[test]
fn a_number_that_was_dealt_out_to_somebody_else_is_passed_over() {
    let record = Record::from_line(&line(30, 0, 0, 0, "NONE").replace(NAME, "theirs")).unwrap();
    let jobs = [JobId("30".to_owned())];
    let mut wanted = Wanted::new(&jobs);
    wanted.take_later(&record);
    assert_eq!(wanted.into_ends(), []);
}

#[test]
fn other_lines_are_no_records() {
    let good = line(30, 0, 0, 0, "NONE");
    for bad in ["", "# Version", "::::", &good.replace(":30:", ":3x:"), &good[..good.len() / 2]] {
        assert_eq!(Record::from_line(bad), None, "{bad}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_record_or_none(text: String, fields in "[0-9a-z:-]{0,120}") {
        drop(Record::from_line(&text));
        if let Some(record) = Record::from_line(&fields) {
            record.end();
        }
    }
}
