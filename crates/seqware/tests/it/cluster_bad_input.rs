//! What goes wrong around a cluster, provoked on a real Slurm: each says what it is and what to do next.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::clusters::{chain, on_slurm};
use crate::site::{Site, User, skip, wait_for};
use crate::slurm_server::SlurmServer;

/// A site with a run of one step, launched.
struct Case {
    site: Site,
    bob: User,
    run: i64,
    /// What the launcher said.
    said: String,
}

impl Case {
    fn launch(site: Site, bob: User, manifest: &str) -> Self {
        let workflow = bob.install(&site.bundle("one", manifest));
        let run = bob.schedule(workflow, "here", &[]);
        let said = bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok().stderr;
        Self { site, bob, run, said }
    }

    fn explained(&self) -> String {
        let number = self.run.to_string();
        self.bob.seqware(&["workflow-run", "explain", "--accession", &number]).ok().stdout
    }

    /// Goes on until `explain` says all these words.
    #[track_caller]
    fn comes_to(&self, words: &[&str]) {
        let mut explained = String::new();
        wait_for(&format!("{words:?}"), || {
            self.bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
            self.bob.seqware(&["workflow-run", "propagate-statuses"]).ok();
            explained = self.explained();
            let is_all = words.iter().all(|word| explained.contains(word));
            if !is_all {
                eprintln!("{explained}");
            }
            is_all
        });
    }
}

/// Puts a program into a folder of its own and returns a PATH that begins there.
fn program(site: &Site, name: &str, text: &str) -> String {
    let folder = site.path("bin");
    fs::create_dir_all(&folder).unwrap();
    executable(&folder.join(name), text.as_bytes());
    format!("{}:/usr/bin:/bin", folder.display())
}

fn executable(path: &Path, content: &[u8]) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn without_a_scheduler_the_run_waits_and_says_why() {
    let site = Site::start();
    let variables = [("SW_DEFAULT_WORKFLOW_ENGINE", "slurm"), ("PATH", "/nowhere")];
    let bob = site.account("bob@lab.net").with(variables);
    let case = Case::launch(site, bob, &chain("One", &["true"]));
    for text in [&case.said, &case.explained()] {
        assert!(text.contains("is the cluster's client installed?"), "{text}");
    }
    assert_eq!(case.bob.status(case.run), "submitted");
}

#[test]
fn memory_that_no_node_has_is_told_with_what_helps() {
    let Some(slurm) = SlurmServer::shared() else { return };
    let site = Site::start();
    let bob = on_slurm(&site.account("bob@lab.net"), slurm);
    let manifest = format!("{}    memory: 90T\n", chain("One", &["true"]));
    let case = Case::launch(site, bob, &manifest);
    case.comes_to(&["PENDING BadConstraints", "let the step ask for less"]);
}

#[test]
fn a_site_that_lets_nobody_hold_a_job_fails_the_run_with_its_words() {
    let Some(slurm) = SlurmServer::shared() else { return };
    let site = Site::start_at(None, 1, |_| String::new());
    let path = program(
        &site,
        "sbatch",
        "#!/bin/bash\ncase \" $* \" in *' --hold '*) echo 'sbatch: error: nobody may hold a job here' >&2; exit 1;; esac\n\
         exec /usr/bin/sbatch \"$@\"\n",
    );
    let bob = on_slurm(&site.account("bob@lab.net"), slurm).with([("PATH", path.as_str())]);
    let case = Case::launch(site, bob, &chain("One", &["true"]));
    let doubted = case.explained();
    assert!(doubted.contains("is not known yet: nobody may hold a job here"), "{doubted}");
    case.comes_to(&[
        "failed: could not start",
        "told no number of its job: nobody may hold a job here",
    ]);
}

#[test]
fn a_program_that_nodes_cannot_run_is_told_in_their_words() {
    let Some(slurm) = SlurmServer::shared() else { return };
    let site = Site::start();
    let runner = site.path("runner");
    // The head of an executable for AArch64.
    let mut program = b"\x7fELF\x02\x01\x01".to_vec();
    program.resize(16, 0);
    program.extend([2, 0, 0xb7, 0, 1]);
    program.resize(256, 0);
    executable(&runner, &program);
    let runner = runner.display().to_string();
    let bob =
        on_slurm(&site.account("bob@lab.net"), slurm).with([("SW_STEP_RUNNER", runner.as_str())]);
    let case = Case::launch(site, bob, &chain("One", &["true"]));
    case.comes_to(&[
        "failed: could not start",
        "jobs.log ends with:",
        "cannot execute binary file",
    ]);
}

#[test]
fn a_node_without_the_work_directory_is_suspected() {
    let _one_at_a_time = SlurmServer::heavy();
    if !rustix::process::geteuid().is_root() {
        return skip("a node with other mounts needs root");
    }
    let Some(slurm) = SlurmServer::own() else { return };
    let site = Site::start();
    for node in ["n1", "n2"] {
        slurm.restart_node_without(node, &site.path(""));
    }
    let bob = on_slurm(&site.account("bob@lab.net"), &slurm);
    let case = Case::launch(site, bob, &chain("One", &["true"]));
    case.comes_to(&["failed: could not start", "does its node see the work directory"]);
}

#[test]
fn a_work_directory_that_is_not_mounted_costs_no_run() {
    let Some(slurm) = SlurmServer::shared() else { return };
    let site = Site::start();
    let bob = on_slurm(&site.account("bob@lab.net"), slurm);
    let wait = format!("until test -e '{}'; do sleep 0.1; done", site.path("gate").display());
    let case = Case::launch(site, bob, &chain("One", &[&wait]));
    case.bob.propagate_until(case.run, "running");
    let directory = case.bob.report(case.run)["workflow_run_working_dir"].clone();
    let work_dir = PathBuf::from(directory.as_str().unwrap()).parent().unwrap().to_owned();
    let elsewhere = case.site.path("elsewhere");
    fs::rename(&work_dir, &elsewhere).unwrap();
    fs::create_dir(&work_dir).unwrap();
    for verb in [&["launch-scheduled", "--host", "here"][..], &["propagate-statuses"]] {
        let told = case.bob.seqware(&[&["workflow-run"], verb].concat());
        assert!(told.code != 0 && told.stderr.contains("is it mounted?"), "{told:?}");
    }
    let checked = case.bob.seqware(&["check"]).fails(9);
    assert!(checked.stdout.contains("is it mounted?"), "{checked:?}");
    assert_eq!(case.bob.status(case.run), "running");
    fs::remove_dir_all(&work_dir).unwrap();
    fs::rename(&elsewhere, &work_dir).unwrap();
    fs::write(case.site.path("gate"), "").unwrap();
    case.bob.propagate_until(case.run, "completed");
}
