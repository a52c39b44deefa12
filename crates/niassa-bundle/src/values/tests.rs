//! Precedence, variables, mistakes and warnings, through [`resolve`].

use serde_json::json;

use super::*;

const MANIFEST: &str = r#"
niassa: 1
name: Typed
version: "1"
parameters:
  number: {type: int, min: 1}
  word: {type: string, default: a}
  input: {type: file, default: "${sqw.bundle-dir}/data/x.fa"}
  regions: {type: list, items: {name: string, span: string}, default: []}
  script: {type: string, free_text: true, default: ""}
steps:
  - {name: a, command: "true"}
"#;

fn source(name: &str, format: SourceFormat, text: &str) -> Source {
    Source { name: name.to_owned(), format, text: text.to_owned() }
}

fn ini(name: &str, text: &str) -> Source {
    source(name, SourceFormat::Ini, text)
}

fn generated() -> Generated {
    Generated { now: Timestamp::from_micros(1_800_000_000_123_456), seed: [7; 32] }
}

fn resolve_all(
    config: &[(&str, &str)],
    sources: &[Source],
    overrides: &[&str],
) -> Result<Resolved, ValuesError> {
    let manifest = Manifest::parse(MANIFEST).expect("a good manifest");
    let config: Vec<(String, String)> =
        config.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let overrides: Vec<String> = overrides.iter().map(|pair| (*pair).to_owned()).collect();
    resolve(&manifest, &config, sources, &overrides, &generated())
}

fn values(sources: &[Source], overrides: &[&str]) -> Values {
    match resolve_all(&[], sources, overrides) {
        Ok(resolved) => resolved.values,
        Err(error) => panic!("{:#?}", error.errors()),
    }
}

fn errors(sources: &[Source], overrides: &[&str]) -> Vec<String> {
    let error = resolve_all(&[], sources, overrides).expect_err("it does not fit");
    error.errors().to_vec()
}

#[test]
fn later_values_replace_earlier_ones() {
    let config = [("config/a.ini", "word=config\nnumber=1")];
    let word = |sources: &[Source], overrides: &[&str]| {
        let resolved = resolve_all(&config, sources, overrides).expect("it fits");
        resolved.values.parameters["word"].clone()
    };
    let (a, b) = (ini("a.ini", "word=first"), ini("b.ini", "word=second"));
    let params = source("p.yaml", SourceFormat::Yaml, "word: third");
    assert_eq!(values(&[], &["number=1"]).parameters["word"], "a");
    assert_eq!(word(&[], &[]), "config");
    assert_eq!(word(&[a.clone(), b.clone()], &[]), "second");
    assert_eq!(word(&[a.clone(), b.clone(), params.clone()], &[]), "third");
    assert_eq!(word(&[a, b, params], &["word=x", "word=fourth=4"]), "fourth=4");
}

#[test]
fn all_mistakes_are_told_with_their_lines() {
    let found = errors(
        &[
            ini("bad.ini", "# a comment\nnumber=many\nword=$(touch /tmp/canary)\nx=\\u1"),
            ini("more.ini", "number=many\nword=`id`\n\nregions=[{\"name\": 1}]"),
        ],
        &["input=relative", "nothing"],
    );
    for part in [
        "bad.ini:4: \\u needs four",
        "more.ini:1: number: `many` is not a whole number",
        "more.ini:2: word: holds a backquote",
        "more.ini:4: regions: item 1: `name`: `1` is not text",
        "--override: input: `relative` is not an absolute path",
        "--override `nothing` is not KEY=VALUE",
    ] {
        assert!(found.iter().any(|error| error.starts_with(part)), "no {part} in {found:#?}");
    }
}

#[test]
fn a_forgotten_value_is_named_with_its_type() {
    assert_eq!(errors(&[], &[]), ["number: no value is given (int); --override number=..."]);
    let error = resolve_all(&[], &[], &["number=0", "word=$x"]).unwrap_err();
    assert_eq!(error.to_string(), "the values of the run have 2 errors");
}

