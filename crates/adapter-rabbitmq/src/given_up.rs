//! What lies in the broker's own dead letters. Messages are looked at by taking them without
//! acknowledging them; they go back by themselves a moment later, or when the process ends.

use std::collections::BTreeMap;
use std::sync::Arc;

use backbone::bus::{Error, GivenUp};
use bytes::Bytes;
use kernel::{Duration, Timestamp, stable_hash};
use lapin::message::BasicGetMessage;
use lapin::options::{BasicAckOptions, BasicGetOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::bus::{Inner, now};
use crate::dead_letter::REPORT;
use crate::error::within;
use crate::headers::{decode, lines, plain, time_of};
use crate::topology::Place;

const LOOKING: &str = "looking at the broker's dead letters";
/// For how long a look keeps others from seeing the same messages.
const HELD_FOR: Duration = Duration::from_secs(30);
/// The most messages that are looked at.
const LOOKED_AT_MAX: usize = 10_000;

/// What was looked at, by queue.
#[derive(Default)]
pub(crate) struct Looks(Mutex<BTreeMap<String, Look>>);

/// Messages that are here and still the broker's.
struct Look {
    channel: Channel,
    letters: Vec<Letter>,
    end: JoinHandle<()>,
}

struct Letter {
    tag: u64,
    /// The queue that it came from.
    origin: String,
    shown: GivenUp,
}

impl Drop for Look {
    fn drop(&mut self) {
        self.end.abort();
    }
}

impl Looks {
    /// The oldest dead letters of a place.
    pub(crate) async fn oldest(
        &self,
        inner: &Arc<Inner>,
        place: &Place,
        limit: usize,
    ) -> Result<Vec<GivenUp>, Error> {
        let mut looks = self.0.lock().await;
        let look = take(&mut looks, inner, place, |letters| {
            letters.iter().filter(|letter| is_of(&letter.origin, place)).count() >= limit
        });
        let look = look.await?;
        let own = look.letters.iter().filter(|letter| is_of(&letter.origin, place));
        Ok(own.take(limit).map(|letter| letter.shown.clone()).collect())
    }

    /// Removes those of these handles that are there.
    pub(crate) async fn forget(
        &self,
        inner: &Arc<Inner>,
        place: &Place,
        handles: &[u64],
    ) -> Result<(), Error> {
        let mut looks = self.0.lock().await;
        let has = |letters: &[Letter], handle: &u64| letters.iter().any(|own| own.shown.handle == *handle);
        let look =
            take(&mut looks, inner, place, |letters| handles.iter().all(|handle| has(letters, handle)));
        let look = look.await?;
        let gone: Vec<u64> = look
            .letters
            .iter()
            .filter(|letter| handles.contains(&letter.shown.handle))
            .map(|letter| letter.tag)
            .collect();
        for tag in &gone {
            let ack = look.channel.basic_ack(*tag, BasicAckOptions::default());
            within(inner.options.answer_time_max, LOOKING, ack).await?;
        }
        look.letters.retain(|letter| !gone.contains(&letter.tag));
        Ok(())
    }
}

/// Takes messages until there are enough, or all.
async fn take<'l>(
    looks: &'l mut BTreeMap<String, Look>,
    inner: &Arc<Inner>,
    place: &Place,
    is_enough: impl Fn(&[Letter]) -> bool,
) -> Result<&'l mut Look, Error> {
    let limit = inner.options.answer_time_max;
    let queue = &place.dead_queue;
    if looks.get(queue).is_some_and(|look| !look.channel.status().connected()) {
        looks.remove(queue);
    }
    let look = match looks.entry(queue.clone()) {
        std::collections::btree_map::Entry::Occupied(found) => found.into_mut(),
        std::collections::btree_map::Entry::Vacant(place) => {
            let channel = inner.reads.wire.channel(LOOKING).await?;
            let end = tokio::spawn(end(channel.clone()));
            place.insert(Look { channel, letters: Vec::new(), end })
        }
    };
    while !is_enough(&look.letters) && look.letters.len() < LOOKED_AT_MAX {
        let get = look.channel.basic_get(queue.as_str().into(), BasicGetOptions::default());
        match within(limit, LOOKING, get).await? {
            Some(message) => look.letters.push(letter(message)),
            None => break,
        }
    }
    Ok(look)
}

