//! The files of the repository as text, read once; tests make one in memory.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result};

/// Text files by their path below the root, with `/` between the parts.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) files: BTreeMap<String, String>,
}

impl Tree {
    /// Reads every text file below `root` that the root's `.gitignore` does not name.
    /// It walks instead of asking git, so that it works on an exported archive as well.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let ignored = Ignored::read(root);
        let mut tree = Self::default();
        tree.read_folder(root, "", &ignored)?;
        Ok(tree)
    }

    /// A tree in memory, for tests.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect() }
    }

    fn read_folder(&mut self, folder: &Path, below_root: &str, ignored: &Ignored) -> Result<()> {
        for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{below_root}{name}");
            if name == ".git" || ignored.covers(&path, &name) {
                continue;
            }
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.read_folder(&entry.path(), &format!("{path}/"), ignored)?;
            } else if kind.is_file() {
                let bytes = fs::read(entry.path()).with_context(|| format!("read {path}"))?;
                // A file that is not UTF-8 is a picture or an archive: no rule reads it.
                if let Ok(text) = String::from_utf8(bytes) {
                    self.files.insert(path, text);
                }
            }
        }
        Ok(())
    }
}

/// The two forms that the root's `.gitignore` uses: `/path` and `*.ending`.
struct Ignored {
    paths: Vec<String>,
    endings: Vec<String>,
}

impl Ignored {
    fn read(root: &Path) -> Self {
        Self::parse(&fs::read_to_string(root.join(".gitignore")).unwrap_or_default())
    }

    fn parse(text: &str) -> Self {
        let lines = || text.lines().map(|line| line.trim().trim_end_matches('/'));
        Self {
            paths: lines().filter_map(|line| line.strip_prefix('/')).map(str::to_owned).collect(),
            endings: lines().filter_map(|line| line.strip_prefix('*')).map(str::to_owned).collect(),
        }
    }

    fn covers(&self, path: &str, name: &str) -> bool {
        self.paths.iter().any(|ignored| ignored == path)
            || self.endings.iter().any(|ending| name.ends_with(ending.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_paths_count_at_the_root_and_endings_everywhere() {
        let ignored = Ignored::parse("/target\n/data/\n*.swp\n");
        assert!(ignored.covers("target", "target"));
        assert!(ignored.covers("data", "data"));
        assert!(ignored.covers("crates/kernel/src/.money.swp", ".money.swp"));
        assert!(!ignored.covers("crates/kernel/data", "data"));
    }
}
