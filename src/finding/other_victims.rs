//! The other victims of a finding's polluter: the command that shows each, and whether it fails as the finding's own does.

use crate::finding::Finding;
use crate::judge::Signature;
use crate::suite::{Suite, TestIndex, function};

/// A test that fails for what a finding tells of, and is not the finding's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OtherVictim<'a> {
    /// The test after which it was seen to fail; none if that is an import.
    pub(crate) after: Option<TestIndex>,
    /// How it fails.
    pub(crate) signature: &'a Signature,
}

/// A command of plain pytest for another victim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OtherCommand {
    /// The command.
    pub(crate) text: String,
    /// Whether a run of it showed the failure. If not, it is the finding's own command but for its tests, and was not run.
    pub(crate) shown: bool,
}

impl Finding {
    /// The other victims: those of its place, the polluter among them if that is one in its turn, and those of which it is
    /// not known whether they are of that place.
    pub(crate) fn other_victims(&self) -> impl Iterator<Item = OtherVictim<'_>> {
        let after = self.polluting_test();
        let related = self.explanation.iter().map(|explanation| &explanation.related_tests);
        let of_place = related.clone().flat_map(|related| &related.victims);
        let after_polluter = of_place.chain(&self.same_polluter.victims);
        let in_turn = related.flat_map(|related| &related.in_turn);
        let has_polluter = self.only_polluter().is_some();
        let after_polluter = after_polluter.filter(move |_| has_polluter);
        after_polluter
            .map(move |signature| OtherVictim { after, signature })
            .chain(in_turn.map(|turn| OtherVictim { after: Some(turn.after), signature: &turn.victim }))
    }

    /// The command for another victim: the one that was seen to show it, else one like the finding's own. None if some were
    /// tried and none showed it, or if the finding has none.
    pub(crate) fn command_for(&self, other: OtherVictim<'_>, suite: &Suite) -> Option<OtherCommand> {
        if let Some(tried) = self.other_commands.get(&other.signature.test) {
            return tried.clone().map(|text| OtherCommand { text, shown: true });
        }
        let selected = |after: Option<TestIndex>, victim: TestIndex| {
            let is_named = suite.argument(victim) == suite.test(victim).id.node_id;
            let words = after.iter().chain([&victim]).map(|&test| suite.argument(test));
            shlex::try_join(words).ok().filter(|_| is_named)
        };
        let own = selected(self.only_polluter()?.test(), self.test?)?;
        let common = self.command.as_ref()?.strip_suffix(&own)?;
        let text = format!("{common}{}", selected(other.after, other.signature.test)?);
        Some(OtherCommand { text, shown: false })
    }

    /// Whether another victim fails otherwise than its own: in another phase, with another exception, or at another place.
    /// That each fails in its own body is no difference.
    pub(crate) fn is_otherwise(&self, victim: &Signature, suite: &Suite) -> bool {
        let way = |signature: &Signature| {
            let crash = &signature.crash;
            let place =
                (!is_in_own_body(signature, suite)).then(|| (crash.file.clone(), crash.function.clone()));
            (crash.phase, crash.exception.clone(), place)
        };
        self.signature.as_ref().is_some_and(|own| way(own) != way(victim))
    }
}

