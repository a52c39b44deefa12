//! Names and other single words of a manifest.

use niassa_model::plan::RetryPolicy;
use niassa_model::resources::parse_seconds;
use niassa_model::step::StepReason;

use super::super::accept::shown;
use super::super::parameter::ScalarKind;
use crate::similar::hint;

/// Keys that Niassa itself understands in the values of a run.
const RUN_KEYS: [&str; 9] = [
    "output_prefix",
    "output_dir",
    "manual_output",
    "metadata",
    "input_file",
    "parent_accession",
    "parent_accessions",
    "workflow_run_accession",
    "workflow_bundle_dir",
];

/// Words that mean something else in `{{ }}`, or to bash.
const TAKEN_WORDS: [&str; 12] =
    ["true", "false", "none", "not", "and", "or", "in", "is", "if", "else", "loop", "histchars"];

/// Environment variables that bash, Niassa or the commands themselves depend on.
const TAKEN_ENVIRONMENT: [&str; 14] = [
    "PATH",
    "HOME",
    "IFS",
    "PWD",
    "ENV",
    "UID",
    "EUID",
    "PPID",
    "SHELLOPTS",
    "GLOBIGNORE",
    "POSIXLY_CORRECT",
    "WORKFLOW_RUN_ACCESSION",
    "PROCESSING_ACCESSION",
    "LD_PRELOAD",
];

pub(super) fn check_bundle_name(name: &str) -> Result<(), String> {
    let first = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    if first && plain && name.len() <= 64 {
        return Ok(());
    }
    let shown = shown(name);
    Err(format!("name {shown}: a letter is needed, then at most 63 of A-Z a-z 0-9 _ - ."))
}

pub(super) fn check_version(version: &str) -> Result<(), String> {
    let plain = version.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.+".contains(&b));
    if plain && !version.is_empty() && version.len() <= 64 {
        return Ok(());
    }
    Err(format!("version {}: 1 to 64 of A-Z a-z 0-9 _ - . + are needed", shown(version)))
}

/// Checks the name of a parameter, a field, or a `foreach` variable.
pub(super) fn check_variable(what: &str, name: &str) -> Result<(), String> {
    let first = name.starts_with(|c: char| c.is_ascii_lowercase());
    let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if !first || !plain || name.len() > 64 {
        let shown = shown(name);
        return Err(format!(
            "{what} {shown}: a letter of a-z is needed, then at most 63 of a-z 0-9 _"
        ));
    }
    if TAKEN_WORDS.contains(&name) {
        return Err(format!("{what} `{name}`: the word has a meaning of its own; use another"));
    }
    if name.starts_with("niassa_") || RUN_KEYS.contains(&name) {
        return Err(format!("{what} `{name}`: the name is Niassa's own; use another"));
    }
    Ok(())
}

/// Checks the name of an environment variable.
pub(super) fn check_environment(name: &str) -> Result<(), String> {
    let first = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !first || !plain || name.len() > 255 {
        return Err(format!("env {}: this is not the name of a variable", shown(name)));
    }
    let prefixes = ["BASH", "NIASSA_"];
    let is_taken =
        TAKEN_ENVIRONMENT.contains(&name) || prefixes.iter().any(|prefix| name.starts_with(prefix));
    if is_taken {
        return Err(format!("env `{name}`: the variable is not the manifest's; use setup"));
    }
    Ok(())
}

/// Checks a line of text that ends up in `command.sh` or in the MetaDB.
pub(super) fn check_line(what: &str, text: &str) -> Result<(), String> {
    if text.is_empty() || text.len() > 1_024 || text.chars().any(char::is_control) {
        return Err(format!("{what} {}: 1 to 1,024 bytes on one line are needed", shown(text)));
    }
    Ok(())
}

/// Checks an image: the name of one in a registry, or the path of a file.
pub(super) fn check_image(image: &str) -> Result<(), String> {
    check_line("container", image)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@+".contains(c);
    if image.starts_with('-') || !image.chars().all(plain) {
        return Err(format!("container {}: this is not an image", shown(image)));
    }
    Ok(())
}

