//! The rooms of `src/` stand in the order of their knowledge, as `src/lib.rs` lists them: none imports one that stands
//! after it, and no two files of different folders import each other. `.ci/rooms` prints the drawing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::sentences::is_of_tests;

/// The last of the rooms that know no clock, file or process.
const LAST_PURE: &str = "logs";

/// What those do not name.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::process",
    "std::net",
    "std::env",
    "std::io",
    "std::time::Instant",
    "std::time::SystemTime",
    "Instant::now",
    "SystemTime::now",
];

/// A file's module (`session::fix::search`), its tests left out, and the paths that it names.
struct Module {
    /// Whether it is the file of its folder.
    is_folder: bool,
    /// Paths as they are written, `use` trees unfolded.
    paths: BTreeSet<String>,
    /// What it passes on under its own name, by that name.
    exports: BTreeMap<String, String>,
    /// The names of the items that it defines.
    defines: BTreeSet<String>,
}

/// All modules by their path.
type Modules = BTreeMap<String, Module>;

#[test]
fn no_room_imports_one_that_stands_after_it() {
    let (order, modules) = (order(), modules());
    let back: Vec<String> = arrows(&modules)
        .into_iter()
        .filter(|(from, to)| rank(&order, from) < rank(&order, to))
        .map(|(from, to)| format!("{from} -> {to}"))
        .collect();
    assert!(back.is_empty(), "arrows back, by the order of src/lib.rs:\n{}", back.join("\n"));
}

