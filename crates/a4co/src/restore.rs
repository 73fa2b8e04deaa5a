//! `a4co restore`: a back-up becomes the market of an empty directory.

use std::path::Path;

use crate::config::Settings;
use crate::market::{EMAIL_KEY, GATEWAY};
use crate::production;

/// Restores, and says what is left to do.
pub(crate) fn run(settings: &Settings, from: &Path, keys: Option<&Path>) -> anyhow::Result<String> {
    production::check(settings)?;
    let directory = settings.serve.data.as_path();
    adapter_sqlite::restore(from, keys, directory)?;
    production::mark(settings)?;
    let mut next = Vec::new();
    if keys.is_none() {
        next.push(
            "no keys were given (--keys): every personal field reads as redacted. If there is a back-up of \
             them, begin again before the market is started"
                .to_owned(),
        );
    }
    if !settings.is_production() {
        next.push(format!(
            "put {}, {EMAIL_KEY} and {GATEWAY} of the old directory beside it: keys of persons do not open \
             without the first, sign-in finds nobody without the second, and the sandbox declines refunds of \
             charges that it does not remember without the third",
            adapter_sqlite::MASTER_KEY_FILE
        ));
    }
    next.push(format!("run `a4co verify --data {}`", directory.display()));
    next.push(
        "start it; what may have been in flight at the back-up is first replayed one by one, as after a crash"
            .to_owned(),
    );
    let steps: String = next.iter().enumerate().map(|(at, step)| format!("  {}. {step}\n", at + 1)).collect();
    Ok(format!("{} holds the market of {}. Now:\n{steps}", directory.display(), from.display()))
}
