//! Running a command in a container.
//!
//! The script starts itself again inside the image, so that values are assigned in there as they
//! are everywhere, and nothing of them is ever on a command line. Which program does it is found on
//! the node: apptainer, singularity or podman. Docker is not tried: its daemon would run the command
//! out of the reach of our process group. The run directory, the bundle and every local input
//! lie at the same paths inside as outside.

use super::super::PlanError;
use super::super::shell::quote;
use super::append;
use crate::manifest::Step;

/// What podman's first process does. A first process is deaf to signals without a trap, and a trap
/// waits for the command in the foreground; when it ends, the kernel ends all others in there.
const AS_FIRST_PROCESS: &str =
    "'trap \"exit 143\" TERM INT; bash -euo pipefail \"$1\" & wait \"$!\"'";

/// A path that the container sees.
pub(super) struct Mount<'p> {
    path: &'p str,
    options: &'static str,
}

impl<'p> Mount<'p> {
    pub(super) fn writable(path: &'p str) -> Self {
        Self { path, options: "" }
    }

    pub(super) fn read_only(path: &'p str) -> Self {
        Self { path, options: ":ro" }
    }
}

/// Returns the lines after which a script goes on inside of the image.
pub(super) fn enter(
    step: &Step,
    image: &str,
    mounts: &[Mount<'_>],
    on_host: &str,
) -> Result<String, PlanError> {
    let mut script = "if [ -z \"${NIASSA_CONTAINER:-}\" ]; then\n".to_owned();
    script.push_str(on_host);
    script.push_str("niassa_mounts=(");
    for (index, mount) in mounts.iter().enumerate() {
        let path = mount.path;
        // Both programs take a mount apart at these.
        if path.contains([':', ',']) {
            let step = step.name.to_string();
            return Err(PlanError::Mount { step, path: path.to_owned() });
        }
        if index > 0 {
            script.push(' ');
        }
        quote(&mut script, &format!("{path}:{path}{}", mount.options));
    }
    script.push_str(")\n");
    let plain = image.strip_prefix("docker://").unwrap_or(image);
    let is_place = image.contains("://") || image.starts_with('/');
    let place = if is_place { image.to_owned() } else { format!("docker://{image}") };
    append(
        &mut script,
        format_args!(
            "if niassa_tool=$(command -v apptainer || command -v singularity); then\n\
             \x20 niassa_run=(\"$niassa_tool\" exec --pwd \"$PWD\" --env NIASSA_CONTAINER=1)\n\
             \x20 for niassa_mount in \"${{niassa_mounts[@]}}\"; do niassa_run+=(--bind \"$niassa_mount\"); done\n\
             \x20 exec \"${{niassa_run[@]}}\" {} bash -euo pipefail \"$0\"\n\
             fi\n\
             if ! niassa_tool=$(command -v podman); then\n\
             \x20 echo 'the step needs a container: neither apptainer, singularity nor podman is in PATH' >&2\n\
             \x20 exit 127\n\
             fi\n\
             niassa_run=(\"$niassa_tool\" run --rm --network host --security-opt label=disable --workdir \"$PWD\"\n\
             \x20 --env NIASSA_CONTAINER=1 --env NIASSA_KEY --env WORKFLOW_RUN_ACCESSION --env PROCESSING_ACCESSION)\n\
             for niassa_mount in \"${{niassa_mounts[@]}}\"; do niassa_run+=(--volume \"$niassa_mount\"); done\n\
             exec \"${{niassa_run[@]}}\" {} bash -c {AS_FIRST_PROCESS} bash \"$0\"\n\
             fi\n",
            quoted(&place),
            quoted(plain)
        ),
    );
    Ok(script)
}

fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    quote(&mut quoted, text);
    quoted
}
