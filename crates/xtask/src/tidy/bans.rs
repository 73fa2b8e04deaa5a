//! Bans: texts that no source may contain, each with the reason and what to write instead.

use super::{
    Finding,
    source::{Source, Token},
    workspace::Workspace,
};

/// Rust text that is refused. It is compared token by token, so comments, strings and spacing do not
/// matter; `a::b` is also found at the end of a longer path.
struct Ban {
    text: &'static str,
    reason: &'static str,
    instead: &'static str,
    /// Where it is refused: paths that contain one of these; empty is everywhere.
    only: &'static [&'static str],
    /// Where it is allowed all the same: paths that start with one of these.
    except: &'static [&'static str],
    in_tests: InTests,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum InTests {
    Allowed,
    Refused,
}
use InTests::{Allowed, Refused};

const EVERYWHERE: &[&str] = &[];
const NOWHERE: &[&str] = &[];
/// The rim: what binds ports to the real world, and what runs only for developers.
const RIM: &[&str] = &[
    "crates/a4co/",
    "crates/adapter-",
    "crates/conformance/",
    "crates/fleet/",
    "crates/it/",
    "crates/testkit/",
    "crates/testservers/",
    "crates/xtask/",
];
const BINARIES: &[&str] = &["crates/a4co/", "crates/fleet/", "crates/it/", "crates/xtask/"];
/// Those, and what looks for servers in `PATH`.
const READERS: &[&str] = &["crates/a4co/", "crates/it/", "crates/testservers/", "crates/xtask/"];
const MONEY: &[&str] = &["money", "ledger", "split"];
const DECISIONS: &[&str] = &["crates/service-", "crates/engine/"];

const SIMULATED: &str = "a simulation must own time, ids, randomness and tasks";
const CLOCK: &str = "take the time from the `Clock` port or from the command";
const IDS: &str = "take the id from the `Ids` port or from the command";
const SPAWNER: &str = "spawn through the `Spawner` port";
const ONE_READER: &str = "configuration is read once, in `a4co`";
const PASS_DOWN: &str = "add a field to the crate's configuration and let `a4co` pass it down";
const EXACT: &str = "a fraction in binary loses cents";
const MINOR_UNITS: &str = "use i64 minor units, and i128 for products";
const UNFINISHED: &str = "unfinished code is not merged";
const FINISH: &str = "write it, or leave it out";
const STRAY: &str = "output of a library belongs to whoever runs it";
const LOG: &str = "use `tracing`, or return the value";

const BANS: &[Ban] = &[
    rim("SystemTime::now", CLOCK),
    rim("Instant::now", CLOCK),
    rim("Timestamp::now", CLOCK),
    rim("Zoned::now", CLOCK),
    rim("tokio::time::sleep", CLOCK),
    rim("thread::sleep", CLOCK),
    rim("Uuid::now_v7", IDS),
    rim("Uuid::new_v4", IDS),
    rim("rand::", IDS),
    rim("tokio::spawn", SPAWNER),
    rim("task::spawn", SPAWNER),
    rim("thread::spawn", SPAWNER),
    environment("env::var"),
    environment("env::var_os"),
    environment("env::vars"),
    Ban { only: MONEY, ..everywhere("f32", EXACT, MINOR_UNITS) },
    Ban { only: MONEY, ..everywhere("f64", EXACT, MINOR_UNITS) },
    everywhere("todo!", UNFINISHED, FINISH),
    everywhere("unimplemented!", UNFINISHED, FINISH),
    everywhere("dbg!", STRAY, LOG),
    everywhere("#[ignore", "a test that does not run proves nothing", "make it run, or delete it"),
    print("print!"),
    print("println!"),
    print("eprint!"),
    print("eprintln!"),
    Ban {
        text: ".unwrap()",
        reason: "a panic here ends the process without saying why",
        instead: "write `.expect(\"why it cannot fail\")` or `?`",
        only: DECISIONS,
        except: NOWHERE,
        in_tests: Allowed,
    },
];

const fn everywhere(text: &'static str, reason: &'static str, instead: &'static str) -> Ban {
    Ban { text, reason, instead, only: EVERYWHERE, except: NOWHERE, in_tests: Refused }
}

const fn rim(text: &'static str, instead: &'static str) -> Ban {
    Ban { text, reason: SIMULATED, instead, only: EVERYWHERE, except: RIM, in_tests: Allowed }
}

const fn environment(text: &'static str) -> Ban {
    Ban { text, reason: ONE_READER, instead: PASS_DOWN, only: EVERYWHERE, except: READERS, in_tests: Allowed }
}

