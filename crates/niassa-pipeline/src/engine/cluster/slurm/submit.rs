//! The words of `sbatch`: what it is told, and what its answer means.
//!
//! Options stand on the command line only, each as one word `--name=value`; behind `--` stand the
//! script and its arguments, so that nothing that begins with a hyphen is taken for an option. What
//! begins with `#SBATCH` in the script would be obeyed up to its first command, which therefore has to
//! be its second line. A held job is not tried by Slurm against its nodes: that comes with its release.
//! Only words of `sbatch` that are in the lists here are believed; every other failure is a doubt.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use niassa_model::job::JobId;
use niassa_model::resources::Resources;

use super::super::command::Answer;
use super::super::{ClusterSettings, Hold, JobOptions, JobRequest, SubmitError};
use super::is_number;

/// What `sbatch` says when the queue has no room: it would go on trying for two minutes.
pub(super) const GOES_ON_TRYING: &str = "sleeping and retrying";

/// Minutes beyond the time that was asked for: the step's own runner ends it, and tells why.
const GRACE_MINUTES: u64 = 1;

/// Always said. A job is never started twice by Slurm itself, and never kept behind one that failed.
const ALWAYS: [&str; 7] = [
    "--parsable",
    "--no-requeue",
    "--open-mode=append",
    "--kill-on-invalid-dep=yes",
    "--export=ALL",
    "--ntasks=1",
    "--nodes=1",
];

/// The connection failed: the job may have come through all the same.
const DOUBT: [&str; 12] = [
    "unable to contact",
    "timed out",
    "timeout",
    "socket",
    "communication",
    "connection",
    "zero bytes",
    "unexpected message",
    "protocol",
    "transport endpoint",
    "munge",
    // A job before it has vanished since the look; by the next look we know how it ended.
    "job dependency problem",
];

/// There is no room now. Limits on submitted jobs are called `AssocMaxSubmitJobLimit`,
/// `QOSMaxSubmitJobPerUserLimit`, `AssocGrpSubmitJobsLimit` and so on.
const FULL: [&str; 4] = [
    GOES_ON_TRYING,
    "submitjob",
    "resource temporarily unavailable",
    "slurm temporarily unable to accept job",
];

/// A limit on submitted jobs or on the job itself; which, is said in a word before it.
const OVER_A_LIMIT: &str = "job violates accounting/qos policy";

/// Positive refusals of this job.
const REFUSED: [&str; 33] = [
    "invalid partition",
    "invalid account",
    "invalid qos",
    "invalid feature specification",
    "invalid license specification",
    "invalid wckey",
    "invalid job array specification",
    "invalid generic resource",
    "invalid trackable resource",
    "invalid user id",
    "invalid node name",
    "invalid --",
    "invalid time specification",
    "requested node configuration is not available",
    "requested partition configuration not available",
    "requested time limit is invalid",
    "requested reservation",
    "required node not available",
    "time limit specification required",
    "memory specification can not be satisfied",
    "more processors requested than permitted",
    "node count specification invalid",
    "cpu count",
    "job size specification",
    "pathname of a file, directory or other parameter too long",
    "access/permission denied",
    "not permitted to use this partition",
    "unrecognized option",
    "requires an argument",
    "unable to open file",
    "batch script is empty",
    "does not look like a batch script",
    "batch script contains",
];

/// Returns the words behind `sbatch`.
pub(super) fn arguments(
    job: &JobRequest,
    settings: &ClusterSettings,
) -> Result<Vec<OsString>, SubmitError> {
    let mut words: Vec<OsString> = settings.slurm_extra.iter().map(OsString::from).collect();
    words.extend(ALWAYS.map(OsString::from));
    let name = job.name.to_string();
    words.push(option("--job-name", &name));
    words.push(option("--comment", &name));
    words.push(option("--chdir", &job.directory));
    words.push(option("--output", output_pattern(&job.output)?));
    words.extend(options_of_run(&job.options, &settings.slurm));
    words.extend(resources(job.resources));
    if job.hold == Hold::Held {
        words.push("--hold".into());
    }
    if let Some(elements) = job.elements {
        words.push(option("--array", format!("1-{elements}")));
    }
    if job.delay_seconds > 0 {
        words.push(option("--begin", format!("now+{}seconds", job.delay_seconds)));
    }
    words.extend(dependency(&job.after)?);
    words.push("--".into());
    words.push(job.script.clone().into_os_string());
    words.extend(job.arguments.iter().cloned());
    Ok(words)
}

