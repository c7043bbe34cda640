//! Places that the user has named, for state that is behind a getter and a setter or is made up when it is asked for.

use serde::Serialize;

/// A place by a name of the user's, and how the harness gets at it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NamedPlace {
    /// What the user calls it.
    pub name: String,
    /// `module:attribute`, where the attribute may be one of an attribute.
    pub get: String,
    /// Whether that is a function whose result is the value; else the attribute is the value.
    pub is_getter: bool,
    /// `module:function` that takes a value; without one, an attribute is set and what a getter gives cannot be put back.
    pub set: Option<String>,
}

impl NamedPlace {
    /// An attribute, called as one would write it: `shop.core:REGISTRY` is `shop.core.REGISTRY`.
    ///
    /// # Errors
    /// It is not of the form `module:attribute`.
    pub fn attribute(get: &str) -> Result<Self, String> {
        Self { name: get.replace(':', "."), get: get.to_owned(), is_getter: false, set: None }.checked()
    }

    /// The same, if all of it has the form it needs.
    ///
    /// # Errors
    /// What leads to it is not of the form `module:attribute`.
    pub fn checked(self) -> Result<Self, String> {
        match std::iter::once(&self.get).chain(&self.set).find(|text| !leads_to_an_attribute(text)) {
            Some(text) => Err(format!(
                "{text:?} is not of the form module:attribute. Give for example \"shop.core:REGISTRY\""
            )),
            None => Ok(self),
        }
    }
}

/// Whether a text is `module:attribute`, both dotted names of Python.
fn leads_to_an_attribute(text: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    text.split_once(':')
        .is_some_and(|(module, attribute)| module.split('.').chain(attribute.split('.')).all(is_name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_named_by_its_module_and_attribute() {
        let place = NamedPlace::attribute("shop.core:APP.registry").unwrap();
        assert_eq!((place.name.as_str(), place.is_getter), ("shop.core.APP.registry", false));
        for wrong in
            ["shop.core.REGISTRY", "shop:", ":REGISTRY", "a:b:c", "a:b[0]", "a:b()", "a b:c", "1:a", ""]
        {
            let why = NamedPlace::attribute(wrong).unwrap_err();
            assert!(why.contains("module:attribute"), "{wrong}: {why}");
        }
        let setter = NamedPlace { set: Some("shop".into()), ..place };
        assert!(setter.checked().is_err());
    }
}
