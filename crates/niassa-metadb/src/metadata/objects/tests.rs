//! What is promised of metadata objects, on both databases.

use niassa_model::run::RunTag;

use super::*;
use crate::files::NewFile;
use crate::idempotency::Once;
use crate::metadata::experiments::NewExperiment;
use crate::metadata::imports::{ImportMade, Imported, NewImport};
use crate::metadata::samples::NewSample;
use crate::metadata::studies::{NewStudy, ReaderAdded};
use crate::testing::launches::account;
use crate::testing::on_both;
use crate::workflows::{NewWorkflow, WorkflowMade};

fn done<T>(once: Once<T>) -> T {
    match once {
        Once::Done(answer) => answer,
        Once::Mismatch => panic!("a mismatch without a key"),
    }
}

fn made(once: Once<Creation>) -> Accession {
    match done(once) {
        Creation::Made(swid) => swid,
        other => panic!("{other:?}"),
    }
}

async fn study(metadb: &MetaDb, access: &Access) -> Accession {
    let study = NewStudy {
        title: "Phages".to_owned(),
        description: String::new(),
        accession: None,
        center_name: Some("OICR".to_owned()),
        center_project_name: None,
        study_type: None,
    };
    done(metadb.create_study(access, &study, None).await.unwrap())
}

fn file(parents: Vec<Accession>) -> NewFile {
    NewFile {
        path: "/data/a".to_owned(),
        meta_type: "text/plain".to_owned(),
        size: None,
        sha256: None,
        md5: None,
        parents,
    }
}

/// A study with an experiment, a sample of a sample, and a file below.
async fn hierarchy(metadb: &MetaDb, access: &Access) -> Vec<Accession> {
    let study = study(metadb, access).await;
    let experiment = NewExperiment {
        study,
        title: "e".to_owned(),
        description: String::new(),
        platform_id: None,
    };
    let experiment = made(metadb.create_experiment(access, &experiment, None).await.unwrap());
    let mut sample = NewSample {
        experiment,
        parent: None,
        title: "s".to_owned(),
        description: String::new(),
        organism_id: Some(31),
    };
    let first = made(metadb.create_sample(access, &sample, None).await.unwrap());
    sample.parent = Some(first);
    let second = made(metadb.create_sample(access, &sample, None).await.unwrap());
    let file = made(metadb.create_file(access, &file(vec![second]), None).await.unwrap());
    vec![study, experiment, first, second, file]
}

async fn import(metadb: &MetaDb, access: &Access, parents: Vec<Accession>) -> Imported {
    let workflow =
        NewWorkflow { name: "W".to_owned(), version: "1".to_owned(), description: String::new() };
    let workflow = metadb.create_workflow(access, &workflow, None).await.unwrap();
    let WorkflowMade::Made(workflow) = done(workflow) else { panic!("the name is new") };
    let import = NewImport {
        tag: RunTag::from_random([7; 10]),
        workflow,
        parents,
        input_files: Vec::new(),
        files: vec![file(Vec::new())],
    };
    match done(metadb.import_run(access, &import, None).await.unwrap()) {
        ImportMade::Made(imported) => imported,
        ImportMade::Refused(refusal) => panic!("{refusal:?}"),
    }
}

