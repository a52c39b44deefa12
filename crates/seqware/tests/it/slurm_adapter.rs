//! The Slurm adapter against a real Slurm.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use niassa_model::job::{JobEnd, JobId, JobName, JobState, SeenJob};
use niassa_model::limits::SCHEDULER_CALL;
use niassa_model::resources::Resources;
use niassa_pipeline::engine::cluster::slurm::Slurm;
use niassa_pipeline::engine::cluster::{
    ClusterSettings, Hold, JobOptions, JobRequest, Scheduler, SubmitError,
};
use rand::RngExt;

use crate::slurm_server::{SlurmServer, Tuning};

/// One test's jobs on a cluster: a folder, and names that no other test has.
struct Jobs<'a> {
    server: &'a SlurmServer,
    slurm: Slurm,
    folder: tempfile::TempDir,
    tag: String,
}

impl<'a> Jobs<'a> {
    fn on(server: &'a SlurmServer) -> Self {
        let environment = server.environment();
        let slurm = Slurm::new(ClusterSettings { environment, ..ClusterSettings::default() });
        let mut random = rand::rng();
        let tag = (0..10).map(|_| char::from(random.random_range(b'a'..=b'z'))).collect();
        Self { server, slurm, folder: tempfile::tempdir().unwrap(), tag }
    }

