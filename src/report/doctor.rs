//! The report of `jostle doctor`: what a suite gets here, what that costs, and what to do.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::formats::DOCTOR;
use crate::report::document::SuiteSummary;
use crate::report::terminal::{BAD, DOUBTFUL, GOOD};
use crate::report::{Verbosity, words};
use crate::run::engine::Capabilities;
use crate::run::process::python::PythonError;
use crate::run::remarks::{Remark, Topic};
use crate::suite::TestIndex;
use crate::trial::Collected;

/// The first test of a suite, run alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FirstTest {
    /// Which.
    pub(crate) test: TestIndex,
    /// How long its trial took.
    pub(crate) took: Duration,
}

/// What was found out of a suite.
#[derive(Clone, Debug)]
pub(crate) struct Diagnosis {
    /// The Python that runs it.
    pub(crate) python: PathBuf,
    /// What was collected.
    pub(crate) collected: Collected,
    /// How long that took, from the start of Python.
    pub(crate) startup: Duration,
    /// What the engine can do for a plan of the whole suite.
    pub(crate) capabilities: Capabilities,
    /// Whether trials have sandboxes.
    pub(crate) sandboxed: bool,
    /// Whether they were not to have any.
    pub(crate) no_sandbox_wanted: bool,
    /// Whether there were to be no forks.
    pub(crate) no_forks_wanted: bool,
    /// The first test, if there is one.
    pub(crate) first: Option<FirstTest>,
    /// What the engine had to say.
    pub(crate) remarks: Vec<Remark>,
    /// The command that looks for isolation failures in the same way.
    pub(crate) stress: String,
}

impl Diagnosis {
    fn about(&self, topic: Topic) -> Option<&str> {
        self.remarks.iter().find(|remark| remark.topic == topic).map(|remark| remark.text.as_str())
    }

    /// Whether system calls can be seen, as far as a test was run.
    fn sees_calls(&self) -> Option<bool> {
        self.first.map(|_| self.about(Topic::SystemCalls).is_none())
    }

    /// What to do, the most useful first.
    fn advice(&self) -> Vec<String> {
        let suite = &self.collected.suite;
        let mut advice: Vec<String> = Vec::new();
        if !suite.errors.is_empty() {
            advice.push(
                "jostle collect lists what cannot be collected, by cause: nothing is known of those tests"
                    .into(),
            );
        }
        if self.about(Topic::Forks).is_some() {
            advice.push(
                "start threads, and open files and connections, in fixtures and not while a module is imported: trials \
                 then run in forks"
                    .into(),
            );
        }
        if self.about(Topic::Sandbox).is_some() {
            advice.push(
                "without a sandbox, run jostle on a copy of the project and on no machine that others need"
                    .into(),
            );
        }
        if suite.tests.is_empty() && suite.errors.is_empty() {
            advice.push(
                "no test was collected: name the suite's tests, or give their folder with --rootdir".into(),
            );
        }
        if advice.is_empty() {
            advice.push(format!("nothing stands in the way: {}", self.stress));
        }
        advice
    }
}

fn line(out: &mut dyn Write, label: &str, text: &str) -> io::Result<()> {
    writeln!(out, "{label:<13} {text}")
}

/// Writes what is known of a suite whose Python cannot be used. `sandbox` is none if none is wanted.
///
/// # Errors
/// Those of the writer.
pub(crate) fn without_python(
    out: &mut dyn Write,
    error: &PythonError,
    sandbox: Option<&Result<(), String>>,
) -> io::Result<()> {
    line(out, "python", &format!("{BAD}cannot be used{BAD:#}: {error}"))?;
    match sandbox {
        None => line(out, "sandbox", NOT_WANTED),
        Some(Ok(())) => line(out, "sandbox", HAS_SANDBOX),
        Some(Err(why)) => line(out, "sandbox", &format!("{DOUBTFUL}none{DOUBTFUL:#}: {why}")),
    }
}

const NOT_WANTED: &str = "none, as it was asked for";
const HAS_SANDBOX: &str = "yes: no file, port or process is left of a trial";

