//! Scheduling on both databases: each request by itself, once, and only from what may be seen.

use std::time::Duration;

use niassa_model::accession::{Accession, ObjectKind};
use niassa_model::place::EngineKind;
use niassa_model::run::RunStatus;

use super::*;
use crate::files::NewFile;
use crate::metadata::objects::Creation;
use crate::metadata::studies::NewStudy;
use crate::testing::launches::{Launches, account};
use crate::testing::on_both;
use crate::workflows::{NewWorkflow, WorkflowMade};

fn new_run(workflow: Accession) -> NewRun {
    crate::testing::launches::new_run(workflow, "server2")
}

fn once(key: &str, request: &str) -> OnceKey {
    OnceKey { key: key.to_owned(), request_sha256: request.to_owned() }
}

async fn study(metadb: &MetaDb, access: &Access) -> Accession {
    let study = NewStudy {
        title: "Lambda".to_owned(),
        description: String::new(),
        accession: None,
        center_name: None,
        center_project_name: None,
        study_type: None,
    };
    match metadb.create_study(access, &study, None).await.unwrap() {
        Once::Done(swid) => swid,
        Once::Mismatch => panic!("no key"),
    }
}

async fn file(metadb: &MetaDb, access: &Access, parent: Accession) -> Accession {
    let file = NewFile {
        path: "/data/reads.fastq.gz".to_owned(),
        meta_type: "chemical/seq-na-fastq-gzip".to_owned(),
        size: None,
        sha256: None,
        md5: None,
        parents: vec![parent],
    };
    match metadb.create_file(access, &file, None).await.unwrap() {
        Once::Done(Creation::Made(swid)) => swid,
        other => panic!("{other:?}"),
    }
}

fn accepted(scheduling: Scheduling) -> ScheduledRun {
    match scheduling {
        Scheduling::Accepted(Once::Done(run)) => run,
        other => panic!("{other:?}"),
    }
}

fn refused(scheduling: Scheduling) -> Refusal {
    match scheduling {
        Scheduling::Refused(why) => why,
        other => panic!("{other:?}"),
    }
}

