//! Where the reader stands, by what the broker knows: at the start, after a connection was lost,
//! where a delivery is missing, and now and then while it is quiet.

use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use backbone::bus::Error;
use futures::{StreamExt, TryStreamExt};

use super::{FETCHING, Reader, timestamp};
use crate::book::Arrival;
use crate::dead_letter::Raw;
use crate::durable;
use crate::error::unavailable;
use crate::pull::Pull;

/// How many messages are read again at a time.
const AGAIN_MAX: u64 = 256;
/// How many requests for them are on their way at once.
const AGAIN_AT_ONCE: usize = 32;

impl Reader {
    /// Finds out what the broker delivered that is not here. It may be dropped and begun again.
    pub(super) async fn synchronise(&mut self) -> Result<(), Error> {
        let failed = |reason: String| unavailable(FETCHING, reason);
        // What an old request still brings would come twice.
        if let Some(pull) = self.pull.take() {
            Pull::close(pull).await;
        }
        if !self.connection.borrow_and_update().is_up {
            return Err(failed("not connected".to_owned()));
        }
        let server = self.inner.server.clone();
        let info = durable::look(&server, &self.place).await.map_err(failed)?;
        let Some(info) = info else {
            return Err(failed(format!("the consumer {} is gone", self.place.durable)));
        };
        if info.config.description.as_deref() != Some(&self.name) {
            return Err(failed(format!("another one reads {}", self.place.durable)));
        }
        let floor = durable::floor(&info).max(self.accepted);
        let last = info.delivered.stream_sequence;
        let stream = server.get_stream(self.place.stream).await;
        let state = stream.map_err(|error| failed(error.to_string()))?.cached_info().state.clone();
        if self.accepted > state.last_sequence {
            // A position of a stream that was lost: this one began anew, and nothing of it is settled.
            let (accepted, last) = (self.accepted, state.last_sequence);
            return Err(failed(format!(
                "{accepted} is no position of {}, which ends at {last}",
                self.place.stream
            )));
        }
        if self.place.keeps_to_limits {
            self.no_gap(floor, state.first_sequence)?;
        }
        self.book().forget_to(info.ack_floor.stream_sequence);
        self.acknowledge_again(last);
        self.again = None;
        if info.num_ack_pending > 0 && (floor + 1..=last).any(|position| self.is_missing(position)) {
            self.again = Some((floor + 1, last));
        }
        self.next_delivery = info.delivered.consumer_sequence + 1;
        self.seen = self.seen.max(last);
        self.is_in_doubt = false;
        Ok(())
    }

    fn is_missing(&self, position: u64) -> bool {
        self.book().knows(position) == Arrival::New && !self.dead.contains_key(&position)
    }

    /// The stream begins after what this consumer has not had.
    fn no_gap(&self, floor: u64, first: u64) -> Result<(), Error> {
        match (floor + 1..first).find(|position| self.is_missing(*position)) {
            Some(from) => Err(Error::Gap { consumer: self.place.consumer.clone(), from, to: first - 1 }),
            None => Ok(()),
        }
    }

    /// Acknowledges what is settled and what the broker may not know to be.
    fn acknowledge_again(&mut self, last: u64) {
        let settled: Vec<u64> = self.book().settled().take_while(|position| *position <= last).collect();
        let replies: Vec<String> = settled.into_iter().map(|position| self.reply_to(position)).collect();
        self.passed.extend(replies);
    }

    /// Where the acknowledgement of a position goes: the broker finds the delivery by it alone.
    fn reply_to(&self, position: u64) -> String {
        format!("$JS.ACK.{}.{}.1.{position}.1.0.0", self.place.stream, self.place.durable)
    }

    /// Reads the next of these positions from the stream.
    pub(super) async fn read_again(&mut self, (first, last): (u64, u64)) -> Result<(), Error> {
        let failed = |reason: String| unavailable(FETCHING, reason);
        let to = last.min(first + AGAIN_MAX - 1);
        let wanted: Vec<u64> = (first..=to).filter(|position| self.is_missing(*position)).collect();
        let server = self.inner.server.clone();
        let stream = server.get_stream_no_info(self.place.stream).await;
        let stream = stream.map_err(|error| failed(error.to_string()))?;
        let reads = wanted.into_iter().map(|position| read(stream.clone(), position));
        let found = futures::stream::iter(reads).buffered(AGAIN_AT_ONCE).try_collect::<Vec<_>>().await;
        for message in found.map_err(failed)?.into_iter().flatten() {
            let reply = self.reply_to(message.sequence);
            let raw = Raw {
                subject: message.subject.to_string(),
                headers: message.headers,
                body: message.payload,
                stored_at: timestamp(message.time.unix_timestamp_nanos()),
                deliveries: 1,
                reply,
            };
            self.accept(message.sequence, raw);
        }
        self.again = (to < last).then_some((to + 1, last));
        Ok(())
    }
}

/// A message by its sequence; `None` where it is not there any more.
async fn read(stream: Stream<()>, position: u64) -> Result<Option<StreamMessage>, String> {
    match stream.raw_message_builder().sequence(position).send().await {
        Ok(message) => Ok(Some(message)),
        Err(error) if matches!(error.kind(), RawMessageErrorKind::NoMessageFound) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}
