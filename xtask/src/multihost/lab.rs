//! The room of the hosts: the executable, a network between them, and a certification authority.
//!
//! Everything is in memory and in namespaces that nobody else has: addresses are of a network for
//! documentation and reach no further than the lab.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::document::Document;
use super::host::{self, Host};

/// The network of the hosts, whose addresses end in 1, 2, 3.
const NETWORK: &str = "192.0.2";
/// The domain of the hosts.
pub(super) const DOMAIN: &str = "lab.net";
/// Where the hosts' own folders are, for root alone.
const FOLDER: &str = "/opt/hosts";
/// Where keys and certificates are made, for root alone.
const AUTHORITY: &str = "/opt/authority";

/// Prepares the lab and starts its hosts, which reach each other by their names.
pub(super) fn start(executable: &Path, names: &[&'static str]) -> Result<Vec<Host>> {
    run("mount", &["-t", "tmpfs", "-o", "mode=0755", "lab", "/opt"])?;
    fs::create_dir_all("/opt/niassa/bin").context("make a folder")?;
    for folder in [FOLDER, AUTHORITY] {
        fs::create_dir(folder).context("make a folder")?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).context("set a mode")?;
    }
    fs::write(host::INIT, host::INIT_SCRIPT).context("write a script")?;
    let to = "/opt/niassa/bin/seqware";
    fs::copy(executable, to).with_context(|| format!("copy {}", executable.display()))?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o755)).context("set a mode")?;
    run("ip", &["link", "set", "lo", "up"])?;
    run("ip", &["link", "add", "lab", "type", "bridge"])?;
    run("ip", &["link", "set", "lab", "up"])?;
    let lines: Vec<String> = names
        .iter()
        .zip(1..)
        .map(|(name, end)| format!("{NETWORK}.{end} {name}.{DOMAIN} {name}"))
        .collect();
    let lines = lines.join("\n");
    let mut hosts = Vec::new();
    for (name, end) in names.iter().zip(1..) {
        let host = Host::start(name, &format!("{FOLDER}/{name}"), &lines)?;
        connect(&host, &format!("{NETWORK}.{end}/24"))?;
        hosts.push(host);
    }
    Ok(hosts)
}

/// Gives a host a network card with an address.
fn connect(host: &Host, address: &str) -> Result<()> {
    let outer = format!("to-{}", host.name());
    let ends =
        ["link", "add", &outer, "type", "veth", "peer", "name", "eth0", "netns", host.init()];
    run("ip", &ends)?;
    run("ip", &["link", "set", &outer, "master", "lab", "up"])?;
    host.root(&format!(
        "ip link set lo up && ip address add {address} dev eth0 && ip link set eth0 up"
    ))?;
    Ok(())
}

/// Makes the lab's own certification authority.
pub(super) fn make_authority(document: &Document) -> Result<()> {
    for shown in document.commands("authority")? {
        run_shell(&shown.command)?;
    }
    Ok(())
}

/// Gives the host of the service a certificate for its name and `localhost`, and a key that belongs
/// to an OS user.
pub(super) fn certify(document: &Document, host: &Host, key_owner: &str) -> Result<()> {
    for shown in document.commands("certificate")? {
        run_shell(&shown.command.replace("server2", host.name()))?;
    }
    host.write("/etc/niassa/service.pem", &authority_file("service.pem")?, "root", "0644")?;
    host.write("/etc/niassa/service.key", &authority_file("service.key")?, "root", "0600")?;
    host.root(&format!("chown {key_owner} /etc/niassa/service.key")).map(drop)
}

/// Gives a host the authority's certificate.
pub(super) fn trust(host: &Host) -> Result<()> {
    host.write("/etc/niassa/ca.pem", &authority_file("ca.pem")?, "root", "0644")
}

fn authority_file(name: &str) -> Result<String> {
    fs::read_to_string(Path::new(AUTHORITY).join(name)).with_context(|| format!("read {name}"))
}

/// Runs a line of shell where keys and certificates are made.
fn run_shell(line: &str) -> Result<()> {
    let output = Command::new("bash")
        .args(["-c", line])
        .current_dir(AUTHORITY)
        .stdin(Stdio::null())
        .output()
        .context("cannot start bash")?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{line}: {words}");
    Ok(())
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let status = Command::new(program).args(arguments).stdin(Stdio::null()).status();
    let status = status.with_context(|| format!("cannot start {program}"))?;
    ensure!(status.success(), "{program} {}: {status}", arguments.join(" "));
    Ok(())
}
