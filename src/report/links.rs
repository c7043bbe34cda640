//! Links from a report to the files that it names, for terminals that follow them. The one file that knows OSC 8.

use std::path::{Path, PathBuf};

use anstyle_hyperlink::{Hyperlink, path_to_url};

use crate::report::words;
use crate::suite::{Suite, TestIndex};

/// Where the files are that a report names, if it is to have links to them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Links<'a> {
    folder: Option<&'a Path>,
}

impl<'a> Links<'a> {
    /// Links to files below the folder that pytest is run in, or below one above it, as its rootdir may be; none where
    /// standard output is no terminal that is known to follow them.
    pub(crate) fn of_terminal(folder: &'a Path) -> Self {
        let follows = supports_hyperlinks::on(supports_hyperlinks::Stream::Stdout);
        Self { folder: Some(folder).filter(|_| follows) }
    }

    /// A test as [`words::test`] names it, which leads to the file that defines it.
    pub(crate) fn test(self, suite: &Suite, test: TestIndex) -> String {
        self.lead(words::test(suite, test), &suite.test(test).file)
    }

    /// A text that leads to a file.
    fn lead(self, text: String, file: &str) -> String {
        let url = self.path(file).and_then(|path| path_to_url(&path));
        url.map_or(text.clone(), |url| {
            let link = Hyperlink::with_url(url);
            format!("{link}{text}{link:#}")
        })
    }

    fn path(self, file: &str) -> Option<PathBuf> {
        self.folder?.ancestors().map(|folder| folder.join(file)).find(|path| path.is_file())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::fake_engine::{suite, test};

    #[test]
    fn a_test_leads_to_its_file_where_there_is_one_and_the_terminal_follows() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("tests of 100 %");
        std::fs::create_dir(&folder).unwrap();
        let linked = || Links { folder: Some(&folder) }.test(&suite(8), test('a'));
        assert_eq!(linked(), "test_a.py:1 a", "there is no such file");
        assert_eq!(Links::default().test(&suite(8), test('a')), "test_a.py:1 a");
        std::fs::write(root.path().join("test_a.py"), "").unwrap();
        let link = linked();
        assert!(
            link.starts_with("\x1b]8;;file://") && link.ends_with("test_a.py:1 a\x1b]8;;\x1b\\"),
            "{link}"
        );
        std::fs::write(folder.join("test_a.py"), "").unwrap();
        let link = linked();
        assert!(link.contains("/tests%20of%20100%20%25/test_a.py\x1b\\test_a.py:1 a"), "{link}");
        assert_eq!(
            anstream::adapter::strip_str(&link).to_string(),
            "test_a.py:1 a",
            "as in a file or a pipe"
        );
    }
}
