//! A MetaDB for tests: a SQLite file of its own, or a database of its own on a real PostgreSQL.

pub(crate) mod launches;

use sqlx::Executor;

use crate::{Location, MetaDb};

/// Opens a migrated MetaDB in a SQLite file that goes away with the folder.
pub(crate) async fn sqlite() -> (tempfile::TempDir, MetaDb) {
    let folder = tempfile::tempdir().unwrap();
    let metadb = MetaDb::connect(Location::Sqlite(folder.path().join("m.db"))).await.unwrap();
    metadb.migrate().await.unwrap();
    (folder, metadb)
}

/// Opens a migrated MetaDB in a fresh database of the server that `NIASSA_TEST_POSTGRES` names
/// (a URL of a database whose user may create others). Without it the test is skipped by name.
#[expect(clippy::disallowed_methods, reason = "the one setting of the tests")]
pub(crate) async fn postgres(test: &str) -> Option<MetaDb> {
    let Ok(server) = std::env::var("NIASSA_TEST_POSTGRES") else {
        skip(test, "NIASSA_TEST_POSTGRES is not set");
        return None;
    };
    let name = format!("t{:x}", rand::random::<u64>());
    let admin = MetaDb::connect(Location::parse(&server).unwrap()).await.unwrap();
    let create = sqlx::AssertSqlSafe(format!("create database {name}"));
    admin.reader().execute(create).await.unwrap();
    admin.close().await;
    let (base, query) = server.split_once('?').unwrap_or((&server, ""));
    let (host, _) = base.rsplit_once('/').unwrap();
    let metadb =
        MetaDb::connect(Location::parse(&format!("{host}/{name}?{query}")).unwrap()).await.unwrap();
    metadb.migrate().await.unwrap();
    Some(metadb)
}

/// Notes a skipped test where `cargo xtask test` counts them.
#[expect(clippy::disallowed_methods, reason = "the one setting of the tests")]
fn skip(test: &str, why: &str) {
    use std::io::Write;
    let line = format!("SKIPPED {test}: {why}\n");
    eprint!("{line}");
    if let Ok(file) = std::env::var("NIASSA_SKIPS") {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(file).unwrap();
        file.write_all(line.as_bytes()).unwrap();
    }
}

/// Declares tests that run on a fresh MetaDB of both kinds: `on_both! { fn name(metadb: MetaDb) {} }`.
macro_rules! on_both {
    ($($(#[$doc:meta])* fn $name:ident($metadb:ident: MetaDb) $body:block)*) => {
        $(
            mod $name {
                use super::*;

                $(#[$doc])*
                async fn check($metadb: MetaDb) $body

                #[tokio::test]
                async fn on_sqlite() {
                    let (_folder, metadb) = crate::testing::sqlite().await;
                    check(metadb).await;
                }

                #[tokio::test]
                async fn on_postgres() {
                    let test = concat!(module_path!(), "::on_postgres");
                    if let Some(metadb) = crate::testing::postgres(test).await {
                        check(metadb).await;
                    }
                }
            }
        )*
    };
}
pub(crate) use on_both;
