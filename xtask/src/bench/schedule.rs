//! Scheduling from sixteen clients through HTTP, with every accepted run on disk.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Bench;
use super::http::Poster;
use super::measure::median;
use super::site::{EMAIL, PASSWORD, Site};
use super::table::Row;

pub(super) const CLIENTS: usize = 16;

pub(super) const ROUND: Duration = Duration::from_secs(3);

pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let site = Site::start(&bench.seqware)?;
    let body = request(&site)?;
    round(site.port, &body, Duration::from_millis(500))?;
    let (mut rates, mut lasts) = (Vec::new(), Vec::new());
    for _ in 0..bench.pairs.min(3) {
        let (rate, last) = round(site.port, &body, ROUND)?;
        rates.push(rate);
        lasts.push(last);
    }
    Ok(vec![
        Row::at_least("schedules from 16 clients", median(rates), 3_000.0, " /s"),
        Row::at_most("99th percentile of one", median(lasts), 20.0, " ms"),
    ])
}

/// Installs a workflow and returns the request that schedules a run of it.
pub(super) fn request(site: &Site) -> Result<String> {
    let workflow = site.install(
        "one",
        "niassa: 1\nname: One\nversion: \"1\"\ndescription: one step\nparameters:\n  word: {type: string, default: a}\nsteps:\n  - {name: a, command: 'true'}\n",
    )?;
    let study = site.swid(&["create", "study", "--title", "t", "--description", "d"])?;
    let body = serde_json::json!({
        "workflow": workflow, "parents": [study], "host": "h",
        "sources": [{"name": "workflow.ini", "format": "ini", "text": "word=something\n"}],
    });
    Ok(body.to_string())
}

/// Returns schedules per second and the 99th percentile in milliseconds.
#[expect(clippy::cast_precision_loss, reason = "counts of a few seconds")]
pub(super) fn round(port: u16, body: &str, time: Duration) -> Result<(f64, f64)> {
    let authorization = authorization();
    let begun = Instant::now();
    let taken = std::thread::scope(|scope| {
        let client = |number: usize| {
            let authorization = &authorization;
            move || -> Result<Vec<f64>> {
                let mut poster = Poster::connect(port)?;
                let mut taken = Vec::new();
                while begun.elapsed() < time {
                    let one = Instant::now();
                    let key = format!("{number}-{}-{:?}", taken.len(), begun);
                    poster.post("/v1/runs", authorization, &key.replace(['"', ' '], ""), body)?;
                    taken.push(one.elapsed().as_secs_f64() * 1_000.0);
                }
                Ok(taken)
            }
        };
        let clients: Vec<_> = (0..CLIENTS).map(|number| scope.spawn(client(number))).collect();
        let mut all = Vec::new();
        for client in clients {
            all.extend(client.join().ok().context("a client panicked")??);
        }
        Ok::<_, anyhow::Error>(all)
    })?;
    let rate = taken.len() as f64 / begun.elapsed().as_secs_f64();
    Ok((rate, last_of_hundred(taken).context("nothing was scheduled")?))
}

/// Returns the 99th percentile.
pub(super) fn last_of_hundred(mut taken: Vec<f64>) -> Option<f64> {
    taken.sort_by(f64::total_cmp);
    taken.get(taken.len() * 99 / 100).copied()
}

/// Returns the header with which the account signs in.
pub(super) fn authorization() -> String {
    format!("Basic {}", base64(&format!("{EMAIL}:{PASSWORD}")))
}

/// Base64 of RFC 4648, for one header.
pub(super) fn base64(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for position in 0..4 {
            if position <= chunk.len() {
                encoded.push(char::from(ALPHABET[(bits >> (18 - 6 * position)) as usize & 63]));
            } else {
                encoded.push('=');
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_pads() {
        assert_eq!(base64("bob:pw"), "Ym9iOnB3");
        assert_eq!(base64("a"), "YQ==");
        assert_eq!(base64("ab"), "YWI=");
    }
}
