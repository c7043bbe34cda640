//! A fixture that takes the place of one that gives a session: whatever the tests of a file commit is a savepoint of a
//! transaction that is rolled back.

use crate::explain::fix::edit::Edit;
use crate::explain::fix::keep::{Body, is_module};
use crate::explain::fix::layout::Source;
use crate::explain::fix::source::{Addition, Edited, Refusal, add_at_top, encoded};
use crate::state::SessionFixture;

/// A test module in which a fixture of that name gives such a session.
///
/// # Errors
/// The module defines a fixture of that name itself, holds the engine, or cannot be edited.
pub(crate) fn with_rolled_back_session(source: &Source, session: &SessionFixture) -> Edited {
    let own = source.file.strip_suffix(".py").ok_or(Refusal::Unknown)?.replace('/', ".");
    let layout = &source.layout;
    let SessionFixture { name, made_by, made_in, engine, engine_in } = session;
    let has_one = layout.functions.iter().any(|function| function.name == *name);
    if has_one || [made_in, engine_in].iter().any(|module| is_module(module, &own)) {
        return Err(Refusal::Unknown);
    }
    let mut imports = vec![made_in.clone(), engine_in.clone()];
    imports.sort();
    imports.dedup();
    let before = [
        format!("with {engine}.connect() as connection:"),
        "    transaction = connection.begin()".into(),
        format!(
            "    with {made_by}(bind=connection, join_transaction_mode=\"create_savepoint\") as session:"
        ),
        "        yield session".into(),
        "    transaction.rollback()".into(),
    ];
    let body = Body { imports, before: before.to_vec(), ..Body::default() };
    let (pytest, import) = layout.named("pytest");
    let docstring = "\"\"\"Roll back whatever a test commits.\"\"\"".to_owned();
    let block = body.fixture(name, format!("@{pytest}.fixture"), Some(docstring), layout);
    let block = block.ok_or(Refusal::Unknown)?;
    let mut edit = Edit::of(source);
    add_at_top(
        &mut edit,
        source,
        &Addition { block: &block, imports: &import.into_iter().collect::<Vec<_>>() },
    );
    encoded(edit, source)
}