#[test]
fn yaml_and_json_give_typed_values_with_lines() {
    let yaml = "number: 3\nregions:\n  - {name: left, span: 'c:1-2'}\n";
    let json = r#"{"number": 3, "regions": [{"name": "left", "span": "c:1-2"}]}"#;
    let from_yaml = values(&[source("p.yaml", SourceFormat::Yaml, yaml)], &[]);
    assert_eq!(from_yaml, values(&[source("p.json", SourceFormat::Json, json)], &[]));
    assert_eq!(from_yaml.parameters["regions"], json!([{"name": "left", "span": "c:1-2"}]));

    let wrong = source("p.yaml", SourceFormat::Yaml, "word: a\nnumber: many\n");
    assert_eq!(errors(&[wrong], &[]), ["p.yaml:2: number: `many` is not a whole number"]);
    let wrong = source("p.json", SourceFormat::Json, "{\"number\": 1.5}");
    assert_eq!(errors(&[wrong], &[]), ["p.json: number: `1.5` is not a whole number"]);
    let broken = source("p.json", SourceFormat::Json, "{\n\"number\": }");
    assert!(errors(&[broken], &[])[0].starts_with("p.json:2: "));
    let broken = source("p.yaml", SourceFormat::Yaml, "a: 1\nb: [\n");
    assert!(errors(&[broken], &[])[0].starts_with("p.yaml:"), "it has a line");
}

#[test]
fn variables_are_other_values_or_generated() {
    let text = "number=1\nword=${base}/${sqw.date} ${number}\nbase=${sqw.timestamp}\n";
    let found = values(&[ini("a.ini", text)], &[]);
    assert_eq!(found.parameters["word"], "1800000000123/2027-01-15 1");
    let text = "number=1\nword=${sqw.datetime} ${sqw.bundle-seqware-version}";
    let found = values(&[ini("a.ini", text)], &[]).parameters["word"].clone();
    assert!(found.as_str().unwrap().starts_with("2027-01-15T08:00:00 0."), "{found}");
}

#[test]
fn random_values_differ_by_occurrence_and_are_shared_by_key() {
    let text = "number=${sqw.random}\nword=${sqw.uuid} ${sqw.uuid} ${one} ${one}\none=${sqw.uuid}";
    let found = values(&[ini("a.ini", text)], &[]);
    assert!(found.parameters["number"].as_i64().unwrap() < 1 << 31);
    let words: Vec<&str> = found.parameters["word"].as_str().unwrap().split(' ').collect();
    assert!(words[0] != words[1] && words[1] != words[2] && words[2] == words[3], "{words:?}");
    assert_eq!(words[0].len(), 36);
    assert_eq!(found, values(&[ini("a.ini", text)], &[]), "one seed is one run");
}

#[test]
fn the_folder_of_the_bundle_stays_a_symbol() {
    let found = values(&[], &["number=1", "word=${workflow_bundle_dir}/x"]);
    assert_eq!(found.parameters["input"], "${sqw.bundle-dir}/data/x.fa");
    assert_eq!(found.parameters["word"], "${sqw.bundle-dir}/x");
}

#[test]
fn a_plain_dollar_needs_free_text_and_braces_an_escape() {
    let text = "number=1\nscript=echo $HOME $${HOME}";
    let found = values(&[ini("a.ini", text)], &[]);
    assert_eq!(found.parameters["script"], "echo $HOME $${HOME}");
    let decoded = Decoder { bundle_dir: "/b" }.value(&found.parameters["script"]);
    assert_eq!(decoded, "echo $HOME ${HOME}");
    let found = errors(&[ini("a.ini", "number=1\nscript=${HOME}\nword=${x")], &[]);
    assert!(found[1].contains("a.ini:2: script: there is no value and no variable `HOME`"));
    assert!(found[0].contains("a.ini:3: word: `${x` has no `}`"), "{found:?}");
}

