//! Places that may be left changed, by patterns.

/// Whether a pattern names a place: itself, what it holds (`os.environ` of `os.environ["TZ"]`), or, where `*` stands for
/// any text, all of it.
pub(crate) fn is_allowed(patterns: &[String], place: &str) -> bool {
    patterns.iter().any(|pattern| {
        if pattern.contains('*') {
            return fits(pattern, place);
        }
        place
            .strip_prefix(pattern.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', '(', ' ', ',']))
    })
}

fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_names_a_place_and_what_it_holds() {
        let cases = [
            ("os.environ", "os.environ[\"TZ\"]", true),
            ("os.environ[\"TZ\"]", "os.environ[\"TZ\"]", true),
            ("os.env", "os.environ[\"TZ\"]", false),
            ("sys.modules", "sys.modules[\"shop\"]", true),
            ("logging.getLogger(\"x\").*", "logging.getLogger(\"x\").level", true),
            ("logging.getLogger(\"x\").*", "logging.getLogger(\"xy\").level", false),
            ("*.cache", "shop.core.cache", true),
            ("file *.txt", "file data/a.txt", true),
            ("file *.txt", "file data/a.txt2", false),
            ("a*a", "a", false),
        ];
        for (pattern, place, expected) in cases {
            assert_eq!(is_allowed(&[pattern.to_owned()], place), expected, "{pattern} {place}");
        }
    }
}
