//! How much jostle runs, and how long it waits: each number with its unit and its reason.
//!
//! What decides what a report says is counted and not timed, so that a slow machine comes to the same report. The clocks
//! are limits against what hangs, shares of `--time`, and those of races: whether a worker waits can only be seen by
//! waiting for it. `docs/src/limitations.md` has the numbers that a user can meet. The harness has its own,
//! `harness/jostle_harness/limits.py`. How much of something is listed, read or kept stands where that is done.

use std::time::Duration;

// Running

/// Stopped workers that are kept for later runs to be forked off: experiments that are repeated take turns among
/// random seeds, at most so many. Each holds a process, and what it wrote in memory.
pub(crate) const CHECKPOINTS: usize = 4;

// Judging: is a failure one of isolation?

/// Runs after which one and the same answer is believed for now. A test that fails half of the time gives it once
/// in 4; what a verdict rests on is confirmed by [`CONSTANT_RUNS`] more.
pub(crate) const BELIEVED_IF_CONSTANT: u32 = 3;

/// Runs with which the rate of a failure that shows at times is measured: one that shows in half of them is missed
/// once in 1,024.
pub(crate) const RATE_RUNS: u32 = 10;

/// Runs of the test alone that a rate is compared with, as they are cheap; and of the plan, where fewer showed it
/// too rarely to tell. Twice [`RATE_RUNS`], so that the cheap side is the surer one.
pub(crate) const COMPARED_RUNS: u32 = 20;

/// Failures in [`COMPARED_RUNS`] that are too few to tell from none, and too many to be let go: bad luck may hide one that
/// shows half of the time, so that its plan is run [`OPEN_RUNS`] times. Fewer are seen of such a one twice in 10,000.
pub(crate) const OPEN_FAILURES: u32 = 3;

/// A difference of two rates is taken for real if chance explains it with at most this probability: the usual
/// level, as what follows is confirmed by runs of its own.
pub(crate) const RATE_DOUBT: f64 = 0.05;

/// The same where a patch is blamed for what shows at times without it as well: as a fix that harms is worse than
/// none, each such difference counts against it.
pub(crate) const PATCH_DOUBT: f64 = 0.05;

/// Runs in which the test was not run to its end before a question about it is given up: a worker that dies in
/// another test does so in each.
pub(crate) const SILENT_RUNS: u32 = 3;

/// Tests that one run of plain pytest is given at most, each as an argument.
pub(crate) const PLAIN_TESTS: usize = 100;

/// Tests that are run alone in plain pytest at most, in a session, where it is asked whether they fail there too: each
/// is a start of pytest.
pub(crate) const PLAIN_ALONE: usize = 50;

// Confirming what was judged and shrunk

/// Runs with the cause, and without it, those of the judging included, if all of them agree. The first with it, and
/// all with it before, have the random seed of the plan that failed, so that the others alone tell who fails at
/// times from who fails each time: of 128 tests that draw lots at even odds, one is taken for constant.
pub(crate) const CONSTANT_RUNS: u32 = 8;

/// Runs of each sort where they do not agree: a failure that shows half of the time with the cause, and never
/// without, is then told apart nine times in ten.
pub(crate) const VARYING_RUNS: u32 = 16;

/// Runs of each sort where those leave it open, though only the side with the cause ever failed, half of them
/// fresh: bad luck must not hide a failure that shows half of the time.
pub(crate) const OPEN_RUNS: u32 = 48;

/// Runs of each sort that are made in fresh processes, if all of them agree: forks were compared with fresh
/// processes before, and a plain pytest command is tried beside.
pub(crate) const FRESH_CONFIRMATIONS: u32 = 1;

/// Runs of a test alone that have to fail before it is called broken, each with another random seed.
pub(crate) const BROKEN_RUNS: u32 = 3;

/// What chance may explain at most of the difference that a finding rests on.
pub(crate) const CONFIRMED_DOUBT: f64 = 0.01;

