//! What bash really does with values: hostile ones in every context, and others unchanged.
#![expect(clippy::disallowed_methods, reason = "only bash can tell what bash does")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Where a command may use a value `$x`. The bare and the computing ones are here because people
/// write them.
const CONTEXTS: [&str; 34] = [
    ": \"$x\"",
    ": $x",
    "echo ${x}",
    "printf '%s' \"$x\"",
    "printf \"$x\"",
    "printf '%d' \"$x\"",
    "printf -v y '%s' \"$x\"",
    "y=$x; : \"$y\"",
    "y=\"a$x\" true",
    "export y=\"$x\"",
    "declare y=\"$x\"",
    "declare \"y$x\"",
    "declare -i y=\"$x\"",
    ": $(( x ))",
    ": $(( $x + 1 ))",
    "(( y = x ))",
    "let \"y = x\"",
    "let y=$x",
    "[ \"$x\" = a ]",
    "[ $x = a ]",
    "[ \"$x\" -gt 1 ]",
    "[[ $x -eq 1 ]]",
    "[[ $x == $x ]]",
    "[[ a =~ $x ]]",
    "[[ -v $x ]]",
    "[ -v \"$x\" ]",
    "case $x in *) ;; esac",
    "for y in $x; do : \"$y\"; done",
    "cat << END\n$x\nEND",
    "read -r y <<< \"$x\"",
    "a=(1 2); : \"${a[x]}\"",
    "declare -A b; b[\"$x\"]=1",
    "y=\"${x//a/b}${x:0:3}${x@Q}\"; : \"$y\"",
    "test \"$x\"; unset \"a[$x]\"",
];

/// The contexts in which bash only takes a value as it is, which is what free text is for.
const TAKING: [&str; 9] = [
    ": \"$x\"",
    ": $x",
    "printf '%s' \"$x\"",
    "y=$x; : \"$y\"",
    "export y=\"$x\"",
    "[ \"$x\" = a ]",
    "case $x in *) ;; esac",
    "for y in $x; do : \"$y\"; done",
    "cat << END\n$x\nEND",
];

/// Values that want to make a file called `canary`.
const HOSTILE: [&str; 40] = [
    "'; touch canary; '",
    "'\\''; touch canary; '\\''",
    "\"; touch canary; \"",
    "; touch canary",
    "\ntouch canary\n",
    "\r\ntouch canary\r\n",
    "END\ntouch canary\nEND\n",
    "a\nEND\ntouch canary\n",
    "&& touch canary",
    "|| touch canary",
    "| touch canary",
    "& touch canary",
    "> canary",
    ">canary",
    "<(touch canary)",
    ">(touch canary)",
    ") touch canary (",
    ");; esac; touch canary; case a in (a",
    "done; touch canary; for y in a; do",
    "]]; touch canary; [[ a",
    "a[0]; touch canary",
    "0 ]; touch canary; [ 0",
    "1)); touch canary; ((1",
    "a[b[c]]",
    "canary=1",
    "\\",
    "\\'; touch canary; \\'",
    "\\x24(touch canary)",
    "\\044(touch canary)",
    "!touch canary",
    "#",
    "-e touch canary",
    "-v",
    "%n%s%q",
    "*",
    "~",
    "{touch,canary}",
    "\u{1b}]0;touch canary\u{7}",
    "\u{202e}touch canary",
    "'\n'\"",
];

/// The same, with what bash evaluates: only free text can be so.
const EVALUATED: [&str; 8] = [
    "$(touch canary)",
    "`touch canary`",
    "a[$(touch canary)]",
    "${x:-$(touch canary)}",
    "${y:=`touch canary`}",
    "$((a[$(touch canary)]))",
    "$'\\x60touch canary\\x60'",
    "'$(touch canary)'\"$(touch canary)\"",
];

/// Writes a plan's only script into a folder and runs it there as the engine does.
fn run(folder: &Path, command: &str) -> Output {
    let script = folder.join("command.sh");
    fs::write(&script, command).expect("a script can be written");
    Command::new("/bin/bash")
        .args(["-euo", "pipefail"])
        .arg(&script)
        .current_dir(folder)
        .output()
        .expect("bash is there")
}

