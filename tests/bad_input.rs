//! Whatever is wrong with what a user gives, one paragraph names the thing and the remedy, the exit code
//! is 4, and nothing is written.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use clap::CommandFactory;
use jostle::cli::args::Cli;
use jostle::formats::JOURNAL;
use jostle::record::journal_format::{Header, line};
use serde_json::{Value, json};

use crate::support;

/// Arguments, what is named, and what is advised. `PYTHON` stands for one with pytest.
const INVOCATIONS: &[(&str, &str, &str)] = &[
    ("stres", "'stres'", "'stress'"),
    ("run tests", "'run'", "the main job is `jostle stress`"),
    ("stress --engine cold", "'cold'", "See `jostle stress --help`"),
    ("stress extra", "no `extra` in", "a node id like tests/test_a.py::test_b"),
    ("collect test_b.py::test_a[x]", "no `test_b.py` in", "goes after `--`"),
    ("stress test_a.py --rootdir ..", "no `test_a.py` in", "goes after `--`"),
    ("replay 1:2 test_a.py", "'test_a.py'", "goes after `--`"),
    ("merge --plan a b -k x", "'-k'", "goes after `--`"),
    ("stress --sed 1", "'--sed'", "'--seed'"),
    ("stress -x", "'-x'", "--fail-fast"),
    ("stress --exitfirst", "'--exitfirst'", "--fail-fast"),
    ("stress --maxfail=1", "'--maxfail'", "--fail-fast"),
    ("replay 1:2 -x", "'-x'", "goes after `--`"),
    ("stress -p no:randomly", "'-p'", "`jostle stress -- -p …`"),
    ("verify -p no:randomly", "'-p'", "`jostle verify -- -p …`"),
    ("stress --lf", "'--lf'", "--last-failed"),
    ("stress --randomly-seed=3", "'--randomly-seed'", "--seed SEED"),
    ("stress --timeout 10", "'--timeout'", "--test-timeout TIME ends a test"),
    ("collect --timeout=10", "'--timeout'", "--trial-timeout TIME a whole trial"),
    ("stress --seeds 5", "'--seeds'", "--trials N"),
    ("stress --runs 5", "'--runs'", "--trials N"),
    ("stress --iterations 5", "'--iterations'", "--trials N"),
    ("stress --count 5", "'--count'", "--trials N"),
    ("stress --repeat 5", "'--repeat'", "--trials N"),
    ("replay 1:2 --count 5", "'--count'", "--times K"),
    ("verify --trials 5", "'--trials'", "--runs N"),
    ("speedup --runs 5", "'--runs'", "--rounds N"),
    ("speedup --timeout 10", "found; --trial-timeout TIME ends a run", "`jostle speedup --help`"),
    ("plan --runs 5", "'--runs' found; what is meant", "goes after `--`"),
    ("stress --minutes 5", "'--minutes'", "--time 30m"),
    ("stress --seed", "--seed", "--help"),
    ("stress --seed x", "'x'", "a whole number from 0 to 2^64-1"),
    ("stress --seed 1.5", "'1.5'", "a whole number from 0 to 2^64-1"),
    ("stress --seed -1", "'-1'", "a whole number from 0 to 2^64-1"),
    ("stress --seed 18446744073709551616", "--seed", "a whole number from 0 to 2^64-1"),
    ("stress --seed 1 --seed 2", "--seed", "`jostle stress --help`"),
    ("stress --changed=-x", "no revision begins with a hyphen", "a revision that git knows"),
    ("stress --changed HEAD", "git knows no such commit here", "a project that is in git"),
    ("stress --leaks none.json", "--leaks: cannot read none.json", "a file that jostle can read"),
    ("stress --last-failed --victim x", "--victim", "`jostle stress --help`"),
    ("stress --tests none.txt", "--tests none.txt", "a node id on each line"),
    ("stress --trials 0", "--trials", "a whole number from 1 to 2^64-1"),
    ("stress --trials many", "'many'", "a whole number"),
    ("stress --trials -3", "'-3'", "a whole number"),
    ("stress --time never", "'never'", "90s, 30m or 2h"),
    ("stress --time 0s", "'0s'", "like 30s or 10m"),
    ("stress --time -5", "'-5'", "90s, 30m or 2h"),
    ("stress --time 1e99", "'1e99'", "90s, 30m or 2h"),
    ("stress --time 300years", "--time", "no more than 1000 days"),
    ("stress --time 90000000000s", "'90000000000s'", "no more than 1000 days"),
    ("stress --time 5", "'5' for '--time <TIME>': it has no unit", "Write 5s for seconds or 5m for minutes"),
    ("stress --time 90", "it has no unit", "Write 90s for seconds or 90m for minutes"),
    ("stress --test-timeout 0", "--test-timeout", "like 30s or 10m"),
    ("stress --trial-timeout soon", "--trial-timeout", "90s, 30m or 2h"),
    ("stress -n none", "`none`", "from 1 to 256"),
    ("stress --numprocesses none", "`none`", "from 1 to 256"),
    ("stress -n 0", "`0`", "from 1 to 256"),
    ("stress -n 257", "`257`", "from 1 to 256"),
    ("stress -n 1,,2", "``", "from 1 to 256"),
    ("stress -n -2", "`-2`", "from 1 to 256"),
    ("stress --dist sideways", "'sideways'", "worksteal"),
    ("stress --dist", "--dist", "worksteal"),
    ("stress -n 2 --dist no", "`no`", "add 1 to --workers"),
    ("stress -n 2,4 --dist no,load", "`no`", "add 1 to --workers"),
    ("stress -n 1,2 --dist no", "`no`", "add one to --dist"),
    ("stress -n 1 --dist no,load", "`no`", "leave `no` out of --dist"),
    ("stress --order random", "'random'", "shuffled"),
    ("stress --order explicit", "'explicit'", "shuffled"),
    ("stress --hash-seeds 0", "'0'", "from 1 to 64"),
    ("stress --hash-seeds 65", "'65'", "from 1 to 64"),
    ("stress --engine cold", "'cold'", "auto, warm, spawn"),
    ("stress --sandbox maybe", "'maybe'", "auto, on, off"),
    ("stress --network space", "'space'", "auto, private, host"),
    ("stress --sandbox off --share .", "--share", "leave one of the two out"),
    ("stress --sandbox off --jobs 2", "--jobs", "leave one of the two out"),
    ("stress --share nowhere", "nowhere", "that exists"),
    ("stress --jobs 0", "'0'", "from 1 to 256"),
    ("stress --memory 5", "memory = 5", "Give more"),
    ("stress --memory lots", "memory = lots", "512MiB"),
    ("stress --disk -1", "disk = -1", "512MiB"),
    ("stress --quiet --verbose", "--quiet", "`jostle stress --help`"),
    ("stress --json=", "--json", "the name of a file"),
    ("stress --json=.", "it is a folder", "the name of a file"),
    ("stress --json=no/such/report.json", "no/such/report.json", "the name of a file"),
    ("stress --json no/such/report.json", "no/such/report.json", "the name of a file"),
    ("collect --json no/such/report.json", "no/such/report.json", "the name of a file"),
    ("conflicts --json no/such/report.json", "no/such/report.json", "the name of a file"),
    ("plan --seed 1 --index 1 --json no/such/report.json", "no/such/report.json", "the name of a file"),
    ("replay 1:2 --json no/such/report.json", "no/such/report.json", "the name of a file"),
    ("explain --json no/such/report.json 1:2", "no/such/report.json", "the name of a file"),
    ("verify --json no/such/report.json", "no/such/report.json", "the name of a file"),
    ("history --json no/such/report.json", "no/such/report.json", "the name of a file"),
    ("speedup --json no/such/report.json", "no/such/report.json", "the name of a file"),
    ("replay --json nowhere.json", "nowhere.json", "SEED:INDEX"),
    ("replay --json nonsense", "there is no such file", "SEED:INDEX"),
    ("merge --json report.json", "--plan <FILE>", "<DIR>..."),
    ("stress --json report.txt", "no `report.txt` in", "`--json=FILE`"),
    ("stress --rootdir nowhere", "nowhere", "the folder that pytest is run in"),
    ("stress --rootdir test_a.py", "test_a.py", "the folder that pytest is run in"),
    ("stress --python nowhere", "nowhere", "--python PATH"),
    ("stress --python ./nowhere/python", "nowhere/python", "--python PATH"),
    ("stress --python .", "it is a folder, and has no bin/python", "--python PATH"),
    ("stress --python /bin/ls", "it seems to be no Python. Give", "--python PATH"),
    (
        "collect test_a.py::nope --sandbox off --python PYTHON",
        "there is no test /",
        "as `pytest --collect-only -q` prints them",
    ),
    ("stress --python /bin/true", "/bin/true", "--python PATH"),
    ("stress --python yes", "yes", "--python PATH"),
    ("stress --failures new --python nowhere", "nowhere", "--python PATH"),
    ("stress --failures test_a.py --python PYTHON", "test_a.py", "--failures"),
    ("stress --failures /proc/none --python PYTHON", "/proc/none", "--failures"),
    ("stress --write-fix no/such/fixes.patch", "no/such/fixes.patch", "in a folder that exists"),
    ("stress --journal test_a.py", "test_a.py exists", "--resume test_a.py"),
    ("stress --journal .", "it is a folder", "the name of a file"),
    ("stress --journal no/such/journal", "no/such/journal", "in a folder that exists"),
    ("stress --journal a --resume b", "--resume", "`jostle stress --help`"),
    ("stress --resume", "has a journal in", "--resume FILE"),
    ("stress --resume --seed 4", "with seed 4", "--resume FILE"),
    ("stress --resume nowhere", "nowhere", "--resume FILE"),
    ("stress --resume .", "no regular file", "`--resume -- .`, or name them before `--resume`"),
    (
        "stress --resume test_a.py",
        "not a journal",
        "without --resume. For tests write `--resume -- test_a.py`",
    ),
    (
        "stress --victim test_a.py::nope --seed 1 --sandbox off --python PYTHON",
        "test_a.py::nope",
        "pytest --collect-only -q",
    ),
    ("stress --seed today", "'today'", "`date` or `run-id`"),
    ("stress --seed run-id", "no run of GitHub Actions", "--seed date"),
    ("stress --profile weekly", "--profile weekly", "one of nightly"),
    ("stress --strict", "--strict", "--known DIR"),
    ("stress --known test_a.py", "--known: cannot read the folder test_a.py", "Give a"),
    ("stress --junit .", "it is a folder", "the name of a file"),
    ("stress --junit no/such/file.xml", "--junit no/such/file.xml", "in a folder that exists"),
    ("stress --html .", "it is a folder", "the name of a file"),
    ("stress --html no/such/file.html", "--html no/such/file.html", "in a folder that exists"),
    ("stress --html test_a.py", "is no page that jostle wrote", "another name with --html"),
    ("stress --code-quality no/such/file", "--code-quality no/such/file", "in a folder that exists"),
    ("stress --sarif no/such/file", "--sarif no/such/file", "in a folder that exists"),
    ("conflicts --html no/such/file", "--html no/such/file", "in a folder that exists"),
    ("replay 1:0 --html no/such/file", "--html no/such/file", "in a folder that exists"),
    ("stress --explain all", "'all'", "no, state, fix"),
    ("stress --explain state --no-explain", "--no-explain", "`jostle stress --help`"),
    ("stress --explain state --write-fix fixes", "--write-fix needs --explain fix", "leave --explain out"),
    ("explain", "<TOKEN>", "`jostle explain --help`"),
    ("explain victim --json", "`victim`", "leave --json out"),
    ("explain test_a.py::test_a", "test_a.py::test_a is a test", "jostle stress --victim test_a.py::test_a"),
    ("explain victim --json new.json", "`victim`", "leave --json out"),
    ("explain --json victim", "`victim`", "leave --json out"),
    ("explain vicitm", "`vicitm`", "victim, brittle, nio, race"),
    ("explain nowhere.json", "nowhere.json", "SEED:INDEX"),
    ("stress --plan a --html b", "--html", "`jostle stress --help`"),
    ("stress --plan a --junit b", "--junit", "`jostle stress --help`"),
    ("merge --plan nowhere --known test_a.py .", "nowhere", "Give a file that jostle can read"),
    ("plan --seed tonight --index 1", "'tonight'", "`date` or `run-id`"),
    ("replay", "<TOKEN>", "`jostle replay --help`"),
    ("replay nowhere.json", "nowhere.json", "SEED:INDEX"),
    ("replay 1:2 --times 0", "'0'", "from 1 to 1000000"),
    ("replay .", ". is a folder", "`jostle verify .`"),
    ("plan", "--seed <SEED>", "`jostle plan --help`"),
    ("plan --seed 1", "--index <INDEX>", "`jostle plan --help`"),
    ("plan --seed 1 --index 1 --trials 3", "--trials", "`jostle plan --help`"),
    ("plan --seed 1 --index 1 --shards 3", "--shards", "`jostle plan --help`"),
    ("plan --seed 1 --index -1", "'-1'", "a whole number from 0"),
    ("collect --trials 3", "'--trials'", "`jostle collect --help`"),
    ("speedup --rounds 0", "'0'", "from 1 to 1000"),
    ("speedup --dist each", "--dist each", "worksteal"),
    ("speedup --engine warm", "--engine", "Leave it out"),
    ("speedup --test-timeout 5", "--test-timeout", "Leave it out"),
    ("speedup --save .", "it is a folder", "the name of a file"),
    ("speedup --save no/such/file", "no/such/file", "in a folder that exists"),
    ("speedup --baseline nowhere", "nowhere", "Give a file that jostle can read"),
    ("speedup --baseline test_a.py", "test_a.py", "--save FILE"),
    ("completions", "<SHELL>", "`jostle completions --help`"),
    ("completions dos", "'dos'", "bash, elvish, fish, powershell, zsh"),
    ("man stresss", "`stresss`", "`jostle --help`"),
    ("demo --seed x", "'x'", "a whole number"),
    ("demo --python nowhere", "nowhere", "--python PATH"),
];