/// Writes the report for people.
///
/// # Errors
/// Those of the writer.
pub(crate) fn diagnosis(out: &mut dyn Write, report: &Diagnosis, verbosity: Verbosity) -> io::Result<()> {
    let Diagnosis { collected, capabilities, .. } = report;
    let (suite, interpreter) = (&collected.suite, &collected.interpreter);
    line(out, "python", &format!("{}, {}", interpreter.python, report.python.display()))?;
    line(out, "pytest", &format!("{}, rootdir {}", interpreter.pytest, interpreter.rootdir))?;
    if !interpreter.plugins.is_empty() {
        line(out, "plugins", &interpreter.plugins.join(", "))?;
    }
    let errors = match suite.errors.len() {
        0 => String::new(),
        errors => format!(", {BAD}{}{BAD:#}", words::count(errors, "collection error")),
    };
    line(out, "collected", &format!("{}{errors}", words::count(suite.tests.len(), "test")))?;
    engine(out, report)?;
    line(out, "at once", &words::count(capabilities.at_once as usize, "trial"))?;
    sandbox(out, report)?;
    match (report.sees_calls(), report.about(Topic::SystemCalls)) {
        (None, _) => {}
        (Some(true), _) => {
            line(out, "system calls", "seen: races of C code and of subprocesses are looked for as well")?;
        }
        (Some(false), why) => line(out, "system calls", why.unwrap_or_default())?,
    }
    let others = report.remarks.iter().filter(|remark| remark.topic == Topic::Other);
    others.into_iter().try_for_each(|remark| line(out, "note", &remark.text))?;
    if !suite.sorting.sorted_by.is_empty() {
        line(out, "orders", &format!("kept as sorted by {}", words::listed(&suite.sorting.sorted_by)))?;
    }
    if verbosity == Verbosity::Verbose {
        line(out, "undone", &collected.neutralised.join(" "))?;
    }
    report.advice().into_iter().try_for_each(|advice| line(out, "what to do", &advice))
}

fn engine(out: &mut dyn Write, report: &Diagnosis) -> io::Result<()> {
    let startup = report.startup.as_secs_f64();
    let Capabilities { forks, lacks_threads, .. } = report.capabilities;
    if let Some(why) = report.about(Topic::Forks) {
        return line(out, "engine", &format!("{DOUBTFUL}fresh processes{DOUBTFUL:#}: {why}"));
    }
    if !forks {
        let wanted = if report.no_forks_wanted { ", as it was asked for" } else { "" };
        let cost =
            format!("fresh processes{wanted}, each of which takes {startup:.1} s or so until its first test");
        return line(out, "engine", &cost);
    }
    line(
        out,
        "engine",
        &format!("{GOOD}forks{GOOD:#} of a process that has collected the suite in {startup:.1} s"),
    )?;
    if let Some(FirstTest { test, took }) = report.first {
        let test = words::test(&report.collected.suite, test);
        line(out, "", &format!("a trial of {test} took {:.2} s", took.as_secs_f64()))?;
    }
    if lacks_threads {
        let lacked = "libraries have started some that forks lack: what hangs or crashes there is compared with a fresh process";
        line(out, "threads", lacked)?;
    }
    Ok(())
}

fn sandbox(out: &mut dyn Write, report: &Diagnosis) -> io::Result<()> {
    match report.about(Topic::Sandbox) {
        _ if report.sandboxed => line(out, "sandbox", &format!("{GOOD}{HAS_SANDBOX}{GOOD:#}")),
        _ if report.no_sandbox_wanted => line(out, "sandbox", NOT_WANTED),
        Some(why) => line(
            out,
            "sandbox",
            &format!("{DOUBTFUL}none{DOUBTFUL:#}: {}", why.trim_start_matches("no sandbox: ")),
        ),
        None => line(out, "sandbox", "none"),
    }
}

/// The report for programs.
#[derive(Debug, Serialize)]
pub(crate) struct DoctorDocument {
    schema: &'static str,
    /// Absent if its Python cannot be used.
    suite: Option<SuiteSummary>,
    python: Option<PathBuf>,
    /// Why it cannot be used.
    python_error: Option<String>,
    collection_errors: Option<usize>,
    forks: Option<bool>,
    lacks_threads: Option<bool>,
    at_once: Option<u32>,
    sandbox: bool,
    system_calls: Option<bool>,
    remarks: Vec<String>,
    advice: Vec<String>,
    times: Times,
}

