//! `seqware init`.

use std::fs;
use std::io::IsTerminal;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use niassa_api::client::{Client, ClientConfig, Credentials};
use niassa_model::account::Email;
use serde_json::json;

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::service::write_secret;
use crate::ui::ask_secret;

/// Writes the settings file and tries it.
///
/// What is not given is asked for; the password comes from the terminal or from standard input.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware init
  $ pass show niassa/bob | seqware init --url https://niassa.lab.net \\
      --user bob@lab.net")]
pub struct Args {
    /// The Web Service's address
    #[arg(long)]
    url: Option<String>,
    /// Your account's e-mail address
    #[arg(long, value_name = "EMAIL")]
    user: Option<Email>,
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
    let url = match args.url {
        Some(url) => url,
        None => ask(context, "Address of the Web Service", "http://127.0.0.1:8080")?,
    };
    let user: Email = match args.user {
        Some(user) => user,
        None => ask(context, "Your account's e-mail address", "")?
            .parse()
            .map_err(|error| Failure::of(Exit::Usage, &error))?,
    };
    let password = ask_secret(&format!("Password of {user}: "))?;
    let credentials = Credentials::Basic { user: user.to_string(), password: password.clone() };
    let client = Client::new(ClientConfig::new(&url, credentials))?;
    write(&path, &settings(&url, &user, &password, args.work_dir.as_deref()))?;
    let line = format!("Created '{}'.", path.display());
    context.ui.did(&line, None, &json!({ "created": path }))?;
    let me = client.whoami().await.map_err(|error| {
        Failure::from(error).while_doing("the settings are written, but do not work yet")
    })?;
    context.ui.say(&format!("Signed in as {} ({}).", me.email, me.role.as_str()))?;
    Ok(Exit::Done)
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

fn write(path: &std::path::Path, text: &str) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| Failure::io(format_args!("make {}", folder.display()), error))?;
    }
    write_secret(path, text)
}

/// Writes settings as Java properties.
pub fn settings(
    url: &str,
    user: &Email,
    password: &str,
    work_dir: Option<&std::path::Path>,
) -> String {
    let mut text = format!(
        "SW_METADATA_METHOD=webservice\nSW_REST_URL={}\nSW_REST_USER={}\nSW_REST_PASS={}\n",
        escape(url),
        escape(user.as_str()),
        escape(password)
    );
    if let Some(work_dir) = work_dir {
        text.push_str(&format!("SW_WORK_DIR={}\n", escape(&work_dir.display().to_string())));
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
    use crate::settings::{Key, Settings, Surroundings};

    #[test]
    fn what_is_written_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/settings");
        let password = " a\\b#c!d=e:ü\t ";
        let user = "bob@lab.net".parse().unwrap();
        write(&path, &settings("https://a.net", &user, password, Some("/data/r u".as_ref())))
            .unwrap();
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
