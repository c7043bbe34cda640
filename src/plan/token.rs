//! Tokens: how a person names a plan.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::formats::{TOKEN_SORTED, TOKEN_UNSORTED};
use crate::plan::{Seed, TrialIndex};
use crate::suite::{Fingerprint, Suite, TestIndex};

/// `SEED:INDEX`, or `SEED:INDEX:FINGERPRINT` as jostle prints it: which plan, of which suite. The index
/// of a race trial has an `r` before it. Of a suite whose plugins sort, it is `SEED:INDEX:v2:FINGERPRINT`. Where tests
/// were left out of the plan, their numbers in canonical order follow: `SEED:INDEX:FINGERPRINT:x3,10`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The session's seed.
    pub seed: Seed,
    /// The trial.
    pub index: TrialIndex,
    /// Whether it is a controlled trial of two tests in conflict, which have numbers of their own.
    pub race: bool,
    /// [`TOKEN_UNSORTED`] or [`TOKEN_SORTED`]: what a suite's plugins have to say of its plans.
    pub version: u32,
    /// What the plan was made of, if the token says so: [`plan_fingerprint`](crate::suite::Suite::plan_fingerprint)
    /// of the collected suite.
    pub fingerprint: Option<Fingerprint>,
    /// The tests of that suite that were left out of the plan; none without a fingerprint.
    pub(crate) left_out: BTreeSet<TestIndex>,
}

/// Text that is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a token: {why}. A token is SEED:INDEX or SEED:INDEX:FINGERPRINT, like 42:7 or 42:7:0f3a9c5d21e4b876"
)]
pub struct TokenError {
    text: String,
    why: String,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}{}", self.seed.0, if self.race { "r" } else { "" }, self.index.0)?;
        if self.version != TOKEN_UNSORTED {
            write!(f, ":v{}", self.version)?;
        }
        let Some(fingerprint) = &self.fingerprint else { return Ok(()) };
        write!(f, ":{fingerprint}")?;
        for (at, test) in self.left_out.iter().enumerate() {
            write!(f, "{}{}", if at == 0 { ":x" } else { "," }, test.0)?;
        }
        Ok(())
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        // What stands in an error must not break its line.
        let shown = || text.chars().take(80).flat_map(char::escape_debug).collect();
        let error = |why: &str| TokenError { text: shown(), why: why.to_owned() };
        let mut parts = text.split(':');
        let mut race = false;
        let mut number = |name: &str| {
            let part = parts
                .next()
                .filter(|part| !part.is_empty())
                .ok_or_else(|| error(&format!("it has no {name}")))?;
            race = name == "index" && part.starts_with('r');
            let part = if race { &part[1..] } else { part };
            let digits = part.bytes().all(|byte| byte.is_ascii_digit());
            let value = part.parse::<u64>().ok().filter(|_| digits);
            value.ok_or_else(|| error(&format!("its {name} is not a whole number from 0 to 2^64-1")))
        };
        let seed = Seed(number("seed")?);
        let index = TrialIndex(number("index")?);
        let mut next = parts.next();
        let version = match next {
            Some("v2") => TOKEN_SORTED,
            Some(part) if part.starts_with('v') => {
                return Err(error("this jostle knows no such version of it"));
            }
            _ => TOKEN_UNSORTED,
        };
        if version == TOKEN_SORTED {
            next = parts.next();
        }
        let fingerprint = match next {
            None => None,
            Some(part)
                if part.len() == 16 && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) =>
            {
                Some(Fingerprint(part.to_owned()))
            }
            Some(_) => return Err(error("its fingerprint is not 16 hexadecimal digits")),
        };
        let left_out = match parts.next().map(|part| (part, part.strip_prefix('x').and_then(numbers))) {
            None => BTreeSet::new(),
            Some((_, Some(left_out))) => left_out,
            Some((part, None)) if part.starts_with('x') => {
                return Err(error(
                    "after its fingerprint, `x` is followed by the numbers of tests, like x3,10",
                ));
            }
            Some((_, None)) => return Err(error("it has more than three parts")),
        };
        match parts.next() {
            None => Ok(Self { seed, index, race, version, fingerprint, left_out }),
            Some(_) => Err(error("it has more than four parts")),
        }
    }
}

/// The tests of `3,10`.
fn numbers(text: &str) -> Option<BTreeSet<TestIndex>> {
    let number = |part: &str| {
        let digits = part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse().ok().filter(|_| digits).map(TestIndex)
    };
    text.split(',').map(number).collect()
}

impl Token {
    /// The token of a trial of a suite.
    pub fn new(seed: Seed, index: TrialIndex, race: bool, suite: &Suite) -> Self {
        let version = if suite.is_sorted() { TOKEN_SORTED } else { TOKEN_UNSORTED };
        let fingerprint = Some(suite.plan_fingerprint());
        Self { seed, index, race, version, fingerprint, left_out: BTreeSet::new() }
    }

    /// The token of the same trial with tests of the suite left out.
    #[must_use]
    pub(crate) fn without(self, left_out: &BTreeSet<TestIndex>) -> Self {
        Self { left_out: left_out.clone(), ..self }
    }

    /// Whether it is of a suite, as far as it says of which.
    pub(crate) fn is_of(&self, suite: &Suite) -> bool {
        let Some(fingerprint) = &self.fingerprint else { return true };
        let now = Self::new(self.seed, self.index, self.race, suite);
        self.version == now.version && now.fingerprint.as_ref() == Some(fingerprint)
    }

    /// Whether it names the tests of a suite, and was made without regard to how its plugins sort them.
    pub(crate) fn is_of_unsorted(&self, suite: &Suite) -> bool {
        self.version == TOKEN_UNSORTED
            && suite.is_sorted()
            && self.fingerprint.as_ref() == Some(&suite.fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_token_reads_back_as_it_was_printed(seed: u64, index: u64, race: bool, sorted: bool, print in proptest::option::of("[0-9a-f]{16}"), out in proptest::collection::btree_set(any::<u32>(), 0..4)) {
            let left_out = if print.is_some() { out.into_iter().map(TestIndex).collect() } else { BTreeSet::new() };
            let token = Token { seed: Seed(seed), index: TrialIndex(index), race, version: if sorted { TOKEN_SORTED } else { TOKEN_UNSORTED }, fingerprint: print.map(Fingerprint), left_out };
            prop_assert_eq!(token.to_string().parse::<Token>(), Ok(token));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in any::<String>()) {
            if let Ok(token) = text.parse::<Token>() {
                prop_assert!(token.to_string().len() <= text.len());
            }
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in [
            "",
            ":",
            "1",
            "1:",
            ":1",
            "a:1",
            "1:b",
            "-1:2",
            "+1:2",
            "1:2:",
            "1:2:xyz",
            "1:r",
            "r1:2",
            "1:rr2",
            "1:2:0f3a9c5d21e4b876:4",
            "1:2:v1:0f3a9c5d21e4b876",
            "1:2:v3:0f3a9c5d21e4b876",
            "1:2:v2:v2",
            "1:2:v2:",
            "1:2:v2:0f3a9c5d21e4b876:4",
            "1:2:x3",
            "1:2:0f3a9c5d21e4b876:x",
            "1:2:0f3a9c5d21e4b876:x3,",
            "1:2:0f3a9c5d21e4b876:x+3",
            "1:2:0f3a9c5d21e4b876:x4294967296",
            "1:2:0f3a9c5d21e4b876:x3:4",
            "18446744073709551616:0",
        ] {
            assert!(text.parse::<Token>().is_err(), "{text}");
        }
    }
}
