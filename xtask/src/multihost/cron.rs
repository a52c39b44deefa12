//! Debian's cron on a host, with a crontab of one OS user.

use anyhow::Result;

use super::host::Host;

/// Where the founding text's script appends what it prints, in the home of its user.
const LOG: &str = "logs/status.log";

/// Installs the script and the crontab of an OS user, both written for the user `niassa`.
pub(super) fn install(host: &Host, user: &str, script: &str, crontab: &str) -> Result<()> {
    host.write(&format!("/home/{user}/crons/status.cron"), &of_user(script, user), user, "0755")?;
    host.write(&format!("/home/{user}/crons/crontab"), &of_user(crontab, user), user, "0644")?;
    host.ok(user, "mkdir -p logs && crontab crons/crontab")?;
    Ok(())
}

/// Returns a text that was written for the user `niassa` as another one needs it.
pub(super) fn of_user(text: &str, user: &str) -> String {
    text.replace("/home/niassa/", &format!("/home/{user}/"))
        .replace("niassa niassa", &format!("{user} {user}"))
}

/// Starts the daemon. It looks at crontabs when a minute begins.
pub(super) fn start(host: &Host) -> Result<()> {
    host.daemon("root", "cron.log", "cron -f")
}

/// Returns what the script has printed so far.
pub(super) fn log(host: &Host, user: &str) -> Result<String> {
    Ok(host.run(user, &format!("cat {LOG}"))?.stdout)
}

/// Rotates the log as `deploy/cron/logrotate` says, and returns the names and owners of what is there.
pub(super) fn rotate_log(host: &Host, user: &str, rules: &str) -> Result<String> {
    host.write("/etc/logrotate.d/niassa", &of_user(rules, user), "root", "0644")?;
    host.root("logrotate --force --state /run/logrotate.state /etc/logrotate.d/niassa")?;
    host.root(&format!("cd /home/{user}/logs && stat --format='%n %U' *"))
}
