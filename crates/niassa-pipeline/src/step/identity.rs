//! Who this runner is: the job of the scheduler that started it, by the scheduler's variables.
//!
//! They are set by the scheduler's daemon on the node, after everything a job brings along.

use niassa_model::job::JobId;

/// The job that a runner is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Its number, with that of the element for one element of an array.
    pub(crate) job: JobId,
    /// The element's number, from 1; none for a job that is no array.
    pub(crate) element: Option<usize>,
    /// How often the scheduler had restarted it.
    pub(crate) restarts: u32,
}

impl Identity {
    /// Reads the variables of this process; `None` where no scheduler started it.
    #[expect(clippy::disallowed_methods, reason = "who a job is stands in its environment only")]
    pub(crate) fn of_this_job() -> Option<Self> {
        Self::of(|name| std::env::var(name).ok())
    }

    fn of(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let restarts =
            |name: &str| variable(name).and_then(|value| value.parse().ok()).unwrap_or_default();
        if let Some(job) = variable("SLURM_JOB_ID") {
            let element = variable("SLURM_ARRAY_TASK_ID");
            let job = match (variable("SLURM_ARRAY_JOB_ID"), &element) {
                (Some(array), Some(element)) => format!("{array}_{element}"),
                _ => job,
            };
            let element = element.and_then(|element| element.parse().ok());
            let restarts = restarts("SLURM_RESTART_COUNT");
            return Some(Self { job: JobId(job), element, restarts });
        }
        let job = variable("JOB_ID")?;
        let element = variable("SGE_TASK_ID").filter(|element| element != "undefined");
        let job = match &element {
            Some(element) => format!("{job}.{element}"),
            None => job,
        };
        let element = element.and_then(|element| element.parse().ok());
        Some(Self { job: JobId(job), element, restarts: restarts("RESTARTED") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Option<(String, Option<usize>, u32)> {
        let find = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Identity::of(find).map(|found| (found.job.0, found.element, found.restarts))
    }

    #[test]
    fn a_job_knows_its_number() {
        let plain = |job: &str, restarts| Some((job.to_owned(), None, restarts));
        assert_eq!(of(&[("SLURM_JOB_ID", "7")]), plain("7", 0));
        assert_eq!(of(&[("SLURM_JOB_ID", "7"), ("SLURM_RESTART_COUNT", "2")]), plain("7", 2));
        assert_eq!(of(&[("JOB_ID", "8"), ("SGE_TASK_ID", "undefined")]), plain("8", 0));
        assert_eq!(of(&[("JOB_ID", "8"), ("RESTARTED", "1")]), plain("8", 1));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("SLURM_JOB_ID", ""), ("JOB_ID", "")]), None);
    }

    #[test]
    fn an_element_is_numbered_by_its_array() {
        let slurm =
            [("SLURM_JOB_ID", "9"), ("SLURM_ARRAY_JOB_ID", "7"), ("SLURM_ARRAY_TASK_ID", "2")];
        assert_eq!(of(&slurm), Some(("7_2".to_owned(), Some(2), 0)));
        assert_eq!(
            of(&[("JOB_ID", "8"), ("SGE_TASK_ID", "3"), ("RESTARTED", "0")]),
            Some(("8.3".to_owned(), Some(3), 0))
        );
    }
}
