//! Writes the page for `--html`.

use std::path::Path;

use crate::cli::result_options::ResultOptions;
use crate::cli::values::UsageError;
use crate::record::atomic_file;
use crate::report::Again;
use crate::report::page::page;
use crate::report::page::sources::{Sources, wanted};
use crate::report::page::trials::Trials;
use crate::session::SessionResult;

/// A file of the project that is larger is not looked into.
const SOURCE_BYTES: u64 = 4 << 20;

/// What is kept of trials as they end, if there is to be a page.
pub(crate) fn trials(options: &ResultOptions) -> Option<Trials> {
    options.html.as_ref().map(|_| Trials::default())
}

/// Writes the page, if it is asked for.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn write(
    options: &ResultOptions,
    outline: &SessionResult,
    trials: Option<&Trials>,
    again: Again<'_>,
) -> anyhow::Result<()> {
    let (Some(path), Some(trials)) = (&options.html, trials) else { return Ok(()) };
    let rootdir = Path::new(&outline.collected.interpreter.rootdir);
    let sources = Sources::new(&wanted(outline), |file| source(rootdir, file));
    let page = page(outline, trials, &sources, again);
    atomic_file::write(path, page.as_bytes()).map_err(|error| {
        let path = path.display();
        UsageError(format!("cannot write --html {path}: {error}. Give a file that can be written"))
    })?;
    Ok(())
}

/// A file of the project, and of nothing outside of it.
fn source(rootdir: &Path, file: &str) -> Option<String> {
    let path = rootdir.join(file).canonicalize().ok()?;
    let is_inside = path.starts_with(rootdir.canonicalize().ok()?);
    let content = is_inside.then(|| atomic_file::read(&path, SOURCE_BYTES).ok())??;
    Some(String::from_utf8_lossy(&content).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::everything;

    #[test]
    fn only_files_of_the_project_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("project");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join("a.py"), "x = 1\n").unwrap();
        std::fs::write(folder.path().join("b.py"), "y = 2\n").unwrap();
        std::os::unix::fs::symlink("../b.py", root.join("c.py")).unwrap();
        assert_eq!(source(&root, "a.py").as_deref(), Some("x = 1\n"));
        let outside = folder.path().join("b.py").display().to_string();
        for file in ["../b.py", "c.py", "d.py", "", outside.as_str()] {
            assert_eq!(source(&root, file), None, "{file}");
        }
    }

    #[test]
    fn a_page_that_cannot_be_written_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let options =
            |name: &str| ResultOptions { html: Some(folder.path().join(name)), ..ResultOptions::default() };
        let written = |name: &str| {
            let options = options(name);
            write(&options, &everything(), trials(&options).as_ref(), Again::Gone)
        };
        written("page.html").unwrap();
        assert!(std::fs::read_to_string(folder.path().join("page.html")).unwrap().ends_with("</html>"));
        let error = written("none/page.html").unwrap_err();
        assert!(error.is::<UsageError>() && error.to_string().starts_with("cannot write --html"), "{error}");
    }
}
