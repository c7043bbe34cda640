//! What an experiment that explains a finding was told of changed state, in the form of a journal: all of it, where a
//! report has only what readers need.

use serde::{Deserialize, Serialize};

use crate::state::{Changed, Followed, NoLine, Place, RestoreRecipe, Statement, Written};

/// [`Changed`], whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedRecord {
    places: Vec<PlaceRecord>,
    cut_off: bool,
    failed: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unread: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    written: Option<LineRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    no_line: Option<NoLine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    read: Option<LineRecord>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    followed: Vec<Followed>,
}

/// A place with what its fixes are made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct PlaceRecord {
    #[serde(flatten)]
    place: Place,
    #[serde(default, alias = "mend", skip_serializing_if = "Option::is_none")]
    recipe: Option<RestoreRecipe>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    told_by_items: bool,
}

/// A line with the call that led to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct LineRecord {
    #[serde(flatten)]
    line: Written,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    call: Option<Statement>,
}

impl From<&Changed> for ChangedRecord {
    fn from(changed: &Changed) -> Self {
        let place = |place: &Place| PlaceRecord {
            place: place.clone(),
            recipe: place.recipe.clone(),
            told_by_items: place.told_by_items,
        };
        let line = |line: &Written| LineRecord { line: line.clone(), call: line.call.clone() };
        Self {
            places: changed.places.iter().map(place).collect(),
            cut_off: changed.cut_off,
            failed: changed.failed.clone(),
            unread: changed.unread.clone(),
            written: changed.written.as_ref().map(line),
            no_line: changed.no_line,
            read: changed.read.as_ref().map(line),
            followed: changed.followed.clone(),
        }
    }
}

impl From<ChangedRecord> for Changed {
    fn from(record: ChangedRecord) -> Self {
        let place = |PlaceRecord { place, recipe, told_by_items }| Place { recipe, told_by_items, ..place };
        let line = |LineRecord { line, call }| Written { call, ..line };
        Self {
            places: record.places.into_iter().map(place).collect(),
            cut_off: record.cut_off,
            failed: record.failed,
            unread: record.unread,
            written: record.written.map(line),
            no_line: record.no_line,
            read: record.read.map(line),
            followed: record.followed,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{RestoreMethod, StateKind};

    #[test]
    fn what_was_told_is_read_again_as_it_was() {
        let call = Some(Statement { module: "shop".into(), text: "shop.setup()".into() });
        let line = Written { file: "test_a.py".into(), line: 3, function: "test_a".into(), call };
        let recipe =
            RestoreRecipe { object: "shop.STATE".into(), line: 7, ..RestoreRecipe::new(RestoreMethod::Dict) };
        let place = Place {
            name: "shop.STATE".into(),
            kind: StateKind::Global,
            old: "{}".into(),
            new: "{'a': 1}".into(),
            restorable: true,
            low_confidence: false,
            in_library: false,
            told_by_items: true,
            written: None,
            no_line: None,
            read: None,
            recipe: Some(recipe),
            along: Some("time.tzset()".into()),
        };
        let changed = Changed {
            places: vec![place.clone(), Place { recipe: None, ..place }],
            cut_off: true,
            failed: vec!["table a in b".into()],
            unread: vec!["tenant: no such attribute".into()],
            written: Some(line.clone()),
            no_line: Some(NoLine::Threads),
            read: Some(Written { call: None, ..line }),
            followed: vec![Followed { position: 1, moved: true, changed: false }],
            left: Vec::new(),
            readings: Vec::new(),
        };
        for changed in [changed, Changed::default()] {
            let written = serde_json::to_string(&ChangedRecord::from(&changed)).unwrap();
            let read: ChangedRecord = serde_json::from_str(&written).unwrap();
            assert_eq!(Changed::from(read), changed, "{written}");
        }
    }
}
