//! The example bundles: their manifests are good, their ini files fit, and they plan.

use std::path::Path;

use super::bash::shellcheck;
use super::*;
use crate::archive;

/// Plans an example as it would be installed and scheduled.
fn example(name: &str, overrides: &[&str]) -> Plan {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/bundles").join(name);
    let text = archive::read_dir(&folder).expect("a bundle");
    let manifest = match Manifest::parse(&text.manifest) {
        Ok(manifest) => manifest,
        Err(error) => panic!("{:#?}", error.errors()),
    };
    let overrides: Vec<String> = overrides.iter().map(|pair| (*pair).to_owned()).collect();
    let generated = Generated { now: Timestamp::from_micros(0), seed: [0; 32] };
    let resolved = match resolve(&manifest, &text.config, &[], &overrides, &generated) {
        Ok(resolved) => resolved,
        Err(error) => panic!("{:#?}", error.errors()),
    };
    assert!(resolved.warnings.is_empty(), "{:?}", resolved.warnings);
    let context = PlanContext { bundle_dir: folder, ..context() };
    let plan = plan(&manifest, &resolved.values, &context).expect("a plan");
    let scripts: Vec<&str> = plan.steps.iter().map(|step| step.command.as_str()).collect();
    shellcheck(&scripts);
    plan
}

#[test]
fn hello_world_runs_without_any_value() {
    let plan = example("hello-world", &[]);
    assert_eq!(
        (plan.workflow.as_str(), labels(&plan).join(" ").as_str()),
        ("HelloWorld", "greet count shout")
    );
    assert_eq!(after(&plan), [vec![], vec![0], vec![0]]);
    assert!(plan.steps[0].command.contains("greeting='Hello'\nnames=('World' 'Niassa')\n"));
}

#[test]
fn variant_calling_has_a_step_per_region() {
    let inputs = ["reads_1=/d/1.fq.gz", "reads_2=/d/2.fq.gz", "reference=/d/lambda_virus.fa"];
    let plan = example("variant-calling", &inputs);
    assert_eq!(labels(&plan).join(" "), "index align call[0] call[1] merge");
    assert_eq!(after(&plan), [vec![], vec![0], vec![1], vec![1], vec![2, 3]]);
    assert_eq!(plan.inputs.len(), 3);
    assert_eq!(plan.steps[1].resources.threads, 2);
    assert!(plan.steps[4].outputs.iter().any(|output| output.path == "variants.txt"));
}
