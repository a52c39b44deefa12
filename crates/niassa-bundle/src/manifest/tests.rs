//! Good manifests, and every kind of bad one with its line.

use niassa_model::step::StepReason;
use serde_json::json;

use super::*;

/// The manifest of the design, in full.
const GOOD: &str = r#"niassa: 1
name: VariantCalling
version: "1.0.0"
description: Align paired reads and call variants by region
parameters:
  reads_1:   {type: file, meta_type: chemical/seq-na-fastq-gzip, help: forward reads}
  reads_2:   {type: file, meta_type: chemical/seq-na-fastq-gzip}
  reference: {type: file, meta_type: chemical/seq-na-fasta}
  regions:   {type: list, items: {name: string, span: string}}
  threads:   {type: int, default: 2, min: 1, max: 64}
setup: module load bwa samtools bcftools
steps:
  - name: index
    command: |
      ln -sf "$reference" reference.fa
      bwa index reference.fa && samtools faidx reference.fa
  - name: align
    needs: [index]
    command: |
      bwa mem -t "$threads" reference.fa "$reads_1" "$reads_2" | samtools sort -o aligned.bam -
      samtools index aligned.bam
    threads: "{{ threads }}"
    memory: 4G
    time: 2h
  - name: call
    foreach: {region: regions}
    needs: [align]
    command: bcftools mpileup -r "$region_span" -f reference.fa aligned.bam | bcftools call -mv -Oz -o "$region_name.vcf.gz"
    outputs: [{path: "{{ region.name }}.vcf.gz", meta_type: text/vcf-4-gzip}]
    retry: {max: 2, on: [out_of_memory], memory: x2}
"#;

fn errors(text: &str) -> Vec<String> {
    match Manifest::parse(text) {
        Ok(_) => panic!("it is accepted:\n{text}"),
        Err(error) => error.errors(),
    }
}

/// Checks that a manifest is refused for one reason only.
fn refused(text: &str, expected: &str) {
    let found = errors(text);
    assert!(
        found.len() == 1 && found[0].contains(expected),
        "no `{expected}` in {found:#?}\n{text}"
    );
}

/// A manifest with one step and the given parameters and further lines of the step.
fn with(parameters: &str, step: &str) -> String {
    format!(
        "niassa: 1\nname: A\nversion: \"1\"\nparameters:\n{parameters}\nsteps:\n  - name: a\n    \
         command: \"true\"\n{step}\n"
    )
}

#[test]
fn the_manifest_of_the_design_is_read() {
    let manifest = Manifest::parse(GOOD).expect("a good manifest");
    assert_eq!((manifest.name.as_str(), manifest.version.as_str()), ("VariantCalling", "1.0.0"));
    let names: Vec<&str> = manifest.parameters.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["reads_1", "reads_2", "reference", "regions", "threads"]);
    let kinds: Vec<String> = manifest.parameters.iter().map(Parameter::kind_text).collect();
    assert_eq!(kinds, ["file", "file", "file", "list of {name, span}", "int"]);
    let threads = manifest.parameter("threads").expect("it is there");
    assert_eq!(
        (threads.default.clone(), threads.min, threads.max),
        (Some(json!(2)), Some(1.0), Some(64.0))
    );
    assert!(!threads.is_required() && manifest.parameters[0].is_required());
    assert_eq!(manifest.parameters[0].help.as_deref(), Some("forward reads"));

    let call = &manifest.steps[2];
    let foreach = call.foreach.as_ref().expect("it is repeated");
    assert_eq!((foreach.variable.as_str(), foreach.parameter.as_str()), ("region", "regions"));
    assert_eq!((call.retry.max, call.retry.memory_percent), (2, 200));
    assert_eq!(call.retry.on, [StepReason::OutOfMemory]);
    assert_eq!(
        call.surroundings.setup().collect::<Vec<_>>(),
        ["module load bwa samtools bcftools"]
    );
    assert_eq!(call.outputs[0].path.source(), "{{ region.name }}.vcf.gz");
    assert_eq!(manifest.steps[1].time.as_ref().and_then(Template::constant), Some("2h"));
}

