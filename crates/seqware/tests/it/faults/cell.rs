//! A cell: on which engine and database, who is struck, where and how; and all cells there are.

use std::fmt;

/// The engine a cell's runs are launched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Engine {
    Local,
    Slurm,
    Sge,
}

/// Who is struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Victim {
    /// `launch-scheduled`, at one of its points.
    Launcher,
    /// `propagate-statuses`, at one of its points.
    Propagator,
    /// The tick that carries out a cancel, at one of its points.
    Canceller,
    /// The launcher that answers a request to retry, at one of its points.
    Retrier,
    /// Several launchers at the same time, nobody is killed.
    Launchers,
    /// The supervisor of the local engine, at one of its points.
    Supervisor,
    /// The guardian of the local engine.
    Guardian,
    /// Supervisor and guardian together.
    Both,
    /// The step runner on a node, at one of its points.
    Runner,
    /// The program that submits a job.
    Submission,
    /// The Web Service, while a launcher or a propagator is at one of its points.
    Service,
    /// The MetaDB, in the same way.
    Metadb,
    /// The scheduler's controller.
    Controller,
    /// A node with whatever runs on it.
    Node,
    /// What the scheduler remembers of jobs that have ended.
    Records,
}

/// What is done to the victim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Manner {
    /// SIGKILL; what is a daemon is started again.
    Kill,
    /// SIGSTOP for longer than a claim lasts, while others go on; then SIGCONT.
    Stall,
    /// PostgreSQL is shut down at once and started again.
    Restart,
    /// All connections to PostgreSQL are cut.
    Cut,
    /// Somebody else has SQLite's write lock for twelve seconds.
    Lock,
    /// The answer of a program never arrives.
    Mute,
    /// The program comes through long after its launcher was killed.
    Late,
    /// Away for a while.
    Away,
    /// Forgotten as soon as the scheduler may.
    Purge,
    /// At the same time.
    Overlap,
}

/// One crash test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    pub engine: Engine,
    pub postgres: bool,
    pub victim: Victim,
    /// A failpoint, or a word for the moment.
    pub place: &'static str,
    pub manner: Manner,
}

/// Cells of one kind differ in the place and the database only.
pub type Kind = (Engine, Victim, Manner);

/// Points of a launcher on every engine.
const LAUNCHER: [&str; 4] =
    ["launcher.claimed", "launcher.directory", "launcher.planned", "launcher.done"];
const LAUNCHER_LOCAL: [&str; 5] = [
    "launcher.prepared",
    "launcher.agreed",
    "launcher.kept",
    "launcher.written",
    "launcher.delivered",
];
const LAUNCHER_CLUSTER: [&str; 11] = [
    "launcher.looked",
    "launcher.recorded",
    "launcher.ended",
    "launcher.intended",
    "launcher.to-submit",
    "launcher.submitting",
    "launcher.noted",
    "launcher.submitted",
    "launcher.launched",
    "launcher.let-go",
    "launcher.released",
];
const PROPAGATOR: [&str; 4] =
    ["propagator.read", "propagator.recorded", "propagator.kept", "propagator.claimed"];
const PROPAGATOR_CLUSTER: [&str; 2] = ["propagator.looked", "propagator.told"];
const CANCELLER_LOCAL: [&str; 3] = ["propagator.claimed", "launcher.agreed", "launcher.delivered"];
const CANCELLER_CLUSTER: [&str; 4] =
    ["propagator.claimed", "launcher.closing", "launcher.closed", "launcher.ended"];
const RETRIER_LOCAL: [&str; 4] =
    ["launcher.claimed", "launcher.prepared", "launcher.agreed", "launcher.delivered"];
