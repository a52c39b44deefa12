//! Whether the service is there, lets us in, has the same time, and looks after its MetaDB.

use std::path::Path;

use niassa_api::accounts::WhoAmI;
use niassa_api::client::{Client, ClientConfig, ClientError, PlainHttp};
use niassa_api::service::ServiceState;
use niassa_model::account::{Role, Scope};
use niassa_model::time::Timestamp;

use super::certificate;
use super::found::{Found, Verdict};
use crate::exit::Failure;
use crate::settings::Settings;
use crate::ui::words;

/// How far two clocks may be apart, in seconds.
const SKEW: i64 = 30;
/// From this distance on, in seconds, tokens and certificates end at the wrong time.
const FAR: i64 = 600;

const DAY: i64 = 86_400_000_000;
/// A token that is good for less than this is worth a look.
const TOKEN_ENDS_SOON: i64 = 14 * DAY;
/// A backup that is older is worth a look.
const BACKUP_OLD: i64 = 2 * DAY;
/// A backup that is older is none.
const BACKUP_TOO_OLD: i64 = 8 * DAY;

/// What was found, and the client if the service lets it in.
pub struct Asked {
    /// The findings.
    pub found: Vec<Found>,
    /// A client that is signed in.
    pub client: Option<Client>,
}

/// Checks the service step by step, as far as one step allows the next.
pub async fn probes(settings: &Settings, now: Timestamp) -> Asked {
    let mut found = Vec::new();
    let client = asked(settings, now, &mut found).await;
    Asked { found, client }
}

async fn asked(settings: &Settings, now: Timestamp, found: &mut Vec<Found>) -> Option<Client> {
    let config = match settings.client_config() {
        Ok(config) => config,
        Err(error) => {
            found.push(Found::bad("service", error.to_string(), error.hint()));
            return None;
        }
    };
    found.push(address(&config));
    found.push(certificates(config.ca.as_deref()));
    let client = match Client::new(config) {
        Ok(client) => client,
        Err(error) => {
            found.push(failed("service", error, "SW_REST_URL=https://..."));
            return None;
        }
    };
    match client.ready().await {
        Ok(()) => {
            found.push(Found::good("service", format!("{} answers", client.url())));
            found.push(Found::good("MetaDB", "answers, is migrated and has an account"));
            found.push(certificate::probe(&client, now).await);
        }
        Err(error) => {
            found.extend(not_ready(&client, error));
            return None;
        }
    }
    let me = match client.whoami().await {
        Ok(me) => me,
        Err(error) => {
            let fix = "seqware init --force, or seqware account password EMAIL";
            found.push(failed("sign-in", error, fix));
            return None;
        }
    };
    found.push(signed_in(&me));
    found.push(token(&me, now));
    found.push(version("version", &me.service_version));
    found.push(clock("clock", "the service's", me.now, now));
    found.push(match me.role {
        Role::Administrator => backup(client.service_state().await, now),
        Role::Member => Found::not_known("backup", "only administrators are told of backups"),
    });
    Some(client)
}

/// Tells a service that cannot be reached from one that answers and cannot work.
fn not_ready(client: &Client, error: ClientError) -> Vec<Found> {
    if error.code().is_none() {
        return vec![failed(
            "service",
            error,
            "is `seqware serve` running there? is the address right?",
        )];
    }
    vec![
        Found::good("service", format!("{} answers", client.url())),
        failed(
            "MetaDB",
            error,
            "on its machine: seqware metadb check, then seqware metadb migrate",
        ),
    ]
}

fn failed(check: &str, error: ClientError, fix: &str) -> Found {
    let failure = Failure::from(error);
    let explained = failure.explain();
    if certificate::is_over(explained) {
        return Found::bad("certificate", explained, certificate::RENEW);
    }
    let fix = match failure.hint() {
        Some(hint) if !hint.starts_with("seqware check") => hint,
        _ => fix,
    };
    Found::bad(check, explained, fix)
}

fn address(config: &ClientConfig) -> Found {
    if config.url.starts_with("https:") {
        return Found::good("TLS", "https: passwords and tokens travel encrypted");
    }
    match config.plain_http {
        PlainHttp::OnlyLoopback => Found::good("TLS", "not needed: http only to this machine"),
        PlainHttp::Anywhere => Found::doubtful(
            "TLS",
            "http: passwords and tokens cross the network in clear",
            "tls_cert and tls_key in service.toml, SW_REST_URL=https://..., \
             and no SW_REST_ALLOW_HTTP",
        ),
    }
}

