//! Names and versions of all written forms. Fields may join within a version; none changes its meaning. What is older than
//! the version that is written is still read.

/// `jostle stress --json` and `jostle replay --json`; `report/report.schema.json` has its shape.
pub(crate) const REPORT: &str = "jostle.report/1";

/// `jostle verify --json`; `report/verify.schema.json` has its shape.
pub(crate) const VERIFY: &str = "jostle.verify/1";

/// `jostle history --json`; `report/history.schema.json` has its shape.
pub(crate) const HISTORY_REPORT: &str = "jostle.history-report/1";

/// `jostle speedup --json`; `report/speedup.schema.json` has its shape.
pub(crate) const SPEEDUP: &str = "jostle.speedup/1";

/// `jostle collect --json`.
pub(crate) const COLLECT: &str = "jostle.collect/1";

/// `jostle conflicts --json`.
pub(crate) const CONFLICTS: &str = "jostle.conflicts/1";

/// `jostle doctor --json`.
pub(crate) const DOCTOR: &str = "jostle.doctor/1";

/// `jostle leaks --json`; `report/leaks.schema.json` has its shape.
pub(crate) const LEAKS: &str = "jostle.leaks/1";

/// What `--json` writes, but for plans.
pub(crate) const REPORTS: [&str; 8] =
    [REPORT, VERIFY, HISTORY_REPORT, SPEEDUP, COLLECT, CONFLICTS, DOCTOR, LEAKS];

/// A plan in a failure file, a report or `jostle plan --json`.
pub(crate) const PLAN_VERSION: u32 = 1;

/// A failure file.
pub(crate) const FAILURE_FILE_VERSION: u32 = 1;

/// Tokens whose plans know nothing of how a suite's plugins sort tests; this version is not written in them.
pub(crate) const TOKEN_UNSORTED: u32 = 1;

/// Tokens whose plans keep to what the suite's plugins admit.
pub(crate) const TOKEN_SORTED: u32 = 2;

/// The journal of a session.
pub const JOURNAL: &str = "jostle.journal/1";

/// A session's file in a history. The index over them counts its own migrations.
pub const HISTORY: &str = "jostle.history/1";

/// The plan of a night in shards.
pub(crate) const SHARD_PLAN: &str = "jostle.night/1";

/// The result of a trial of one.
pub(crate) const SHARD_RESULT: &str = "jostle.result/1";

/// What `jostle speedup` compares with.
pub(crate) const SPEEDUP_BASELINE: &str = "jostle.speedup-baseline/1";

/// What `jostle leaks` compares with.
pub(crate) const LEAKS_BASELINE: &str = "jostle.leaks-baseline/1";

/// What both sides of the wire must speak; the harness states its own as `PROTOCOL`.
pub const PROTOCOL_VERSION: u32 = 8;
