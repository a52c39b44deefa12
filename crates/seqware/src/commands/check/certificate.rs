//! When the certificate that the service shows ends.
//!
//! Only the service's own certificate is looked at, not those above it. One that has ended already
//! never gets here: the connection is refused, and the words of that refusal are known here.

use niassa_api::client::Client;
use niassa_model::time::Timestamp;
use x509_cert::Certificate;
use x509_cert::der::{self, Decode};

use super::found::{Found, Verdict};
use crate::exit::Failure;
use crate::ui::words;

const CHECK: &str = "certificate";
const DAY: u64 = 86_400_000_000;
/// A certificate that is good for less than this is worth a look: most are renewed in time by a
/// program, which then does not.
const ENDS_SOON: u64 = 30 * DAY;
/// A certificate that is good for less than this must be renewed.
const ENDS_NOW: u64 = 3 * DAY;

/// What helps against a certificate that ends.
pub const RENEW: &str = "on the service's machine: a new certificate as tls_cert in service.toml \
    (or in the proxy before it), then systemctl restart niassa";

/// Looks at the certificate that the service shows.
pub async fn probe(client: &Client, now: Timestamp) -> Found {
    match client.shown_certificate().await {
        Ok(None) => Found::good(CHECK, "none is needed without TLS"),
        Ok(Some(shown)) => match end_of(&shown) {
            Ok(end) => judge(end, now),
            Err(error) => Found::not_known(CHECK, format!("it cannot be read: {error}")),
        },
        Err(error) => Found::not_known(CHECK, Failure::from(error).explain()),
    }
}

/// Tells whether a call failed because the service's certificate has ended.
pub fn is_over(explained: &str) -> bool {
    explained.contains("certificate expired") || explained.contains("certificate has expired")
}

fn end_of(shown: &[u8]) -> Result<Timestamp, der::Error> {
    let certificate = Certificate::from_der(shown)?;
    let end = certificate.tbs_certificate().validity().not_after.to_unix_duration();
    let end = i64::try_from(end.as_micros()).unwrap_or(i64::MAX);
    Ok(Timestamp::from_micros(end))
}

fn judge(end: Timestamp, now: Timestamp) -> Found {
    let left = end.micros_since(now);
    let finding = format!("the service's is good for {}, until {end}", words::duration(left));
    let rest = u64::try_from(left).unwrap_or(0);
    let verdict = Verdict::of_rest(rest, ENDS_SOON, ENDS_NOW);
    Found::judged(verdict, CHECK, finding, RENEW)
}

#[cfg(test)]
mod tests {
    use super::super::found::Verdict::{Bad, Doubtful, Good};
    use super::super::found::assert_verdict;
    use super::*;

    #[test]
    fn it_is_told_in_time() {
        let at = |days: i64| Timestamp::from_micros(days * 86_400_000_000);
        let after = |days: i64| judge(at(1_000 + days), at(1_000));
        assert_verdict(&after(31), Good);
        assert_verdict(&after(29), Doubtful);
        assert_verdict(&after(2), Bad);
        assert_verdict(&after(-1), Bad);
        let soon = after(29).finding;
        assert!(soon.contains("29d 0h") && soon.contains("until 1972-10-26"), "{soon}");
    }

    #[test]
    fn what_is_no_certificate_is_not_read() {
        assert!(end_of(b"0\x03\x02\x01\x05").is_err());
    }
}
