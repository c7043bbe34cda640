//! `jostle fix`: the fixes of a session applied to the working tree, once they were shown and chosen.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cli::ExitCode;
use crate::cli::args::FixArgs;
use crate::cli::commands::last_session;
use crate::cli::commands::suite_run::STDOUT;
use crate::cli::config;
use crate::cli::values::UsageError;
use crate::explain::fix::Edit;
use crate::explain::fix::diff::between;
use crate::explain::fix::edit::joined;
use crate::record::atomic_file::Replacement;
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
    let (proposals, tree) = proposals(files, &root)?;
    let mut out = anstream::stdout();
    for (number, one) in (1..).zip(&proposals) {
        proposal(&mut out, number, one).context(STDOUT)?;
    }
    out.flush().context(STDOUT)?;
    let counts = Counts::of(&proposals);
    let code = if counts.cannot > 0 { ExitCode::Found } else { ExitCode::Clean };
    let held_back = |edits: &[Edit]| match args.allow_dirty {
        true => None,
        false => held_back(&root, edits),
    };
    if args.check || counts.fitting == 0 {
        let all: Vec<&[Edit]> = proposals.iter().filter_map(edits_of).collect();
        let why = held_back(&tree.to_write(&all).0);
        writeln!(out, "{}", counts.told(why.as_deref())).context(STDOUT)?;
        return Ok(if why.is_some() { ExitCode::Found } else { code });
    }
    let chosen = chosen(args, &proposals, counts.fitting)?;
    let (edits, apart) = tree.to_write(&chosen);
    if let Some(why) = held_back(&edits) {
        return Err(UsageError(format!("nothing is changed: {why}")).into());
    }
    write(&root, &edits, &tree)?;
    tell(&mut out, &edits, apart, &verify(args, &named, &folder)).context(STDOUT)?;
    Ok(if apart > 0 { ExitCode::Found } else { code })
}

/// How many of the fixes can be applied.
struct Counts {
    fitting: usize,
    cannot: usize,
    applied: usize,
}

impl Counts {
    fn of(proposals: &[Proposal]) -> Self {
        let count =
            |is: fn(&Standing) -> bool| proposals.iter().filter(|proposal| is(&proposal.standing)).count();
        let fitting = count(|standing| matches!(standing, Standing::Fits { .. }));
        let applied = count(|standing| matches!(standing, Standing::Applied));
        Self { fitting, cannot: proposals.len() - fitting - applied, applied }
    }

    /// In one line, with why they are `held_back` as things stand, if so.
    fn told(&self, held_back: Option<&str>) -> String {
        let fixes = words::count_of(self.fitting, "fix", "fixes");
        let only = if held_back.is_some() { " with --allow-dirty only" } else { "" };
        let applied = match self.applied {
            0 => String::new(),
            1 => ", 1 is applied already".to_owned(),
            more => format!(", {more} are applied already"),
        };
        let why = held_back.map_or_else(String::new, |why| format!(": {why}"));
        format!("{fixes} can be applied{only}, {} cannot be{applied}{why}", self.cannot)
    }
}

