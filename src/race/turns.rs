//! Whose turn it is: a state machine that hears what workers ask for and says who goes on.
//!
//! Invariants: before every worker has come, none goes on; then at most one worker has the turn, and
//! besides it only workers run that were stuck when they had to give it away. Who goes on never
//! depends on which of two workers was heard first, but for those and for schedules without patience.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::plan::WorkerId;
use crate::plan::schedule::{PATIENCE, Schedule};
use crate::race::access::{Call, Effect, Step, StepKind};
use crate::race::fairness::Stay;
use crate::suite::TestIndex;

/// What is heard of a worker.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// It waits to start with its first test.
    Comes,
    /// It starts a test, and does not wait for an answer.
    Starts(TestIndex),
    /// It waits to make a call.
    Asks(Call),
    /// What the call that it was let make does.
    Did(Effect),
    /// It had nothing to do for so long since it got its turn or last said so.
    Rested(Duration),
    /// The teardown of its test starts.
    TearsDown,
    /// An exception is being handled where it will make its next call.
    Handles,
    /// It goes to sleep, and does not wait for an answer.
    Sleeps {
        /// How long.
        seconds: f64,
        /// Where.
        at: Option<String>,
    },
    /// It has slept, and waits to go on.
    Awake,
    /// It was overtaken, is delayed, and has not gone on for so many milliseconds since its last call.
    Takes(u32),
    /// It has not been heard of for long, and does not compute.
    Stuck,
    /// It has run all its tests, or its process has ended.
    Ended,
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    Coming,
    Ready(Wish),
    /// It was overtaken, and is not to go on yet.
    Delayed(Wish),
    Running,
    Sleeping,
    Ended,
}

/// What a worker that waits will do.
#[derive(Clone, Debug, PartialEq)]
enum Wish {
    Start,
    Call(Call),
    WakeUp,
}

#[derive(Clone, Debug)]
struct Player {
    state: State,
    /// How many calls it has made.
    points: u32,
    /// When its last sleep ends, on the trial's own clock, which only sleeps move.
    deadline: f64,
}

/// Seconds: whoever sleeps longer is not waited for at a switch, as nobody is to be held for long.
const SOON: f64 = 1.0;

/// The turns of one trial.
#[derive(Clone, Debug)]
pub struct Turns {
    schedule: Schedule,
    players: Vec<Player>,
    holder: Option<usize>,
    /// Who had the turn last, and what it did since it got it.
    stay: (usize, Stay),
    started: bool,
    /// Whether nobody waits for a turn any more.
    free: bool,
    clock: f64,
    used: BTreeSet<usize>,
    steps: Vec<Step>,
}

impl Turns {
    /// The turns of so many workers.
    pub fn new(schedule: Schedule, workers: usize) -> Self {
        let player = Player { state: State::Coming, points: 0, deadline: 0.0 };
        Self {
            schedule,
            players: vec![player; workers],
            holder: None,
            stay: (0, Stay::default()),
            started: false,
            free: false,
            clock: 0.0,
            used: BTreeSet::new(),
            steps: Vec::new(),
        }
    }

    /// Takes in what a worker does; returns who may go on, each of whom has asked before.
    pub fn hear(&mut self, worker: WorkerId, heard: Heard) -> Option<WorkerId> {
        let index = worker.0 as usize;
        self.players.get(index)?;
        let next = match heard {
            Heard::Comes => self.wishes(index, Wish::Start),
            Heard::Starts(test) => {
                self.note(index, StepKind::Starts(test));
                None
            }
            Heard::Asks(call) => self.wishes(index, Wish::Call(call)),
            Heard::Did(effect) => {
                self.did(index, effect);
                None
            }
            Heard::Rested(idle) => {
                self.stays(index, |stay| stay.rests(idle));
                None
            }
            Heard::TearsDown => {
                self.note(index, StepKind::TearsDown);
                None
            }
            Heard::Handles => {
                self.note(index, StepKind::Handles);
                None
            }
            Heard::Awake => self.wishes(index, Wish::WakeUp),
            Heard::Sleeps { seconds, at } => self.sleeps(index, seconds, at),
            Heard::Takes(milliseconds) => self.takes(index, milliseconds),
            Heard::Stuck => self.stuck(index),
            Heard::Ended => {
                self.note(index, StepKind::Ends);
                self.players[index].state = State::Ended;
                self.end_delays();
                self.leave(index)
            }
        };
        next.map(|next| WorkerId(next as u32))
    }