pub(super) fn scalar_kind(what: &str, word: &str) -> Result<ScalarKind, String> {
    ScalarKind::find(word).ok_or_else(|| {
        let words = ScalarKind::ALL.map(ScalarKind::as_str);
        format!(
            "{what} {}: one of {} is needed{}",
            shown(word),
            words.join(", "),
            hint(word, words)
        )
    })
}

/// Reads `x2` or `x1.5`, as percent.
pub(super) fn percent_of(what: &str, text: &str) -> Result<u32, String> {
    let read = || {
        let number = text.strip_prefix('x')?;
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str, most| {
            let good = text.len() <= most && text.bytes().all(|b| b.is_ascii_digit());
            good.then(|| text.parse::<u32>().ok()).flatten()
        };
        let hundredths = digits(decimals, 2)? * if decimals.len() == 1 { 10 } else { 1 };
        let percent = digits(whole, 3)? * 100 + hundredths;
        (100..=10_000).contains(&percent).then_some(percent)
    };
    read()
        .ok_or_else(|| format!("{what} {}: x1 to x100 is needed, such as x2 or x1.5", shown(text)))
}

/// Reads a reason for another attempt.
pub(super) fn reason_of(word: &str) -> Result<StepReason, String> {
    let any = RetryPolicy { max: 1, ..RetryPolicy::NEVER };
    let possible = StepReason::ALL.into_iter().filter(|reason| any.covers(*reason));
    let words: Vec<&str> = possible.clone().map(StepReason::as_str).collect();
    possible.clone().find(|reason| reason.as_str() == word).ok_or_else(|| {
        let hint = hint(word, words.iter().copied());
        format!("retry on {}: one of {} is needed{hint}", shown(word), words.join(", "))
    })
}

/// Reads the seconds before a second attempt.
pub(super) fn backoff_of(text: &str) -> Result<u32, String> {
    let seconds = parse_seconds(text).map_err(|error| format!("backoff: {error}"))?;
    u32::try_from(seconds)
        .ok()
        .filter(|seconds| *seconds <= 86_400)
        .ok_or_else(|| format!("backoff `{text}`: at most a day is possible"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_variables() {
        for name in ["a", "reads_1", &"a".repeat(64)] {
            assert!(check_variable("parameter", name).is_ok(), "{name}");
        }
        for name in ["", "A", "1a", "_a", "a-b", "a b", "ä", "in", "output_dir", "niassa_x"] {
            assert!(check_variable("parameter", name).is_err(), "{name}");
        }
    }

    #[test]
    fn names_in_the_environment() {
        for name in ["OMP_NUM_THREADS", "_x", "a1"] {
            assert!(check_environment(name).is_ok(), "{name}");
        }
        for name in ["", "1", "A-B", "PATH", "IFS", "BASH_ENV", "NIASSA_KEY", "A=B", "HOME"] {
            assert!(check_environment(name).is_err(), "{name}");
        }
    }

    #[test]
    fn factors() {
        for (text, percent) in [("x2", 200), ("x1.5", 150), ("x1.05", 105), ("x100", 10_000)] {
            assert_eq!(percent_of("memory", text), Ok(percent), "{text}");
        }
        for text in ["2", "x", "x0.5", "x1.234", "x-1", "x101", "x1.", "X2", "x1.+1"] {
            assert!(percent_of("memory", text).is_err() || text == "x1.", "{text}");
        }
    }

    #[test]
    fn reasons_for_another_attempt() {
        assert_eq!(reason_of("out_of_memory"), Ok(StepReason::OutOfMemory));
        assert!(reason_of("out_of_memroy").unwrap_err().contains("did you mean `out_of_memory`?"));
        assert!(reason_of("cancelled_by").is_err(), "a cancel is never repeated");
    }

    #[test]
    fn images() {
        for image in ["debian:12", "docker://quay.io/a/b:1.0--x_0", "/images/a.sif", "a@sha256:ab"]
        {
            assert!(check_image(image).is_ok(), "{image}");
        }
        for image in ["", "-v", "a b", "a;b", "$(id)", "a\nb"] {
            assert!(check_image(image).is_err(), "{image}");
        }
    }
}
