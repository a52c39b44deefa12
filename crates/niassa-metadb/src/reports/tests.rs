//! Provenance on both databases: what runs descend from and what they made.

use niassa_model::file::OutputFile;
use niassa_model::step::Outcome;

use super::*;
use crate::facts::Fact;
use crate::files::NewFile;
use crate::idempotency::Once;
use crate::metadata::experiments::NewExperiment;
use crate::metadata::objects::Creation;
use crate::metadata::samples::NewSample;
use crate::metadata::studies::NewStudy;
use crate::steps::StepFilter;
use crate::testing::launches::{Launches, account, fact};
use crate::testing::on_both;

fn made(creation: Once<Creation>) -> Accession {
    match creation {
        Once::Done(Creation::Made(swid)) => swid,
        other => panic!("{other:?}"),
    }
}

/// A study with a sample that was made of another one.
struct Samples {
    study: Accession,
    root: Accession,
    derived: Accession,
}

async fn samples(site: &Launches) -> Samples {
    let (metadb, bob) = (&site.metadb, &site.bob);
    let study = NewStudy {
        title: "Lambda".to_owned(),
        description: String::new(),
        accession: None,
        center_name: None,
        center_project_name: None,
        study_type: None,
    };
    let Once::Done(study) = metadb.create_study(bob, &study, None).await.unwrap() else {
        panic!("no key");
    };
    let experiment = NewExperiment {
        study,
        title: "E".to_owned(),
        description: String::new(),
        platform_id: None,
    };
    let experiment = made(metadb.create_experiment(bob, &experiment, None).await.unwrap());
    let sample = |title: &str, parent| NewSample {
        experiment,
        parent,
        title: title.to_owned(),
        description: String::new(),
        organism_id: None,
    };
    let root = made(metadb.create_sample(bob, &sample("library", None), None).await.unwrap());
    let derived = sample("identity", Some(root));
    let derived = made(metadb.create_sample(bob, &derived, None).await.unwrap());
    Samples { study, root, derived }
}

async fn file(site: &Launches, access: &Access, path: &str, parents: Vec<Accession>) -> Accession {
    let file = NewFile {
        path: path.to_owned(),
        meta_type: "text/plain".to_owned(),
        size: None,
        sha256: None,
        md5: None,
        parents,
    };
    made(site.metadb.create_file(access, &file, None).await.unwrap())
}

/// Launches the one run that waits and has its first step make a file.
async fn runs_and_makes(site: &Launches, path: &str) {
    let run = site.claim_one("me", "here").await;
    site.launch("me", &run).await;
    let output = OutputFile {
        path: path.to_owned(),
        meta_type: "text/vcf".to_owned(),
        size: 1,
        sha256: "a".repeat(64),
        md5: "b".repeat(32),
    };
    let first = Fact { outputs: vec![output], ..fact(&run, 0, 1, Outcome::SUCCESS) };
    site.facts(&[first, fact(&run, 1, 1, Outcome::SUCCESS)]).await;
    site.release("me", &run).await;
}

fn paths(files: &[ReportedFile]) -> Vec<&str> {
    files.iter().map(|file| file.path.as_str()).collect()
}

fn titles(samples: &[ReportedSample]) -> Vec<&str> {
    samples.iter().map(|sample| sample.title.as_str()).collect()
}

