//! The pages of words: settings, exit codes, statuses and reasons, and the API's routes.

use niassa_model::run::RunStatus;
use niassa_model::step::{StepReason, StepStatus};
use serde_json::Value;

use super::comments::{of_enum, of_variant};
use crate::exit::Exit;
use crate::settings::Key;

/// Returns the page of settings.
pub(super) fn settings() -> String {
    let comments = of_enum(include_str!("../../settings/key.rs"), "Key");
    let rows: Vec<String> = Key::ALL
        .iter()
        .map(|key| {
            let meaning = of_variant(&comments, &format!("{key:?}")).replace('|', "\\|");
            let default = key.default().map(|value| format!("`{value}`")).unwrap_or_default();
            let secret = if key.is_secret() { " A secret." } else { "" };
            format!("| `{}` | {meaning}{secret} | {default} |", key.name())
        })
        .collect();
    format!(
        "# Settings\n\nA setting comes from a flag, else from the environment variable of its name, else from \
         `~/.seqware/settings` (or the file that `SEQWARE_SETTINGS` names), else from `/etc/niassa/settings`. \
         `seqware check --settings` shows what holds and where it is from. Files are Java properties, \
         `NAME=value`. A file with a secret has to be closed to others (mode 0600), and the site's file may \
         hold none.\n\n| Name | Meaning | Default |\n|---|---|---|\n{}\n\n\
         `OOZIE_WORK_DIR` is understood as `SW_WORK_DIR`. `SEQWARE_SETTINGS`, `NIASSA_SERVICE_CONFIG` (the \
         service's configuration file) and `NIASSA_LOG` (what the log of service and agent holds, `info` by \
         default) are read from the environment only.\n",
        rows.join("\n")
    )
}

/// Returns the page of exit codes.
pub(super) fn exit_codes() -> String {
    let comments = of_enum(include_str!("../../exit.rs"), "Exit");
    let all = [
        Exit::Done,
        Exit::Unexpected,
        Exit::Usage,
        Exit::NotFound,
        Exit::NotAllowed,
        Exit::Conflict,
        Exit::ServiceUnreachable,
        Exit::SchedulerUnreachable,
        Exit::Partly,
        Exit::FaultFound,
        Exit::RunFailed,
        Exit::RunCancelled,
        Exit::TimeOver,
        Exit::Interrupted,
    ];
    assert_eq!(all.len(), comments.len(), "a code is missing on the page");
    let rows = all.map(|exit| {
        format!("| {} | {} |", exit.code(), of_variant(&comments, &format!("{exit:?}")))
    });
    format!(
        "# Exit codes\n\nHow commands end; scripts may rely on it.\n\n| Code | Meaning |\n|---|---|\n{}\n",
        rows.join("\n")
    )
}

/// Returns the page of statuses and reasons.
pub(super) fn statuses() -> String {
    let of_run = of_enum(include_str!("../../../../niassa-model/src/run/status.rs"), "RunStatus");
    let step = include_str!("../../../../niassa-model/src/step.rs");
    let (of_step, of_reason) = (of_enum(step, "StepStatus"), of_enum(step, "StepReason"));
    let row = |word: &str, meaning: String| format!("| `{word}` | {meaning} |");
    let runs = RunStatus::ALL.map(|s| row(s.as_str(), of_variant(&of_run, &format!("{s:?}"))));
    let steps = StepStatus::ALL.map(|s| row(s.as_str(), of_variant(&of_step, &format!("{s:?}"))));
    let reasons =
        StepReason::ALL.map(|r| row(r.as_str(), of_variant(&of_reason, &format!("{r:?}"))));
    let table = |rows: &[String]| format!("| Word | Meaning |\n|---|---|\n{}\n", rows.join("\n"));
    format!(
        "# Statuses and reasons\n\n## Of a run\n\n{}\n## Of a step and its attempts\n\n{}\n\
         ## Why a step did not succeed\n\n{}",
        table(&runs),
        table(&steps),
        table(&reasons)
    )
}

/// Returns the page of the API's routes.
pub(super) fn api(document: &Value) -> String {
    let mut rows = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, about) in methods.as_object().unwrap() {
            let summary = about["summary"].as_str().unwrap_or_default().replace('|', "\\|");
            rows.push(format!("| `{} {path}` | {summary} |", method.to_uppercase()));
        }
    }
    format!(
        "# API\n\nEvery command uses it, and so may you: JSON over HTTP, signed in by `Authorization: Basic` \
         (e-mail address and password) or `Bearer` (a token). The service itself answers `/v1/openapi.json`; \
         the same document is [openapi.json](../openapi.json) here. Problems are answered as \
         `application/problem+json` with a code and, where there is one, the next command.\n\n\
         | Route | What it does |\n|---|---|\n{}\n",
        rows.join("\n")
    )
}