/// Runs in fresh processes in which a test has to fail when it is run a second time.
pub(crate) const TWICE_RUNS: u32 = 2;

/// What chance may explain at most where a plain pytest command did not show a failure that shows at times.
pub(crate) const COMMAND_DOUBT: f64 = 0.01;

/// How often in a row a command must show a failure that is one each time: it is printed without the hash seed, and what
/// fails under half of all seeds shows so often without one once in 16. Each other hash seed under which trials have shown it
/// counts for one.
pub(crate) const COMMAND_SHOWS: u32 = 4;

/// How often one command is tried at most: each is a start of pytest, and there are up to six commands.
pub(crate) const COMMAND_RUNS: u32 = 20;

// Shrinking

/// Runs of candidates in search of what makes one test fail. Of lone polluters among 1,000 tests (simulated,
/// `tests/shrink_properties.rs`) 95 of 100 are found within 80 runs where the test fails in half of them, and
/// within 140 where it fails in 3 of 10.
pub const SEARCH_RUNS: u32 = 1000;

/// After so many answers nothing is run ahead of its question any more, as going through all answers again for each
/// question takes too long.
pub(crate) const FORESEEN_ANSWERS: usize = 100;

/// How often a race is expected to show in a candidate at most, whatever it did so far: the fewer tests, the less
/// often workers meet.
pub(crate) const RACE_RATE: f64 = 0.8;

/// The rate that is assumed of a failure which showed a few times in a row and then not at all.
pub(crate) const UNKNOWN_RATE: f64 = 0.5;

/// A pass of a victim that fails at times is believed if chance explains it with at most this: a search asks some
/// hundred questions, and each wrong answer loses the cause.
pub(crate) const CANDIDATE_DOUBT: f64 = 0.001;

/// Repetitions of one candidate at most, for a victim that hardly ever fails: enough for one that fails in one run
/// of 9.
pub(crate) const CANDIDATE_RUNS: u32 = 60;

/// In how many runs a candidate has to fail at most, of a test that fails by chance without any other as well: enough
/// for one that does so in one run of two.
pub(crate) const SHOWS_AGAINST_CHANCE: u32 = 10;

/// Calls at most, in multiples of the plan's length, against an oracle that contradicts itself.
pub(crate) const CALLS_PER_TEST: usize = 30;

/// The share of the weight that a question is about. With one-sided noise a pass says less than a failure, so that
/// it is above one half.
pub(crate) const QUESTION_SHARE: f64 = 0.6;

/// When an element is believed to be the culprit; what is believed is confirmed.
pub(crate) const CULPRIT_BELIEF: f64 = 0.98;

/// Questions at most, for each halving that an oracle without noise would need.
pub(crate) const QUESTIONS_PER_HALVING: f64 = 14.0;

/// Into how many pieces a long list is cut that are each asked about alone, the last first, before it is halved: where one
/// test is the culprit, half of them hold it on average, and are together as long as the first half.
pub(crate) const PIECES: usize = 16;

/// How many tests each piece has at least: below that a run costs more than its tests.
pub(crate) const PIECE: usize = 8;

/// Levels at which both halves are asked for while there is one block: a suite where several tests are needed is
/// most cheaply recognised there.
pub(crate) const CAREFUL_LEVELS: u32 = 2;

/// Deductions in a row before they are verified, with one block: each spares a run, and one that is wrong costs all
/// that follow it.
pub(crate) const DEDUCTIONS_OF_ONE: usize = 5;

/// The same with several blocks, where a deduction is wrong more often.
pub(crate) const DEDUCTIONS_OF_SEVERAL: usize = 3;

/// How much less a test is suspected after one trial that speaks for it. Not 0: cleaners, other polluters and
/// chance exist.
pub(crate) const CLEARED: f64 = 0.05;

/// Below this a weight says nothing more, and must not become 0.
pub(crate) const LEAST_SUSPICION: f64 = 1e-12;

// Explaining

