//! The form by which a run is scheduled: the workflow's parameters with what is known of them, and
//! the command line that does the same.

mod fields;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use niassa_api::claims::SchedulerOptions;
use niassa_api::error::ProblemCode;
use niassa_api::runs::{ScheduleRun, SourceFormat, ValueSource};
use niassa_bundle::ini;
use niassa_metadb::Access;
use niassa_metadb::idempotency::OnceKey;
use niassa_metadb::workflows::StoredWorkflow;
use niassa_model::accession::Accession;
use niassa_model::account::Action;
use niassa_model::host::HostLabel;
use niassa_model::place::EngineKind;
use uuid::Uuid;

use super::answer::{Frame, Told, Unanswered, page, page_with, see_other};
use super::form::Form;
use super::run::Named;
use super::visitor::{Posted, Visitor};
use super::words::shown;
use crate::app::App;
use crate::error::Failed;
use crate::usecases::{describe_workflow, look, schedule};
use fields::{Field, Input};

/// The fields of the form that are no parameters, with what is known of them.
const AROUND: [(&str, &str, &str); 6] = [
    ("host", "Host", "the label of the launchers that may launch it, such as server2.lab.net"),
    ("engine", "Engine", "local, slurm or sge; empty leaves it to the launcher"),
    ("queue", "Queue", "Slurm's partition, Grid Engine's queue"),
    ("project", "Project", "Slurm's account, Grid Engine's project"),
    ("qos", "Quality of service", "Slurm's"),
    ("parents", "Descends from", "accessions, separated by commas or blanks"),
];

#[derive(Template)]
#[template(path = "launch.html")]
struct LaunchPage {
    frame: Frame,
    swid: i64,
    workflow: String,
    description: String,
    failed: Option<Told>,
    fields: Vec<Field>,
    around: Vec<Field>,
    once: String,
    command: Option<String>,
}

/// Shows the form, empty or filled with the values of an earlier run.
pub(super) async fn form(
    State(app): State<App>,
    visitor: Visitor,
    Named(swid): Named,
) -> Result<Response, Unanswered> {
    let access = visitor.may(Action::Schedule)?;
    let preset = match visitor.query.get("from").map(str::parse::<Accession>) {
        Some(Ok(run)) => from_run(&app, &access, swid, run).await?,
        Some(Err(_)) | None => None,
    };
    let launch = launch(&app, &visitor, swid, preset.as_ref()).await?;
    Ok(page(&launch))
}

/// Schedules what was typed, or shows the form again with what is wrong.
pub(super) async fn send(
    State(app): State<App>,
    Named(swid): Named,
    posted: Posted,
) -> Result<Response, Unanswered> {
    let access = posted.may(Action::Schedule)?;
    let mut launch = launch(&app, &posted.visitor, swid, Some(&posted.form)).await?;
    let failed = match request(&app, swid, &posted.form).await {
        Ok(request) if posted.form.text("do") == "show" => {
            launch.command = Some(command(&request));
            return Ok(page(&launch));
        }
        Ok(request) => {
            match schedule::schedule(&app, &access, request, Some(once(&posted))).await {
                Ok(run) => return Ok(see_other(&format!("/runs/{}", run.swid))),
                Err(failed) => failed,
            }
        }
        Err(failed) => failed,
    };
    if !is_theirs(failed.0.code) {
        return Err(failed.into());
    }
    let mut all: Vec<Field> = launch.fields.drain(..).chain(launch.around.drain(..)).collect();
    let others = fields::place(&mut all, &failed.0.errors);
    launch.around = all.split_off(all.len() - AROUND.len());
    launch.fields = all;
    let mut told = Told::from(&failed);
    told.errors = others;
    // The hint is for the command line; the form itself is the hint here.
    told.hint = None;
    launch.failed = Some(told);
    Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &launch))
}

async fn launch(
    app: &App,
    visitor: &Visitor,
    swid: Accession,
    typed: Option<&Form>,
) -> Result<LaunchPage, Failed> {
    let StoredWorkflow { name, version, description, .. } =
        describe_workflow::workflow(app, swid).await?;
    let known = app.workflows.find(&app.metadb, swid).await?;
    let around = |(name, label, help): (&str, &str, &str)| Field {
        name: name.to_owned(),
        label: label.to_owned(),
        kind: String::new(),
        help: Some(help.to_owned()),
        is_required: name == "host",
        input: Input::Line,
        value: typed.map(|form| form.text(name).to_owned()).unwrap_or_default(),
        errors: Vec::new(),
    };
    Ok(LaunchPage {
        frame: Frame::of(visitor, format!("Schedule {}", shown(&name))),
        swid: swid.get(),
        workflow: shown(&format!("{name} {version}")),
        description: shown(&description),
        failed: None,
        fields: fields::fields(&known.manifest, |parameter| match typed {
            Some(form) => fields::typed(form, parameter),
            None => fields::preset(parameter),
        }),
        around: AROUND.into_iter().map(around).collect(),
        once: match typed.and_then(|form| form.get("once")) {
            Some(once) => once.to_owned(),
            None => Uuid::new_v4().to_string(),
        },
        command: None,
    })
}

