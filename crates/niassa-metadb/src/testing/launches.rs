//! A launcher's view of a small MetaDB: runs of a workflow of two steps, scheduled by one account.

use std::time::Duration;

use niassa_model::accession::Accession;
use niassa_model::account::{LaunchHosts, Role};
use niassa_model::place::{EngineKind, Place};
use niassa_model::plan::RetryPolicy;
use niassa_model::resources::Resources;
use niassa_model::run::{RunStatus, RunTag};
use niassa_model::step::{AttemptNumber, Outcome, StepIndex, StepReason, StepStatus};

use crate::access::Sees;
use crate::accounts::{AccountMade, NewAccount};
use crate::actions::{Action, Done, NewStep, Word};
use crate::bundles::{BundleInstalled, NewBundle};
use crate::claims::{ClaimRequest, Claimed, ClaimedRun, Held, Want};
use crate::facts::Fact;
use crate::idempotency::Once;
use crate::launchers::Launcher;
use crate::schedule::{FirstClaim, NewRun, ScheduledRun, Scheduler, Scheduling};
use crate::workflows::{NewWorkflow, WorkflowState};
use crate::{Access, MetaDb};

/// A MetaDB with an account, a workflow, and whatever is scheduled.
pub(crate) struct Launches {
    pub(crate) metadb: MetaDb,
    pub(crate) bob: Access,
    pub(crate) workflow: Accession,
    scheduler: Scheduler,
}

/// The lease of claims, where a test does not say.
pub(crate) const LEASE: Duration = Duration::from_mins(1);

impl Launches {
    pub(crate) async fn new(metadb: MetaDb) -> Self {
        let bob = account(&metadb, "bob@lab.net").await;
        let bundle = NewBundle {
            workflow: NewWorkflow {
                name: "Two".to_owned(),
                version: "1".to_owned(),
                description: "Two steps".to_owned(),
            },
            state: WorkflowState::Installed,
            sha256: "a".repeat(64),
            size: 1,
            manifest: "niassa: 1".to_owned(),
            config: Vec::new(),
        };
        let installed = metadb.install_bundle(&bob, &bundle, None).await.unwrap();
        let Once::Done(BundleInstalled::Now(workflow)) = installed else { panic!("installed") };
        let scheduler = Scheduler::start(&metadb);
        Self { metadb, bob, workflow, scheduler }
    }

    pub(crate) async fn schedule(&self, host: &str) -> ScheduledRun {
        self.schedule_with(host, |_| {}).await
    }

    pub(crate) async fn schedule_with(
        &self,
        host: &str,
        change: impl FnOnce(&mut NewRun),
    ) -> ScheduledRun {
        let mut run = new_run(self.workflow, host);
        change(&mut run);
        self.schedule_run(&self.bob, run).await
    }

    /// Schedules a run of another account.
    pub(crate) async fn schedule_as(&self, owner: &Access, host: &str) -> ScheduledRun {
        self.schedule_run(owner, new_run(self.workflow, host)).await
    }

