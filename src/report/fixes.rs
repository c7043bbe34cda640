//! The report of `jostle fix`: fixes, before they are applied.

use std::io::{self, Write};

use crate::explain::fix::{Edit, diff};
use crate::record::FailureFile;
use crate::report::patch;
use crate::report::terminal::{BAD, DIM, DOUBTFUL, GOOD};

/// Whether a fix can be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The project's files are as they were when it was tried.
    Fits(Vec<Edit>),
    /// They are as it leaves them.
    Applied,
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
        let places = failure.places.join(", ");
        writeln!(
            out,
            "fix {number}  {BAD}{}{BAD:#} {}  {DIM}{places}{DIM:#}",
            failure.kind.name(),
            failure.test
        )?;
    }
    match &proposal.standing {
        Standing::Fits(edits) => {
            patch::write(out, &String::from_utf8_lossy(&diff(edits)))?;
        }
        Standing::Applied => writeln!(out, "  {GOOD}is applied already{GOOD:#}")?,
        Standing::Changed(file) => writeln!(
            out,
            "  {DOUBTFUL}cannot be applied{DOUBTFUL:#}: {file} is not as it was when the fix was tried. Run jostle stress again"
        )?,
        Standing::Gone(file) => writeln!(
            out,
            "  {DOUBTFUL}cannot be applied{DOUBTFUL:#}: there is no {file} here. Give the folder that pytest is run in with --rootdir"
        )?,
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::fix::edit::{Rank, Splice};
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
        let splice = Splice { at: 0, end: 0, rank: Rank::Import, text: b"import shop\n".to_vec() };
        let edit = Edit { file: "test_b.py".into(), before: b"a\n".to_vec(), splices: vec![splice] };
        let head = "fix 2  victim test_h.py::h  shop.prices.CACHE\n";
        let patch = "    --- a/test_b.py\n    +++ b/test_b.py\n    @@ -1 +1,2 @@\n    +import shop\n     a\n";
        assert_eq!(of_one(Standing::Fits(vec![edit])), format!("{head}{patch}\n"));
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