#[test]
fn circles_show_their_path() {
    let found = errors(&[ini("a.ini", "number=1\nword=${b}\nb=${c}\nc=${b}")], &[]);
    assert_eq!(found[0], "a.ini:2: word: the variables refer to each other: b -> c -> b");
}

#[test]
fn bombs_and_towers_are_refused() {
    let mut text = "number=1\nv0=0123456789\n".to_owned();
    for level in 1..40 {
        let below = level - 1;
        text.push_str(&format!("v{level}=${{v{below}}}${{v{below}}}${{v{below}}}${{v{below}}}\n"));
    }
    let found = errors(&[ini("bomb.ini", &format!("{text}word=${{v39}}\n"))], &[]);
    assert!(found[0].contains("bytes"), "{}", found[0]);
    let mut text = "number=1\nv0=0\n".to_owned();
    for level in 1..5_000 {
        text.push_str(&format!("v{level}=${{v{}}}\n", level - 1));
    }
    let found = errors(&[ini("tower.ini", &format!("{text}word=${{v4999}}\n"))], &[]);
    assert!(found[0].contains("within each other"), "{}", found[0]);
    let yaml = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n\
        d: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f]\n";
    assert!(!errors(&[source("bomb.yaml", SourceFormat::Yaml, yaml)], &[]).is_empty());
}

/// Makes so many lines, each from its number.
fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    let lines: Vec<String> = (0..count).map(line).collect();
    lines.join("\n")
}

#[test]
fn enough_mistakes_are_enough() {
    let unknown = |count| lines(count, |number| format!("key_{number}=${{kye_{number}}}"));
    let found = errors(&[ini("a.ini", &unknown(100))], &["number=1"]);
    assert_eq!(found.len(), 100);
    let hinted = found.iter().filter(|error| error.contains("did you mean")).count();
    assert_eq!(hinted, 20, "looking for the nearest word is dear");
    let found = errors(&[ini("a.ini", &unknown(3_500))], &["number=1"]);
    assert_eq!(found.len(), 101);
    assert_eq!(found[100], "there are more errors than these 100");
    let malformed = ini("a.ini", &"x=\\u1\n".repeat(1_000));
    assert_eq!(errors(&[malformed], &[]).len(), 101);
}

#[test]
fn enough_warnings_are_enough() {
    let unread = lines(3_500, |number| format!("nubmer{number}="));
    let resolved = resolve_all(&[], &[ini("a.ini", &unread)], &["number=1"]).expect("it fits");
    assert_eq!(resolved.warnings.len(), 101);
    assert_eq!(resolved.warnings[100], "there are more warnings than these 100");
    let hinted = resolved.warnings.iter().filter(|warning| warning.contains("did you mean"));
    assert!(hinted.count() <= 20);
    let again = ini("a.ini", &"word=a\n".repeat(1_000));
    let resolved = resolve_all(&[], &[again], &["number=1"]).expect("it fits");
    assert_eq!(resolved.warnings.len(), 101);
}

#[test]
fn values_that_are_too_large_end_the_work() {
    let large = "x".repeat(12 << 20);
    let refer = lines(50, |number| format!("k{number}=${{a}}${{a}}"));
    let text = format!("a={large}\nnumber=1\n{refer}");
    let found = errors(&[ini("a.ini", &text)], &[]);
    assert_eq!(found.len(), 1, "nothing is replaced after that");
    assert!(found[0].starts_with("a.ini:3: k0: the variables make more than"), "{}", found[0]);
}

