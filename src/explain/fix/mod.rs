//! Proposed fixes, as diffs: a fixture of the polluter's that leaves a place as it found it or keeps a file in a
//! folder of its own, a fixture's narrower scope, what a brittle test needs, a copied parameter.
//!
//! A proposal only: it is shown once it was tried in a copy of the project. Each is as narrow as it can be, since
//! what is cleaned up after a test may be in use by another one elsewhere.

mod keep;
mod own_folder;
mod parameter;
mod scope;
mod source;
mod statement;

use similar::TextDiff;

use crate::explain::Mend;
use keep::Subject;
pub use parameter::with_copied_parameter;
pub use scope::with_function_scope;
use source::{Addition, add};
pub use statement::{Statement, without_statement};

/// A change of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The file, relative to rootdir.
    pub file: String,
    /// What it holds afterwards.
    pub content: String,
}

/// Who uses a fixture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Users<'a> {
    /// The tests whose definitions start at these 1-based lines.
    Tests(&'a [u32]),
    /// All tests of the file.
    File,
}

/// What a fixture is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// To leave the place as it was found.
    Keep,
    /// To keep a file in a folder of the test's own.
    OwnFolder,
    /// To run a statement, and to leave the place as it was found.
    SetUp(&'a Statement),
}

/// The content of a test module with a fixture for a place; none if no fixture is known that could
/// serve, or one of its name stands there already.
pub fn with_fixture(
    file: &str,
    content: &str,
    mend: &Mend,
    purpose: Purpose<'_>,
    users: Users<'_>,
) -> Option<String> {
    let stem = file.rsplit('/').next()?.strip_suffix(".py")?;
    let subject = Subject::new(mend, stem)?;
    let body = match purpose {
        Purpose::Keep => subject.keep(mend)?,
        Purpose::OwnFolder => own_folder::body(mend, stem)?,
        Purpose::SetUp(statement) => statement.before(subject.keep(mend)?, stem),
    };
    let shown = subject.shown(mend);
    let (verb, says) = match purpose {
        Purpose::Keep => ("restore", format!("Leave `{shown}` as it was found.")),
        Purpose::OwnFolder => ("own", format!("Keep `{shown}` in the test's own folder.")),
        Purpose::SetUp(_) => ("set_up", format!("Set `{shown}` up, and leave it as it was found.")),
    };
    let name = format!("_{verb}_{}", slug(&shown));
    if content.contains(&format!("def {name}(")) {
        return None;
    }
    let (decorator, decorators) = match users {
        Users::File => ("@pytest.fixture(autouse=True)", Vec::new()),
        Users::Tests(lines) => {
            let uses = format!("@pytest.mark.usefixtures(\"{name}\")");
            ("@pytest.fixture", lines.iter().map(|&line| (line, uses.clone())).collect())
        }
    };
    let docstring = (!says.contains('\\') && !says.contains("\"\"\"")).then(|| format!("\"\"\"{says}\"\"\""));
    let block = body.fixture(&name, decorator, docstring, content);
    add(content, &Addition { block: &block, imports: &["pytest"], decorators: &decorators })
}

/// The edits as one unified diff, against the files as they are.
pub fn diff(edits: &[(String, Edit)]) -> String {
    let one = |(old, edit): &(String, Edit)| {
        let diff = TextDiff::from_lines(old.as_str(), edit.content.as_str());
        diff.unified_diff().header(&format!("a/{}", edit.file), &format!("b/{}", edit.file)).to_string()
    };
    edits.iter().map(one).collect()
}

