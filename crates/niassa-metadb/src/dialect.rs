//! The few things in which the two databases differ.

use std::num::NonZeroUsize;

use sqlx::AnyConnection;
use sqlx::migrate::Migrator;

use crate::location::Location;

/// Which database this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// One file, one writer.
    Sqlite,
    /// A server with many writers.
    Postgres,
}

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// `synchronous=FULL`: what was answered survives a power cut. A reader waits at most 10 s for
/// recovery or a checkpoint; writers never wait for each other, there is one connection that writes.
const SQLITE_PRAGMAS: &str = "pragma journal_mode = wal; pragma synchronous = full; \
    pragma foreign_keys = on; pragma busy_timeout = 10000; pragma temp_store = memory; \
    pragma cache_size = -8000;";

/// Conditions that are absent travel as nulls, so only a plan for the values at hand finds the right
/// index; compiling plans takes longer than any of them runs.
const POSTGRES_SETTINGS: &str = "set plan_cache_mode = force_custom_plan; set jit = off";

/// Plans for all values, by indexes, row by row.
macro_rules! by_keys {
    () => {
        "set local plan_cache_mode = force_generic_plan; set local enable_seqscan = off; \
        set local enable_hashjoin = off; set local enable_mergejoin = off"
    };
}

impl Dialect {
    pub(crate) fn of(location: &Location) -> Self {
        match location {
            Location::Sqlite(_) => Self::Sqlite,
            Location::Postgres { .. } => Self::Postgres,
        }
    }

    /// How many connections may write at once. SQLite has one write lock; sixteen connections that
    /// fight for it starve each other for seconds (measured).
    pub(crate) fn writers(self) -> u32 {
        match self {
            Self::Sqlite => 1,
            Self::Postgres => 8,
        }
    }

    /// How many batches of schedules are written at a time: one waits for the disk, one for the service.
    pub(crate) fn batches(self) -> NonZeroUsize {
        const OF_A_SERVER: NonZeroUsize = NonZeroUsize::new(3).expect("three is not zero");
        match self {
            Self::Sqlite => NonZeroUsize::MIN,
            Self::Postgres => OF_A_SERVER,
        }
    }

    /// How many connections read.
    pub(crate) fn readers(self) -> u32 {
        match self {
            Self::Sqlite => 4,
            Self::Postgres => 8,
        }
    }

    /// How a transaction that writes begins. SQLite must take the lock at once: a transaction that
    /// reads first cannot be upgraded while another one writes.
    pub(crate) fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "begin immediate",
            Self::Postgres => "begin",
        }
    }

    /// How a transaction begins that finds everything by keys: its statements are the same for all
    /// values, so their plans are made once per connection; and they go by keys, however small a table
    /// was when its plan was made.
    pub(crate) fn begin_by_keys(self) -> &'static str {
        match self {
            Self::Sqlite => self.begin(),
            Self::Postgres => concat!("begin; ", by_keys!()),
        }
    }

    /// The same for a batch: what it commits is seen at once and on disk only after [`Self::flush`], so
    /// that nobody waits for the disk with the log locked.
    pub(crate) fn begin_batch(self) -> &'static str {
        match self {
            Self::Sqlite => self.begin(),
            Self::Postgres => {
                concat!("begin; ", by_keys!(), "; set local synchronous_commit = off")
            }
        }
    }

    /// A statement that returns once everything is on disk that was committed before it: a record in
    /// the server's write-ahead log, which is flushed in its order. SQLite's commit does that by itself.
    pub(crate) fn flush(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => {
                Some("select cast(pg_logical_emit_message(true, 'niassa', '') as text)")
            }
        }
    }

    /// A statement that makes writers of the log of runs wait for each other until the end of their
    /// transactions, so that entries become visible in the order of their numbers. Readers never
    /// wait. SQLite has one writer anyway.
    ///
    /// An advisory lock, because a lock on the table itself would stand in the way of vacuum.
    pub(crate) fn log_lock(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("select cast(pg_advisory_xact_lock(1853448563) as text)"),
        }
    }

    /// Keeps two writers from the end of the audit log at once.
    pub(crate) fn audit_lock(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("select cast(pg_advisory_xact_lock(1853448564) as text)"),
        }
    }

    /// Looks whether the database is whole; the first column of each row says what is not, or `ok`.
    /// A server looks after its files itself; it is asked for indexes that it could not finish.
    pub(crate) fn check(self) -> &'static str {
        match self {
            Self::Sqlite => "pragma integrity_check",
            Self::Postgres => {
                "select case when count(*) = 0 then 'ok' \
                    else 'indexes that are not valid: ' || cast(count(*) as text) end \
                from pg_index where not indisvalid"
            }
        }
    }

    /// Copies the database into a file, `$1`; a server is copied by its own programs.
    pub(crate) fn copy_into(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => Some("vacuum into $1"),
            Self::Postgres => None,
        }
    }

    /// How a transaction begins that holds one moment for other programs, and how its name is asked.
    pub(crate) fn snapshot(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some((
                "begin isolation level repeatable read read only",
                "select pg_export_snapshot()",
            )),
        }
    }

    /// Counts the tables that anybody made here.
    pub(crate) fn count_tables(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "select count(*) from sqlite_master where type = 'table' and name not like 'sqlite_%'"
            }
            Self::Postgres => "select count(*) from pg_tables where schemaname = current_schema()",
        }
    }

    /// The last accession that was dealt out.
    pub(crate) fn last_dealt(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "select coalesce((select seq from sqlite_sequence where name = 'object'), 0)"
            }
            Self::Postgres => {
                "select case when is_called then last_value else 0 end from object_swid_seq"
            }
        }
    }

    /// Sees to it that an accession, `$1`, is never dealt out. SQLite does so by itself.
    pub(crate) fn raise_dealt(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some(
                "select setval('object_swid_seq', greatest($1, last_value)) from object_swid_seq",
            ),
        }
    }

    /// References that lead nowhere, one a row: first the table. A server refuses them, unless
    /// somebody took its rules away: those are listed there.
    pub(crate) fn loose_references(self) -> &'static str {
        match self {
            Self::Sqlite => "select \"table\" from pragma_foreign_key_check",
            Self::Postgres => {
                "select cast(conrelid as regclass)::text from pg_constraint \
                where contype = 'f' and not convalidated"
            }
        }
    }

    pub(crate) fn migrator(self) -> &'static Migrator {
        match self {
            Self::Sqlite => &SQLITE,
            Self::Postgres => &POSTGRES,
        }
    }

    /// Sets up a fresh connection.
    pub(crate) async fn prepare(self, connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite => sqlx::raw_sql(SQLITE_PRAGMAS).execute(connection).await.map(|_| ()),
            Self::Postgres => sqlx::raw_sql(POSTGRES_SETTINGS).execute(connection).await.map(drop),
        }
    }
}
