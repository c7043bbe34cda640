//! `jostle fix`: the fixes of a session applied to the working tree, once they were shown and chosen.

use std::fs;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cli::ExitCode;
use crate::cli::args::FixArgs;
use crate::cli::commands::last_session;
use crate::cli::commands::suite_run::STDOUT;
use crate::cli::values::UsageError;
use crate::explain::fix::Edit;
use crate::explain::fix::diff::between;
use crate::explain::fix::edit::joined;
use crate::record::kept_fix::{Found, KeptEdit, found};
use crate::record::{FailureFile, RecordError};
use crate::report::fixes::{Proposal, Standing, proposal};
use crate::report::words;
use crate::run::project::git;

/// Runs the command.
///
/// # Errors
/// There is no fix, files that are to be changed have changes that would be lost, or they cannot be written.
pub(super) fn run(args: &FixArgs) -> anyhow::Result<ExitCode> {
    let given = args.rootdir.clone().unwrap_or_else(|| PathBuf::from("."));
    let folder = given.canonicalize().map_err(|error| {
        UsageError(format!("--rootdir {}: {error}. Give the folder that pytest is run in", given.display()))
    })?;
    let (files, named) = failures(args, &folder)?;
    let root = root(&files, &folder);
    let (proposals, made) = proposals(files, &root)?;
    let mut out = anstream::stdout();
    for (number, one) in (1..).zip(&proposals) {
        proposal(&mut out, number, one).context(STDOUT)?;
    }
    out.flush().context(STDOUT)?;
    let fits = |one: &&Proposal| matches!(one.standing, Standing::Fits { .. });
    let cannot = proposals
        .iter()
        .filter(|one| !matches!(one.standing, Standing::Fits { .. } | Standing::Applied))
        .count();
    let fitting = proposals.iter().filter(fits).count();
    let code = if cannot > 0 { ExitCode::Found } else { ExitCode::Clean };
    if args.check || fitting == 0 {
        let fixes = if fitting == 1 { "1 fix".to_owned() } else { format!("{fitting} fixes") };
        writeln!(out, "{fixes} can be applied, {cannot} cannot be").context(STDOUT)?;
        return Ok(code);
    }
    let chosen = chosen(args, &proposals, fitting)?;
    let (edits, apart) = together(&made, &chosen);
    let edits: Vec<Edit> = edits.into_iter().filter(|edit| !made.contains(edit)).collect();
    if !args.allow_dirty && !edits.is_empty() {
        refuse_dirty(&root, &edits)?;
    }
    write(&root, &edits, &made)?;
    tell(&mut out, &edits, apart, &verify(args, &named)).context(STDOUT)?;
    Ok(if apart > 0 { ExitCode::Found } else { code })
}

/// Says which files are changed, how many fixes were not applied for others that are, and what to do next.
fn tell(out: &mut dyn Write, edits: &[Edit], apart: usize, verify: &str) -> io::Result<()> {
    if edits.is_empty() {
        return writeln!(out, "nothing is changed");
    }
    let changed: Vec<&str> = edits.iter().map(|edit| edit.file.as_str()).collect();
    writeln!(out, "changed {}", changed.join(", "))?;
    if apart > 0 {
        writeln!(
            out,
            "{apart} of the chosen fixes did not go together with those before them: run jostle stress again"
        )?;
    }
    writeln!(out, "see whether the failures are gone: {verify}")
}

/// The command that verifies the failures whose fixes are applied.
fn verify(args: &FixArgs, named: &[PathBuf]) -> String {
    let quoted = |path: &PathBuf| Some(shlex::try_quote(path.to_str()?).ok()?.into_owned());
    let rootdir = args.rootdir.as_ref().and_then(quoted).map(|path| format!("--rootdir {path}"));
    let words =
        ["jostle verify".to_owned()].into_iter().chain(named.iter().filter_map(quoted)).chain(rootdir);
    words.collect::<Vec<_>>().join(" ")
}

/// The failure files that have fixes, and what was named to find them.
fn failures(args: &FixArgs, folder: &Path) -> anyhow::Result<(Vec<FailureFile>, Vec<PathBuf>)> {
    let usage = |error: RecordError| UsageError(error.to_string());
    let of_session = args.failures.is_empty();
    let named = if of_session { vec![last_session::folder(folder)?] } else { args.failures.clone() };
    let mut files = Vec::new();
    for path in &named {
        let read = match path.is_dir() {
            true => FailureFile::read_folder(path).map_err(usage)?,
            false if of_session => Vec::new(),
            false => vec![(path.clone(), FailureFile::read(path).map_err(usage)?)],
        };
        files.extend(read.into_iter().map(|(_, file)| file));
    }
    files.retain(|file| !file.fix.is_empty());
    if files.is_empty() {
        let why = match of_session {
            true => format!(
                "no session in {} has left a fix: run jostle stress there, or give failure files as \
                 `jostle stress --failures DIR` writes them",
                folder.display()
            ),
            false => "there is no fix in what is given: `jostle explain FILE` looks for one, and jostle fix then applies it".into(),
        };
        return Err(UsageError(why).into());
    }
    Ok((files, named))
}

