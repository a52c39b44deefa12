//! Every route, once: the router, the client and the OpenAPI document use these.

/// Answers 200 while the process lives.
pub const LIVEZ: &str = "/livez";
/// Answers 200 when the MetaDB answers and is migrated, and an account exists.
pub const READYZ: &str = "/readyz";
/// Prometheus metrics.
pub const METRICS: &str = "/metrics";
/// Version of the service and who the caller is.
pub const WHOAMI: &str = "/v1/whoami";
/// What the service is, and when its last backup was made.
pub const SERVICE: &str = "/v1/service";
/// The OpenAPI document.
pub const OPENAPI: &str = "/v1/openapi.json";

/// Runs: GET lists, POST schedules.
pub const RUNS: &str = "/v1/runs";
/// One run.
pub const RUN: &str = "/v1/runs/{swid}";
/// The steps of a run with their attempts.
pub const RUN_STEPS: &str = "/v1/runs/{swid}/steps";
/// The log of a run: every transition with its evidence.
pub const RUN_EVENTS: &str = "/v1/runs/{swid}/events";
/// The effective ini of a run.
pub const RUN_INI: &str = "/v1/runs/{swid}/ini";
/// The ends of a run's streams, step by step.
pub const RUN_LOGS: &str = "/v1/runs/{swid}/logs";
/// A part of the log of a step of a run.
pub const RUN_STEP_LOG: &str = "/v1/runs/{swid}/steps/{index}/log";
/// POST answers a request to read a part of a log.
pub const LOG_ANSWER: &str = "/v1/logs/{id}";
/// The report of a run: Niassa's 22 columns and a row per step.
pub const RUN_REPORT: &str = "/v1/runs/{swid}/report";
/// A new run with the sources of an old one.
pub const RUN_RESCHEDULE: &str = "/v1/runs/{swid}/reschedule";
/// Asks for runs to be cancelled.
pub const RUNS_CANCEL: &str = "/v1/runs/cancel";
/// Says how urgent runs are.
pub const RUNS_PRIORITY: &str = "/v1/runs/priority";
/// Gives marks to runs and takes marks away.
pub const RUNS_MARKS: &str = "/v1/runs/marks";
/// Ends runs whose place is gone for good.
pub const RUNS_DEAD: &str = "/v1/runs/it-is-dead";
/// Asks for runs to be tried again.
pub const RUNS_RETRY: &str = "/v1/runs/retry";
/// Which runs are known, by their tags.
pub const RUNS_FIND: &str = "/v1/runs/find";
/// Takes in a run that only its directory knows.
pub const RUNS_RECOVER: &str = "/v1/runs/recover";
/// A run that happened elsewhere, with its files.
pub const RUNS_IMPORT: &str = "/v1/runs/import";

/// Claims: POST claims runs.
pub const CLAIMS: &str = "/v1/claims";
/// Makes claims last longer.
pub const CLAIMS_RENEW: &str = "/v1/claims/renew";
/// Gives claims back.
pub const CLAIMS_RELEASE: &str = "/v1/claims/release";
/// What is positively known of attempts; needs no claim.
pub const FACTS: &str = "/v1/facts";
/// What the holder of a claim did; needs the claim.
pub const ACTIONS: &str = "/v1/actions";

/// Host labels, their launchers, and what waits for them.
pub const HOSTS: &str = "/v1/hosts";

/// Whether a label gives out launches: PUT holds it, DELETE releases it.
pub const HOST_HOLD: &str = "/v1/hosts/{host}/hold";
/// How many runs may run at a time: PUT sets or removes a limit.
pub const LIMITS: &str = "/v1/limits";
/// The audit log, oldest entry first.
pub const AUDIT: &str = "/v1/audit";
/// Whether the audit log is whole.
pub const AUDIT_CHECK: &str = "/v1/audit/check";
/// Who may launch the runs of others: POST allows it.
pub const LAUNCH_GRANTS: &str = "/v1/grants/launch";
/// One such grant: DELETE revokes it.
pub const LAUNCH_GRANT: &str = "/v1/grants/launch/{id}";

/// Installed workflows.
pub const WORKFLOWS: &str = "/v1/workflows";
/// One workflow with its parameters.
pub const WORKFLOW: &str = "/v1/workflows/{swid}";
/// The report of every run of a workflow.
pub const WORKFLOW_REPORT: &str = "/v1/workflows/{swid}/report";
/// POST installs a bundle's archive.
pub const BUNDLES: &str = "/v1/bundles";
/// The archive with this SHA-256.
pub const BUNDLE: &str = "/v1/bundles/{sha256}";

/// Studies.
pub const STUDIES: &str = "/v1/studies";
/// Who may read a study: POST adds an account.
pub const STUDY_READERS: &str = "/v1/studies/{swid}/readers";
/// One reader of a study: DELETE takes it back.
pub const STUDY_READER: &str = "/v1/studies/{swid}/readers/{email}";
/// Experiments.
pub const EXPERIMENTS: &str = "/v1/experiments";
/// Samples.
pub const SAMPLES: &str = "/v1/samples";
/// Files.
pub const FILES: &str = "/v1/files";
/// Any object by its accession.
pub const OBJECT: &str = "/v1/objects/{swid}";

/// Accounts, for administrators.
pub const ACCOUNTS: &str = "/v1/accounts";
/// One account: PATCH disables, enables or changes its role.
pub const ACCOUNT: &str = "/v1/accounts/{email}";
/// Sets an account's password.
pub const ACCOUNT_PASSWORD: &str = "/v1/accounts/{email}/password";
/// The caller's tokens.
pub const TOKENS: &str = "/v1/tokens";
/// One token: DELETE revokes it.
pub const TOKEN: &str = "/v1/tokens/{id}";
/// Server-sent events of runs that the caller may see.
pub const EVENTS: &str = "/v1/events";

/// Fills the first `{...}` of a route with a value, percent-encoded.
///
/// Routes with no placeholder come back as they are.
pub fn fill(route: &str, value: impl std::fmt::Display) -> String {
    let (Some(open), Some(close)) = (route.find('{'), route.find('}')) else {
        return route.to_owned();
    };
    let mut filled = route[..open].to_owned();
    for byte in value.to_string().bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
            filled.push(char::from(byte));
        } else {
            filled.push('%');
            filled.extend(hex_digits(byte));
        }
    }
    filled.push_str(&route[close + 1..]);
    filled
}

fn hex_digits(byte: u8) -> [char; 2] {
    let digit = |nibble: u8| char::from(b"0123456789ABCDEF"[usize::from(nibble)]);
    [digit(byte >> 4), digit(byte & 15)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_percent_encoded() {
        assert_eq!(fill(RUN_REPORT, 7), "/v1/runs/7/report");
        assert_eq!(fill(ACCOUNT, "a/b?c d@lab.net"), "/v1/accounts/a%2Fb%3Fc%20d@lab.net");
        assert_eq!(fill(&fill(RUN_STEP_LOG, 7), 3), "/v1/runs/7/steps/3/log");
        assert_eq!(fill(RUNS, 7), RUNS);
    }
}