/// What chance may explain at most where a victim fails only at times: a finding has some hundred experiments.
pub(crate) const EXPERIMENT_DOUBT: f64 = 0.001;

/// Repetitions of one experiment at most: enough for a victim that fails in one run of 5.
pub(crate) const EXPERIMENT_REPETITIONS: u32 = 30;

/// Runs of one finding at most: enough to put each of the 300 places that are told back once, and to halve.
pub(crate) const EXPLAINING_RUNS: u32 = 400;

/// Those of them that are begun before it is looked at again whether more are to be made: they may all hang.
pub(crate) const EXPERIMENTS_AT_ONCE: usize = 8;

/// Those of them that may hang, as each then takes its whole time limit.
pub(crate) const HANGING_EXPERIMENTS: u32 = 12;

/// Tests that are run in the polluter's place to see what any test changes: a few of its own file, in forks.
pub(crate) const CONTROLS: usize = 3;

/// Places of one sort that are tried one by one before they are halved: so many runs cost less than what halving
/// may miss, the other places that undo the failure as well.
pub(crate) const SINGLE_PLACES: usize = 24;

/// Places that are tried one by one where restoring all at once says nothing.
pub(crate) const MOST_SINGLE_PLACES: usize = 60;

/// Tests of a suite that are looked at for who else pollutes, suffers from or resets a place: those that wait to be
/// looked into, and of the others the first in suite order.
pub(crate) const FOLLOWED_TESTS: usize = 2_000;

/// Candidates of one sort that are tried where each is a start of pytest. Of forks, which cost some 10 ms, all are.
pub(crate) const RELATED_STARTS: usize = 20;

/// Failures that wait, up to which each is asked in a run of its own whether it shows after a polluter: of more, two runs of
/// all of their tests tell first which are worth one.
pub(crate) const ASKED_ALONE: usize = 8;

/// Tests of one sort that are run in a fresh process as well. Where it shows there what it does in a fork, for so many,
/// the others are told from forks.
pub(crate) const RELATED_SAMPLE: usize = 2;

// Trying fixes

/// Fixes that are tried for one finding, each in [`FIX_TRIALS`] trials of the suite.
pub(crate) const FIXES_TRIED: usize = 6;

/// What chance may explain at most where a victim fails only at times and did not with a fix.
pub(crate) const FIX_DOUBT: f64 = 0.001;

/// Runs of the failing plan with a fix at most.
pub(crate) const FIX_RUNS: u32 = 30;

/// Trials of the whole suite in which a fix has to hold at most.
pub(crate) const FIX_TRIALS: u32 = 20;

/// The same at least, however large the suite is.
pub(crate) const LEAST_FIX_TRIALS: u32 = 5;

/// Tests that these run together, from which follows how many there are in between: 20 up to 2,000 tests, and 5 from 6,700
/// on: suite order, its reverse, two seeded ones and one on two workers. A fix is not to be tried for longer than it took to
/// find what it is for.
pub(crate) const FIX_TESTS: usize = 40_000;

/// Which part of them has two workers.
pub(crate) const FIX_PARALLEL_PART: u32 = 4;

/// Those that are the suite's own order and its reverse.
pub(crate) const FIX_PLAIN_TRIALS: u32 = 2;

/// How often a plan is run again, with the patch and without, before the patch is blamed for what it shows: what
/// shows half of the time without it is seen to 63 times in 64.
pub(crate) const HARM_REPEATS: u32 = 6;

/// Schedules of a pair in conflict that are raced with a fix, the most promising ones first.
pub(crate) const FIX_SCHEDULES: usize = 12;

// A session

/// `--trials` if neither it nor `--time` is given: ten orders and their reverses. In those of one worker any two
/// tests come in both orders.
pub(crate) const TRIALS: u64 = 20;

/// The same where tests are suspected, whose orders with all others are tried before: two orders and their reverses.
pub(crate) const SUSPECTED_TRIALS: u64 = 4;

