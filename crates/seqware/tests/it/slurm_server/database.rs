//! The accounting of a test's Slurm: a `MariaDB` and a `slurmdbd` in the cluster's own folder.
//!
//! Both end with the cluster. `MariaDB` can only be reached through a socket in the folder, by root.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{PATH, SlurmServer};

/// Programs, and the Debian packages they come from.
pub(super) const NEEDED: [(&str, &str); 3] = [
    ("mariadbd", "mariadb-server"),
    ("mariadb-install-db", "mariadb-server"),
    ("slurmdbd", "slurmdbd"),
];

/// What `slurm.conf` says of it.
pub(super) fn settings(port: u16) -> String {
    format!(
        "AccountingStorageType=accounting_storage/slurmdbd\nAccountingStorageHost=127.0.0.1\n\
         AccountingStoragePort={port}\nAccountingStoreFlags=job_comment\n"
    )
}

/// Starts both and makes the cluster known. The controller has to come after.
pub(super) fn start(server: &SlurmServer, user: &str, port: u16) -> [Child; 2] {
    let folder = &server.folder;
    let data = folder.join("database");
    let installed = run(
        folder,
        "mariadb-install-db",
        &[
            "--no-defaults",
            &format!("--user={user}"),
            &format!("--datadir={}", data.display()),
            "--auth-root-authentication-method=socket",
            "--skip-test-db",
        ],
    );
    assert!(installed.0, "mariadb-install-db: {}", installed.1);
    let socket = folder.join("database.socket");
    let mariadb = server.spawn(
        "mariadbd",
        &[
            "--no-defaults",
            &format!("--user={user}"),
            &format!("--datadir={}", data.display()),
            &format!("--socket={}", socket.display()),
            &format!("--pid-file={}", folder.join("database.pid").display()),
            "--skip-networking",
            "--innodb-buffer-pool-size=32M",
            "--innodb-lock-wait-timeout=900",
        ],
        &[],
    );
    let make = "create database if not exists slurm_acct_db";
    let at = format!("--socket={}", socket.display());
    let client = ["--no-defaults", &at, "--user=root", "--execute", make];
    server.wait_for("MariaDB answers", || run(folder, "mariadb", &client).0);
    let configuration = folder.join("slurmdbd.conf");
    let shown = folder.display();
    let text = format!(
        "AuthType=auth/none\nDbdHost=localhost\nDbdAddr=127.0.0.1\nDbdPort={port}\n\
         CommunicationParameters=NoInAddrAny\nSlurmUser={user}\n\
         LogFile={shown}/log/slurmdbd.log\nPidFile={shown}/run/slurmdbd.pid\n\
         StorageType=accounting_storage/mysql\nStorageHost=localhost\nStorageUser=root\n\
         StorageLoc=slurm_acct_db\n"
    );
    fs::write(&configuration, text).expect("a file");
    fs::set_permissions(&configuration, fs::Permissions::from_mode(0o600)).expect("a mode");
    let slurmdbd =
        server.spawn("slurmdbd", &["-D"], &[("MYSQL_UNIX_PORT", &socket.display().to_string())]);
    server.wait_for("slurmdbd answers", || {
        let added = server.program("sacctmgr", &["-i", "add", "cluster", "niassa"]);
        added.contains("niassa") && !added.contains("rror")
    });
    [mariadb, slurmdbd]
}

/// Runs a program of `MariaDB`; returns whether it succeeded, and what it said.
fn run(folder: &Path, program: &str, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs([("PATH", PATH), ("TMPDIR", "/tmp")])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("a program of MariaDB");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}