on_both! {
    /// Files and samples of a chain: sample, first run, second run below the first, third run below
    /// a step of the second.
    fn a_run_shows_where_it_comes_from(metadb: MetaDb) {
        let site = Launches::new(metadb.clone()).await;
        let samples = samples(&site).await;
        let reads = file(&site, &site.bob, "/reads", vec![samples.derived]).await;
        let first = site.schedule_with("here", |run| {
            run.parents = vec![samples.derived];
            run.input_files = vec![reads];
        }).await.swid;
        runs_and_makes(&site, "/made-by-first").await;
        let second = site.schedule_with("here", |run| run.parents = vec![first]).await.swid;
        runs_and_makes(&site, "/made-by-second").await;
        let step = metadb.steps_of_run(&site.bob, second, StepFilter::default(), 1).await;
        let step = step.unwrap().unwrap()[0].swid;
        let third = site.schedule_with("here", |run| run.parents = vec![step]).await.swid;

        let runs = [first, second, third];
        let all = metadb.provenance_of_runs(&site.bob, &runs).await.unwrap();
        for provenance in all.values() {
            assert_eq!(titles(&provenance.identity_samples), ["identity"]);
            assert_eq!(titles(&provenance.library_samples), ["library"]);
        }
        assert_eq!(all[&first].library_samples[0].swid, samples.root);
        assert_eq!(paths(&all[&first].input_files), ["/reads"]);
        assert_eq!(paths(&all[&first].immediate_input_files), ["/reads"]);
        assert_eq!(paths(&all[&first].output_files), ["/made-by-first"]);
        assert_eq!(all[&first].started_at, Some(Timestamp::from_micros(1_000_000)));
        assert_eq!(all[&first].ended_at, Some(Timestamp::from_micros(2_000_000)));
        assert_eq!(paths(&all[&second].input_files), ["/reads", "/made-by-first"]);
        assert_eq!(paths(&all[&second].immediate_input_files), ["/made-by-first"]);
        let inputs = ["/reads", "/made-by-first", "/made-by-second"];
        assert_eq!(paths(&all[&third].input_files), inputs);
        assert_eq!(paths(&all[&third].immediate_input_files), ["/made-by-second"]);
        assert_eq!((all[&third].started_at, &all[&third].output_files), (None, &vec![]));
    }

    /// Files that were recorded by hand lead up as well, and are inputs where they are parents.
    fn files_recorded_by_hand_lead_up(metadb: MetaDb) {
        let site = Launches::new(metadb.clone()).await;
        let samples = samples(&site).await;
        let raw = file(&site, &site.bob, "/raw", vec![samples.root]).await;
        let clean = file(&site, &site.bob, "/clean", vec![raw]).await;
        let run = site.schedule_with("here", |run| run.parents = vec![clean]).await.swid;
        let all = metadb.provenance_of_runs(&site.bob, &[run]).await.unwrap();
        assert_eq!(paths(&all[&run].input_files), ["/raw", "/clean"]);
        assert_eq!(paths(&all[&run].immediate_input_files), ["/clean"]);
        assert_eq!(titles(&all[&run].identity_samples), ["library"]);
        assert_eq!(titles(&all[&run].library_samples), ["library"]);
    }

    /// What the caller may not see is left out, with all that stands behind it.
    fn what_may_not_be_seen_is_left_out(metadb: MetaDb) {
        let site = Launches::new(metadb.clone()).await;
        let samples = samples(&site).await;
        let root = Access { sees: crate::access::Sees::Everything, ..site.bob.clone() };
        let alice = account(&metadb, "alice@lab.net").await;
        let hers = file(&site, &alice, "/hers", Vec::new()).await;
        let below = file(&site, &root, "/below", vec![hers, samples.derived]).await;
        let run = site.schedule_with("here", |run| run.parents = vec![below]).await.swid;
        let bobs = metadb.provenance_of_runs(&site.bob, &[run]).await.unwrap();
        assert_eq!(paths(&bobs[&run].input_files), ["/below"]);
        let everything = metadb.provenance_of_runs(&root, &[run]).await.unwrap();
        assert_eq!(paths(&everything[&run].input_files), ["/hers", "/below"]);

        let email = alice.email.parse().unwrap();
        metadb.add_study_reader(&site.bob, samples.study, &email).await.unwrap();
        let alices = metadb.provenance_of_runs(&alice, &[run]).await.unwrap();
        assert_eq!(paths(&alices[&run].input_files), ["/hers", "/below"]);
        assert_eq!(titles(&alices[&run].library_samples), ["library"]);
    }
}