/// How many times the plan of a log is run, without `--times`.
pub(crate) const LOG_RUNS: u32 = 3;

/// Trials after which failures are judged: the more trials first, the fewer suspects the shrinker has.
pub(crate) const ROUND: u64 = 20;

/// The same of the first rounds of a session with a time limit: an order and its reverse, and two more of each. What they
/// show is judged before anything that takes the time of several runs of the suite.
pub(crate) const FIRST_ROUNDS: [u64; 2] = [2, 4];

/// The same where the first failure of a named test is looked into.
pub(crate) const VICTIM_ROUND: u64 = 2;

/// Into how many parts the tests before a named one are split, each of which is run with it, before all of them are.
pub(crate) const VICTIM_PARTS: usize = 16;

/// Of how many tests such a part is at least: of few, suite order is run as soon.
pub(crate) const VICTIM_PART: usize = 8;

/// The same at most where the first isolation failure ends the session.
pub(crate) const FAIL_FAST_ROUND: u64 = 2;

/// The share of `--time` after which no further trial is started while failures wait. The rest is for what costs
/// most, shrinking and explaining; what is left of it goes to trials again.
pub(crate) const TRIALS_SHARE: f64 = 0.6;

/// How many schedules of pairs in conflict are tried without `--time`: those of [`RACED_PAIRS`] pairs,
/// [`TURN_SCHEDULES`] each.
pub(crate) const SESSION_SCHEDULES: u64 = 384;

/// The share of `--time` that races may take: most suites have fewer of them than of what order shows.
pub(crate) const RACES_SHARE: f64 = 0.25;

/// How many times as long a trial takes beside others as is expected of it from which on trials run one after the other: two
/// at once then gain next to nothing, and may run into the limits of their tests.
pub(crate) const SLOWED_BY: f64 = 1.9;

/// How long a trial is expected to take at least for that.
pub(crate) const SLOWED_FROM: Duration = Duration::from_secs(10);

/// The share of `--time` that recording what tests touch may take, before they are raced.
pub(crate) const RECORDING_SHARE: f64 = 0.1;

/// The share of `--time` that running every test twice may take: it shows the tests that pollute themselves, and no others.
pub(crate) const TWICE_SHARE: f64 = 0.1;

/// Tests that are run twice by themselves since others made them fail where all are: each takes a run.
pub(crate) const TWICE_VICTIMS: usize = 100;

/// How many times as long a run may take whose tests' calls are recorded.
pub(crate) const RECORDING_FACTOR: u32 = 2;

/// Tests that are run alone before the first trial, in suite order: a fork takes some 10 ms, so that these are done
/// in a minute or two.
pub(crate) const ALONE_TESTS: usize = 10_000;

/// Which share of `--time` a sweep over all tests may take: what it shows, trials show at last as well.
pub(crate) const SWEEP_SHARE: f64 = 0.1;

/// Tests that hang or end their process alone and are set apart from the trials: each takes a run after all others.
pub(crate) const APART_TESTS: usize = 8;

/// Failures that a session leaves unjudged and the next one is told of, each with its plan.
pub(crate) const LEFT_FAILURES: usize = 50;

/// Plans of such that are run before the trials: as many as a round has.
pub(crate) const LEFT_PLANS: usize = 20;

/// The largest suite whose every test is run directly after every other, where trials are forks: some 64 orders
/// show all of its 4,032 pairs.
pub(crate) const ADJACENT_TESTS: usize = 64;

/// The most runs that takes where each is a start of pytest.
pub(crate) const ADJACENT_STARTS: usize = 20;

/// The largest suite whose every two tests are run by themselves, where trials are forks: 132 runs.
pub(crate) const PAIRED_TESTS: usize = 12;

/// The most runs that takes where each is a start of pytest.
pub(crate) const PAIRED_STARTS: usize = 20;

/// Tests that are tried with the machine's network: one that needs it is enough.
pub(crate) const NETWORK_TESTS: usize = 3;