    /// What was done, in its order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The worker whose turn it is.
    pub fn holder(&self) -> Option<WorkerId> {
        self.holder.map(|holder| WorkerId(holder as u32))
    }

    /// How many calls a worker has made.
    pub fn points(&self, worker: WorkerId) -> u32 {
        self.players.get(worker.0 as usize).map_or(0, |player| player.points)
    }

    /// Whether a worker waits for its turn to come.
    pub fn waits(&self, worker: WorkerId) -> bool {
        let waits = |player: &Player| matches!(player.state, State::Ready(_) | State::Delayed(_));
        self.players.get(worker.0 as usize).is_some_and(waits)
    }

    /// The worker that was overtaken and is not to go on yet.
    pub fn delayed(&self) -> Option<WorkerId> {
        let at = self.players.iter().position(|player| matches!(player.state, State::Delayed(_)))?;
        Some(WorkerId(at as u32))
    }

    /// Whether one that has the turn keeps another from going on that is in the middle of its calls. Who has
    /// made none yet may as well have started late.
    pub fn holds_another(&self, worker: WorkerId) -> bool {
        let index = worker.0 as usize;
        let held = |player: &Player| {
            player.points > 0
                && matches!(player.state, State::Ready(ref wish) if !matches!(wish, Wish::Start))
        };
        self.holder == Some(index)
            && self.players.iter().enumerate().any(|(other, player)| other != index && held(player))
    }

    /// Notes what a worker's last call did. Those that C code makes meanwhile are others.
    fn did(&mut self, index: usize, effect: Effect) {
        let own = self.steps.iter_mut().rev().filter(|step| step.worker.0 as usize == index);
        let mut calls = own.filter_map(|step| match &mut step.kind {
            StepKind::Calls(call) if call.by.is_none() => Some(call),
            _ => None,
        });
        if let Some(call) = calls.next() {
            (call.statement, call.writes, call.idle) = (effect.statement, effect.writes, effect.idle);
        }
    }

    /// Takes in what the one that has the turn does while it holds another; notes when that is a wait. Under
    /// a schedule that has no patience with waits, only one that was not ended in time is noted.
    fn stays(&mut self, index: usize, does: impl FnOnce(&mut Stay)) {
        if self.schedule.is_sequential() || !self.holds_another(WorkerId(index as u32)) {
            return;
        }
        let unfair = if self.is_impatient() { Stay::is_late } else { Stay::is_a_wait };
        let before = unfair(&self.stay.1);
        does(&mut self.stay.1);
        if !before && unfair(&self.stay.1) {
            self.note(index, StepKind::Rests);
        }
    }

    fn wishes(&mut self, index: usize, wish: Wish) -> Option<usize> {
        if self.free {
            self.players[index].state = State::Ready(wish);
            return self.grant(index);
        }
        if let Wish::Call(call) = &wish {
            self.stays(index, |stay| stay.calls(call));
        }
        let switch = match wish {
            Wish::Call(_) if self.holder == Some(index) && !self.schedule.is_sequential() => {
                self.switch(index)
            }
            _ => None,
        };
        let had_turn = self.holder == Some(index);
        if had_turn && switch.is_none() && self.is_to_give_way(index) {
            self.note(index, StepKind::Waits);
            self.players[index].state = State::Ready(wish);
            let others = (0..self.players.len()).filter(|&other| other != index && self.may_go(other));
            return others.min().and_then(|other| self.grant(other));
        }
        if let (Some(_), Wish::Call(call)) = (switch, &wish) {
            self.note(index, StepKind::Overtaken(call.clone()));
        }
        let delayed = switch.is_some() && self.schedule.delay > 0;
        self.players[index].state = if delayed { State::Delayed(wish) } else { State::Ready(wish) };
        match switch {
            Some(other) => {
                // One that still sleeps has the turn from when it wakes.
                self.holder = Some(other);
                self.grant(other)
            }
            None if had_turn => self.grant(index),
            None => self.pick(),
        }
    }

