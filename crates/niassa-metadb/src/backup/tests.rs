//! Copies, snapshots, and what is remembered of backups.

use super::*;
use crate::testing::launches::account;
use crate::testing::on_both;

on_both! {
    /// The last backup is told, and only what has no table is blank.
    fn a_backup_is_remembered(metadb: MetaDb) {
        assert_eq!(metadb.last_backup().await.unwrap(), None);
        assert!(!metadb.is_blank().await.unwrap());
        let made = |at: i64| BackupMade {
            taken_at: Timestamp::from_micros(at),
            written_to: format!("/backup/{at}"),
            manifest_sha256: "ab".to_owned(),
        };
        for at in [20, 30, 10] {
            metadb.record_backup(&made(at)).await.unwrap();
        }
        assert_eq!(metadb.last_backup().await.unwrap(), Some(made(30)));
        metadb.tell_restored(&account(&metadb, "ann@lab.net").await, &made(30)).await.unwrap();
        assert_eq!(metadb.check_audit().await.unwrap().broken_at, None);
        assert!(metadb.contents().await.unwrap().audit_entries > 0);
    }
}

#[tokio::test]
async fn a_copy_is_of_one_moment_while_others_write() {
    let (folder, metadb) = crate::testing::sqlite().await;
    let access = account(&metadb, "ann@lab.net").await;
    let before = metadb.contents().await.unwrap();
    let file = folder.path().join("copy.db");
    metadb.copy_into(&file).await.unwrap();
    let made = BackupMade {
        taken_at: before.at,
        written_to: "x".to_owned(),
        manifest_sha256: "y".to_owned(),
    };
    metadb.tell_restored(&access, &made).await.unwrap();
    let copy = MetaDb::connect(Location::Sqlite(file)).await.unwrap();
    assert!(copy.is_migrated().await);
    assert!(copy.contents().await.unwrap().same_as(&before));
    assert!(!metadb.contents().await.unwrap().same_as(&before));
    assert!(metadb.server_snapshot().await.is_err());
}

#[tokio::test]
async fn a_server_holds_one_moment_for_its_programs() {
    let Some(metadb) = crate::testing::postgres("a_server_holds_one_moment").await else { return };
    account(&metadb, "ann@lab.net").await;
    let snapshot = metadb.server_snapshot().await.unwrap();
    assert!(snapshot.name.contains('-'), "{}", snapshot.name);
    assert!(snapshot.contents.same_as(&metadb.contents().await.unwrap()));
    snapshot.release().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    assert!(metadb.copy_into(&folder.path().join("m.db")).await.is_err());
}
