//! Fixtures that leave a place as it was found.

use crate::explain::fix::layout::Layout;
use crate::explain::fix::{is_literal, quoted};
use crate::state::{PathBase, RestoreMethod, RestoreRecipe};

/// What is kept, as it is named in a module.
pub(super) struct Subject<'a> {
    object: &'a str,
    import: Option<&'a str>,
}

/// A fixture's arguments, what it imports, and what it does before and after the test.
#[derive(Default)]
pub(super) struct Body {
    pub arguments: &'static str,
    pub imports: Vec<String>,
    pub before: Vec<String>,
    /// None for what needs no cleaning up.
    pub after: Vec<String>,
}

impl RestoreRecipe {
    /// The same place, given its first value for each test instead of being kept as it was found; none
    /// unless that value is a literal. It serves where what was found is changed in place.
    pub(crate) fn set_anew(&self, old: &str) -> Option<Self> {
        (self.how == RestoreMethod::Attribute && is_literal(old))
            .then(|| Self { value: old.to_owned(), ..self.clone() })
    }
}

impl Body {
    fn around(imports: &[&str], before: &[String], after: &[String]) -> Self {
        let imports = imports.iter().map(|&module| module.to_owned()).collect();
        Self { arguments: "", imports, before: before.to_vec(), after: after.to_vec() }
    }

    fn with_monkeypatch(imports: &[&str], patch: String) -> Self {
        Self { arguments: "monkeypatch", ..Self::around(imports, &[patch], &[]) }
    }

    /// The lines of the fixture. What the module imports at its top, and binds to nothing else, is not imported
    /// again. None if a name that it needs is the name of one of its arguments.
    pub fn fixture(
        self,
        name: &str,
        decorator: String,
        docstring: Option<String>,
        layout: &Layout,
    ) -> Option<Vec<String>> {
        let head = |module: &str| module.split('.').next().unwrap_or_default().to_owned();
        let arguments: Vec<&str> = self.arguments.split(", ").collect();
        if self.imports.iter().any(|module| arguments.contains(&head(module).as_str())) {
            return None;
        }
        let is_there = |module: &&String| layout.modules.get(*module) == Some(*module);
        let imports = self.imports.iter().filter(|module| !is_there(module));
        let imports: Vec<String> = imports.map(|module| format!("import {module}")).collect();
        let gap = (!imports.is_empty()).then(String::new);
        let end = (!self.after.is_empty()).then(|| "yield".to_owned());
        let body =
            docstring.into_iter().chain(imports).chain(gap).chain(self.before).chain(end).chain(self.after);
        let body = body.map(|line| if line.is_empty() { line } else { format!("    {line}") });
        let lines = [decorator, format!("def {name}({}):", self.arguments)].into_iter().chain(body);
        Some(lines.collect())
    }
}

impl<'a> Subject<'a> {
    /// A place as it is named in the file whose module is `own`, which may be the one that holds it. None if what
    /// names it there is what a fixture for it would have to call its own.
    pub(crate) fn new(recipe: &'a RestoreRecipe, own: &str) -> Option<Self> {
        if is_module(&recipe.module, own) {
            let object = recipe.object.strip_prefix(&recipe.module)?.strip_prefix('.')?;
            return Some(Self { object, import: None }).filter(Self::has_its_name_to_itself);
        }
        let import = Some(recipe.module.as_str()).filter(|module| !module.is_empty());
        Some(Self { object: &recipe.object, import }).filter(Self::has_its_name_to_itself)
    }

    fn has_its_name_to_itself(&self) -> bool {
        let first = self.object.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        !["saved", "request", "monkeypatch", "tmp_path"].contains(&first)
    }

    /// The place as its reader would name it.
    pub(crate) fn shown(&self, recipe: &RestoreRecipe) -> String {
        match recipe.how {
            RestoreMethod::Attribute => format!("{}.{}", self.object, recipe.attribute),
            RestoreMethod::Environ => format!("os.environ[\"{}\"]", recipe.key),
            RestoreMethod::Modules => format!("sys.modules[\"{}\"]", recipe.key),
            RestoreMethod::File => recipe.key.clone(),
            RestoreMethod::Cwd => "os.getcwd()".to_owned(),
            RestoreMethod::Path => "sys.path".to_owned(),
            RestoreMethod::Random => "random".to_owned(),
            RestoreMethod::Locale => "locale".to_owned(),
            RestoreMethod::Zone => "time.tzname".to_owned(),
            RestoreMethod::Disable => "logging.root.manager.disable".to_owned(),
            RestoreMethod::Level => format!("{}.level", self.object),
            _ => self.object.to_owned(),
        }
    }

    /// What keeps the place.
    pub(crate) fn keep(&self, recipe: &RestoreRecipe) -> Option<Body> {
        self.of_object(recipe).or_else(|| of_process(recipe)).or_else(|| of_file(recipe))
    }

