//! A fixture's narrower scope.

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