/// How often one must fail without it and pass with it.
pub(crate) const NETWORK_ROUNDS: u32 = 2;

/// Tests whose fork is compared with a fresh process at most, spread over the suite.
pub(crate) const FORKED_SAMPLE: usize = 50;

/// The same where forks lack threads of libraries: any test may be the one that needs them, and a whole suite of this size
/// costs one run more.
pub(crate) const SAMPLE_WITHOUT_THREADS: usize = 500;

/// In how many forks a test must differ from as many fresh processes, which agree, before forks are to blame. One that
/// passes and fails by chance at even odds does so once in 512; further rounds are made only while a test differs.
pub(crate) const FORK_ROUNDS: u32 = 5;

/// Runs of each of the two plans that tell whether a test fails by its draws. Of tests that pass and fail at even
/// odds whatever the seed, one in 1,024 is taken for one that draws.
pub(crate) const DRAW_RUNS: u32 = 5;

/// Places and messages of one failing function that are looked into: each may have a cause of its own, but where
/// they change with every run they have not.
pub(crate) const SITES: usize = 4;

/// How many values of `PYTHONHASHSEED` are tried besides the session's. What fails under half of all values fails
/// under these and the usual three of a session once in 256.
pub(crate) const MORE_HASH_SEEDS: u32 = 5;

/// The share of `--time` that is kept for confirming.
pub(crate) const RESERVE_SHARE: f64 = 0.05;

/// What confirming takes at least, with processes that start slowly.
pub(crate) const LEAST_RESERVE: Duration = Duration::from_secs(10);

/// The share of a short `--time` that it may have all the same.
pub(crate) const MOST_RESERVE_SHARE: f64 = 0.2;

// Verifying a fix

/// Runs of the test alone, which must pass before anything is said of isolation.
pub(crate) const VERIFY_ALONE_RUNS: u32 = 2;

/// Runs of the minimal plan in fresh processes; the others are made where that costs least.
pub(crate) const VERIFY_FRESH_RUNS: u32 = 2;

/// Neighbours of a plan at least, since each is another plan: two for each number of other tests that is taken
/// along.
pub(crate) const NEIGHBOURS: u32 = 12;

// Races: how many

/// Pairs of tests that a session races at most, the most promising ones.
pub(crate) const RACED_PAIRS: usize = 32;

/// Schedules of a pair that are tried before others are drawn; in further rounds so many are drawn each.
pub(crate) const PAIR_SCHEDULES: usize = 48;

/// Runs of the shrunk schedule in fresh processes, all of which must fail: a failure that shows in 3 of 4 does so
/// once in 18.
pub(crate) const RACE_CONFIRMATIONS: usize = 10;

/// Those of a test that hangs, as each takes its whole time limit.
pub(crate) const HANGING_CONFIRMATIONS: usize = 2;

/// Schedules of a pair that are tried in one turn, so that all pairs have one before any has its second.
pub(crate) const TURN_SCHEDULES: usize = 12;

/// How many schedules of a test that show a failure are looked into, if it shows at times only under them.
pub(crate) const UNSTEADY_FAILURES: u32 = 2;

/// How many are looked into if it shows under them for the time only that a worker was held: another schedule may
/// show it by order alone.
pub(crate) const HELD_FAILURES: u32 = 6;

/// How many plans are run with a delay of seconds, as each such run takes seconds.
pub(crate) const WAITING_PLANS: usize = 8;

/// Runs of a failing schedule in forks, all of which must fail.
pub(crate) const SCHEDULE_RUNS: u32 = 3;

/// How many tests are tried in the place of one that was found to lose.
pub(crate) const LOSERS_TRIED: usize = 64;

/// By how much the delays that two tests take may differ and be one cause, as a machine that is busy tells them.
pub(crate) const DELAY_FACTOR: u32 = 2;

/// Schedules of each random sort, beside those that are made for a conflict.
pub(crate) const RANDOM_SCHEDULES: usize = 4;

