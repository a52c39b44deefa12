//! A lab with two people, a service account for its clusters, four workflows, and a day's runs.

use niassa_api::client::Client;
use niassa_api::runs::MarkRuns;
use niassa_model::accession::Accession;
use serde_json::{Value, json};

use super::played::{Ending, Launcher, Planned, client};
use crate::site::{ADMIN, Site, User};

/// The label of the cluster.
pub const CLUSTER: &str = "hpc1.lab.net";
const HELD: &str = "hpc2.lab.net";
const SEQUENCER: &str = "seq1.lab.net";
const MIA: &str = "mia@lab.net";
const TOM: &str = "tom@lab.net";
const SERVICE: &str = "cluster@lab.net";

/// The lanes of a sample, as they come out of a sheet.
pub const SHEET: &str = "lane\tread1\tread2\n\
    1\t/data/241128/NA12892_L1_R1.fq.gz\t/data/241128/NA12892_L1_R2.fq.gz\n\
    2\t/data/241128/NA12892_L2_R1.fq.gz\t/data/241128/NA12892_L2_R2.fq.gz\n\
    3\t/data/241128/NA12892_L3_R1.fq.gz\t/data/241128/NA12892_L3_R2.fq.gz\n\
    4\t/data/241128/NA12892_L4_R1.fq.gz\t/data/241128/NA12892_L4_R2.fq.gz";
/// What somebody types in place of the last lane's number.
pub const WRONG_SHEET: &str = "four\t";

/// What the pictures are of.
pub struct Lab {
    /// The workflow with most steps.
    pub variants: i64,
    /// A run of it that succeeded, and one that failed.
    pub done: i64,
    pub failed: i64,
    /// A file that the first one made.
    pub file: i64,
}

/// Fills the lab's site.
pub async fn open(site: &Site) -> Lab {
    let (mia, tom) = (site.account(MIA), site.account(TOM));
    site.account(SERVICE);
    for person in [&mia, &tom] {
        person.seqware(&["grant", "launch", "--to", SERVICE, "--host", CLUSTER]).ok();
    }
    let variants = mia.install(&site.bundle("variants", VARIANTS));
    let quality = mia.install(&site.bundle("quality", QUALITY));
    let counts = tom.install(&site.bundle("counts", COUNTS));
    let demultiplex = tom.install(&site.bundle("demultiplex", DEMULTIPLEX));
    let samples = samples(&mia);
    let cluster = cluster(site);
    let bench = bench(site);

    let chip = ["run_folder=/sequencer/241128_A00469_0412_BHV7"];
    schedule(&tom, demultiplex, SEQUENCER, None, &chip);
    bench.play(&demultiplexing(), Ending::Succeeds).await;
    let (first, second, third) = (sample("NA12878"), sample("NA12891"), sample("NA12892"));
    let fastq = schedule(&mia, quality, CLUSTER, Some(samples[0]), &[&first[0]]);
    cluster.play(&checking(), Ending::Succeeds).await;
    let done = schedule(&mia, variants, CLUSTER, Some(samples[0]), &words(&first));
    cluster.play(&calling("NA12878"), Ending::Succeeds).await;
    let liver = ["sample=liver-03", "strand=reverse"];
    let counted = schedule(&tom, counts, CLUSTER, None, &liver);
    cluster.play(&counting(), Ending::Succeeds).await;
    let failed = schedule(&mia, variants, CLUSTER, Some(samples[1]), &words(&second));
    cluster.play(&calling("NA12891"), Ending::Fails { step: 15 }).await;
    let stopped = schedule(&tom, counts, SEQUENCER, None, &liver);
    tom.seqware(&["workflow-run", "cancel", "--accession", &stopped.to_string()]).ok();
    let running = schedule(&mia, variants, CLUSTER, Some(samples[2]), &words(&third));
    cluster.play(&calling("NA12892"), Ending::Runs { done: 12 }).await;
    schedule(&tom, counts, CLUSTER, None, &["sample=liver-04", "strand=reverse"]);
    cluster.play(&counting(), Ending::Runs { done: 2 }).await;
    schedule(&mia, quality, CLUSTER, Some(samples[2]), &[&third[0]]);
    cluster.play(&checking(), Ending::Waits).await;

    let admin = client(site.url(), ADMIN, "admin-password");
    let file = output_of(&admin, done).await;
    schedule(&mia, quality, HELD, Some(file), &[&first[0]]);
    schedule(&tom, demultiplex, SEQUENCER, None, &chip);
    let reason = "new disks until Friday";
    site.admin().seqware(&["host", "hold", "--host", HELD, "--reason", reason]).ok();
    mark(&admin, &[done, fastq, counted], "qc:passed").await;
    mark(&admin, &[failed, running], "urgent").await;
    Lab { variants, done, failed, file }
}