/// Lets the messages go back.
async fn end(channel: Channel) {
    tokio::time::sleep(HELD_FOR).await;
    // Where this fails the channel is gone, and they are back.
    let _ = channel.close(200, "looked".into()).await;
}

/// Whether a place shows what came from a queue; the first partition shows what is no place's: the
/// number of partitions was changed.
fn is_of(origin: &str, place: &Place) -> bool {
    let of = |partition| {
        let (service, _) = place.dead_queue.split_once('.').unwrap_or((&place.dead_queue, ""));
        Place::new(service, &place.context, partition, place.partitions).queue
    };
    origin == place.queue || place.partition == 0 && (0..place.partitions).all(|other| origin != of(other))
}

fn letter(message: BasicGetMessage) -> Letter {
    let delivery = message.delivery;
    let (properties, body) = (delivery.properties, Bytes::from(delivery.data));
    let death = Death::of(&properties);
    let event = decode(&properties, &body, death.at).ok().map(Arc::new);
    let mut shown = GivenUp {
        handle: 0,
        kind: death.key.unwrap_or_else(|| delivery.routing_key.to_string()),
        reason: death.reason,
        at: death.at,
        event,
        headers: lines(&properties),
        body,
    };
    shown.handle = handle(&shown);
    Letter { tag: delivery.delivery_tag, origin: death.queue, shown }
}

/// The same message has the same handle, whichever connection it came by.
fn handle(shown: &GivenUp) -> u64 {
    let mut whole = shown.kind.clone().into_bytes();
    for (name, value) in &shown.headers {
        // How often it was looked at.
        if name != "x-delivery-count" {
            whole.extend(name.bytes().chain([0]).chain(value.bytes()).chain([0]));
        }
    }
    whole.extend(&shown.body[..]);
    stable_hash(&whole)
}

/// Why a message lies where it does.
#[derive(Debug, PartialEq, Eq)]
struct Death {
    queue: String,
    key: Option<String>,
    reason: String,
    at: Timestamp,
}

impl Death {
    /// By our own report, or by the broker's.
    fn of(properties: &BasicProperties) -> Self {
        let empty = FieldTable::default();
        let headers = properties.headers().as_ref().unwrap_or(&empty).inner();
        let own = |name: &str| headers.get(format!("{REPORT}{name}").as_str()).and_then(plain);
        if let Some(queue) = own("queue") {
            let at = own("moved-at").and_then(|text| text.parse().ok()).unwrap_or_default();
            return Self { queue, key: own("subject"), reason: own("error").unwrap_or_default(), at };
        }
        let death = match headers.get("x-death") {
            Some(AMQPValue::FieldArray(deaths)) => deaths.as_slice().first(),
            _ => None,
        };
        let Some(AMQPValue::FieldTable(death)) = death else {
            let reason = "nobody says why".to_owned();
            return Self { queue: String::new(), key: None, reason, at: now() };
        };
        let death = death.inner();
        let said = |name: &str| death.get(name).and_then(plain);
        let key = match death.get("routing-keys") {
            Some(AMQPValue::FieldArray(keys)) => keys.as_slice().first().and_then(plain),
            _ => None,
        };
        let at = match death.get("time") {
            Some(AMQPValue::Timestamp(seconds)) => time_of(*seconds),
            _ => now(),
        };
        let reason = match said("reason").as_deref() {
            Some("delivery_limit") => "the broker delivered it as often as it may".to_owned(),
            other => format!("the broker gave it up: {}", other.unwrap_or("it does not say why")),
        };
        Self { queue: said("queue").unwrap_or_default(), key, reason, at }
    }
}