    fn of_object(&self, recipe: &RestoreRecipe) -> Option<Body> {
        let o = self.object;
        let own: Vec<&str> = self.import.into_iter().collect();
        let refill = [format!("{o}.clear()"), format!("{o}.update(saved)")];
        Some(match recipe.how {
            RestoreMethod::Dict => Body::around(&own, &[format!("saved = dict({o})")], &refill),
            RestoreMethod::Set => Body::around(&own, &[format!("saved = set({o})")], &refill),
            RestoreMethod::List => {
                Body::around(&own, &[format!("saved = list({o})")], &[format!("{o}[:] = saved")])
            }
            RestoreMethod::Attribute => {
                let a = &recipe.attribute;
                let found = match recipe.key.as_str() {
                    "" => format!("{o}.{a}"),
                    dictionary => format!("{o}.{dictionary}[{}]", quoted(a)),
                };
                let value = if recipe.value.is_empty() { found } else { recipe.value.clone() };
                Body::with_monkeypatch(&own, format!("monkeypatch.setattr({o}, \"{a}\", {value})"))
            }
            RestoreMethod::Lines => {
                let lines = |of: &str| of.lines().map(str::to_owned).collect::<Vec<String>>();
                Body::around(&[&recipe.module], &lines(&recipe.attribute), &lines(&recipe.value))
            }
            RestoreMethod::Setting => {
                let after = format!("{}(saved)", recipe.value);
                Body::around(&[&recipe.module], &[format!("saved = {}", recipe.object)], &[after])
            }
            RestoreMethod::Cache => Body::around(&own, &[], &[format!("{o}.cache_clear()")]),
            RestoreMethod::Lock => {
                let release = [format!("if {o}.locked():"), format!("    {o}.release()")];
                Body::around(&own, &[], &release)
            }
            RestoreMethod::Level => {
                let before = [format!("saved = {o}.level")];
                Body::around(&["logging"], &before, &[format!("{o}.setLevel(saved)")])
            }
            _ => return None,
        })
    }
}

/// Whether a module is that of a file whose path makes the name `own`: pytest imports `tests/a/test_x.py` as
/// `tests.a.test_x`, as `a.test_x`, as `test_x`, or with what is above rootdir before it.
pub(super) fn is_module(module: &str, own: &str) -> bool {
    let ends = |long: &str, short: &str| {
        long.strip_suffix(short).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    !module.is_empty() && (ends(own, module) || ends(module, own))
}

fn of_process(recipe: &RestoreRecipe) -> Option<Body> {
    let key = quoted(&recipe.key);
    let saved = |what: &str| [format!("saved = {what}")];
    Some(match recipe.how {
        RestoreMethod::Environ => {
            let before = saved(&format!("os.environ.get({key})"));
            let mut after = vec![
                "if saved is None:".into(),
                format!("    os.environ.pop({key}, None)"),
                "else:".into(),
                format!("    os.environ[{key}] = saved"),
            ];
            if recipe.key != "TZ" {
                return Some(Body::around(&["os"], &before, &after));
            }
            after.push("time.tzset()".into());
            Body::around(&["os", "time"], &before, &after)
        }
        RestoreMethod::Zone => Body::around(&["time"], &[], &["time.tzset()".into()]),
        RestoreMethod::Modules => Body::around(
            &["sys"],
            &saved("dict(sys.modules)"),
            &[
                format!("if {key} in saved:"),
                format!("    sys.modules[{key}] = saved[{key}]"),
                "else:".into(),
                format!("    sys.modules.pop({key}, None)"),
            ],
        ),
        RestoreMethod::Cwd => Body::with_monkeypatch(&["os"], "monkeypatch.chdir(os.getcwd())".into()),
        RestoreMethod::Path => {
            Body::around(&["sys"], &saved("list(sys.path)"), &["sys.path[:] = saved".into()])
        }
        RestoreMethod::Disable => Body::around(
            &["logging"],
            &saved("logging.root.manager.disable"),
            &["logging.disable(saved)".into()],
        ),
        RestoreMethod::Locale => Body::around(
            &["locale"],
            &saved("locale.setlocale(locale.LC_ALL)"),
            &["locale.setlocale(locale.LC_ALL, saved)".into()],
        ),
        RestoreMethod::Random => {
            Body::around(&["random"], &saved("random.getstate()"), &["random.setstate(saved)".into()])
        }
        _ => return None,
    })
}

fn of_file(recipe: &RestoreRecipe) -> Option<Body> {
    let key = quoted(&recipe.key);
    match (recipe.how, recipe.base) {
        (RestoreMethod::File, PathBase::Temporary) => {
            let remove = format!("pathlib.Path(tempfile.gettempdir(), {key}).unlink(missing_ok=True)");
            Some(Body::around(&["pathlib", "tempfile"], &[], &[remove]))
        }
        (RestoreMethod::File, _) => {
            let remove = format!("(request.config.rootpath / {key}).unlink(missing_ok=True)");
            Some(Body { arguments: "request", ..Body::around(&[], &[], &[remove]) })
        }
        _ => None,
    }
}
