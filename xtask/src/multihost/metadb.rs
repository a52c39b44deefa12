//! A PostgreSQL of a host: on a socket only, and whoever is the OS user `niassa` is its user `niassa`.

use anyhow::{Context, Result};

use super::checks::{CEILING, wait_for};
use super::document::Shown;
use super::host::Host;
use crate::packages;

/// Starts the server, and runs the commands that make user and database.
pub(super) fn start(host: &Host, commands: &[Shown]) -> Result<()> {
    let program = |name: &str| {
        let path = packages::find_program(name).with_context(|| format!("no {name}"))?;
        anyhow::Ok(path.display().to_string())
    };
    host.root(
        "install -d -o postgres -g postgres -m 0755 /run/postgresql; \
         install -d -o postgres -g postgres -m 0700 /srv/postgresql",
    )?;
    let initdb = program("initdb")?;
    host.ok(
        "postgres",
        &format!("{initdb} --auth=peer --encoding=UTF8 --locale=C.UTF-8 -D /srv/postgresql/data"),
    )?;
    let server = program("postgres")?;
    let line = format!("{server} -D /srv/postgresql/data -k /run/postgresql -c listen_addresses=");
    host.daemon("postgres", "postgresql.log", &line)?;
    wait_for("PostgreSQL answers", CEILING, || {
        let asked = host.run("postgres", "psql -h /run/postgresql -qAtc 'select 1'")?;
        Ok(if asked.code == Some(0) { Ok(()) } else { Err(asked.stderr) })
    })?;
    for shown in commands {
        host.ok("postgres", &shown.command)?;
    }
    Ok(())
}
