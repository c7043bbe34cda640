//! Reading what was written by somebody else, and saying what is wrong with it.

use serde::de::DeserializeOwned;

/// What a parser says, on one line and no longer than a person reads: it repeats what it met.
pub(crate) fn reason(said: &str) -> String {
    let shown = |char: char| match char {
        '"' | '\'' => char.to_string(),
        _ => char.escape_debug().to_string(),
    };
    said.chars().take(300).map(shown).collect()
}

/// Reads a JSON object.
///
/// # Errors
/// The bytes are none, or not of this type; the text is a [`reason`].
pub(crate) fn object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let read = serde_json::from_slice(bytes);
    match read {
        Err(error) if !error.is_data() => Err(reason(&format!("it is not JSON: {error}"))),
        // serde takes a list for a record, member by member.
        _ if !bytes.trim_ascii_start().starts_with(b"{") => Err("it is no JSON object".into()),
        read => read.map_err(|error| reason(&error.to_string())),
    }
}
