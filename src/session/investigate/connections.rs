//! Failures for want of a connection: a server gives no more of them than it is set to, and whoever comes last gets none.
//! Which test that is, is an accident; the server's own words say that it is one cause.

use crate::finding::{Finding, Kind};
use crate::run::RunError;
use crate::session::lab::Lab;
use crate::session::stress::recognised::fails_alone;
use crate::session::suspect::Suspect;
use crate::trial::Failure;

/// What PostgreSQL (error 53300), MySQL and Redis say then.
const REFUSALS: [&str; 5] = [
    "too many clients already",
    "remaining connection slots are reserved",
    "too many connections for",
    "Too many connections",
    "max number of clients reached",
];

/// The race that tells of this already, if a test that passes alone was refused a connection beside another worker.
///
/// # Errors
/// Those of the engine.
pub(crate) fn told_by(lab: &mut Lab<'_>, suspect: &Suspect) -> Result<Option<usize>, RunError> {
    let Some(refusal) = suspect.failure.as_ref().and_then(refusal).filter(|_| suspect.plan.workers.len() > 1)
    else {
        return Ok(None);
    };
    let tells = |told: &Finding| {
        told.kind == Kind::Race && told.failure.as_ref().and_then(self::refusal) == Some(refusal)
    };
    let Some(told) = lab.book().findings().iter().position(tells) else { return Ok(None) };
    Ok((fails_alone(lab, suspect)? == Some(false)).then_some(told))
}

/// The words by which a server refused a connection, if one did.
fn refusal(failure: &Failure) -> Option<&'static str> {
    REFUSALS.into_iter().find(|words| failure.message.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Axes, Seed};
    use crate::session::event::Reporters;
    use crate::session::fake_engine::{FakeEngine, Situation, failed, fails_if, name, suite};
    use crate::session::result::Limits;
    use crate::session::stress::stress;
    use crate::trial::Outcome;

    /// The races of a session in which `b` and `d` are refused where both run at once.
    fn races(says: &'static str) -> usize {
        let becomes = |run: Situation<'_>| {
            let others = run.plan.workers.iter().filter(|list| !list.contains(&run.test)).flatten();
            let others: Vec<char> = others.map(|&other| name(other)).collect();
            let other = |letter| others.contains(&letter);
            match name(run.test) {
                'b' if other('d') => refused(says),
                'd' if other('b') => refused(says),
                _ => fails_if(false),
            }
        };
        let mut engine = FakeEngine::new(suite(6), becomes);
        let limits = Limits { trials: Some(6), ..Limits::default() };
        let result = stress(&mut engine, &mut Reporters::default(), Seed(1), &Axes::default(), &limits);
        result.expect("a session").findings.iter().filter(|it| it.kind == Kind::Race).count()
    }

    fn refused(message: &str) -> Outcome {
        match failed("OperationalError") {
            Outcome::Failed(failure) => Outcome::Failed(Failure { message: message.to_owned(), ..failure }),
            passed => passed,
        }
    }

    #[test]
    fn tests_that_are_refused_a_connection_lose_one_race() {
        assert_eq!(races("connection failed: FATAL:  sorry, too many clients already"), 1);
        assert_eq!(races("connection refused"), 2, "other words say nothing of the cause");
    }
}
