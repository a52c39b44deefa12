//! Every statement is prepared on a real database, and both migrations say the same.

use sqlx::{Column, Executor, SqlSafeStr, Statement, TypeInfo};

use crate::{Location, MetaDb};

/// A module's statements: name and text.
type Statements = &'static [(&'static str, &'static str)];

/// Every module that declares statements stands here.
const MODULES: &[(&str, Statements)] = &[
    ("accounts", crate::accounts::CATALOGUE),
    ("actions/attempts", crate::actions::attempts::CATALOGUE),
    ("actions/steps", crate::actions::steps::CATALOGUE),
    ("audit", crate::audit::CATALOGUE),
    ("audit/newest", crate::audit::newest::CATALOGUE),
    ("backup", crate::backup::CATALOGUE),
    ("bundles", crate::bundles::CATALOGUE),
    ("claims/candidates", crate::claims::candidates::CATALOGUE),
    ("claims/details", crate::claims::details::CATALOGUE),
    ("deployment", crate::deployment::CATALOGUE),
    ("desires", crate::desires::CATALOGUE),
    ("desires/dead", crate::desires::dead::CATALOGUE),
    ("events", crate::events::CATALOGUE),
    ("facts/known", crate::facts::known::CATALOGUE),
    ("facts/outputs", crate::facts::outputs::CATALOGUE),
    ("facts/write", crate::facts::write::CATALOGUE),
    ("files", crate::files::CATALOGUE),
    ("gauges", crate::gauges::CATALOGUE),
    ("grants", crate::grants::CATALOGUE),
    ("holds", crate::holds::CATALOGUE),
    ("idempotency", crate::idempotency::CATALOGUE),
    ("launchers", crate::launchers::CATALOGUE),
    ("limits", crate::limits::CATALOGUE),
    ("pool", crate::pool::CATALOGUE),
    ("recovery", crate::recovery::CATALOGUE),
    ("reports/files", crate::reports::files::CATALOGUE),
    ("reports/graph", crate::reports::graph::CATALOGUE),
    ("runs", crate::runs::CATALOGUE),
    ("runs/asked", crate::runs::asked::CATALOGUE),
    ("runs/list/times", crate::runs::list::times::CATALOGUE),
    ("runs/list/ways", crate::runs::list::ways::CATALOGUE),
    ("runs/marks", crate::runs::marks::CATALOGUE),
    ("schedule/check", crate::schedule::check::CATALOGUE),
    ("schedule/insert", crate::schedule::insert::CATALOGUE),
    ("sessions", crate::sessions::CATALOGUE),
    ("soundness", crate::soundness::CATALOGUE),
    ("steps", crate::steps::CATALOGUE),
    ("steps/attempt_log", crate::steps::attempt_log::CATALOGUE),
    ("steps/grid", crate::steps::grid::CATALOGUE),
    ("steps/logs", crate::steps::logs::CATALOGUE),
    ("steps/outline", crate::steps::outline::CATALOGUE),
    ("steps/part", crate::steps::part::CATALOGUE),
    ("tokens", crate::tokens::CATALOGUE),
    ("run_state", crate::run_state::CATALOGUE),
    ("run_state/assess", crate::run_state::assess::CATALOGUE),
    ("workflows", crate::workflows::CATALOGUE),
    ("metadata/experiments", crate::metadata::experiments::CATALOGUE),
    ("metadata/imports", crate::metadata::imports::CATALOGUE),
    ("metadata/lineage", crate::metadata::lineage::CATALOGUE),
    ("metadata/objects", crate::metadata::objects::CATALOGUE),
    ("metadata/readers", crate::metadata::readers::CATALOGUE),
    ("metadata/samples", crate::metadata::samples::CATALOGUE),
    ("metadata/studies", crate::metadata::studies::CATALOGUE),
];

/// The types a parameter or a column may have; `NULL` is what SQLite says of an expression.
const TYPES: &[&str] = &["BIGINT", "INTEGER", "TEXT", "NULL"];

async fn prepare_all(metadb: &MetaDb) {
    let mut connection = metadb.reader().acquire().await.unwrap();
    let mut wrong = Vec::new();
    for (module, statements) in MODULES {
        for (name, text) in *statements {
            match connection.prepare((*text).into_sql_str()).await {
                Err(error) => wrong.push(format!("{module}::{name}: {error}")),
                Ok(statement) => {
                    for column in statement.columns() {
                        let kind = column.type_info().name().to_owned();
                        if !TYPES.contains(&kind.as_str()) {
                            wrong.push(format!("{module}::{name}: {} is {kind}", column.name()));
                        }
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_statement_is_prepared_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let metadb = MetaDb::connect(Location::Sqlite(folder.path().join("m.db"))).await.unwrap();
    assert!(!metadb.is_migrated().await);
    metadb.migrate().await.unwrap();
    metadb.migrate().await.unwrap();
    assert!(metadb.is_migrated().await);
    prepare_all(&metadb).await;
}

/// Runs where `NIASSA_TEST_POSTGRES` names an empty database, as `cargo xtask test` provides.
#[tokio::test]
async fn every_statement_is_prepared_on_postgres() {
    let Some(metadb) = crate::testing::postgres("every_statement_is_prepared_on_postgres").await
    else {
        return;
    };
    prepare_all(&metadb).await;
}

#[test]
fn both_migrations_say_the_same() {
    let sqlite = include_str!("../migrations/sqlite/0001_metadb.sql");
    let postgres = include_str!("../migrations/postgres/0001_metadb.sql");
    let tables = |text: &str| -> Vec<String> {
        let body = text.split("-- The database's own time").next().unwrap();
        let lines = body.lines().skip(3).map(|line| {
            line.replace("integer primary key autoincrement", "IDENTITY")
                .replace("bigint generated by default as identity primary key", "IDENTITY")
                .replace("bigint", "integer")
                .replace(") strict;", ");")
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        });
        lines.collect()
    };
    assert_eq!(tables(sqlite), tables(postgres));
}

#[test]
fn launchers_know_how_many_waiting_runs_are_counted() {
    let counts = crate::claims::candidates::CATALOGUE.iter();
    let counts = counts.filter(|(name, _)| name.starts_with("COUNT_"));
    let bound = format!(" limit {}) w", niassa_model::limits::WAITING_COUNTED);
    assert_eq!(counts.filter(|(_, text)| text.ends_with(&bound)).count(), 2);
}
