//! The Grid Engine adapter with a real Grid Engine: what is submitted, seen, released, cancelled and
//! accounted for.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use niassa_model::job::{JobEnd, JobId, JobName, JobState, SeenJob};
use niassa_model::resources::Resources;
use niassa_pipeline::engine::cluster::sge::GridEngine;
use niassa_pipeline::engine::cluster::{
    ClusterSettings, Hold, JobOptions, JobRequest, Scheduler, SubmitError,
};

use crate::sge_server::SgeServer;
use crate::site::wait_for;

/// Held for writing by the one test that stops the qmaster.
pub static QMASTER: RwLock<()> = RwLock::new(());

/// A Grid Engine, and a folder for jobs and what they write.
struct Bench {
    server: &'static SgeServer,
    engine: GridEngine,
    folder: tempfile::TempDir,
    /// Tells the runs of this test from those of others.
    tag: String,
    _qmaster_runs: Option<RwLockReadGuard<'static, ()>>,
}

impl Bench {
    fn start() -> Option<Self> {
        let qmaster_runs = QMASTER.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        Self::with(Some(qmaster_runs))
    }

    fn with(qmaster_runs: Option<RwLockReadGuard<'static, ()>>) -> Option<Self> {
        let server = SgeServer::shared()?;
        let mut environment = server.environment();
        environment.push(("NIASSA_PLAIN".into(), "a,b=c \\ %s".into()));
        environment.push(("NIASSA_LINES".into(), "one\ntwo".into()));
        environment.push(("BASH_FUNC_module%%".into(), "() {  echo; }".into()));
        environment.push(("TZ".into(), "America/Toronto".into()));
        let settings = ClusterSettings {
            environment,
            sge_threads: Some("-pe serial ${threads}".to_owned()),
            sge_memory: Some("-l h_vmem=${maxMemory}M".to_owned()),
            ..ClusterSettings::default()
        };
        let tag = rand::random::<[u8; 10]>().map(|byte| char::from(b'a' + byte % 26));
        Some(Self {
            server,
            engine: GridEngine::new(settings),
            folder: tempfile::tempdir().unwrap(),
            tag: tag.iter().collect(),
            _qmaster_runs: qmaster_runs,
        })
    }

    fn name(&self, step: u32) -> JobName {
        format!("nia-7-{}-s{step}-a1", self.tag).parse().unwrap()
    }