/// Makes a study with samples, and returns the samples.
fn samples(mia: &User) -> Vec<i64> {
    let made = |arguments: &[&str]| mia.seqware(arguments).ok().swid().to_string();
    let title = "Trio exomes";
    let study = made(&["create", "study", "--title", title, "--description", "A family of three"]);
    let experiment = made(&[
        "create",
        "experiment",
        "--study-accession",
        &study,
        "--title",
        "Exomes",
        "--description",
        "Blood, 100x",
    ]);
    let sample = |title: &str| {
        let arguments = [
            "create",
            "sample",
            "--experiment-accession",
            &experiment,
            "--title",
            title,
            "--description",
            "blood",
        ];
        mia.seqware(&arguments).ok().swid()
    };
    ["NA12878", "NA12891", "NA12892"].map(sample).to_vec()
}

fn cluster(site: &Site) -> Launcher {
    let place = json!({"work_dir_id": "scratch", "os_user": "pipeline", "engine": "slurm",
        "cluster": "hpc1"});
    let service = client(site.url(), SERVICE, &format!("password-of-{SERVICE}"));
    Launcher::new(service, CLUSTER, place, ("login1", "node"))
}

fn bench(site: &Site) -> Launcher {
    let place = json!({"work_dir_id": "bench", "os_user": "tom", "engine": "local",
        "cluster": "seq1"});
    let tom = client(site.url(), TOM, &format!("password-of-{TOM}"));
    Launcher::new(tom, SEQUENCER, place, ("seq1", "seq"))
}

fn schedule(who: &User, workflow: i64, host: &str, parent: Option<i64>, values: &[&str]) -> i64 {
    let (workflow, parent) = (workflow.to_string(), parent.map(|parent| parent.to_string()));
    let mut arguments = vec!["workflow", "schedule", "--accession", &workflow, "--host", host];
    if let Some(parent) = &parent {
        arguments.extend(["--parent-accession", parent]);
    }
    for value in values {
        arguments.extend(["--override", value]);
    }
    who.seqware(&arguments).ok().swid()
}

/// The values of a run for a sample.
fn sample(name: &str) -> [String; 2] {
    let lane = |lane: u32| {
        let read = |read: u32| format!("/data/241128/{name}_L{lane}_R{read}.fq.gz");
        json!({"lane": lane, "read1": read(1), "read2": read(2)})
    };
    let lanes: Vec<Value> = (1..=4).map(lane).collect();
    [format!("sample={name}"), format!("lanes={}", Value::Array(lanes))]
}

fn words(values: &[String; 2]) -> [&str; 2] {
    [&values[0], &values[1]]
}

/// Returns the file that people look for among those that a run made.
async fn output_of(client: &Client, run: i64) -> i64 {
    let row = client.run_report(accession(run)).await.unwrap().row;
    let mut files = row.output_file_swids.split(',').zip(row.output_file_paths.split(','));
    let (swid, _) = files.find(|(_, path)| path.trim().ends_with("annotated.vcf.gz")).unwrap();
    swid.trim().parse().unwrap()
}

async fn mark(client: &Client, runs: &[i64], mark: &str) {
    let accessions = runs.iter().map(|run| accession(*run)).collect();
    let marks = MarkRuns { accessions, add: vec![mark.parse().unwrap()], remove: Vec::new() };
    client.mark_runs(&marks).await.unwrap();
}

fn accession(number: i64) -> Accession {
    Accession::try_from(number).unwrap()
}

fn step(name: &'static str, after: &[u32], minutes: i64, memory: (i64, i64)) -> Planned {
    let (element, after, output) = (None, after.to_vec(), None);
    Planned { name, element, after, minutes, threads: 4, memory, output }
}

fn each(
    name: &'static str,
    number: u32,
    after: &[u32],
    minutes: i64,
    memory: (i64, i64),
) -> impl Iterator<Item = Planned> {
    let after = after.to_vec();
    (0..number).map(move |element| Planned {
        element: Some(element),
        ..step(name, &after, minutes, memory)
    })
}

