//! The tests that a patch changes are raced in the patched copy with those that they are in conflict with.

use crate::finding::Origin;
use crate::judge::signature::FailureLocation;
use crate::limits::FIX_SCHEDULES;
use crate::run::RunError;
use crate::session::event::{Event, Reporters};
use crate::session::fix::control::Control;
use crate::session::fix::trying::{Attempt, Doubt, End};
use crate::session::lab::Lab;
use crate::session::race::pairs::{Races, fresh_suspects, seems_no_race};
use crate::session::race::recording;
use crate::session::suspect::Suspect;
use crate::suite::TestIndex;

impl Attempt<'_, '_, '_, '_> {
    /// With how many tests those that were changed were raced.
    pub(super) fn raced(&mut self, hash_seed: u32) -> Result<u32, End> {
        // Nobody waits for the trials of a copy.
        let mut nobody = Reporters::default();
        let mut copy = Lab::new(self.lab.suite, &mut *self.patched.engine, &mut nobody, self.lab.deadline());
        copy.tell(&Event::LeftOut(self.lab.account().left_out()));
        let recording = recording::record(&mut copy, self.seed, hash_seed, None)?;
        let mut races = Races::new(self.seed, hash_seed, &recording, None);
        let changed = self.changed;
        races.pairs.retain(|pair| changed.contains(&pair.tests.0) || changed.contains(&pair.tests.1));
        for pair in 0..races.pairs.len() {
            let undisturbed = races.undisturbed(&mut copy, pair)?;
            let plans = races.plans(pair, 0, &undisturbed);
            for (number, plan) in plans.iter().enumerate().take(FIX_SCHEDULES) {
                if self.lab.out_of_time() {
                    return Err(End::NoTime);
                }
                let trial = match undisturbed.get(number) {
                    Some((_, trial)) => trial.clone(),
                    None => copy.trial(Origin::Race(plan.index.0), plan)?,
                };
                for suspect in fresh_suspects(plan, &trial, |_| false) {
                    let (test, other) = (suspect.signature.test, &races.pairs[pair].tests);
                    let other = if other.0 == test { other.1 } else { other.0 };
                    if is_new(self.lab, self.control, self.test, &suspect)?
                        && seems_no_race(&mut copy, &suspect)?.is_none()
                    {
                        let [id, other] = [test, other].map(|test| &self.lab.suite.test(test).id);
                        let says = format!("let {id} fail while {other} runs on another worker");
                        return Err(End::Doubt(Doubt { says, of_another: test != self.test }));
                    }
                }
            }
        }
        Ok(races.pairs.len() as u32)
    }
}

/// Whether a failure of a race is none of the project without the patch: of a test of which no race was found that is lost in
/// this way, and not shown by the same schedule. A patch changes what a schedule meets, so that a known race can show in a
/// schedule that passed without it. The victim's always counts.
fn is_new(
    lab: &Lab<'_>,
    control: &mut Control<'_>,
    victim: TestIndex,
    suspect: &Suspect,
) -> Result<bool, RunError> {
    if suspect.signature.test == victim {
        return Ok(true);
    }
    let how = |crash: &FailureLocation| (crash.phase, crash.exception.clone());
    let known = lab
        .book()
        .race_of(suspect.signature.test)
        .and_then(|race| lab.book().findings()[race].signature.as_ref());
    if known.is_some_and(|known| how(&known.crash) == how(&suspect.signature.crash)) {
        return Ok(false);
    }
    let without = control.trial(lab, &suspect.plan, false)?;
    let known = fresh_suspects(&suspect.plan, &without, |_| false);
    Ok(known.iter().all(|known| known.signature != suspect.signature))
}