on_both! {
    fn a_shared_study_shares_what_is_below_it(metadb: MetaDb) {
        let bob = account(&metadb, "bob@lab.net").await;
        let eve = account(&metadb, "eve@lab.net").await;
        let below = hierarchy(&metadb, &bob).await;
        let imported = import(&metadb, &bob, vec![below[4]]).await;
        let shared = [&below[..], &[imported.run, imported.processing]].concat();
        for swid in &shared {
            assert!(metadb.object(&bob, *swid).await.unwrap().is_some());
            assert!(metadb.object(&eve, *swid).await.unwrap().is_none());
        }
        let reader = eve.email.parse().unwrap();
        let stranger = metadb.add_study_reader(&eve, below[0], &reader).await.unwrap();
        assert_eq!(stranger, ReaderAdded::NoStudy);
        let nobody = "no@lab.net".parse().unwrap();
        let nobody = metadb.add_study_reader(&bob, below[0], &nobody).await.unwrap();
        assert_eq!(nobody, ReaderAdded::NoAccount);
        for _ in 0..2 {
            let added = metadb.add_study_reader(&bob, below[0], &reader).await.unwrap();
            assert_eq!(added, ReaderAdded::Added);
        }
        for swid in &shared {
            assert!(metadb.object(&eve, *swid).await.unwrap().is_some(), "{swid}");
        }
        let not_owner = metadb.add_study_reader(&eve, below[0], &reader).await.unwrap();
        assert_eq!(not_owner, ReaderAdded::NotOwner);
        let not_a_study = metadb.add_study_reader(&bob, below[1], &reader).await.unwrap();
        assert_eq!(not_a_study, ReaderAdded::NoStudy);
    }

    fn parents_are_checked_in_the_same_transaction(metadb: MetaDb) {
        let bob = account(&metadb, "bob@lab.net").await;
        let eve = account(&metadb, "eve@lab.net").await;
        let below = hierarchy(&metadb, &bob).await;
        let missing = Accession::try_from(999).unwrap();
        let refused = metadb.create_file(&bob, &file(vec![below[0], missing]), None).await.unwrap();
        assert_eq!(refused, Once::Done(Creation::NoParent(missing)));
        let hidden = metadb.create_file(&eve, &file(vec![below[0]]), None).await.unwrap();
        assert_eq!(hidden, Once::Done(Creation::NoParent(below[0])));
        let sample = NewSample {
            experiment: below[0],
            parent: None,
            title: "s".to_owned(),
            description: String::new(),
            organism_id: None,
        };
        let wrong = metadb.create_sample(&bob, &sample, None).await.unwrap();
        let kind = ObjectKind::Study;
        assert_eq!(wrong, Once::Done(Creation::WrongKind { parent: below[0], kind }));
    }

    fn fields_are_read_back_whatever_the_kind(metadb: MetaDb) {
        let bob = account(&metadb, "bob@lab.net").await;
        let below = hierarchy(&metadb, &bob).await;
        let imported = import(&metadb, &bob, vec![below[0]]).await;
        let fields = async |swid| metadb.object(&bob, swid).await.unwrap().unwrap().fields;
        let study = fields(below[0]).await;
        assert_eq!((&study["title"], study.get("study_type")), (&"Phages".into(), None));
        assert_eq!(study["center_name"], "OICR");
        assert_eq!(fields(below[1]).await["study"], below[0].get());
        assert_eq!(fields(below[3]).await["parent"], below[2].get());
        assert_eq!(fields(below[3]).await["organism_id"], 31);
        assert_eq!(fields(below[4]).await["parents"], serde_json::json!([below[3].get()]));
        let run = fields(imported.run).await;
        assert_eq!((&run["status"], &run["workflow_name"]), (&"completed".into(), &"W".into()));
        assert_eq!(run["parents"], serde_json::json!([below[0].get()]));
        let processing = fields(imported.processing).await;
        assert_eq!(processing["run"], imported.run.get());
        assert_eq!(processing["files"].as_array().unwrap().len(), 1);
        let workflow = Accession::try_from(run["workflow"].as_i64().unwrap()).unwrap();
        assert_eq!(fields(workflow).await["state"], "external");
    }

    fn a_token_that_only_launches_sees_runs_of_its_hosts(metadb: MetaDb) {
        let mut bob = account(&metadb, "bob@lab.net").await;
        let study = study(&metadb, &bob).await;
        let imported = import(&metadb, &bob, vec![study]).await;
        for (host, sees) in [("elsewhere", true), ("server2", false)] {
            bob.hosts = Some(vec![host.parse().unwrap()]);
            assert!(metadb.object(&bob, study).await.unwrap().is_none());
            for swid in [imported.run, imported.processing] {
                assert_eq!(metadb.object(&bob, swid).await.unwrap().is_some(), sees, "{host}");
            }
        }
    }

    fn a_run_of_elsewhere_counts_as_completed(metadb: MetaDb) {
        let bob = account(&metadb, "bob@lab.net").await;
        let study = study(&metadb, &bob).await;
        let imported = import(&metadb, &bob, vec![study]).await;
        let gauges = metadb.gauges().await.unwrap();
        assert_eq!(gauges.active, []);
        let ended = metadb.ended_runs().await.unwrap();
        assert_eq!(ended, [(niassa_model::run::RunStatus::Completed, 1)]);
        assert_eq!(gauges.waiting, []);
        let log = metadb.log_of_run(&bob, imported.run, 0, 10).await.unwrap().unwrap();
        assert_eq!(log[0].event, crate::events::SCHEDULED);
        metadb.check().await.unwrap();
    }
}
