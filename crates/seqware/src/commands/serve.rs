//! `seqware serve`.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::ValueEnum;
use niassa_webservice::config::{ServiceConfig, Tls};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::service;
use crate::settings::Surroundings;

/// Runs the Web Service until it is told to stop.
///
/// The configuration file is --config, else $NIASSA_SERVICE_CONFIG, else /etc/niassa/service.toml;
/// flags come before it. The first account is made by `seqware metadb init`.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware metadb init --metadb ~/niassa.db --admin you@lab.net
  $ seqware serve --metadb ~/niassa.db --data ~/niassa-data
  $ seqware serve --config /etc/niassa/service.toml")]
pub struct Args {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The MetaDB: a file for SQLite, a URL for PostgreSQL; by default DATA/niassa.db
    #[arg(long, value_name = "URL|PATH")]
    metadb: Option<String>,
    /// A file with the password of a PostgreSQL server, closed to others
    #[arg(long, value_name = "FILE")]
    metadb_password_file: Option<PathBuf>,
    /// Where bundles are kept, and the MetaDB by default
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where to listen: 127.0.0.1:8443 with TLS, 127.0.0.1:8080 without; port 0 is a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// The certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// The address by which people reach the service
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// How the log is written to standard error: for people on a terminal, else as JSON
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

/// How a log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Lines for people.
    Text,
}

/// Runs the Web Service.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    log_as(args.log_format, &context.surroundings);
    let config = config(args, &context.surroundings)?;
    let service = service::start(config).await?;
    context.ui.text(&format!("Listening on {}", service.url()))?;
    until_told_to_stop().await?;
    service.stop().await;
    Ok(Exit::Done)
}

/// Waits for SIGINT or SIGTERM.
pub async fn until_told_to_stop() -> Result<(), Failure> {
    let failed = |error| Failure::io("wait for signals", error);
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Writes a log to standard error, in the form that NIASSA_LOG_FORMAT says: for people on a terminal,
/// else as JSON.
pub fn log_to_stderr(surroundings: &Surroundings) {
    log_as(None, surroundings);
}

/// Writes a log to standard error in a form, or in the usual one.
fn log_as(format: Option<LogFormat>, surroundings: &Surroundings) {
    let named = surroundings.log_format().and_then(|name| LogFormat::from_str(name, true).ok());
    let usual = if std::io::stderr().is_terminal() { LogFormat::Text } else { LogFormat::Json };
    let filter = surroundings.log_filter().unwrap_or("info");
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info")))
        .with_writer(std::io::stderr);
    let result = match format.or(named).unwrap_or(usual) {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    // A log that is there already, as in a test, is as good.
    drop(result);
}

/// Puts flags over the file over the defaults.
fn config(args: Args, surroundings: &Surroundings) -> Result<ServiceConfig, Failure> {
    let file = config_in_file(args.config, surroundings)?;
    let tls = args.tls_cert.zip(args.tls_key).map(|(cert, key)| Tls { cert, key });
    Ok(ServiceConfig {
        metadb: args.metadb.or(file.metadb),
        data: args.data.or(file.data).or_else(|| surroundings.data_dir()),
        listen: args.listen.or(file.listen),
        tls: tls.or(file.tls),
        public_url: args.public_url.or(file.public_url),
        metadb_password_file: args.metadb_password_file.or(file.metadb_password_file),
        ..file
    })
}

/// Reads the configuration file that a flag names, or the usual one; none is no fault.
pub fn config_in_file(
    flag: Option<PathBuf>,
    surroundings: &Surroundings,
) -> Result<ServiceConfig, Failure> {
    match config_file(flag, surroundings) {
        Some(path) => ServiceConfig::read(&path)
            .map_err(|error| Failure::from(error).while_doing(path.display())),
        None => Ok(ServiceConfig::default()),
    }
}

fn config_file(flag: Option<PathBuf>, surroundings: &Surroundings) -> Option<PathBuf> {
    let site = PathBuf::from("/etc/niassa/service.toml");
    flag.or_else(|| surroundings.service_config()).or_else(|| site.exists().then_some(site))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn config_of(line: &[&str], home: &str) -> Result<ServiceConfig, Failure> {
        let args = Line::parse_from([&["serve"], line].concat()).args;
        let surroundings = Surroundings {
            variables: std::collections::BTreeMap::new(),
            home: Some(home.into()),
            os_user: 1_000,
            site_file: "/nowhere".into(),
        };
        config(args, &surroundings)
    }

    #[test]
    fn flags_stand_over_the_file_and_the_file_over_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("service.toml");
        let text = "metadb = '/data/a.db'\nlisten = '127.0.0.1:9000'\nlease_seconds = 7\n";
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let file = file.to_str().unwrap();
        let config =
            config_of(&["--config", file, "--listen", "127.0.0.1:9001"], "/home/bob").unwrap();
        assert_eq!(config.metadb.as_deref(), Some("/data/a.db"));
        assert_eq!(config.listen, Some(([127, 0, 0, 1], 9_001).into()));
        assert_eq!(config.lease_seconds, Some(7));
        assert_eq!(config.data, Some("/home/bob/.local/share/niassa".into()));
        assert_eq!(config.tls, None);
        let tls = ["--config", file, "--tls-cert", "c", "--tls-key", "k", "--metadb", "b.db"];
        let config = config_of(&tls, "/home/bob").unwrap();
        assert_eq!(config.metadb.as_deref(), Some("b.db"));
        assert_eq!(config.tls, Some(Tls { cert: "c".into(), key: "k".into() }));
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named() {
        let missing = config_of(&["--config", "/nowhere/service.toml"], "/").unwrap_err();
        assert_eq!(missing.exit(), Exit::NotFound);
        assert!(missing.explain().contains("/nowhere/service.toml"), "{}", missing.explain());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("service.toml");
        std::fs::write(&file, "port = 1\n").unwrap();
        let wrong = config_of(&["--config", file.to_str().unwrap()], "/").unwrap_err();
        assert_eq!(wrong.exit(), Exit::Usage);
        assert!(wrong.explain().contains("port"), "{}", wrong.explain());
    }
}