/// What stands in pyproject.toml, what is named, and what is advised.
const CONFIGURATIONS: &[(&str, &str, &str)] = &[
    ("[tool.jostle]\ntrails = 3", "line 2: there is no setting `trails`", "option of `jostle stress`"),
    ("[tool.jostle]\ntrials = \"many\"", "line 2: it is the text \"many\"", "a whole number"),
    ("[tool.jostle]\ntrials = 0", "trials = 0", "give 1 or more"),
    ("[tool.jostle]\ntime = \"5\"", "time = \"5\": it has no unit", "Write 5s for seconds or 5m for minutes"),
    ("[tool.jostle]\nexplain = \"all\"", "\"all\" is not one of no, state, fix", "[tool.jostle] explain"),
    ("[tool.jostle]\ntrials = -1", "line 2", "-1"),
    ("[tool.jostle]\nseed = 1.5", "line 2", "a whole number of 0 or more is needed, or \"date\""),
    ("[tool.jostle]\nseed = 1\nseed = 2", "line 3: duplicate key", "Mend it there"),
    ("[tool.jostle]\nseed = \"tonight\"", "line 2: give a whole number", "`run-id`"),
    ("[tool.jostle]\nseed = -1", "line 2", "a whole number"),
    ("[tool.jostle]\nknown = 3", "line 2", "Mend it there"),
    ("[tool.jostle]\njunit = \"no/such/file\"", "--junit", "in a folder that exists"),
    (
        "[tool.jostle.profile.nightly]\ntrails = 3",
        "line 2: there is no setting `trails`",
        "option of `jostle stress`",
    ),
    ("[tool.jostle.profile]\nnightly = 3", "line 2", "Mend it there"),
    ("[tool.jostle.profile.a.profile.b]\ntrials = 3", "the profile `a` has profiles", "put them beside it"),
    ("[tool.jostle]\ntime = 90", "line 2", "a text in quotes"),
    ("[tool.jostle]\ntime = \"0s\"", "time = \"0s\"", "like 30s or 10m"),
    ("[tool.jostle]\ntest-timeout = \"soon\"", "test-timeout = \"soon\"", "90s, 30m or 2h"),
    ("[tool.jostle]\nworkers = 2", "line 2", "a list is needed"),
    ("[tool.jostle]\nworkers = [0]", "`0`", "from 1 to 256"),
    ("[tool.jostle]\nworkers = [\"two\"]", "`two`", "from 1 to 256"),
    ("[tool.jostle]\nworkers = []", "workers", "at least one value"),
    ("[tool.jostle]\nworkers = [-1]", "line 2", "Mend it there"),
    ("[tool.jostle]\ndist = [\"sideways\"]", "sideways", "worksteal"),
    ("[tool.jostle]\ndist = []", "dist", "at least one value"),
    ("[tool.jostle]\norder = [\"random\"]", "random", "shuffled"),
    ("[tool.jostle]\nhash-seeds = 100", "hash-seeds = 100", "from 1 to 64"),
    ("[tool.jostle]\nengine = \"cold\"", "engine: \"cold\"", "auto, warm, spawn"),
    ("[tool.jostle]\nsandbox = \"perhaps\"", "sandbox: \"perhaps\"", "auto, on, off"),
    ("[tool.jostle]\nnetwork = 3", "line 2", "a text in quotes"),
    ("[tool.jostle]\nmemory = \"1\"", "memory = 1", "Give more"),
    ("[tool.jostle]\njobs = 0", "jobs = 0", "from 1 to 256"),
    ("[tool.jostle]\nshare = [\"nowhere\"]", "nowhere", "that exists"),
    ("[tool.jostle]\npython = \"nowhere/python\"", "nowhere/python", "--python PATH"),
    ("[tool]\njostle = 3", "line 2", "Mend it there"),
    ("tool = 3", "line 1", "Mend it there"),
    ("[tool.jostle", "line 1", "Mend it there"),
    ("[tool.jostle]\nseed = 'a", "line 2", "Mend it there"),
    ("\u{0}", "line 1", "Mend it there"),
];

