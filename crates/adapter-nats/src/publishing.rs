//! Publishing: what counts as published, and in which order.

use async_nats::connection::State;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::{PublishAckFuture, PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use backbone::bus::{Error, partition_of};
use backbone::relaying;
use kernel::Envelope;

use crate::error::unavailable;
use crate::headers;
use crate::options::Options;

const PUBLISHING: &str = "publishing events";

/// The subject of an event: its type, and its partition where there are several.
pub(crate) fn subject_of(event: &Envelope, partitions: u32) -> String {
    match partitions {
        1 => event.kind.clone(),
        _ => format!("{}.p{}", event.kind, partition_of(&event.subject, partitions)),
    }
}

/// Publishes in order; done when the broker has said of each that it has it.
///
/// Many are on their way at once, and never two of one key: a connection that breaks loses some
/// and not others, and what is sent again must not come after what was sent later.
pub(crate) async fn publish(
    server: &Context,
    options: &Options,
    events: &[Envelope],
    id_of: impl Fn(&Envelope) -> String,
) -> Result<(), Error> {
    for event in events {
        check(event, options)?;
    }
    if server.client().connection_state() != State::Connected {
        // What is sent now would wait in the client and come at an unknown time.
        return Err(unavailable(PUBLISHING, "not connected"));
    }
    for run in relaying::runs(events) {
        let mut sent: Vec<(&Envelope, PublishAckFuture)> = Vec::with_capacity(run.len());
        let mut failed = None;
        for event in run {
            let message = headers::encode(event, &id_of(event));
            let message = PublishMessage::build().headers(message).payload(event.data.clone());
            match server.send_publish(subject_of(event, options.partitions), message).await {
                Ok(acknowledgement) => sent.push((event, acknowledgement)),
                Err(error) => {
                    failed = Some(said(event, &error));
                    break;
                }
            }
        }
        for (event, acknowledgement) in sent {
            // A duplicate is an acknowledgement too: the broker has it.
            if let Err(error) = acknowledgement.await {
                failed.get_or_insert(said(event, &error));
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
    }
    Ok(())
}

fn said(event: &Envelope, error: &PublishError) -> Error {
    match error.kind() {
        PublishErrorKind::StreamNotFound => Error::Unroutable(event.kind.clone()),
        _ => unavailable(PUBLISHING, format!("{} {}: {error}", event.kind, event.id)),
    }
}

fn check(event: &Envelope, options: &Options) -> Result<(), Error> {
    if options.stream_of(event.context()).is_none() || !relaying::is_routable(&event.kind) {
        return Err(Error::Unroutable(format!("{:?}: its context has no stream in the table", event.kind)));
    }
    relaying::too_large(event).map_or(Ok(()), |reason| Err(unavailable(PUBLISHING, reason)))
}

#[cfg(test)]
mod tests {
    use backbone::relaying::MESSAGE_BYTES_MAX;
    use bytes::Bytes;
    use kernel::Timestamp;
    use uuid::Uuid;

    use super::*;

    fn about(subject: &str) -> Envelope {
        Envelope {
            id: Uuid::nil().into(),
            source: "order".into(),
            kind: "order.created.v1".into(),
            subject: subject.into(),
            time: Timestamp::default(),
            correlation_id: String::new(),
            causation_id: String::new(),
            sequence: 0,
            traceparent: None,
            key_id: None,
            data: Bytes::new(),
        }
    }

    #[test]
    fn the_partition_follows_from_the_subject_for_ever() {
        assert_eq!(subject_of(&about("a"), 1), "order.created.v1");
        let tokens: Vec<String> = ["a", "b", "c", "d"].map(|key| subject_of(&about(key), 4)).to_vec();
        for (token, key) in tokens.iter().zip(["a", "b", "c", "d"]) {
            assert_eq!(*token, format!("order.created.v1.p{}", kernel::stable_hash(key.as_bytes()) % 4));
        }
    }

    #[test]
    fn what_no_stream_takes_is_refused_before_it_is_sent() {
        let options = Options::default();
        for kind in ["weather.changed.v1", "order.*.v1", "order..v1", "order.a b.v1", ""] {
            let event = Envelope { kind: kind.into(), ..about("a") };
            assert!(matches!(check(&event, &options), Err(Error::Unroutable(_))), "{kind}");
        }
        let large = Envelope { data: Bytes::from(vec![b' '; MESSAGE_BYTES_MAX + 1]), ..about("a") };
        assert!(matches!(check(&large, &options), Err(Error::Unavailable { .. })));
        assert!(check(&about("a"), &options).is_ok());
    }
}