const RETRIER_CLUSTER: [&str; 5] = [
    "launcher.looked",
    "launcher.recorded",
    "launcher.intended",
    "launcher.submitting",
    "launcher.launched",
];
const SUPERVISOR: [&str; 14] = [
    "supervisor.ordered",
    "supervisor.granted",
    "supervisor.synced",
    "supervisor.spawned",
    "supervisor.started",
    "supervisor.said",
    "supervisor.ended",
    "supervisor.ran",
    "supervisor.provisioned",
    "supervisor.exited",
    "supervisor.told",
    RETIRING[0],
    RETIRING[1],
    "any",
];
/// Points that are reached where journals are so small that they are retired at once.
const RETIRING: [&str; 2] = ["supervisor.archived", "supervisor.retired"];
const RUNNER: [&str; 7] = [
    "runner.begun",
    "runner.before-claim",
    "runner.claimed",
    "runner.started",
    "runner.ended",
    "runner.before-exit",
    "runner.after-exit",
];
/// Where others are when service or MetaDB are struck.
const MOMENTS: [&str; 2] = ["launcher.claimed", "propagator.recorded"];
const MOMENTS_LOCAL: [&str; 2] = ["launcher.agreed", "launcher.delivered"];
const MOMENTS_CLUSTER: [&str; 3] = ["launcher.recorded", "launcher.submitted", "launcher.launched"];
const CONTROLLER: [&str; 6] = [
    "launcher.intended",
    "launcher.noted",
    "launcher.submitted",
    "launcher.released",
    "running",
    "ended",
];

/// Returns the whole matrix, in a fixed order.
pub fn all() -> Vec<Cell> {
    let mut cells = Vec::new();
    for engine in [Engine::Local, Engine::Slurm, Engine::Sge] {
        for postgres in [false, true] {
            let mut add = |victim, manner, places: &[&'static str]| {
                let cell = |place: &&'static str| Cell { engine, postgres, victim, place, manner };
                cells.extend(places.iter().map(cell));
            };
            of_every_engine(engine, postgres, &mut add);
            match engine {
                Engine::Local => of_local(&mut add),
                Engine::Slurm | Engine::Sge => of_clusters(engine, &mut add),
            }
        }
    }
    cells
}

/// Adds cells of a victim and a manner, one for each place.
type Add<'cells> = dyn FnMut(Victim, Manner, &[&'static str]) + 'cells;

fn of_every_engine(engine: Engine, postgres: bool, add: &mut Add<'_>) {
    let is_local = engine == Engine::Local;
    let (points, further): (&[&str], &[&str]) = match is_local {
        true => (&LAUNCHER_LOCAL, &[]),
        false => (&LAUNCHER_CLUSTER, &PROPAGATOR_CLUSTER),
    };
    for manner in [Manner::Kill, Manner::Stall] {
        add(Victim::Launcher, manner, &LAUNCHER);
        add(Victim::Launcher, manner, points);
        add(Victim::Propagator, manner, &PROPAGATOR);
        add(Victim::Propagator, manner, further);
        let closing: &[&str] = if is_local { &CANCELLER_LOCAL } else { &CANCELLER_CLUSTER };
        add(Victim::Canceller, manner, closing);
        let retrying: &[&str] = if is_local { &RETRIER_LOCAL } else { &RETRIER_CLUSTER };
        add(Victim::Retrier, manner, retrying);
    }
    add(Victim::Launchers, Manner::Overlap, &["any"]);
    let moments: &[&str] = if is_local { &MOMENTS_LOCAL } else { &MOMENTS_CLUSTER };
    let of_metadb: &[Manner] =
        if postgres { &[Manner::Restart, Manner::Cut] } else { &[Manner::Lock] };
    for places in [&MOMENTS, moments] {
        add(Victim::Service, Manner::Kill, places);
        for manner in of_metadb {
            add(Victim::Metadb, *manner, places);
        }
    }
}

fn of_local(add: &mut Add<'_>) {
    add(Victim::Supervisor, Manner::Kill, &SUPERVISOR);
    add(Victim::Supervisor, Manner::Stall, &SUPERVISOR[..SUPERVISOR.len() - 1]);
    add(Victim::Guardian, Manner::Kill, &["guardian.started", "guardian.orphaned", "any"]);
    add(Victim::Both, Manner::Kill, &["any"]);
}