/// Plans a step with the command, whose value `$x` is a parameter, an element or a field.
fn script(command: &str, value: &str, how: How) -> String {
    let free = "free_text: true";
    let (parameters, foreach, values, before) = match how {
        How::Plain => (format!("x: {{type: string, {free}}}"), "", json!({ "x": value }), ""),
        How::Strict => ("x: {type: string}".to_owned(), "", json!({ "x": value }), ""),
        How::Element => {
            let kind = format!("xs: {{type: list, items: string, {free}}}");
            (kind, "\n    foreach: {x: xs}", json!({"xs": [value]}), "")
        }
        How::Field => {
            let kind = format!("xs: {{type: list, items: {{v: string}}, {free}}}");
            (kind, "\n    foreach: {e: xs}", json!({"xs": [{"v": value}]}), "x=\"$e_v\"\n")
        }
        How::List => {
            let kind = format!("xs: {{type: list, items: string, {free}}}");
            (kind, "", json!({"xs": ["a", value]}), "x=\"${xs[1]}\"\n")
        }
    };
    let command = serde_json::to_string(&format!("{before}{command}")).expect("JSON is YAML");
    let manifest = format!(
        "{HEAD}parameters:\n  {parameters}\nsteps:\n  - name: a\n    command: {command}{foreach}\n"
    );
    // In values, `${` is a variable unless a `$` stands before it.
    let escape = |value: Value| -> Value {
        serde_json::from_str(&value.to_string().replace("${", "$${")).expect("still JSON")
    };
    let plan = plan_of(&manifest, &escape(values)).expect("a plan");
    plan.steps[0].command.clone()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    Plain,
    Strict,
    Element,
    Field,
    List,
}

/// Runs a value in contexts, and looks for the canary after each.
fn no_canary(contexts: &[&str], values: &[&str], how: How) {
    let folder = tempfile::tempdir().expect("a folder");
    for context in contexts {
        for value in values {
            // Whether the command fails does not matter; what it did does.
            let output = run(folder.path(), &script(context, value, how));
            let names: Vec<_> = fs::read_dir(folder.path())
                .expect("it can be listed")
                .map(|entry| entry.expect("an entry").file_name())
                .filter(|name| name != "command.sh")
                .collect();
            assert!(names.is_empty(), "{names:?} by {value:?} in {context}: {output:?}");
        }
    }
}

#[test]
fn hostile_values_are_only_values_in_every_context() {
    no_canary(&CONTEXTS, &HOSTILE, How::Strict);
}

#[test]
fn free_text_is_only_a_value_where_it_is_taken_as_it_is() {
    no_canary(&TAKING, &EVALUATED, How::Plain);
}

#[test]
fn elements_fields_and_lists_are_quoted_as_well() {
    for how in [How::Element, How::Field, How::List] {
        no_canary(&TAKING[..3], &EVALUATED, how);
        no_canary(&TAKING[..3], &HOSTILE, how);
    }
}

#[test]
fn what_bash_would_evaluate_is_refused_without_free_text() {
    let manifest =
        format!("{HEAD}parameters:\n  x: {{type: string}}\nsteps:\n  - {{name: a, command: x}}\n");
    let manifest = Manifest::parse(&manifest).expect("a good manifest");
    let generated = Generated { now: Timestamp::from_micros(0), seed: [0; 32] };
    for value in EVALUATED {
        let value = format!("x={}", value.replace("${", "$${"));
        let refused = resolve(&manifest, &[], &[], &[value], &generated).unwrap_err();
        assert!(refused.errors()[0].contains("free_text"), "{:?}", refused.errors());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_value_arrives_as_it_was_given(value in r#"(\PC|['"\\$`\n\t\r!*?~ ]){0,40}"#) {
        let folder = tempfile::tempdir().expect("a folder");
        for how in [How::Plain, How::Element, How::Field, How::List] {
            let output = run(folder.path(), &script("printf '%s' \"$x\"", &value, how));
            prop_assert!(output.status.success(), "{:?}", output);
            prop_assert_eq!(String::from_utf8_lossy(&output.stdout), value.as_str());
        }
    }
}

#[test]
fn the_tools_of_the_bundle_come_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let bundle_dir = folder.path().join("it's a bundle");
    fs::create_dir_all(bundle_dir.join("bin")).expect("a folder");
    tool(&bundle_dir.join("bin/ls"), "echo \"ours in $NIASSA_BUNDLE_DIR\"");
    let manifest = format!("{HEAD}steps:\n  - {{name: a, command: ls}}\n");
    let context = PlanContext { bundle_dir: bundle_dir.clone(), ..context() };
    let plan = plan_in(&manifest, &json!({}), &context).expect("a plan");
    let output = run(folder.path(), &plan.steps[0].command);
    let expected = format!("ours in {}\n", bundle_dir.display());
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}

#[test]
fn modules_are_loaded_by_the_function_of_the_site() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("init")).expect("a folder");
    let init = "module() { echo \"loads $* $unset_by_nobody\"; }\n";
    fs::write(folder.path().join("init/bash"), init).expect("a file");
    let manifest =
        format!("{HEAD}modules: [bwa/0.7, \"a b\"]\nsteps:\n  - {{name: a, command: echo done}}\n");
    let plan = plan_of(&manifest, &json!({})).expect("a plan");
    fs::write(folder.path().join("command.sh"), &plan.steps[0].command).expect("a script");
    let output = Command::new("/bin/bash")
        .args(["-euo", "pipefail", "command.sh"])
        .current_dir(folder.path())
        .env("MODULESHOME", folder.path())
        .output()
        .expect("bash is there");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "loads load bwa/0.7 a b \ndone\n");
}