/// What is no token, and what is advised.
const TOKENS: &[(&str, &str)] = &[
    ("", "no seed"),
    (":", "no seed"),
    ("1", "no index"),
    ("1:", "no index"),
    (":1", "no seed"),
    ("a:1", "its seed is not a whole number from 0 to 2^64-1"),
    ("+1:2", "its seed is not a whole number"),
    ("1:0x2", "its index is not a whole number"),
    ("1:18446744073709551616", "its index is not a whole number"),
    ("1:2:", "16 hexadecimal digits"),
    ("1:2:3", "16 hexadecimal digits"),
    ("1:2:0F3A9C5D21E4B876", "16 hexadecimal digits"),
    ("1:2:0f3a9c5d21e4b876:4", "more than three parts"),
    ("1:2 ", "its index is not a whole number"),
    ("1\n:2", "its seed is not a whole number"),
];

/// A project in a folder, and what the command may not write to.
struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["project", "cache"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        fs::write(folder.path().join("project/test_a.py"), "def test_a():\n    pass\n").expect("a file");
        Self { folder }
    }

    fn project(&self) -> std::path::PathBuf {
        self.folder.path().join("project")
    }

    fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.project().join(name), content).expect("a file");
    }

    /// Runs jostle, which must refuse; returns what it says.
    fn refused(&self, arguments: &[&str]) -> String {
        let before = support::listing(&self.project());
        let python = support::light_python();
        let arguments: Vec<&str> = arguments
            .iter()
            .map(|&word| if word == "PYTHON" { python.to_str().expect("text") } else { word })
            .collect();
        let mut command = support::jostle(&self.project());
        command.env("JOSTLE_CACHE_DIR", self.folder.path().join("cache")).args(&arguments);
        let output = command.stdin(Stdio::null()).output().expect("jostle runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(4), "{arguments:?}: {said}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{arguments:?}");
        assert!(said.starts_with("jostle: ") && said.len() > 40, "{arguments:?}: {said}");
        assert_eq!(said.trim_end().lines().count(), 1, "{arguments:?}: {said}");
        assert!(!said.contains("panicked") && !said.contains("RUST_BACKTRACE"), "{arguments:?}: {said}");
        assert_eq!(support::listing(&self.project()), before, "{arguments:?}");
        assert!(!self.project().join("new").exists(), "{arguments:?}");
        assert!(!self.folder.path().join("cache/journals").exists(), "{arguments:?}");
        said
    }

    /// The same, for an error that names the thing and the remedy.
    fn refuses(&self, arguments: &[&str], thing: &str, remedy: &str) {
        let said = self.refused(arguments);
        assert!(said.contains(thing), "{arguments:?} should name {thing:?}: {said}");
        assert!(said.contains(remedy), "{arguments:?} should advise {remedy:?}: {said}");
    }
}

