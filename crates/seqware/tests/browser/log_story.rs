//! A whole log is followed until its step ends, and its lines have addresses.

use std::fs;
use std::process::{Child, Stdio};

use thirtyfour::By;

use crate::browser::Browser;
use crate::site::{Site, User, wait_for};
use crate::stage::{BOB, HOST, open, sign_in};

/// An agent that ends with its value.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Whether the reader is at the end of the page.
const AT_THE_END: &str = "window.scrollY > 0 && window.innerHeight + window.scrollY \
    >= document.documentElement.scrollHeight - 8";

#[ignore = "cargo xtask browser runs it"]
#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_followed_to_its_end_and_lines_are_linked_to() {
    let Some(browser) = Browser::open().await else { return };
    let site = Site::start();
    let bob = site.account(BOB);
    let _agent = agent(&bob);
    let run = bob.schedule(talking(&site, &bob), HOST, &[]);
    wait_for("the run is running", || bob.status(run) == "running");
    open(&browser, &site, "/runs").await;
    sign_in(&browser, BOB).await;
    let log = format!("/runs/{run}/steps/0/log?stream=stdout");
    open(&browser, &site, &log).await;
    browser.see("part 100").await;
    browser.see("Stay at the end of this page").await;
    browser.ask::<Option<bool>>("window.scrollTo(0, document.documentElement.scrollHeight)").await;
    browser.until(AT_THE_END).await;
    browser.click(By::Css("#L90 a")).await;
    browser.until("document.querySelector('#L90.meant')").await;
    browser.ask::<Option<bool>>("window.scrollTo(0, document.documentElement.scrollHeight)").await;

    // Nothing is done from here on: the log goes on, and the reader with it, until the step ends.
    fs::write(site.path("more"), "").unwrap();
    browser.see("part 200").await;
    browser.until(AT_THE_END).await;
    browser.until("document.querySelector('#L90.meant')").await;
    fs::write(site.path("end"), "").unwrap();
    browser.see("part 300").await;
    browser.see("It has ended: nothing more comes.").await;
    browser.see("success").await;
    browser.until("!document.querySelector('[data-live]')").await;

    // Somebody else is sent the address of a line.
    open(&browser, &site, "/runs").await;
    open(&browser, &site, &format!("{log}#L250")).await;
    browser.until("document.querySelector('#L250:target.meant')").await;
    let seen = "(() => { const at = document.getElementById('L250').getBoundingClientRect(); \
        return at.top >= 0 && at.bottom <= window.innerHeight; })()";
    browser.until(seen).await;
    let line: String = browser.ask("return document.getElementById('L250').innerText").await;
    assert_eq!(line, "250 part 250");
    browser.close().await;
}

fn agent(user: &User) -> Agent {
    let mut command = user.command();
    command.args(["agent", "--host", HOST]).stdin(Stdio::null());
    Agent(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

/// Installs a workflow that writes a hundred lines, and more when it is told to.
fn talking(site: &Site, user: &User) -> i64 {
    let (more, end) = (site.path("more"), site.path("end"));
    let text = format!(
        "niassa: 1\nname: Talking\nversion: \"1.0\"\ndescription: Writes much\nsteps:\n  \
         - name: talk\n    command: |\n      \
         seq -f 'part %g' 1 100\n      \
         until test -e '{}'; do sleep 0.1; done\n      \
         seq -f 'part %g' 101 200\n      \
         until test -e '{}'; do sleep 0.1; done\n      \
         seq -f 'part %g' 201 300\n",
        more.display(),
        end.display()
    );
    user.install(&site.bundle("talking", &text))
}