/// The suite's rootdir: the folder that pytest is run in, or the nearest above it below which a changed file is.
fn root(files: &[FailureFile], folder: &Path) -> PathBuf {
    let edits = || files.iter().flat_map(|file| &file.fix);
    let has_one = |folder: &&Path| edits().any(|edit| folder.join(edit.file()).is_file());
    folder.ancestors().find(has_one).unwrap_or(folder).to_owned()
}

/// The different fixes, whether each can be applied, and the changes of those that are.
fn proposals(files: Vec<FailureFile>, root: &Path) -> Result<(Vec<Proposal>, Vec<Edit>), UsageError> {
    let mut fixes: Vec<Vec<FailureFile>> = Vec::new();
    for file in files {
        match fixes.iter_mut().find(|failures| failures[0].fix == file.fix) {
            Some(same) => same.push(file),
            None => fixes.push(vec![file]),
        }
    }
    let all: Vec<&KeptEdit> = fixes.iter().flat_map(|failures| &failures[0].fix).collect();
    let states =
        fixes.iter().map(|failures| failures[0].fix.iter().map(|edit| state(edit, &all, root)).collect());
    let states: Vec<Vec<State>> = states.collect::<Result<_, _>>()?;
    let made = states.iter().flatten().filter_map(|state| match state {
        State::Made(_, Some(edit)) => Some(std::slice::from_ref(edit)),
        _ => None,
    });
    let (made, _) = together(&[], &made.collect::<Vec<_>>());
    let standings = states.into_iter().map(|states| standing(states, &made)).collect::<Vec<_>>();
    let proposals = fixes.into_iter().zip(standings);
    Ok((proposals.map(|(failures, standing)| Proposal { failures, standing }).collect(), made))
}

/// What a file comes to for one of the changes of it.
enum State {
    ToMake(Edit),
    /// That of this file, told if what it held before is known.
    Made(String, Option<Edit>),
    Changed(String),
    Gone(String),
}

/// What its file comes to for a change, of all that there are.
fn state(edit: &KeptEdit, all: &[&KeptEdit], root: &Path) -> Result<State, UsageError> {
    let (name, path) = (edit.file().to_owned(), root.join(edit.file()));
    let content = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::Gone(name)),
        read => read.map_err(|error| UsageError(format!("cannot read {}: {error}", path.display())))?,
    };
    let alike: Vec<&KeptEdit> = all.iter().copied().filter(|other| other.is_of_the_same(edit)).collect();
    let Some(Found { before, made }) = found(&alike, &content) else {
        return Ok(if edit.leaves(&content) { State::Made(name, None) } else { State::Changed(name) });
    };
    let is_made = alike.iter().zip(made).any(|(other, made)| made && *other == edit);
    let edit = edit.of_before(before);
    Ok(if is_made { State::Made(name, Some(edit)) } else { State::ToMake(edit) })
}

/// Whether a fix can be applied besides those whose changes are made, by what its files come to.
fn standing(states: Vec<State>, made: &[Edit]) -> Standing {
    let (mut to_make, mut is_made) = (Vec::new(), None);
    for state in states {
        match state {
            State::ToMake(edit) => to_make.push(edit),
            State::Made(file, _) => is_made = Some(file),
            State::Changed(file) => return Standing::Changed(file),
            State::Gone(file) => return Standing::Gone(file),
        }
    }
    match (to_make.is_empty(), is_made) {
        (true, _) => Standing::Applied,
        // One of its files has it, and another has not.
        (false, Some(file)) => Standing::Changed(file),
        (false, None) => match joined(made, &to_make) {
            None => Standing::Apart,
            Some(all) => {
                let its = all.iter().filter(|edit| to_make.iter().any(|own| own.file == edit.file));
                let patch =
                    its.flat_map(|edit| between(&edit.file, &now(made, edit), &edit.after())).collect();
                Standing::Fits { edits: to_make, patch }
            }
        },
    }
}

/// What the file of a change holds, once those that are made are.
fn now(made: &[Edit], edit: &Edit) -> Vec<u8> {
    made.iter().find(|own| own.file == edit.file).map_or_else(|| edit.before.clone(), Edit::after)
}

