//! The whole system in one process, with its data in one directory.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::agent::until;
use crate::clusters::chain;
use crate::site::{Site, User, count_lines, wait_for};

/// A process that ends with the test, also with one that fails.
struct Up(Child);

impl Up {
    fn start(user: &User, data: &Path) -> Self {
        let mut command = user.command();
        command.args(["up", "--listen", "127.0.0.1:0", "--host", "here", "--data"]).arg(data);
        let up = Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        wait_for("it answers", || user.seqware(&["workflow", "list"]).code == 0);
        up
    }

    fn stop(mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.0), Signal::TERM).unwrap();
        self.0.wait().unwrap().code()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[test]
fn it_goes_on_where_it_was_stopped() {
    let site = Site::start();
    let data = site.path("up");
    let settings = data.join("settings");
    let user = site.account("bob@lab.net").with([("SEQWARE_SETTINGS", &settings)]);
    let secrets = || {
        let text = fs::read_to_string(&settings).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with("SW_REST_URL"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let up = Up::start(&user, &data);
    let (starts, gate) = (site.path("starts"), site.path("gate"));
    let commands = [
        format!(
            "echo first >> '{starts}'; until test -e '{gate}'; do sleep 0.05; done",
            starts = starts.display(),
            gate = gate.display()
        ),
        format!("echo second >> '{}'", starts.display()),
    ];
    let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
    let workflow = user.install(&site.bundle("gated", &chain("Gated", &commands)));
    let run = user.schedule(workflow, "here", &[]);
    until(&user, run, "running");
    let before = secrets();
    assert_eq!(up.stop(), Some(0));
    user.seqware(&["workflow", "list"]).fails(6);
    // The step ends while nobody looks.
    fs::write(&gate, "").unwrap();
    wait_for("the step behind it ended", || count_lines(&starts).contains_key("second"));

    let up = Up::start(&user, &data);
    until(&user, run, "completed");
    assert_eq!(secrets(), before, "the same account, its password and its places");
    let once = ["first", "second"].map(|step| (step.to_owned(), 1));
    assert_eq!(count_lines(&starts), once.into_iter().collect());
    let again = user.schedule(workflow, "here", &[]);
    until(&user, again, "completed");
    assert_eq!(up.stop(), Some(0));
}
