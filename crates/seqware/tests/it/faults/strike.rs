//! What is done to the victim of a cell, once, and how it is healed.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use super::cell::{Cell, Engine, Manner, Victim};
use super::cluster::Cluster;
use super::postgres::cut_connections;
use super::scene::{
    LAUNCH, LEASE, PROPAGATE, Scene, is_alive, is_stopped, patiently, put_in_front, signal_process,
};

/// Longer than a claim lasts, and than what was seen of a job takes to settle.
const LONGER_THAN_A_CLAIM: Duration = Duration::from_millis(LEASE as u64 * 1_000 + 2_500);

/// How long something is away.
const AWAY: Duration = Duration::from_secs(6);

/// How long somebody else has SQLite's write lock: longer than a writer waits for it.
const LOCKED: Duration = Duration::from_secs(12);

/// Holds SQLite's write lock, a byte of the shared memory beside a database in WAL mode, as another
/// program that writes would.
const LOCKER: &str = r#"
use Fcntl;
open(my $file, "+<", $ARGV[0]) or die "open: $!";
my $lock = pack("s s x4 q q l x4", F_WRLCK, 0, 120, 1, 0);
fcntl($file, F_SETLKW, $lock) or die "lock: $!";
$| = 1;
print "locked\n";
sleep $ARGV[1];
"#;

/// Strikes the victim; tells whether it was struck as meant.
pub fn strike(cell: &Cell, scene: &mut Scene) -> bool {
    match cell.victim {
        Victim::Launcher => tick_at(cell, scene, &LAUNCH),
        Victim::Propagator => propagator(cell, scene),
        Victim::Canceller => canceller(cell, scene),
        Victim::Retrier => retrier(cell, scene),
        Victim::Launchers => overlap(scene),
        Victim::Supervisor => supervisor(cell, scene),
        Victim::Guardian => guardian(cell, scene),
        Victim::Both => at_the_gate(scene, |scene| {
            // The guardian first: else it would be the one to see how the steps end.
            scene.site.kill(" guard") > 0 && scene.site.kill(" supervise") > 0
        }),
        Victim::Runner => runner(cell, scene),
        Victim::Submission => submission(cell, scene),
        Victim::Service => at_moment(cell, scene, |scene| {
            scene.site.kill_service();
            scene.site.serve();
        }),
        Victim::Metadb => metadb(cell, scene),
        Victim::Controller => controller(cell, scene),
        Victim::Node => node(scene),
        Victim::Records => records(scene),
    }
}

/// Kills a tick at a point; or stops it, lets others go on, and lets it go on.
fn tick_at(cell: &Cell, scene: &mut Scene, words: &[&str]) -> bool {
    match cell.manner {
        Manner::Stall => {
            scene.meanwhile(words, cell.place, |scene| scene.ticks_for(LONGER_THAN_A_CLAIM))
        }
        _ => scene.kill_at(words, cell.place),
    }
}

fn propagator(cell: &Cell, scene: &mut Scene) -> bool {
    if cell.place == "propagator.claimed" {
        // It has something to do where a launcher was killed halfway.
        let halfway =
            if cell.engine == Engine::Local { "launcher.agreed" } else { "launcher.launched" };
        if !scene.kill_at(&LAUNCH, halfway) {
            return false;
        }
    } else {
        scene.tick(&LAUNCH);
    }
    tick_at(cell, scene, &PROPAGATE)
}

fn canceller(cell: &Cell, scene: &mut Scene) -> bool {
    if !scene.wait_at_gate() {
        return false;
    }
    for run in &scene.runs {
        scene.bob.seqware(&["workflow-run", "cancel", "--accession", &run.to_string()]).ok();
    }
    tick_at(cell, scene, &PROPAGATE)
}

/// Lets a step of every run fail, cures it, asks for a retry, and strikes whoever answers.
fn retrier(cell: &Cell, scene: &mut Scene) -> bool {
    let has_failed = |run: &i64| scene.bob.status(*run) == "failed";
    if !scene.ticks_until(|| scene.runs.iter().all(has_failed)) {
        return false;
    }
    std::fs::write(scene.site.path("cure"), "").unwrap();
    for run in &scene.runs {
        scene.bob.seqware(&["workflow-run", "retry", "--accession", &run.to_string()]).ok();
    }
    tick_at(cell, scene, &LAUNCH)
}

