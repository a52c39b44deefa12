//! Plans of manifests, and what bash makes of their scripts.

mod bash;
mod examples;

use std::path::PathBuf;
use std::time::Instant;

use niassa_model::time::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::values::{Generated, Source, SourceFormat, resolve};

/// Resolves values for a manifest, and plans run 7.
fn plan_of(manifest: &str, values: &Value) -> Result<Plan, PlanError> {
    plan_in(manifest, values, &context())
}

fn plan_in(manifest: &str, values: &Value, context: &PlanContext) -> Result<Plan, PlanError> {
    let manifest = match Manifest::parse(manifest) {
        Ok(manifest) => manifest,
        Err(error) => panic!("{:#?}", error.errors()),
    };
    let text = values.to_string();
    let source = Source { name: "values.json".to_owned(), format: SourceFormat::Json, text };
    let generated = Generated { now: Timestamp::from_micros(0), seed: [0; 32] };
    match resolve(&manifest, &[], &[source], &[], &generated) {
        Ok(resolved) => plan(&manifest, &resolved.values, context),
        Err(error) => panic!("{:#?}", error.errors()),
    }
}

fn context() -> PlanContext {
    PlanContext {
        run: Accession::try_from(7).expect("positive"),
        run_dir: PathBuf::from("/runs/7-abcdefghij"),
        bundle_dir: PathBuf::from("/bundles/b0"),
    }
}

fn labels(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(PlannedStep::label).collect()
}

fn after(plan: &Plan) -> Vec<Vec<u32>> {
    plan.steps.iter().map(|step| step.after.iter().map(|index| index.0).collect()).collect()
}

const HEAD: &str = "niassa: 1\nname: A\nversion: \"1\"\n";

#[test]
fn a_script_assigns_values_and_then_is_the_command() {
    let manifest = format!(
        "{HEAD}parameters:\n  greeting: {{type: string}}\n  count: {{type: int}}\n  \
         ratio: {{type: float, default: 0.5}}\n  words: {{type: list, items: string}}\n  \
         unused: {{type: list, items: string}}\n\
         setup: umask 027\nenv: {{LANG: C}}\nmodules: [bwa/0.7]\nsteps:\n  - name: greet\n    command: |\n      \
         echo \"$greeting\" \"${{words[@]}}\"\n    setup: ulimit -c 0\n"
    );
    let values = json!({"greeting": "it's", "count": 3, "words": ["a b", ""], "unused": ["x"]});
    let plan = plan_of(&manifest, &values).expect("a plan");
    let expected = r#"#!/usr/bin/env bash
# A 1, run 7, step greet
# shellcheck disable=SC2016,SC2034
set -euo pipefail
export NIASSA_BUNDLE_DIR='/bundles/b0'
export PATH="$NIASSA_BUNDLE_DIR/bin:$PATH"
set +u
if ! type module > /dev/null 2>&1; then
  for niassa_init in "$LMOD_PKG/init/bash" "$MODULESHOME/init/bash" /etc/profile.d/modules.sh /etc/profile.d/lmod.sh; do
    # shellcheck source=/dev/null
    if [ -r "$niassa_init" ]; then . "$niassa_init"; break; fi
  done
fi
module load 'bwa/0.7'
set -u
export LANG='C'
greeting='it'\''s'
count='3'
ratio='0.5'
words=('a b' '')
umask 027
ulimit -c 0
echo "$greeting" "${words[@]}"
"#;
    assert_eq!(plan.steps[0].command, expected);
    assert_eq!((plan.format, plan.workflow.as_str(), plan.version.as_str()), (1, "A", "1"));
    assert_eq!(plan.steps[0].resources, Resources::default());
    assert!(plan.output_folder.is_none() && plan.inputs.is_empty());
}

#[test]
fn a_step_per_element_has_the_fields_as_variables() {
    let manifest = format!(
        "{HEAD}parameters:\n  regions: {{type: list, items: {{name: string, span: string}}}}\nsteps:\n  \
         - name: call\n    foreach: {{region: regions}}\n    command: call \"$region_span\"\n    \
         memory: \"{{{{ loop_free }}}}\"\n    outputs: [{{path: \"{{{{ region.name }}}}.vcf\", meta_type: text/vcf}}]\n  \
         - name: merge\n    needs: [call]\n    command: merge \"${{regions_name[@]}}\"\n"
    )
    .replace("{{ loop_free }}", "{{ regions | length }}G");
    let regions = json!([{"name": "left", "span": "c:1-2"}, {"name": "right", "span": "c:3-4"}]);
    let plan = plan_of(&manifest, &json!({ "regions": regions })).expect("a plan");
    assert_eq!(labels(&plan), ["call[0]", "call[1]", "merge"]);
    assert_eq!(after(&plan), [vec![], vec![], vec![0, 1]]);
    assert!(plan.steps[1].command.contains("region_name='right'\nregion_span='c:3-4'\ncall"));
    assert!(!plan.steps[1].command.contains("regions_"), "the list is not needed there");
    assert!(plan.steps[2].command.contains("regions_name=('left' 'right')\nmerge"));
    assert!(!plan.steps[2].command.contains("regions_span"));
    assert_eq!(plan.steps[1].outputs[0].path, "right.vcf");
    assert_eq!(plan.steps[0].resources.memory_bytes, Some(2 << 30));
}