#[test]
fn wrong_invocations() {
    let stage = Stage::new();
    for (arguments, thing, remedy) in INVOCATIONS {
        stage.refuses(&arguments.split(' ').collect::<Vec<_>>(), thing, remedy);
    }
    stage.refuses(
        &["demo", "--keep", "."],
        "--keep .: it is there already",
        "a folder that is not there yet",
    );
}

/// What each command is given that meets a suite, so that it would be run.
const RUNS: &[(&str, &str)] = &[
    ("stress", "--history ."),
    ("replay", "1:2"),
    ("explain", "1:2"),
    ("verify", "failure.json"),
    ("collect", ""),
    ("doctor", ""),
    ("conflicts", ""),
    ("leaks", ""),
    ("merge", "--plan nowhere ."),
    ("plan", "--seed 1 --index 1"),
    ("speedup", ""),
    ("demo", ""),
];

#[test]
fn what_is_advised_in_place_of_an_option_is_taken() {
    let stage = Stage::new();
    stage.write("failure.json", &serde_json::to_vec(&failure()).expect("JSON"));
    let all = Cli::command();
    let with_python = all
        .get_subcommands()
        .filter(|command| command.get_arguments().any(|option| option.get_long() == Some("python")));
    for command in with_python.map(|command| command.get_name()) {
        let (_, needed) = RUNS.iter().find(|(name, _)| *name == command).expect(command);
        let words: Vec<&str> = [command].into_iter().chain(needed.split_whitespace()).collect();
        for typed in
            ["--timeout", "--count", "--iterations", "--minutes", "--maxfail", "--lf", "--random-order-seed"]
        {
            let said = stage.refused(&[&words, [typed].as_slice()].concat());
            let Some((_, advice)) = said.split_once("found; ") else { continue };
            let advice: Vec<&str> = advice.split_whitespace().collect();
            for (at, pair) in advice.windows(2).enumerate().filter(|(_, pair)| pair[0].starts_with("--")) {
                let value = match pair[1] {
                    "TIME" => Some("30m"),
                    "N" | "K" | "SEED" => Some("3"),
                    _ if at == 0 => None,
                    // Named once more, as an example.
                    _ => continue,
                };
                // A seed that a command needs is there already.
                if !words.contains(&pair[0]) {
                    let given = [pair[0]].into_iter().chain(value).chain(["--python", "nowhere"]);
                    stage.refuses(&words.iter().copied().chain(given).collect::<Vec<_>>(), "nowhere", "Give");
                }
            }
        }
    }
}

