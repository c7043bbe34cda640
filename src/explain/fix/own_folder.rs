//! A fixture that keeps a file in a folder of the test's own: what names its place names another one meanwhile.
//!
//! On several workers that is what holds: a file that is removed after a test may be in use on another.

use crate::explain::fix::keep::{Body, is_module};
use crate::explain::fix::quoted;
use crate::state::{PathBase, PathBinding, RestoreMethod, RestoreRecipe};

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
    if recipe.how != RestoreMethod::File || recipe.bindings.len() > MOST {
        return None;
    }
    if recipe.bindings.is_empty() {
        let relative = recipe.base == PathBase::Rootdir && !recipe.key.contains('/');
        return relative.then(|| body(Vec::new(), vec!["monkeypatch.chdir(tmp_path)".into()]));
    }
    let mut imports = Vec::new();
    for binding in &recipe.bindings {
        let module = if is_module(&binding.module, own) { "sys".to_owned() } else { binding.module.clone() };
        if !imports.contains(&module) {
            imports.push(module);
        }
    }
    let patches = recipe.bindings.iter().map(|binding| patch(binding, own));
    Some(body(imports, patches.collect::<Option<_>>()?))
}

fn patch(binding: &PathBinding, own: &str) -> Option<String> {
    let object = if is_module(&binding.module, own) {
        let rest = binding.object.strip_prefix(&binding.module)?;
        format!("{}{rest}", "sys.modules[__name__]")
    } else {
        binding.object.clone()
    };
    let path = if binding.rest.is_empty() {
        "tmp_path".to_owned()
    } else {
        format!("tmp_path / {}", quoted(&binding.rest))
    };
    let path = if binding.text { format!("str({path})") } else { path };
    let value = match binding.index {
        None => path,
        Some(index) => {
            let (defaults, after) = (format!("{object}.__defaults__"), index + 1);
            let before = (index > 0).then(|| format!("*{defaults}[:{index}], "));
            let after = (after < binding.count).then(|| format!(" *{defaults}[{after}:]"));
            format!("({}{path},{})", before.unwrap_or_default(), after.unwrap_or_default())
        }
    };
    Some(format!("monkeypatch.setattr({object}, \"{}\", {value})", binding.attribute))
}