fn certificates(file: Option<&Path>) -> Found {
    let Some(path) = file else {
        return Found::good("certificates", "the system's are trusted");
    };
    let fix = "SW_REST_CA=/path/of/the/certificates.pem";
    match std::fs::read_to_string(path) {
        Ok(text) if text.contains("-----BEGIN CERTIFICATE-----") => {
            Found::good("certificates", format!("those in {} are trusted", path.display()))
        }
        Ok(_) => {
            Found::bad("certificates", format!("{} holds no certificate", path.display()), fix)
        }
        Err(error) => Found::bad("certificates", format!("{}: {error}", path.display()), fix),
    }
}

fn signed_in(me: &WhoAmI) -> Found {
    Found::good("sign-in", format!("{} ({})", me.email, me.role.as_str()))
}

/// Looks at the token: what it is good for, and until when.
fn token(me: &WhoAmI, now: Timestamp) -> Found {
    let Some(scopes) = &me.scopes else {
        return Found::good("token", "none: a password is used");
    };
    let words = scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let Some(end) = me.token_expires_at else {
        let finding = format!("for {words}; until when, this service does not tell");
        return Found::not_known("token", finding);
    };
    let left = end.micros_since(now);
    let finding = format!("for {words}, good for {}", words::duration(left));
    match left < TOKEN_ENDS_SOON {
        true => Found::doubtful("token", finding, new_token(scopes)),
        false => Found::good("token", finding),
    }
}

fn new_token(scopes: &[Scope]) -> String {
    let scopes: Vec<String> = scopes.iter().map(|scope| format!("--scope {scope}")).collect();
    let scopes = scopes.join(" ");
    format!("seqware token create {scopes} --expires 365d, then SW_REST_TOKEN in the settings")
}

/// Compares a version with this program's.
pub fn version(check: &str, theirs: &str) -> Found {
    let ours = env!("CARGO_PKG_VERSION");
    if theirs == ours {
        return Found::good(check, format!("{ours} on both sides"));
    }
    let finding = format!("{ours} here, {theirs} there");
    Found::doubtful(check, finding, "install the same version on both sides")
}

/// Compares a clock with this machine's.
pub fn clock(check: &str, whose: &str, theirs: Timestamp, ours: Timestamp) -> Found {
    let seconds = (theirs.as_micros() - ours.as_micros()).abs() / 1_000_000;
    let verdict = Verdict::of_distance(seconds, SKEW + 1, FAR);
    let finding = match verdict {
        Verdict::Good => format!("as {whose}"),
        _ => format!("{seconds} s away from {whose}"),
    };
    Found::judged(verdict, check, finding, "timedatectl set-ntp true, on the machine that is wrong")
}

/// Looks at the age of the MetaDB's last backup.
fn backup(state: Result<Option<ServiceState>, ClientError>, now: Timestamp) -> Found {
    let fix = "seqware metadb backup, daily";
    match state {
        Ok(Some(ServiceState { last_backup_at: Some(at), .. })) => {
            let finding = format!("the last one was made {}", words::ago(at, now));
            let age = now.micros_since(at);
            let verdict = Verdict::of_distance(age, BACKUP_OLD, BACKUP_TOO_OLD);
            Found::judged(verdict, "backup", finding, fix)
        }
        Ok(Some(ServiceState { last_backup_at: None, .. })) => {
            Found::doubtful("backup", "the MetaDB was never backed up", fix)
        }
        Ok(None) => Found::not_known("backup", "this service does not tell of backups"),
        Err(error) => Found::not_known("backup", Failure::from(error).explain()),
    }
}

#[cfg(test)]
mod tests {
    use niassa_api::client::Credentials;
    use niassa_api::error::{Problem, ProblemCode};

    use super::super::found::Verdict::{Bad, Doubtful, Good, NotKnown};
    use super::super::found::assert_verdict;
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(100 * DAY);

    fn before(days: i64) -> Timestamp {
        Timestamp::from_micros(NOW.as_micros() - days * DAY)
    }