#[test]
fn wrong_configurations() {
    let stage = Stage::new();
    for (content, thing, remedy) in CONFIGURATIONS {
        stage.write("pyproject.toml", content.as_bytes());
        let said = stage.refused(&["stress"]);
        assert!(said.contains(thing), "{content:?} should name {thing:?}: {said}");
        assert!(said.contains(remedy), "{content:?} should advise {remedy:?}: {said}");
    }
    stage.write("pyproject.toml", b"[tool.jostle]\n");
    stage.write("jostle.toml", b"trials = 3\n");
    stage.refuses(&["stress"], "jostle.toml and in [tool.jostle]", "one of the two");
    stage.write("jostle.toml", b"trails = 3\n");
    stage.refuses(
        &["stress"],
        "jostle.toml: line 1: there is no setting `trails`",
        "option of `jostle stress`",
    );
    fs::remove_file(stage.project().join("jostle.toml")).expect("a file");
    stage.write("known.json", b"{}");
    stage.refuses(&["stress", "--known", "."], "./known.json is not a failure file", "--failures DIR");
    stage.write("pyproject.toml", b"[tool.jostle]\nseed = \xff");
    stage.refuses(&["stress"], "pyproject.toml", "UTF-8");
    fs::remove_file(stage.project().join("pyproject.toml")).expect("a file");
    fs::create_dir(stage.project().join("pyproject.toml")).expect("a folder");
    stage.refuses(&["stress"], "pyproject.toml", "readable UTF-8 file");
}

