//! The report of `jostle fix`: fixes, before they are applied.

use std::io::{self, Write};

use crate::explain::fix::Edit;
use crate::record::FailureFile;
use crate::report::patch::{self, plain};
use crate::report::terminal::{BAD, DIM, DOUBTFUL, GOOD};

/// Whether a fix can be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The project's files are as they were when it was tried, but for other fixes that are applied already.
    Fits {
        /// The changes of these files as they were.
        edits: Vec<Edit>,
        /// What that comes to now, as a unified diff.
        patch: Vec<u8>,
    },
    /// They have it already.
    Applied,
    /// It does not go together with what is applied already.
    Apart,
    /// This file is another one.
    Changed(String),
    /// This file is not there.
    Gone(String),
}

/// A fix, and of which failures it is.
#[derive(Clone, Debug)]
pub(crate) struct Proposal {
    /// The failures that it undoes; one at least.
    pub(crate) failures: Vec<FailureFile>,
    /// Whether it can be applied.
    pub(crate) standing: Standing,
}

/// Writes a fix with its number.
///
/// # Errors
/// Those of the writer.
pub(crate) fn proposal(out: &mut dyn Write, number: usize, proposal: &Proposal) -> io::Result<()> {
    for failure in &proposal.failures {
        let places = plain(&failure.places.join(", "));
        writeln!(
            out,
            "fix {number}  {BAD}{}{BAD:#} {}  {DIM}{places}{DIM:#}",
            failure.kind.name(),
            plain(&failure.test.to_string())
        )?;
    }
    match &proposal.standing {
        Standing::Fits { patch, .. } => patch::write(out, &String::from_utf8_lossy(patch))?,
        Standing::Applied => writeln!(out, "  {GOOD}is applied already{GOOD:#}")?,
        Standing::Apart => writeln!(
            out,
            "  {DOUBTFUL}cannot be applied{DOUBTFUL:#}: it does not go together with a fix that is applied already. Run jostle stress again"
        )?,
        Standing::Changed(file) => writeln!(
            out,
            "  {DOUBTFUL}cannot be applied{DOUBTFUL:#}: {file} is not as it was when the fix was tried. Run jostle stress again",
            file = plain(file)
        )?,
        Standing::Gone(file) => writeln!(
            out,
            "  {DOUBTFUL}cannot be applied{DOUBTFUL:#}: there is no {file} here. Give the folder that pytest is run in with --rootdir",
            file = plain(file)
        )?,
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::everything;

    #[test]
    fn whether_a_fix_can_be_applied_is_told_with_why_not() {
        let result = everything();
        let failure = FailureFile::new(&result.findings[0], &result.collected).unwrap();
        let told = |failures: Vec<FailureFile>, standing: Standing| {
            let mut out = Vec::new();
            proposal(&mut out, 2, &Proposal { failures, standing }).unwrap();
            anstream::adapter::strip_str(std::str::from_utf8(&out).unwrap()).to_string()
        };
        let of_one = |standing| told(vec![failure.clone()], standing);
        let head = "fix 2  victim test_h.py::h  shop.prices.CACHE\n";
        let patch = b"--- a/test_b.py\n+++ b/test_b.py\n@@ -1 +1,2 @@\n+import shop\n a\n".to_vec();
        let shown: String =
            String::from_utf8_lossy(&patch).lines().map(|line| format!("    {line}\n")).collect();
        assert_eq!(of_one(Standing::Fits { edits: Vec::new(), patch }), format!("{head}{shown}\n"));
        let apart = of_one(Standing::Apart);
        assert!(
            apart.contains("  cannot be applied: it does not go together with a fix that is applied"),
            "{apart}"
        );
        assert_eq!(of_one(Standing::Applied), format!("{head}  is applied already\n\n"));
        let changed = of_one(Standing::Changed("test_b.py".into()));
        assert!(
            changed.contains("  cannot be applied: test_b.py is not as it was when the fix was tried"),
            "{changed}"
        );
        let gone = of_one(Standing::Gone("test_b.py".into()));
        assert!(gone.contains("  cannot be applied: there is no test_b.py here"), "{gone}");
        let both = told(vec![failure.clone(), failure.clone()], Standing::Applied);
        assert_eq!(both.matches(head).count(), 2, "{both}");
    }
}