/// Steps that follow each other over lists, in all ways there are.
#[test]
fn followers_wait_for_what_they_need() {
    let manifest = format!(
        "{HEAD}parameters:\n  xs: {{type: list, items: string}}\n  ys: {{type: list, items: int}}\nsteps:\n  \
         - {{name: last, needs: [same, other], command: x}}\n  \
         - {{name: first, command: x}}\n  \
         - {{name: each, needs: [first], foreach: {{x: xs}}, command: x}}\n  \
         - {{name: same, needs: [each], foreach: {{z: xs}}, command: x}}\n  \
         - {{name: other, needs: [each, first], foreach: {{y: ys}}, command: x}}\n"
    );
    let plan = plan_of(&manifest, &json!({"xs": ["a", "b"], "ys": [1]})).expect("a plan");
    let order = ["first", "each[0]", "each[1]", "same[0]", "same[1]", "other[0]", "last"];
    assert_eq!(labels(&plan), order);
    let expected = [vec![], vec![0], vec![0], vec![1], vec![2], vec![0, 1, 2], vec![3, 4, 5]];
    assert_eq!(after(&plan), expected);
    let plan = plan_of(&manifest, &json!({"xs": [], "ys": [1]})).expect("a plan");
    assert_eq!(labels(&plan), ["first", "other[0]", "last"]);
    assert_eq!(after(&plan), [vec![], vec![0], vec![0, 1]], "an empty step stands for its needs");
}

#[test]
fn every_file_is_linked_into_the_run_directory() {
    let manifest = format!(
        "{HEAD}parameters:\n  one: {{type: file, meta_type: text/plain}}\n  nothing: {{type: file, default: \"\"}}\n  \
         own: {{type: file, default: \"${{sqw.bundle-dir}}/data/x\"}}\n  many: {{type: list, items: file}}\n  \
         pairs: {{type: list, items: {{name: string, reads: file}}}}\nsteps:\n  - name: a\n    \
         foreach: {{p: pairs}}\n    command: cat \"$one\" \"${{many[@]}}\" \"$p_reads\"\n"
    );
    let values = json!({
        "one": "/data/a b.txt",
        "many": ["/data/c", "https://host/d?x=1"],
        "pairs": [{"name": "e", "reads": "/data/e"}],
    });
    let plan = plan_of(&manifest, &values).expect("a plan");
    let links: Vec<(&str, &str, &str)> = plan
        .inputs
        .iter()
        .map(|input| (input.parameter.as_str(), input.source.as_str(), input.link.as_str()))
        .collect();
    assert_eq!(
        links,
        [
            ("one", "/data/a b.txt", "provisionfiles/1/a b.txt"),
            ("own", "/bundles/b0/data/x", "provisionfiles/2/x"),
            ("many", "/data/c", "provisionfiles/3/c"),
            ("many", "https://host/d?x=1", "provisionfiles/4/d"),
            ("pairs", "/data/e", "provisionfiles/5/e"),
        ]
    );
    assert_eq!(plan.inputs[0].meta_type.as_deref(), Some("text/plain"));
    let command = &plan.steps[0].command;
    for line in [
        "one='/runs/7-abcdefghij/provisionfiles/1/a b.txt'",
        "nothing=''",
        "many=('/runs/7-abcdefghij/provisionfiles/3/c' '/runs/7-abcdefghij/provisionfiles/4/d')",
        "p_name='e'\np_reads='/runs/7-abcdefghij/provisionfiles/5/e'",
    ] {
        assert!(command.contains(line), "no {line} in\n{command}");
    }
}

#[test]
fn outputs_go_to_one_folder_under_different_names() {
    let manifest = |paths: &str| {
        format!("{HEAD}steps:\n  - name: a\n    command: x\n    outputs: [{paths}]\n")
    };
    let both = "{path: x/a, meta_type: t}, {path: y/a, meta_type: t}";
    let out = json!({"output_prefix": "/out/"});
    let plan = plan_of(&manifest("{path: a, meta_type: t}"), &out).expect("a plan");
    assert_eq!(plan.output_folder.as_deref(), Some("/out/7"));
    let named = json!({"output_prefix": "/out", "output_dir": "x/y/"});
    let plan = plan_of(&manifest("{path: a, meta_type: t}"), &named).expect("a plan");
    assert_eq!(plan.output_folder.as_deref(), Some("/out/x/y"));
    assert!(plan_of(&manifest(both), &json!({})).is_ok(), "they stay where they are");
    let error = plan_of(&manifest(both), &out).unwrap_err();
    assert_eq!(error.to_string(), "the steps `a` and `a` both make the output `a`");
}