    /// Returns a job whose script has these lines.
    fn job(&self, step: u32, script: &str) -> JobRequest {
        let path = self.path(&format!("{step}.sh"));
        fs::write(&path, script).unwrap();
        JobRequest {
            name: self.name(step),
            script: path,
            arguments: Vec::new(),
            elements: None,
            directory: self.folder.path().to_owned(),
            output: self.path(&format!("{step}.out")),
            resources: Resources::default(),
            after: Vec::new(),
            hold: Hold::Free,
            delay_seconds: 0,
            options: JobOptions::default(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn submit(&self, job: &JobRequest) -> JobId {
        self.engine.submit(job).unwrap()
    }

    /// Returns this test's jobs of one step.
    fn seen(&self, step: u32) -> Vec<SeenJob> {
        let name = self.name(step);
        self.engine.look().unwrap().jobs.into_iter().filter(|job| job.name == name).collect()
    }

    fn state(&self, step: u32) -> Option<JobState> {
        self.seen(step).pop().map(|job| job.state)
    }

    fn wait_for_state(&self, step: u32, wanted: &JobState) {
        wait_for(&format!("job {step} is {wanted:?}"), || {
            self.state(step).as_ref() == Some(wanted)
        });
    }

    fn wait_until_gone(&self, steps: &[u32]) {
        wait_for(&format!("{steps:?} are gone"), || {
            let names: Vec<_> = steps.iter().map(|step| self.name(*step)).collect();
            !self.engine.look().unwrap().jobs.iter().any(|job| names.contains(&job.name))
        });
    }

    /// Waits until the accounting tells how a job ended.
    fn end(&self, id: &JobId) -> JobEnd {
        let mut end = None;
        wait_for(&format!("the accounting knows {id}"), || {
            let ends = self.engine.ends(std::slice::from_ref(id)).unwrap();
            end = ends.into_iter().find(|job| job.id == *id).map(|job| job.end);
            end.is_some()
        });
        end.unwrap()
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }
}

#[test]
fn a_held_job_runs_once_it_is_released() {
    let Some(bench) = Bench::start() else { return };
    // What looks like options in a script is none; neither are words behind it.
    let script = "#!/bin/bash\n#$ -N evil -q nothere.q\n#$ -h\nprintf '<%s>\\n' \"$@\"; pwd; \
        echo \"$NIASSA_PLAIN|$NIASSA_LINES|$TZ\"\n";
    let mut job = bench.job(1, script);
    job.hold = Hold::Held;
    job.directory = bench.path("a b:c");
    job.output = bench.path("a b:c/out");
    fs::create_dir(&job.directory).unwrap();
    job.arguments = ["--", "-N", "$HOME `id`", "*", "it's", "\"", ""].map(Into::into).to_vec();
    let id = bench.submit(&job);
    let seen = bench.seen(1);
    assert_eq!(seen.len(), 1);
    assert_eq!((&seen[0].id, &seen[0].state, seen[0].element), (&id, &JobState::Held, None));
    bench.engine.release(&[JobId("4000000000".to_owned()), id.clone()]).unwrap();
    bench.wait_until_gone(&[1]);
    assert_eq!(bench.end(&id), JobEnd::Completed);
    let expected = format!(
        "<-->\n<-N>\n<$HOME `id`>\n<*>\n<it's>\n<\">\n<>\n{}\na,b=c \\ %s||America/Toronto\n",
        job.directory.display()
    );
    assert_eq!(fs::read_to_string(&job.output).unwrap(), expected);
}

#[test]
fn a_job_that_waits_for_another_is_not_held() {
    let Some(bench) = Bench::start() else { return };
    let first = bench.submit(&JobRequest { hold: Hold::Held, ..bench.job(1, "exit 0") });
    let after = vec![first.clone()];
    bench.submit(&JobRequest { after: after.clone(), ..bench.job(2, "exit 0") });
    let both = bench.submit(&JobRequest { after, hold: Hold::Held, ..bench.job(3, "exit 0") });
    assert_eq!(bench.state(1), Some(JobState::Held));
    assert_eq!(bench.state(2), Some(JobState::Waiting));
    assert_eq!(bench.state(3), Some(JobState::Held));
    bench.engine.release(&[both]).unwrap();
    assert_eq!(bench.state(3), Some(JobState::Waiting));
    bench.engine.release(&[first]).unwrap();
    bench.wait_until_gone(&[1, 2, 3]);
}

#[test]
fn an_array_is_seen_by_its_elements() {
    let Some(bench) = Bench::start() else { return };
    let mut job = bench.job(1, "echo $SGE_TASK_ID >>tasks; exec sleep 600");
    job.elements = Some(4);
    job.hold = Hold::Held;
    let id = bench.submit(&job);
    assert_eq!(id.whole(), id.0, "an array has one number");
    let element = |number: u32| JobId(format!("{id}.{number}"));
    let elements: Vec<_> = bench.seen(1).into_iter().map(|job| (job.id, job.element)).collect();
    assert_eq!(elements, [1, 2, 3, 4].map(|number| (element(number), Some(number))));
    bench.engine.cancel(&[element(2)]).unwrap();
    bench.engine.release(&[element(1), element(3)]).unwrap();
    let running = || {
        let jobs = bench.seen(1).into_iter();
        let jobs = jobs.filter(|job| matches!(job.state, JobState::Running(_)));
        jobs.filter_map(|job| job.element).collect::<Vec<_>>()
    };
    wait_for("two elements run", || running() == [1, 3]);
    wait_for("they have started", || bench.text("tasks").lines().count() == 2);
    bench.engine.cancel(&[element(3)]).unwrap();
    wait_for("one is left", || running() == [1]);
    assert_eq!(bench.end(&element(3)), JobEnd::Signalled(9));
    bench.engine.cancel(std::slice::from_ref(&id)).unwrap();
    bench.wait_until_gone(&[1]);
    wait_for("the whole array tells of its elements", || {
        let ends = bench.engine.ends(std::slice::from_ref(&id)).unwrap();
        let mut ids: Vec<_> = ends.into_iter().map(|job| job.id).collect();
        ids.sort();
        ids == [element(1), element(3)]
    });
}

#[test]
fn what_the_cluster_will_not_have_is_refused() {
    let Some(bench) = Bench::start() else { return };
    let with =
        |options: JobOptions| bench.engine.submit(&JobRequest { options, ..bench.job(1, "") });
    let queue = JobOptions { queue: Some("nothere.q".to_owned()), ..JobOptions::default() };
    let project = JobOptions { project: Some("nothere".to_owned()), ..JobOptions::default() };
    for outcome in [with(queue), with(project)] {
        let Err(SubmitError::Refused(why)) = outcome else { panic!("{outcome:?}") };
        assert!(why.contains("nothere"), "{why}");
    }
    let missing = bench.path("missing.sh");
    let outcome = bench.engine.submit(&JobRequest { script: missing, ..bench.job(1, "") });
    assert!(matches!(outcome, Err(SubmitError::Refused(_))), "{outcome:?}");
    assert_eq!(bench.seen(1), []);
}

#[test]
fn many_jobs_are_cancelled_at_once_and_unknown_ones_passed_over() {
    let Some(bench) = Bench::start() else { return };
    let script = "touch began; exec sleep 600";
    let held = JobRequest { hold: Hold::Held, ..bench.job(1, script) };
    let mut ids: Vec<JobId> = (0..12).map(|_| bench.submit(&held)).collect();
    ids.push(bench.submit(&bench.job(1, script)));
    ids.extend((0..250).map(|number| JobId((4_000_000_000_u64 + number).to_string())));
    ids.push(bench.submit(&JobRequest { delay_seconds: 3_600, ..bench.job(1, script) }));
    assert_eq!(bench.seen(1).len(), 14);
    // A job that is cancelled on its way to its node can stay for a minute longer.
    wait_for("the free one runs", || bench.path("began").exists());
    bench.engine.cancel(&ids).unwrap();
    bench.wait_until_gone(&[1]);
    bench.engine.cancel(&ids).unwrap();
    bench.engine.release(&ids).unwrap();
}

#[test]
fn a_job_that_cannot_start_is_stuck() {
    let Some(bench) = Bench::start() else { return };
    let job = JobRequest { directory: bench.path("nowhere"), ..bench.job(1, "exit 0") };
    let id = bench.submit(&job);
    bench.wait_for_state(1, &JobState::Stuck);
    assert_eq!(bench.end(&id), JobEnd::CouldNotStart);
    bench.engine.cancel(&[id]).unwrap();
    bench.wait_until_gone(&[1]);
}

#[test]
fn the_accounting_tells_how_jobs_ended() {
    let Some(bench) = Bench::start() else { return };
    let exited = bench.submit(&bench.job(1, "exit 3"));
    let killed = bench.submit(&bench.job(2, "kill -9 $$"));
    let asked = Resources { threads: 2, memory_bytes: Some(1 << 30), seconds: None };
    let threads = bench.submit(&JobRequest { resources: asked, ..bench.job(3, "echo $NSLOTS") });
    // The grace of a limit that a step asks for is a minute: here the site gives one of its own.
    let settings = ClusterSettings {
        environment: bench.server.environment(),
        sge_extra: vec!["-l".to_owned(), "h_rt=1".to_owned()],
        ..ClusterSettings::default()
    };
    let late = GridEngine::new(settings).submit(&bench.job(4, "exec sleep 600")).unwrap();
    assert_eq!(bench.end(&exited), JobEnd::Exited(3));
    assert_eq!(bench.end(&killed), JobEnd::Signalled(9));
    assert_eq!(bench.end(&threads), JobEnd::Completed);
    assert_eq!(bench.text("3.out"), "2\n");
    assert_eq!(bench.end(&late), JobEnd::TimeLimit);
    // Where the file's place is not known, `qacct` tells the same: here it finds the cell through a
    // wrapper, as on a machine whose programs know their own place.
    let wrapper = bench.path("qacct");
    let names = bench
        .server
        .environment()
        .into_iter()
        .map(|(name, value)| format!("export {}='{}'\n", name.display(), value.display()));
    let script = format!("#!/bin/bash\n{}exec qacct \"$@\"\n", names.collect::<String>());
    fs::write(&wrapper, script).unwrap();
    assert!(Command::new("chmod").arg("755").arg(&wrapper).status().unwrap().success());
    let path = format!("{}:/usr/bin:/bin", bench.folder.path().display());
    let environment = vec![("PATH".into(), path.into())];
    let other = GridEngine::new(ClusterSettings { environment, ..ClusterSettings::default() });
    let unknown = JobId("4000000000".to_owned());
    let ends = other.ends(&[exited.clone(), unknown, late.clone()]).unwrap();
    let mut ends: Vec<_> = ends.into_iter().map(|job| (job.id, job.end)).collect();
    ends.sort_by_key(|(id, _)| id.0.parse::<u64>().unwrap());
    assert_eq!(ends, [(exited, JobEnd::Exited(3)), (late, JobEnd::TimeLimit)]);
}

#[test]
fn a_delayed_job_waits_and_a_running_one_tells_for_how_long() {
    let Some(bench) = Bench::start() else { return };
    let begun = Instant::now();
    bench.submit(&JobRequest { delay_seconds: 2, ..bench.job(1, "exec sleep 600") });
    assert_eq!(bench.state(1), Some(JobState::Waiting));
    wait_for("it runs", || matches!(bench.state(1), Some(JobState::Running(_))));
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
    wait_for(
        "it has run for two seconds",
        || matches!(bench.state(1), Some(JobState::Running(time)) if time >= Duration::from_secs(2)),
    );
    let seen = bench.seen(1).pop().unwrap();
    assert!(matches!(seen.state, JobState::Running(time) if time <= begun.elapsed()), "{seen:?}");
    assert!(seen.node.is_some());
    bench.engine.cancel(&[seen.id]).unwrap();
    bench.wait_until_gone(&[1]);
}

#[test]
fn jobs_of_other_users_are_not_seen() {
    let Some(bench) = Bench::start() else { return };
    let name = bench.name(1).to_string();
    let mut command = Command::new("runuser");
    command.args(["-u", bench.server.user(), "--", "env"]);
    for (name, value) in bench.server.environment() {
        command.arg(format!("{}={}", name.display(), value.display()));
    }
    let options = ["qsub", "-terse", "-h", "-b", "y", "-N", &name, "/bin/true"];
    let said = command.args(options).current_dir("/").output().unwrap();
    assert!(said.status.success(), "{said:?}");
    assert!(bench.server.tell("qstat", &["-u", "*"]).contains(bench.server.user()));
    assert_eq!(bench.seen(1), []);
    bench.server.tell("qdel", &[&name, "-u", bench.server.user()]);
}

#[test]
fn the_cluster_tells_its_name_and_limits() {
    let Some(bench) = Bench::start() else { return };
    let name = bench.engine.cluster_name().unwrap();
    let (host, cell) = name.rsplit_once('.').unwrap();
    assert!(!host.is_empty() && cell == "test", "{name}");
    assert_eq!(bench.engine.array_limit().unwrap(), 75_000);
}

#[test]
fn a_full_queue_is_not_a_refusal() {
    let _alone = QMASTER.write().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(bench) = Bench::with(None) else { return };
    let job = JobRequest { hold: Hold::Held, ..bench.job(1, "exit 0") };
    let id = bench.submit(&job);
    let before = bench.server.tell("qconf", &["-sconf"]);
    // The program takes the name of the file for what is configured.
    let file = bench.path("global");
    let configure = |text: &str| {
        fs::write(&file, text).unwrap();
        bench.server.tell("qconf", &["-Mconf", file.to_str().unwrap()]);
    };
    let limits = ["max_u_jobs", "max_jobs"].map(|limit| {
        let lines = before.lines().map(|line| match line.split_whitespace().next() {
            Some(name) if name == limit => format!("{limit} 1\n"),
            _ => format!("{line}\n"),
        });
        configure(&lines.collect::<String>());
        bench.engine.submit(&job)
    });
    configure(&before);
    for outcome in limits {
        assert!(matches!(outcome, Err(SubmitError::Full(_))), "{outcome:?}");
    }
    bench.engine.cancel(&[id]).unwrap();
    bench.wait_until_gone(&[1]);
}

#[test]
fn without_a_qmaster_nothing_is_known() {
    let _alone = QMASTER.write().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(bench) = Bench::with(None) else { return };
    bench.submit(&JobRequest { hold: Hold::Held, ..bench.job(1, "exit 0") });
    let running = bench.job(3, "touch began; until [ -e go ]; do sleep 0.05; done; touch over");
    let running = bench.submit(&running);
    wait_for("a job runs", || bench.path("began").exists());
    bench.server.stop_master();
    let begun = Instant::now();
    let looked = bench.engine.look();
    let submitted = bench.engine.submit(&bench.job(2, "exit 0"));
    let some = [JobId("1".to_owned())];
    let failed = [
        bench.engine.release(&some).is_err(),
        bench.engine.cancel(&some).is_err(),
        bench.engine.cluster_name().is_err(),
        bench.engine.array_limit().is_err(),
    ];
    let took = begun.elapsed();
    fs::write(bench.path("go"), "").unwrap();
    wait_for("the job ends meanwhile", || bench.path("over").exists());
    bench.server.start_master();
    assert!(looked.is_err(), "{looked:?}");
    assert!(matches!(submitted, Err(SubmitError::InDoubt(_))), "{submitted:?}");
    assert_eq!(failed, [true; 4]);
    assert!(took < Duration::from_mins(1), "{took:?}");
    // It remembers its jobs; what ended meanwhile it learns late.
    let seen = bench.seen(1);
    assert_eq!(seen.len(), 1);
    bench.engine.cancel(&[seen[0].id.clone(), running]).unwrap();
    bench.wait_until_gone(&[1]);
}
