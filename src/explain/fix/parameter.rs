//! A test that works on a copy of its parameter.

use crate::explain::fix::source::{Addition, add, end_of_signature};

/// The content of a test module in which the test that is defined from a 1-based line on copies a
/// parameter before it does anything else; none if that line defines no test with such a parameter.
pub fn with_copied_parameter(content: &str, line: u32, parameter: &str) -> Option<String> {
    let lines: Vec<&str> = content.split('\n').collect();
    let start = line.checked_sub(1)? as usize;
    let is_definition =
        |line: &&str| ["def ", "async def "].iter().any(|start| line.trim_start().starts_with(start));
    let definition = start + lines.get(start..)?.iter().position(is_definition)?;
    let end = end_of_signature(&lines, definition)?;
    let signature = lines[definition..end].concat();
    let words = |c: char| !c.is_alphanumeric() && c != '_';
    if !signature.split(words).any(|word| word == parameter) {
        return None;
    }
    let body = lines.get(end)?;
    let indent = &body[..body.len() - body.trim_start().len()];
    if indent.is_empty() {
        return None;
    }
    let copy = format!("{indent}{parameter} = copy.deepcopy({parameter})");
    let mut new = lines.clone();
    new.insert(end, &copy);
    let content = new.join("\n");
    add(&content, &Addition { block: &[], imports: &["copy"], decorators: &[] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_is_the_first_thing_the_test_does() {
        let content = "import pytest\n\n\n@pytest.mark.parametrize(\n    \"items\", [[]]\n)\ndef test_a(\n    items,\n):\n    items.append(1)\n";
        let fixed = with_copied_parameter(content, 4, "items").unwrap();
        assert!(fixed.starts_with("import pytest\nimport copy\n\n\n@pytest"), "{fixed}");
        assert!(fixed.ends_with("):\n    items = copy.deepcopy(items)\n    items.append(1)\n"), "{fixed}");
        assert_eq!(with_copied_parameter(content, 4, "item"), None);
        assert_eq!(with_copied_parameter("def test_a(items): pass\n", 1, "items"), None);
    }
}