    fn me(role: Role, scopes: Option<&str>, token_expires_at: Option<Timestamp>) -> WhoAmI {
        WhoAmI {
            email: "bob@lab.net".parse().unwrap(),
            role,
            scopes: scopes.map(|scope| vec![scope.parse().unwrap()]),
            token_expires_at,
            service_version: env!("CARGO_PKG_VERSION").to_owned(),
            now: NOW,
        }
    }

    #[test]
    fn passwords_in_clear_are_told() {
        let config = |url: &str, plain_http| ClientConfig {
            plain_http,
            ..ClientConfig::new(url, Credentials::None)
        };
        assert_verdict(&address(&config("https://a.net", PlainHttp::Anywhere)), Good);
        assert_verdict(&address(&config("http://127.0.0.1:8080", PlainHttp::OnlyLoopback)), Good);
        assert_verdict(&address(&config("http://a.net", PlainHttp::Anywhere)), Doubtful);
    }

    #[test]
    fn the_file_of_certificates_holds_some() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        assert_verdict(&certificates(None), Good);
        assert_verdict(&certificates(Some(&file)), Bad);
        std::fs::write(&file, "a key?").unwrap();
        assert_verdict(&certificates(Some(&file)), Bad);
        std::fs::write(&file, "-----BEGIN CERTIFICATE-----\n").unwrap();
        assert_verdict(&certificates(Some(&file)), Good);
    }

    #[test]
    fn a_service_that_answers_and_cannot_work_is_told_from_one_that_is_away() {
        let url = "http://127.0.0.1:1";
        let client = Client::new(ClientConfig::new(url, Credentials::None)).unwrap();
        let seconds = 1;
        let away = not_ready(&client, ClientError::TimedOut { url: url.to_owned(), seconds });
        assert_eq!(away.len(), 1);
        assert_verdict(&away[0], Bad);
        let unmigrated = Problem::new(ProblemCode::Unavailable, "the MetaDB is not migrated");
        let found = not_ready(&client, unmigrated.into());
        assert_verdict(&found[0], Good);
        assert_verdict(&found[1], Bad);
        assert_eq!(found[1].check, "MetaDB");
    }

    #[test]
    fn a_token_that_ends_soon_is_told_in_time() {
        assert_verdict(&signed_in(&me(Role::Member, None, None)), Good);
        let refused = Problem::new(ProblemCode::NotSignedIn, "wrong password");
        assert_verdict(&failed("sign-in", refused.into(), "seqware init --force"), Bad);
        assert_verdict(&token(&me(Role::Member, None, None), NOW), Good);
        assert_verdict(&token(&me(Role::Member, Some("read"), None), NOW), NotKnown);
        assert_verdict(&token(&me(Role::Member, Some("read"), Some(before(-15))), NOW), Good);
        let soon = token(&me(Role::Member, Some("launch:h"), Some(before(-13))), NOW);
        assert_verdict(&soon, Doubtful);
        assert!(soon.fix.unwrap().contains("--scope launch:h"));
    }

    #[test]
    fn clocks_may_differ_a_little() {
        let at = |second: i64| Timestamp::from_micros(second * 1_000_000);
        assert_verdict(&clock("clock", "it", at(100), at(70)), Good);
        assert_verdict(&clock("clock", "it", at(0), at(31)), Doubtful);
        assert_verdict(&clock("clock", "it", at(3_600), at(0)), Bad);
    }

    #[test]
    fn another_version_is_worth_a_look() {
        assert_verdict(&version("version", env!("CARGO_PKG_VERSION")), Good);
        assert_verdict(&version("version", "99.0.0"), Doubtful);
    }

    #[test]
    fn a_backup_is_not_old() {
        let at = |last_backup_at| {
            Ok(Some(ServiceState {
                deployment: None,
                version: "1".to_owned(),
                schema_version: 1,
                now: NOW,
                last_backup_at,
            }))
        };
        assert_verdict(&backup(at(Some(before(1))), NOW), Good);
        assert_verdict(&backup(at(Some(before(3))), NOW), Doubtful);
        assert_verdict(&backup(at(Some(before(9))), NOW), Bad);
        assert_verdict(&backup(at(None), NOW), Doubtful);
        assert_verdict(&backup(Ok(None), NOW), NotKnown);
    }
}