fn option(name: &str, value: impl AsRef<OsStr>) -> OsString {
    let mut word = OsString::from(name);
    word.push("=");
    word.push(value);
    word
}

/// Writes a path so that Slurm takes it as it is: `%` begins a variable in it. A backslash would switch
/// that off and be taken out, so that such a path cannot be told at all.
fn output_pattern(path: &Path) -> Result<OsString, SubmitError> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.contains(&b'\\') {
        let words = format!("sbatch cannot be told a path with a backslash: {}", path.display());
        return Err(SubmitError::Refused(words));
    }
    let doubled = bytes
        .iter()
        .flat_map(|byte| if *byte == b'%' { &b"%%"[..] } else { std::slice::from_ref(byte) });
    Ok(OsString::from_vec(doubled.copied().collect()))
}

/// Each word of the run, else that of the site.
fn options_of_run(run: &JobOptions, site: &JobOptions) -> Vec<OsString> {
    let pairs = [
        ("--partition", &run.queue, &site.queue),
        ("--account", &run.project, &site.project),
        ("--qos", &run.qos, &site.qos),
    ];
    let chosen = pairs
        .into_iter()
        .filter_map(|(name, run, site)| Some((name, run.as_ref().or(site.as_ref())?)));
    chosen.map(|(name, value)| option(name, value)).collect()
}

/// No memory is not said: `--mem=0` would be all the memory of a node.
fn resources(asked: Resources) -> Vec<OsString> {
    let mut words = vec![option("--cpus-per-task", asked.threads.max(1).to_string())];
    if let Some(bytes) = asked.memory_bytes {
        words.push(option("--mem", format!("{}M", bytes.div_ceil(1 << 20).max(1))));
    }
    if let Some(seconds) = asked.seconds {
        words.push(option("--time", (seconds.div_ceil(60) + GRACE_MINUTES).to_string()));
    }
    words
}

fn dependency(after: &[JobId]) -> Result<Option<OsString>, SubmitError> {
    if after.is_empty() {
        return Ok(None);
    }
    let mut value = String::from("afterok");
    for id in after {
        if !is_number(&id.0) {
            return Err(SubmitError::Refused(format!(
                "`{id}` is not the number of a job of Slurm"
            )));
        }
        value.push(':');
        value.push_str(&id.0);
    }
    Ok(Some(option("--dependency", value)))
}

/// Says what an answer means.
pub(super) fn answer(answer: &Answer) -> Result<JobId, SubmitError> {
    match answer.code {
        Some(0) => accepted(&answer.stdout).ok_or_else(|| {
            SubmitError::InDoubt(format!("sbatch told no number of a job: {}", answer.words()))
        }),
        _ => Err(failed(answer)),
    }
}

/// Reads `17`, or `17;cluster` of a federation; what a site's wrapper says beside it is passed over.
fn accepted(stdout: &str) -> Option<JobId> {
    let number = |line: &str| {
        let id = line.split(';').next().unwrap_or(line).trim();
        (is_number(id) && !id.contains('_')).then(|| JobId(id.to_owned()))
    };
    let mut numbers = stdout.lines().filter_map(number);
    let id = numbers.next()?;
    numbers.next().is_none().then_some(id)
}

fn failed(answer: &Answer) -> SubmitError {
    let words = answer.words().replace("sbatch: error: ", "");
    let said = answer.stderr.to_ascii_lowercase();
    let says_one_of = |list: &[&str]| list.iter().any(|words| said.contains(words));
    // It was ended by us, because it said so.
    if said.contains(GOES_ON_TRYING) {
        return SubmitError::Full(words);
    }
    if answer.code.is_none() || says_one_of(&DOUBT) {
        return SubmitError::InDoubt(if words.is_empty() {
            "sbatch was killed".to_owned()
        } else {
            words
        });
    }
    if says_one_of(&FULL) {
        return SubmitError::Full(words);
    }
    if says_one_of(&REFUSED) {
        return SubmitError::Refused(words);
    }
    match said.contains(OVER_A_LIMIT) {
        // A limit on submitted jobs is taken for granted where no other is named: to wait harms less.
        true if names_a_limit(&answer.stderr) => SubmitError::Refused(words),
        true => SubmitError::Full(words),
        false => SubmitError::InDoubt(words),
    }
}

