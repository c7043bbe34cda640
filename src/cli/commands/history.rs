//! `jostle history`: what the sessions that were kept say together.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;

use crate::cli::ExitCode;
use crate::cli::args::{HistoryArgs, SuiteArgs};
use crate::cli::commands::page;
use crate::cli::commands::suite_run::{STDOUT, write_json};
use crate::cli::options::{JsonTarget, SuiteOptions};
use crate::cli::values::UsageError;
use crate::history::summarise;
use crate::record::HistoryIndex;
use crate::record::history_file::{HistoryError, files};
use crate::report::history::{HistoryDocument, history, of_test};
use crate::report::page::history::page as page_of;

/// Runs the command.
///
/// # Errors
/// There is no history, it cannot be read, or the results cannot be written.
pub fn run(args: &HistoryArgs) -> anyhow::Result<ExitCode> {
    let suite = SuiteArgs {
        rootdir: args.rootdir.clone(),
        profile: args.profile.clone(),
        json: args.json.clone(),
        ..SuiteArgs::default()
    };
    let options = SuiteOptions::new(&suite)?;
    let html = args.page.place()?;
    let folder = folder(args, &options)?;
    let usage = |error: HistoryError| UsageError(error.to_string());
    if files(&folder).map_err(usage)?.is_empty() {
        return Err(UsageError(format!(
            "no session is kept in {}: run jostle stress with --history {0} first",
            folder.display()
        ))
        .into());
    }
    let (index, remarks) = if args.rebuild {
        HistoryIndex::rebuild(&folder).map_err(usage)?
    } else {
        let mut index = HistoryIndex::open(&folder).map_err(usage)?;
        let remarks = index.sync().map_err(usage)?;
        (index, remarks)
    };
    let test = args.test.as_deref();
    if let Some(test) = test
        && !index.knows(test).map_err(usage)?
    {
        return Err(UsageError(format!(
            "no session in {} had a test {test}. Give its node id as `pytest --collect-only -q` prints it",
            folder.display()
        ))
        .into());
    }
    let summary = summarise(
        index.nights().map_err(usage)?,
        index.failing(test).map_err(usage)?,
        index.slowest(test, args.slowest).map_err(usage)?,
    );
    let summary = match test {
        Some(test) => summary.of_test(test),
        None => summary,
    };
    remarks.iter().for_each(|remark| anstream::eprintln!("note: {remark}"));
    let document = HistoryDocument::new(&summary, test, &remarks);
    page::write(html.as_deref(), &options.folder, |about| page_of(&summary, test, &remarks, about))?;
    write_json(options.json.as_ref(), &document)?;
    if options.json != Some(JsonTarget::Stdout) {
        let mut out = anstream::stdout();
        let written = match test {
            Some(test) => of_test(&mut out, &summary, test),
            None => history(&mut out, &summary),
        };
        written.and_then(|()| out.flush()).context(STDOUT)?;
    }
    Ok(ExitCode::Clean)
}

fn folder(args: &HistoryArgs, options: &SuiteOptions) -> Result<PathBuf, UsageError> {
    let given = args.history.clone().or_else(|| options.configured(options.config.history.as_deref()));
    let Some(folder) = given else {
        return Err(UsageError(
            "which history is not known: give --history DIR, here and to jostle stress, or set `history` in [tool.jostle]"
                .into(),
        ));
    };
    if folder.is_dir() {
        return Ok(folder);
    }
    Err(UsageError(format!(
        "there is no folder {}: run jostle stress with --history {0} first",
        folder.display()
    )))
}