/// The fixes that are to be applied: all, or those that the user says.
fn chosen<'a>(args: &FixArgs, proposals: &'a [Proposal], fitting: usize) -> anyhow::Result<Vec<&'a [Edit]>> {
    let fits = (1..).zip(proposals).filter_map(|(number, one)| match &one.standing {
        Standing::Fits { edits, .. } => Some((number, edits.as_slice())),
        _ => None,
    });
    if args.yes {
        return Ok(fits.map(|(_, edits)| edits).collect());
    }
    if !io::stdin().is_terminal() {
        return Err(UsageError(format!(
            "nothing is changed: nobody can be asked which of the {fitting} to apply, as standard input is no terminal. Give \
             --yes for all of them, or --check to see whether they can be applied"
        ))
        .into());
    }
    let fits: Vec<(usize, &[Edit])> = fits.collect();
    let numbers: Vec<usize> = fits.iter().map(|(number, _)| *number).collect();
    let answers = ask(&mut io::stdin().lock(), &mut anstream::stderr(), &numbers)?;
    Ok(fits.into_iter().filter(|(number, _)| answers.contains(number)).map(|(_, edits)| edits).collect())
}

/// Asks which of these fixes to apply.
fn ask(answers: &mut dyn BufRead, out: &mut dyn Write, numbers: &[usize]) -> io::Result<Vec<usize>> {
    let mut chosen = Vec::new();
    for (at, number) in numbers.iter().enumerate() {
        loop {
            write!(out, "apply fix {number}? yes, no, all that are left, or quit [y/n/a/q] ")?;
            out.flush()?;
            let mut answer = String::new();
            // No answer is none.
            let ended = answers.read_line(&mut answer)? == 0;
            match answer.trim().to_lowercase().as_str() {
                "y" | "yes" => chosen.push(*number),
                "n" | "no" => {}
                "a" | "all" => {
                    chosen.extend(&numbers[at..]);
                    return Ok(chosen);
                }
                "q" | "quit" => return Ok(Vec::new()),
                _ if ended => return Ok(Vec::new()),
                _ => continue,
            }
            break;
        }
    }
    Ok(chosen)
}

/// All changes, a file each, and how many of the fixes did not go together with those before them.
fn together(made: &[Edit], chosen: &[&[Edit]]) -> (Vec<Edit>, usize) {
    chosen.iter().fold((made.to_vec(), 0), |(all, apart), more| match joined(&all, more) {
        Some(joined) => (joined, apart),
        None => (all, apart + 1),
    })
}

/// Changes nothing that could not be brought back.
fn refuse_dirty(root: &Path, edits: &[Edit]) -> Result<(), UsageError> {
    let files: Vec<String> = edits.iter().map(|edit| edit.file.clone()).collect();
    let refused = |why: String| {
        Err(UsageError(format!(
            "nothing is changed: {why}. Commit it first, or give --allow-dirty to change it all the same"
        )))
    };
    match git::uncommitted(root, &files) {
        Ok(dirty) if dirty.is_empty() => Ok(()),
        Ok(dirty) => refused(format!("git could not bring {} back as it is", words::listed(&dirty))),
        Err(why) => {
            refused(format!("{why}, so that nothing could bring {} back as it is", words::listed(&files)))
        }
    }
}

/// Writes all of the files, or leaves each as it was.
fn write(root: &Path, edits: &[Edit], made: &[Edit]) -> Result<(), UsageError> {
    for (at, edit) in edits.iter().enumerate() {
        // In place, so that its mode and its links stay.
        let written = fs::write(root.join(&edit.file), edit.after());
        if let Err(error) = written {
            for before in &edits[..=at] {
                // What cannot be written now was not changed either.
                let _ = fs::write(root.join(&before.file), now(made, before));
            }
            return Err(UsageError(format!(
                "cannot write {}: {error}. Nothing is changed; make it writable",
                root.join(&edit.file).display()
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_apply_is_asked_one_by_one_until_it_is_said_of_all() {
        let answered = |answers: &str| {
            let mut out = Vec::new();
            let chosen = ask(&mut answers.as_bytes(), &mut out, &[1, 3, 4]).unwrap();
            (chosen, String::from_utf8(out).unwrap().matches("apply fix ").count())
        };
        assert_eq!(answered("y\nno\nyes\n"), (vec![1, 4], 3));
        assert_eq!(answered("n\na\n"), (vec![3, 4], 2));
        assert_eq!(answered("y\nwhat\n\nq\n"), (vec![], 4));
        assert_eq!(answered("y\n"), (vec![], 2), "whoever hangs up wants nothing");
    }
}
