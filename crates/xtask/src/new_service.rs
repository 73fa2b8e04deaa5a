//! `cargo xtask new-service NAME`: the folder of a service that compiles, registers and passes its
//! tests; everything in it is there to be replaced.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};

use crate::root;

macro_rules! skeleton {
    ($($path:literal <- $file:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("new_service/skeleton/", $file)))),+]
    };
}

/// Path below the service's folder, and text with `{name}` (as given), `{Name}` (as a type) and
/// `{plain}` (as a table).
const SKELETON: &[(&str, &str)] = skeleton![
    "Cargo.toml" <- "Cargo.toml.in",
    "README.md" <- "README.md.in",
    "src/lib.rs" <- "lib.rs.in",
    "src/domain.rs" <- "domain.rs.in",
    "src/commands.rs" <- "commands.rs.in",
    "src/handlers.rs" <- "handlers.rs.in",
    "src/views.rs" <- "views.rs.in",
    "src/http.rs" <- "http.rs.in",
    "src/ports.rs" <- "ports.rs.in",
    "src/config.rs" <- "config.rs.in",
    "src/error.rs" <- "error.rs.in",
    "src/tests.rs" <- "tests.rs.in",
];

/// Makes `crates/service-<name>` and says what is left to do.
pub(crate) fn run(name: &str) -> Result<()> {
    ensure!(is_name(name), "`{name}` is no name: lower-case words of a-z and 0-9 with `-` between them");
    let folder = root()?.join("crates").join(format!("service-{name}"));
    ensure!(!folder.exists(), "{} is there already", folder.display());
    for (path, text) in files(name) {
        let path = folder.join(path);
        let parent = path.parent().context("a file is in a folder")?;
        fs::create_dir_all(parent).with_context(|| format!("make {}", parent.display()))?;
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    }
    format(&folder.join("src/lib.rs"))?;
    println!("crates/service-{name} is made; now");
    println!("  Cargo.toml                 service-{name} = {{ path = \"crates/service-{name}\" }}");
    println!("  crates/a4co/Cargo.toml     service-{name}.workspace = true");
    println!("  crates/a4co/src            a line in the list of services");
    println!("  crates/contracts/src       its public events, when it has any");
    Ok(())
}

/// The order of imports depends on the name.
fn format(lib: &Path) -> Result<()> {
    let status =
        Command::new("rustfmt").args(["--edition", "2024"]).arg(lib).status().context("start rustfmt")?;
    ensure!(status.success(), "rustfmt {} failed ({status})", lib.display());
    Ok(())
}

fn is_name(name: &str) -> bool {
    let is_word =
        |word: &str| word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) && !word.is_empty();
    name.split('-').all(is_word) && name.starts_with(|first: char| first.is_ascii_lowercase())
}

fn files(name: &str) -> Vec<(&'static str, String)> {
    let (type_name, plain) = (type_name(name), name.replace('-', "_"));
    let fill =
        |text: &str| text.replace("{name}", name).replace("{Name}", &type_name).replace("{plain}", &plain);
    SKELETON.iter().map(|(path, text)| (*path, fill(text))).collect()
}

/// `wish-list` → `WishList`
fn type_name(name: &str) -> String {
    name.split('-')
        .map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            format!("{}{rest}", first.to_ascii_uppercase())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{tidy, tree::Tree};

    #[test]
    fn names_are_lower_case_words() {
        for name in ["order", "wish-list", "a4"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "Order", "-order", "order-", "a--b", "4you", "a_b", "../a", "año"] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn a_new_service_is_tidy() {
        let files = files("wish-list")
            .into_iter()
            .map(|(path, text)| (format!("crates/service-wish-list/{path}"), text))
            .collect();
        let tree = Tree { files };
        assert_eq!(tidy::findings(tree).1, Vec::<String>::new());
    }
}