#[test]
fn wrong_tokens() {
    let stage = Stage::new();
    for (token, why) in TOKENS {
        let said = stage.refused(&["replay", token]);
        assert!(said.contains(why), "{token:?} should say {why:?}: {said}");
        assert!(said.contains("like 42:7 or 42:7:0f3a9c5d21e4b876"), "{token:?}: {said}");
    }
}

fn failure() -> Value {
    let plan = json!({
        "version": 1, "seed": 1, "index": 0, "fingerprint": "0123456789abcdef", "order": "explicit", "mode": "no",
        "hash_seed": 1, "random_seed": 0, "imports": "all", "interleaving": "free",
        "workers": [[{"node_id": "test_a.py::test_b"}, {"node_id": "test_a.py::test_a"}]],
    });
    json!({
        "version": 1, "kind": "victim", "test": {"node_id": "test_a.py::test_a"},
        "crash": {"phase": "call", "exception": "AssertionError", "file": "test_a.py", "function": "test_a"},
        "pytest": "8.4.2", "minimal": plan, "original": plan,
    })
}

/// A document with a change at a place.
fn changed(document: &Value, place: &str, value: Value) -> Vec<u8> {
    let mut document = document.clone();
    *document.pointer_mut(place).expect("a member") = value;
    serde_json::to_vec(&document).expect("JSON")
}

#[test]
fn wrong_logs() {
    let stage = Stage::new();
    let case = |token: &str| {
        format!(
            "<testcase name=\"x\"><properties><property name=\"token\" value=\"{token}\"/></properties></testcase>"
        )
    };
    let ours =
        |cases: String| format!("<testsuites name=\"jostle\"><testsuite>{cases}</testsuite></testsuites>");
    let cases = [
        (ours(case("1:2") + &case("1:3")), "tells several failures: give one of 1:2 (.x), 1:3 (.x)"),
        (
            ours(
                case("1:2").replace("</properties>", "</properties><failure/>").repeat(2)
                    + "<testcase name=\"y\"><failure/></testcase>",
            ),
            "give one of 1:2 (.x), 1:2 (.x). there is no token of .y: give the failure file",
        ),
        (ours(case("")), "tells no token of a failure"),
        (ours(case("1:x")), "its index is not a whole number"),
        ("<testsuites name=\"jostle\"><testcase></testsuites>".to_owned(), "no JUnit XML"),
        ("test_a.py::test_a PASSED [100%]\n".to_owned(), "no test failed in this log"),
    ];
    for (content, why) in cases {
        stage.write("junit.xml", content.as_bytes());
        let said = stage.refused(&["replay", "junit.xml"]);
        assert!(said.contains(why), "{content} should say {why:?}: {said}");
    }
}

#[test]
fn wrong_failure_files() {
    let stage = Stage::new();
    let good = failure();
    let change = |place: &str, value: Value| changed(&good, place, value);
    let whole = serde_json::to_vec(&good).expect("JSON");
    let many = vec![json!([{"node_id": "test_a.py::test_a"}]); 300];
    let barrier = |first, second| json!({"barrier": [{"first": first, "second": second}]});
    let twice = [b"{\"version\":1,\"version\":1,".as_slice(), &whole[1..]].concat();
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"".to_vec(), "EOF"),
        (b"{}".to_vec(), "no version"),
        (b"[]".to_vec(), "no JSON object"),
        (b"null".to_vec(), "no JSON object"),
        (whole[..whole.len() / 2].to_vec(), "EOF"),
        (vec![0xff, 0xfe, 0], "expected value"),
        (b"[".repeat(100_000), "no JSON object"),
        (twice, "duplicate field `version`"),
        (change("/version", json!(2)), "version 2, and this jostle reads version 1"),
        (change("/version", json!(-1)), "-1"),
        (change("/version", json!(1e300)), "1e+300"),
        (change("/kind", json!("gremlin")), "unknown variant `gremlin`"),
        (change("/test", json!("test_a.py::test_a")), "expected struct TestId"),
        (change("/test/node_id", json!("test_c.py::test_c")), "does not run test_c.py::test_c"),
        (change("/crash/phase", json!("lunch")), "unknown variant `lunch`"),
        (change("/minimal/version", json!(9)), "the plan has version 9"),
        (change("/minimal/seed", json!(-4)), "-4"),
        (change("/minimal/workers", json!([])), "0 workers"),
        (change("/minimal/workers", json!([[]])), "workers"),
        (change("/original/workers", Value::Array(many)), "300 workers"),
        (change("/minimal/interleaving", barrier([0, 1], [0, 0])), "wait for itself"),
        (change("/minimal/interleaving", barrier([0, 1], [3, 0])), "no such test"),
        (change("/minimal/mode", json!("sideways")), "unknown variant `sideways`"),
        (change("/pytest", json!({"extra": 1})), "invalid type"),
    ];
    for (content, why) in cases {
        stage.write("failure.json", &content);
        let said = stage.refused(&["replay", "failure.json"]);
        let shown = String::from_utf8_lossy(&content[..content.len().min(200)]).into_owned();
        assert!(said.contains("failure.json is not a failure file of jostle"), "{shown}: {said}");
        assert!(said.contains(why), "{shown} should say {why:?}: {said}");
        assert!(said.contains("--failures DIR"), "{shown}: {said}");
    }
    stage.write("failure.json", &whole);
    stage.refuses(&["replay", "failure.json", "-n", "2"], "failure.json", "leave out --workers");
    // A file goes before a kind of its name.
    stage.write("broken", &whole);
    stage.refuses(&["explain", "broken", "-n", "2"], "broken holds the whole plan", "leave out --workers");
}

