//! What the tests look at: a site with people, workflows and runs.

use std::process::{Child, Stdio};

use thirtyfour::By;

use crate::browser::Browser;
use crate::site::{ADMIN, Site, User};

/// A member of the site.
pub const BOB: &str = "bob@lab.net";
/// The label of the launchers.
pub const HOST: &str = "here";

/// Signs in on the page that is shown.
pub async fn sign_in(browser: &Browser, email: &str) {
    send_password(browser, email).await;
    browser.see("Sign out").await;
}

/// Fills in who one is, and sends it.
pub async fn send_password(browser: &Browser, email: &str) {
    let password =
        if email == ADMIN { "admin-password".to_owned() } else { format!("password-of-{email}") };
    browser.fill("email", email).await;
    browser.fill("password", &password).await;
    browser.press("Sign in").await;
}

/// Opens a page of the site.
pub async fn open(browser: &Browser, site: &Site, path: &str) {
    browser.goto(format!("{}{path}", site.url())).await.unwrap();
    browser.find(By::Tag("main")).await.unwrap();
}

/// Installs a workflow of four steps, one of them for each of three regions, that fails until a
/// file is there.
pub fn fragile(site: &Site, user: &User) -> i64 {
    let cure = site.path("cure");
    let text = format!(
        "niassa: 1\nname: Variants\nversion: \"1.0\"\ndescription: Calls variants by region\n\
         parameters:\n  \
         greeting: {{type: string, help: what is said first}}\n  \
         regions: {{type: list, items: {{name: string, size: int}}, help: what is called}}\n\
         steps:\n  \
         - name: index\n    command: echo \"$greeting\"; sleep 1\n  \
         - name: call\n    foreach: {{region: regions}}\n    needs: [index]\n    command: |\n      \
         echo \"calling $region_name\"; sleep 0.2\n  \
         - name: merge\n    needs: [call]\n    command: |\n      \
         test -e '{cure}' || {{ echo 'no cure is there yet' >&2; exit 7; }}\n  \
         - name: report\n    needs: [merge]\n    command: echo done > report.txt\n    \
         outputs: [{{path: report.txt, meta_type: text/plain}}]\n",
        cure = cure.display()
    );
    user.install(&site.bundle("fragile", &text))
}

/// Installs a workflow with a step for each of many items, of which one fails, and one step behind them.
pub fn wide(site: &Site, user: &User) -> i64 {
    let text = "niassa: 1\nname: Wide\nversion: \"1.0\"\ndescription: Has many steps\nparameters:\n  \
         items: {type: list, items: int}\nsteps:\n  \
         - name: each\n    foreach: {item: items}\n    command: test \"$item\" != 13\n  \
         - name: merge\n    needs: [each]\n    command: 'true'\n";
    user.install(&site.bundle("wide", text))
}

/// The value of that workflow's parameter.
pub fn items(number: u32) -> String {
    let items: Vec<String> = (0..number).map(|item| item.to_string()).collect();
    format!("items=[{}]", items.join(","))
}

/// Installs a workflow that takes long.
pub fn long(site: &Site, user: &User) -> i64 {
    let text = "niassa: 1\nname: Long\nversion: \"1.0\"\ndescription: Takes long\nsteps:\n  \
         - name: long\n    command: sleep 600\n";
    user.install(&site.bundle("long", text))
}

/// Starts a propagator that goes on until nothing is active.
pub fn propagate(user: &User) -> Child {
    user.command()
        .args(["workflow-run", "propagate-statuses", "--until-done"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Launches what waits.
pub fn launch(user: &User) {
    user.seqware(&["workflow-run", "launch-scheduled", "--host", HOST]).ok();
}
