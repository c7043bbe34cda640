//! The suite's Python, asked how it reads a module of the project. The module is not imported.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::explain::fix::{Layout, Source};

/// What is run; see there.
const SCRIPT: &str = include_str!("../../../harness/jostle_harness/sources.py");

/// Reads modules as a Python does, which is started for the first and waits for more.
#[derive(Debug)]
pub struct Reader {
    python: PathBuf,
    started: RefCell<Option<Started>>,
}

#[derive(Debug)]
struct Started {
    process: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Drop for Started {
    fn drop(&mut self) {
        // It waits for a question, and has nothing that is lost with it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Question<'a> {
    Layout { layout: String },
    Compile { compile: String, name: &'a str },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Read {
    Refused { refused: String },
    Layout(Box<Layout>),
}

#[derive(Deserialize)]
struct Compiled {
    error: Option<String>,
}

impl Reader {
    /// A reader that asks the Python at a path.
    pub fn new(python: &Path) -> Self {
        Self { python: python.to_owned(), started: RefCell::default() }
    }

    /// A file of the project and where it can be edited.
    ///
    /// # Errors
    /// Why it cannot be, as the rest of a sentence that begins with the file's name.
    pub fn read(&self, rootdir: &Path, file: &str) -> Result<Source, String> {
        let content =
            std::fs::read(rootdir.join(file)).map_err(|error| format!("cannot be read: {error}"))?;
        let layout = self.layout(&content)?;
        Ok(Source { file: file.to_owned(), content, layout })
    }

    /// Where a module can be edited.
    ///
    /// # Errors
    /// As those of [`Reader::read`].
    pub fn layout(&self, content: &[u8]) -> Result<Layout, String> {
        match self.ask(&Question::Layout { layout: text(content) })? {
            Read::Layout(layout) => Ok(*layout),
            Read::Refused { refused } => Err(refused),
        }
    }

    /// Whether a module compiles.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn compiles(&self, file: &str, content: &[u8]) -> Result<(), String> {
        let compiled: Compiled = self.ask(&Question::Compile { compile: text(content), name: file })?;
        compiled.error.map_or(Ok(()), Err)
    }

    fn ask<T: for<'de> Deserialize<'de>>(&self, question: &Question<'_>) -> Result<T, String> {
        let answer =
            self.answer(question).map_err(|error| format!("cannot be read by its Python: {error}"))?;
        serde_json::from_str(&answer).map_err(|error| format!("cannot be read by its Python: {error}"))
    }

    fn answer(&self, question: &Question<'_>) -> std::io::Result<String> {
        let mut started = self.started.borrow_mut();
        let Started { asks, answers, .. } = match &mut *started {
            Some(started) => started,
            none => none.insert(self.start()?),
        };
        let mut line = serde_json::to_vec(question)?;
        line.push(b'\n');
        asks.write_all(&line)?;
        let mut answer = String::new();
        answers.read_line(&mut answer)?;
        Ok(answer)
    }

    fn start(&self) -> std::io::Result<Started> {
        let mut command = Command::new(&self.python);
        command.args(["-I", "-S", "-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.stderr(Stdio::null()).spawn()?;
        let none = || std::io::Error::other("it has no input or output");
        let asks = process.stdin.take().ok_or_else(none)?;
        let answers = BufReader::new(process.stdout.take().ok_or_else(none)?);
        Ok(Started { process, asks, answers })
    }
}

/// One character a byte.
fn text(content: &[u8]) -> String {
    content.iter().map(|&byte| char::from(byte)).collect()
}