    /// A worker that is delayed goes on once it has taken as long as it is to. The others do not wait for that, and
    /// their time runs: from then on all go on as they please.
    fn takes(&mut self, index: usize, milliseconds: u32) -> Option<usize> {
        self.note(index, StepKind::Takes(milliseconds));
        if milliseconds < self.schedule.delay || !self.end_delay(index) {
            return None;
        }
        self.free = true;
        self.grant(index)
    }

    /// Nobody is delayed any more whom nobody is left to notice.
    fn end_delays(&mut self) {
        for index in 0..self.players.len() {
            let mut others = self.players.iter().enumerate().filter(|&(other, _)| other != index);
            if others.all(|(_, player)| player.state == State::Ended) {
                self.end_delay(index);
            }
        }
    }

    /// Whether the worker was delayed.
    fn end_delay(&mut self, index: usize) -> bool {
        let state = &mut self.players[index].state;
        let State::Delayed(wish) = state else { return false };
        *state = State::Ready(wish.clone());
        true
    }

    fn is_impatient(&self) -> bool {
        self.schedule.patience < PATIENCE
    }

    /// Whether a worker has waited while it held another, under a schedule that has no patience with that.
    fn is_to_give_way(&self, index: usize) -> bool {
        self.is_impatient()
            && self.holds_another(WorkerId(index as u32))
            && self.stay.1.is_a_wait()
            && (0..self.players.len()).any(|other| other != index && self.may_go(other))
    }

    /// Who overtakes a worker at its next call.
    fn switch(&mut self, index: usize) -> Option<usize> {
        let here = |switch: &crate::plan::schedule::Switch| {
            switch.worker.0 as usize == index && switch.point == self.players[index].points
        };
        let at = self.schedule.switches.iter().position(here)?;
        let to = self.schedule.switches[at].to.0 as usize;
        let waits = match &self.players.get(to)?.state {
            // Whether it has really woken yet is the clock's affair, and must make no difference.
            State::Sleeping | State::Ready(Wish::WakeUp) => self.players[to].deadline <= self.clock + SOON,
            state => matches!(state, State::Ready(_)),
        };
        (to != index && waits && self.used.insert(at)).then_some(to)
    }

    fn sleeps(&mut self, index: usize, seconds: f64, at: Option<String>) -> Option<usize> {
        if self.schedule.is_sequential() {
            return None;
        }
        self.note(index, StepKind::Sleeps { at });
        let player = &mut self.players[index];
        player.deadline = self.clock + seconds.max(0.0);
        player.state = State::Sleeping;
        self.leave(index)
    }

    fn stuck(&mut self, index: usize) -> Option<usize> {
        let other_waits = (0..self.players.len()).any(|other| self.may_go(other));
        let runs = self.players[index].state == State::Running;
        if self.schedule.is_sequential() || !runs || self.holder != Some(index) {
            return None;
        }
        let waited = Duration::from_millis(self.schedule.patience.into());
        self.stays(index, |stay| stay.rests(waited));
        let worker = WorkerId(index as u32);
        let told = self.steps.iter().rfind(|step| step.worker == worker);
        if other_waits || told.is_none_or(|step| step.kind != StepKind::Waits) {
            self.note(index, StepKind::Waits);
        }
        if other_waits { self.leave(index) } else { None }
    }

    fn leave(&mut self, index: usize) -> Option<usize> {
        if self.holder == Some(index) {
            self.holder = None;
        }
        self.pick()
    }

    /// Chooses who goes on if nobody has the turn: whoever was overtaken, else whoever slept least long.
    fn pick(&mut self) -> Option<usize> {
        if self.holder.is_some() || self.players.iter().any(|player| player.state == State::Coming) {
            return None;
        }
        let first = self.schedule.first.0 as usize;
        if !std::mem::replace(&mut self.started, true) && self.may_go(first) {
            return self.grant(first);
        }
        let ready = (0..self.players.len()).filter(|&index| self.may_go(index));
        let next = ready.min_by(|&one, &other| self.wakes(one).total_cmp(&self.wakes(other)))?;
        self.grant(next)
    }