/// The changes of a fix that can be applied.
fn edits_of(proposal: &Proposal) -> Option<&[Edit]> {
    match &proposal.standing {
        Standing::Fits { edits, .. } => Some(edits),
        _ => None,
    }
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
fn verify(args: &FixArgs, named: &[PathBuf], folder: &Path) -> String {
    let quoted = |path: &PathBuf| Some(shlex::try_quote(path.to_str()?).ok()?.into_owned());
    let rootdir = args.rootdir.as_ref().and_then(quoted).map(|path| format!("--rootdir {path}"));
    let words =
        ["jostle verify".to_owned()].into_iter().chain(named.iter().filter_map(quoted)).chain(rootdir);
    // How a suite is run that the named failures are of is not known.
    let options = if args.failures.is_empty() { last_session::read(folder).options } else { String::new() };
    words.collect::<Vec<_>>().join(" ") + &options
}

/// The failure files that have fixes, and what was named to find them.
fn failures(args: &FixArgs, folder: &Path) -> anyhow::Result<(Vec<FailureFile>, Vec<PathBuf>)> {
    let usage = |error: RecordError| UsageError(error.to_string());
    let of_session = args.failures.is_empty();
    let mut named = args.failures.clone();
    let mut files = Vec::new();
    if of_session {
        let kept_in = last_session::folder(folder)?;
        files = last_session::files(folder).map_err(usage)?;
        // `jostle verify` knows them without being told, unless a folder is configured that it looks into first.
        if config::read(folder)?.failures.is_some() {
            named.push(kept_in);
        }
    }
    for path in &args.failures {
        files.extend(FailureFile::read_all(path).map_err(usage)?);
    }
    let mut files: Vec<FailureFile> = files.into_iter().map(|(_, file)| file).collect();
    let without = files.len();
    files.retain(|file| !file.fix.is_empty());
    if files.is_empty() {
        let why = match of_session {
            true => last_session::no_fix(folder, without),
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
fn proposals(files: Vec<FailureFile>, root: &Path) -> Result<(Vec<Proposal>, Tree), UsageError> {
    let mut fixes: Vec<Vec<FailureFile>> = Vec::new();
    for file in files {
        match fixes.iter_mut().find(|failures| failures[0].fix == file.fix) {
            Some(same) => same.push(file),
            None => fixes.push(vec![file]),
        }
    }
    let all: Vec<&KeptEdit> = fixes.iter().flat_map(|failures| &failures[0].fix).collect();
    let mut tree = Tree { contents: contents(&all, root)?, made: Vec::new() };
    let states = fixes
        .iter()
        .map(|failures| failures[0].fix.iter().map(|edit| state(edit, &all, &tree.contents)).collect());
    let states: Vec<Vec<State>> = states.collect();
    let made = states.iter().flatten().filter_map(|state| match state {
        State::Made(_, Some(edit)) => Some(std::slice::from_ref(edit)),
        _ => None,
    });
    (tree.made, _) = tree.together(&made.collect::<Vec<_>>());
    let standings = states.into_iter().map(|states| standing(states, &tree)).collect::<Vec<_>>();
    let proposals = fixes.into_iter().zip(standings);
    Ok((proposals.map(|(failures, standing)| Proposal { failures, standing }).collect(), tree))
}

/// What the files of all fixes held when they were read, once for all that is computed from it. Those that are not there are
/// left out.
fn contents(all: &[&KeptEdit], root: &Path) -> Result<BTreeMap<String, Vec<u8>>, UsageError> {
    let mut contents = BTreeMap::new();
    for edit in all {
        let path = root.join(edit.file());
        match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            read => {
                let read =
                    read.map_err(|error| UsageError(format!("cannot read {}: {error}", path.display())))?;
                contents.entry(edit.file().to_owned()).or_insert(read);
            }
        }
    }
    Ok(contents)
}

/// The project's files as they were found.
struct Tree {
    /// What they hold.
    contents: BTreeMap<String, Vec<u8>>,
    /// The changes that were made of them already.
    made: Vec<Edit>,
}

impl Tree {
    /// What the file of a change holds.
    fn now<'a>(&'a self, edit: &'a Edit) -> &'a [u8] {
        self.contents.get(&edit.file).unwrap_or(&edit.before)
    }

    /// Some changes with more. What was tried with the files as they are now has in it what was made of them before.
    fn joined(&self, all: &[Edit], more: &[Edit]) -> Option<Vec<Edit>> {
        let is_in_it = |own: &Edit| {
            let is_later =
                |new: &Edit| new.file == own.file && new.before != own.before && new.before == self.now(own);
            self.made.contains(own) && more.iter().any(is_later)
        };
        let others: Vec<Edit> = all.iter().filter(|own| !is_in_it(own)).cloned().collect();
        joined(&others, more)
    }

    /// Those of [`Tree::together`] that are still to be made.
    fn to_write(&self, chosen: &[&[Edit]]) -> (Vec<Edit>, usize) {
        let (edits, apart) = self.together(chosen);
        (edits.into_iter().filter(|edit| !self.made.contains(edit)).collect(), apart)
    }

    /// All changes, a file each, and how many of the fixes did not go together with those before them.
    fn together(&self, chosen: &[&[Edit]]) -> (Vec<Edit>, usize) {
        chosen.iter().fold((self.made.clone(), 0), |(all, apart), more| match self.joined(&all, more) {
            Some(joined) => (joined, apart),
            None => (all, apart + 1),
        })
    }
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
fn state(edit: &KeptEdit, all: &[&KeptEdit], contents: &BTreeMap<String, Vec<u8>>) -> State {
    let name = edit.file().to_owned();
    let Some(content) = contents.get(&name) else {
        return State::Gone(name);
    };
    let alike: Vec<&KeptEdit> = all.iter().copied().filter(|other| other.is_of_the_same(edit)).collect();
    let Some(Found { before, made }) = found(&alike, content) else {
        return if edit.leaves(content) { State::Made(name, None) } else { State::Changed(name) };
    };
    let is_made = alike.iter().zip(made).any(|(other, made)| made && *other == edit);
    let edit = edit.of_before(before);
    if is_made { State::Made(name, Some(edit)) } else { State::ToMake(edit) }
}

/// Whether a fix can be applied besides those whose changes are made, by what its files come to.
fn standing(states: Vec<State>, tree: &Tree) -> Standing {
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
        (false, None) => match tree.joined(&tree.made, &to_make) {
            None => Standing::Apart,
            Some(all) => {
                let its = all.iter().filter(|edit| to_make.iter().any(|own| own.file == edit.file));
                let patch = its.flat_map(|edit| between(&edit.file, tree.now(edit), &edit.after())).collect();
                Standing::Fits { edits: to_make, patch }
            }
        },
    }
}

/// The fixes that are to be applied: all, or those that the user says.
fn chosen<'a>(args: &FixArgs, proposals: &'a [Proposal], fitting: usize) -> anyhow::Result<Vec<&'a [Edit]>> {
    let fits = (1..).zip(proposals).filter_map(|(number, one)| Some((number, edits_of(one)?)));
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

/// Why files could not be brought back once they are changed, and what to do about that; none if they could.
fn held_back(root: &Path, edits: &[Edit]) -> Option<String> {
    if edits.is_empty() {
        return None;
    }
    let files: Vec<String> = edits.iter().map(|edit| edit.file.clone()).collect();
    let is = |files: &[String]| if files.len() == 1 { "is" } else { "are" };
    let it = |files: &[String]| if files.len() == 1 { "it" } else { "them" };
    let as_is = |files: &[String]| if files.len() == 1 { "as it is" } else { "as they are" };
    let led = git::led_elsewhere(root, &files);
    if !led.is_empty() {
        return Some(format!(
            "{} {} reached through a symbolic link, so that git says nothing of what that leads to. Give --allow-dirty to \
             change that all the same",
            words::listed(&led),
            is(&led)
        ));
    }
    let has_another = |file: &&String| root.join(file).metadata().is_ok_and(|metadata| metadata.nlink() > 1);
    let shared: Vec<String> = files.iter().filter(has_another).cloned().collect();
    if !shared.is_empty() {
        let [has, name, stay] = match shared.len() {
            1 => ["has another name", "this name", "it would stay as it is"],
            _ => ["have other names", "these names", "they would stay as they are"],
        };
        return Some(format!(
            "{} {has} as well (a hard link), under which {stay}. Give --allow-dirty to change {} under {name} alone",
            words::listed(&shared),
            it(&shared)
        ));
    }
    match git::uncommitted(root, &files) {
        Ok(dirty) if dirty.is_empty() => None,
        Ok(dirty) => Some(format!(
            "git could not bring {} back {}. Commit {it} first, or give --allow-dirty to change {it} all the same",
            words::listed(&dirty),
            as_is(&dirty),
            it = it(&dirty)
        )),
        // There is nothing to commit to.
        Err(why) => Some(format!(
            "{why}, so that nothing could bring {} back {}. Give --allow-dirty to change {} all the same",
            words::listed(&files),
            as_is(&files),
            it(&files)
        )),
    }
}

fn refused(root: &Path, edit: &Edit, error: &io::Error) -> UsageError {
    UsageError(format!(
        "cannot write {}: {error}. Nothing is changed; see that it and its folder can be written and have room",
        root.join(&edit.file).display()
    ))
}

/// Writes all of the files, or leaves each as it was.
fn write(root: &Path, edits: &[Edit], tree: &Tree) -> Result<(), UsageError> {
    let path = |edit: &Edit| root.join(&edit.file);
    // What each held is written as well, so that to bring it back takes no room that there may not be by then.
    let mut all = Vec::new();
    for edit in edits {
        let written = |content: &[u8]| Replacement::new(&path(edit), content);
        let both = written(&edit.after()).and_then(|new| Ok((new, written(tree.now(edit))?)));
        all.push((edit, both.map_err(|error| refused(root, edit, &error))?));
    }
    for edit in edits {
        // Somebody may have edited it while he was asked.
        let content = fs::read(path(edit)).map_err(|error| refused(root, edit, &error))?;
        if content != tree.now(edit) {
            return Err(UsageError(format!(
                "nothing is changed: {} was changed since jostle fix read it. Run jostle fix again",
                path(edit).display()
            )));
        }
    }
    put(root, all)
}

/// Puts what is written in the place of each file, and, if one cannot be put there, what was there back.
fn put(root: &Path, all: Vec<(&Edit, (Replacement, Replacement))>) -> Result<(), UsageError> {
    let mut olds: Vec<(&Edit, Replacement)> = Vec::new();
    for (edit, (new, old)) in all {
        let Err(error) = new.put() else {
            olds.push((edit, old));
            continue;
        };
        let left = olds.into_iter().filter_map(|(edit, old)| old.put().is_err().then(|| edit.file.clone()));
        let left: Vec<String> = left.collect();
        if left.is_empty() {
            return Err(refused(root, edit, &error));
        }
        return Err(UsageError(format!(
            "cannot write {}: {error}. Its fix is not whole: {} is changed and could not be brought back. Bring it back with git",
            root.join(&edit.file).display(),
            words::listed(&left)
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::explain::fix::edit::Rank;

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

    fn edit(file: &str, before: &str, texts: &[&str]) -> Edit {
        let mut edit = Edit { file: file.into(), before: before.into(), splices: Vec::new() };
        texts.iter().for_each(|text| edit.add(0, Rank::Line, text));
        edit
    }

    fn tree(contents: &[(&str, &str)], made: Vec<Edit>) -> Tree {
        let contents = contents.iter().map(|&(file, content)| (file.to_owned(), content.into()));
        Tree { contents: contents.collect(), made }
    }

    #[test]
    fn what_was_edited_meanwhile_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let read = |file: &str| fs::read_to_string(folder.path().join(file)).unwrap();
        fs::write(folder.path().join("a.py"), "a\n").unwrap();
        fs::write(folder.path().join("b.py"), "b\n").unwrap();
        let tree = tree(&[("a.py", "a\n"), ("b.py", "b\n")], Vec::new());
        let edits = [edit("a.py", "a\n", &["new\n"]), edit("b.py", "b\n", &["new\n"])];
        fs::write(folder.path().join("b.py"), "an hour of work\n").unwrap();
        let told = write(folder.path(), &edits, &tree).unwrap_err().0;
        assert!(told.contains("b.py was changed since"), "{told}");
        assert_eq!((read("a.py"), read("b.py")), ("a\n".into(), "an hour of work\n".into()));
        fs::write(folder.path().join("b.py"), "b\n").unwrap();
        write(folder.path(), &edits, &tree).unwrap();
        assert_eq!((read("a.py"), read("b.py")), ("new\na\n".into(), "new\nb\n".into()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left");
    }

    #[test]
    fn a_file_keeps_its_mode_and_a_link_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("a.py"), folder.path().join("link.py"));
        fs::write(&file, "a\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o751)).unwrap();
        symlink("a.py", &link).unwrap();
        write(folder.path(), &[edit("link.py", "a\n", &["new\n"])], &tree(&[("link.py", "a\n")], Vec::new()))
            .unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new\na\n");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o751);
        assert!(link.symlink_metadata().unwrap().is_symlink());
    }

    #[test]
    fn a_full_disk_leaves_the_file_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.py");
        fs::write(&file, "a\n").unwrap();
        let inode = file.metadata().unwrap().ino();
        // What is written is not yet what the file holds: the file is another one once all of it is there.
        let new = Replacement::new(&file, b"new\n").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "a\n");
        drop(new);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        write(folder.path(), &[edit("a.py", "a\n", &["new\n"])], &tree(&[("a.py", "a\n")], Vec::new()))
            .unwrap();
        assert_ne!(
            file.metadata().unwrap().ino(),
            inode,
            "never written in place, where it would be empty first"
        );
    }

    /// A fix of two files, the second of which cannot be put in its place.
    struct Half {
        folder: tempfile::TempDir,
        edits: [Edit; 2],
    }

    impl Half {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let edits = ["a.py", "b.py"].map(|file| {
                fs::write(folder.path().join(file), "old\n").unwrap();
                edit(file, "old\n", &["new\n"])
            });
            Self { folder, edits }
        }

        /// Puts both, once `spoil` was done with the folder.
        fn put(&self, spoil: impl FnOnce(&Path)) -> String {
            let root = self.folder.path();
            let written =
                |edit: &Edit, content: &[u8]| Replacement::new(&root.join(&edit.file), content).unwrap();
            let both = |edit| (edit, (written(edit, &edit.after()), written(edit, b"old\n")));
            let all: Vec<_> = self.edits.iter().map(both).collect();
            fs::remove_file(root.join("b.py")).unwrap();
            fs::create_dir(root.join("b.py")).unwrap();
            spoil(root);
            put(root, all).unwrap_err().0
        }
    }

    #[test]
    fn what_was_written_is_brought_back_once_another_file_cannot_be() {
        let half = Half::new();
        let told = half.put(|_| ());
        assert!(told.contains("b.py") && told.contains("Nothing is changed"), "{told}");
        assert_eq!(fs::read_to_string(half.folder.path().join("a.py")).unwrap(), "old\n");
        assert_eq!(fs::read_dir(half.folder.path()).unwrap().count(), 2, "nothing else is left");
    }

    #[test]
    fn what_cannot_be_brought_back_is_named() {
        let half = Half::new();
        let told = half.put(|root| {
            for entry in fs::read_dir(root).unwrap() {
                let path = entry.unwrap().path();
                let is_kept = path.is_file() && !path.ends_with("a.py");
                if is_kept && fs::read_to_string(&path).unwrap() == "old\n" {
                    fs::remove_file(path).unwrap();
                }
            }
        });
        assert!(told.contains("Its fix is not whole: a.py is changed"), "{told}");
        assert_eq!(fs::read_to_string(half.folder.path().join("a.py")).unwrap(), "new\nold\n");
    }

    #[test]
    fn a_file_with_another_name_is_changed_only_if_that_is_wanted() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.py"), "a\n").unwrap();
        fs::hard_link(folder.path().join("a.py"), folder.path().join("b.py")).unwrap();
        let told = held_back(folder.path(), &[edit("a.py", "a\n", &["new\n"])]).unwrap();
        assert!(told.contains("a.py has another name as well (a hard link)"), "{told}");
    }

    #[test]
    fn a_link_out_of_the_repository_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (root, outside) = (folder.path().join("project"), folder.path().join("outside"));
        fs::create_dir_all(&root).unwrap();
        fs::create_dir_all(&outside).unwrap();
        fs::write(outside.join("y.py"), "a\n").unwrap();
        symlink("../outside/y.py", root.join("z.py")).unwrap();
        symlink("../outside", root.join("tests")).unwrap();
        for file in ["z.py", "tests/y.py"] {
            let told = held_back(&root, &[edit(file, "a\n", &["new\n"])]).unwrap();
            assert!(told.contains(&format!("{file} is reached through a symbolic link")), "{told}");
        }
    }

    #[test]
    fn a_fix_that_was_found_once_another_was_applied_goes_with_it() {
        let first = edit("a.py", "a\n", &["one\n"]);
        let second = edit("a.py", "one\na\n", &["two\n"]);
        let tree = tree(&[("a.py", "one\na\n")], vec![first.clone()]);
        let fits = standing(vec![State::ToMake(second.clone())], &tree);
        assert!(matches!(fits, Standing::Fits { .. }), "{fits:?}");
        assert_eq!(tree.together(&[std::slice::from_ref(&second)]), (vec![second], 0));
        // One that was tried before the first was applied goes with the first.
        let beside = edit("a.py", "a\n", &["three\n"]);
        let both = vec![first.with(&beside).unwrap()];
        assert_eq!(tree.together(&[std::slice::from_ref(&beside)]), (both, 0));
    }
}
