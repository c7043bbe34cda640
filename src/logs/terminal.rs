//! What pytest prints with `-v`: of one process, or of pytest-xdist's workers.
//!
//! Continuous integration puts times and names of steps before the lines and colours into them: what is
//! looked for may stand anywhere in a line.

use crate::logs::{Name, ParsedLog, Ran, Source};
use crate::plan::Mode;

/// More workers than any run has.
const MOST_WORKERS: u32 = 256;

/// The words for what became of a test, and whether they mean a failure.
const WORDS: [(&str, bool); 7] = [
    ("PASSED", false),
    ("FAILED", true),
    ("ERROR", true),
    ("SKIPPED", false),
    ("XFAIL", false),
    ("XPASS", false),
    ("RERUN", true),
];

/// Reads a log.
pub fn read(text: &str) -> ParsedLog {
    let mut workers = ParsedLog::nothing(Source::Workers);
    let mut serial = Vec::new();
    let mut last_of_worker = std::collections::BTreeMap::new();
    for line in text.lines() {
        let line = plain(line);
        header(&line, &mut workers);
        if let Some(ran) = of_worker(&line) {
            note(&mut workers.runs, &mut last_of_worker, ran);
        } else if let Some(ran) = of_process(&line) {
            note(&mut serial, &mut last_of_worker, ran);
        } else {
            workers.summary.extend(of_summary(&line));
        }
    }
    if workers.runs.is_empty() {
        ParsedLog { source: Source::Serial, runs: serial, ..workers }
    } else {
        workers
    }
}

/// A test that fails in teardown, or is run again by a plugin, has a line more: it ran once.
fn note(runs: &mut Vec<Ran>, last: &mut std::collections::BTreeMap<u32, usize>, ran: Ran) {
    if let Some(&at) = last.get(&ran.worker)
        && let Some(before) =
            runs.get_mut(at).filter(|before| before.name == ran.name && before.worker == ran.worker)
    {
        before.failed |= ran.failed;
        return;
    }
    last.insert(ran.worker, runs.len());
    runs.push(ran);
}

/// A line without colours and what else steers a terminal.
fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '\u{1b}' if rest.peek() == Some(&'[') => {
                rest.next();
                while rest.next().is_some_and(|c| !c.is_ascii_alphabetic()) {}
            }
            '\r' => {}
            other => text.push(other),
        }
    }
    text
}

/// Takes in what stands before and between the tests.
fn header(line: &str, parsed: &mut ParsedLog) {
    if let Some(rest) = after(line, "Using --randomly-seed=") {
        parsed.randomly = number(rest).or(parsed.randomly);
    }
    if let Some(rest) = after(line, "scheduling tests via ") {
        parsed.mode = mode(rest.trim());
    }
    if let Some(at) = line.find(" workers [").or_else(|| line.find(" worker [")) {
        let count = line[..at].rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        parsed.workers = count.parse().ok().filter(|&count| count <= MOST_WORKERS);
        parsed.tests = line[at..].split('[').nth(1).and_then(number);
    }
    if let Some(rest) = after(line, "collected ").filter(|_| line.contains("collected ")) {
        parsed.tests = parsed.tests.or(number(rest));
    }
    parsed.lost += u32::from(line.contains("replacing crashed worker gw"));
}

fn mode(scheduler: &str) -> Option<Mode> {
    Some(match scheduler {
        "LoadScheduling" => Mode::Load,
        "LoadScopeScheduling" => Mode::Loadscope,
        "LoadFileScheduling" => Mode::Loadfile,
        "LoadGroupScheduling" => Mode::Loadgroup,
        "WorkStealingScheduling" => Mode::Worksteal,
        "EachScheduling" => Mode::Each,
        _ => return None,
    })
}

fn after<'a>(line: &'a str, words: &str) -> Option<&'a str> {
    line.find(words).map(|at| &line[at + words.len()..])
}

fn number(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    text[..digits].parse().ok()
}

/// `[gw1] [ 12%] PASSED tests/test_a.py::test_x`
fn of_worker(line: &str) -> Option<Ran> {
    let rest = after(line, "[gw")?;
    let (worker, rest) = rest.split_once("] ")?;
    let worker = worker.parse().ok().filter(|&worker| worker < MOST_WORKERS)?;
    // The share of tests that are done, or their number; a suite can switch it off.
    let rest = match rest.strip_prefix('[') {
        Some(progress) => progress.split_once("] ")?.1,
        None => rest,
    };
    let (failed, rest) = word(rest)?;
    Some(Ran { worker, name: node(rest)?, failed })
}

