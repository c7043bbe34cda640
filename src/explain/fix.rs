//! A proposed fix: a fixture that leaves a place as it found it, or a fixture's narrower scope, as a diff.
//!
//! A proposal only: it is shown once it was tried in a copy of the project.

use similar::TextDiff;

use crate::explain::Mend;

/// A change of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The file, relative to rootdir.
    pub file: String,
    /// What it holds afterwards.
    pub content: String,
}

impl Mend {
    /// The same place, given its first value for each test instead of being kept as it was found; none
    /// unless that value is a literal. It serves where what was found is changed in place.
    pub fn from_scratch(&self, old: &str) -> Option<Self> {
        let literal = matches!(old, "None" | "True" | "False") || old.parse::<f64>().is_ok();
        (self.how == "attribute" && literal).then(|| Self { value: old.to_owned(), ..self.clone() })
    }
}

/// The content of a test module with a fixture that keeps a place; none if no fixture is known that
/// could, or it stands there already.
pub fn with_fixture(file: &str, content: &str, mend: &Mend) -> Option<String> {
    let stem = file.rsplit('/').next()?.strip_suffix(".py")?;
    let own = mend.module == stem || mend.module.ends_with(&format!(".{stem}"));
    let object = if own { mend.object.strip_prefix(&mend.module)?.strip_prefix('.')? } else { &mend.object };
    let subject =
        Subject { object, import: (!own).then_some(mend.module.as_str()).filter(|m| !m.is_empty()) };
    let Body { arguments, imports, before, after } = subject.body(mend)?;
    let shown = subject.shown(mend);
    let name = format!("_restore_{}", slug(&shown));
    if content.contains(&format!("def {name}(")) {
        return None;
    }
    let mut lines = vec!["@pytest.fixture(autouse=True)".to_owned(), format!("def {name}({arguments}):")];
    if !shown.contains('\\') && !shown.contains("\"\"\"") {
        lines.push(format!("    \"\"\"Leave `{shown}` as it was found.\"\"\""));
    }
    let imports = imports.iter().map(|module| format!("import {module}"));
    let imports: Vec<String> =
        imports.filter(|import| !content.lines().any(|line| line.trim_end() == import)).collect();
    lines.extend(imports.iter().map(|import| format!("    {import}")));
    if !imports.is_empty() {
        lines.push(String::new());
    }
    lines.extend(before.iter().chain(&after).map(|line| format!("    {line}")));
    Some(insert(content, &lines))
}

/// The content of a module whose fixture, defined from a 1-based line on, is made anew for each test.
pub fn with_function_scope(content: &str, line: u32) -> Option<String> {
    let start = content.split_inclusive('\n').take(line.checked_sub(1)? as usize).map(str::len).sum();
    let (before, after) = content.split_at_checked(start)?;
    let end = after.find("def ")?;
    let (decorators, rest) = after.split_at(end);
    let at = decorators.find("scope")?;
    let value = decorators[at + 5..].trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let length = value[1..].find(quote)? + 2;
    let ends_at = decorators.len() - (decorators[at..].len() - (decorators[at..].find(value)?)) + length;
    let mut left = decorators[..at].to_owned();
    let mut right = &decorators[ends_at..];
    if let Some(more) = right.trim_start().strip_prefix(',') {
        right = more.trim_start();
    } else if let Some(shorter) = left.trim_end().strip_suffix(',') {
        left.truncate(shorter.len());
    }
    if left.ends_with('(') && right.starts_with(')') {
        left.pop();
        right = &right[1..];
    }
    Some(format!("{before}{left}{right}{rest}"))
}

/// The edits as one unified diff, against the files as they are.
pub fn diff(edits: &[(String, Edit)]) -> String {
    let one = |(old, edit): &(String, Edit)| {
        let diff = TextDiff::from_lines(old.as_str(), edit.content.as_str());
        diff.unified_diff().header(&format!("a/{}", edit.file), &format!("b/{}", edit.file)).to_string()
    };
    edits.iter().map(one).collect()
}

/// What is kept.
struct Subject<'a> {
    object: &'a str,
    import: Option<&'a str>,
}

/// A fixture's arguments, what it imports, and what it does before and after the test.
struct Body {
    arguments: &'static str,
    imports: Vec<String>,
    before: Vec<String>,
    after: Vec<String>,
}