fn header() -> Header {
    Header {
        schema: JOURNAL.into(),
        jostle: "0.0.1".into(),
        night: String::new(),
        seed: jostle::plan::Seed(5),
        options: [("--engine".to_owned(), "spawn".to_owned())].into(),
        python: "3.11.7".into(),
        pytest: "8.4.2".into(),
        plugins: Vec::new(),
        fingerprint: jostle::suite::Fingerprint("0123456789abcdef".into()),
        sources: "0123456789abcdef".into(),
    }
}

#[test]
fn wrong_journals() {
    let stage = Stage::new();
    let good = line(&header()).expect("a line");
    let mut damaged = good.clone();
    damaged[60] ^= 1;
    let other = line(&Header { schema: "jostle.journal/2".into(), ..header() }).expect("a line");
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (Vec::new(), "it is empty"),
        (b"{}\n".to_vec(), "no line of a journal"),
        (b"\n".to_vec(), "no line of a journal"),
        (vec![0; 100], "cut short"),
        (good[..good.len() - 1].to_vec(), "cut short"),
        (damaged, "does not match its sum"),
        (other, "jostle.journal/2"),
        (line(&json!({"schema": JOURNAL})).expect("a line"), "missing field"),
        (line(&json!([1])).expect("a line"), "no header"),
    ];
    for (content, why) in cases {
        stage.write("journal", &content);
        let said = stage.refused(&["stress", "--resume", "journal"]);
        assert!(said.contains("journal is not a journal of jostle"), "{why}: {said}");
        assert!(said.contains(why) && said.contains("without --resume"), "{why}: {said}");
    }
    stage.write("journal", &good);
    stage.refuses(&["stress", "--resume", "journal", "--seed", "6"], "its seed is 5", "Leave --seed out");
    let arguments = ["stress", "--resume", "journal", "--sandbox", "off", "--python", "PYTHON"];
    stage.refuses(&arguments, "--engine spawn then, auto now", "without --resume");
}

#[test]
fn wrong_baselines() {
    let stage = Stage::new();
    let good = json!({
        "schema": "jostle.speedup-baseline/1", "fingerprint": "0123456789abcdef", "tests": 1, "python": "3.11.7",
        "pytest": "8.4.2", "cores": 2, "configurations": [{"workers": 1, "mode": "no", "seconds": [1.5]}],
    });
    let change = |place: &str, value: Value| changed(&good, place, value);
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"".to_vec(), "EOF"),
        (b"{}".to_vec(), "schema"),
        (b"[1]".to_vec(), "no JSON object"),
        (b"\xff".to_vec(), "expected value"),
        (change("/schema", json!("jostle.report/1")), "jostle.report/1"),
        (change("/tests", json!(-1)), "-1"),
        (change("/configurations/0/workers", json!(0)), "no such combination"),
        (change("/configurations/0/workers", json!(4)), "no such combination: 4 workers, no"),
        (change("/configurations/0/seconds", json!([])), "above 0"),
        (change("/configurations/0/seconds", json!([-1.0])), "above 0"),
        (change("/configurations/0/seconds", json!(["1"])), "invalid type"),
    ];
    for (content, why) in cases {
        stage.write("base.json", &content);
        let said = stage.refused(&["speedup", "--baseline", "base.json"]);
        assert!(said.contains("base.json is not a baseline") && said.contains(why), "{why}: {said}");
        assert!(said.contains("--save FILE"), "{why}: {said}");
    }
}