/// Whether a test fails in the function that it is.
fn is_in_own_body(signature: &Signature, suite: &Suite) -> bool {
    let (test, crash) = (suite.test(signature.test), &signature.crash);
    crash.file == test.file && function(&test.id).rsplit("::").next() == Some(crash.function.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::{Explanation, InTurn, RelatedTests};
    use crate::finding::same_polluter::SamePolluter;
    use crate::finding::{Kind, Minimal, Origin};
    use crate::judge::Tally;
    use crate::judge::signature::FailureLocation;
    use crate::session::fake_engine::{failed, plan, suite, test};
    use crate::suite::Phase;

    fn fails(letter: char) -> Signature {
        Signature::of(test(letter), &failed("KeyError")).unwrap()
    }

    /// `h` fails after `b`, as `e` and `f` do, and `b` after `h`.
    fn victim() -> Finding {
        let (culprits, imports) = (vec![test('b')], Vec::new());
        let in_turn = Some(InTurn { victim: fails('b'), after: test('h') });
        let related_tests = RelatedTests { victims: [fails('e')].into(), in_turn, ..RelatedTests::default() };
        Finding {
            signature: Some(fails('h')),
            shrunk: Some(Minimal { plan: plan("bh"), culprits, imports, one_minimal: true, calls: 1 }),
            with: Tally { runs: 8, failed: 8 },
            command: Some("PYTHONHASHSEED=7 pytest test_b.py::b test_h.py::h".into()),
            same_polluter: SamePolluter { victims: [fails('f')].into(), ..SamePolluter::default() },
            explanation: Some(Explanation { related_tests, ..Explanation::default() }),
            ..Finding::new(Kind::Victim, Some(test('h')), Origin::Baseline)
        }
    }

    fn commands(finding: &Finding) -> Vec<Option<(String, bool)>> {
        let command = |other| finding.command_for(other, &suite(8)).map(|it| (it.text, it.shown));
        finding.other_victims().map(command).collect()
    }

    #[test]
    fn each_has_the_command_of_the_finding_with_tests_of_its_own() {
        let like = |tests: &str| Some((format!("PYTHONHASHSEED=7 pytest {tests}"), false));
        let [e, f, b] =
            ["test_b.py::b test_e.py::e", "test_b.py::b test_f.py::f", "test_h.py::h test_b.py::b"];
        assert_eq!(commands(&victim()), [like(e), like(f), like(b)]);
        assert_eq!(commands(&Finding { command: None, ..victim() }), [None, None, None]);
        let odd = Finding { command: Some("pytest test_h.py".into()), ..victim() };
        assert_eq!(commands(&odd), [None, None, None], "what it has in common with it is not known");
    }

    #[test]
    fn what_was_tried_is_told_as_it_was_seen() {
        let other_commands = [(test('e'), Some("pytest -n0 e".to_owned())), (test('f'), None)].into();
        let told = commands(&Finding { other_commands, ..victim() });
        assert_eq!(told[..2], [Some(("pytest -n0 e".into(), true)), None]);
        assert!(told[2].as_ref().is_some_and(|(_, shown)| !shown));
    }

    #[test]
    fn it_fails_otherwise_if_more_differs_than_the_test_whose_body_fails() {
        let at = |letter, phase, exception: &str, file: &str, function: &str| Signature {
            test: test(letter),
            crash: FailureLocation {
                phase,
                exception: exception.into(),
                file: file.into(),
                function: function.into(),
            },
        };
        let call = |letter, exception: &str, file: &str, function: &str| {
            at(letter, Phase::Call, exception, file, function)
        };
        let (shared, own) = (call('h', "OSError", "shop.py", "save"), call('h', "OSError", "test_h.py", "h"));
        let rows = [
            (&shared, call('e', "OSError", "shop.py", "save"), false),
            (&shared, call('e', "KeyError", "shop.py", "save"), true),
            (&shared, call('e', "OSError", "shop.py", "load"), true),
            (&shared, call('e', "OSError", "test_e.py", "e"), true),
            (&shared, at('e', Phase::Setup, "OSError", "shop.py", "save"), true),
            (&own, call('e', "OSError", "test_e.py", "e"), false),
            (&own, call('e', "OSError", "test_h.py", "h"), true),
            (&own, call('e', "OSError", "test_e.py", "helper"), true),
            (&own, call('e', "KeyError", "test_e.py", "e"), true),
        ];
        for (signature, other, otherwise) in rows {
            let finding = Finding { signature: Some(signature.clone()), ..victim() };
            assert_eq!(finding.is_otherwise(&other, &suite(8)), otherwise, "{signature:?} {other:?}");
        }
    }
}
