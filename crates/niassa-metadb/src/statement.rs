//! Statements as named constants, so that a test can prepare every one of them on both databases.

/// Declares statements: `sql! { /// What it does. NAME = "text"; }`. No SQL stands outside of it.
///
/// Parameters are `$1`, `$2`, ...; only `i64`, text and options of them are bound, always with the
/// same type per parameter.
macro_rules! sql {
    ($($(#[$doc:meta])* $name:ident = $text:expr;)*) => {
        $($(#[$doc])* const $name: &str = $text;)*
        /// Every statement of this module, for the test that prepares them.
        #[cfg(test)]
        pub(crate) const CATALOGUE: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}

/// The condition under which the caller may see an object `o` of the registry.
///
/// `$1` is 1 for an administrator, else 0; `$2` is the caller's account. Statements that use it
/// bind these two first.
///
/// A statement that checks for many callers at once names instead what holds these two in its rows:
/// `by_key`, which asks for each object by itself, however few rows were there when it was planned.
macro_rules! visible {
    () => {
        visible!("cast($1 as bigint)", "$2", "exists (", ")")
    };
    (by_key $everything:literal, $account:literal) => {
        visible!($everything, $account, "(", " limit 1) = 1")
    };
    ($everything:literal, $account:literal, $before:literal, $after:literal) => {
        concat!(
            "(",
            $everything,
            " = 1 or o.owner = ",
            $account,
            " or ",
            $before,
            "select 1 from object_study os \
              join study_reader r on r.study = os.study \
              where os.object = coalesce(o.anchor, o.swid) and r.account = ",
            $account,
            $after,
            ")"
        )
    };
}

/// The condition under which one account may launch the runs of another for a label.
macro_rules! granted {
    ($owner:literal, $grantee:literal, $host:literal) => {
        concat!(
            "exists (select 1 from launch_grant g where g.grantee = ",
            $grantee,
            " and g.owner = ",
            $owner,
            " and g.host = ",
            $host,
            " and g.revoked_at is null \
              and (g.expires_at is null or g.expires_at > (select now from clock)))"
        )
    };
}

/// The condition under which the caller may see a run `r` whose object is `o`, or may launch it.
///
/// `$1` and `$2` are those of `visible!`.
macro_rules! readable {
    () => {
        concat!("(", visible!(), " or ", granted!("r.owner", "$2", "r.host"), ")")
    };
}

/// The same, where the caller may be narrowed to labels: `$3`, as a JSON array of arrays, or null.
macro_rules! readable_run {
    () => {
        concat!(
            readable!(),
            " and (cast($3 as text) is null or r.host in (select value ->> 0 from json_each($3)))"
        )
    };
}

/// The columns of a run as lists show it, of `run_tables!`.
macro_rules! run_columns {
    () => {
        "r.swid, r.tag, r.status, r.priority, r.note, r.workflow, w.name as workflow_name, \
         w.version as workflow_version, r.host, r.engine, r.place, r.directory, r.launched_on, \
         a.email, r.cancel_requested_at, \
         (select count(*) from retry_request q where q.run = r.swid and q.answered_at is null) \
            as unanswered, \
         r.needs_action, r.steps_total, r.steps_pending, r.steps_running, r.steps_success, \
         r.steps_failed, r.steps_skipped, r.steps_cancelled, r.steps_lost, r.created_at, \
         r.updated_at, r.seen_at, r.rescheduled_from, (select now from clock) as read_at, \
         case when r.note is null and r.status in ('submitted', 'submitted_retry') \
            then (select max(l.seen_at) from launcher l where l.host = r.host and l.account in \
                (select r.owner union all select g.grantee from launch_grant g \
                    where g.owner = r.owner and g.host = r.host and g.revoked_at is null \
                    and (g.expires_at is null or g.expires_at > (select now from clock)))) \
            end as launcher_seen_at, \
         case when r.status in ('submitted', 'submitted_retry') \
            then (select h.reason from host_hold h \
                where h.host = r.host and h.released_at is null) end as held_because"
    };
}

/// A run `r` with its object `o`, its workflow `w` and its account `a`.
macro_rules! run_tables {
    () => {
        "run r join object o on o.swid = r.swid join workflow w on w.swid = r.workflow \
         join account a on a.id = r.owner"
    };
}