/// `tests/test_a.py::test_x PASSED    [ 12%]`
fn of_process(line: &str) -> Option<Ran> {
    let found = WORDS.iter().filter_map(|&(word, failed)| {
        let at = line.rfind(&format!(" {word}"))?;
        let after = &line[at + 1 + word.len()..];
        let ends = after.is_empty() || after.starts_with([' ', '(']);
        ends.then_some((at, failed))
    });
    let (at, failed) = found.max_by_key(|&(at, _)| at)?;
    let tail = line[at + 1..].trim_end();
    // The summary at the end has the word first, and a message may hold any word.
    let progress = tail.ends_with(']') || !tail.contains(' ');
    let before = line[..at].trim();
    // What continuous integration puts before a line has no `::`, and neither has it a node id's file.
    let start =
        before.find("::").map(|colons| before[..colons].rfind([' ', '\t']).map_or(0, |space| space + 1))?;
    let name = node(&before[start..])?;
    let Name::Node(id) = &name else { return None };
    (progress && id.contains("::") && !id.starts_with("::")).then_some(Ran { worker: 0, name, failed })
}

/// `FAILED tests/test_a.py::test_x - assert 1 == 2`
fn of_summary(line: &str) -> Option<Name> {
    let rest = after(line, "FAILED ").or_else(|| after(line, "ERROR "))?;
    let id = rest.split(" - ").next().filter(|id| id.contains("::"))?;
    node(id)
}

fn word(text: &str) -> Option<(bool, &str)> {
    WORDS.iter().find_map(|&(word, failed)| {
        let rest = text.strip_prefix(word)?;
        let rest = rest.strip_prefix("(strict)").unwrap_or(rest);
        rest.strip_prefix(' ').map(|rest| (failed, rest))
    })
}

/// The node id, without the file a test was inherited from.
fn node(text: &str) -> Option<Name> {
    let id = text.split(" <- ").next().unwrap_or_default().trim_end();
    (!id.is_empty()).then(|| Name::Node(id.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ran(worker: u32, id: &str, failed: bool) -> Ran {
        Ran { worker, name: Name::Node(id.into()), failed }
    }

    #[test]
    fn the_lines_of_workers_tell_who_ran_what_in_which_order() {
        let parsed = read(
            "Using --randomly-seed=4711\ncreated: 2/2 workers\n2 workers [4 items]\n\nscheduling tests via \
             LoadScheduling\n\ntests/test_a.py::test_x \n2026-01-02T03:04:05.67Z \u{1b}[36m[gw1] [ 25%] \u{1b}[0m\u{1b}[32mPASSED\u{1b}[0m \
             tests/test_a.py::test_x[a b] \n[gw0] [ 50%] FAILED tests/test_b.py::test_y <- other.py \n[gw1] [ 75%] \
             PASSED tests/test_b.py::test_z\n[gw1] [ 75%] ERROR tests/test_b.py::test_z\nFAILED tests/test_b.py::test_y - x\n",
        );
        assert_eq!(
            parsed.runs,
            [
                ran(1, "tests/test_a.py::test_x[a b]", false),
                ran(0, "tests/test_b.py::test_y", true),
                ran(1, "tests/test_b.py::test_z", true),
            ]
        );
        assert_eq!((parsed.mode, parsed.workers, parsed.tests), (Some(Mode::Load), Some(2), Some(4)));
        assert_eq!((parsed.source, parsed.randomly), (Source::Workers, Some(4711)));
        assert_eq!(parsed.summary, [Name::Node("tests/test_b.py::test_y".into())]);
    }

    #[test]
    fn the_lines_of_one_process_tell_its_order() {
        let parsed = read(
            "collecting ... collected 3 items\n\ntests/test_a.py::test_x PASSED         [ 33%]\n\
             tests/test_a.py::test_y SKIPPED (why not)      [ 66%]\ntests/test_a.py::test_z FAILED [100%]\n\
             =========\nFAILED tests/test_a.py::test_z - assert 1\nERROR tests/test_q.py\n",
        );
        let expected = [
            ran(0, "tests/test_a.py::test_x", false),
            ran(0, "tests/test_a.py::test_y", false),
            ran(0, "tests/test_a.py::test_z", true),
        ];
        assert_eq!(
            (parsed.runs.as_slice(), parsed.source, parsed.tests),
            (&expected[..], Source::Serial, Some(3))
        );
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(
            runs in proptest::collection::vec((0_u32..4, "[a-z]{1,6}", any::<bool>()), 0..40),
            percent in 0_u32..=100,
        ) {
            let mut text = String::new();
            let mut expected: Vec<Ran> = Vec::new();
            for (number, (worker, name, failed)) in runs.into_iter().enumerate() {
                let id = format!("t/test_{name}.py::test_{number}[x y]");
                text += &format!("{id} \n[gw{worker}] [{percent:3}%] {} {id} \n", if failed { "FAILED" } else { "PASSED" });
                expected.push(ran(worker, &id, failed));
            }
            prop_assert_eq!(read(&text).runs, expected);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in any::<String>(), bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            read(&text);
            read(&String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn no_damaged_log_makes_the_reader_panic(
            parts in proptest::collection::vec(
                prop_oneof![
                    Just("[gw".to_owned()), Just("] ".to_owned()), Just("PASSED ".to_owned()), Just("::".to_owned()),
                    Just(" workers [".to_owned()), Just("\u{1b}[".to_owned()), Just("Using --randomly-seed=".to_owned()),
                    Just("collected ".to_owned()), "[0-9é \\n]{0,4}".prop_map(String::from)
                ], 0..30),
        ) {
            read(&parts.concat());
        }
    }
}