const fn print(text: &'static str) -> Ban {
    Ban { text, reason: STRAY, instead: LOG, only: EVERYWHERE, except: BINARIES, in_tests: Allowed }
}

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for ban in BANS {
        let words = words(ban.text);
        for (path, source) in workspace.sources.iter().filter(|(path, _)| applies(ban, path)) {
            for line in lines_with(&words, source) {
                if ban.in_tests == Refused || !source.is_test_at(line) {
                    let what = format!("`{}`: {}; {}", ban.text, ban.reason, ban.instead);
                    findings.push(Finding::at_line(path, line, what));
                }
            }
        }
    }
    findings
}

fn applies(ban: &Ban, path: &str) -> bool {
    // A build script speaks to cargo through its output and its environment.
    let is_build_script = path.ends_with("/build.rs");
    !is_build_script
        && (ban.only.is_empty() || ban.only.iter().any(|part| path.contains(part)))
        && !ban.except.iter().any(|start| path.starts_with(start))
}

/// Splits as the compiler does for the texts above: words, and each other character by itself.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let end =
            if is_word(first) { rest.find(|c| !is_word(c)).unwrap_or(rest.len()) } else { first.len_utf8() };
        let (word, after) = rest.split_at(end);
        words.push(word);
        rest = after;
    }
    words
}

fn lines_with(words: &[&str], source: &Source) -> Vec<usize> {
    let matches = |window: &&[Token]| window.iter().zip(words).all(|(token, word)| token.text == *word);
    source.tokens.windows(words.len()).filter(matches).map(|window| window[0].line).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::workspace::manifest, *};

    /// The places in `text` as the library of `krate`.
    fn places(krate: &str, text: &str) -> Vec<String> {
        let manifest_path = format!("crates/{krate}/Cargo.toml");
        let path = format!("crates/{krate}/src/lib.rs");
        let workspace = Workspace::of(&[(&manifest_path, &manifest(krate, "")), (&path, text)]);
        check(&workspace).into_iter().map(|finding| finding.to_string()).collect()
    }

    #[test]
    fn time_ids_and_tasks_come_through_ports_except_at_the_rim() {
        for text in [
            "std::time::SystemTime::now()",
            "Instant :: now()",
            "uuid::Uuid::now_v7()",
            "rand::rng()",
            "tokio::spawn(run())",
            "tokio::time::sleep(pause)",
        ] {
            let text = format!("fn a() {{\n{text};\n}}");
            for krate in ["kernel", "backbone", "engine", "http-kit", "service-order", "provider-stripe"] {
                assert_eq!(places(krate, &text).len(), 1, "{krate}: {text}");
                assert!(places(krate, &text)[0].starts_with(&format!("crates/{krate}/src/lib.rs:2: ")));
            }
            for krate in ["a4co", "adapter-sqlite", "testkit", "xtask"] {
                assert!(places(krate, &text).is_empty(), "{krate}: {text}");
            }
        }
    }

    #[test]
    fn a_refusal_says_what_why_and_what_instead() {
        assert_eq!(
            places("service-order", "fn a() { std::env::var(\"PORT\"); }"),
            [
                "crates/service-order/src/lib.rs:1: `env::var`: configuration is read once, in `a4co`; add a field \
              to the crate's configuration and let `a4co` pass it down"
            ]
        );
    }

    #[test]
    fn comments_strings_and_compile_time_macros_break_no_ban() {
        let text = "/// Never `Instant::now` nor todo!().\nfn a() { let _ = \"SystemTime::now dbg!()\"; env!(\"A\"); }";
        assert!(places("engine", text).is_empty());
    }

    #[test]
    fn unwrap_is_for_tests_and_for_crates_that_decide_nothing() {
        let text = "fn a() { b().unwrap(); }\n#[cfg(test)]\nmod tests {\n fn c() { b().unwrap(); }\n}";
        assert_eq!(places("service-order", text).len(), 1);
        assert_eq!(places("engine", text).len(), 1);
        assert!(places("kernel", text).is_empty());
        assert!(places("engine", "fn a() { b().unwrap_or(1); c.unwrap(1); }").is_empty());
    }

    #[test]
    fn unfinished_code_and_ignored_tests_are_refused_in_tests_too() {
        for text in ["todo!()", "unimplemented!()", "dbg!(1)"] {
            let text = format!("#[cfg(test)] mod tests {{ fn a() {{ {text}; }} }}");
            assert_eq!(places("a4co", &text).len(), 1, "{text}");
        }
        assert_eq!(places("it", "#[test] #[ignore = \"slow\"] fn a() {}").len(), 1);
    }

    #[test]
    fn a_library_does_not_print() {
        assert_eq!(places("engine", "fn a() { println!(); }").len(), 1);
        assert!(places("a4co", "fn a() { println!(); }").is_empty());
    }

    #[test]
    fn money_is_never_a_float() {
        let float = "fn a(b: f64) {}";
        let files = [("crates/kernel/src/money.rs", float), ("crates/kernel/src/chart.rs", float)];
        let found = check(&Workspace::of(&files));
        assert_eq!(found.len(), 1);
        assert!(found[0].place.starts_with("crates/kernel/src/money.rs"));
    }
}
