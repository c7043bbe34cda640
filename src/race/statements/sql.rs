//! What a statement of PostgreSQL's SQL touches.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    CopySource, Expr, FromTable, FunctionArguments, ObjectName, ObjectNamePart, ObjectType, Query, Set,
    Statement as Ast, TableFactor, TableObject, TableWithJoins, Visit, Visitor, visit_relations,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use super::{Part, Statement};

/// What a script does, statement by statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Does {
    /// Runs a statement.
    Runs(Statement),
    /// Starts a transaction.
    Begins,
    /// Ends one: `COMMIT`, or `ROLLBACK`.
    Ends(&'static str),
    /// Says in which schemas tables are looked for.
    LooksIn(String),
}

/// What a text of SQL does. What does not parse touches all of the database.
pub(super) fn does(text: &str) -> Vec<Does> {
    if let Some(of_database) = of_database(text) {
        return vec![Does::Runs(of_database)];
    }
    let Ok(parsed) = Parser::parse_sql(&PostgreSqlDialect {}, text) else {
        let mut unknown = Statement::new(&verb(text));
        unknown.touches(Part::Whole, true);
        unknown.touches(Part::Names, true);
        return vec![Does::Runs(unknown)];
    };
    parsed.iter().map(of_statement).collect()
}

fn of_statement(statement: &Ast) -> Does {
    match statement {
        Ast::StartTransaction { .. } => return Does::Begins,
        Ast::Commit { .. } => return Does::Ends("COMMIT"),
        Ast::Rollback { savepoint: None, .. } => return Does::Ends("ROLLBACK"),
        Ast::Set(Set::SingleAssignment { variable, values, .. }) if name(variable) == "search_path" => {
            let first = values.first().map(|value| value.to_string()).unwrap_or_default();
            return Does::LooksIn(first.trim_matches(['\'', '"']).to_owned());
        }
        _ => {}
    }
    let mut seen = Seen::default();
    let _ = statement.visit(&mut seen);
    let mut found = Statement::new(&verb(&statement.to_string()));
    for table in seen.all.union(&seen.changed) {
        if seen.aliases.contains(table) {
            continue;
        }
        if is_of_catalogue(table) {
            found.touches(Part::Names, false);
        } else {
            found.touches(Part::Table(table.clone()), seen.changed.contains(table));
        }
    }
    for lock in seen.locks {
        found.touches(Part::AdvisoryLock(lock), true);
    }
    if seen.defines {
        found.touches(Part::Names, true);
    }
    if seen.changes_all {
        found.touches(Part::Whole, true);
    }
    Does::Runs(found)
}

/// The first word of a statement.
fn verb(text: &str) -> String {
    let word = text.trim_start_matches([' ', '\n', '\t', '\r', '(', ';']);
    let end = word.find(|char: char| !char.is_ascii_alphabetic()).unwrap_or(word.len());
    let word = word[..end].to_ascii_uppercase();
    if word.is_empty() { "?".to_owned() } else { word }
}

/// A statement that makes, removes or changes a database, of whose options there are more than the parser knows.
fn of_database(text: &str) -> Option<Statement> {
    let mut words = text.split_whitespace().map(|word| word.trim_end_matches(';'));
    let verb = words.next()?.to_ascii_uppercase();
    if !["CREATE", "DROP", "ALTER"].contains(&verb.as_str())
        || !words.next()?.eq_ignore_ascii_case("DATABASE")
    {
        return None;
    }
    let name = words.find(|word| !["IF", "EXISTS"].contains(&word.to_ascii_uppercase().as_str()))?;
    let plain = match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        Some(quoted) => quoted.to_owned(),
        None => name.to_ascii_lowercase(),
    };
    let mut found = Statement::new(&verb);
    found.touches(Part::Database(plain), true);
    Some(found)
}

/// A name as PostgreSQL takes it, without the schema that is everybody's.
fn name(name: &ObjectName) -> String {
    let part = |part: &ObjectNamePart| match part {
        ObjectNamePart::Identifier(ident) if ident.quote_style.is_none() => ident.value.to_ascii_lowercase(),
        ObjectNamePart::Identifier(ident) => ident.value.clone(),
        other @ ObjectNamePart::Function(_) => other.to_string(),
    };
    let whole = name.0.iter().map(part).collect::<Vec<_>>().join(".");
    whole.strip_prefix("public.").map(str::to_owned).unwrap_or(whole)
}

