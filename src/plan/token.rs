//! Tokens: how a person names a plan.

use std::fmt;
use std::str::FromStr;

use crate::plan::{Seed, TrialIndex};
use crate::suite::Fingerprint;

/// `SEED:INDEX`, or `SEED:INDEX:FINGERPRINT` as jostle prints it: which plan, of which suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The session's seed.
    pub seed: Seed,
    /// The trial.
    pub index: TrialIndex,
    /// The collected suite the plan was made for, if the token says so.
    pub fingerprint: Option<Fingerprint>,
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
        write!(f, "{}:{}", self.seed.0, self.index.0)?;
        match &self.fingerprint {
            Some(fingerprint) => write!(f, ":{fingerprint}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        // What stands in an error must not break its line.
        let shown = || text.chars().take(80).flat_map(char::escape_debug).collect();
        let error = |why: &str| TokenError { text: shown(), why: why.to_owned() };
        let mut parts = text.split(':');
        let mut number = |name: &str| {
            let part = parts
                .next()
                .filter(|part| !part.is_empty())
                .ok_or_else(|| error(&format!("it has no {name}")))?;
            let digits = part.bytes().all(|byte| byte.is_ascii_digit());
            let value = part.parse::<u64>().ok().filter(|_| digits);
            value.ok_or_else(|| error(&format!("its {name} is not a whole number from 0 to 2^64-1")))
        };
        let seed = Seed(number("seed")?);
        let index = TrialIndex(number("index")?);
        let fingerprint = match parts.next() {
            None => None,
            Some(part)
                if part.len() == 16 && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) =>
            {
                Some(Fingerprint(part.to_owned()))
            }
            Some(_) => return Err(error("its fingerprint is not 16 hexadecimal digits")),
        };
        match parts.next() {
            None => Ok(Self { seed, index, fingerprint }),
            Some(_) => Err(error("it has more than three parts")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_token_reads_back_as_it_was_printed(seed: u64, index: u64, print in proptest::option::of("[0-9a-f]{16}")) {
            let token = Token { seed: Seed(seed), index: TrialIndex(index), fingerprint: print.map(Fingerprint) };
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
            "1:2:0f3a9c5d21e4b876:4",
            "18446744073709551616:0",
        ] {
            assert!(text.parse::<Token>().is_err(), "{text}");
        }
    }
}
