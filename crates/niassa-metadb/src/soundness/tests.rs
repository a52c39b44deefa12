//! Rules that all rows keep, and what breaks them, on both databases.

use niassa_model::step::{Outcome, StepStatus};

use super::*;
use crate::testing::launches::{Launches, RUNNING, fact};
use crate::testing::on_both;

const SUCCESS: Outcome =
    Outcome { status: StepStatus::Success, reason: None, exit_code: Some(0), signal: None };

async fn broken(metadb: &MetaDb) -> Vec<&'static str> {
    let told = metadb.soundness().await.unwrap();
    assert_eq!(told.len(), RULES.len() + 2);
    told.into_iter().filter(|rule| !rule.broken_by.is_empty()).map(|rule| rule.rule).collect()
}

/// What somebody's own hands may do to a run: each change breaks one rule.
const DAMAGE: &[(&str, &str, &str)] = &[
    ("counts", "update run set steps_success = 1", "update run set steps_success = 2"),
    ("run log", "delete from run_event where event = 'succeeded'", ""),
    (
        "attempts",
        "update attempt set status = 'failed' where idx = 1",
        "update attempt set status = 'success'",
    ),
    (
        "claims",
        "update run set claim_until = (select now from clock) + 700000000",
        "update run set claim_until = 0",
    ),
    ("kinds", "update object set kind = 'file' where kind = 'processing'", ""),
];

on_both! {
    /// Runs of every stage keep the rules; what could not have happened breaks the one it belongs to.
    fn what_cannot_be_is_found(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        assert_eq!(broken(&site.metadb).await, [""; 0]);
        site.schedule("here").await;
        assert_eq!(broken(&site.metadb).await, [""; 0]);
        let run = site.claim_one("a", "here").await;
        site.launch("a", &run).await;
        site.facts(&[fact(&run, 0, 1, RUNNING)]).await;
        assert_eq!(broken(&site.metadb).await, [""; 0]);
        site.facts(&[fact(&run, 0, 1, SUCCESS), fact(&run, 1, 1, SUCCESS)]).await;
        site.release("a", &run).await;
        assert_eq!(broken(&site.metadb).await, [""; 0]);
        for (rule, damage, mend) in DAMAGE {
            sqlx::query(*damage).execute(site.metadb.reader()).await.unwrap();
            let found = broken(&site.metadb).await;
            assert!(found.contains(rule), "{damage}: {found:?}");
            if !mend.is_empty() {
                sqlx::query(*mend).execute(site.metadb.reader()).await.unwrap();
            }
        }
        sqlx::query("update run set status = 'failed', steps_pending = 1")
            .execute(site.metadb.reader()).await.unwrap();
        assert!(broken(&site.metadb).await.contains(&"statuses"));
    }
}

#[tokio::test]
async fn a_sequence_that_fell_behind_is_found() {
    let (_folder, metadb) = crate::testing::sqlite().await;
    let site = Launches::new(metadb).await;
    site.schedule("here").await;
    sqlx::query("update sqlite_sequence set seq = 0 where name = 'object'")
        .execute(site.metadb.reader())
        .await
        .unwrap();
    assert_eq!(broken(&site.metadb).await, ["accessions"]);
}
