//! Edits of a Python module's text: by lines, as a person would make them, without parsing the rest.

/// What a module is given.
pub struct Addition<'a> {
    /// Lines that stand for themselves after the imports.
    pub block: &'a [String],
    /// Modules that are imported at the top.
    pub imports: &'a [&'a str],
    /// Decorators, each above the definition that starts at a 1-based line.
    pub decorators: &'a [(u32, String)],
}

/// The module with an addition; none if no definition starts where a decorator is to be.
pub fn add(content: &str, addition: &Addition<'_>) -> Option<String> {
    // Not `lines`, which would lose a file's `\r\n`.
    let mut lines: Vec<String> =
        content.strip_suffix('\n').unwrap_or(content).split('\n').map(str::to_owned).collect();
    let mut decorators = addition.decorators.to_vec();
    decorators.sort_unstable();
    for (line, decorator) in decorators.into_iter().rev() {
        let at = line.checked_sub(1)? as usize;
        let definition = lines.get(at)?;
        let text = definition.trim_start();
        if !["def ", "async def ", "@"].iter().any(|start| text.starts_with(start)) {
            return None;
        }
        let indent = definition[..definition.len() - text.len()].to_owned();
        lines.insert(at, indent + &decorator);
    }
    let at = end_of_imports(&lines);
    let is_there = |module: &&&str| lines.iter().any(|line| line.trim_end() == format!("import {module}"));
    let imports = addition.imports.iter().filter(|module| !is_there(module));
    let imports: Vec<String> = imports.map(|module| format!("import {module}")).collect();
    let mut new: Vec<String> = lines[..at].to_vec();
    if !imports.is_empty() && at > 0 && !lines[..at].iter().any(|line| is_import(line)) {
        new.push(String::new());
    }
    new.extend(imports);
    if !addition.block.is_empty() {
        new.extend([String::new(), String::new()]);
        new.extend(addition.block.iter().cloned());
    }
    let rest: Vec<String> = lines[at..].iter().skip_while(|line| line.trim().is_empty()).cloned().collect();
    if !rest.is_empty() {
        new.extend([String::new(), String::new()]);
    }
    new.extend(rest);
    Some(new.join("\n") + "\n")
}

fn is_import(line: &str) -> bool {
    line.starts_with("import ") || line.starts_with("from ")
}

/// The line after a module's imports, or after its docstring if it has none.
fn end_of_imports(lines: &[String]) -> usize {
    let mut end = end_of_docstring(lines);
    let mut open = 0_i32;
    for (number, line) in lines.iter().enumerate().skip(end) {
        if open > 0 || is_import(line) {
            let code = line.split('#').next().unwrap_or_default();
            open += code.matches('(').count() as i32 - code.matches(')').count() as i32;

            end = number + 1;
        } else if !line.trim().is_empty() && !line.starts_with('#') {
            break;
        }
    }
    end
}

fn end_of_docstring(lines: &[String]) -> usize {
    let Some(first) = lines.iter().position(|line| !line.trim().is_empty() && !line.starts_with('#')) else {
        return 0;
    };
    let Some(quotes) = ["\"\"\"", "'''"].into_iter().find(|quotes| lines[first].starts_with(quotes)) else {
        return 0;
    };
    if lines[first][3..].contains(quotes) {
        return first + 1;
    }
    let close = lines.iter().skip(first + 1).position(|line| line.contains(quotes));
    close.map_or(0, |after| first + after + 2)
}

/// The line after a function's signature, 0-based; none if its body stands on the same line.
pub fn end_of_signature(lines: &[&str], definition: usize) -> Option<usize> {
    let mut open = 0_i32;
    for (number, line) in lines.iter().enumerate().skip(definition) {
        let code = line.split('#').next().unwrap_or_default();
        open += code.matches(['(', '[', '{']).count() as i32 - code.matches([')', ']', '}']).count() as i32;
        if open == 0 {
            return code.trim_end().ends_with(':').then_some(number + 1);
        }
    }
    None
}
