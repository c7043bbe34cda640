//! The examples in docs/: the commands they hold, run on a specimen in the environment that their systems make.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::support;

/// A document in YAML, read by PyYAML.
fn yaml(path: &str) -> Value {
    let python = support::python_with("yaml", "PyYAML==6.0.3\n");
    let read = "import json, sys, yaml; print(json.dumps(yaml.load(open(sys.argv[1]), yaml.BaseLoader)))";
    let said = support::said(Command::new(python).args(["-c", read]).arg(support::root().join(path)));
    serde_json::from_str(&said).expect("JSON")
}

/// The documents of a text in YAML.
fn documents(text: &str) -> Vec<Value> {
    let python = support::python_with("yaml", "PyYAML==6.0.3\n");
    let read = "import json, sys, yaml; print(json.dumps(list(yaml.load_all(sys.argv[1], yaml.BaseLoader))))";
    let said = support::said(Command::new(python).args(["-c", read, text]));
    serde_json::from_str(&said).expect("JSON")
}

fn read(path: &str) -> String {
    fs::read_to_string(support::root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A checked-out project, and what its system's jobs have in their environment.
struct Checkout {
    _folder: TempDir,
    project: PathBuf,
    variables: BTreeMap<String, String>,
}

impl Checkout {
    fn new(variables: &Value, given: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let project = folder.path().join("environ");
        support::copy(&support::root().join("corpus/environ"), &project);
        // Shards have no profile; what they vary is not the point.
        fs::write(
            project.join("jostle.toml"),
            "hash-seeds = 1\nworkers = [1]\nno-explain = true\nsandbox = \"off\"\n",
        )
        .expect("a file");
        let mut all: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in variables.as_object().into_iter().flatten() {
            all.insert(name.clone(), value.as_str().expect("text").to_owned());
        }
        // A night that a test has time for.
        let short = [("JOSTLE_TIME", "1h"), ("JOSTLE_TRIALS", "4")];
        for (name, value) in short.iter().chain(given) {
            all.insert((*name).to_owned(), (*value).to_owned());
        }
        Self { _folder: folder, project, variables: all }
    }

    /// Runs a script as the systems do; tells its exit code and what it said.
    fn run(&self, script: &str, more: &[(&str, &str)]) -> (Option<i32>, String) {
        let environment = support::light_python();
        let environment = environment.parent().and_then(Path::parent).expect("an environment");
        let program = Path::new(env!("CARGO_BIN_EXE_jostle")).parent().expect("a folder");
        let paths = std::env::var("PATH").expect("PATH");
        let output = Command::new("bash")
            .args(["-eo", "pipefail", "-c", script])
            .current_dir(&self.project)
            .env("PATH", format!("{}:{paths}", program.display()))
            .env("VIRTUAL_ENV", environment)
            .env("JOSTLE_CACHE_DIR", support::root().join("target/jostle-cache"))
            .envs(&self.variables)
            .envs(more.iter().copied())
            .output()
            .expect("bash");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    }

    fn succeeds(&self, script: &str, more: &[(&str, &str)]) -> String {
        let (code, said) = self.run(script, more);
        assert_eq!(code, Some(0), "{script}: {said}");
        said
    }

    fn has(&self, name: &str) -> bool {
        self.project.join(name).exists()
    }

    /// The first night finds the specimen's failure and fails; once that is accepted, the next does not.
    fn finds_what_is_then_known(&self, night: &str, more: &[(&str, &str)], results: &[&str]) {
        let (code, said) = self.run(night, more);
        assert_eq!(code, Some(1), "{night}: {said}");
        for name in results.iter().chain(&["new-failures"]) {
            assert!(self.has(name), "{name}: {said}");
        }
        fs::create_dir_all(self.project.join("tests")).expect("a folder");
        fs::rename(self.project.join("new-failures"), self.project.join("tests/failures")).expect("a move");
        let (code, said) = self.run(night, more);
        assert_eq!(code, Some(0), "{night}: {said}");
    }
}

/// The commands of a GitHub job, but for those that install.
fn steps(workflow: &Value, job: &str) -> Vec<String> {
    let steps = workflow["jobs"][job]["steps"].as_array().expect("steps");
    let runs = steps.iter().filter(|step| step["name"] != "Install").filter_map(|step| step["run"].as_str());
    runs.map(str::to_owned).collect()
}

const GITHUB: &[(&str, &str)] = &[("GITHUB_ACTIONS", "true"), ("GITHUB_RUN_ID", "7")];

fn night_of_a_few_trials(checkout: &Checkout) {
    let settings = "[profile.nightly]\ntrials = 4\nhash-seeds = 1\nworkers = [1]\nno-explain = true\nsandbox = \"off\"\n";
    fs::write(checkout.project.join("jostle.toml"), settings).expect("a file");
}

#[test]
fn a_night_on_github() {
    let workflow = yaml("docs/ci/github-actions.yml");
    let checkout = Checkout::new(&workflow["env"], GITHUB);
    night_of_a_few_trials(&checkout);
    let [night, history] = steps(&workflow, "night").try_into().expect("two commands");
    let summary = checkout.project.join("summary.md");
    let summary_path = summary.to_str().expect("text").to_owned();
    let more = [("GITHUB_STEP_SUMMARY", summary_path.as_str())];
    checkout.finds_what_is_then_known(
        &night,
        &more,
        &["jostle.xml", "jostle.json", "jostle.html", "jostle.sarif"],
    );
    let said = checkout.succeeds(&history, &[]);
    assert!(said.contains("0 new, 0 back, 1 still there"), "{said}");
    let told = fs::read_to_string(summary).expect("the summary");
    assert!(told.contains("### jostle: 1 isolation failure\n"), "{told}");
    assert!(told.contains("### jostle: no new isolation failure, 1 known\n"), "{told}");
}

/// Where a cache is saved: whatever became of the night, and after it.
fn keeps_the_history_of_red_nights(steps: &[Value], folder: &str) {
    let at = |uses: &str| steps.iter().position(|step| step["uses"] == *uses).expect("a step");
    let (restored, saved) = (at("actions/cache/restore@v4"), at("actions/cache/save@v4"));
    let night = steps.iter().position(|step| step["name"] == "Stress").expect("a step");
    assert!(restored < night && night < saved);
    assert_eq!(steps[saved]["if"], "${{ always() }}");
    for step in [&steps[restored], &steps[saved]] {
        assert_eq!(step["with"]["path"], *folder);
        assert_eq!(step["with"]["key"], steps[restored]["with"]["key"]);
    }
}

#[test]
fn the_history_of_a_red_night_is_kept_on_github() {
    let workflow = yaml("docs/ci/github-actions.yml");
    let steps = workflow["jobs"]["night"]["steps"].as_array().expect("steps");
    keeps_the_history_of_red_nights(steps, ".jostle-history");
    let action = yaml("action.yml");
    let steps = action["runs"]["steps"].as_array().expect("steps");
    keeps_the_history_of_red_nights(steps, "${{ inputs.history }}");
}

/// A text in which each input of an action or a component stands as it is by default.
fn with_defaults(text: &str, inputs: &Value, brackets: (&str, &str)) -> String {
    let mut text = text.to_owned();
    for (name, input) in inputs.as_object().expect("inputs") {
        let place = format!("{} inputs.{name} {}", brackets.0, brackets.1);
        text = text.replace(&place, input["default"].as_str().expect("a default"));
    }
    text
}

#[test]
fn the_action_finds_what_is_then_known() {
    let text = read("action.yml");
    let action = documents(&with_defaults(&text, &yaml("action.yml")["inputs"], ("${{", "}}"))).remove(0);
    let checkout = Checkout::new(&Value::Null, GITHUB);
    night_of_a_few_trials(&checkout);
    let steps = action["runs"]["steps"].as_array().expect("steps");
    let [night, history] = ["Stress", "What is new since the last night"].map(|name| {
        let step = steps.iter().find(|step| step["name"] == name).expect("a step");
        let given = step["env"].as_object().expect("variables").iter();
        let given: Vec<(&str, &str)> =
            given.map(|(name, value)| (name.as_str(), value.as_str().expect("text"))).collect();
        (step["run"].as_str().expect("a script").to_owned(), given)
    });
    let results = ["jostle.xml", "jostle.json", "jostle.html", "jostle.sarif"];
    checkout.finds_what_is_then_known(&night.0, &night.1, &results);
    let said = checkout.succeeds(&history.0, &history.1);
    assert!(said.contains("0 new, 0 back, 1 still there") && checkout.has("jostle-history.html"), "{said}");
    // Words that belong together are one argument.
    let of_words = [("JOSTLE_ARGS", "--trials 'a b'"), ("JOSTLE_KNOWN", "k"), ("JOSTLE_HISTORY", "h")];
    let (code, said) = checkout.run(&night.0, &of_words);
    assert!(code == Some(4) && said.contains("'a b'"), "{said}");
}

#[test]
#[ignore = "at night: by day the action, which does the same, is run"]
fn the_component_of_gitlab_finds_what_is_then_known() {
    let text = read("templates/stress.yml");
    let inputs = documents(&text).remove(0)["spec"]["inputs"].clone();
    let job = documents(&with_defaults(&text, &inputs, ("$[[", "]]"))).remove(1)["jostle"].clone();
    let checkout = Checkout::new(&Value::Null, &[("CI_PIPELINE_ID", "7")]);
    night_of_a_few_trials(&checkout);
    let results = ["jostle.xml", "quality.json", "jostle.html"];
    checkout.finds_what_is_then_known(&lines(&job["script"]), &[], &results);
    let said = checkout.succeeds(&lines(&job["after_script"]), &[]);
    assert!(said.contains("0 new, 0 back, 1 still there") && checkout.has("jostle-history.html"), "{said}");
}

#[test]
fn the_hook_tries_what_was_changed() {
    let hook = yaml(".pre-commit-hooks.yaml")[0].clone();
    let checkout = Checkout::new(&Value::Null, &[]);
    let entry = hook["entry"].as_str().expect("a command");
    checkout.succeeds(
        "git init --quiet && git add . && git -c user.name=a -c user.email=a@b commit --quiet --message a",
        &[],
    );
    checkout.succeeds("echo '# changed' >> tests/test_overrides.py", &[]);
    let (code, said) = checkout.run(entry, &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("1 isolation failure"), "{said}");
}

/// What is for the systems of others.
const FOR_SYSTEMS: [(&str, &str); 6] = [
    ("action.yml", "vendor.github-actions"),
    (".github/workflows/release.yml", "vendor.github-workflows"),
    ("docs/ci/github-actions.yml", "vendor.github-workflows"),
    ("docs/ci/github-actions-shards.yml", "vendor.github-workflows"),
    ("docs/ci/github-actions-leaks.yml", "vendor.github-workflows"),
    ("docs/ci/gitlab-ci.yml", "vendor.gitlab-ci"),
];

#[test]
fn what_systems_read_has_their_form() {
    let python = support::python_with("schemas", "check-jsonschema==0.39.0\n");
    for (path, schema) in FOR_SYSTEMS {
        let mut command = Command::new(&python);
        let arguments = ["-m", "check_jsonschema", "--builtin-schema", schema, "--no-cache"];
        support::said(command.args(arguments).arg(support::root().join(path)));
    }
}

#[test]
fn no_example_installs_a_name_that_may_be_somebody_elses() {
    let examples = FOR_SYSTEMS.iter().map(|(path, _)| *path).chain(["templates/stress.yml"]);
    let mut installs = 0;
    for path in examples {
        for line in read(path).lines().filter_map(|line| line.split_once("pip install ")) {
            let (_, words) = line;
            let known = ["\"$JOSTLE\"", "$JOSTLE -r requirements.txt", "$[[ inputs.install ]]"];
            assert!(known.contains(&words), "{path}: pip install {words}");
            installs += 1;
        }
        for value in read(path).lines().filter_map(|line| line.trim().strip_prefix("JOSTLE: ")) {
            assert!(value.contains('/') || value.contains("github.action_path"), "{path}: {value}");
        }
    }
    assert!(installs >= 6, "{installs}");
    let component = documents(&read("templates/stress.yml")).remove(0);
    let install = component["spec"]["inputs"]["install"]["default"].as_str().expect("words");
    assert_eq!(install, "wheels/jostle-*.whl -r requirements.txt");
}

#[test]
fn only_what_a_pull_request_newly_leaves_fails_on_github() {
    const FILE: &str = "docs/ci/github-actions-leaks.yml";
    let workflow = yaml(FILE);
    let checkout = Checkout::new(&workflow["env"], GITHUB);
    let [leaks] = steps(&workflow, "leaks").try_into().expect("one command");
    let said = fails_for_a_new_leak(&checkout, FILE, &leaks);
    assert!(said.contains("::error file=tests/test_added.py,line=5,"), "{said}");
    assert!(checkout.has("leaks.xml") && checkout.has("leaks-report.json"));
}

#[test]
#[ignore = "at night: by day the same of GitHub's example is run"]
fn only_what_a_merge_request_newly_leaves_fails_on_gitlab() {
    const FILE: &str = "docs/ci/gitlab-ci.yml";
    let pipeline = yaml(FILE);
    let checkout = Checkout::new(&pipeline["variables"], &[("CI_PIPELINE_ID", "7")]);
    fails_for_a_new_leak(&checkout, FILE, &script(&pipeline, "leaks"));
    assert!(checkout.has("leaks.xml") && checkout.has("quality.json"));
}

#[test]
#[ignore = "at night: by day the same of GitHub's example is run"]
fn the_hook_fails_for_what_tests_newly_leave() {
    const FILE: &str = ".pre-commit-hooks.yaml";
    let hook = yaml(FILE)[1].clone();
    let words = [&hook["entry"]].into_iter().chain(hook["args"].as_array().expect("arguments"));
    let words: Vec<&str> = words.map(|word| word.as_str().expect("text")).collect();
    let checkout = Checkout::new(&Value::Null, &[]);
    let said = fails_for_a_new_leak(&checkout, FILE, &words.join(" "));
    assert!(said.contains("os.environ[\"ADDED\"]"), "{said}");
}

/// Writes down what a project leaves, as a file tells it in its comments, and has an example's command fail for one place more.
fn fails_for_a_new_leak(checkout: &Checkout, file: &str, leaks: &str) -> String {
    fs::create_dir_all(checkout.project.join("tests")).expect("a folder");
    checkout.succeeds(&told_in_comments(file, "jostle leaks"), &[]);
    checkout.succeeds(leaks, &[]);
    let added = "import os\n\n\ndef test_added():\n    os.environ[\"ADDED\"] = \"1\"\n";
    fs::write(checkout.project.join("tests/test_added.py"), added).expect("a test");
    let (code, said) = checkout.run(leaks, &[]);
    assert_eq!(code, Some(1), "{said}");
    said
}

#[test]
#[ignore = "at night: by day the shards of GitLab's example are run"]
fn a_night_in_shards_on_github() {
    let workflow = yaml("docs/ci/github-actions-shards.yml");
    let checkout = Checkout::new(&workflow["env"], GITHUB);
    checkout.succeeds(&steps(&workflow, "plan")[0], &[]);
    let shards = workflow["jobs"]["shard"]["strategy"]["matrix"]["shard"].as_array().expect("a matrix");
    for shard in shards {
        let script =
            steps(&workflow, "shard")[0].replace("${{ matrix.shard }}", shard.as_str().expect("text"));
        checkout.succeeds(&script, &[]);
    }
    checkout.finds_what_is_then_known(&steps(&workflow, "merge")[0], &[], &["jostle.xml", "jostle.json"]);
}

fn script(pipeline: &Value, job: &str) -> String {
    lines(&pipeline[job]["script"])
}

fn lines(script: &Value) -> String {
    let lines = script.as_array().expect("a script");
    lines.iter().map(|line| line.as_str().expect("text")).collect::<Vec<_>>().join("\n")
}

#[test]
#[ignore = "at night: by day the whole night of GitHub's example is run"]
fn nights_on_gitlab() {
    let pipeline = yaml("docs/ci/gitlab-ci.yml");
    let checkout = Checkout::new(&pipeline["variables"], &[("CI_PIPELINE_ID", "7")]);
    night_of_a_few_trials(&checkout);
    checkout.finds_what_is_then_known(&script(&pipeline, "night"), &[], &["jostle.xml", "quality.json"]);
    let said = checkout.succeeds(&lines(&pipeline["night"]["after_script"]), &[]);
    assert!(said.contains("0 new, 0 back, 1 still there"), "{said}");
}

#[test]
fn a_night_in_shards_on_gitlab() {
    let pipeline = yaml("docs/ci/gitlab-ci.yml");
    let checkout = Checkout::new(&pipeline["variables"], &[("CI_PIPELINE_ID", "7")]);
    checkout.succeeds(&script(&pipeline, "plan"), &[]);
    let total = pipeline["shard"]["parallel"].as_str().expect("a number");
    for index in 1..=total.parse().expect("a number") {
        let index: u32 = index;
        let index = index.to_string();
        checkout
            .succeeds(&script(&pipeline, "shard"), &[("CI_NODE_INDEX", &index), ("CI_NODE_TOTAL", total)]);
    }
    checkout.finds_what_is_then_known(&script(&pipeline, "merge"), &[], &["jostle.xml", "quality.json"]);
}

/// The comments of a file tell what is run before and after its jobs.
fn told_in_comments(path: &str, command: &str) -> String {
    let text = fs::read_to_string(support::root().join(path)).expect("a file");
    let lines = text.lines().filter_map(|line| line.strip_prefix("#   "));
    let mut lines = lines;
    let told = lines.find(|line| line.starts_with(command)).expect("a command");
    told.replace("--trials 1000", "--trials 4")
}

/// Runs the tasks of an engine, the second of them twice, as after a lost node.
fn on_engine(file: &str, task: &str, index: &str) {
    let checkout = Checkout::new(&Value::Null, &[]);
    checkout.succeeds(&told_in_comments(file, "jostle plan"), &[]);
    let merge = told_in_comments(file, "jostle merge");
    for number in ["0", "1", "1", "2"] {
        checkout.succeeds(task, &[(index, number)]);
    }
    let (code, said) = checkout.run(&merge, &[("SLURM_JOB_ID", "1")]);
    assert_eq!(code, Some(12), "{said}");
    assert!(said.contains("sbatch --array=3"), "{said}");
    checkout.succeeds(task, &[(index, "3")]);
    let (code, said) = checkout.run(&merge, &[]);
    assert_eq!(code, Some(1), "{said}");
}

#[test]
#[ignore = "at night: by day the shards of GitLab's example are run"]
fn a_night_on_slurm() {
    let task = fs::read_to_string(support::root().join("docs/shards/night.sbatch")).expect("a file");
    on_engine("docs/shards/night.sbatch", &task, "SLURM_ARRAY_TASK_ID");
}

#[test]
#[ignore = "at night: by day the shards of GitLab's example are run"]
fn a_night_on_kubernetes() {
    let job = yaml("docs/shards/kubernetes-job.yaml");
    let command = job["spec"]["template"]["spec"]["containers"][0]["command"].as_array().expect("a command");
    let words = command.iter().map(|word| word.as_str().expect("text"));
    let task = shlex::try_join(words).expect("a command line");
    on_engine("docs/shards/kubernetes-job.yaml", &task, "JOB_COMPLETION_INDEX");
}