    /// When a worker can go on, on the trial's clock.
    fn wakes(&self, index: usize) -> f64 {
        match self.players[index].state {
            State::Ready(Wish::WakeUp) | State::Sleeping => self.players[index].deadline,
            _ => self.clock,
        }
    }

    /// Whether a worker waits and no sleeping one is to wake before it, whichever really woke first.
    fn may_go(&self, index: usize) -> bool {
        match self.players[index].state {
            State::Ready(Wish::WakeUp) => {
                let rank = (self.players[index].deadline, index);
                let earlier = |(other, player): (usize, &Player)| {
                    player.state == State::Sleeping && (player.deadline, other) < rank
                };
                !self.players.iter().enumerate().any(earlier)
            }
            State::Ready(_) => true,
            _ => false,
        }
    }

    fn grant(&mut self, index: usize) -> Option<usize> {
        let player = &mut self.players[index];
        match std::mem::replace(&mut player.state, State::Running) {
            State::Ready(Wish::Start) => {}
            State::Ready(Wish::Call(call)) => {
                player.points += 1;
                self.note(index, StepKind::Calls(call));
            }
            State::Ready(Wish::WakeUp) => self.clock = self.clock.max(player.deadline),
            state => {
                player.state = state;
                return None;
            }
        }
        self.holder = (!self.free).then_some(index);
        if self.stay.0 != index {
            self.stay = (index, Stay::default());
        }
        Some(index)
    }