/// The plan of the variants of a sample: its four lanes, and its genome in eight parts.
fn calling(sample: &str) -> Vec<Planned> {
    let archive = |end: &str| format!("/archive/exomes/{sample}/{sample}.{end}");
    let mut steps: Vec<Planned> = each("fastqc", 4, &[], 6, (4, 11)).collect();
    for lane in each("align", 4, &[], 34, (24, 187)) {
        steps.push(Planned { threads: 16, ..lane });
    }
    let marked = Some((archive("bam"), "application/bam"));
    let all = [4, 5, 6, 7];
    steps.push(Planned { output: marked, ..step("mark-duplicates", &all, 19, (16, 118)) });
    steps.push(step("coverage", &[8], 8, (4, 21)));
    steps.extend(each("call", 8, &[8], 27, (16, 97)));
    let annotated = Some((archive("annotated.vcf.gz"), "text/vcf-4-gzip"));
    let parts: Vec<u32> = (10..18).collect();
    steps.push(Planned { output: annotated, ..step("annotate", &parts, 9, (12, 84)) });
    let report = Some((archive("multiqc.html"), "text/html"));
    let all = [0, 1, 2, 3, 9, 18];
    steps.push(Planned { output: report, ..step("multiqc", &all, 2, (2, 6)) });
    steps
}

fn checking() -> Vec<Planned> {
    let mut steps: Vec<Planned> = each("fastqc", 4, &[], 6, (4, 11)).collect();
    steps.push(step("multiqc", &[0, 1, 2, 3], 2, (2, 6)));
    steps
}

fn counting() -> Vec<Planned> {
    let steps = [("trim", 9), ("align", 31), ("count", 12), ("report", 1)];
    let steps = (0_u32..).zip(steps).map(|(at, (name, minutes))| {
        let before: Vec<u32> = at.checked_sub(1).into_iter().collect();
        step(name, &before, minutes, (32, 274))
    });
    steps.collect()
}

fn demultiplexing() -> Vec<Planned> {
    vec![step("convert", &[], 48, (32, 203)), step("checksums", &[0], 5, (2, 4))]
}

const VARIANTS: &str = "\
niassa: 1
name: GermlineVariants
version: '2.3'
description: Aligns the reads of a sample, lane by lane, and calls its variants
parameters:
  sample: {type: string, help: the name that stands in the files}
  lanes:
    type: list
    items: {lane: int, read1: file, read2: file}
    help: the reads of each lane
  reference: {type: string, default: GRCh38, choices: [GRCh38, T2T-CHM13], help: what is aligned to}
  min_quality: {type: int, default: 30, min: 0, max: 99, help: variants below it are left out}
steps:
  - {name: fastqc, foreach: {lane: lanes}, command: 'true'}
  - {name: align, foreach: {lane: lanes}, command: 'true'}
  - {name: mark-duplicates, needs: [align], command: 'true'}
  - {name: coverage, needs: [mark-duplicates], command: 'true'}
  - {name: call, needs: [mark-duplicates], command: 'true'}
  - {name: annotate, needs: [call], command: 'true'}
  - {name: multiqc, needs: [fastqc, coverage, annotate], command: 'true'}
";

const QUALITY: &str = "\
niassa: 1
name: ReadQuality
version: '0.12'
description: Looks at the quality of reads
parameters:
  sample: {type: string, help: the name that stands in the files}
steps:
  - {name: fastqc, command: 'true'}
  - {name: multiqc, needs: [fastqc], command: 'true'}
";

const COUNTS: &str = "\
niassa: 1
name: RnaCounts
version: '1.4'
description: Counts the reads of each gene
parameters:
  sample: {type: string, help: the name that stands in the files}
  strand: {type: string, choices: [forward, reverse, none], help: which strand was read}
steps:
  - {name: trim, command: 'true'}
  - {name: align, needs: [trim], command: 'true'}
  - {name: count, needs: [align], command: 'true'}
  - {name: report, needs: [count], command: 'true'}
";

const DEMULTIPLEX: &str = "\
niassa: 1
name: Demultiplex
version: '4.2'
description: Makes reads of what the sequencer wrote
parameters:
  run_folder: {type: string, help: where the sequencer wrote}
steps:
  - {name: convert, command: 'true'}
  - {name: checksums, needs: [convert], command: 'true'}
";