impl Subject<'_> {
    fn shown(&self, mend: &Mend) -> String {
        match mend.how.as_str() {
            "attribute" => format!("{}.{}", self.object, mend.attribute),
            "environ" => format!("os.environ[\"{}\"]", mend.key),
            "modules" => format!("sys.modules[\"{}\"]", mend.key),
            "file" => mend.key.clone(),
            "cwd" => "os.getcwd()".to_owned(),
            "path" => "sys.path".to_owned(),
            "random" => "random".to_owned(),
            "level" => format!("{}.level", self.object),
            _ => self.object.to_owned(),
        }
    }

    fn body(&self, mend: &Mend) -> Option<Body> {
        let o = self.object;
        let import = self.import.map(str::to_owned);
        let with = |arguments, imports: Vec<String>, before: &[String], after: &[String]| Body {
            arguments,
            imports,
            before: before.to_vec(),
            after: after.to_vec(),
        };
        let keep = |imports: Vec<String>, saved: String, restore: &[String]| {
            let after: Vec<String> = std::iter::once("yield".to_owned()).chain(restore.to_vec()).collect();
            with("", imports, &[format!("saved = {saved}")], &after)
        };
        let own = || import.clone().into_iter().collect::<Vec<_>>();
        Some(match mend.how.as_str() {
            "dict" => {
                keep(own(), format!("dict({o})"), &[format!("{o}.clear()"), format!("{o}.update(saved)")])
            }
            "list" => keep(own(), format!("list({o})"), &[format!("{o}[:] = saved")]),
            "set" => {
                keep(own(), format!("set({o})"), &[format!("{o}.clear()"), format!("{o}.update(saved)")])
            }
            "attribute" => {
                let a = &mend.attribute;
                let value = if mend.value.is_empty() { format!("{o}.{a}") } else { mend.value.clone() };
                with("monkeypatch", own(), &[], &[format!("monkeypatch.setattr({o}, \"{a}\", {value})")])
            }
            "cache" => with("", own(), &["yield".into()], &[format!("{o}.cache_clear()")]),
            "lock" => with(
                "",
                own(),
                &["yield".into()],
                &[format!("if {o}.locked():"), format!("    {o}.release()")],
            ),
            "environ" => keep(
                vec!["os".into()],
                format!("os.environ.get({})", quoted(&mend.key)),
                &[
                    "if saved is None:".into(),
                    format!("    os.environ.pop({}, None)", quoted(&mend.key)),
                    "else:".into(),
                    format!("    os.environ[{}] = saved", quoted(&mend.key)),
                ],
            ),
            "modules" => keep(
                vec!["sys".into()],
                "dict(sys.modules)".into(),
                &[
                    format!("if {} in saved:", quoted(&mend.key)),
                    format!("    sys.modules[{0}] = saved[{0}]", quoted(&mend.key)),
                    "else:".into(),
                    format!("    sys.modules.pop({}, None)", quoted(&mend.key)),
                ],
            ),
            "cwd" => with("monkeypatch", vec!["os".into()], &[], &["monkeypatch.chdir(os.getcwd())".into()]),
            "path" => keep(vec!["sys".into()], "list(sys.path)".into(), &["sys.path[:] = saved".into()]),
            "random" => {
                keep(vec!["random".into()], "random.getstate()".into(), &["random.setstate(saved)".into()])
            }
            "level" => keep(vec!["logging".into()], format!("{o}.level"), &[format!("{o}.setLevel(saved)")]),
            "file" if mend.base == "temporary" => with(
                "",
                vec!["pathlib".into(), "tempfile".into()],
                &["yield".into()],
                &[format!(
                    "pathlib.Path(tempfile.gettempdir(), {}).unlink(missing_ok=True)",
                    quoted(&mend.key)
                )],
            ),
            "file" => with(
                "request",
                Vec::new(),
                &["yield".into()],
                &[format!("(request.config.rootpath / {}).unlink(missing_ok=True)", quoted(&mend.key))],
            ),
            _ => return None,
        })
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn slug(shown: &str) -> String {
    let words = shown.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<String> = words.map(str::to_ascii_lowercase).collect();
    words[words.len().saturating_sub(3)..].join("_")
}

/// Puts a fixture after a module's first block of imports, and imports pytest if that is not done.
fn insert(content: &str, fixture: &[String]) -> String {
    // Not `lines`, which would lose a file's `\r\n`.
    let lines: Vec<&str> = content.strip_suffix('\n').unwrap_or(content).split('\n').collect();
    let at = end_of_imports(&lines);
    let has_pytest = lines.iter().any(|line| line.trim_end() == "import pytest");
    let mut new: Vec<String> = lines[..at].iter().map(|&line| line.to_owned()).collect();
    if !has_pytest {
        if at > 0 && !lines[..at].iter().any(|line| is_import(line)) {
            new.push(String::new());
        }
        new.push("import pytest".to_owned());
    }
    new.extend([String::new(), String::new()]);
    new.extend(fixture.iter().cloned());
    let rest: Vec<&str> = lines[at..].iter().copied().skip_while(|line| line.trim().is_empty()).collect();
    if !rest.is_empty() {
        new.extend([String::new(), String::new()]);
    }
    new.extend(rest.into_iter().map(str::to_owned));
    new.join("\n") + "\n"
}

fn is_import(line: &str) -> bool {
    line.starts_with("import ") || line.starts_with("from ")
}

/// The line after a module's imports, or after its docstring if it has none.
fn end_of_imports(lines: &[&str]) -> usize {
    let mut end = end_of_docstring(lines);
    let mut open = 0_i32;
    for (number, line) in lines.iter().enumerate().skip(end) {
        if open > 0 || is_import(line) {
            let code = line.split('#').next().unwrap_or_default();
            open += code.matches('(').count() as i32 - code.matches(')').count() as i32;

            end = number + 1;
        } else if !line.trim().is_empty() && !line.starts_with('#') {
            break;
        }
    }
    end
}

fn end_of_docstring(lines: &[&str]) -> usize {
    let Some(first) = lines.iter().position(|line| !line.trim().is_empty() && !line.starts_with('#')) else {
        return 0;
    };
    let Some(quotes) = ["\"\"\"", "'''"].into_iter().find(|quotes| lines[first].starts_with(quotes)) else {
        return 0;
    };
    if lines[first][3..].contains(quotes) {
        return first + 1;
    }
    let close = lines.iter().skip(first + 1).position(|line| line.contains(quotes));
    close.map_or(0, |after| first + after + 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
        let fixed = with_fixture("tests/test_prices.py", content, &mend("dict")).unwrap();
        let start = "\"\"\"Prices.\"\"\"\nfrom shop import (\n    a,\n    b,\n)\nimport pytest\n\n\n@pytest.fixture(autouse=True)\n";
        assert!(fixed.starts_with(start), "{fixed}");
        assert!(fixed.contains("    saved = dict(shop.prices._DISCOUNTS)\n    yield\n"), "{fixed}");
        assert!(fixed.ends_with("    shop.prices._DISCOUNTS.update(saved)\n\n\nX = 1\n"), "{fixed}");
    }

    #[test]
    fn a_scope_is_taken_out_wherever_it_stands() {
        let narrowed = |decorator: &str| {
            with_function_scope(&format!("import pytest\n\n{decorator}\ndef db():\n    pass\n"), 3)
                .map(|content| content.lines().nth(2).unwrap_or_default().to_owned())
        };
        assert_eq!(narrowed("@pytest.fixture(scope=\"module\")").as_deref(), Some("@pytest.fixture"));
        assert_eq!(
            narrowed("@pytest.fixture(scope='session', autouse=True)").as_deref(),
            Some("@pytest.fixture(autouse=True)")
        );
        assert_eq!(
            narrowed("@pytest.fixture(name=\"x\", scope = \"class\")").as_deref(),
            Some("@pytest.fixture(name=\"x\")")
        );
        assert_eq!(narrowed("@pytest.fixture(scope=how)"), None);
        assert_eq!(narrowed("@pytest.fixture"), None);
    }

    proptest! {
        #[test]
        fn no_module_makes_it_panic_and_nothing_of_it_is_lost(content in "(?s).{0,200}", line in 0_u32..20) {
            let _ = with_function_scope(&content, line);
            for how in ["dict", "list", "attribute", "environ", "modules", "file", "lock"] {
                let fixed = with_fixture("tests/test_a.py", &content, &mend(how)).unwrap();
                for line in content.split('\n').filter(|line| !line.trim().is_empty()) {
                    prop_assert!(fixed.split('\n').any(|other| other == line));
                }
            }
        }
    }
}
