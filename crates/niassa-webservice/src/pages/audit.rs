//! The audit log, for administrators: newest first, filtered, a page at a time, or all as a file.

use askama::Template;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use niassa_metadb::audit::{AuditEntry, AuditFilter};
use niassa_model::account::Action;
use niassa_model::limits::{PAGE, PAGE_MOST};

use super::answer::{Frame, Unanswered, page};
use super::form::{Form, query};
use super::visitor::Visitor;
use super::words::{Moment, moment, shown};
use crate::app::App;
use crate::error::chain;
use crate::http::audit::shown as told;
use crate::http::extract::{page as cut, page_after};

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    account: String,
    action: String,
    subject: String,
    rows: Vec<Row>,
    export: String,
    newest: Option<String>,
    older: Option<String>,
}

struct Row {
    sequence: i64,
    at: Moment,
    account: String,
    action: String,
    subject: String,
    detail: String,
    origin: String,
    sha256: String,
}

/// Lists entries.
pub(super) async fn list(State(app): State<App>, visitor: Visitor) -> Result<Response, Unanswered> {
    let access = visitor.may(Action::Administer)?;
    let asked = &visitor.query;
    let before = page_after(asked.get("after").filter(|after| !after.is_empty()))?;
    let filter = AuditFilter { before, ..filter(asked) };
    let rows = app.metadb.newest_audit_entries(&access, &filter, PAGE + 1).await?;
    let found = cut(rows, PAGE, |entry| entry.sequence);
    let address = |path: &str, after: &str| {
        let names = ["account", "action", "subject"].map(|name| (name, asked.text(name)));
        match query(names.into_iter().chain([("after", after)])).as_str() {
            "" => path.to_owned(),
            query => format!("{path}?{query}"),
        }
    };
    Ok(page(&AuditPage {
        frame: Frame::of(&visitor, "Audit"),
        account: asked.text("account").to_owned(),
        action: asked.text("action").to_owned(),
        subject: asked.text("subject").to_owned(),
        rows: found.items.iter().map(row).collect(),
        export: address("/audit/export", ""),
        newest: before.map(|_| address("/audit", "")),
        older: found.next.map(|next| address("/audit", &next)),
    }))
}

/// Sends all entries that are meant, newest first, each a line of JSON as the API tells it.
pub(super) async fn export(
    State(app): State<App>,
    visitor: Visitor,
) -> Result<Response, Unanswered> {
    let access = visitor.may(Action::Administer)?;
    let begin = Some(filter(&visitor.query));
    let lines = stream::unfold(begin, move |next| {
        let (app, access) = (app.clone(), access.clone());
        async move {
            let filter = next?;
            let entries = app.metadb.newest_audit_entries(&access, &filter, PAGE_MOST).await;
            let entries = match entries {
                Ok(entries) => entries,
                Err(error) => {
                    tracing::warn!("an export of the audit log breaks off: {}", chain(&error));
                    return Some((Err(error), None));
                }
            };
            let last = entries.last()?.sequence;
            let text: String = entries.into_iter().map(line).collect();
            let next = AuditFilter { before: Some(last), ..filter };
            Some((Ok(Bytes::from(text)), Some(next)))
        }
    });
    let mut response = Body::from_stream(lines).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/jsonl; charset=utf-8"));
    let name = HeaderValue::from_static("attachment; filename=\"audit.jsonl\"");
    headers.insert(CONTENT_DISPOSITION, name);
    Ok(response)
}

fn line(entry: AuditEntry) -> String {
    // Numbers and texts are always JSON, and their line breaks are escaped.
    let mut line = serde_json::to_string(&told(entry)).unwrap_or_default();
    line.push('\n');
    line
}

fn filter(form: &Form) -> AuditFilter {
    let asked = |name| Some(form.text(name).trim().to_owned()).filter(|text| !text.is_empty());
    AuditFilter {
        account: asked("account"),
        action: asked("action"),
        subject: asked("subject"),
        before: None,
    }
}

fn row(entry: &AuditEntry) -> Row {
    Row {
        sequence: entry.sequence,
        at: moment(entry.at),
        account: shown(&entry.account),
        action: entry.action.replace('_', " "),
        subject: shown(&entry.subject),
        detail: entry.detail.as_deref().map(shown).unwrap_or_default(),
        origin: entry.origin.as_deref().map(shown).unwrap_or_default(),
        sha256: entry.sha256.chars().take(12).collect(),
    }
}

#[cfg(test)]
mod tests;
