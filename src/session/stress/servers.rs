//! Which tests talk to servers outside of the trials, found out before anything is claimed: what such a server keeps is
//! there for all trials, so that a test which fails for it alone is not therefore broken.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::finding::Origin;
use crate::limits::{RECORDING_FACTOR, RECORDING_SHARE};
use crate::plan::Plan;
use crate::race::servers::{Listening, OutsideServer, POSTGRES_PORT, Sort, outside};
use crate::run::RunError;
use crate::session::event::{About, Event};
use crate::session::lab::Lab;
use crate::session::race::recording;
use crate::session::stress::Session;
use crate::suite::{Suite, TestIndex};
use crate::trial::{Outcome, Trial};

impl Session<'_> {
    /// Looks for such servers: by recording all tests, if trials reach some of the machine's, and those that did not pass in
    /// suite order, as it was `shown`, for the others: they may lack one.
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) fn look_for_servers(
        &mut self,
        lab: &mut Lab<'_>,
        suite_order: &Plan,
        shown: &Trial,
    ) -> Result<(), RunError> {
        let not_passed = not_passed(shown);
        if self.would_be_late(lab, RECORDING_FACTOR) {
            return Ok(());
        }
        let (reached, lacking): (Vec<Listening>, Vec<Listening>) =
            lab.servers().into_iter().partition(|server| server.reached);
        let mut found = Vec::new();
        if !reached.is_empty() {
            let share = self.share(RECORDING_SHARE);
            let recording = recording::record(lab, self.seed, suite_order.hash_seed, share)?;
            found.extend(outside(&recording.touched, &reached, self.rootdir));
            self.recording = Some(recording);
        }
        if !lacking.is_empty() && !not_passed.is_empty() {
            let [plan, _] = recording::plans(lab, self.seed, suite_order.hash_seed);
            let all: BTreeSet<TestIndex> = plan.workers[0].iter().copied().collect();
            let others = all.difference(&not_passed).copied().collect();
            lab.trials(&[(Origin::Recording, plan.without(&others))], &mut |_, _, trial| {
                // One that passed has all it needs within its trial, be it under the same number of a port.
                let lack = self::not_passed(&trial);
                let lacked = outside(&trial.touched, &lacking, self.rootdir).into_iter();
                found.extend(lacked.map(|(at, tests)| (at, tests.intersection(&lack).copied().collect())));
                ControlFlow::Continue(())
            })?;
        }
        found.retain(|(_, tests): &(_, BTreeSet<TestIndex>)| !tests.is_empty());
        let servers: Vec<OutsideServer> =
            found.into_iter().map(|(at, tests)| OutsideServer { at, tests }).collect();
        if servers.is_empty() {
            return Ok(());
        }
        if servers.iter().any(|server| server.at.reached) {
            lab.run_one_by_one();
        }
        lab.tell(&Event::Outside(&servers));
        servers.iter().for_each(|server| lab.remark(About::Costs, &remark(server, lab.suite)));
        Ok(())
    }
}

/// The tests that were run and did not pass.
fn not_passed(trial: &Trial) -> BTreeSet<TestIndex> {
    let fails = |outcome: &Outcome| outcome.is_failure() || *outcome == Outcome::Skipped;
    trial.executions.iter().filter(|run| fails(&run.outcome)).map(|run| run.test).collect()
}

/// What is said before all findings.
fn remark(server: &OutsideServer, suite: &Suite) -> String {
    let OutsideServer { at, tests } = server;
    let name = match at.sort() {
        Some(Sort::Postgres) => " (PostgreSQL)".to_owned(),
        Some(Sort::Redis) => " (Redis)".to_owned(),
        None => at.program.iter().map(|program| format!(" ({program})")).collect(),
    };
    let first = tests.first().map(|&test| suite.test(test).id.to_string()).unwrap_or_default();
    let (who, others) = match tests.len() {
        1 => (format!("{first} talks"), String::new()),
        more => (format!("{more} tests talk"), format!(", {first} the first")),
    };
    let what = if at.reached {
        "trials share it with each other and with you, so that nothing is claimed of tests that fail for what it keeps"
    } else {
        "trials do not reach it, so that nothing is claimed of these tests"
    };
    let reaching = match (at.reached, at.port(), folder(at)) {
        (false, Some(_), _) => ". With --network host they would share yours".to_owned(),
        (false, None, Some(folder)) => format!(". With --share {folder} they would share yours"),
        _ => String::new(),
    };
    format!(
        "{who} to {}{name}, a server outside of the trials{others}: {what}{reaching}. Give each trial one of its own by these lines of \
         pyproject.toml:\n{}",
        at.address(),
        settings(at).iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
    )
}

/// The folder of a server's socket, if it has one.
fn folder(at: &Listening) -> Option<String> {
    let address = at.address();
    address.rsplit_once('/').map(|(folder, _)| folder.to_owned())
}

