//! The steps of a run: a numbered page at a time, of one group or with one status if asked.
//!
//! The address holds all of it, so that a page can be sent to somebody, and no script is needed. What has a
//! status is one click away however long the plan is: what failed must not be looked for.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use niassa_api::error::ProblemCode;
use niassa_metadb::steps::StepPart;
use niassa_model::account::Action;
use niassa_model::step::StepStatus;

use super::timeline::{self, Paths};
use super::{Head, Named, StepRow, outline, statuses, step_row};
use crate::app::App;
use crate::error::Failed;
use crate::pages::answer::{Frame, Unanswered, page};
use crate::pages::form::query;
use crate::pages::visitor::Visitor;
use crate::pages::words::{Badge, count, shown, step_badge};
use crate::usecases::look;

/// Steps of a page.
const STEPS: u32 = 200;

#[derive(Template)]
#[template(path = "run_steps.html")]
struct StepsPage {
    frame: Frame,
    head: Head,
    rows: Vec<StepRow>,
    group: String,
    status: String,
    /// The statuses that steps have, each with where these steps are.
    views: Vec<View>,
    /// "Steps 201 to 400 of 5000".
    place: String,
    links: Vec<(&'static str, &'static str, String)>,
}

/// Steps with one status.
struct View {
    badge: Badge,
    number: u32,
    path: String,
    is_current: bool,
}

/// Shows steps.
pub(in crate::pages) async fn steps(
    State(app): State<App>,
    visitor: Visitor,
    Named(swid): Named,
) -> Result<Response, Unanswered> {
    let access = visitor.may(Action::Read)?;
    let run = look::run(&app, &access, swid).await?;
    let (group, status) = (visitor.query.text("group"), visitor.query.text("status"));
    let number = page_number(visitor.query.text("page"))?;
    let part = StepPart { name: named(group), status: status_of(status)? };
    let window = ((number - 1).saturating_mul(STEPS), STEPS);
    let (found, steps) = look::part_of_steps(&app, &access, swid, &part, window).await?;
    let paths = Paths::of(&outline(&app, &access, swid).await?);
    let times = timeline::times(&steps, &paths, run.created_at, app.clock.now());
    let address = |status: &str, page: u32| {
        let page = if page > 1 { page.to_string() } else { String::new() };
        let pairs = query([("group", group), ("status", status), ("page", &page)]);
        let pairs = if pairs.is_empty() { pairs } else { format!("?{pairs}") };
        format!("/runs/{swid}/steps{pairs}")
    };
    let view = |(status_of_view, number): (StepStatus, u32)| View {
        badge: step_badge(status_of_view),
        number,
        path: address(status_of_view.as_str(), 1),
        is_current: status_of_view.as_str() == status,
    };
    Ok(page(&StepsPage {
        frame: Frame::of(&visitor, format!("Steps of run {swid}")),
        head: Head::of(&run, "steps"),
        rows: steps.iter().zip(&times).map(step_row).collect(),
        group: group.to_owned(),
        status: status.to_owned(),
        views: statuses(&run).into_iter().filter(|(_, number)| *number > 0).map(view).collect(),
        place: place(window.0, steps.len(), found),
        links: links(number, found, |page| address(status, page)),
    }))
}

fn page_number(text: &str) -> Result<u32, Failed> {
    match text {
        "" => Ok(1),
        text => text.parse().ok().filter(|number| *number > 0).ok_or_else(|| {
            Failed::new(ProblemCode::BadRequest, "pages of steps have numbers from 1 on")
        }),
    }
}

/// PostgreSQL knows no NUL, and no step has one in its name.
fn named(group: &str) -> Option<String> {
    (!group.is_empty()).then(|| group.replace('\0', "\u{fffd}"))
}

fn status_of(status: &str) -> Result<Option<StepStatus>, Failed> {
    let read = |text: &str| {
        let wrong = || format!("`{}` is not a status of a step", shown(text));
        text.parse::<StepStatus>().map_err(|_| Failed::new(ProblemCode::BadRequest, wrong()))
    };
    (!status.is_empty()).then(|| read(status)).transpose()
}

/// Says which steps of how many are shown.
fn place(before: u32, shown: usize, found: u32) -> String {
    let shown = u32::try_from(shown).unwrap_or(u32::MAX);
    match (shown, found) {
        (0, 0) => "No step is meant".to_owned(),
        (0, found) => format!("None of the {found} steps is on this page"),
        (shown, found) if shown == found => count(found as usize, "step", "steps"),
        (shown, found) => format!("Steps {} to {} of {found}", before + 1, before + shown),
    }
}

/// Where the other pages are: what the link says, what it is to this page, and its address.
fn links(
    number: u32,
    found: u32,
    address: impl Fn(u32) -> String,
) -> Vec<(&'static str, &'static str, String)> {
    let last = found.div_ceil(STEPS).max(1);
    let mut links = Vec::new();
    if number > 1 {
        links.push(("First", "first", address(1)));
        links.push(("Previous", "prev", address((number - 1).min(last))));
    }
    if number < last {
        links.push(("Next", "next", address(number + 1)));
        links.push(("Last", "last", address(last)));
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_where_it_stands() {
        assert_eq!(place(0, 1, 1), "1 step");
        assert_eq!(place(0, 200, 200), "200 steps");
        assert_eq!(place(200, 200, 5_000), "Steps 201 to 400 of 5000");
        assert_eq!(place(9_800, 0, 5_000), "None of the 5000 steps is on this page");
        assert_eq!(place(0, 0, 0), "No step is meant");
    }

    #[test]
    fn every_page_leads_to_the_others() {
        let told = |number, found| {
            let links = links(number, found, |page| page.to_string());
            links.into_iter().map(|(word, _, page)| format!("{word} {page}")).collect::<Vec<_>>()
        };
        assert_eq!(told(1, 200), [""; 0]);
        assert_eq!(told(1, 401), ["Next 2", "Last 3"]);
        assert_eq!(told(2, 401), ["First 1", "Previous 1", "Next 3", "Last 3"]);
        assert_eq!(told(3, 401), ["First 1", "Previous 2"]);
        assert_eq!(told(9, 401), ["First 1", "Previous 3"], "behind the end");
    }

    #[test]
    fn what_is_no_page_and_no_status_is_refused() {
        assert_eq!(page_number("").unwrap(), 1);
        assert!(page_number("0").is_err() && page_number("x").is_err());
        assert!(status_of("done").is_err() && status_of("").unwrap().is_none());
    }
}
