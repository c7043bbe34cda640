//! What is said of races that were not tried to the end.

#![cfg(test)]

use super::*;

fn racing() -> Racing {
    let bounds = Bounds { schedules: 10, draw: false, time: None, first_only: false, victim: None };
    Racing::new(bounds, std::iter::empty())
}

#[test]
fn what_was_left_out_is_counted_and_nothing_is_said_of_nothing() {
    assert_eq!(racing().remarks(), [] as [&str; 0]);
    let ungathered = |number| Racing { ungathered: number, ..racing() }.remarks();
    let like = "reaches what is raced on by the same lines, and was not tried";
    assert_eq!(ungathered(1), [format!("1 more test {like}")]);
    let like = "reach what is raced on by the same lines, and were not tried";
    assert_eq!(ungathered(4), [format!("4 more tests {like}")]);
    let undelayed = |number| Racing { undelayed: number, ..racing() }.remarks();
    let waited = "under which a test waited for another worker";
    assert_eq!(undelayed(1), [format!("1 more schedule {waited} was not tried with a delay of that")]);
    assert_eq!(undelayed(2), [format!("2 more schedules {waited} were not tried with a delay of that")]);
}

#[test]
fn why_a_pair_was_not_raced_to_the_end_is_what_ended_it() {
    let of = |unraced, left| Racing { unraced, left, ..racing() }.remarks();
    let one = "1 pair of tests in conflict was not raced to the end";
    assert_eq!(of(1, 0), [format!("{one}: --schedules N allows more")]);
    assert_eq!(of(1, 3), [format!("{one}: there was no more time")]);
    let two = "2 pairs of tests in conflict were not raced to the end";
    assert_eq!(of(2, 3), [format!("{two}: there was no more time")]);
}
