//! The log on both databases: entries become visible in the order of their numbers.

use std::time::Duration;

use super::*;
use crate::pool::{commit, now_in};
use crate::testing::launches::Launches;
use crate::testing::on_both;

const OPERATION: &str = "test";

fn note(run: Accession, text: &str) -> NewEntry {
    NewEntry {
        run,
        event: NOTE,
        from: None,
        to: None,
        account: "bob@lab.net".to_owned(),
        detail: Some(text.to_owned()),
    }
}

async fn begin_and_write(metadb: &MetaDb, entry: NewEntry) -> Writing {
    let mut transaction = metadb.begin(OPERATION).await.unwrap();
    let now = now_in(&mut transaction, OPERATION).await.unwrap();
    write(&mut transaction, metadb.dialect(), now, &[entry], OPERATION).await.unwrap();
    transaction
}

on_both! {
    /// Who writes second waits for the first to commit: its larger number is not seen before.
    fn writers_wait_for_each_other_and_readers_for_none(metadb: MetaDb) {
        let site = Launches::new(metadb.clone()).await;
        let run = site.schedule("here").await.swid;
        let newest = metadb.newest_entry().await.unwrap();
        let first = begin_and_write(&metadb, note(run, "first")).await;
        let second = tokio::spawn({
            let metadb = metadb.clone();
            async move {
                let second = begin_and_write(&metadb, note(run, "second")).await;
                commit(second, OPERATION).await.unwrap();
            }
        });
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!second.is_finished());
        assert_eq!(metadb.log_after(&site.bob, newest, 10).await.unwrap(), []);
        commit(first, OPERATION).await.unwrap();
        second.await.unwrap();
        let entries = metadb.log_of_run(&site.bob, run, newest, 10).await.unwrap().unwrap();
        let details: Vec<_> = entries.iter().map(|entry| entry.detail.as_deref()).collect();
        assert_eq!(details, [Some("first"), Some("second")]);
        assert!(entries[0].sequence < entries[1].sequence);
    }

    /// Texts of users' programs are kept, whatever they hold.
    fn a_detail_may_hold_anything(metadb: MetaDb) {
        let site = Launches::new(metadb.clone()).await;
        let run = site.schedule("here").await.swid;
        let written = begin_and_write(&metadb, note(run, "a\0b \"ö\" \\u0000 \n")).await;
        commit(written, OPERATION).await.unwrap();
        let entries = metadb.log_of_run(&site.bob, run, 0, 10).await.unwrap().unwrap();
        assert_eq!(entries[1].detail.as_deref(), Some("a\u{fffd}b \"ö\" \\u0000 \n"));
        assert_eq!((entries[1].from, entries[1].to), (None, None));
    }
}
