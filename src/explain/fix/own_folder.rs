//! A fixture that keeps a file in a folder of the test's own: what names its place names another one meanwhile.
//!
//! On several workers that is what holds: a file that is removed after a test may be in use on another.

use crate::explain::fix::keep::{Body, is_module};
use crate::explain::fix::quoted;
use crate::state::PathBinding;
use crate::state::RestoreRecipe;

/// Names of one path that are replaced at most; with more of them nobody would call it a fix.
const MOST: usize = 4;

/// The fixture; none if no name for the path is known, in which case it may be relative to the working folder.
pub(super) fn body(recipe: &RestoreRecipe, own: &str) -> Option<Body> {
    let body = |imports: Vec<String>, before: Vec<String>| Body {
        arguments: "monkeypatch, tmp_path",
        imports,
        before,
        after: Vec::new(),
    };
    if recipe.how != "file" || recipe.holders.len() > MOST {
        return None;
    }
    if recipe.holders.is_empty() {
        let relative = recipe.base == "rootdir" && !recipe.key.contains('/');
        return relative.then(|| body(Vec::new(), vec!["monkeypatch.chdir(tmp_path)".into()]));
    }
    let mut imports = Vec::new();
    for holder in &recipe.holders {
        let module = if is_module(&holder.module, own) { "sys".to_owned() } else { holder.module.clone() };
        if !imports.contains(&module) {
            imports.push(module);
        }
    }
    let patches = recipe.holders.iter().map(|holder| patch(holder, own));
    Some(body(imports, patches.collect::<Option<_>>()?))
}

fn patch(holder: &PathBinding, own: &str) -> Option<String> {
    let object = if is_module(&holder.module, own) {
        let rest = holder.object.strip_prefix(&holder.module)?;
        format!("{}{rest}", "sys.modules[__name__]")
    } else {
        holder.object.clone()
    };
    let path = if holder.rest.is_empty() {
        "tmp_path".to_owned()
    } else {
        format!("tmp_path / {}", quoted(&holder.rest))
    };
    let path = if holder.text { format!("str({path})") } else { path };
    let value = match holder.index {
        None => path,
        Some(index) => {
            let (defaults, after) = (format!("{object}.__defaults__"), index + 1);
            let before = (index > 0).then(|| format!("*{defaults}[:{index}], "));
            let after = (after < holder.count).then(|| format!(" *{defaults}[{after}:]"));
            format!("({}{path},{})", before.unwrap_or_default(), after.unwrap_or_default())
        }
    };
    Some(format!("monkeypatch.setattr({object}, \"{}\", {value})", holder.attribute))
}