/// A podman that runs what it is told on this machine, with the environment of a container.
const PODMAN: &str = r#"
printf '%s\n' "$@" > "$PODMAN_LOG"
image=
while [ -z "$image" ]; do
  case $1 in
    --network | --security-opt | --workdir | --env | --volume) shift 2 ;;
    run | --rm) shift ;;
    *) image=$1; shift ;;
  esac
done
exec env -i PATH="$PATH" NIASSA_CONTAINER=1 "$@"
"#;

#[test]
fn a_containers_command_is_the_same_script_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).expect("a folder");
    tool(&bin.join("podman"), PODMAN);
    let log = folder.path().join("log");
    let manifest = format!(
        "{HEAD}parameters:\n  x: {{type: string, free_text: true}}\n  input: {{type: file}}\n\
         container: docker://debian:12\nsteps:\n  - name: a\n    command: printf '%s' \"$x\"; exit 3\n"
    );
    let value = "'; touch canary; $(touch canary)";
    let values = json!({"x": value, "input": "/data/a b"});
    let context = PlanContext { run_dir: folder.path().to_owned(), ..context() };
    let plan = plan_in(&manifest, &values, &context).expect("a plan");
    fs::write(folder.path().join("command.sh"), &plan.steps[0].command).expect("a script");
    let output = Command::new("/bin/bash")
        .args(["-euo", "pipefail"])
        .arg(folder.path().join("command.sh"))
        .current_dir(folder.path())
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
        .env("PODMAN_LOG", &log)
        .output()
        .expect("bash is there");
    assert_eq!(String::from_utf8_lossy(&output.stdout), value, "{output:?}");
    assert_eq!(output.status.code(), Some(3));
    let told = fs::read_to_string(log).expect("podman was called");
    let run_dir = folder.path().display();
    for argument in [
        "debian:12".to_owned(),
        format!("{run_dir}:{run_dir}"),
        "/bundles/b0:/bundles/b0:ro".to_owned(),
        "/data/a b:/data/a b:ro".to_owned(),
    ] {
        assert!(told.lines().any(|line| line == argument), "no {argument} in\n{told}");
    }
    assert!(!told.contains("canary"), "no value is ever on a command line");
    let values = json!({"x": "", "input": "/data/a,b"});
    assert!(matches!(plan_in(&manifest, &values, &context), Err(PlanError::Mount { .. })));
}

#[test]
fn a_container_without_a_program_for_it_is_an_error() {
    let manifest =
        format!("{HEAD}container: debian:12\nsteps:\n  - {{name: a, command: echo here}}\n");
    let plan = plan_of(&manifest, &json!({})).expect("a plan");
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("command.sh"), &plan.steps[0].command).expect("a script");
    let output = Command::new("/bin/bash")
        .args(["-euo", "pipefail", "command.sh"])
        .current_dir(folder.path())
        .env("PATH", "/nowhere")
        .output()
        .expect("bash is there");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(127), 0), "{output:?}");
}

fn tool(path: &Path, script: &str) {
    fs::write(path, format!("#!/bin/bash\n{script}\n")).expect("a tool");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it may be executed");
}

/// Runs shellcheck on scripts; without it the test has nothing to say.
pub(super) fn shellcheck(scripts: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    for script in scripts {
        let path = folder.path().join("command.sh");
        fs::write(&path, script).expect("a script");
        let Ok(output) = Command::new("shellcheck").arg(&path).output() else {
            skip("shellcheck is not installed");
            return;
        };
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}\n{script}");
    }
}

/// Notes a skipped test where `cargo xtask test` counts them.
fn skip(why: &str) {
    use std::io::Write;
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let line = format!("SKIPPED {test}: {why}\n");
    eprint!("{line}");
    if let Ok(file) = std::env::var("NIASSA_SKIPS") {
        let file = fs::OpenOptions::new().append(true).create(true).open(file);
        file.expect("the list of skips").write_all(line.as_bytes()).expect("it can be written");
    }
}

#[test]
fn shellcheck_finds_nothing_in_what_we_write() {
    let manifest = format!(
        "{HEAD}parameters:\n  x: {{type: string, free_text: true}}\n  xs: {{type: list, items: {{v: string}}}}\n\
         env: {{LANG: C}}\nmodules: [bwa]\nsteps:\n  - name: a\n    command: echo \"${{xs_v[@]}}\"\n    \
         container: debian:12\n  - name: b\n    foreach: {{e: xs}}\n    command: echo \"$x\" \"$e_v\"\n"
    );
    let values = json!({"x": "it's `$x`", "xs": [{"v": "a"}, {"v": "\n"}]});
    let plan = plan_of(&manifest, &values).expect("a plan");
    let scripts: Vec<&str> = plan.steps.iter().map(|step| step.command.as_str()).collect();
    shellcheck(&scripts);
}