    fn note(&mut self, index: usize, kind: StepKind) {
        self.steps.push(Step { worker: WorkerId(index as u32), kind });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::schedule::{Resource, Switch};
    use crate::race::access::recorded;
    use crate::race::fairness::{IMPATIENT, is_unfair};

    /// What a simulated worker does one after the other.
    #[derive(Clone, Debug)]
    enum Act {
        Call(u8),
        Sleep(u8),
    }

    fn call(resource: u8) -> Call {
        Call {
            resource: Resource(format!("file:{resource}")),
            call: "write".into(),
            writes: true,
            at: None,
            by: None,
            idle: false,
            statement: None,
        }
    }

    /// Runs simulated workers; `eager` says in which order those that can be heard are. Panics if two run.
    fn run(schedule: &Schedule, scripts: &[Vec<Act>], mut eager: impl FnMut(usize) -> usize) -> Vec<Step> {
        let mut turns = Turns::new(schedule.clone(), scripts.len());
        // For each worker: its next act, and whether it has something to say.
        let mut next = vec![0; scripts.len()];
        let mut free: Vec<usize> = (0..scripts.len()).collect();
        let mut asleep = vec![false; scripts.len()];
        let mut began = vec![false; scripts.len()];
        while !free.is_empty() {
            let index = free.remove(eager(free.len()));
            let worker = WorkerId(index as u32);
            let heard = if !std::mem::replace(&mut began[index], true) {
                Heard::Comes
            } else if std::mem::replace(&mut asleep[index], false) {
                Heard::Awake
            } else {
                next[index] += 1;
                match scripts[index].get(next[index] - 1) {
                    None => Heard::Ended,
                    Some(Act::Call(resource)) => Heard::Asks(call(*resource)),
                    Some(Act::Sleep(seconds)) => {
                        asleep[index] = true;
                        free.push(index);
                        Heard::Sleeps { seconds: f64::from(*seconds), at: None }
                    }
                }
            };
            if let Some(granted) = turns.hear(worker, heard) {
                free.push(granted.0 as usize);
                assert_eq!(turns.holder(), Some(granted));
            }
        }
        assert!(next.iter().zip(scripts).all(|(&next, script)| next == script.len() + 1), "all have ended");
        turns.steps().to_vec()
    }

    fn scripts() -> impl Strategy<Value = Vec<Vec<Act>>> {
        let act = prop_oneof![(0_u8..3).prop_map(Act::Call), (0_u8..4).prop_map(Act::Sleep)];
        proptest::collection::vec(proptest::collection::vec(act, 0..8), 2)
    }

    fn schedule() -> impl Strategy<Value = Schedule> {
        let switch = (0_u32..2, 0_u32..8).prop_map(|(worker, point)| Switch {
            worker: WorkerId(worker),
            point,
            to: WorkerId(1 - worker),
        });
        (0_u32..2, proptest::collection::vec(switch, 0..5), any::<bool>()).prop_map(
            |(first, switches, sequential)| Schedule {
                first: WorkerId(first),
                at: if sequential { BTreeSet::new() } else { BTreeSet::from([Resource("file:0".into())]) },
                switches,
                patience: PATIENCE,
                pause: 0,
                delay: 0,
                system_calls: false,
                calls: Vec::new(),
            },
        )
    }

    proptest! {
        #[test]
        fn every_worker_comes_to_its_end_and_the_order_does_not_depend_on_who_is_heard_first(
            scripts in scripts(), schedule in schedule(), picks in proptest::collection::vec(0_usize..2, 60),
        ) {
            let plain = run(&schedule, &scripts, |_| 0);
            let mut picks = picks.into_iter().cycle();
            let other = run(&schedule, &scripts, |free| picks.next().unwrap() % free);
            prop_assert_eq!(recorded(&plain), recorded(&other));
        }

        #[test]
        fn every_worker_comes_to_its_end_without_patience(scripts in scripts(), schedule in schedule()) {
            run(&Schedule { patience: 0, ..schedule }, &scripts, |_| 0);
        }

        #[test]
        fn sequential_workers_do_not_mix(scripts in scripts(), first in 0_u32..2) {
            let steps = run(&Schedule::sequential(WorkerId(first)), &scripts, |_| 0);
            let end = steps.iter().position(|step| step.kind == StepKind::Ends).unwrap();
            prop_assert!(steps[..=end].iter().all(|step| step.worker.0 == first));
            prop_assert!(steps[end + 1..].iter().all(|step| step.worker.0 != first));
        }
    }

    #[test]
    fn a_switch_lets_the_other_overtake_at_the_call_it_names() {
        let switches = vec![Switch { worker: WorkerId(0), point: 1, to: WorkerId(1) }];
        let at = BTreeSet::from([Resource("file:0".into())]);
        let schedule = Schedule { switches, ..Schedule::undisturbed(WorkerId(0), at) };
        let steps = run(&schedule, &[vec![Act::Call(0), Act::Call(1)], vec![Act::Call(2)]], |_| 0);
        let expected = ["gw0 write file 0", "gw1 write file 2", "gw0 write file 1"];
        assert_eq!(recorded(&steps), expected);
    }

    #[test]
    fn who_is_stuck_gives_way_and_takes_its_turn_when_it_comes_back() {
        let at = BTreeSet::from([Resource("file:0".into())]);
        let mut turns = Turns::new(Schedule::undisturbed(WorkerId(0), at), 2);
        let (one, other) = (WorkerId(0), WorkerId(1));
        assert_eq!(turns.hear(one, Heard::Comes), None);
        assert_eq!(turns.hear(other, Heard::Comes), Some(one));
        assert_eq!(turns.hear(one, Heard::Stuck), Some(other));
        assert_eq!(turns.hear(one, Heard::Asks(call(0))), None);
        assert_eq!(turns.hear(other, Heard::Asks(call(0))), Some(other));
        assert_eq!(turns.hear(other, Heard::Ended), Some(one));
        assert_eq!(turns.hear(one, Heard::Stuck), None);
        assert_eq!(turns.hear(one, Heard::Ended), None);
    }

    /// Two workers of which the first is held before its second call, while the other has the turn.
    fn held_in_the_middle(patience: u32) -> Turns {
        let at = BTreeSet::from([Resource("file:0".into())]);
        let switches = vec![Switch { worker: WorkerId(0), point: 1, to: WorkerId(1) }];
        let mut turns =
            Turns::new(Schedule { switches, patience, ..Schedule::undisturbed(WorkerId(0), at) }, 2);
        let (one, other) = (WorkerId(0), WorkerId(1));
        assert_eq!(turns.hear(one, Heard::Comes), None);
        assert_eq!(turns.hear(other, Heard::Comes), Some(one));
        assert!(!turns.holds_another(one), "who has not made a call yet is only late");
        assert_eq!(turns.hear(one, Heard::Asks(call(0))), Some(one));
        assert_eq!(turns.hear(one, Heard::Asks(call(0))), Some(other));
        assert!(turns.holds_another(other));
        turns
    }

    #[test]
    fn a_rest_while_another_is_held_is_noted_and_makes_only_the_impatient_give_way() {
        let rest = || Heard::Rested(Duration::from_millis(8));
        let mut patient = held_in_the_middle(PATIENCE);
        patient.hear(WorkerId(1), rest());
        assert!(is_unfair(patient.steps()));
        assert_eq!(patient.hear(WorkerId(1), Heard::Asks(call(0))), Some(WorkerId(1)));

        let mut impatient = held_in_the_middle(IMPATIENT);
        impatient.hear(WorkerId(1), rest());
        assert_eq!(impatient.hear(WorkerId(1), Heard::Asks(call(0))), Some(WorkerId(0)));
        assert!(!is_unfair(impatient.steps()), "it was let go in time");

        let mut late = held_in_the_middle(IMPATIENT);
        late.hear(WorkerId(1), Heard::Rested(Duration::from_millis(30)));
        assert!(is_unfair(late.steps()));
    }

    /// Two workers of which the first is delayed for 50 ms before its second call, while the other has the turn.
    fn delayed() -> Turns {
        let at = BTreeSet::from([Resource("file:0".into())]);
        let switches = vec![Switch { worker: WorkerId(0), point: 1, to: WorkerId(1) }];
        let schedule = Schedule { switches, delay: 50, ..Schedule::undisturbed(WorkerId(0), at) };
        let mut turns = Turns::new(schedule, 2);
        let (one, other) = (WorkerId(0), WorkerId(1));
        turns.hear(one, Heard::Comes);
        turns.hear(other, Heard::Comes);
        assert_eq!(turns.hear(one, Heard::Asks(call(0))), Some(one));
        assert_eq!(turns.hear(one, Heard::Asks(call(0))), Some(other));
        assert_eq!((turns.delayed(), turns.waits(one)), (Some(one), true));
        turns
    }

    #[test]
    fn who_is_delayed_goes_on_at_its_time_whatever_the_other_does_and_nobody_has_turns_any_more() {
        let (one, other) = (WorkerId(0), WorkerId(1));
        let mut turns = delayed();
        // The other one waits, sleeps and tries again, and has the turn each time.
        assert_eq!(turns.hear(other, Heard::Stuck), None);
        assert_eq!(turns.hear(other, Heard::Asks(call(0))), Some(other));
        assert_eq!(turns.hear(one, Heard::Takes(20)), None);
        assert_eq!(turns.hear(other, Heard::Sleeps { seconds: 9.0, at: None }), None);
        assert_eq!(turns.hear(other, Heard::Awake), Some(other));
        assert_eq!(turns.hear(one, Heard::Takes(50)), Some(one));
        assert_eq!((turns.delayed(), turns.holder()), (None, None));
        for _ in 0..3 {
            assert_eq!(turns.hear(other, Heard::Asks(call(0))), Some(other));
            assert_eq!(turns.hear(one, Heard::Asks(call(0))), Some(one));
        }
        assert_eq!(turns.hear(one, Heard::Takes(100)), None);
        assert_eq!(turns.hear(one, Heard::Ended), None);
        assert_eq!(turns.hear(other, Heard::Asks(call(0))), Some(other));
    }

    #[test]
    fn who_is_delayed_goes_on_when_nobody_else_is_left() {
        let mut turns = delayed();
        assert_eq!(turns.hear(WorkerId(1), Heard::Ended), Some(WorkerId(0)));
        assert_eq!(turns.hear(WorkerId(0), Heard::Takes(50)), None);
        let steps = turns.steps().iter().map(|step| &step.kind);
        assert_eq!(steps.filter(|kind| matches!(kind, StepKind::Calls(_))).count(), 2);
    }

    #[test]
    fn a_rest_that_keeps_nobody_from_going_on_is_none() {
        let at = BTreeSet::from([Resource("file:0".into())]);
        let mut turns = Turns::new(Schedule::undisturbed(WorkerId(0), at), 2);
        turns.hear(WorkerId(0), Heard::Comes);
        turns.hear(WorkerId(1), Heard::Comes);
        turns.hear(WorkerId(0), Heard::Asks(call(0)));
        turns.hear(WorkerId(0), Heard::Rested(Duration::from_secs(1)));
        assert!(!is_unfair(turns.steps()));
    }
}