fn is_of_catalogue(table: &str) -> bool {
    table.starts_with("pg_") || table.starts_with("information_schema.")
}

/// What is met in a statement.
#[derive(Default)]
struct Seen {
    all: BTreeSet<String>,
    changed: BTreeSet<String>,
    /// Names that a query gives to queries of its own.
    aliases: BTreeSet<String>,
    locks: BTreeSet<String>,
    /// Whether it makes or removes something that has a name.
    defines: bool,
    changes_all: bool,
}

impl Seen {
    fn changes(&mut self, table: &ObjectName) {
        self.changed.insert(name(table));
    }

    fn changes_first(&mut self, tables: &[TableWithJoins]) {
        if let Some(TableFactor::Table { name, .. }) = tables.first().map(|table| &table.relation) {
            self.changes(name);
        }
    }

    fn defines(&mut self, table: &ObjectName) {
        self.defines = true;
        self.changes(table);
    }
}

impl Visitor for Seen {
    type Break = ();

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        self.all.insert(name(relation));
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let own = query.with.iter().flat_map(|with| &with.cte_tables);
        self.aliases.extend(own.map(|table| name(&table.alias.name.clone().into())));
        if !query.locks.is_empty() {
            let _ = visit_relations(&query.body, |relation| {
                self.changed.insert(name(relation));
                ControlFlow::<()>::Continue(())
            });
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr {
            let called = name(&function.name);
            let called = called.strip_prefix("pg_catalog.").unwrap_or(&called);
            if called.starts_with("pg_advisory_") || called.starts_with("pg_try_advisory_") {
                let arguments = match &function.args {
                    FunctionArguments::List(list) => list.to_string(),
                    _ => String::new(),
                };
                self.locks.insert(arguments);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_statement(&mut self, statement: &Ast) -> ControlFlow<()> {
        match statement {
            Ast::Insert(insert) => match &insert.table {
                TableObject::TableName(table) => self.changes(table),
                _ => self.changes_all = true,
            },
            Ast::Update(update) => self.changes_first(std::slice::from_ref(&update.table)),
            Ast::Delete(delete) => {
                let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
                self.changes_first(from);
            }
            Ast::Merge(merge) => match &merge.table {
                TableFactor::Table { name, .. } => self.changes(name),
                _ => self.changes_all = true,
            },
            Ast::Truncate(truncate) => {
                truncate.table_names.iter().for_each(|table| self.changes(&table.name));
                self.changes_all |= truncate.cascade.is_some();
            }
            Ast::Copy { source: CopySource::Table { table_name, .. }, to, .. } => {
                self.all.insert(name(table_name));
                if !to {
                    self.changes(table_name);
                }
            }
            Ast::Lock(lock) => lock.tables.iter().for_each(|table| self.changes(&table.name)),
            Ast::CreateTable(table) if table.temporary => _ = self.aliases.insert(name(&table.name)),
            Ast::CreateTable(table) => self.defines(&table.name),
            Ast::CreateView(view) => self.defines(&view.name),
            Ast::AlterTable(table) => self.defines(&table.name),
            Ast::CreateIndex(index) => self.defines(&index.table_name),
            Ast::Drop { object_type: ObjectType::Table | ObjectType::View, names, cascade, .. } => {
                names.iter().for_each(|table| self.defines(table));
                self.changes_all |= cascade;
            }
            Ast::CreateSchema { .. } | Ast::CreateSequence { .. } | Ast::CreateType { .. } => {
                self.defines = true
            }
            // What concerns the connection, or its transaction.
            Ast::Query(_)
            | Ast::Copy { .. }
            | Ast::Set(_)
            | Ast::ShowVariable { .. }
            | Ast::Reset(_)
            | Ast::Discard { .. }
            | Ast::Deallocate { .. }
            | Ast::Savepoint { .. }
            | Ast::ReleaseSavepoint { .. }
            | Ast::Rollback { .. }
            | Ast::Fetch { .. }
            | Ast::Close { .. }
            | Ast::Declare { .. }
            | Ast::Prepare { .. }
            | Ast::Explain { .. }
            | Ast::Analyze(_)
            | Ast::LISTEN { .. }
            | Ast::UNLISTEN { .. }
            | Ast::NOTIFY { .. }
            | Ast::StartTransaction { .. }
            | Ast::Commit { .. } => {}
            _ => {
                self.changes_all = true;
                self.defines = true;
            }
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let one = |does: Does| match does {
            Does::Begins => "begins".to_owned(),
            Does::Ends(how) => format!("ends by {how}"),
            Does::LooksIn(schema) => format!("looks in {schema}"),
            Does::Runs(statement) => {
                let part = |(part, writes): (Part, bool)| {
                    let part = match part {
                        Part::Table(name) => name,
                        Part::AdvisoryLock(name) => format!("lock {name}"),
                        Part::Database(name) => format!("database {name}"),
                        Part::Whole => "all".to_owned(),
                        Part::Names => "names".to_owned(),
                        other => format!("{other:?}"),
                    };
                    format!("{part}{}", if writes { "!" } else { "" })
                };
                let parts: Vec<String> = statement.parts.into_iter().map(part).collect();
                format!("{} {}", statement.verb, parts.join(" ")).trim_end().to_owned()
            }
        };
        does(text).into_iter().map(one).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn statements_touch_their_tables() {
        let rows = [
            ("SELECT 1", "SELECT"),
            ("SELECT * FROM Customers c JOIN public.orders o ON true", "SELECT customers orders"),
            ("SELECT * FROM a WHERE id IN (SELECT id FROM b)", "SELECT a b"),
            ("SELECT * FROM stock WHERE id = $1 FOR UPDATE", "SELECT stock!"),
            ("WITH x AS (SELECT * FROM a) SELECT * FROM x, \"B\"", "WITH B a"),
            ("WITH gone AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM gone", "WITH a! b!"),
            ("INSERT INTO shop.customers (name) VALUES ($1) RETURNING id", "INSERT shop.customers!"),
            ("INSERT INTO a SELECT * FROM b ON CONFLICT DO NOTHING", "INSERT a! b"),
            ("UPDATE a SET x = b.x FROM b WHERE a.id = b.id", "UPDATE a! b"),
            ("DELETE FROM a USING b WHERE a.id = b.id", "DELETE a! b"),
            ("TRUNCATE a, b", "TRUNCATE a! b!"),
            ("TRUNCATE a CASCADE", "TRUNCATE all! a!"),
            ("COPY a (x) FROM STDIN", "COPY a!"),
            ("COPY a TO STDOUT", "COPY a"),
            ("LOCK TABLE a IN ACCESS EXCLUSIVE MODE", "LOCK a!"),
            ("CREATE TABLE a (id serial PRIMARY KEY)", "CREATE names! a!"),
            ("CREATE TABLE IF NOT EXISTS a (id int)", "CREATE names! a!"),
            ("CREATE TEMP TABLE a (id int)", "CREATE"),
            ("CREATE UNIQUE INDEX i ON a (x)", "CREATE names! a!"),
            ("ALTER TABLE a ADD COLUMN y int", "ALTER names! a!"),
            ("DROP TABLE IF EXISTS a", "DROP names! a!"),
            ("DROP SCHEMA s CASCADE", "DROP all! names!"),
            ("CREATE DATABASE \"Shop\" ENCODING 'UTF8' TEMPLATE template0", "CREATE database Shop!"),
            ("drop database if exists Shop;", "DROP database shop!"),
            ("SELECT relname FROM pg_catalog.pg_class", "SELECT names"),
            ("SELECT pg_advisory_lock(42)", "SELECT lock 42!"),
            ("SELECT pg_try_advisory_xact_lock(1, 2)", "SELECT lock 1, 2!"),
            ("begin; insert into a values (1); commit", "begins; INSERT a!; ends by COMMIT"),
            ("ROLLBACK", "ends by ROLLBACK"),
            ("ROLLBACK TO SAVEPOINT s", "ROLLBACK"),
            ("SAVEPOINT s", "SAVEPOINT"),
            ("SET search_path TO 'tenant'", "looks in tenant"),
            ("SET client_encoding = 'UTF8'", "SET"),
            ("SHOW server_version", "SHOW"),
            ("DO $$ BEGIN PERFORM 1; END $$", "DO all! names!"),
            ("NONSENSE here", "NONSENSE all! names!"),
            ("", ""),
        ];
        let wrong: Vec<(&str, String)> =
            rows.iter().map(|(text, expected)| (*expected, shown(text))).filter(|(a, b)| a != b).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_is_sent_breaks_it(text in "(SELECT|UPDATE|WITH|CREATE)?[ -~]{0,60}") {
            does(&text);
        }
    }
}
