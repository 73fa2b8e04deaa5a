//! What a commit is, as a number: the same for the same commit of another run.

use std::fmt::Write as _;

use backbone::commit::{Commit, Guard, Target};
use backbone::keyring::SEALED;
use kernel::stable_hash;

/// Without ciphertexts, whose nonces no seed reaches. Bodies are taken as they are: printing them is
/// what would cost most of a run.
pub(crate) fn digest(commit: &Commit) -> u64 {
    let mut seen = String::with_capacity(4_096);
    let Commit { appends, puts, deletes, guards, outgoing, source, fence, .. } = commit;
    // Writing to a string cannot fail.
    let _ = write!(seen, "{:?} {source:?} {fence:?}", commit.built_on);
    for Guard { target, version } in guards {
        let _ = match target {
            Target::Stream(name) => write!(seen, "{name} {version}"),
            Target::Document(collection, id) => write!(seen, "{} {id} {version}", collection.name),
        };
    }
    for delete in deletes {
        let _ = write!(seen, "{} {} {:?}", delete.collection.name, delete.id, delete.expected);
    }
    if let Some(answer) = &commit.answer {
        let _ = write!(seen, "{} {}", answer.key, answer.fingerprint);
        add(&mut seen, &answer.body);
    }
    for append in appends {
        let _ = write!(seen, "{} {}", append.stream, append.expected);
        for event in &append.events {
            let _ = write!(seen, "{} {}", event.name, event.version);
            add(&mut seen, &event.data);
        }
        if let Some(snapshot) = &append.snapshot {
            add(&mut seen, &snapshot.data);
        }
    }
    for put in puts {
        let _ = write!(seen, "{} {} {:?} {:?}", put.collection.name, put.id, put.expected, put.columns);
        add(&mut seen, &put.body);
    }
    for event in outgoing {
        let _ = write!(seen, "{} {} {} {}", event.id, event.kind, event.subject, event.sequence);
        add(&mut seen, &event.data);
    }
    stable_hash(seen.as_bytes())
}

/// Adds a body without what is sealed in it.
fn add(seen: &mut String, body: &[u8]) {
    let is_cipher = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    let body = String::from_utf8_lossy(body);
    let mut parts = body.split(SEALED);
    seen.push_str(parts.next().unwrap_or_default());
    for part in parts {
        seen.push_str(SEALED);
        seen.push_str(part.trim_start_matches(is_cipher));
    }
}