/// Fills the form with the values of a run, as far as the workflow has the same parameters.
async fn from_run(
    app: &App,
    access: &Access,
    workflow: Accession,
    run: Accession,
) -> Result<Option<Form>, Failed> {
    let known = app.workflows.find(&app.metadb, workflow).await?;
    let found = look::run(app, access, run).await?;
    let given = look::ini(app, access, run).await?;
    let entries = ini::parse(&given.text).unwrap_or_default();
    let mut pairs = vec![("host".to_owned(), found.host.to_string())];
    if let Some(engine) = found.engine {
        pairs.push(("engine".to_owned(), engine.to_string()));
    }
    for entry in entries {
        let Some(parameter) = known.manifest.parameter(&entry.key) else { continue };
        pairs.push((format!("p.{}", entry.key), fields::as_table(parameter, &entry.value)));
    }
    Ok(Some(Form::of(pairs)))
}

/// Makes a request of a form; what is wrong around the parameters is told as their errors are.
async fn request(app: &App, workflow: Accession, form: &Form) -> Result<ScheduleRun, Failed> {
    let known = app.workflows.find(&app.metadb, workflow).await?;
    let mut errors = Vec::new();
    let text = |name| Some(form.text(name).trim()).filter(|text| !text.is_empty());
    // A label counts byte for byte, blanks at its ends too.
    let host = form.text("host").parse::<HostLabel>();
    let host = host.map_err(|error| errors.push(format!("Host: {error}"))).ok();
    let engine = text("engine").map(str::parse::<EngineKind>).transpose();
    let engine = engine.map_err(|error| errors.push(format!("Engine: {error}"))).ok().flatten();
    let words = form.text("parents").split([',', ' ', '\n']).filter(|word| !word.is_empty());
    let parents = words.map(str::parse::<Accession>).collect::<Result<Vec<_>, _>>();
    let parents = parents.map_err(|error| errors.push(format!("Descends from: {error}")));
    let source = ValueSource {
        name: fields::SOURCE.to_owned(),
        format: SourceFormat::Ini,
        text: fields::values(&known.manifest, form).0,
    };
    let (Some(host), Ok(parents), true) = (host, parents, errors.is_empty()) else {
        // All that is wrong is told at once.
        if let Err(Failed(problem)) = schedule::check_values(app, workflow, vec![source]).await {
            errors.extend(problem.errors);
        }
        let detail = "some fields are not right";
        return Err(Failed::new(ProblemCode::Invalid, detail).errors(errors));
    };
    let option = |name| text(name).map(str::to_owned);
    Ok(ScheduleRun {
        workflow,
        parents,
        input_files: Vec::new(),
        link_to: Vec::new(),
        host,
        engine,
        options: SchedulerOptions {
            queue: option("queue"),
            project: option("project"),
            qos: option("qos"),
        },
        sources: vec![source],
        overrides: Vec::new(),
        priority: 0,
        claim_for: None,
    })
}

/// A form that is sent twice schedules once; one that was changed in between is another one.
fn once(posted: &Posted) -> OnceKey {
    let drawn = posted.form.text("once").chars().filter(char::is_ascii_alphanumeric).take(64);
    let key = format!("page-{}-{}", drawn.collect::<String>(), posted.digest);
    OnceKey { key, request_sha256: posted.digest.clone() }
}

/// Tells whether somebody at the form can do something about a problem.
fn is_theirs(code: ProblemCode) -> bool {
    match code {
        ProblemCode::BadRequest
        | ProblemCode::Invalid
        | ProblemCode::NotFound
        | ProblemCode::Conflict
        | ProblemCode::TooLarge => true,
        ProblemCode::NotSignedIn
        | ProblemCode::NotAllowed
        | ProblemCode::IdempotencyMismatch
        | ProblemCode::TooMany
        | ProblemCode::Unavailable
        | ProblemCode::Internal => false,
    }
}

/// Writes the command that asks for the same run.
fn command(request: &ScheduleRun) -> String {
    let mut words = vec![
        "seqware workflow schedule".to_owned(),
        format!("--accession {}", request.workflow),
        format!("--host {}", quoted(request.host.as_str())),
    ];
    let parents: Vec<String> = request.parents.iter().map(Accession::to_string).collect();
    if !parents.is_empty() {
        words.push(format!("--parent-accession {}", parents.join(",")));
    }
    let options = &request.options;
    let engine = request.engine.map(|engine| engine.to_string());
    for (name, value) in [
        ("engine", &engine),
        ("queue", &options.queue),
        ("project", &options.project),
        ("qos", &options.qos),
    ] {
        words.extend(value.as_ref().map(|value| format!("--{name} {}", quoted(value))));
    }
    let text = request.sources.iter().map(|source| source.text.as_str()).collect::<String>();
    for entry in ini::parse(&text).unwrap_or_default() {
        let pair = format!("{}={}", entry.key, entry.value);
        words.push(format!("--override {}", quoted(&pair)));
    }
    words.join(" \\\n  ")
}

/// Writes a word as shells read it back.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:=,@+%".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests;
