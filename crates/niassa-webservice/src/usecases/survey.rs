//! Surveys many runs at once: how their steps stand by name.

use niassa_api::runs::Run;
use niassa_metadb::Access;
use niassa_metadb::runs::RunFilter;
use niassa_metadb::steps::GridCell;
use niassa_model::accession::Accession;

use super::look;
use crate::app::App;
use crate::error::Failed;

/// Runs of a grid.
const GRID_RUNS: u32 = 25;

/// Returns the newest runs of a workflow that the caller may see, and how their steps stand.
pub(crate) async fn grid(
    app: &App,
    access: &Access,
    workflow: Accession,
) -> Result<(Vec<Run>, Vec<GridCell>), Failed> {
    let filter = RunFilter { workflow: Some(workflow), ..RunFilter::default() };
    let (runs, _) = look::newest(app, access, &filter, GRID_RUNS).await?;
    let accessions: Vec<Accession> = runs.iter().map(|run| run.swid).collect();
    let cells = app.metadb.step_grid(access, &accessions).await?;
    Ok((runs, cells))
}