#[test]
fn a_broken_environment_is_no_reason_for_another_python() {
    let stage = Stage::new();
    let environment = stage.folder.path().join("suite/.venv");
    let advice = ".venv anew and install in it what the suite needs";
    fs::create_dir_all(environment.join("bin")).expect("a folder");
    symlink("python3", environment.join("bin/python")).expect("a link");
    symlink("/nowhere/python3.8", environment.join("bin/python3")).expect("a link");
    stage.refuses(
        &["collect", "--rootdir", "../suite"],
        "(the one of .venv): it leads to /nowhere/python3.8, which is not there",
        "--python PATH",
    );
    fs::write(environment.join("pyvenv.cfg"), "home = /nowhere\n").expect("a file");
    stage.refuses(
        &["collect", "--rootdir", "../suite"],
        "a broken environment: it leads to /nowhere/python3.8, which is not there",
        advice,
    );
    fs::remove_file(environment.join("bin/python")).expect("a link");
    stage.refuses(
        &["stress", "--rootdir", "../suite"],
        "a broken environment: there is no such file in it",
        advice,
    );
    // What cannot be looked at is told as that.
    symlink("python", environment.join("bin/python")).expect("a link");
    stage.refuses(&["stress", "--rootdir", "../suite"], "(the one of .venv): Too many", "--python PATH");
    support::said(Command::new("python3").args(["-m", "venv", "--clear", "--without-pip"]).arg(&environment));
    let no_pytest = "(the one of .venv) has no pytest";
    stage.refuses(&["stress", "--rootdir", "../suite"], no_pytest, ".venv/bin/python -m pip install pytest");
    stage.refuses(
        &["stress", "--python", "../suite/.venv/bin/pyhton"],
        "pyhton (given with --python or in [tool.jostle]): No such file",
        "--python PATH",
    );
    fs::remove_file(environment.join("bin/python")).expect("a link");
    stage.refuses(&["stress", "--rootdir", "../suite"], no_pytest, ".venv/bin/python3 -m pip install pytest");
}

#[test]
fn an_environment_of_windows_is_passed_over() {
    let stage = Stage::new();
    fs::create_dir_all(stage.project().join(".venv/Scripts")).expect("a folder");
    stage.write(".venv/pyvenv.cfg", b"home = C:\\Python312\n");
    let mut command = support::jostle(&stage.project());
    let output = command.env("PATH", "/nowhere").arg("stress").output().expect("jostle runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("cannot run python3 (python3 on PATH"), "{said}");
}

#[test]
fn a_failure_file_is_not_written_over() {
    let stage = Stage::new();
    let whole = serde_json::to_vec(&failure()).expect("JSON");
    stage.write("failure.json", &whole);
    for command in ["verify", "replay"] {
        stage.refuses(
            &[command, "--json", "failure.json", "--python", "nowhere"],
            "nowhere",
            "--python PATH",
        );
    }
    stage.refuses(&["replay", "1:2", "--json", "failure.json"], "'failure.json'", "`jostle replay --help`");
    // One of another version cannot be read, and what runs to its end would have written over it.
    stage.write("later.json", &changed(&failure(), "/version", json!(99)));
    let run = ["--sandbox", "off", "--python", "PYTHON"];
    for command in ["verify", "replay"] {
        stage.refuses(
            &[&[command, "--json", "later.json"], run.as_slice()].concat(),
            "version 99",
            "--failures DIR",
        );
    }
    stage.refuses(
        &[&["verify", "--json", "later.json", "failure.json"], run.as_slice()].concat(),
        "version 99",
        "--failures DIR",
    );
    for file in ["later.json", "failure.json"] {
        let advice = format!("write `--json={file}`");
        stage.refuses(&[&["collect", "--json", file], run.as_slice()].concat(), file, &advice);
    }
}

#[test]
fn wrong_surroundings() {
    let stage = Stage::new();
    let run = |name: &str, value: &str, arguments: &[&str]| {
        let mut command = support::jostle(&stage.project());
        let output = command.env(name, value).args(arguments).output().expect("jostle runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = run("VIRTUAL_ENV", "/nowhere", &["stress"]);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("the one of $VIRTUAL_ENV") && said.contains("--python PATH"), "{said}");
    let (code, said) = run("JOSTLE_CACHE_DIR", "/proc/none", &["stress", "--seed", "1"]);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("/proc/none") && said.contains("JOSTLE_CACHE_DIR"), "{said}");
    assert!(Path::new(&stage.project()).is_dir());
}

#[test]
fn wrong_baselines_of_leaks() {
    let stage = Stage::new();
    let cases: [(&str, &str); 4] = [
        ("", "EOF"),
        ("{}", "missing field `schema`"),
        (r#"{"schema": "jostle.leaks/1", "leaks": {}}"#, "jostle.leaks/1"),
        (r#"{"schema": "jostle.leaks-baseline/1", "leaks": []}"#, "invalid type"),
    ];
    for (content, why) in cases {
        stage.write("base.json", content.as_bytes());
        let said = stage.refused(&["leaks", "--baseline", "base.json"]);
        assert!(said.contains("base.json is not a baseline of `jostle leaks`"), "{why}: {said}");
        assert!(said.contains(why) && said.contains("--write-baseline FILE"), "{why}: {said}");
    }
}