fn of_clusters(engine: Engine, add: &mut Add<'_>) {
    add(Victim::Runner, Manner::Kill, &RUNNER);
    add(Victim::Runner, Manner::Stall, &RUNNER);
    add(Victim::Submission, Manner::Kill, &["before", "after"]);
    add(Victim::Submission, Manner::Mute, &["refusal", "silence"]);
    add(Victim::Submission, Manner::Late, &["any"]);
    add(Victim::Controller, Manner::Kill, &CONTROLLER);
    add(Victim::Controller, Manner::Away, &["launch", "running"]);
    if engine == Engine::Slurm {
        // A Grid Engine on one machine has one node, and forgets every job at once anyway.
        add(Victim::Node, Manner::Kill, &["running"]);
        add(Victim::Records, Manner::Purge, &["any"]);
    }
}

impl Cell {
    /// Returns what differs where cells of one kind are told apart.
    pub fn kind(&self) -> Kind {
        (self.engine, self.victim, self.manner)
    }

    /// Whether steps may be repeated: what is done to them directly can cost an attempt.
    pub fn repeats(&self) -> bool {
        matches!(self.victim, Victim::Runner | Victim::Both | Victim::Node | Victim::Controller)
            || (self.victim, self.place) == (Victim::Guardian, "guardian.orphaned")
    }

    /// Whether it waits for much longer than others: for a node to be given up, for a program's time limit.
    pub fn is_long(&self) -> bool {
        matches!(self.victim, Victim::Node | Victim::Controller)
            || matches!(self.manner, Manner::Lock | Manner::Purge)
            || self.place == "silence"
    }

    /// Whether the journals of the local engine have to be so small that they are retired at once.
    pub fn has_small_journals(&self) -> bool {
        RETIRING.contains(&self.place)
    }

    /// Whether a step has to be running when the strike comes.
    pub fn is_gated(&self) -> bool {
        matches!(self.victim, Victim::Both | Victim::Node | Victim::Canceller)
            || (self.victim == Victim::Guardian && self.place != "guardian.started")
            || (self.victim == Victim::Supervisor && self.place == "any")
            || matches!(self.place, "running" | "ended")
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let database = if self.postgres { "postgres" } else { "sqlite" };
        let Self { engine, victim, place, manner, .. } = self;
        let [engine, victim, manner] =
            [format!("{engine:?}"), format!("{victim:?}"), format!("{manner:?}")];
        let name = format!("{engine}/{database}/{victim}/{place}/{manner}");
        formatter.write_str(&name.to_lowercase())
    }
}

/// Returns one cell of each kind, drawn with a seed, in an order that the seed gives, too.
pub fn sample(cells: &[Cell], random: &mut impl rand::Rng) -> Vec<Cell> {
    use rand::seq::SliceRandom;
    let mut cells = cells.to_vec();
    cells.shuffle(random);
    let mut seen = std::collections::HashSet::new();
    cells.retain(|cell| seen.insert(cell.kind()));
    cells
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn every_cell_has_a_name_of_its_own() {
        let cells = all();
        let names: BTreeSet<String> = cells.iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), cells.len());
        assert!(names.contains("slurm/sqlite/launcher/launcher.let-go/kill"), "{names:?}");
        assert!(names.contains("local/postgres/metadb/launcher.agreed/restart"), "{names:?}");
    }

    #[test]
    fn a_sample_has_one_cell_of_each_kind_and_its_seed_repeats_it() {
        let cells = all();
        let kinds: BTreeSet<Kind> = cells.iter().map(Cell::kind).collect();
        let draw = |seed| sample(&cells, &mut StdRng::seed_from_u64(seed));
        let drawn = draw(7);
        assert_eq!(drawn.len(), kinds.len());
        assert_eq!(drawn.iter().map(Cell::kind).collect::<BTreeSet<_>>(), kinds);
        assert_eq!(drawn, draw(7));
        assert_ne!(drawn, draw(8));
    }
}
