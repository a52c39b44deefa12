//! Retrying, cancelling and marking many runs: first the page that says how many, then the deed.

mod deed;
mod marking;

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use niassa_api::error::ProblemCode;
use niassa_api::runs::{CancelRuns, RetryRuns, Run, RunResult};
use niassa_metadb::Access;
use niassa_metadb::runs::RunFilter;
use niassa_model::accession::Accession;
use niassa_model::account::Action;
use niassa_model::run::RunStatus;
use uuid::Uuid;

use super::answer::{Frame, Unanswered, page, see_other};
use super::form::{Form, query};
use super::runs::{Row, row};
use super::search;
use super::visitor::Posted;
use super::words::{Badge, count, run_badge, shown};
use crate::app::App;
use crate::error::Failed;
use crate::usecases::{cancel, look, mark, retry};
use deed::{Deed, Which, asked};
use marking::Marking;

/// Most runs of one request.
const MOST: u32 = 1_000;
/// Runs that the page names one by one.
const NAMED: usize = 50;

#[derive(Template)]
#[template(path = "bulk_confirm.html")]
struct ConfirmPage {
    frame: Frame,
    deed: Deed,
    /// "312 runs".
    number: String,
    fitting: Vec<i64>,
    rows: Vec<Row>,
    unnamed: usize,
    statuses: Vec<(Badge, usize)>,
    staying: Vec<(Badge, usize)>,
    is_cut: bool,
    /// The marks that are given and taken away, where that is the deed.
    marking: Option<Marking>,
    id: String,
    text: String,
    back: String,
}

#[derive(Template)]
#[template(path = "bulk_done.html")]
struct DonePage {
    frame: Frame,
    deed: Deed,
    done: String,
    refused: Vec<(i64, String)>,
    back: String,
}

/// Asks whether the chosen runs, or all that were found, are really meant.
pub(super) async fn confirm(
    State(app): State<App>,
    posted: Posted,
) -> Result<Response, Unanswered> {
    let access = posted.may(Action::Schedule)?;
    let (deed, which) = asked(&posted.form)?;
    let runs = match which {
        Which::Chosen => chosen(&app, &access, &posted.form).await?,
        Which::All => all(&app, &access, &posted.form, deed).await?,
    };
    Ok(page(&confirming(&posted, deed, runs, &[])))
}

/// The page that says how many runs are meant, with what was typed there and is wrong.
fn confirming(posted: &Posted, deed: Deed, mut runs: Vec<Run>, errors: &[String]) -> ConfirmPage {
    let is_cut = runs.len() > MOST as usize;
    runs.truncate(MOST as usize);
    let (fitting, staying): (Vec<Run>, Vec<Run>) =
        runs.into_iter().partition(|run| deed.fits(run.status));
    ConfirmPage {
        frame: Frame::of(&posted.visitor, deed.title()),
        deed,
        marking: (deed == Deed::Mark).then(|| Marking::of(&fitting, &posted.form, errors)),
        number: count(fitting.len(), "run", "runs"),
        rows: fitting.iter().take(NAMED).map(row).collect(),
        unnamed: fitting.len().saturating_sub(NAMED),
        statuses: by_status(&fitting),
        staying: by_status(&staying),
        fitting: fitting.iter().map(|run| run.swid.get()).collect(),
        is_cut,
        id: Uuid::new_v4().to_string(),
        text: posted.form.text("q").to_owned(),
        back: back(&posted.form),
    }
}

/// Does it. Each run's own status decides, as it is now: the page may be old.
pub(super) async fn act(State(app): State<App>, posted: Posted) -> Result<Response, Unanswered> {
    let access = posted.may(Action::Schedule)?;
    let (deed, _) = asked(&posted.form)?;
    let accessions = accessions(&posted.form)?;
    let results = match deed {
        Deed::Cancel => cancel::cancel(&app, &access, CancelRuns { accessions }).await?,
        Deed::Retry => {
            let id = posted.form.text("id").to_owned();
            retry::retry(&app, &access, RetryRuns { accessions, id }).await?
        }
        Deed::Mark => match marking::read(&posted.form, accessions) {
            Ok(request) => mark::mark(&app, &access, request).await?,
            Err(errors) => {
                let runs = chosen(&app, &access, &posted.form).await?;
                return Ok(page(&confirming(&posted, deed, runs, &errors)));
            }
        },
    };
    if let (Some(back), [RunResult { refused: None, .. }]) =
        (page_of_run(&posted.form), results.results.as_slice())
    {
        return Ok(see_other(back));
    }
    let refused = |result: &RunResult| Some((result.swid.get(), shown(result.refused.as_ref()?)));
    let refused: Vec<(i64, String)> = results.results.iter().filter_map(refused).collect();
    let done = results.results.len() - refused.len();
    Ok(page(&DonePage {
        frame: Frame::of(&posted.visitor, deed.title()),
        deed,
        done: count(done, "run", "runs"),
        refused,
        back: back(&posted.form),
    }))
}

fn accessions(form: &Form) -> Result<Vec<Accession>, Failed> {
    let read = |text: &str| {
        text.parse().map_err(|error| Failed::new(ProblemCode::BadRequest, format!("{error}")))
    };
    let accessions = form.all("run").map(read).collect::<Result<Vec<Accession>, Failed>>()?;
    if accessions.is_empty() {
        let failed = Failed::new(ProblemCode::Invalid, "no run was chosen");
        return Err(failed.hint("go back and tick the box of each run that is meant"));
    }
    Ok(accessions)
}

async fn chosen(app: &App, access: &Access, form: &Form) -> Result<Vec<Run>, Failed> {
    let filter = RunFilter { accessions: Some(accessions(form)?), ..RunFilter::default() };
    look::found(app, access, &filter, MOST + 1).await
}

/// Of all that the search finds, those are meant that the deed fits.
async fn all(app: &App, access: &Access, form: &Form, deed: Deed) -> Result<Vec<Run>, Failed> {
    let filter = search::parse(form.text("q"), app.clock.now()).map_err(|errors| {
        Failed::new(ProblemCode::Invalid, "the search cannot be read").errors(errors)
    })?;
    if deed == Deed::Mark {
        return look::found(app, access, &filter, MOST + 1).await;
    }
    let fitting: BTreeSet<RunStatus> =
        RunStatus::ALL.into_iter().filter(|status| deed.fits(*status)).collect();
    let statuses = filter.statuses.as_ref().map_or(fitting.clone(), |asked| asked & &fitting);
    let filter = RunFilter { statuses: Some(statuses), ..filter };
    look::found(app, access, &filter, MOST + 1).await
}

fn by_status(runs: &[Run]) -> Vec<(Badge, usize)> {
    let mut numbers = BTreeMap::new();
    for run in runs {
        *numbers.entry(run.status).or_insert(0) += 1;
    }
    numbers.into_iter().map(|(status, number)| (run_badge(status), number)).collect()
}

/// The page of a run that the form stands on, if it does.
fn page_of_run(form: &Form) -> Option<&str> {
    let is_one = |back: &&str| {
        let run = back.strip_prefix("/runs/");
        run.is_some_and(|run| run.bytes().all(|byte| byte.is_ascii_digit()))
    };
    form.get("back").filter(is_one)
}

fn back(form: &Form) -> String {
    if let Some(back) = page_of_run(form) {
        return back.to_owned();
    }
    match query([("q", form.text("q"))]).as_str() {
        "" => "/runs".to_owned(),
        query => format!("/runs?{query}"),
    }
}

#[cfg(test)]
mod tests;