    /// Describes a job of some lines of bash.
    fn job(&self, step: u32, script: &str) -> JobRequest {
        let path = self.path(&format!("job-{step}.sh"));
        std::fs::write(&path, format!("#!/bin/bash\n:\n#SBATCH --hold\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        JobRequest {
            name: self.name(step),
            script: path,
            arguments: vec![],
            elements: None,
            directory: self.folder.path().to_owned(),
            output: self.path(&format!("out-{step} 100%j")),
            resources: Resources::default(),
            after: vec![],
            hold: Hold::Free,
            delay_seconds: 0,
            options: JobOptions::default(),
        }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn name(&self, step: u32) -> JobName {
        format!("nia-7-{}-s{step}-a1", self.tag).parse().unwrap()
    }

    fn submit(&self, job: &JobRequest) -> JobId {
        self.slurm.submit(job).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Returns what one look shows of this test.
    fn seen(&self) -> Vec<SeenJob> {
        let mut jobs = self.slurm.look().unwrap_or_else(|error| panic!("{error}")).jobs;
        jobs.retain(|job| job.name.run().1.as_str() == self.tag);
        jobs
    }

    fn state(&self, id: &JobId) -> Option<JobState> {
        self.seen().into_iter().find(|job| job.id == *id).map(|job| job.state)
    }

    #[track_caller]
    fn wait_until(&self, id: &JobId, what: &str, is_so: impl Fn(&JobState) -> bool) -> JobState {
        let mut state = None;
        self.server.wait_for(&format!("{id} {what}"), || {
            state = self.state(id);
            state.as_ref().is_some_and(&is_so)
        });
        state.unwrap()
    }

    #[track_caller]
    fn end_of(&self, id: &JobId) -> JobEnd {
        match self.wait_until(id, "ends", |state| !state.is_live()) {
            JobState::Ended(end) => end,
            live => panic!("{live:?}"),
        }
    }

    #[track_caller]
    fn runs(&self, id: &JobId) {
        self.wait_until(id, "runs", |state| matches!(state, JobState::Running(_)));
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn a_held_job_waits_for_its_release() {
    let Some(server) = SlurmServer::shared() else { return };
    let jobs = Jobs::on(server);
    let mut job = jobs.job(0, "pwd; printf '%s\\n' \"$@\"; echo to stderr >&2; env; exit 7");
    job.hold = Hold::Held;
    job.arguments = vec!["--wrap=x".into(), "-h".into(), "two words".into()];
    let id = jobs.submit(&job);
    let seen = jobs.seen();
    let [shown] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!((&shown.id, &shown.name, shown.element), (&id, &job.name, None));
    assert_eq!(shown.state, JobState::Held);
    assert_eq!(shown.words, "PENDING JobHeldUser");
    jobs.slurm.release(&[JobId("999999".to_owned()), id.clone()]).unwrap();
    assert_eq!(jobs.end_of(&id), JobEnd::Exited(7));
    assert_eq!(jobs.seen()[0].node.as_deref().map(|node| &node[..1]), Some("n"));
    let output = read(&job.output);
    let pwd = format!("{}\n--wrap=x\n-h\ntwo words\nto stderr\n", jobs.folder.path().display());
    assert!(output.starts_with(&pwd), "{output}");
    assert!(output.contains(&format!("\nSLURM_JOB_NAME={}\n", job.name)), "{output}");
    assert!(output.contains("\nSLURM_CONF="), "{output}");
    let shown = server.control(&["show", "job", &id.0]);
    for part in [format!("Comment={}", job.name), "Requeue=0".to_owned()] {
        assert!(shown.contains(&part), "{shown}");
    }
    assert!(jobs.slurm.ends(&[id]).unwrap().is_empty(), "this cluster has no accounting");
}

#[test]
fn options_in_a_script_are_not_obeyed() {
    let Some(server) = SlurmServer::shared() else { return };
    let jobs = Jobs::on(server);
    // Every script of these tests asks to be held, behind its first command.
    let id = jobs.submit(&jobs.job(0, "exit 0"));
    let state = jobs.wait_until(&id, "is held or ends", |state| {
        matches!(state, JobState::Held | JobState::Ended(_))
    });
    assert_eq!(state, JobState::Ended(JobEnd::Completed));
}

#[test]
fn children_run_after_success_and_never_after_failure() {
    let Some(server) = SlurmServer::shared() else { return };
    let jobs = Jobs::on(server);
    let held = |step, script: &str| {
        let mut job = jobs.job(step, script);
        job.hold = Hold::Held;
        jobs.submit(&job)
    };
    let behind = |step, script: &str, after: &JobId| {
        let mut job = jobs.job(step, script);
        job.after = vec![after.clone()];
        jobs.submit(&job)
    };
    let good = held(0, "echo 0 >>order");
    let second = behind(1, "echo 1 >>order", &good);
    let third = behind(2, "echo 2 >>order", &second);
    let bad = held(3, "exit 3");
    let never = behind(4, "echo never >>order", &bad);
    let never_either = behind(5, "echo never >>order", &never);
    assert_eq!(jobs.state(&second), Some(JobState::Waiting));
    jobs.slurm.release(&[good, bad.clone()]).unwrap();
    assert_eq!(jobs.end_of(&never), JobEnd::NeverSatisfied);
    assert_eq!(jobs.end_of(&never_either), JobEnd::NeverSatisfied);
    assert_eq!(jobs.end_of(&bad), JobEnd::Exited(3));
    assert_eq!(jobs.end_of(&third), JobEnd::Completed);
    assert_eq!(read(&jobs.path("order")), "0\n1\n2\n");
}

#[test]
fn an_array_is_shown_by_its_elements() {
    let Some(server) = SlurmServer::shared() else { return };
    let jobs = Jobs::on(server);
    let mut job = jobs.job(0, "[ $SLURM_ARRAY_TASK_ID != 2 ] || exit 9");
    job.name = format!("nia-7-{}-e1-l0", jobs.tag).parse().unwrap();
    job.elements = Some(3);
    job.hold = Hold::Held;
    let array = jobs.submit(&job);
    let mut seen = jobs.seen();
    seen.sort_by_key(|job| job.element);
    let ids: Vec<String> = seen.iter().map(|job| job.id.0.clone()).collect();
    let expected: Vec<String> = (1..=3).map(|element| format!("{array}_{element}")).collect();
    assert_eq!(ids, expected);
    assert!(seen.iter().all(|job| job.state == JobState::Held && job.element.is_some()));
    let mut after_first = jobs.job(1, "exit 0");
    after_first.after = vec![JobId(expected[0].clone())];
    let after_first = jobs.submit(&after_first);
    let mut after_all = jobs.job(2, "exit 0");
    after_all.after = vec![array.clone()];
    let after_all = jobs.submit(&after_all);
    jobs.slurm.release(&[array]).unwrap();
    let ends: Vec<JobEnd> = expected.into_iter().map(|id| jobs.end_of(&JobId(id))).collect();
    assert_eq!(ends, [JobEnd::Completed, JobEnd::Exited(9), JobEnd::Completed]);
    assert_eq!(jobs.end_of(&after_first), JobEnd::Completed);
    assert_eq!(jobs.end_of(&after_all), JobEnd::NeverSatisfied);
}

#[test]
fn what_slurm_will_not_have_is_refused() {
    let Some(server) = SlurmServer::shared() else { return };
    let jobs = Jobs::on(server);
    let refused = |change: fn(&mut JobRequest), says: &str| {
        let mut job = jobs.job(0, "exit 0");
        change(&mut job);
        match jobs.slurm.submit(&job) {
            Err(SubmitError::Refused(words)) => assert!(words.contains(says), "{words}"),
            other => panic!("{other:?}"),
        }
    };
    refused(|job| job.options.queue = Some("nope".into()), "Invalid partition name specified");
    refused(
        |job| job.resources.memory_bytes = Some(1 << 45),
        "Memory specification can not be satisfied",
    );
    refused(|job| job.elements = Some(5_000), "Invalid job array specification");
    refused(|job| job.script = "/nowhere/job.sh".into(), "/nowhere/job.sh");
    // Slurm can still show what it refused, as a job that could not start.
    let left = jobs.seen();
    assert!(left.iter().all(|job| !job.state.is_live()), "{left:?}");
    assert_eq!(jobs.slurm.cluster_name().unwrap(), "niassa");
    assert_eq!(jobs.slurm.array_limit().unwrap(), 1_000);
}

#[test]
fn many_are_cancelled_in_one_go() {
    let Some(server) = SlurmServer::shared() else { return };
    let jobs = Jobs::on(server);
    let running = jobs.submit(&jobs.job(0, "sleep 600"));
    let mut waiting = jobs.job(1, "exit 0");
    waiting.delay_seconds = 3_600;
    let waiting = jobs.submit(&waiting);
    assert_eq!(jobs.state(&waiting), Some(JobState::Waiting));
    let mut array = jobs.job(2, "exit 0");
    array.name = format!("nia-7-{}-e1-l0", jobs.tag).parse().unwrap();
    (array.elements, array.hold) = (Some(300), Hold::Held);
    jobs.submit(&array);
    jobs.runs(&running);
    let seen = jobs.seen();
    assert_eq!(seen.len(), 302);
    let mut ids: Vec<JobId> = seen.into_iter().map(|job| job.id).collect();
    ids.insert(0, JobId("999999".to_owned()));
    jobs.slurm.cancel(&ids).unwrap();
    server.wait_for("all have ended", || jobs.seen().iter().all(|job| !job.state.is_live()));
    assert_eq!(jobs.end_of(&running), JobEnd::Cancelled);
    // Again, where all are over: no error.
    jobs.slurm.cancel(&ids).unwrap();
    jobs.slurm.release(&ids[..3]).unwrap();
}

#[test]
fn resources_are_asked_for_and_enforced() {
    let Some(server) = SlurmServer::shared() else { return };
    let jobs = Jobs::on(server);
    let mut job = jobs.job(0, "x=$(head -c 300000000 /dev/zero | tr '\\0' x); sleep 600");
    job.resources = Resources { threads: 3, memory_bytes: Some(64 << 20), seconds: Some(61) };
    job.options.queue = Some("second".to_owned());
    let hungry = jobs.submit(&job);
    let shown = server.control(&["show", "job", &hungry.0]);
    for part in ["CPUs/Task=3", "MinMemoryNode=64M", "TimeLimit=00:03:00", "Partition=second"] {
        assert!(shown.contains(part), "{shown}");
    }
    // This gatherer of memory ends a job by a signal and calls it neither by its name.
    assert_eq!(jobs.end_of(&hungry), JobEnd::Signalled(9));
    assert!(read(&jobs.path("out-0 100%j")).contains("memory limit"));
}

#[test]
fn a_job_beyond_its_time_is_told() {
    let Some(server) = SlurmServer::shared() else { return };
    let jobs = Jobs::on(server);
    let slow = jobs.submit(&jobs.job(0, "sleep 600"));
    let other = jobs.submit(&jobs.job(1, "sleep 600"));
    jobs.runs(&slow);
    // A limit is at least a minute; here the administrator makes it end sooner.
    server.control(&["update", &format!("JobId={slow}"), "EndTime=now+1"]);
    jobs.runs(&other);
    server.control(&["suspend", &other.0]);
    jobs.wait_until(&other, "is suspended", |state| *state == JobState::Suspended);
    jobs.slurm.cancel(&[other]).unwrap();
    jobs.wait_until(&slow, "has run for a while", |state| match state {
        JobState::Running(elapsed) => *elapsed >= Duration::from_secs(4),
        state => !state.is_live(),
    });
    // Slurm looks at limits every 30 seconds.
    assert_eq!(jobs.end_of(&slow), JobEnd::TimeLimit);
}

#[test]
fn names_of_strangers_do_not_disturb_a_look() {
    let Some(server) = SlurmServer::shared() else { return };
    let jobs = Jobs::on(server);
    let hostile = "a\nb|\u{1f}\u{1e}c -- ;$(x) %j";
    let name = format!("--job-name={hostile}");
    server.program("sbatch", &["--parsable", "-o/dev/null", &name, "--wrap=exit 0"]);
    let id = jobs.submit(&jobs.job(0, "exit 0"));
    assert_eq!(jobs.end_of(&id), JobEnd::Completed);
}

#[test]
fn a_full_queue_is_told_at_once() {
    let _heavy = SlurmServer::heavy();
    let tuning = Tuning { max_job_count: 5, ..Tuning::default() };
    let Some(server) = SlurmServer::own_with(tuning) else { return };
    let jobs = Jobs::on(&server);
    let mut job = jobs.job(0, "exit 0");
    job.hold = Hold::Held;
    assert_eq!(jobs.slurm.array_limit().unwrap(), 4);
    let full = (0..10).find_map(|_| jobs.slurm.submit(&job).err());
    let Some(SubmitError::Full(words)) = full else { panic!("{full:?}") };
    assert!(words.contains("unable to accept job"), "{words}");
}

#[test]
fn a_node_that_fails_and_a_controller_that_is_gone() {
    let _heavy = SlurmServer::heavy();
    let Some(server) = SlurmServer::own() else { return };
    let jobs = Jobs::on(&server);
    let mut job = jobs.job(0, "sleep 600");
    job.options.queue = Some("second".to_owned());
    let lost = jobs.submit(&job);
    jobs.runs(&lost);
    server.kill_node("n2");
    server.control(&["update", "NodeName=n2", "State=DOWN", "Reason=test"]);
    assert_eq!(jobs.end_of(&lost), JobEnd::NodeFailure);
    server.start_node("n2");
    let before = jobs.slurm.look().unwrap().scheduler_started.unwrap();
    server.stop_controller();
    let began = Instant::now();
    assert!(jobs.slurm.look().is_err());
    assert!(jobs.slurm.cancel(std::slice::from_ref(&lost)).is_err());
    assert!(jobs.slurm.release(std::slice::from_ref(&lost)).is_err());
    assert!(matches!(jobs.slurm.submit(&job), Err(SubmitError::InDoubt(_))));
    assert!(began.elapsed() < SCHEDULER_CALL + Duration::from_secs(5));
    server.start_controller();
    let queue = jobs.slurm.look().unwrap();
    assert_ne!(queue.scheduler_started, Some(before));
    assert_eq!(jobs.state(&lost), Some(JobState::Ended(JobEnd::NodeFailure)));
    // What it acknowledged last can be gone after a crash, and is then not shown; the look is whole.
    job.hold = Hold::Held;
    let forgotten = jobs.submit(&job);
    // Slurm tells its start to the second.
    let began = Instant::now();
    server.wait_for("the next second", || began.elapsed() > Duration::from_secs(1));
    server.kill_controller();
    server.start_controller();
    assert_ne!(jobs.slurm.look().unwrap().scheduler_started, queue.scheduler_started);
    assert!(matches!(jobs.state(&forgotten), None | Some(JobState::Held)));
}
