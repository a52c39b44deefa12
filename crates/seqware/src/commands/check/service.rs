//! Whether the service is there, lets us in, and has the same time.

use niassa_api::client::{Client, ClientError};
use niassa_model::time::Timestamp;

use super::probes::Found;
use crate::exit::Failure;
use crate::settings::Settings;

/// How far two clocks may be apart, in seconds.
const SKEW: i64 = 30;

/// Checks the service step by step, as far as one step allows the next.
pub async fn probes(settings: &Settings, now: Timestamp) -> Vec<Found> {
    let config = match settings.client_config() {
        Ok(config) => config,
        Err(error) => {
            let fix = error.hint();
            return vec![Found::bad("service", error.to_string(), fix)];
        }
    };
    let client = match Client::new(config) {
        Ok(client) => client,
        Err(error) => return vec![bad(error, "SW_REST_URL=https://...")],
    };
    if let Err(error) = client.ready().await {
        return vec![bad(error, "is `seqware serve` running there? is the address right?")];
    }
    let mut found = vec![Found::good("service", format!("{} answers", client.url()))];
    let me = match client.whoami().await {
        Ok(me) => me,
        Err(error) => {
            found.push(bad(error, "seqware init --force, or seqware account password EMAIL"));
            return found;
        }
    };
    let scopes = me
        .scopes
        .map(|scopes| scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
    let with = scopes.map(|scopes| format!(", with a token for {scopes}")).unwrap_or_default();
    found.push(Found::good("sign-in", format!("{} ({}){with}", me.email, me.role.as_str())));
    found.push(version(&me.service_version));
    found.push(clock(me.now, now));
    found
}

fn bad(error: ClientError, fix: &str) -> Found {
    let failure = Failure::from(error);
    let fix = match failure.hint() {
        Some(hint) if hint != "seqware check" && !hint.starts_with("seqware check") => hint,
        _ => fix,
    };
    Found::bad("service", failure.explain(), fix)
}

fn version(of_service: &str) -> Found {
    let ours = env!("CARGO_PKG_VERSION");
    if of_service == ours {
        return Found::good("version", format!("{ours}, as the service"));
    }
    let finding = format!("{ours}, but the service has {of_service}");
    Found::doubtful("version", finding, "install the same version on both sides")
}

fn clock(of_service: Timestamp, ours: Timestamp) -> Found {
    let seconds = (of_service.as_micros() - ours.as_micros()) / 1_000_000;
    if seconds.abs() <= SKEW {
        return Found::good("clock", "as the service's");
    }
    let finding = format!("{} s away from the service's", seconds.abs());
    Found::doubtful("clock", finding, "timedatectl set-ntp true")
}

#[cfg(test)]
mod tests {
    use super::super::probes::Verdict;
    use super::*;

    #[test]
    fn clocks_may_differ_a_little() {
        let at = |second: i64| Timestamp::from_micros(second * 1_000_000);
        assert_eq!(clock(at(100), at(70)).verdict, Verdict::Good);
        assert_eq!(clock(at(0), at(31)).verdict, Verdict::Doubtful);
    }

    #[test]
    fn another_version_is_worth_a_look() {
        assert_eq!(version(env!("CARGO_PKG_VERSION")).verdict, Verdict::Good);
        assert_eq!(version("99.0.0").verdict, Verdict::Doubtful);
    }
}
