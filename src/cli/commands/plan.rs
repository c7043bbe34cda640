//! `jostle plan`: what a trial would do.

use std::io::Write;

use crate::cli::ExitCode;
use crate::cli::args::PlanArgs;
use crate::cli::commands::night;
use crate::cli::commands::suite_run::{spawn_engine, write_json};
use crate::cli::isolation_options::IsolationOptions;
use crate::cli::options::SuiteOptions;
use crate::plan::document::PlanDocument;
use crate::plan::token::Token;
use crate::plan::{Interleaving, TrialIndex, plan};
use crate::report::words;
use crate::run::Engine;
use crate::run::engine::Collect;

/// Runs the command.
///
/// # Errors
/// The options are wrong or the suite cannot be collected.
pub fn run(args: &PlanArgs) -> anyhow::Result<ExitCode> {
    let Some(index) = args.index else {
        return night::write(args);
    };
    let options = SuiteOptions::choosing(&args.suite, &args.chosen)?;
    let axes = options.axes(&args.axes)?;
    let seed = args.seed.resolve()?.seed;
    let suite = spawn_engine(&options, &IsolationOptions::new(&args.isolation, &options)?)?
        .collect(Collect::once(axes.hash_seed_values(seed)[0], 0))?
        .suite;
    let document = PlanDocument::new(&plan(seed, TrialIndex(index), &suite, &axes), &suite);
    if !write_json(options.json.as_ref(), &document)? {
        let token = Token::new(seed, TrialIndex(index), false, &suite);
        print(&mut anstream::stdout(), &token, &document)?;
    }
    Ok(if suite.tests.is_empty() { ExitCode::NothingCollected } else { ExitCode::Clean })
}

fn print(out: &mut dyn Write, token: &Token, plan: &PlanDocument) -> std::io::Result<()> {
    let barriers = match &plan.interleaving {
        Interleaving::Free => String::new(),
        Interleaving::Barriers(barriers) => {
            format!(", {} started together", words::count(barriers.len(), "pair"))
        }
        Interleaving::Controlled(schedule) => {
            format!(", one at a time with {}", words::count(schedule.switches.len(), "switch"))
        }
    };
    writeln!(
        out,
        "trial {token}  order {}, mode {}, {}{barriers}, PYTHONHASHSEED={}, random seed {}",
        plan.order.name(),
        plan.mode.name(),
        words::count(plan.workers.len(), "worker"),
        plan.hash_seed,
        plan.random_seed
    )?;
    for (worker, tests) in plan.workers.iter().enumerate() {
        writeln!(out, "gw{worker}  {}", words::count(tests.len(), "test"))?;
        tests.iter().try_for_each(|test| writeln!(out, "    {test}"))?;
    }
    Ok(())
}