    async fn schedule_run(&self, owner: &Access, run: NewRun) -> ScheduledRun {
        match self.scheduler.schedule(owner, run, None).await.unwrap() {
            Scheduling::Accepted(Once::Done(run)) => run,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn schedule_claimed(&self, host: &str, holder: &str) -> ScheduledRun {
        self.schedule_with(host, |run| run.claim = Some(first_claim(holder))).await
    }

    pub(crate) async fn claim(&self, request: &ClaimRequest) -> Claimed {
        self.metadb.claim_runs(&self.bob, &LaunchHosts::Any, request).await.unwrap()
    }

    /// Claims one run that must be there.
    pub(crate) async fn claim_one(&self, holder: &str, host: &str) -> ClaimedRun {
        let claimed = self.claim(&launch(holder, host)).await;
        claimed.claims.into_iter().next().expect("a run")
    }

    pub(crate) async fn act(&self, holder: &str, run: &ClaimedRun, done: Vec<Done>) -> Vec<Word> {
        let held = Held { swid: run.swid, epoch: run.epoch };
        let actions: Vec<Action> = done.into_iter().map(|done| Action { held, done }).collect();
        let hosts = LaunchHosts::Any;
        let answers = self.metadb.record_actions(&self.bob, &hosts, holder, &actions).await;
        answers.unwrap().into_iter().map(|answer| answer.word).collect()
    }

    /// Records place, plan, both steps and the launch.
    pub(crate) async fn launch(&self, holder: &str, run: &ClaimedRun) -> Vec<Word> {
        self.act(holder, run, launched(&RetryPolicy::NEVER)).await
    }

    pub(crate) async fn facts(&self, facts: &[Fact]) -> crate::facts::FactsTaken {
        self.metadb.record_facts(&self.bob, &LaunchHosts::Any, facts, &[]).await.unwrap()
    }

    pub(crate) async fn status(&self, run: Accession) -> RunStatus {
        self.metadb.run(&self.bob, run).await.unwrap().expect("a run").status
    }

    pub(crate) async fn release(&self, holder: &str, run: &ClaimedRun) {
        let held = [Held { swid: run.swid, epoch: run.epoch }];
        self.metadb.release_claims(&self.bob, &LaunchHosts::Any, holder, &held).await.unwrap();
    }
}

/// A request for a run without values.
pub(crate) fn new_run(workflow: Accession, host: &str) -> NewRun {
    NewRun {
        tag: RunTag::from_random(rand::random()),
        workflow,
        host: host.parse().unwrap(),
        engine: None,
        options: "{}".to_owned(),
        priority: 0,
        values: "{}".to_owned(),
        sources: "{}".to_owned(),
        parents: Vec::new(),
        input_files: Vec::new(),
        links: Vec::new(),
        claim: None,
        rescheduled_from: None,
        trace: None,
        warnings: Vec::new(),
    }
}

/// A claim that a run is made under.
pub(crate) fn first_claim(holder: &str) -> FirstClaim {
    FirstClaim { holder: holder.to_owned(), lease: LEASE }
}

/// Makes an account and returns its access.
pub(crate) async fn account(metadb: &MetaDb, email: &str) -> Access {
    let new = NewAccount {
        email: email.parse().unwrap(),
        role: Role::Member,
        password_hash: "x".to_owned(),
    };
    let root = Access {
        account: niassa_model::account::AccountId(0),
        email: "root".to_owned(),
        sees: Sees::Everything,
        hosts: None,
        origin: None,
    };
    let made = metadb.create_account(&root, &new, None).await.unwrap();
    assert!(matches!(made, Once::Done(AccountMade::Made(_))));
    let id = metadb.account_to_sign_in(&new.email).await.unwrap().unwrap().id;
    Access { account: id, email: email.to_owned(), sees: Sees::Own, hosts: None, origin: None }
}

/// Asks for runs with a label to launch.
pub(crate) fn launch(holder: &str, host: &str) -> ClaimRequest {
    ClaimRequest {
        holder: holder.to_owned(),
        want: Want::Launch,
        accessions: None,
        host: Some(host.parse().unwrap()),
        places: vec![place().key()],
        launchers: vec![Launcher {
            os_user: "niassa-bob".to_owned(),
            machine: "server2".to_owned(),
        }],
        engines: vec![EngineKind::Local],
        limit: 50,
        lease: LEASE,
    }
}

/// Asks for launched runs that need an action.
pub(crate) fn act(holder: &str) -> ClaimRequest {
    ClaimRequest { want: Want::Act, host: None, ..launch(holder, "x") }
}

pub(crate) fn place() -> Place {
    Place {
        work_dir_id: "w".to_owned(),
        os_user: "bob".to_owned(),
        engine: EngineKind::Local,
        cluster: "c".to_owned(),
    }
}

/// What a launcher records of a run of two chained steps.
pub(crate) fn launched(retry: &RetryPolicy) -> Vec<Done> {
    let step = |index: u32, after: Vec<StepIndex>| NewStep {
        index: StepIndex(index),
        name: format!("step{index}"),
        element: None,
        after,
        resources: Resources::default(),
        retry: retry.clone(),
    };
    vec![
        Done::Placed {
            place: place(),
            directory: "/runs/1".to_owned(),
            launched_on: "server2".to_owned(),
        },
        Done::Planned { sha256: "b".repeat(64), steps: 2 },
        Done::Steps(vec![step(0, vec![]), step(1, vec![StepIndex(0)])]),
        Done::Launched(Vec::new()),
    ]
}

/// A fact about an attempt of a run.
pub(crate) fn fact(run: &ClaimedRun, step: u32, attempt: u32, outcome: Outcome) -> Fact {
    let at = |micros| Some(niassa_model::time::Timestamp::from_micros(micros));
    Fact {
        run: run.swid,
        tag: run.tag.clone(),
        step: StepIndex(step),
        attempt: AttemptNumber(attempt),
        outcome,
        message: None,
        started_at: at(1_000_000),
        ended_at: outcome.status.is_final().then_some(at(2_000_000)).flatten(),
        machine: Some("server2".to_owned()),
        cpu_micros: None,
        peak_memory_bytes: None,
        logs: Vec::new(),
        outputs: Vec::new(),
    }
}

pub(crate) const RUNNING: Outcome =
    Outcome { status: StepStatus::Running, reason: None, exit_code: None, signal: None };
pub(crate) const FAILED: Outcome = Outcome {
    status: StepStatus::Failed,
    reason: Some(StepReason::ExitCode),
    exit_code: Some(7),
    signal: None,
};
pub(crate) const SKIPPED: Outcome =
    Outcome::without_exit(StepStatus::Skipped, StepReason::ParentFailed);
pub(crate) const CANCELLED: Outcome =
    Outcome::without_exit(StepStatus::Cancelled, StepReason::CancelledBy);

/// A fact of an attempt that never started.
pub(crate) fn closed(run: &ClaimedRun, step: u32, attempt: u32, outcome: Outcome) -> Fact {
    Fact { started_at: None, ended_at: None, ..fact(run, step, attempt, outcome) }
}
