//! Values that want to be code, in every context of a shell: they stay values.

use std::fs;

use crate::site::{Site, User};

/// What an attacker would write. Each makes a file `canary` if anything evaluates it.
fn values(canary: &str) -> Vec<String> {
    vec![
        format!("'; touch {canary}; '"),
        format!("\"; touch {canary}; \""),
        format!("\n touch {canary}\n"),
        format!("&& touch {canary}"),
        format!("| touch {canary}"),
        format!("> {canary}"),
        format!("!touch {canary}"),
        format!("{{{{ touch {canary} }}}}"),
        format!("a' \\'; touch {canary} #"),
        "-rf --help *".to_owned(),
        "\u{202e}ü 𝄞 \\ \\\\".to_owned(),
    ]
}

/// Refused when a run is scheduled: bash would evaluate them in places nobody thinks of.
fn refused(canary: &str) -> Vec<String> {
    vec![
        format!("$(touch {canary})"),
        format!("`touch {canary}`"),
        format!("${{x:=$(touch {canary})}}"),
        format!("a[$(touch {canary})]"),
    ]
}

/// A command for each context that a value may stand in.
const CONTEXTS: &str = "\
      printf '%s' \"$word\" > said\n\
      x=$word; y=\"${word}\"; : \"$x\" \"$y\"\n\
      case $word in a*) : ;; esac\n\
      [[ $word == x* ]] || :\n\
      [[ -n $word ]] && :\n\
      test \"$word\" = x || :\n\
      for one in \"$word\" \"${words[@]}\"; do : \"$one\"; done\n\
      cat <<EOF > heredoc\n$word\nEOF\n\
      cat <<< \"$word\" > herestring\n\
      : \"${#word}\" \"${word%x}\" \"${word/x/y}\" \"${word:0:1}\"\n\
      env | grep -c . > /dev/null\n\
      bash -c 'printf %s \"$1\"' bash \"$word\" > passed\n";

fn manifest() -> String {
    let lines: Vec<String> = CONTEXTS.lines().map(|line| format!("      {line}")).collect();
    let command = lines.join("\n");
    format!(
        "niassa: 1\nname: Hostile\nversion: \"1\"\ndescription: Takes anything\nparameters:\n  \
         word: {{type: string}}\n  words: {{type: list, items: string, default: []}}\nsteps:\n  \
         - name: say\n    command: |\n{command}\n"
    )
}

fn schedule(user: &User, workflow: i64, params: &serde_json::Value) -> crate::site::Ran {
    let file = user.home().join("params.json");
    fs::write(&file, params.to_string()).unwrap();
    user.seqware(&[
        "workflow",
        "schedule",
        "--accession",
        &workflow.to_string(),
        "--host",
        "here",
        "--params",
        file.to_str().unwrap(),
    ])
}

#[test]
fn a_value_is_never_evaluated() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let workflow = bob.install(&site.bundle("hostile", &manifest()));
    let canary = site.path("canary");
    let canary_path = canary.to_str().unwrap();
    let mut runs = Vec::new();
    for value in values(canary_path) {
        let params = serde_json::json!({ "word": value, "words": [value, value] });
        runs.push((schedule(&bob, workflow, &params).ok().swid(), value));
    }
    bob.launch_and_finish("here");
    for (run, value) in runs {
        assert_eq!(bob.status(run), "completed", "{value:?}");
        let directory = bob.report(run)["workflow_run_working_dir"].as_str().unwrap().to_owned();
        let read = |name: &str| fs::read_to_string(format!("{directory}/work/{name}")).unwrap();
        assert_eq!(read("said"), value);
        assert_eq!(read("passed"), value);
    }
    assert!(!canary.exists(), "something was evaluated");
}

#[test]
fn what_bash_itself_would_evaluate_is_refused() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let workflow = bob.install(&site.bundle("hostile", &manifest()));
    let canary = site.path("canary");
    for value in refused(canary.to_str().unwrap()) {
        let params = serde_json::json!({ "word": value });
        let refused = schedule(&bob, workflow, &params).fails(2);
        assert!(refused.stderr.contains("word"), "{}", refused.stderr);
        let params = serde_json::json!({ "word": "a", "words": ["b", value] });
        schedule(&bob, workflow, &params).fails(2);
    }
    schedule(&bob, workflow, &serde_json::json!({ "word": "a\u{0}b" })).fails(2);
    assert!(!canary.exists());
}