/// Whether a value, as it is shown, is an expression for itself.
fn is_literal(shown: &str) -> bool {
    let is_string = |quote: char| {
        shown.len() > 1
            && shown.starts_with(quote)
            && shown.ends_with(quote)
            && !shown[1..shown.len() - 1].contains([quote, '\\', '…'])
            // It stands for a folder that has another name in each run.
            && !shown.contains("$TMPDIR")
    };
    matches!(shown, "None" | "True" | "False" | "[]" | "{}" | "set()")
        || (shown.parse::<f64>().is_ok() && shown.starts_with(|c: char| c.is_ascii_digit() || c == '-'))
        || is_string('\'')
        || is_string('"')
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn slug(shown: &str) -> String {
    let words = shown.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<String> = words.map(str::to_ascii_lowercase).collect();
    words[words.len().saturating_sub(3)..].join("_")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::explain::place::Holder;

    fn mend(how: &str) -> Mend {
        Mend {
            how: how.into(),
            module: "shop.prices".into(),
            object: "shop.prices._DISCOUNTS".into(),
            attribute: "rate".into(),
            key: "TZ".into(),
            ..Mend::default()
        }
    }

    #[test]
    fn a_fixture_comes_after_the_imports() {
        let content = "\"\"\"Prices.\"\"\"\nfrom shop import (\n    a,\n    b,\n)\n\nX = 1\n";
        let fixed =
            with_fixture("tests/test_prices.py", content, &mend("dict"), Purpose::Keep, Users::File).unwrap();
        let start = "\"\"\"Prices.\"\"\"\nfrom shop import (\n    a,\n    b,\n)\nimport pytest\n\n\n@pytest.fixture(autouse=True)\n";
        assert!(fixed.starts_with(start), "{fixed}");
        assert!(fixed.contains("    saved = dict(shop.prices._DISCOUNTS)\n    yield\n"), "{fixed}");
        assert!(fixed.ends_with("    shop.prices._DISCOUNTS.update(saved)\n\n\nX = 1\n"), "{fixed}");
    }

    #[test]
    fn only_the_polluters_use_it() {
        let content = "import shop\n\n\ndef test_a():\n    pass\n\n\nclass TestB:\n    @mark\n    def test_b(self):\n        pass\n";
        let fix =
            |lines| with_fixture("test_a.py", content, &mend("dict"), Purpose::Keep, Users::Tests(lines));
        let fixed = fix(&[9]).unwrap();
        assert!(fixed.contains("@pytest.fixture\ndef _restore_shop_prices_discounts():"), "{fixed}");
        let marked =
            "class TestB:\n    @pytest.mark.usefixtures(\"_restore_shop_prices_discounts\")\n    @mark\n";
        assert!(fixed.contains(marked), "{fixed}");
        assert_eq!(fixed.matches("usefixtures").count(), 1);
        assert_eq!(fix(&[4, 9]).unwrap().matches("usefixtures").count(), 2);
        assert_eq!(fix(&[5]), None, "no definition starts there");
    }

    #[test]
    fn a_file_is_kept_in_the_tests_own_folder() {
        let holder = |object: &str, rest: &str, index| Holder {
            module: "shop".into(),
            object: object.into(),
            attribute: if index == Some(0) { "__defaults__".into() } else { "PATH".into() },
            rest: rest.into(),
            text: rest.is_empty(),
            index,
            count: 1,
        };
        let holders = vec![
            holder("shop", "a.json", None),
            holder("shop.write", "a.json", Some(0)),
            holder("shop.Box", "", None),
        ];
        let mend = Mend { how: "file".into(), key: "out/a.json".into(), holders, ..Mend::default() };
        let fixed =
            with_fixture("test_a.py", "def test_a(): pass\n", &mend, Purpose::OwnFolder, Users::Tests(&[1]))
                .unwrap();
        for line in [
            "def _own_out_a_json(monkeypatch, tmp_path):",
            "    import shop",
            "    monkeypatch.setattr(shop, \"PATH\", tmp_path / \"a.json\")",
            "    monkeypatch.setattr(shop.write, \"__defaults__\", (tmp_path / \"a.json\",))",
            "    monkeypatch.setattr(shop.Box, \"PATH\", str(tmp_path))",
        ] {
            assert!(fixed.lines().any(|other| other == line), "{line} is not in\n{fixed}");
        }
    }

    #[test]
    fn a_brittle_test_is_given_what_it_needs() {
        let call = Statement { module: "shop".into(), text: "shop.setup()".into() };
        let fixed = with_fixture(
            "test_a.py",
            "def test_a(): pass\n",
            &mend("dict"),
            Purpose::SetUp(&call),
            Users::Tests(&[1]),
        );
        let body = "    import shop.prices\n    import shop\n\n    saved = dict(shop.prices._DISCOUNTS)\n    shop.setup()\n    yield\n";
        assert!(fixed.as_ref().is_some_and(|fixed| fixed.contains(body)), "{fixed:?}");
    }

    #[test]
    fn only_what_is_an_expression_for_itself_is_a_literal() {
        for literal in ["None", "-3", "1.5", "'a b'", "\"it's\"", "[]"] {
            assert!(is_literal(literal), "{literal}");
        }
        for other in [
            "(absent)",
            "'cut…'",
            "'a\\n'",
            "'a' + 'b'",
            "'",
            "'$TMPDIR/a'",
            "inf",
            "nan",
            "<function f>",
            "[1, 2]",
            "",
        ] {
            assert!(!is_literal(other), "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_module_makes_it_panic_and_nothing_of_it_is_lost(content in "(?s).{0,200}", line in 0_u32..20) {
            let _ = with_function_scope(&content, line);
            let _ = with_copied_parameter(&content, line, "number");
            let _ = without_statement(&content, line);
            for how in ["dict", "list", "attribute", "environ", "modules", "file", "lock"] {
                let fixed =
                    with_fixture("tests/test_a.py", &content, &mend(how), Purpose::Keep, Users::File).unwrap();
                for line in content.split('\n').filter(|line| !line.trim().is_empty()) {
                    prop_assert!(fixed.split('\n').any(|other| other == line));
                }
            }
        }
    }
}