fn overlap(scene: &Scene) -> bool {
    let start = |number: usize| match number % 3 {
        2 => scene.start(&PROPAGATE),
        _ => scene.start(&LAUNCH),
    };
    let ticks: Vec<Child> = (0..9).map(start).collect();
    ticks.into_iter().all(|mut tick| tick.wait().unwrap().success())
}

fn at_the_gate(scene: &mut Scene, act: impl FnOnce(&mut Scene) -> bool) -> bool {
    let is_struck = scene.wait_at_gate() && act(scene);
    scene.open_gate();
    is_struck
}

fn supervisor(cell: &Cell, scene: &mut Scene) -> bool {
    match (cell.place, cell.manner) {
        ("any", _) => at_the_gate(scene, |scene| scene.site.kill(" supervise") > 0),
        (point, Manner::Stall) => {
            let is_struck = scene.launch_with_supervisor(&format!("{point}=stall"), " supervise");
            scene.ticks_for(LONGER_THAN_A_CLAIM);
            scene.signal(" supervise", Signal::CONT);
            is_struck
        }
        (point, _) => scene.launch_with_supervisor(&format!("{point}=kill"), " supervise"),
    }
}

fn guardian(cell: &Cell, scene: &mut Scene) -> bool {
    match cell.place {
        "guardian.started" => scene.launch_with_supervisor("guardian.started=kill", " guard"),
        "guardian.orphaned" => {
            let mut launch = scene.bob.command();
            launch.args(LAUNCH).env("NIASSA_FAILPOINT", "guardian.orphaned=kill");
            launch.stdout(Stdio::null()).stderr(Stdio::null());
            assert!(launch.status().unwrap().success());
            at_the_gate(scene, |scene| {
                let is_killed = scene.site.kill(" supervise") > 0;
                let has_guardian = |(_, line): &(i32, String)| line.contains(" guard");
                is_killed && patiently(|| !scene.site.processes().iter().any(has_guardian))
            })
        }
        _ => at_the_gate(scene, |scene| scene.site.kill(" guard") > 0),
    }
}

fn runner(cell: &Cell, scene: &mut Scene) -> bool {
    if !scene.ticks_until(|| scene.struck_runner().is_some()) {
        return false;
    }
    let Some(pid) = scene.struck_runner() else { return false };
    if cell.manner != Manner::Stall {
        return patiently(|| !is_alive(pid));
    }
    let is_struck = patiently(|| is_stopped(pid));
    scene.ticks_for(LONGER_THAN_A_CLAIM);
    signal_process(pid.cast_signed(), Signal::CONT);
    is_struck
}

/// Puts a program in front of the one that submits, which goes wrong once.
fn submission(cell: &Cell, scene: &mut Scene) -> bool {
    let Some(cluster) = &scene.cluster else { return false };
    let once = scene.site.path("once");
    let text = wrong_submitter(cell, cluster, &once);
    let folder = scene.site.path("in-front");
    std::fs::create_dir(&folder).unwrap();
    let launcher = scene.bob.with([put_in_front(&folder, cluster.submitter().0, &text)]);
    let is_killed = launcher.seqware(&LAUNCH).code == -1;
    once.exists() && is_killed == (cell.manner == Manner::Late)
}

/// Returns a program that goes wrong once, as the cell says, and then is the one that submits.
pub fn wrong_submitter(cell: &Cell, cluster: &Cluster, once: &Path) -> String {
    let (program, doubtful) = cluster.submitter();
    let no_answer = format!("\"$real\" \"$@\" >/dev/null; echo '{doubtful}' >&2; exit 1");
    let wrong = match (cell.manner, cell.place) {
        (Manner::Kill, "before") => "kill -9 $$",
        (Manner::Kill, _) => "\"$real\" \"$@\" >/dev/null; kill -9 $$",
        (Manner::Mute, "refusal") => &no_answer,
        (Manner::Mute, _) => "\"$real\" \"$@\" >/dev/null; sleep 600",
        // The launcher is killed; what it started comes through when others have gone on.
        (_, _) => "kill -9 $PPID; sleep 8; \"$real\" \"$@\" >/dev/null; exit 0",
    };
    format!(
        "#!/bin/bash\n\
         real=$(PATH=${{PATH#*:}} command -v {program})\n\
         if mkdir '{once}' 2>/dev/null; then\n{wrong}\nfi\n\
         exec \"$real\" \"$@\"\n",
        once = once.display(),
    )
}

