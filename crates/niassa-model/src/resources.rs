//! What a step asks of a machine: threads, memory, time; and how people write them.

use serde::{Deserialize, Serialize};

/// What a step asks for. No memory or time means: nothing is reserved, nothing is enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Resources {
    /// Processors, at least 1.
    pub threads: u32,
    /// Bytes of memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Seconds of wall time, after which the step is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
}

impl Default for Resources {
    fn default() -> Self {
        Self { threads: 1, memory_bytes: None, seconds: None }
    }
}

/// Text that is not an amount of what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {what}")]
pub struct ResourceError {
    text: String,
    what: &'static str,
}

/// Reads memory such as `512M`, `4G`, `1.5T` or plain bytes; the units are powers of 1,024.
pub fn parse_memory(text: &str) -> Result<u64, ResourceError> {
    parse_amount(text, |unit| match unit {
        "" | "B" => Some(1),
        "K" | "KB" | "KiB" => Some(1 << 10),
        "M" | "MB" | "MiB" => Some(1 << 20),
        "G" | "GB" | "GiB" => Some(1 << 30),
        "T" | "TB" | "TiB" => Some(1 << 40),
        _ => None,
    })
    .ok_or_else(|| ResourceError {
        text: text.to_owned(),
        what: "an amount of memory (such as 512M, 4G or 1.5T)",
    })
}

/// Reads a duration such as `90`, `45s`, `30m`, `2h`, `1d`; a plain number is seconds.
pub fn parse_seconds(text: &str) -> Result<u64, ResourceError> {
    parse_amount(text, |unit| match unit {
        "" | "s" => Some(1),
        "m" | "min" => Some(60),
        "h" => Some(3_600),
        "d" => Some(86_400),
        _ => None,
    })
    .ok_or_else(|| ResourceError {
        text: text.to_owned(),
        what: "a duration (such as 90, 45s, 30m, 2h or 1d)",
    })
}

/// Writes bytes the way [`parse_memory`] reads them, rounded to one decimal.
pub fn format_memory(bytes: u64) -> String {
    let units = [("T", 1_u64 << 40), ("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)];
    let Some((unit, size)) = units.into_iter().find(|(_, size)| bytes >= *size) else {
        return format!("{bytes}B");
    };
    let tenths = u128::from(bytes) * 10 / u128::from(size);
    match tenths % 10 {
        0 => format!("{}{unit}", tenths / 10),
        tenth => format!("{}.{tenth}{unit}", tenths / 10),
    }
}

/// Multiplies digits with an optional decimal part by the unit behind them; at least 1.
fn parse_amount(text: &str, size_of: impl Fn(&str) -> Option<u64>) -> Option<u64> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let size = u128::from(size_of(unit.trim())?);
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    if decimals.len() > 6 || (number.contains('.') && decimals.is_empty()) {
        return None;
    }
    let scale = 10_u128.pow(u32::try_from(decimals.len()).ok()?);
    let whole = u128::from(whole.parse::<u64>().ok()?);
    let decimals = if decimals.is_empty() { 0 } else { decimals.parse::<u128>().ok()? };
    let amount = (whole * scale + decimals).checked_mul(size)? / scale;
    u64::try_from(amount).ok().filter(|amount| *amount > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_as_people_write_them() {
        assert_eq!(parse_memory("4G"), Ok(4 << 30));
        assert_eq!(parse_memory("1.5M"), Ok(1_572_864));
        assert_eq!(parse_memory("512"), Ok(512));
        assert_eq!(parse_seconds("2h"), Ok(7_200));
        assert_eq!(parse_seconds("1.5m"), Ok(90));
        for text in ["", "G", "-1G", "4X", "1.G", "0", "99999999999999999999T", "1e3"] {
            assert!(parse_memory(text).is_err(), "{text}");
            assert!(parse_seconds(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_within_a_tenth(bytes in 1u64..1 << 50) {
            let read = parse_memory(&format_memory(bytes)).expect("our own text");
            prop_assert!(read <= bytes && bytes - read <= bytes / 10 + 1);
        }
    }
}
