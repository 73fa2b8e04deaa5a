//! Which source files a crate consists of, by following `mod` declarations from its roots.

use std::collections::BTreeMap;

use super::{
    source::{Source, is_for_tests},
    workspace::Crate,
};

/// The files that are reached, with whether each is test code as a whole.
pub(super) fn reach(crates: &[Crate], sources: &BTreeMap<String, Source>) -> BTreeMap<String, bool> {
    let mut reached = BTreeMap::new();
    for krate in crates {
        for (root, is_test) in roots(krate, sources) {
            follow(&root, true, is_test, sources, &mut reached);
        }
    }
    reached
}

/// The files that cargo compiles as the root of a target.
fn roots(krate: &Crate, sources: &BTreeMap<String, Source>) -> Vec<(String, bool)> {
    let folder = krate.path();
    let mut found = Vec::new();
    for path in sources.keys() {
        let Some(below) = path.strip_prefix(&folder) else { continue };
        let parts: Vec<&str> = below.split('/').collect();
        match parts.as_slice() {
            ["build.rs"]
            | ["src", "lib.rs" | "main.rs"]
            | ["src", "bin", _]
            | ["src", "bin", _, "main.rs"] => {
                found.push((path.clone(), false));
            }
            ["tests" | "benches" | "examples", _] | ["tests" | "benches" | "examples", _, "main.rs"] => {
                found.push((path.clone(), true));
            }
            _ => {}
        }
    }
    for (kind, is_test) in [("bin", false), ("test", true), ("bench", true), ("example", true)] {
        let targets = krate.manifest.get(kind).and_then(toml::Value::as_array);
        for target in targets.into_iter().flatten() {
            if let Some(path) = target.get("path").and_then(toml::Value::as_str) {
                found.push((format!("{folder}{path}"), is_test));
            }
        }
    }
    found
}

fn follow(
    path: &str,
    is_root: bool,
    is_test: bool,
    sources: &BTreeMap<String, Source>,
    reached: &mut BTreeMap<String, bool>,
) {
    let Some(source) = sources.get(path) else { return };
    // What one root needs outside tests is not test code, whatever another root says.
    if reached.get(path).is_some_and(|known| *known <= is_test) {
        return;
    }
    reached.insert(path.to_owned(), is_test);
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let inside = if is_root || path.ends_with("/mod.rs") {
        folder.to_owned()
    } else {
        path.trim_end_matches(".rs").to_owned()
    };
    let mut declared = Vec::new();
    declarations(&source.syntax.items, &inside, folder, is_test, &mut declared);
    for (candidate, is_test) in declared {
        follow(&candidate, false, is_test, sources, reached);
    }
}

/// The paths that out-of-line modules may have, both forms of each.
fn declarations(
    items: &[syn::Item],
    inside: &str,
    folder: &str,
    is_test: bool,
    into: &mut Vec<(String, bool)>,
) {
    for item in items {
        let syn::Item::Mod(module) = item else { continue };
        let is_test = is_test || is_for_tests(&module.attrs);
        let name = module.ident.to_string();
        match (&module.content, path_attribute(&module.attrs)) {
            (Some((_, items)), _) => {
                declarations(items, &format!("{inside}/{name}"), folder, is_test, into);
            }
            (None, Some(path)) => into.push((format!("{folder}/{path}"), is_test)),
            (None, None) => {
                into.push((format!("{inside}/{name}.rs"), is_test));
                into.push((format!("{inside}/{name}/mod.rs"), is_test));
            }
        }
    }
}

fn path_attribute(attributes: &[syn::Attribute]) -> Option<String> {
    attributes.iter().find(|attribute| attribute.path().is_ident("path")).and_then(|attribute| {
        match &attribute.meta {
            syn::Meta::NameValue(syn::MetaNameValue {
                value: syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }),
                ..
            }) => Some(text.value()),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::workspace::{Workspace, manifest};

    #[test]
    fn a_file_that_no_module_declares_is_unreached_and_test_modules_are_known() {
        let workspace = Workspace::of(&[
            ("crates/kernel/Cargo.toml", &manifest("kernel", "")),
            ("crates/kernel/src/lib.rs", "mod money; mod time { mod zone; } #[cfg(test)] mod checks;"),
            ("crates/kernel/src/money.rs", "mod split;"),
            ("crates/kernel/src/money/split.rs", ""),
            ("crates/kernel/src/time/zone.rs", ""),
            ("crates/kernel/src/checks.rs", "mod deep;"),
            ("crates/kernel/src/checks/deep.rs", ""),
            ("crates/kernel/src/forgotten.rs", ""),
            ("crates/kernel/tests/all.rs", ""),
        ]);
        assert_eq!(workspace.unreached, ["crates/kernel/src/forgotten.rs"]);
        let tests: Vec<&str> = workspace
            .sources
            .iter()
            .filter(|(_, source)| source.is_test)
            .map(|(path, _)| path.as_str())
            .collect();
        assert_eq!(
            tests,
            ["crates/kernel/src/checks.rs", "crates/kernel/src/checks/deep.rs", "crates/kernel/tests/all.rs"]
        );
    }
}