#[test]
fn defaults_are_shown_as_an_ini_has_them() {
    let text = with(
        "  a: {type: string, default: ' x\\y'}\n  b: {type: list, items: {n: int}, default: [{n: 1}]}\n  \
         c: {type: bool, default: true}\n  d: {type: float}",
        "",
    );
    let manifest = Manifest::parse(&text).expect("a good manifest");
    let defaults: Vec<_> = manifest.parameters.iter().map(Parameter::default_text).collect();
    let expected = ["\\ x\\\\y", "[{\"n\":1}]", "true"].map(|text| Some(text.to_owned()));
    assert_eq!(defaults[..3], expected);
    assert_eq!(defaults[3], None);
}

#[test]
fn mistakes_in_the_yaml_have_a_line() {
    for (from, to, expected) in [
        ("needs: [index]", "needs: [index", "workflow.yaml:"),
        (
            "description:",
            "descripton:",
            "workflow.yaml:4: unknown key `descripton` (did you mean `description`?)",
        ),
        (
            "    memory: 4G",
            "    memroy: 4G",
            "workflow.yaml:23: unknown key `memroy` (did you mean `memory`?)",
        ),
        ("name: VariantCalling\n", "", "`name` is missing"),
        ("  - name: index\n    command", "  - nam: index\n    command", "unknown key `nam`"),
        ("{max: 2,", "{max: many,", "workflow.yaml:30: "),
        ("min: 1,", "min: 1, min: 2,", "workflow.yaml:10: "),
        ("niassa: 1", "niassa: 2", "workflow.yaml:1: niassa: 2 is not known"),
        ("steps:", "steps: 1\nrest:", "workflow.yaml:"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        refused(&GOOD.replacen(from, to, 1), expected);
    }
    for text in ["", "[]", "a", "\0", "niassa: 1", "&a [*a]", "niassa: 1\n---\nniassa: 1\n"] {
        assert!(Manifest::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn all_mistakes_of_meaning_are_told_at_once_in_order() {
    let text = GOOD
        .replace("name: VariantCalling", "name: 1 Variant")
        .replace("threads:   {type: int, default: 2,", "threads:   {type: int, default: many,")
        .replace("needs: [align]", "needs: [algin]")
        .replace("memory: 4G", "memory: lots")
        .replace("region.name", "region.nmae");
    let found = errors(&text);
    let expected = [
        "workflow.yaml:2: name `1 Variant`",
        "workflow.yaml:10: default of `threads`: `many` is not a whole number",
        "workflow.yaml:23: memory: `lots` is not an amount of memory",
        "workflow.yaml:27: step `call` needs `algin`, which is no step (did you mean `align`?)",
        "workflow.yaml:29: output `{{ region.nmae }}.vcf.gz`: unknown variable `region.nmae` (did you mean `name`?)",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\n{expected}");
    }
    let error = Manifest::parse(&text).unwrap_err();
    assert_eq!(error.to_string(), "the manifest has 5 errors");
    let first = std::error::Error::source(&error).expect("the first of them").to_string();
    assert!(first.starts_with("workflow.yaml:2: "), "{first}");
}

#[test]
fn steps_that_wait_for_each_other_are_shown() {
    let step =
        |name: &str, needs: &str| format!("  - {{name: {name}, needs: [{needs}], command: x}}\n");
    let steps = [step("a", ""), step("b", "a, d"), step("c", "b"), step("d", "c")].concat();
    let text = format!("niassa: 1\nname: A\nversion: \"1\"\nsteps:\n{steps}");
    refused(&text, "the steps wait for each other: b -> d -> c -> b");
    refused(&with("", "    needs: [a]"), "wait for each other: a -> a");
    let twice =
        format!("niassa: 1\nname: A\nversion: \"1\"\nsteps:\n{}{}", step("a", ""), step("a", ""));
    refused(&twice, "there is a step `a` already, in line 5");
    refused(
        &format!(
            "{}  - {{name: b, needs: [a, a], command: x}}\n",
            with("", "").trim_end_matches('\n').to_owned() + "\n"
        ),
        "`a` is needed twice",
    );
    refused("niassa: 1\nname: A\nversion: \"1\"\nsteps: []\n", "at least one step");
}

#[test]
fn parameters_are_checked() {
    for (parameter, expected) in [
        ("A: {type: int}", "parameter `A`"),
        ("in: {type: int}", "meaning of its own"),
        ("output_dir: {type: string}", "Niassa's own"),
        ("a: {type: integer}", "one of string, int, float, bool, file is needed"),
        ("a: {type: list}", "needs `items`"),
        ("a: {type: int, items: int}", "is not a list"),
        ("a: {type: list, items: {}}", "have no fields"),
        ("a: {type: list, items: {B: int}}", "field `B`"),
        ("a: {type: list, items: {b: list}}", "one of string"),
        ("a: {type: string, min: 1}", "only numbers"),
        ("a: {type: int, min: 2, max: 1}", "min 2 is more than max 1"),
        ("a: {type: float, choices: [a]}", "`choices` need"),
        ("a: {type: string, choices: []}", "`choices` need"),
        ("a: {type: string, choices: [x], default: y}", "`y` is not one of x"),
        ("a: {type: int, meta_type: x}", "only files"),
        ("a: {type: int, free_text: true}", "only text"),
        ("a: {type: string, default: 1}", "put it in quotes"),
        ("a: {type: string, default: $HOME}", "holds a `$`"),
        ("a: {type: file, default: x}", "absolute path"),
        ("a: {type: int, default: 0, min: 1}", "0 is less than 1"),
    ] {
        refused(&with(&format!("  {parameter}"), ""), expected);
    }
}

#[test]
fn variables_never_mean_two_things() {
    let record = "  regions: {type: list, items: {name: string}}\n";
    let foreach = "    foreach: {region: regions}";
    refused(
        &with(&format!("{record}  region: {{type: int}}"), foreach),
        "a parameter of that name",
    );
    refused(
        &with(&format!("{record}  region_name: {{type: int}}"), foreach),
        "makes the variable `region_name`, as the parameter `region_name` does",
    );
    refused(
        &with(&format!("{record}  regions_name: {{type: int}}"), ""),
        "`regions_name` and `regions` both make the variable `regions_name`",
    );
    refused(&with("  a: {type: int}", "    env: {a: x}"), "a parameter is called so");
}

#[test]
fn repeated_steps_need_a_list() {
    for (step, expected) in [
        ("    foreach: {x: lists}", "no parameter `lists` (did you mean `list`?)"),
        ("    foreach: {x: one}", "`one` is a int, not a list"),
        ("    foreach: {x: list, y: list}", "foreach takes one list"),
        ("    foreach: {X: list}", "foreach `X`"),
    ] {
        let parameters = "  list: {type: list, items: string}\n  one: {type: int}";
        refused(&with(parameters, step), expected);
    }
}

#[test]
fn what_a_step_asks_for_is_checked() {
    for (step, expected) in [
        ("    threads: 0", "`0` is not a number of threads"),
        ("    threads: \"{{ thraeds }}\"", "unknown variable `thraeds` (did you mean `threads`?)"),
        ("    threads: \"{{ threads\"", "threads `{{ threads`: syntax error"),
        ("    threads: \"{{ threads.x }}\"", "is a int and has no fields"),
        ("    memory: 4X", "is not an amount of memory"),
        ("    time: soon", "is not a duration"),
        ("    outputs: [{path: /etc/passwd, meta_type: t}]", "begins with /"),
        ("    outputs: [{path: a/../../b, meta_type: t}]", "holds `..`"),
        ("    outputs: [{path: a, meta_type: ''}]", "meta_type"),
        ("    outputs: [{path: a}]", "`meta_type` is missing"),
        ("    retry: {max: 1000}", "at most 100"),
        ("    retry: {max: 1, on: [sometimes]}", "retry on `sometimes`"),
        ("    retry: {max: 1, memory: 2}", "x1 to x100"),
        ("    retry: {max: 1, backoff: 2d}", "at most a day"),
        ("    env: {PATH: x}", "env `PATH`"),
        ("    modules: [\"a\\nb\"]", "module"),
        ("    container: a b", "this is not an image"),
    ] {
        refused(&with("  threads: {type: int}", step), expected);
    }
    let text = with("  threads: {type: int}", "").replace("\"true\"", "' '");
    refused(&text, "step `a` has an empty command");
    refused(&with("", "").replace("name: a", "name: a/b"), "`a/b` is not a step name");
}

#[test]
fn numbers_may_stand_without_quotes_where_text_is_expected() {
    let text =
        with("", "    threads: 2\n    memory: 1024\n    time: 90\n    env: {OMP_NUM_THREADS: 1}");
    let step = &Manifest::parse(&text).expect("a good manifest").steps[0];
    assert_eq!(step.threads.constant(), Some("2"));
    assert_eq!(step.surroundings.env().collect::<Vec<_>>(), [("OMP_NUM_THREADS", "1")]);
}

#[test]
fn a_step_adds_to_what_stands_around_all_steps() {
    let text = with(
        "",
        "    setup: own\n    env: {A: own, C: own}\n    modules: [own]\n    container: none",
    )
    .replace(
        "steps:",
        "setup: all\nenv: {A: all, B: all}\nmodules: [all]\ncontainer: debian:12\nsteps:",
    );
    let around = Manifest::parse(&text).expect("a good manifest").steps[0].surroundings.clone();
    assert_eq!(around.setup().collect::<Vec<_>>(), ["all", "own"]);
    let env: Vec<_> = around.env().collect();
    assert_eq!(env, [("B", "all"), ("A", "own"), ("C", "own")]);
    assert_eq!(around.modules().collect::<Vec<_>>(), ["all", "own"]);
    assert_eq!(around.container(), None);
    let common =
        Manifest::parse(&text.replace("    container: none", "")).expect("a good manifest");
    assert_eq!(common.steps[0].surroundings.container(), Some("debian:12"));
}

#[test]
fn steps_share_what_stands_around_all_of_them() {
    let text = with("", "  - {name: b, command: x, setup: own}")
        .replace("steps:", "setup: all\nenv: {A: all}\nmodules: [all]\nsteps:");
    let steps = Manifest::parse(&text).expect("a good manifest").steps;
    let common: Vec<_> = steps.iter().map(|step| &step.surroundings.common).collect();
    assert!(std::sync::Arc::ptr_eq(common[0], common[1]));
    assert_eq!(common[0].setup.as_deref(), Some("all"));
}

#[test]
fn repeated_steps_share_the_fields_of_their_records() {
    let text = with("  r: {type: list, items: {a: int}}", "    foreach: {x: r}");
    let manifest = Manifest::parse(&text).expect("a good manifest");
    let foreach = manifest.steps[0].foreach.as_ref().expect("it is repeated");
    let (Kind::List(Items::Record(fields)), Items::Record(shared)) =
        (&manifest.parameters[0].kind, &foreach.items)
    else {
        panic!("both are records")
    };
    assert!(std::sync::Arc::ptr_eq(fields, shared));
}

/// Makes so many lines of a block, each from its number.
fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    let lines: Vec<String> = (0..count).map(|number| line(number) + "\n").collect();
    lines.concat()
}

#[test]
fn a_manifest_has_limits() {
    let steps = |count| {
        let steps = lines(count, |number| format!("  - {{name: s{number}, command: x}}"));
        format!("niassa: 1\nname: A\nversion: \"1\"\nsteps:\n{steps}")
    };
    assert_eq!(Manifest::parse(&steps(10_000)).expect("a good manifest").steps.len(), 10_000);
    refused(&steps(10_001), "workflow.yaml:10005: a workflow has at most 10000 steps");
    let parameters =
        |count| with(lines(count, |number| format!("  p{number}: {{type: int}}")).trim_end(), "");
    assert!(Manifest::parse(&parameters(1_000)).is_ok());
    refused(&parameters(1_001), "at most 1000 parameters");
    let env =
        |count| with("", &format!("    env:\n{}", lines(count, |n| format!("      V{n}: x"))));
    assert!(Manifest::parse(&env(1_000)).is_ok());
    refused(&env(1_001), "env has at most 1000 variables");
    let common = env(1_001).replace("    env:", "env:").replace("      V", "  V");
    refused(&common, "env has at most 1000 variables");
    let fields = |count| {
        let fields = lines(count, |number| format!("      f{number}: int"));
        with(&format!("  r:\n    type: list\n    items:\n{}", fields.trim_end()), "")
    };
    assert!(Manifest::parse(&fields(100)).is_ok());
    refused(&fields(101), "a record has at most 100 fields");
    let described = |bytes| {
        with("", "").replacen("name: A", &format!("name: A\ndescription: {}", "d".repeat(bytes)), 1)
    };
    assert!(Manifest::parse(&described(64 * 1024)).is_ok());
    refused(&described(64 * 1024 + 1), "the description has at most 65536 bytes");
    let long = with("", "").replace("true", &"x".repeat(1024 * 1024));
    refused(&long, "at most 1048576 are read");
}

#[test]
fn enough_problems_are_enough() {
    let wrong = |count: usize| {
        let needs: Vec<String> = (0..count).map(|number| format!("stpe{number}")).collect();
        let steps = lines(120, |number| format!("  - {{name: step{number}, command: x}}"));
        with("", &format!("    needs: [{}]\n{}", needs.join(", "), steps.trim_end()))
    };
    let found = errors(&wrong(100));
    assert_eq!(found.len(), 100);
    assert_eq!(found.iter().filter(|error| error.contains("did you mean")).count(), 20);
    let found = errors(&wrong(5_000));
    assert_eq!(found.len(), 101);
    assert_eq!(found[100], "workflow.yaml: there are more errors than these 100");
    let error = Manifest::parse(&wrong(5_000)).unwrap_err();
    assert_eq!(error.to_string(), "the manifest has more than 100 errors");
    let long = with("", "").replace("name: a\n", &format!("name: {}\n", "n".repeat(100_000)));
    assert!(errors(&long)[0].len() < 2_000, "and none is long");
}

#[test]
fn a_long_circle_is_not_told_in_full() {
    let steps = lines(1_000, |number| {
        format!("  - {{name: s{number}, command: x, needs: [s{}]}}", (number + 1) % 1_000)
    });
    let text = format!("niassa: 1\nname: A\nversion: \"1\"\nsteps:\n{steps}");
    let found = errors(&text);
    assert!(found[0].ends_with("-> s18 -> s19 -> ..."), "{}", found[0]);
}

#[test]
fn words_that_aliases_repeat_are_counted() {
    let repeated = |bytes: usize| {
        let steps = lines(20, |number| format!("  - {{name: s{number}, command: *c}}"));
        format!(
            "niassa: 1\nname: A\nversion: \"1\"\nsteps:\n  - name: a\n    command: &c {}\n{steps}",
            "x".repeat(bytes)
        )
    };
    assert!(Manifest::parse(&repeated(100_000)).is_ok());
    refused(&repeated(400_000), "budget");
}

#[test]
fn a_yaml_bomb_is_refused() {
    let mut text = "niassa: 1\nname: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = format!("*a{}, ", level - 1).repeat(9);
        text.push_str(&format!("k{level}: &a{level} [{below}]\n"));
    }
    assert!(Manifest::parse(&text).is_err());
    assert!(Manifest::parse(&"[".repeat(100_000)).is_err());
}

proptest::proptest! {
    #[test]
    fn any_text_is_a_manifest_or_an_error(text in "(\\PC|[\\n:{}\\[\\]&*-]){0,80}") {
        let _either = Manifest::parse(&text).map_err(|error| error.errors());
    }

    #[test]
    fn a_damaged_manifest_is_read_or_refused(at in 0..GOOD.len(), with in "\\PC{0,3}") {
        let mut text = GOOD.to_owned();
        if text.is_char_boundary(at) {
            text.replace_range(at..=at, &with);
        }
        if let Err(error) = Manifest::parse(&text) {
            proptest::prop_assert!(error.errors().iter().all(|error| error.starts_with("workflow.yaml")));
        }
    }
}
