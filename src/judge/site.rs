//! Where a failure shows and what it says, in a form that values do not change.
//!
//! A [`FailureLocation`](super::signature::FailureLocation) names a function, so that it is the same on another day, when lines have
//! moved. Within a session they do not move, and one test that fails at two of its lines has two failures, each
//! with a cause of its own.

use crate::trial::Outcome;

/// What stands for a value.
const VALUE: &str = "#";
/// Words that are values.
const VALUES: [&str; 3] = ["None", "True", "False"];
/// As much of a message is compared.
const MOST: usize = 200;

/// Where a failure shows, and what it says.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site {
    /// Where.
    pub lines: Lines,
    /// The first line of the message, as [`words`] gives it.
    pub words: String,
}

/// The lines at which a failure shows: the same failure has the same within a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lines {
    /// In the test's own file, the outermost on the way to the crash; 0 if there is none.
    pub test: u32,
    /// Of the crash; 0 if it is not known.
    pub crash: u32,
}

impl Site {
    /// Where an outcome shows a failure; nothing in particular if it shows none, or the worker was lost.
    pub fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Failed(failure) => Self {
                lines: Lines { test: failure.test_line, crash: failure.line },
                words: words(&failure.message),
            },
            _ => Self::default(),
        }
    }
}

/// The first line of a message without its values: numbers, quoted texts, addresses, names with digits in them
/// (of temporary files, processes, ids), `None`, `True` and `False`, and how many of them stand in a row. Two
/// messages of one fault read the same, as far as that can be told from texts.
pub(crate) fn words(message: &str) -> String {
    let line = message.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let line: String = line.chars().take(MOST).collect();
    let mut said = String::new();
    for token in tokens(line.trim_end()) {
        let token = if is_value(token) { VALUE } else { token };
        if token == VALUE && joined_to_value(&said) {
            said.truncate(said.rfind(VALUE).unwrap_or_default());
        }
        said.push_str(token);
    }
    said
}

/// Whether a text ends in a value and what joins it to one that follows: `127.0.0`, `12:30`, `a1-b2`, `1, 2`.
fn joined_to_value(said: &str) -> bool {
    let joint = said.trim_end_matches([' ', ',', '.', ':', '-', '+', '/', '_']);
    let between = &said[joint.len()..];
    joint.ends_with(VALUE) && (between.is_empty() || between == ", " || !between.contains(' '))
}

fn is_value(token: &str) -> bool {
    let mut chars = token.chars();
    let first = chars.next();
    let quoted = matches!(first, Some('\'' | '"')) && chars.next_back() == first;
    let hexadecimal = token.len() >= 8 && token.chars().all(|char| char.is_ascii_hexdigit());
    quoted
        || token == VALUE
        || hexadecimal
        || VALUES.contains(&token)
        || token.chars().any(|char| char.is_ascii_digit())
}

/// The parts of a line: names and numbers, with hyphens in them as ids have, quoted texts, and single other characters.
fn tokens(line: &str) -> Vec<&str> {
    let mut tokens: Vec<&str> = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '\'' | '"' => quoted(rest, first).unwrap_or(1),
            _ if is_of_name(first) => {
                rest.find(|char| !is_of_name(char) && char != '-').unwrap_or(rest.len())
            }
            _ => first.len_utf8(),
        };
        // An apostrophe within a word starts no quoted text.
        let end = match tokens.last() {
            Some(before) if first == '\'' && (*before == VALUE || before.ends_with(is_of_name)) => 1,
            _ => end,
        };
        tokens.push(&rest[..end]);
        rest = &rest[end..];
    }
    tokens
}

/// The length of the quoted text that a line starts with.
fn quoted(line: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, char) in line.char_indices().skip(1) {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if char == quote => return Some(at + char.len_utf8()),
            _ => {}
        }
    }
    None
}

fn is_of_name(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    #[test]
    fn values_are_left_out_and_words_are_not() {
        let same = |one: &str, other: &str| assert_eq!(words(one), words(other));
        same("assert 20 == 21", "assert 22 == 21");
        same("assert '20 USD' == '20 EUR'\n  - 20 EUR", "assert None == '20 EUR'\n  - nothing");
        same("<Cart object at 0x7f3a55d0> is left", "<Cart object at 0x10ff> is left");
        same("no such file: '/tmp/pytest-of-me/pytest-3/x0'", "no such file: '/tmp/a'");
        same("took 0.53s", "took 12.1s");
        same("id 0b7e5f1c-4d2a-4c8e-9a40-deadbeefcafe", "id 9c858901-8a57-4791-81fe-4c455b099bc9");
        same("assert [1, 2, 3] == []", "assert [1] == []");
        same("at 2026-01-02T03:04:05+00:00", "at 1999-12-31T23:59:59+01:00");
        same("id deadbeef", "id cafebabe");
        same("at 12:30", "at 7");
        same(r"assert 'it\'s' == 1", "assert 'x' == 1");
        let other = |one: &str, other: &str| assert_ne!(words(one), words(other));
        other("currency left", "whatever left");
        other("cafe left", "deed left");
        other("left=5", "right=5");
        other("assert 1 == 2", "assert 1 < 2");
        other("can't open", "can't close");
        other("can't open, won't close", "can't read, won't close");
        other("that is left", "level is left");
        other("currency left", "locale left");
        assert_eq!(words("  \n"), "");
    }

    /// A value in one of its forms.
    fn values() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<u32>().prop_map(|number| number.to_string()),
            any::<u32>().prop_map(|number| format!("0x{number:x}")),
            "[a-z ]{0,12}".prop_map(|text| format!("'{text}'")),
            "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}",
            select(vec!["None", "True", "False"]).prop_map(str::to_owned),
            "tmp[a-z]{0,4}[0-9]{1,4}",
        ]
    }

    proptest! {
        #[test]
        fn another_value_is_the_same_failure(
            parts in proptest::collection::vec(("[a-z]{2,7}", values(), values()), 1..6)
        ) {
            let with = |of: fn(&(String, String, String)) -> &String| {
                let parts: Vec<String> = parts.iter().map(|part| format!("{} {} is", part.0, of(part))).collect();
                parts.join(" ")
            };
            prop_assume!(with(|part| &part.1).len() < MOST && with(|part| &part.2).len() < MOST);
            prop_assert_eq!(words(&with(|part| &part.1)), words(&with(|part| &part.2)));
        }

        #[test]
        fn what_is_left_has_no_more_values_to_leave_out(message in ".{0,300}") {
            let once = words(&message);
            prop_assert_eq!(words(&once), once);
        }
    }
}
