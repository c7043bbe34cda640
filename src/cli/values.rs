//! Checks of single values, and the error that says what is wrong with one.

use crate::plan::document::MOST_WORKERS;
use clap::ValueEnum;
use std::path::{Path, PathBuf};

/// Something the user can put right: a wrong option, file, token or environment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// A file that an option names, to be written later.
///
/// # Errors
/// It is a folder, or there is none to put it in.
pub(crate) fn place_for(option: &str, path: &Path) -> Result<PathBuf, UsageError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let why = match () {
        () if path.as_os_str().is_empty() => "it has no name",
        () if path.is_dir() => "it is a folder",
        () if !folder.is_dir() => "there is no such folder to put it in",
        () => return Ok(path.to_owned()),
    };
    let name = path.display();
    Err(UsageError(format!(
        "cannot write {option} {name}: {why}. Give the name of a file in a folder that exists"
    )))
}

pub(crate) fn named<T: ValueEnum>(
    words: Option<&[String]>,
    name: &str,
) -> Result<Option<Vec<T>>, UsageError> {
    let parse = |word: &String| {
        T::from_str(word, false).map_err(|_| {
            let known: Vec<String> = T::value_variants()
                .iter()
                .filter_map(|v| Some(v.to_possible_value()?.get_name().to_owned()))
                .collect();
            UsageError(format!("[tool.jostle] {name}: {word:?} is not one of {}", known.join(", ")))
        })
    };
    words.map(|words| words.iter().map(parse).collect()).transpose()
}

/// The value that a setting's word names.
///
/// # Errors
/// It is none of those there are.
pub(crate) fn named_one<T: ValueEnum + Copy>(
    word: Option<&String>,
    name: &str,
) -> Result<Option<T>, UsageError> {
    Ok(named(word.map(std::slice::from_ref), name)?.and_then(|words| words.first().copied()))
}

pub(crate) fn distinct<T: PartialEq>(values: impl Iterator<Item = T>) -> Vec<T> {
    values.fold(Vec::new(), |mut kept, value| {
        if !kept.contains(&value) {
            kept.push(value);
        }
        kept
    })
}

/// The cores that this process may use.
pub(crate) fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32)
}

pub(crate) fn worker_counts(words: &[String]) -> Result<Vec<u32>, UsageError> {
    let count = |word: &String| match word.as_str() {
        "auto" => Ok(cores()),
        word => word.parse().ok().filter(|count| (1..=MOST_WORKERS).contains(count)).ok_or_else(|| {
            UsageError(format!("workers: `{word}` is neither `auto` nor a number from 1 to {MOST_WORKERS}"))
        }),
    };
    let counts: Vec<u32> = words.iter().map(count).collect::<Result<_, _>>()?;
    Ok(distinct(counts.into_iter()))
}