/// Holds a launcher or a propagator at the cell's place, and lets something happen meanwhile.
fn at_moment(cell: &Cell, scene: &mut Scene, act: impl FnOnce(&mut Scene)) -> bool {
    if cell.place.starts_with("launcher.") {
        return scene.meanwhile(&LAUNCH, cell.place, act);
    }
    scene.tick(&LAUNCH);
    scene.meanwhile(&PROPAGATE, cell.place, act)
}

fn metadb(cell: &Cell, scene: &mut Scene) -> bool {
    match cell.manner {
        Manner::Cut => at_moment(cell, scene, |scene| cut_connections(scene.site.metadb())),
        Manner::Restart => at_moment(cell, scene, |scene| {
            scene.postgres.as_mut().expect("a server of its own").restart();
        }),
        _ => {
            let mut locker = None;
            let is_struck = at_moment(cell, scene, |scene| {
                locker = Some(lock(Path::new(scene.site.metadb())));
            });
            let Some(mut locker) = locker else { return false };
            scene.ticks_for(Duration::from_secs(1));
            is_struck && locker.wait().unwrap().success()
        }
    }
}

/// Starts somebody who has SQLite's write lock for a while; it has it when this returns.
fn lock(database: &Path) -> Child {
    use std::io::Read;

    let mut shared = database.as_os_str().to_owned();
    shared.push("-shm");
    let mut locker = Command::new("perl")
        .args(["-e", LOCKER])
        .arg(shared)
        .arg(LOCKED.as_secs().to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = [0; 7];
    locker.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
    locker
}

fn controller(cell: &Cell, scene: &mut Scene) -> bool {
    if cell.manner == Manner::Away {
        return controller_away(cell, scene);
    }
    let crash = |scene: &Scene| {
        let cluster = scene.cluster.as_ref().expect("a cluster");
        cluster.kill_controller();
        cluster.start_controller();
    };
    match cell.place {
        "running" => at_the_gate(scene, |scene| {
            crash(scene);
            true
        }),
        "ended" => {
            let is_struck = scene.wait_at_gate();
            let cluster = scene.cluster.as_ref().expect("a cluster");
            cluster.kill_controller();
            scene.open_gate();
            let ended = || ended_attempts(&scene.site.work_dir(), "1-left") == scene.runs.len();
            let is_struck = is_struck && patiently(ended);
            cluster.start_controller();
            is_struck
        }
        point => scene.meanwhile(&LAUNCH, point, |scene| crash(scene)),
    }
}

fn controller_away(cell: &Cell, scene: &mut Scene) -> bool {
    let is_running = cell.place == "running";
    let is_ready = !is_running || scene.wait_at_gate();
    let cluster = scene.cluster.as_ref().expect("a cluster");
    cluster.kill_controller();
    scene.ticks_for(AWAY / 2);
    scene.open_gate();
    scene.ticks_for(AWAY / 2);
    cluster.start_controller();
    is_ready
}

/// Counts the attempts of a step, over all runs, that have an `exit.json`.
fn ended_attempts(work_dir: &Path, step: &str) -> usize {
    let runs = std::fs::read_dir(work_dir).into_iter().flatten().flatten();
    let attempt = format!("steps/0/{step}/attempt-1/exit.json");
    runs.filter(|run| run.path().join(&attempt).exists()).count()
}

fn node(scene: &mut Scene) -> bool {
    if !scene.wait_at_gate() {
        return false;
    }
    let cluster = scene.cluster.as_ref().expect("a cluster");
    let node = cluster.kill_busy_node(&scene.site.work_dir());
    scene.ticks_for(AWAY);
    scene.open_gate();
    cluster.start_node(node);
    true
}

/// Launches, and looks away until the scheduler has forgotten every job.
fn records(scene: &mut Scene) -> bool {
    scene.tick(&LAUNCH);
    let cluster = scene.cluster.as_ref().expect("a cluster");
    let mark = scene.site.work_dir().display().to_string();
    let is_all_done = || ended_attempts(&scene.site.work_dir(), "3-bottom") == scene.runs.len();
    patiently(is_all_done) && patiently(|| !cluster.queue().contains(&mark))
}
