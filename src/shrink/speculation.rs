//! What the shrinker will ask next: found by running its passes with the answers so far and a guess for
//! those to come, which costs nothing beside a run of pytest.

use std::collections::VecDeque;

use crate::plan::Plan;
use crate::shrink::{Oracle, Problem, Shrunk, Stopped, Verdict, shrink};

/// The passes up to the first question that these answers do not answer.
pub fn resume(problem: &Problem<'_>, answers: &[Verdict]) -> (Shrunk, Option<Plan>) {
    let mut oracle = Remembered { answers: answers.iter(), next: None };
    let shrunk = shrink(problem, &mut oracle);
    (shrunk, oracle.next)
}

/// The questions that may follow the one that comes after these answers, the nearest first and at most
/// so many. A candidate more often passes than not, so that is guessed first.
pub fn questions_after(problem: &Problem<'_>, answers: &[Verdict], most: usize) -> Vec<Plan> {
    let mut futures = VecDeque::from([answers.to_vec()]);
    let mut questions = Vec::new();
    while let Some(future) = futures.pop_front() {
        for guess in [Verdict::Passes, Verdict::Reproduces] {
            if questions.len() >= most {
                return questions;
            }
            let answers = [future.as_slice(), &[guess]].concat();
            if let (_, Some(question)) = resume(problem, &answers) {
                questions.push(question);
                futures.push_back(answers);
            }
        }
    }
    questions
}

/// Answers from memory; at the first question without an answer it stops and keeps the question.
struct Remembered<'a> {
    answers: std::slice::Iter<'a, Verdict>,
    next: Option<Plan>,
}

impl Oracle for Remembered<'_> {
    fn verdict(&mut self, candidate: &Plan) -> Result<Verdict, Stopped> {
        self.answers.next().copied().ok_or_else(|| {
            self.next = Some(candidate.clone());
            Stopped
        })
    }
}
