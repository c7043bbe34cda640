//! Why no fix is shown.

#![cfg(test)]

use std::process::Command;

use super::*;
use crate::explain::fix::edit::{Rank, Splice};
use crate::session::event::Reporters;
use crate::session::fake_engine::{FakeEngine, suite};
use crate::trial::Outcome;

#[test]
fn what_broke_is_told_before_what_did_not_help() {
    let doubt = |says: &str, of_another| Doubt { says: says.into(), of_another };
    let none = |doubts: &[Doubt], refused: Option<&str>| {
        no_fix(doubts, refused.map(str::to_owned), false, "a b").says
    };
    assert_eq!(none(&[], None), "none is known for this kind of place; by hand: a b");
    assert_eq!(
        no_fix(&[], None, true, "a b").says,
        "none is known: no statement was found that sets this up; by hand: a b"
    );
    assert_eq!(none(&[], Some("a.py cannot be parsed")), "none could be made: a.py cannot be parsed");
    let (useless, harmful) = (doubt("did not undo the failure", false), doubt("made a fail", true));
    assert_eq!(none(std::slice::from_ref(&useless), None), "none: tried, and it did not undo the failure");
    assert_eq!(none(&[useless, harmful], Some("a")), "none: tried 2 changes, of which one made a fail");
}

#[test]
fn what_a_brittle_test_needs_is_set_up_as_it_was_seen_to_be() {
    let written =
        |line: u32| Written { file: "shop/config.py".into(), line, function: "load".into(), call: None };
    let place =
        |line: Option<u32>| Place { written: line.map(written), ..Place::example("shop.config._loaded") };
    let told = |lines: &[Option<u32>]| {
        set_up_by_hand("test_load", &lines.iter().copied().map(place).collect::<Vec<_>>())
    };
    let load = "have a fixture of this test do what test_load does for it";
    assert_eq!(told(&[Some(5)]), format!("{load} (at shop/config.py:5)"));
    let both = format!("{load} (at shop/config.py:5 and shop/config.py:7)");
    assert_eq!(told(&[Some(5), None, Some(7), Some(5)]), both);
    assert_eq!(told(&[None]), load);
}

fn added(file: &str, text: &str) -> Edit {
    let splice = Splice { at: 0, end: 0, rank: Rank::Line, text: text.into() };
    Edit { file: file.into(), before: b"a = 1\n".to_vec(), splices: vec![splice] }
}

#[test]
fn an_edit_that_does_not_compile_or_apply_is_refused_by_name() {
    let starts = |program: &str| Command::new(program).arg("--version").output().is_ok();
    let reader = Reader::new(Path::new("python3"));
    let refused = check(&reader, &[added("tests/test_a.py", "def (\n")]).unwrap_err();
    assert!(refused.starts_with("tests/test_a.py would not compile: "), "{refused}");
    if starts("git") {
        assert_eq!(check(&reader, &[added("tests/test_a.py", "b = 2\n")]), Ok(true));
        // git takes no patch of a file outside of the tree.
        let outside = check(&reader, &[added("../test_a.py", "b = 2\n")]);
        assert_eq!(outside, Err("git does not apply the diff of ../test_a.py".into()));
    }
}

#[test]
fn where_no_copy_can_be_had_or_run_it_is_said_which() {
    let (whole, mut nobody) = (suite(2), Reporters::default());
    let mut engine = FakeEngine::new(suite(2), |_| Outcome::Passed);
    let lab = Lab::new(&whole, &mut engine, &mut nobody, None);
    let folder = tempfile::tempdir().unwrap();
    let why = |rootdir: &Path| for_project_copy(&lab, rootdir, &[]).unwrap().err();
    let gone = why(&folder.path().join("gone"));
    assert_eq!(gone, Some("the project is too large to be copied, or cannot be read"));
    let outside = "pytest is run in a folder outside of its rootdir, or is given an absolute path";
    assert_eq!(why(folder.path()), Some(outside));
    assert_eq!(not_tried(outside).says, format!("none could be tried: {outside}"));
    let mut engine = FakeEngine::new(suite(2), |_| Outcome::Passed).copied_as(|_| Outcome::Passed);
    let lab = Lab::new(&whole, &mut engine, &mut nobody, None);
    assert!(for_project_copy(&lab, folder.path(), &[]).unwrap().is_ok());
}

#[test]
fn a_fix_that_there_was_no_time_for_is_told_as_that() {
    assert_eq!(end_of_search(Tried::NoTime, &mut Vec::new()), Some(Err(no_time())));
    assert_eq!(no_time().says, "none: no time to try one to the end");
    let doubt = Doubt { says: "did not undo the failure".into(), of_another: false };
    let mut doubts = Vec::new();
    assert_eq!(end_of_search(Tried::Doubt(doubt.clone()), &mut doubts), None, "another may do");
    assert_eq!(doubts, [doubt]);
    let held = Tried::Holds { passed: 12, parallel: 3, raced: 2 };
    assert_eq!(end_of_search(held, &mut doubts), Some(Ok((12, 3, 2))));
}