/// How likely a random walk is to switch at a call: once in so many.
pub(crate) const WALK_CALLS: u64 = 3;

/// Runs with the longest delay that must all fail, and those with a shorter one that must all pass.
pub(crate) const DELAY_RUNS: u32 = 3;

/// Milliseconds: the longest delay that counts as an isolation failure, as a machine that is busy may well take so
/// long.
pub(crate) const COMMON_DELAY: u32 = 1000;

/// Above this a call of a program on a resource is not asked for any more, as with the harness (`_MOST_AT_A_PLACE`
/// there): a loop that writes a file line by line.
pub(crate) const ASKED_CALLS: u32 = 40;

// Races: how long a worker that waits is told from one that works

/// Milliseconds: how long a worker that makes no progress, and does not compute, is waited for before the other is
/// let go. A shorter time takes a slow disk for a wait; a longer one is spent at each wait of each schedule.
pub(crate) const WAIT_MILLIS: u32 = 40;

/// Milliseconds: the same for a run in which nobody is to be held meanwhile. One look ([`WORKER_LOOK`]) has to fit
/// in.
pub(crate) const SHORT_WAIT_MILLIS: u32 = 4;

/// In such a run the held one is let go after that time; whoever had to wait for longer was seen too late.
pub(crate) const LATE_WAIT: Duration = Duration::from_millis(3 * SHORT_WAIT_MILLIS as u64);

/// So many attempts at one call, all from one place, are a wait that keeps the processor busy.
pub(crate) const WAITING_ATTEMPTS: u32 = 4;

/// Seconds: whoever sleeps longer is not waited for at a switch, as nobody is to be held for long.
pub(crate) const AWAITED_SLEEP: f64 = 1.0;

/// A delay that every test has to stand, since every machine makes such.
pub(crate) const FAIR_DELAY: Duration = Duration::from_millis(20);

/// How often a worker that is not heard of is looked at.
pub(crate) const WORKER_LOOK: Duration = Duration::from_millis(4);

/// How many times longer it is waited for where the system does not tell whether it computes.
pub(crate) const BLIND_FACTOR: u32 = 10;

/// CPU time that is none, in nanoseconds: what a wait takes that is interrupted and goes on.
pub(crate) const IDLE_NANOSECONDS: u64 = 100_000;

// Processes: limits against what hangs

/// `--test-timeout`: no test of a suite that is run often takes longer.
pub(crate) const TEST_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a test takes at most, each time that it was seen to end, for it to be given [`QUICK_LIMIT`] in forks.
pub(crate) const QUICK_PASS: Duration = Duration::from_millis(500);

/// How long such a test may take in a fork: twenty times as long, so that no pause of a busy machine is taken for a hang.
pub(crate) const QUICK_LIMIT: Duration = Duration::from_secs(10);

/// `--trial-timeout`: a trial without a limit of its own may take this and ten times the longest before it.
pub(crate) const TRIAL_TIMEOUT: Duration = Duration::from_secs(600);

/// How long pytest may take to start and collect, where no limit is given.
pub(crate) const COLLECT: Duration = Duration::from_secs(600);

/// How long pytest may take to end after its last test, session fixtures included.
pub(crate) const ENDING: Duration = Duration::from_secs(30);

/// How long a process that closed its channel may take to end: what is left is Python's own shutdown.
pub(crate) const CLOSED: Duration = Duration::from_secs(5);

/// How long a process may take to end after it was asked to, before it is killed.
pub(crate) const GRACE: Duration = Duration::from_millis(500);

/// How long a zygote may take to fork, or to tell of a fork that was killed. A machine that swaps takes seconds; a
/// trial whose zygote is lost is run in fresh processes ([`ZYGOTE_ATTEMPTS`]).
pub(crate) const PROMPTLY: Duration = Duration::from_secs(10);

/// How often the clock and the interrupt are looked at while nothing is heard: who presses Ctrl-C does not notice.
pub(crate) const TICK: Duration = Duration::from_millis(50);