#[derive(Debug, Default, Serialize)]
struct Times {
    /// Seconds until all was collected.
    startup: Option<f64>,
    /// Seconds that the trial of the first test took.
    first_test: Option<f64>,
}

impl DoctorDocument {
    /// Of a suite that was looked at.
    pub(crate) fn new(report: &Diagnosis) -> Self {
        let rounded = |time: Duration| (time.as_secs_f64() * 1e3).round() / 1e3;
        Self {
            schema: DOCTOR,
            suite: Some(SuiteSummary::new(&report.collected)),
            python: Some(report.python.clone()),
            python_error: None,
            collection_errors: Some(report.collected.suite.errors.len()),
            forks: Some(report.capabilities.forks),
            lacks_threads: Some(report.capabilities.lacks_threads),
            at_once: Some(report.capabilities.at_once),
            sandbox: report.sandboxed,
            system_calls: report.sees_calls(),
            remarks: report.remarks.iter().map(|remark| remark.text.clone()).collect(),
            advice: report.advice(),
            times: Times {
                startup: Some(rounded(report.startup)),
                first_test: report.first.map(|first| rounded(first.took)),
            },
        }
    }

    /// Of a suite whose Python cannot be used.
    pub(crate) fn without_python(error: &PythonError, sandbox: Option<&Result<(), String>>) -> Self {
        Self {
            schema: DOCTOR,
            suite: None,
            python: None,
            python_error: Some(error.to_string()),
            collection_errors: None,
            forks: None,
            lacks_threads: None,
            at_once: None,
            sandbox: matches!(sandbox, Some(Ok(()))),
            system_calls: None,
            remarks: sandbox.and_then(|probed| probed.clone().err()).into_iter().collect(),
            advice: Vec::new(),
            times: Times::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{everything, session};
    use crate::session::fake_engine::test;

    /// A suite that is run in forks and sandboxes, and of which all is known.
    fn well() -> Diagnosis {
        let capabilities =
            Capabilities { forks: true, lacks_threads: false, starting: Duration::ZERO, at_once: 2 };
        Diagnosis {
            python: "/env/bin/python".into(),
            collected: session().collected,
            startup: Duration::from_millis(1234),
            capabilities,
            sandboxed: true,
            no_sandbox_wanted: false,
            no_forks_wanted: false,
            first: Some(FirstTest { test: test('a'), took: Duration::from_millis(56) }),
            remarks: Vec::new(),
            stress: "jostle stress".into(),
        }
    }

    fn told(report: &Diagnosis, verbosity: Verbosity) -> String {
        let mut out = Vec::new();
        diagnosis(&mut out, report, verbosity).unwrap();
        anstream::adapter::strip_str(std::str::from_utf8(&out).unwrap()).to_string()
    }

    fn line_of(report: &Diagnosis, label: &str) -> Vec<String> {
        let text = told(report, Verbosity::Normal);
        let lines = text.lines().filter(|line| line.get(..13).is_some_and(|start| start.trim_end() == label));
        lines.map(|line| line[14..].to_owned()).collect()
    }

    fn remark(topic: Topic, text: &str) -> Remark {
        Remark { topic, text: text.into() }
    }

    #[test]
    fn who_has_all_that_jostle_wants_is_told_so() {
        let expected = "\
python        3.12.1, /env/bin/python
pytest        8.4.2, rootdir /home/ann/shop
plugins       pytest-xdist-3.8.0
collected     8 tests
engine        forks of a process that has collected the suite in 1.2 s
              a trial of test_a.py:1 a took 0.06 s
at once       2 trials
sandbox       yes: no file, port or process is left of a trial
system calls  seen: races of C code and of subprocesses are looked for as well
what to do    nothing stands in the way: jostle stress
";
        assert_eq!(told(&well(), Verbosity::Normal), expected);
        assert!(told(&well(), Verbosity::Verbose).contains("\nundone        -n0 --no-cov\n"));
    }

    #[test]
    fn who_has_no_test_is_told_what_to_do() {
        let mut none = Diagnosis { first: None, ..well() };
        none.collected.suite.tests.clear();
        let told = line_of(&none, "what to do");
        assert_eq!(
            told,
            ["no test was collected: name the suite's tests, or give their folder with --rootdir"]
        );
    }

    #[test]
    fn why_there_are_no_forks_is_told_with_what_they_would_take() {
        let capabilities = Capabilities { forks: false, ..well().capabilities };
        let why = "every plan runs in fresh processes: a thread is alive";
        let refused = Diagnosis { capabilities, remarks: vec![remark(Topic::Forks, why)], ..well() };
        assert_eq!(line_of(&refused, "engine"), [format!("fresh processes: {why}")]);
        let advice = line_of(&refused, "what to do");
        assert!(advice.len() == 1 && advice[0].starts_with("start threads"), "{advice:?}");
        let unwanted = Diagnosis { capabilities, no_forks_wanted: true, ..well() };
        let cost = "each of which takes 1.2 s or so until its first test";
        assert_eq!(line_of(&unwanted, "engine"), [format!("fresh processes, as it was asked for, {cost}")]);
        let lacking =
            Diagnosis { capabilities: Capabilities { lacks_threads: true, ..well().capabilities }, ..well() };
        assert!(line_of(&lacking, "threads")[0].starts_with("libraries have started some"));
        assert!(line_of(&well(), "threads").is_empty());
    }

    #[test]
    fn why_there_is_no_sandbox_is_told_unless_none_is_wanted() {
        let without = Diagnosis { sandboxed: false, ..well() };
        let why = "no sandbox: cannot make a user namespace";
        let missing = Diagnosis { remarks: vec![remark(Topic::Sandbox, why)], ..without.clone() };
        assert_eq!(line_of(&missing, "sandbox"), ["none: cannot make a user namespace"]);
        assert!(line_of(&missing, "what to do")[0].starts_with("without a sandbox"));
        let unwanted = Diagnosis { no_sandbox_wanted: true, ..without };
        assert_eq!(line_of(&unwanted, "sandbox"), ["none, as it was asked for"]);
    }

    #[test]
    fn of_system_calls_nothing_is_told_where_no_test_was_run() {
        let why = "races of C code and of subprocesses are not looked for";
        let unseen = Diagnosis { remarks: vec![remark(Topic::SystemCalls, why)], ..well() };
        assert_eq!(line_of(&unseen, "system calls"), [why]);
        assert!(line_of(&Diagnosis { first: None, ..well() }, "system calls").is_empty());
    }

    #[test]
    fn what_cannot_be_collected_comes_before_all_else_that_is_to_be_done() {
        let hidden = Diagnosis { collected: everything().collected, ..well() };
        assert_eq!(line_of(&hidden, "collected"), ["8 tests, 1 collection error"]);
        assert!(line_of(&hidden, "what to do")[0].starts_with("jostle collect lists"));
        let noted = Diagnosis { remarks: vec![remark(Topic::Other, "the network is used")], ..well() };
        assert_eq!(line_of(&noted, "note"), ["the network is used"]);
        let mut sorted = well();
        sorted.collected.suite.sorting.sorted_by = vec!["conftest.py".into()];
        assert_eq!(line_of(&sorted, "orders"), ["kept as sorted by conftest.py"]);
    }

    #[test]
    fn a_python_that_cannot_be_used_is_told_with_what_is_known_without_it() {
        let error = PythonError::NoPytest { python: "/env/bin/python".into(), because: "the one of .venv" };
        let told = |sandbox: Option<&Result<(), String>>| {
            let mut out = Vec::new();
            without_python(&mut out, &error, sandbox).unwrap();
            anstream::adapter::strip_str(std::str::from_utf8(&out).unwrap()).to_string()
        };
        let python = format!("python        cannot be used: {error}\nsandbox       ");
        assert_eq!(told(Some(&Ok(()))), format!("{python}{HAS_SANDBOX}\n"));
        assert_eq!(told(Some(&Err("it needs Linux".into()))), format!("{python}none: it needs Linux\n"));
        assert_eq!(told(None), format!("{python}{NOT_WANTED}\n"));
    }
}