/// The lines that give trials a server of their own in place of one.
pub(crate) fn settings(at: &Listening) -> Vec<String> {
    let port = |port: u16| format!("port = {port}");
    match at.sort() {
        Some(Sort::Postgres) => {
            let of_socket = at.address().rsplit_once('.').and_then(|(_, port)| port.parse().ok());
            let number = at.port().or(of_socket.filter(|port| *port != POSTGRES_PORT)).map(port);
            let socket = folder(at).map(|folder| format!("socket = {folder:?}"));
            let databases =
                "databases = [\"NAME\"]  # yours, and user = \"ROLE\" unless that is postgres".to_owned();
            let header = "[tool.jostle.services.postgres]".to_owned();
            [Some(header), number, socket.filter(|_| at.port().is_none()), Some(databases)]
                .into_iter()
                .flatten()
                .collect()
        }
        Some(Sort::Redis) => vec![
            "[tool.jostle.services.redis]".into(),
            at.port().map_or_else(|| format!("socket = {:?}", at.address()), port),
            "prepare = []  # commands that fill it, if it is to hold something at first".into(),
        ],
        None => vec![
            "[tool.jostle.services.NAME]".into(),
            "command = \"COMMAND\"  # what starts it, in the foreground".into(),
            format!("ready = {:?}", at.address()),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Finding, Kind};
    use crate::plan::schedule::Resource;
    use crate::plan::{Axes, Seed};
    use crate::session::event::Reporters;
    use crate::session::fake_engine::{FakeEngine, Situation, fails_if, name, suite};
    use crate::session::result::{Limits, SessionResult};
    use crate::session::stress::stress;

    /// `b` fails for what the server keeps, `f` as it does; `c` and `f` talk to it as well; `g` fails after `e`, and `h` alone.
    fn session(reached: bool, victim: Option<&str>) -> SessionResult {
        let becomes = |run: Situation<'_>| {
            let talks = run.is('b') || !reached && "cf".contains(name(run.test));
            fails_if(talks || run.is('g') && run.after('e') || run.is('h'))
        };
        let server = Listening {
            resource: Resource("port:tcp 55432".into()),
            program: Some("postgres".into()),
            reached,
        };
        let mut engine = FakeEngine::new(suite(8), becomes).talking_to(server, "bcf");
        let victim = victim.map(str::to_owned);
        let limits = Limits { trials: Some(6), schedules: Some(0), victim, ..Limits::default() };
        stress(&mut engine, &mut Reporters::default(), Seed(1), &Axes::default(), &limits).unwrap()
    }

    fn told(result: &SessionResult) -> Vec<(Kind, bool, String)> {
        let tests =
            |finding: &Finding| finding.test.iter().chain(&finding.also).map(|&test| name(test)).collect();
        result.findings.iter().map(|finding| (finding.kind, finding.unjudged, tests(finding))).collect()
    }

    #[test]
    fn what_fails_for_a_server_outside_of_the_trials_is_no_bug_and_the_rest_is_judged() {
        let victim = (Kind::Victim, false, "g".to_owned());
        let broken = (Kind::Broken, false, "h".to_owned());
        let with = session(true, None);
        assert_eq!(told(&with), [victim.clone(), broken.clone(), (Kind::Unreproduced, true, "b".to_owned())]);
        let without = session(false, None);
        assert_eq!(told(&without), [victim, broken, (Kind::Unreproduced, true, "bcf".to_owned())]);
        for result in [with, without] {
            let remark = &result.costs[0];
            assert!(remark.contains("to 127.0.0.1:55432 (PostgreSQL), a server outside"), "{remark}");
            assert!(remark.contains("\n    port = 55432\n"), "{remark}");
            assert_eq!(result.outside.len(), 1);
        }
    }

    #[test]
    fn the_advice_on_a_server_that_trials_do_not_reach_fits_where_it_listens() {
        let rows = [
            ("port:tcp 55432", false, ". With --network host they would share yours. Give"),
            ("file:/run/x/redis.sock", false, ". With --share /run/x they would share yours. Give"),
            ("port:tcp 55432", true, "for what it keeps. Give"),
        ];
        for (resource, reached, advice) in rows {
            let at = Listening { resource: Resource(resource.into()), program: None, reached };
            let told = remark(&OutsideServer { at, tests: [TestIndex(0)].into() }, &suite(1));
            assert!(told.contains(advice), "{told}");
        }
    }

    #[test]
    fn nor_is_it_one_where_the_user_has_named_the_test() {
        for reached in [true, false] {
            let result = session(reached, Some("test_b.py::b"));
            assert_eq!(told(&result), [(Kind::Unreproduced, true, "b".to_owned())], "{reached}");
            assert_eq!(result.outside.len(), 1);
        }
    }
}
