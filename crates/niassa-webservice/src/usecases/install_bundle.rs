//! Installs a bundle: an archive that was received becomes a workflow.

use niassa_api::bundles::{Installed, InstalledBundle};
use niassa_api::error::ProblemCode;
use niassa_bundle::archive::{self, BundleText};
use niassa_bundle::manifest::Manifest;
use niassa_metadb::Access;
use niassa_metadb::bundles::{BundleInstalled, NewBundle};
use niassa_metadb::idempotency::OnceKey;
use niassa_metadb::workflows::{NewWorkflow, WorkflowState};

use super::create_workflow::not_owner;
use crate::app::App;
use crate::bundle_store::Received;
use crate::error::{Failed, chain, done};

/// As what a bundle is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum As {
    /// The version its manifest names.
    Version,
    /// A development version of it, named by its content and hidden from lists.
    Development,
}

/// Installs an archive. It lies in the store, whole and synced, before the MetaDB knows of it.
pub(crate) async fn install_bundle(
    app: &App,
    access: &Access,
    received: Received,
    install_as: As,
    once: Option<OnceKey>,
) -> Result<InstalledBundle, Failed> {
    let (received, text, manifest) = read(received).await?;
    let (version, state) = match install_as {
        As::Version => (manifest.version, WorkflowState::Installed),
        As::Development => {
            let content = received.sha256.get(..8).unwrap_or_default();
            (format!("{}+dev.{content}", manifest.version), WorkflowState::Development)
        }
    };
    let bundle = NewBundle {
        workflow: NewWorkflow { name: manifest.name, version, description: manifest.description },
        state,
        sha256: received.sha256.clone(),
        size: i64::try_from(received.size).unwrap_or(i64::MAX),
        manifest: text.manifest,
        config: text.config,
    };
    let installing = app.store.installing().await;
    keep(app, received).await?;
    // After an error nobody knows whether the archive was named, so it stays.
    let outcome = app.metadb.install_bundle(access, &bundle, once.as_ref()).await?;
    drop(installing);
    let sha256 = bundle.sha256.clone();
    let answer = done(outcome).and_then(|outcome| answer(bundle, outcome));
    if answer.is_err() {
        remove_unnamed(app, &sha256).await?;
    }
    answer
}

/// Keeps an archive. One that the MetaDB names is kept already, and durably: then writing it again is not
/// waited for.
async fn keep(app: &App, received: Received) -> Result<(), Failed> {
    let is_named = app.metadb.bundle(&received.sha256).await?.is_some();
    let store = &app.store;
    if is_named && store.has(&received).await.map_err(|error| Failed::internal(&error))? {
        return Ok(());
    }
    store.keep(received).await.map_err(|error| Failed::internal(&error))
}

/// Removes the archive of a refused installation, unless another one named it.
async fn remove_unnamed(app: &App, sha256: &str) -> Result<(), Failed> {
    let removing = app.store.removing().await;
    if app.metadb.bundle(sha256).await?.is_some() {
        return Ok(());
    }
    removing.remove(sha256).await.map_err(|error| Failed::internal(&error))
}

fn answer(bundle: NewBundle, outcome: BundleInstalled) -> Result<InstalledBundle, Failed> {
    let NewWorkflow { name, version, .. } = bundle.workflow;
    let (swid, installed) = match outcome {
        BundleInstalled::Now(swid) => (swid, Installed::Now),
        BundleInstalled::Before(swid) => (swid, Installed::Before),
        BundleInstalled::NotOwner(owner) => return Err(not_owner(&name, &owner)),
        BundleInstalled::OtherContent(swid) => {
            let detail = format!("{name} {version} is SWID {swid}, with other content");
            return Err(Failed::new(ProblemCode::Conflict, detail)
                .hint("a version never changes: raise `version` in workflow.yaml"));
        }
    };
    Ok(InstalledBundle { swid, name, version, sha256: bundle.sha256, installed })
}

/// Reads an archive's texts, away from the threads that answer requests: it may be large.
async fn read(received: Received) -> Result<(Received, BundleText, Manifest), Failed> {
    let reading = tokio::task::spawn_blocking(move || {
        let text = archive::read(received.path()).map_err(|error| {
            let why = chain(&error);
            Failed::new(ProblemCode::Invalid, format!("the archive: {why}")).errors(vec![why])
        })?;
        let manifest = Manifest::parse(&text.manifest).map_err(|error| {
            let errors = error.errors();
            let detail = format!("workflow.yaml is not valid: {} errors", errors.len());
            Failed::new(ProblemCode::Invalid, detail).errors(errors)
        })?;
        if let Some((name, _)) = text.config.iter().find(|(_, text)| text.contains('\0')) {
            let detail = format!("{name} holds a NUL character");
            return Err(Failed::new(ProblemCode::Invalid, detail.clone()).errors(vec![detail]));
        }
        Ok((received, text, manifest))
    });
    reading.await.map_err(|error| Failed::internal(&error))?
}