/// Tells whether a limit stands there by its name, such as `QOSMaxCpuPerUserLimit`.
fn names_a_limit(stderr: &str) -> bool {
    let is_name = |word: &str| {
        (word.starts_with("QOS") || word.starts_with("Assoc")) && word.ends_with("Limit")
    };
    stderr.split_whitespace().any(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::PathBuf;

    fn job() -> JobRequest {
        JobRequest {
            name: "nia-7-abcdefghij-s0-a1".parse().unwrap(),
            script: PathBuf::from("/w/7/job.sh"),
            arguments: vec!["-x".into(), "--wrap=rm".into()],
            elements: None,
            directory: PathBuf::from("/w/7/work"),
            output: PathBuf::from("/w/7/100%/out"),
            resources: Resources::default(),
            after: vec![],
            hold: Hold::Free,
            delay_seconds: 0,
            options: JobOptions::default(),
        }
    }

    fn words(job: &JobRequest, settings: &ClusterSettings) -> Vec<String> {
        let words = arguments(job, settings).unwrap();
        words.into_iter().map(|word| word.into_string().unwrap()).collect()
    }

    #[test]
    fn a_plain_job() {
        let words = words(&job(), &ClusterSettings::default());
        let mut expected: Vec<&str> = ALWAYS.to_vec();
        expected.extend([
            "--job-name=nia-7-abcdefghij-s0-a1",
            "--comment=nia-7-abcdefghij-s0-a1",
            "--chdir=/w/7/work",
            "--output=/w/7/100%%/out",
            "--cpus-per-task=1",
            "--",
            "/w/7/job.sh",
            "-x",
            "--wrap=rm",
        ]);
        assert_eq!(words, expected);
    }

    #[test]
    fn everything_that_can_be_asked_for() {
        let mut asked = job();
        asked.elements = Some(40);
        asked.resources =
            Resources { threads: 4, memory_bytes: Some((1 << 20) + 1), seconds: Some(61) };
        asked.after = vec![JobId("8".into()), JobId("9_1".into())];
        asked.hold = Hold::Held;
        asked.delay_seconds = 90;
        asked.options.queue = Some("-long".into());
        let named = |queue: &str| JobOptions {
            queue: Some(queue.into()),
            project: Some("lab".into()),
            qos: None,
        };
        let settings = ClusterSettings {
            slurm: named("short"),
            slurm_extra: vec!["--constraint=ssd".into()],
            ..ClusterSettings::default()
        };
        let words = words(&asked, &settings);
        assert_eq!(words[0], "--constraint=ssd");
        for word in [
            "--array=1-40",
            "--cpus-per-task=4",
            "--mem=2M",
            "--time=3",
            "--dependency=afterok:8:9_1",
            "--hold",
            "--begin=now+90seconds",
            "--partition=-long",
            "--account=lab",
        ] {
            assert!(words.iter().any(|said| said == word), "{word} in {words:?}");
        }
        assert!(!words.iter().any(|word| word.starts_with("--qos")));
    }

    #[test]
    fn what_cannot_be_told_is_refused() {
        let mut odd = job();
        odd.output = PathBuf::from("/w/a\\b");
        let settings = ClusterSettings::default();
        assert!(matches!(arguments(&odd, &settings), Err(SubmitError::Refused(_))));
        let mut odd = job();
        odd.after = vec![JobId("8,singleton".into())];
        assert!(matches!(arguments(&odd, &settings), Err(SubmitError::Refused(_))));
    }

    fn failed_with(stderr: &str) -> SubmitError {
        let (stdout, stderr) = (String::new(), stderr.to_owned());
        answer(&Answer { code: Some(1), stdout, stderr }).unwrap_err()
    }

    #[test]
    fn numbers_of_accepted_jobs() {
        let accepted = |stdout: &str| {
            answer(&Answer { code: Some(0), stdout: stdout.to_owned(), stderr: String::new() })
        };
        for stdout in ["17\n", "17;niassa\n", "Welcome to the cluster\n17\n"] {
            assert!(matches!(accepted(stdout), Ok(JobId(id)) if id == "17"), "{stdout}");
        }
        for stdout in ["", "Submitted batch job 17\n", "17\n18\n", "17_1\n"] {
            assert!(matches!(accepted(stdout), Err(SubmitError::InDoubt(_))), "{stdout}");
        }
    }

    #[test]
    fn refusals_are_told_in_the_words_of_sbatch() {
        let SubmitError::Refused(words) = failed_with(
            "sbatch: error: invalid partition specified: nope\n\
             sbatch: error: Batch job submission failed: Invalid partition name specified\n",
        ) else {
            panic!("not refused")
        };
        let expected = "invalid partition specified: nope Batch job submission failed: Invalid \
            partition name specified";
        assert_eq!(words, expected);
        for stderr in [
            "sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified",
            "sbatch: error: Batch job submission failed: Invalid qos specification",
            "sbatch: error: Memory specification can not be satisfied\n\
             sbatch: error: Batch job submission failed: Requested node configuration is not available",
            "sbatch: error: CPU count per node can not be satisfied",
            "sbatch: error: Batch job submission failed: Invalid job array specification",
            "sbatch: error: Batch job submission failed: Requested time limit is invalid (missing or exceeds some limit)",
            "sbatch: unrecognized option '--nope'\nTry \"sbatch --help\" for more information",
            "sbatch: error: Invalid --time specification",
            "sbatch: error: Unable to open file nothere.sh",
            "sbatch: error: Batch script is empty!",
            "sbatch: error: QOSMaxCpuPerUserLimit\nsbatch: error: Batch job submission failed: Job violates \
             accounting/QOS policy (job submit limit, user's size and/or time limits)",
        ] {
            assert!(matches!(failed_with(stderr), SubmitError::Refused(_)), "{stderr}");
        }
    }

    #[test]
    fn a_full_queue_is_no_refusal() {
        let policy = "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy \
            (job submit limit, user's size and/or time limits)\n";
        for stderr in [
            "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying\n"
                .to_owned(),
            "sbatch: error: Batch job submission failed: Resource temporarily unavailable"
                .to_owned(),
            format!("sbatch: error: AssocMaxSubmitJobLimit\n{policy}"),
            format!("sbatch: error: QOSMaxSubmitJobPerUserLimit\n{policy}"),
            policy.to_owned(),
        ] {
            assert!(matches!(failed_with(&stderr), SubmitError::Full(_)), "{stderr}");
        }
    }

    #[test]
    fn everything_else_is_a_doubt() {
        for stderr in [
            "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)",
            "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
            "sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received",
            "sbatch: error: Batch job submission failed: Job dependency problem",
            "sbatch: error: Batch job submission failed: Unspecified error",
            // A refusal beside a failed connection is not believed.
            "invalid partition specified: nope\nUnable to contact slurm controller",
            "",
        ] {
            assert!(matches!(failed_with(stderr), SubmitError::InDoubt(_)), "{stderr}");
        }
        let killed =
            Answer { code: None, stdout: "17\n".into(), stderr: "invalid partition".into() };
        assert!(matches!(answer(&killed), Err(SubmitError::InDoubt(_))));
        let ended = Answer {
            code: None,
            stdout: String::new(),
            stderr: "Slurm temporarily unable to accept job, sleeping and retrying".into(),
        };
        assert!(matches!(answer(&ended), Err(SubmitError::Full(_))));
    }

    proptest! {
        #[test]
        fn any_answer_is_judged(code in proptest::option::of(-1..256), stdout in "(?s).{0,80}", stderr in "(?s).{0,200}") {
            let meant = answer(&Answer { code, stdout, stderr });
            match code {
                Some(0) => prop_assert!(matches!(meant, Ok(_) | Err(SubmitError::InDoubt(_)))),
                _ => prop_assert!(meant.is_err()),
            }
        }
    }
}