#[test]
fn no_two_files_of_different_folders_import_each_other() {
    let modules = modules();
    let arrows = arrows(&modules);
    let mut circles = BTreeSet::new();
    for (from, to) in &arrows {
        if folder(&modules, from) != folder(&modules, to) && reaches(&arrows, to, from) {
            circles.insert(format!("{from} -> {to}"));
        }
    }
    assert!(circles.is_empty(), "parts of circles:\n{}", circles.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn pure_rooms_name_no_clock_file_or_process() {
    let order = order();
    let pure = order.iter().position(|room| room == LAST_PURE).expect("a room") + 1;
    let mut found = Vec::new();
    for (name, module) in modules() {
        let is_pure = order[..pure].iter().any(|room| room == room_of(&name));
        let named = |path: &&String| {
            IMPURE.iter().any(|impure| *path == impure || path.starts_with(&format!("{impure}::")))
        };
        found.extend(
            module.paths.iter().filter(|_| is_pure).filter(named).map(|path| format!("{name}: {path}")),
        );
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn only_the_command_line_knows_clap() {
    let modules = modules();
    let knows = |(name, module): (&String, &Module)| {
        let clap = module.paths.iter().any(|path| path == "clap" || path.starts_with("clap::"));
        (clap && room_of(name) != "cli" && room_of(name) != "main").then(|| name.clone())
    };
    let found: Vec<String> = modules.iter().filter_map(knows).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn what_the_architecture_names_is_there() {
    let modules = modules();
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let paths: Vec<&str> = text.split('`').skip(1).step_by(2).filter(|code| code.contains("::")).collect();
    let is_there = |path: &&&str| {
        let (parent, name) = path.rsplit_once("::").expect("a path of two words");
        let is_item = modules.get(parent).is_some_and(|module| module.defines.contains(name));
        is_item || modules.contains_key(**path)
    };
    let gone: Vec<_> = paths.iter().filter(|path| !is_there(path)).collect();
    assert!(paths.len() > 10, "the paths of ARCHITECTURE.md were not found: {paths:?}");
    assert!(gone.is_empty(), "ARCHITECTURE.md names what is not there: {gone:?}");
}

#[test]
fn paths_are_found_however_they_are_written() {
    let source = r#"
        use crate::plan::{Plan, schedule::{self, Resource as R}};
        pub use search::Found;
        fn f() -> crate::run::Job { super::g(); Instant::now(); let _ = "crate::no::path"; }
        #[cfg(test)]
        mod tests { use crate::only::in_tests; }
    "#;
    let (paths, exports) = read(source);
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    assert_eq!(
        paths,
        [
            "Instant::now",
            "crate::plan::Plan",
            "crate::plan::schedule",
            "crate::plan::schedule::Resource",
            "crate::run::Job",
            "search::Found",
            "super::g",
        ]
    );
    assert_eq!(exports, BTreeMap::from([("Found".to_owned(), "search::Found".to_owned())]));
}

/// Prints the drawing that `.ci/rooms` asks for.
#[test]
fn drawing() {
    let (order, modules) = (order(), modules());
    let mut arrows_of: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for (from, to) in arrows(&modules) {
        let (from, to) = (rank(&order, &from), rank(&order, &to));
        if from != to {
            *arrows_of.entry((from, to)).or_default() += 1;
        }
    }
    for (at, room) in order.iter().enumerate() {
        let below = arrows_of.iter().filter(|((from, _), _)| *from == at);
        let words: Vec<String> = below.map(|((_, to), count)| format!("{} {count}", order[*to])).collect();
        println!("{room:<10}{} {}", if words.is_empty() { "" } else { " ->" }, words.join(", "));
    }
    assert!(order.len() > 10, "the rooms of src/lib.rs were not found: {order:?}");
}

/// The rooms as `src/lib.rs` lists them.
fn order() -> Vec<String> {
    let text = fs::read_to_string(root().join("src/lib.rs")).expect("src/lib.rs");
    text.lines()
        .filter_map(|line| {
            line.split_once("mod ").filter(|(public, _)| public.starts_with("pub"))?.1.strip_suffix(';')
        })
        .map(str::to_owned)
        .collect()
}

fn rank(order: &[String], module: &str) -> usize {
    order.iter().position(|room| room == room_of(module)).unwrap_or(order.len())
}

fn room_of(module: &str) -> &str {
    module.split("::").next().unwrap_or(module)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn modules() -> Modules {
    let mut modules = Modules::new();
    for path in sources(&root().join("src")) {
        let inside = path.strip_prefix(root().join("src")).expect("a path in src");
        let mut parts: Vec<String> =
            inside.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let is_folder = parts.last().is_some_and(|last| last == "mod");
        if is_folder {
            parts.pop();
        }
        if parts == ["lib"] {
            continue;
        }
        let source = fs::read_to_string(&path).expect("a source");
        if is_of_tests(&source) {
            continue;
        }
        let (paths, exports) = read(&source);
        let defines = defined(&source);
        modules.insert(parts.join("::"), Module { is_folder, paths, exports, defines });
    }
    modules
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// From each module to those whose names it uses, itself left out.
fn arrows(modules: &Modules) -> BTreeSet<(String, String)> {
    let mut arrows = BTreeSet::new();
    for (name, module) in modules {
        // What a folder's file passes on under its name is not its own business.
        let passed_on: BTreeSet<&String> = module.exports.values().collect();
        for path in module.paths.iter().filter(|path| !passed_on.contains(path)) {
            if let Some(to) = absolute(name, module, path).and_then(|path| home(modules, &path, 0))
                && to != *name
            {
                arrows.insert((name.clone(), to));
            }
        }
    }
    arrows
}

/// A path from the crate's root; none if it leads out of the crate or names what is in the file itself.
fn absolute(name: &str, module: &Module, path: &str) -> Option<String> {
    let parent = name.rsplit_once("::").map_or("", |(parent, _)| parent);
    if let Some(rest) = path.strip_prefix("crate::") {
        return Some(rest.to_owned());
    }
    if let Some(rest) = path.strip_prefix("super::") {
        return Some(format!("{parent}::{rest}"));
    }
    module.is_folder.then(|| format!("{name}::{path}"))
}

/// The module that has what a path names, through what others pass on.
fn home(modules: &Modules, path: &str, depth: u32) -> Option<String> {
    let parts: Vec<&str> = path.split("::").collect();
    let at = (1..=parts.len()).rev().find(|&at| modules.contains_key(&parts[..at].join("::")))?;
    let name = parts[..at].join("::");
    if at == parts.len() {
        return Some(name);
    }
    let passed_on = modules[&name].exports.get(parts[at]).filter(|_| depth < 5);
    passed_on
        .and_then(|path| absolute(&name, &modules[&name], path))
        .and_then(|path| home(modules, &path, depth + 1))
        .or_else(|| (!name.is_empty() && !is_only_folder(&parts[..at], modules)).then_some(name))
}

/// Whether a path goes no further than to a room's folder while it names something else.
fn is_only_folder(parts: &[&str], modules: &Modules) -> bool {
    parts.len() > 1 && !modules.contains_key(&parts.join("::"))
}

fn folder(modules: &Modules, name: &str) -> String {
    match name.rsplit_once("::") {
        _ if modules[name].is_folder => name.to_owned(),
        Some((parent, _)) => parent.to_owned(),
        None => String::new(),
    }
}

fn reaches(arrows: &BTreeSet<(String, String)>, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::from([from.to_owned()]);
    let mut waiting = vec![from.to_owned()];
    while let Some(at) = waiting.pop() {
        if at == to {
            return true;
        }
        for (_, next) in arrows.range((at.clone(), String::new())..).take_while(|(from, _)| *from == at) {
            if seen.insert(next.clone()) {
                waiting.push(next.clone());
            }
        }
    }
    false
}

/// The names of the items that a source defines at its outermost level.
fn defined(source: &str) -> BTreeSet<String> {
    let tokens: Vec<TokenTree> = TokenStream::from_str(source).expect("Rust").into_iter().collect();
    let item = |two: &[TokenTree]| match two {
        [TokenTree::Ident(what), TokenTree::Ident(name)] => {
            let words = ["fn", "struct", "enum", "trait", "const", "static", "type"];
            words.iter().any(|word| what == word).then(|| name.to_string())
        }
        _ => None,
    };
    tokens.windows(2).filter_map(item).collect()
}

/// The paths that a source names, and those that it passes on, its tests left out.
fn read(source: &str) -> (BTreeSet<String>, BTreeMap<String, String>) {
    let tokens = TokenStream::from_str(source).expect("Rust");
    let (mut paths, mut exports) = (BTreeSet::new(), BTreeMap::new());
    gather(&tokens.into_iter().collect::<Vec<_>>(), &mut paths, &mut exports);
    (paths, exports)
}

fn gather(tokens: &[TokenTree], paths: &mut BTreeSet<String>, exports: &mut BTreeMap<String, String>) {
    let mut at = 0;
    while at < tokens.len() {
        if is_tests(&tokens[at..]) {
            at += tokens[at..].iter().position(is_body).unwrap_or(tokens.len()) + 1;
            continue;
        }
        match &tokens[at] {
            TokenTree::Ident(word) if *word == "use" => {
                let end = at
                    + tokens[at..].iter().position(|token| is_punct(token, ';')).unwrap_or(tokens.len() - at);
                let named = tree(&tokens[at + 1..end], "");
                if is_public(&tokens[..at]) {
                    let name = |path: &String| path.rsplit("::").next().unwrap_or(path).to_owned();
                    exports.extend(named.iter().map(|path| (name(path), path.clone())));
                }
                paths.extend(named);
                at = end;
            }
            TokenTree::Ident(_) => {
                let (path, length) = path(&tokens[at..]);
                if path.contains("::") {
                    paths.insert(path);
                }
                at += length;
            }
            TokenTree::Group(group) => {
                gather(&group.stream().into_iter().collect::<Vec<_>>(), paths, exports);
                at += 1;
            }
            _ => at += 1,
        }
    }
}

/// Whether `#[cfg(test)] mod …` stands here.
fn is_tests(tokens: &[TokenTree]) -> bool {
    let [hash, TokenTree::Group(attribute), TokenTree::Ident(word), ..] = tokens else { return false };
    is_punct(hash, '#') && attribute.stream().to_string().replace(' ', "") == "cfg(test)" && *word == "mod"
}

fn is_body(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

/// Whether `pub` or `pub(…)` ends here.
fn is_public(before: &[TokenTree]) -> bool {
    let before = match before {
        [rest @ .., TokenTree::Group(group)] if group.delimiter() == Delimiter::Parenthesis => rest,
        all => all,
    };
    matches!(before.last(), Some(TokenTree::Ident(word)) if *word == "pub")
}

/// A path that starts here, and of how many tokens it is.
fn path(tokens: &[TokenTree]) -> (String, usize) {
    let (mut path, mut at) = (String::new(), 0);
    while let Some(TokenTree::Ident(word)) = tokens.get(at) {
        path.push_str(&word.to_string());
        at += 1;
        let joined = tokens.get(at..at + 2).is_some_and(|two| two.iter().all(|token| is_punct(token, ':')));
        if !joined || !matches!(tokens.get(at + 2), Some(TokenTree::Ident(_))) {
            break;
        }
        path.push_str("::");
        at += 2;
    }
    (path, at.max(1))
}

/// The paths of a `use` tree.
fn tree(tokens: &[TokenTree], before: &str) -> Vec<String> {
    let mut found = Vec::new();
    for item in tokens.split(|token| is_punct(token, ',')).filter(|item| !item.is_empty()) {
        let mut path = before.to_owned();
        let mut group = None;
        for token in item {
            match token {
                TokenTree::Ident(word) if *word == "as" => break,
                TokenTree::Ident(word) => path.push_str(&word.to_string()),
                TokenTree::Punct(punct) => path.push(punct.as_char()),
                TokenTree::Group(inner) => group = Some(inner.stream()),
                TokenTree::Literal(_) => {}
            }
        }
        match group {
            Some(inner) => found.extend(tree(&inner.into_iter().collect::<Vec<_>>(), &path)),
            None => found.push(path.strip_suffix("::self").unwrap_or(&path).to_owned()),
        }
    }
    found
}