#[test]
fn a_plan_that_cannot_be_says_why() {
    let manifest = |step: &str| {
        format!(
            "{HEAD}parameters:\n  xs: {{type: list, items: string}}\n  n: {{type: int, default: 1}}\nsteps:\n  \
             - name: a\n    foreach: {{x: xs}}\n    command: x\n{step}\n"
        )
    };
    for (step, items, expected) in [
        ("    threads: \"{{ n - 1 }}\"", json!(["a"]), "step `a[0]`: threads: the expression"),
        ("    memory: \"{{ x }}\"", json!(["1G", "lots"]), "step `a[1]`: memory: `lots` is not"),
        ("    time: \"{{ xs[7] }}\"", json!(["a"]), "step `a[0]`: time `{{ xs[7] }}`"),
        (
            "    outputs: [{path: \"{{ x }}\", meta_type: t}]",
            json!(["../a"]),
            "step `a[0]`: output",
        ),
        (
            "    outputs: [{path: \"{{ x }}\", meta_type: t}]",
            json!(["a", "a"]),
            "the steps `a[0]` and `a[1]` both",
        ),
        (
            "    memory: \"{% for i in range(100000) %}{% endfor %}1G\"",
            json!(["a"]),
            "step `a[0]`: memory",
        ),
        ("    memory: \"{{ 'x' * 1000000000 }}\"", json!(["a"]), "step `a[0]`: memory"),
        ("", json!([]), "the plan has no steps"),
    ] {
        let error = plan_of(&manifest(step), &json!({ "xs": items })).expect_err(step);
        assert!(error.to_string().starts_with(expected), "{error}\n{expected}");
    }
}

#[test]
fn folders_that_bash_would_evaluate_are_refused() {
    let manifest = format!("{HEAD}steps:\n  - {{name: a, command: x}}\n");
    for folder in ["/runs/$(id)", "/runs/a`b`", "/runs/a\nb"] {
        let run_dir = PathBuf::from(folder);
        let error = plan_in(&manifest, &json!({}), &PlanContext { run_dir, ..context() });
        assert!(matches!(error, Err(PlanError::Folder(_))), "{folder}");
    }
}

#[test]
fn values_of_another_manifest_are_no_plan() {
    let manifest =
        format!("{HEAD}parameters:\n  n: {{type: int}}\nsteps:\n  - {{name: a, command: x}}\n");
    let manifest = Manifest::parse(&manifest).expect("a good manifest");
    let error = plan(&manifest, &Values::default(), &context()).unwrap_err();
    assert!(matches!(error, PlanError::Value(name) if name == "n"));
}

/// What `cargo xtask bench` measures in a release build, here only that it is possible at all.
#[test]
fn a_hundred_thousand_steps_are_planned_and_more_are_refused() {
    let manifest = format!(
        "{HEAD}parameters:\n  items: {{type: list, items: string}}\nsteps:\n  - name: a\n    \
         foreach: {{item: items}}\n    command: echo \"$item\"\n    outputs: [{{path: \"{{{{ item }}}}\", meta_type: t}}]\n"
    );
    let items: Vec<String> = (0..PLAN_STEPS).map(|item| format!("item {item}")).collect();
    let begun = Instant::now();
    let plan = plan_of(&manifest, &json!({ "items": items })).expect("a plan");
    assert_eq!(plan.steps.len(), PLAN_STEPS);
    let stored = serde_json::to_vec(&plan).expect("a plan is JSON").len();
    assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
    assert!(u64::try_from(stored).expect("a size") < PLAN_BYTES);

    let items: Vec<String> = (0..=PLAN_STEPS).map(|item| format!("item {item}")).collect();
    let error = plan_of(&manifest, &json!({ "items": items })).unwrap_err();
    assert!(matches!(error, PlanError::ManySteps));
}

#[test]
fn a_plan_of_too_many_edges_is_refused() {
    let manifest = format!(
        "{HEAD}parameters:\n  xs: {{type: list, items: int}}\n  ys: {{type: list, items: int}}\nsteps:\n  \
         - {{name: a, foreach: {{x: xs}}, command: x}}\n  - {{name: b, needs: [a], foreach: {{y: ys}}, command: x}}\n"
    );
    let many: Vec<usize> = (0..40_000).collect();
    let error = plan_of(&manifest, &json!({"xs": many, "ys": many})).unwrap_err();
    assert!(matches!(error, PlanError::Large { .. }), "{error}");
}

#[test]
fn the_size_that_is_counted_is_never_too_small() {
    let step = |outputs| PlannedStep {
        name: "a".repeat(64).try_into().expect("a name"),
        element: Some(u32::MAX),
        after: (99_900..100_000).map(StepIndex).collect(),
        command: "\"\\\n\t\u{1}é ".repeat(50),
        resources: Resources {
            threads: u32::MAX,
            memory_bytes: Some(u64::MAX),
            seconds: Some(u64::MAX),
        },
        outputs,
        retry: niassa_model::plan::RetryPolicy::NEVER,
    };
    let output = PlannedOutput { path: "\n".repeat(100), meta_type: "x".to_owned() };
    for step in [step(Vec::new()), step(vec![output.clone(), output])] {
        let written = serde_json::to_string(&step).expect("a step is JSON").len() as u64;
        let counted = size::of_step(&step);
        assert!(counted >= written && counted < written * 2, "{counted} for {written}");
    }
}
