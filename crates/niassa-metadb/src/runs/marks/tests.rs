//! Marks on both databases.

use super::*;
use crate::runs::RunFilter;
use crate::testing::launches::{Launches, account};
use crate::testing::on_both;

fn words(words: &[&str]) -> BTreeSet<Mark> {
    words.iter().map(|word| word.parse().unwrap()).collect()
}

fn change(add: &[&str], remove: &[&str]) -> MarkChange {
    MarkChange { add: words(add), remove: words(remove) }
}

async fn marks_of(site: &Launches, run: Accession) -> Vec<String> {
    let run = site.metadb.run(&site.bob, run).await.unwrap().unwrap();
    run.marks.iter().map(|given| given.mark.to_string()).collect()
}

async fn log_of(site: &Launches, run: Accession) -> Vec<String> {
    let log = site.metadb.log_of_run(&site.bob, run, 0, 99).await.unwrap().unwrap();
    log.into_iter().filter_map(|entry| entry.detail).collect()
}

on_both! {
    /// Marks are given and taken away, and the log tells each change once.
    fn marks_are_given_and_taken_away(metadb: MetaDb) {
        let site = Launches::new(metadb.clone()).await;
        let (one, two) = (site.schedule("here").await.swid, site.schedule("here").await.swid);
        let mark = |runs: Vec<Accession>, change: MarkChange| {
            let (metadb, bob) = (&metadb, &site.bob);
            async move { metadb.mark_runs(bob, &runs, &change).await.unwrap() }
        };
        let done = mark(vec![two, one], change(&["urgent", "a-b"], &[])).await;
        assert_eq!(done.iter().map(|taken| taken.swid).collect::<Vec<_>>(), [two, one]);
        assert!(done.iter().all(|taken| taken.refused.is_none()));
        assert_eq!(marks_of(&site, one).await, ["a-b", "urgent"]);
        let run = metadb.run(&site.bob, one).await.unwrap().unwrap();
        assert_eq!(run.marks[0].account, "bob@lab.net");
        assert!(run.marks[0].at >= run.created_at);
        mark(vec![one], change(&["urgent", "new"], &["a-b", "never"])).await;
        assert_eq!(marks_of(&site, one).await, ["new", "urgent"]);
        assert_eq!(marks_of(&site, two).await, ["a-b", "urgent"], "the other keeps its own");
        mark(vec![one], change(&["urgent"], &["never"])).await;
        assert_eq!(
            log_of(&site, one).await,
            ["marked a-b, urgent", "marked new", "no longer marked a-b"]
        );
        let listed = metadb.runs(&site.bob, &RunFilter::default(), 9).await.unwrap();
        assert_eq!(listed.iter().map(|run| run.marks.len()).collect::<Vec<_>>(), [2, 2]);
    }

    /// A run has so many at most; what one takes away makes room; the others are marked all the same.
    fn a_run_has_at_most_so_many(metadb: MetaDb) {
        let site = Launches::new(metadb.clone()).await;
        let (full, free) = (site.schedule("here").await.swid, site.schedule("here").await.swid);
        let many: Vec<String> = (0..Mark::OF_A_RUN).map(|number| format!("m{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        metadb.mark_runs(&site.bob, &[full], &change(&many, &[])).await.unwrap();
        let one_more = change(&["one-more"], &[]);
        let taken = metadb.mark_runs(&site.bob, &[full, free], &one_more).await.unwrap();
        assert_eq!(taken[0].refused, Some(WishRefused::TooManyMarks));
        assert_eq!(taken[1].refused, None);
        let swapped = change(&["one-more"], &["m0"]);
        let taken = metadb.mark_runs(&site.bob, &[full], &swapped).await.unwrap();
        assert_eq!(taken[0].refused, None);
        assert_eq!(marks_of(&site, full).await.len(), Mark::OF_A_RUN);
    }

    /// Runs of others are not there, those that are only shared are not changed.
    fn only_who_may_change_a_run_marks_it(metadb: MetaDb) {
        let site = Launches::new(metadb.clone()).await;
        let eve = account(&metadb, "eve@lab.net").await;
        let study = crate::runs::tests::study(&metadb, &site.bob).await;
        metadb.add_study_reader(&site.bob, study, &"eve@lab.net".parse().unwrap()).await.unwrap();
        let hidden = site.schedule("here").await.swid;
        let shared = site.schedule_with("here", |run| run.parents = vec![study]).await.swid;
        let urgent = change(&["urgent"], &[]);
        let taken = metadb.mark_runs(&eve, &[hidden, shared], &urgent).await.unwrap();
        assert_eq!(taken[0].refused, Some(WishRefused::NoSuchRun));
        assert_eq!(taken[1].refused, Some(WishRefused::NotYours));
        assert_eq!(marks_of(&site, shared).await, [""; 0]);
    }

    /// A run that is over is marked too, and nothing else of it changes.
    fn what_is_over_is_marked_too(metadb: MetaDb) {
        let site = Launches::new(metadb.clone()).await;
        let run = site.schedule("here").await.swid;
        metadb.cancel_runs(&site.bob, &[run]).await.unwrap();
        let before = metadb.run(&site.bob, run).await.unwrap().unwrap();
        metadb.mark_runs(&site.bob, &[run], &change(&["old"], &[])).await.unwrap();
        let after = metadb.run(&site.bob, run).await.unwrap().unwrap();
        assert_eq!((after.status, after.updated_at), (before.status, before.updated_at));
        assert_eq!((after.seen_at, after.marks.len()), (before.seen_at, 1));
    }
}
