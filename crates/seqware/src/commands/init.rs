//! `seqware init`.

use std::fs;
use std::io::IsTerminal;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use niassa_api::client::{Client, ClientConfig, Credentials};
use niassa_model::account::Email;
use niassa_model::host::HostLabel;
use niassa_model::place::EngineKind;
use serde_json::json;

use crate::commands::check;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::service::write_secret;
use crate::settings::Key;
use crate::ui::ask_secret;

/// Writes the settings file and tries it.
///
/// What is not given is asked for; the password, or with --token the token, comes from the terminal or
/// from standard input. The file is closed to others. Then everything is looked at as `seqware check` does.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware init
  $ pass show niassa/bob | seqware init --url https://niassa.lab.net \\
      --user bob@lab.net
  $ seqware init --url https://niassa.lab.net --token --host server2")]
pub struct Args {
    /// The Web Service's address
    #[arg(long)]
    url: Option<String>,
    /// Your account's e-mail address
    #[arg(long, value_name = "EMAIL", conflicts_with = "token")]
    user: Option<Email>,
    /// Sign in with a token instead of a password
    #[arg(long)]
    token: bool,
    /// The certificates (PEM) to trust, instead of the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The label that this machine's launcher serves, by default its full name
    #[arg(long, value_name = "LABEL")]
    host: Option<HostLabel>,
    /// The engine of runs that demand none: local, slurm or sge
    #[arg(long, value_name = "ENGINE")]
    engine: Option<EngineKind>,
    /// Where run directories are made
    #[arg(long, value_name = "DIR")]
    work_dir: Option<PathBuf>,
    /// Replace settings that are there
    #[arg(long)]
    force: bool,
}

/// Writes the settings file.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let path = context.surroundings.personal_file().ok_or_else(|| {
        Failure::usage("there is no home directory to write to").with_hint("set SEQWARE_SETTINGS")
    })?;
    if path.exists() && !args.force {
        let what = format!("{} is there already", path.display());
        return Err(Failure::new(Exit::Conflict, what).with_hint("seqware init --force"));
    }
    let more = lines_of(&args)?;
    let url = match args.url {
        Some(url) => url,
        None => ask(context, "Address of the Web Service", "http://127.0.0.1:8080")?,
    };
    let credentials = match args.token {
        true => Credentials::Token(ask_secret("Token: ")?),
        false => sign_in(args.user, context)?,
    };
    let ca = args.ca.as_deref().map(absolute).transpose()?;
    let config = ClientConfig { ca, ..ClientConfig::new(&url, credentials.clone()) };
    let client = Client::new(config)?;
    write(&path, &format!("{}{more}", settings(&url, &credentials)))?;
    let line = format!("Created '{}'.", path.display());
    context.ui.did(&line, None, &json!({ "created": path }))?;
    let me = client.whoami().await.map_err(|error| {
        Failure::from(error).while_doing("the settings are written, but do not work yet")
    })?;
    context.ui.say(&format!("Signed in as {} ({}).", me.email, me.role.as_str()))?;
    let sum = check::in_short(context).await;
    context.ui.say(&format!("seqware check: {sum}"))?;
    Ok(Exit::Done)
}

fn sign_in(user: Option<Email>, context: &mut Context) -> Result<Credentials, Failure> {
    let user: Email = match user {
        Some(user) => user,
        None => ask(context, "Your account's e-mail address", "")?
            .parse()
            .map_err(|error| Failure::of(Exit::Usage, &error))?,
    };
    let password = ask_secret(&format!("Password of {user}: "))?;
    Ok(Credentials::Basic { user: user.to_string(), password })
}

/// Returns the lines of what was given beside address and credentials.
fn lines_of(args: &Args) -> Result<String, Failure> {
    let mut text = String::new();
    let mut add = |key: Key, value: &str| {
        text.push_str(&format!("{}={}\n", key.name(), escape(value)));
    };
    if let Some(ca) = &args.ca {
        add(Key::RestCa, &absolute(ca)?.display().to_string());
    }
    if let Some(host) = &args.host {
        add(Key::Host, host.as_str());
    }
    if let Some(engine) = args.engine {
        add(Key::DefaultWorkflowEngine, &engine.to_string());
    }
    if let Some(work_dir) = &args.work_dir {
        add(Key::WorkDir, &absolute(work_dir)?.display().to_string());
    }
    Ok(text)
}

/// Settings hold wherever a command is called: a path in them must not depend on that.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|error| Failure::io(format_args!("find {}", path.display()), error))
}

fn ask(context: &mut Context, question: &str, default: &str) -> Result<String, Failure> {
    if !std::io::stdin().is_terminal() {
        let what = format!("{question}: not given, and there is nobody to ask");
        return Err(Failure::usage(what).with_hint("seqware init --url URL --user EMAIL"));
    }
    let shown = if default.is_empty() { String::new() } else { format!(" [{default}]") };
    let answer = context.ui.ask(&format!("{question}{shown}: "))?;
    Ok(if answer.trim().is_empty() { default.to_owned() } else { answer.trim().to_owned() })
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| Failure::io(format_args!("make {}", folder.display()), error))?;
    }
    write_secret(path, text)
}

/// Writes address and credentials as Java properties.
pub fn settings(url: &str, credentials: &Credentials) -> String {
    let mut text = format!("SW_METADATA_METHOD=webservice\nSW_REST_URL={}\n", escape(url));
    match credentials {
        Credentials::Basic { user, password } => {
            let (user, password) = (escape(user), escape(password));
            text.push_str(&format!("SW_REST_USER={user}\nSW_REST_PASS={password}\n"));
        }
        Credentials::Token(token) => {
            text.push_str(&format!("SW_REST_TOKEN={}\n", escape(token)));
        }
        Credentials::None => {}
    }
    text
}

/// Escapes a value so that it reads back as it is.
pub fn escape(value: &str) -> String {
    let mut escaped = String::new();
    for (at, character) in value.char_indices() {
        match character {
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            ' ' if at == 0 => escaped.push_str("\\ "),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Settings, Surroundings};

    #[test]
    fn what_is_written_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/settings");
        let password = " a\\b#c!d=e:ü\t ";
        let basic =
            Credentials::Basic { user: "bob@lab.net".to_owned(), password: password.to_owned() };
        let work_dir = format!("SW_WORK_DIR={}\n", escape("/data/r u"));
        write(&path, &(settings("https://a.net", &basic) + work_dir.as_str())).unwrap();
        let surroundings = Surroundings {
            variables: [("SEQWARE_SETTINGS".to_owned(), path.display().to_string())].into(),
            home: None,
            os_user: rustix::process::geteuid().as_raw(),
            site_file: "/nowhere".into(),
        };
        let read = Settings::read(&surroundings).unwrap();
        assert_eq!(read.text(Key::RestPass), Some(password));
        assert_eq!(read.text(Key::WorkDir), Some("/data/r u"));
    }
}