#[test]
fn names_of_files_have_a_length() {
    let text = "number=1\nkey=1\n";
    let name = "n".repeat(255);
    let resolved = resolve_all(&[], &[ini(&name, text)], &[]).expect("it fits");
    assert!(resolved.warnings[0].starts_with(&format!("{name}:2: ")));
    for format in [SourceFormat::Ini, SourceFormat::Yaml, SourceFormat::Json] {
        let found = errors(&[source(&"n".repeat(256), format, text)], &["number=1"]);
        assert_eq!(found.len(), 1);
        assert!(found[0].ends_with("the name of a file has at most 255 bytes"), "{found:?}");
        assert!(found[0].len() < 200, "and is not told in full");
    }
}

#[test]
fn the_keys_of_a_file_share_its_name() {
    for (format, text) in [
        (SourceFormat::Ini, "a=1\nb=2"),
        (SourceFormat::Yaml, "a: 1\nb: 2"),
        (SourceFormat::Json, "{\"a\": 1, \"b\": 2}"),
    ] {
        let given = given::Given::read(&[], &[source("n", format, text)], &[]);
        let names = given.values.values().map(|value| match &value.origin {
            given::Origin::User { file, .. } => file.as_ptr(),
            other => panic!("{other} is no file of the user"),
        });
        let names: std::collections::BTreeSet<_> = names.collect();
        assert_eq!((given.values.len(), names.len()), (2, 1), "{format:?}");
    }
}

#[test]
fn unknown_keys_are_warnings() {
    let text = "nubmer=1\nnumber=2\nmanual_output=true\nbase=x\nword=${base}\nnumber=3\nparent_accession=0";
    let resolved = resolve_all(&[("config/c.ini", "other=1")], &[ini("a.ini", text)], &[]);
    assert_eq!(
        resolved.expect("it fits").warnings,
        [
            "a.ini:6: `number` replaces its value of line 2",
            "a.ini:1: `nubmer` is not a parameter of Typed and is ignored (did you mean `number`?)",
        ]
    );
}

#[test]
fn outputs_go_where_they_are_told() {
    let found = values(&[], &["number=1", "output_prefix= /out/${word} ", "output_dir=x/y/"]);
    assert_eq!(found.output_prefix.as_deref(), Some("/out/a"));
    assert_eq!(found.output_dir.as_deref(), Some("x/y/"));
    assert_eq!(values(&[], &["number=1", "output_prefix="]).output_prefix, None);
    for pair in [
        "output_prefix=./",
        "output_prefix=s3://b",
        "output_dir=../x",
        "output_dir=/x",
        "output_dir=a//b",
        "output_prefix=/$x",
    ] {
        let found = errors(&[], &["number=1", pair]);
        assert!(found[0].starts_with("--override: output_"), "{found:?}");
    }
}

#[test]
fn the_effective_ini_makes_the_same_values_again() {
    let text = "number=1\nscript=\\ a $x $${y}\\n\\u00e4\nregions=[{\"name\":\"a\",\"span\":\"${sqw.bundle-dir}\"}]";
    let found = values(&[ini("a.ini", text)], &["output_prefix=/out"]);
    let manifest = Manifest::parse(MANIFEST).expect("a good manifest");
    let effective = to_ini(&manifest, &found);
    assert!(effective.starts_with("number=1\nword=a\n"), "{effective}");
    assert_eq!(values(&[ini("again.ini", &effective)], &[]), found);
    let stored = serde_json::to_value(&found).expect("values are JSON");
    assert_eq!(serde_json::from_value::<Values>(stored).expect("and back"), found);
}

#[test]
fn values_may_be_many() {
    let items: Vec<_> =
        (0..20_000).map(|n| json!({"name": format!("n{n}"), "span": "s"})).collect();
    let text = json!({"number": 1, "regions": items}).to_string();
    let found = values(&[source("p.json", SourceFormat::Json, &text)], &[]);
    assert_eq!(found.parameters["regions"].as_array().map(Vec::len), Some(20_000));
    let yaml = source("p.yaml", SourceFormat::Yaml, &text);
    assert_eq!(values(&[yaml], &[]), found, "JSON is YAML too");
}
