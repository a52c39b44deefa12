//! Whether the default engine's scheduler answers.

use niassa_model::place::EngineKind;
use niassa_pipeline::engine::cluster::{SchedulerError, scheduler_of};

use super::found::Found;
use crate::exit::{Exit, Failure};
use crate::settings::Settings;

/// Checks the scheduler of the default engine, if it has one.
pub fn probes(settings: &Settings) -> Vec<Found> {
    let Ok(engine) = settings.default_engine() else { return Vec::new() };
    let clusters = match settings.clusters() {
        Ok(clusters) => clusters,
        Err(error) => return vec![Found::bad("scheduler", error.to_string(), error.hint())],
    };
    let Some(scheduler) = scheduler_of(engine, clusters) else {
        return vec![Found::good("scheduler", "none: the local engine starts steps itself")];
    };
    let name = scheduler.cluster_name();
    let answers = name.is_ok();
    let mut found = vec![answering(engine, name)];
    if answers {
        found.push(arrays(engine, scheduler.array_limit()));
        found.push(Found::not_known("holds", "a job has to try: seqware check --from-node"));
    }
    found
}

fn answering(engine: EngineKind, name: Result<String, SchedulerError>) -> Found {
    match name {
        Ok(cluster) => {
            Found::good("scheduler", format!("{engine} answers; its cluster is {cluster}"))
        }
        Err(error) => {
            let failure = Failure::of(Exit::SchedulerUnreachable, &error);
            Found::bad("scheduler", failure.explain(), asking(engine))
        }
    }
}

fn arrays(engine: EngineKind, limit: Result<u32, SchedulerError>) -> Found {
    match limit {
        Ok(..=1) => Found::doubtful(
            "job arrays",
            "not to be had: a step over many items becomes as many jobs",
            "set MaxArraySize (Slurm) or max_aj_tasks (Grid Engine)",
        ),
        Ok(limit) => Found::good("job arrays", format!("of up to {limit} elements")),
        Err(error) => {
            let failure = Failure::of(Exit::SchedulerUnreachable, &error);
            Found::bad("job arrays", failure.explain(), asking(engine))
        }
    }
}

/// Returns the command by which people ask a scheduler how it is.
fn asking(engine: EngineKind) -> &'static str {
    match engine {
        EngineKind::Slurm => "scontrol ping",
        EngineKind::Sge | EngineKind::Local => "qstat -f",
    }
}

#[cfg(test)]
mod tests {
    use super::super::found::Verdict::{Bad, Doubtful, Good};
    use super::super::found::assert_verdict;
    use super::*;

    #[test]
    fn a_scheduler_answers_or_the_next_command_is_told() {
        let silent = || SchedulerError::Silent("scontrol");
        assert_verdict(&answering(EngineKind::Slurm, Ok("hpc".to_owned())), Good);
        let found = answering(EngineKind::Slurm, Err(silent()));
        assert_verdict(&found, Bad);
        assert_eq!(found.fix.as_deref(), Some("scontrol ping"));
        assert_verdict(&arrays(EngineKind::Sge, Ok(1_000)), Good);
        assert_verdict(&arrays(EngineKind::Sge, Ok(1)), Doubtful);
        assert_verdict(&arrays(EngineKind::Sge, Err(silent())), Bad);
    }
}