on_both! {
    /// All columns arrive as they were given, the label byte for byte, and the log begins.
    fn a_run_is_kept_as_it_was_asked_for(metadb: MetaDb) {
        let site = Launches::new(metadb.clone()).await;
        let study = study(&metadb, &site.bob).await;
        let file = file(&metadb, &site.bob, study).await;
        let label = " s3://bucket/a b \"größe\" 'it''s' \\ $1 ";
        let run = NewRun {
            host: label.parse().unwrap(),
            engine: Some(EngineKind::Slurm),
            options: r#"{"queue":"long"}"#.to_owned(),
            values: r#"{"a":"\u0000 \" 'x'"}"#.to_owned(),
            sources: r#"["\u0000"]"#.to_owned(),
            parents: vec![study, study],
            input_files: vec![file, file],
            warnings: vec!["beware".to_owned()],
            ..new_run(site.workflow)
        };
        let scheduler = Scheduler::start(&metadb);
        let answer = accepted(scheduler.schedule(&site.bob, run.clone(), None).await.unwrap());
        assert_eq!((&answer.tag, &answer.warnings), (&run.tag, &run.warnings));

        let found = metadb.run(&site.bob, answer.swid).await.unwrap().unwrap();
        assert_eq!(found.host.as_str(), label);
        assert_eq!((found.status, found.engine), (RunStatus::Submitted, run.engine));
        assert_eq!((found.created_at, found.seen_at), (found.updated_at, None));
        assert!(metadb.now().await.unwrap().micros_since(found.created_at) < 60_000_000);
        let asked = metadb.asked_of_run(&site.bob, answer.swid).await.unwrap().unwrap();
        assert_eq!((asked.sources, asked.options), (Some(run.sources), run.options));
        assert_eq!((asked.parents, asked.input_files), (vec![study], vec![file]));
        let values = metadb.values_of_run(&site.bob, answer.swid).await.unwrap().unwrap();
        assert_eq!(values.resolved, Some(run.values));
        let log = metadb.log_of_run(&site.bob, answer.swid, 0, 10).await.unwrap().unwrap();
        let [entry] = log.as_slice() else { panic!("{log:?}") };
        assert_eq!((entry.event.as_str(), entry.to), ("scheduled", Some(RunStatus::Submitted)));
        assert_eq!(entry.account, site.bob.email);
    }

    /// Accounts that share a batch get their own runs, and only theirs.
    fn runs_of_one_batch_belong_to_who_asked(metadb: MetaDb) {
        let site = Launches::new(metadb.clone()).await;
        let alice = account(&metadb, "alice@lab.net").await;
        let scheduler = Scheduler::start(&metadb);
        let requests = (0..60).map(|number| {
            let access = if number % 3 == 0 { alice.clone() } else { site.bob.clone() };
            let (scheduler, run) = (scheduler.clone(), new_run(site.workflow));
            tokio::spawn(async move {
                let run = accepted(scheduler.schedule(&access, run, None).await.unwrap());
                (access, run)
            })
        });
        for request in requests.collect::<Vec<_>>() {
            let (access, run) = request.await.unwrap();
            let found = metadb.run(&access, run.swid).await.unwrap().expect("its own run");
            assert_eq!((found.tag, found.account), (run.tag, access.email));
        }
        let all = crate::runs::RunFilter::default();
        assert_eq!(metadb.runs(&alice, &all, 500).await.unwrap().len(), 20);
        assert_eq!(metadb.runs(&site.bob, &all, 500).await.unwrap().len(), 40);
    }

    /// A request that the database itself refuses fails alone; one that we refuse does as well.
    fn a_bad_request_does_not_spoil_its_batch(metadb: MetaDb) {
        let site = Launches::new(metadb.clone()).await;
        let scheduler = Scheduler::start(&metadb);
        let taken = accepted(scheduler.schedule(&site.bob, new_run(site.workflow), None).await.unwrap());
        let unknown = Accession::try_from(4_711).unwrap();
        let requests = (0..30).map(|number| {
            let mut run = new_run(site.workflow);
            match number {
                10 => run.tag = taken.tag.clone(),
                20 => run.parents = vec![unknown],
                _ => {}
            }
            let (scheduler, bob) = (scheduler.clone(), site.bob.clone());
            tokio::spawn(async move { scheduler.schedule(&bob, run, None).await })
        });
        for (number, request) in requests.collect::<Vec<_>>().into_iter().enumerate() {
            match (number, request.await.unwrap()) {
                (10, answer) => assert!(answer.unwrap_err().is_unique_violation()),
                (20, answer) => {
                    assert_eq!(refused(answer.unwrap()), Refusal::Unknown(vec![unknown]));
                }
                (_, answer) => {
                    accepted(answer.unwrap());
                }
            }
        }
        let runs = metadb.runs(&site.bob, &crate::runs::RunFilter::default(), 500).await.unwrap();
        assert_eq!(runs.len(), 29);
    }

    /// The same key makes one run, within a batch and later; for another request it is refused.
    fn asking_twice_schedules_once(metadb: MetaDb) {
        let site = Launches::new(metadb.clone()).await;
        let alice = account(&metadb, "alice@lab.net").await;
        let scheduler = Scheduler::start(&metadb);
        let ask = |access: &Access, request: &str| {
            let (scheduler, access, once) = (scheduler.clone(), access.clone(), Some(once("k", request)));
            let run = NewRun { warnings: vec!["w".to_owned()], ..new_run(site.workflow) };
            async move { scheduler.schedule(&access, run, once).await.unwrap() }
        };
        let (a, b, other, hers) =
            tokio::join!(ask(&site.bob, "1"), ask(&site.bob, "1"), ask(&site.bob, "2"), ask(&alice, "1"));
        let first = accepted(a);
        assert_eq!(accepted(b), first);
        assert_eq!(other, Scheduling::Accepted(Once::Mismatch));
        assert_ne!(accepted(hers).swid, first.swid, "a key is an account's own");
        assert_eq!(accepted(ask(&site.bob, "1").await), first);
        assert_eq!(ask(&site.bob, "2").await, Scheduling::Accepted(Once::Mismatch));
    }

    /// Two services on one database: neither sees what the other one is about to write.
    fn two_writers_schedule_once(metadb: MetaDb) {
        let site = Launches::new(metadb.clone()).await;
        let schedulers = [Scheduler::start(&metadb), Scheduler::start(&metadb)];
        for number in 0..10 {
            let key = format!("k{number}");
            let ask = |scheduler: &Scheduler| {
                let (scheduler, bob) = (scheduler.clone(), site.bob.clone());
                let (run, once) = (new_run(site.workflow), Some(once(&key, "1")));
                async move { scheduler.schedule(&bob, run, once).await.unwrap() }
            };
            let (a, b) = tokio::join!(ask(&schedulers[0]), ask(&schedulers[1]));
            assert_eq!(accepted(a), accepted(b));
        }
    }

    /// Every object that is not there is named; what another account owns is not there.
    fn what_is_named_must_be_there_and_visible(metadb: MetaDb) {
        let site = Launches::new(metadb.clone()).await;
        let alice = account(&metadb, "alice@lab.net").await;
        let (hers, his) = (study(&metadb, &alice).await, study(&metadb, &site.bob).await);
        let unknown = Accession::try_from(4_711).unwrap();
        let scheduler = Scheduler::start(&metadb);
        let run = NewRun {
            parents: vec![unknown, hers, his],
            ..new_run(site.workflow)
        };
        let why = scheduler.schedule(&site.bob, run, Some(once("k", "1"))).await.unwrap();
        assert_eq!(refused(why), Refusal::Unknown(vec![hers, unknown]));
        // The key of a refusal is free for whatever is asked next.
        let run = NewRun { parents: vec![his], ..new_run(site.workflow) };
        accepted(scheduler.schedule(&site.bob, run, Some(once("k", "2"))).await.unwrap());
        let unknown_workflow = scheduler.schedule(&site.bob, new_run(unknown), None).await.unwrap();
        assert_eq!(refused(unknown_workflow), Refusal::Unknown(vec![unknown]));

        let root = Access { sees: crate::access::Sees::Everything, ..site.bob.clone() };
        let run = NewRun { parents: vec![hers], ..new_run(site.workflow) };
        accepted(scheduler.schedule(&root, run, None).await.unwrap());
    }

    /// Kinds are checked, and so is the state of the workflow.
    fn what_is_named_must_be_of_the_right_kind(metadb: MetaDb) {
        let site = Launches::new(metadb.clone()).await;
        let (bob, workflow) = (&site.bob, site.workflow);
        let study = study(&metadb, bob).await;
        let file = file(&metadb, bob, study).await;
        let scheduler = Scheduler::start(&metadb);
        let ask = |run: NewRun| async { refused(scheduler.schedule(bob, run, None).await.unwrap()) };
        let misfit = |object, kind| vec![Misfit { object, kind }];

        let run = NewRun { parents: vec![study, workflow], ..new_run(workflow) };
        let not_parents = Refusal::NotParents(misfit(workflow, ObjectKind::Workflow));
        assert_eq!(ask(run).await, not_parents);
        let run = NewRun { input_files: vec![file, study], ..new_run(workflow) };
        assert_eq!(ask(run).await, Refusal::NotFiles(misfit(study, ObjectKind::Study)));
        let run = NewRun { links: vec![file], ..new_run(workflow) };
        assert_eq!(ask(run).await, Refusal::NotLinkable(misfit(file, ObjectKind::File)));
        assert_eq!(ask(new_run(study)).await, Refusal::NotAWorkflow(ObjectKind::Study));

        let external = NewWorkflow {
            name: "Elsewhere".to_owned(),
            version: "1".to_owned(),
            description: String::new(),
        };
        let made = metadb.create_workflow(bob, &external, None).await.unwrap();
        let Once::Done(WorkflowMade::Made(external)) = made else { panic!("{made:?}") };
        assert_eq!(ask(new_run(external)).await, Refusal::NotSchedulable("external".to_owned()));
    }

    /// Whoever may read a study sees the runs below it, however far.
    fn a_run_shares_the_studies_of_what_it_descends_from(metadb: MetaDb) {
        let site = Launches::new(metadb.clone()).await;
        let alice = account(&metadb, "alice@lab.net").await;
        let study = study(&metadb, &site.bob).await;
        let file = file(&metadb, &site.bob, study).await;
        let scheduler = Scheduler::start(&metadb);
        let schedule = |run| async { accepted(scheduler.schedule(&site.bob, run, None).await.unwrap()) };
        let below_file = schedule(NewRun { input_files: vec![file], ..new_run(site.workflow) }).await;
        let below_run = schedule(NewRun {
            parents: vec![below_file.swid],
            ..new_run(site.workflow)
        }).await;
        let apart = schedule(new_run(site.workflow)).await;
        for run in [&below_file, &below_run, &apart] {
            assert!(!metadb.sees_run(&alice, run.swid).await.unwrap());
        }
        let email = alice.email.parse().unwrap();
        metadb.add_study_reader(&site.bob, study, &email).await.unwrap();
        assert!(metadb.sees_run(&alice, below_file.swid).await.unwrap());
        assert!(metadb.sees_run(&alice, below_run.swid).await.unwrap());
        assert!(!metadb.sees_run(&alice, apart.swid).await.unwrap());
    }

    /// A run that is created under a claim is nobody else's until the claim lapses.
    fn a_run_can_be_created_claimed(metadb: MetaDb) {
        let site = Launches::new(metadb.clone()).await;
        let scheduler = Scheduler::start(&metadb);
        let claim = |lease| Some(FirstClaim { holder: "me".to_owned(), lease });
        let run = NewRun { claim: claim(Duration::from_mins(1)), ..new_run(site.workflow) };
        accepted(scheduler.schedule(&site.bob, run, None).await.unwrap());
        let request = crate::testing::launches::launch("you", "server2");
        assert_eq!(site.claim(&request).await.claims, []);
    }
}