/// How often a trial whose zygote dies is begun before it is run in fresh processes.
pub(crate) const ZYGOTE_ATTEMPTS: u32 = 2;

/// How long a Python may take to import pytest and say its version: a cold disk in a container takes some seconds.
pub(crate) const PYTHON_START: Duration = Duration::from_secs(60);

/// How often an ending process is looked at: each trial waits for that.
pub(crate) const END_LOOK: Duration = Duration::from_millis(2);

/// How often a measured process and the clock are looked at: the precision of what `jostle speedup` measures.
pub(crate) const MEASURED_LOOK: Duration = Duration::from_millis(2);

/// How long a server of the trials' own may take until it is up: those that run on a Java machine take half a minute.
pub(crate) const SERVICE_START: Duration = Duration::from_secs(60);

/// How long it may take to end in good order, where what it keeps is to be whole.
pub(crate) const SERVICE_END: Duration = Duration::from_secs(30);

/// How long a command that prepares it may take: migrations of a large project take minutes.
pub(crate) const SERVICE_PREPARATION: Duration = Duration::from_secs(600);

/// How often it is looked whether a server has ended while it is waited for.
pub(crate) const SERVICE_LOOK: Duration = Duration::from_millis(20);

/// How long a server that has accepted may take to answer before it is asked anew.
pub(crate) const SERVICE_ANSWER: Duration = Duration::from_secs(1);

/// How long a worker that has run its last test may do nothing while its process ends, before the other one goes on, where that
/// waits for the end.
pub(crate) const EXIT_WAIT: Duration = Duration::from_secs(1);

/// How long a server may take to close a connection whose other end is gone, before a trial goes on all the same.
pub(crate) const SERVICE_CLOSE: Duration = Duration::from_millis(500);

/// How often it is looked, in its sandbox, whether a server is up.
pub(crate) const SERVICE_UP_LOOK: Duration = Duration::from_millis(2);

/// How long the kernel may take to end every process of a sandbox. It waits for processes that entered from the
/// base until their parents there have reaped them.
pub(crate) const SANDBOX_END: Duration = Duration::from_secs(10);

/// How long another process may hold the history's index, which it writes in one go.
pub(crate) const INDEX_LOCK: Duration = Duration::from_secs(60);

/// Places that tests leave changed of which the lines are looked for: each takes a run of a test.
pub(crate) const LEAK_LINES: usize = 500;

/// Of places that the same tests leave and of which only numbers tell one from another, the lines are looked for of so many:
/// each of a thousand objects remembers the same.
pub(crate) const LEAK_ALIKE: usize = 3;

/// How many of the places that one test leaves are watched in one run: each is looked at after each line.
pub(crate) const LEAK_WATCHED: usize = 50;

/// How many of those who leave a place are asked, one after the other, until one leaves it by itself as well.
pub(crate) const LEAK_ROUNDS: usize = 3;

/// Tests that name such a place and are tried after whoever leaves it, of each place.
pub(crate) const LEAK_READERS: usize = 5;

/// The same of all places.
pub(crate) const LEAK_TRIED: usize = 300;

/// Places that tests leave changed of which fixes are looked for, the worst first: each takes some runs of its tests, and
/// all of them trials of the suite together.
pub(crate) const LEAK_FIXES: usize = 12;

/// Trials of the whole suite in which such a fix has to hold at most: its own order, the reverse, one shuffled, and one on two
/// workers.
pub(crate) const LEAK_FIX_TRIALS: u32 = 4;

/// How often a test is run directly after those that leave what it names, each time after others of them or in another
/// order.
pub(crate) const LEAK_TURNS: usize = 2;

/// How many runs of the whole suite have as many tests as these runs may have in all.
pub(crate) const LEAK_SUITES: usize = 8;

/// The most of these runs where each is a start of pytest.
pub(crate) const LEAK_STARTS: usize = 20;
