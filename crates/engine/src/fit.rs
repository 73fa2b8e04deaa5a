//! Whether what a part decided may be committed: only what the module declares is published, and
//! nothing is larger than a message can be (reliability.md, rule 7). Asked of each part by itself,
//! so that of a batch only the one who is to blame is refused: a command is told so, a delivery is
//! a dead letter at once.

use std::collections::BTreeSet;

use backbone::outcome::{Refusal, Rejection};
use backbone::workspace::{Draft, Payload};
use kernel::{ErrorKind, MAX_DATA_BYTES};

use crate::sealing;

/// The types of the public events that a module declares.
pub(crate) type Published = BTreeSet<&'static str>;

/// Refuses a draft that publishes what is not declared, or that holds an event too large to keep.
pub(crate) fn check(service: &str, published: &Published, draft: &Draft) -> Result<(), Refusal> {
    for outgoing in &draft.outgoing {
        let kind = outgoing.announcement.kind.name;
        if !published.contains(kind) {
            let message = format!(
                "{service} publishes {kind} without declaring it: add it to `publishes` of its module"
            );
            return Err(Refusal::failed(ErrorKind::Permanent, message));
        }
        check_size(kind, &outgoing.announcement.payload)?;
    }
    for event in draft.changes.values().flat_map(|change| &change.events) {
        check_size(event.name, &event.payload)?;
    }
    Ok(())
}

fn check_size(what: &str, payload: &Payload) -> Result<(), Refusal> {
    let size = sealing::sealed_bytes(payload);
    if size <= MAX_DATA_BYTES {
        return Ok(());
    }
    let message = format!(
        "{what} would have {size} bytes, {MAX_DATA_BYTES} are the most that can be kept and sent: ask for less \
         at a time"
    );
    Err(Rejection::invalid("event-too-large", message).into())
}
