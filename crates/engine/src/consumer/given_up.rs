//! The rounds of a consumer that reads: what died of an outage alone is tried again, and what the
//! broker gave up on is brought back into the journal. Nothing is forgotten there before it is
//! stored here.

use std::sync::Arc;

use backbone::bus::{Delivery, GivenUp};
use backbone::collection::{ColumnValue, LIMIT_MAX, Query};
use backbone::system::{DEAD_LETTERS, DeadLetter, KeptEvent, Parked, RawMessage};
use backbone::workspace::{Key, Workspace};
use backbone::{Document, Refusal};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kernel::{Duration, ErrorKind, stable_hash};
use uuid::Uuid;

use super::retrying::Pace;
use super::{Consumer, PARKED_MAX, ROUNDS_EVERY};
use crate::failures;
use crate::lanes::Lanes;
use crate::operators::By;

/// How much of what the broker gave up on is looked at in a round.
const GIVEN_UP_MAX: usize = 64;

/// How much of what died of an outage is put back in a round.
const REVIVED_MAX: usize = 32;

/// How long after a round the next one comes that has more to do.
const NEXT_PART: Duration = Duration::from_secs(1);

/// How long what died of an outage lies before it is tried again.
const OUTAGE_RESTS: Duration = Duration::from_secs(60);

impl Consumer {
    /// One round, which is short: what is left comes soon, and new events flow in between.
    pub(super) async fn make_round(&self, lanes: &mut Lanes, pace: &mut Pace) -> Result<(), String> {
        let mut is_through = true;
        if lanes.blocked.values().any(|lane| lane.due.is_none()) {
            is_through = self.revive(lanes, pace).await?;
        }
        if !self.capabilities().reads_by_position {
            self.take_back(lanes).await?;
        }
        let wait = if is_through { ROUNDS_EVERY } else { NEXT_PART };
        pace.next_round = self.host.environment().clock.now().plus(wait);
        Ok(())
    }

    /// Puts back some of what died of infrastructure alone: the consumer reads and commits again. Gives
    /// whether that was all.
    async fn revive(&self, lanes: &mut Lanes, pace: &mut Pace) -> Result<bool, String> {
        let now = self.host.environment().clock.now();
        let mut query = Query::all(&DEAD_LETTERS).equal("consumer", self.name.as_str());
        query.after = pace.looked_to.take().map(|id| (ColumnValue::Null, id));
        let page = self.host.journal().find(query).await.map_err(|e| e.to_string())?;
        let mut is_through = page.len() < LIMIT_MAX;
        let mut last = page.last().map(|last| last.id.clone());
        let mut ids = Vec::new();
        for stored in page {
            let letter: DeadLetter = serde_json::from_slice(&stored.body).map_err(|e| e.to_string())?;
            let rests = now.since(letter.moved_at) < OUTAGE_RESTS;
            if letter.error_kind != ErrorKind::Infrastructure || rests || !self.is_mine(&letter.event.subject)
            {
                continue;
            }
            ids.push(stored.id);
            if ids.len() == REVIVED_MAX {
                (is_through, last) = (false, ids.last().cloned());
                break;
            }
        }
        pace.looked_to = last.filter(|_| !is_through);
        let count = ids.len();
        if count > 0 {
            self.decide("revive", move |ws| {
                ws.need(ids.iter().map(Key::document::<DeadLetter>))?;
                let by = By::engine("it died of an outage alone");
                ids.iter().try_for_each(|id| put_back(id, &by, ws).map(drop))
            })
            .await?;
            tracing::info!(consumer = self.name, count, "what died of an outage is tried again");
            *lanes = self.lanes().await?;
        }
        Ok(is_through)
    }

    /// Takes back all that the broker gave up on. Nothing new is taken meanwhile: whoever reads gives up
    /// when it ends, so whoever reads next comes here first, and what is older comes first.
    async fn take_back(&self, lanes: &mut Lanes) -> Result<(), String> {
        let subscription = self.subscription(0);
        loop {
            let given_up = match self.bus.given_up(&subscription, GIVEN_UP_MAX).await {
                Ok(given_up) => given_up,
                Err(error) => {
                    tracing::debug!(consumer = self.name, %error, "what the broker gave up on is looked at later");
                    return Ok(());
                }
            };
            let is_all = given_up.len() < GIVEN_UP_MAX;
            let is_forgotten = given_up.is_empty() || self.take_given_up(given_up, lanes).await?;
            if is_all || !is_forgotten || lanes.parked() >= PARKED_MAX {
                return Ok(());
            }
        }
    }

    /// Gives whether they are gone there.
    async fn take_given_up(&self, given_up: Vec<GivenUp>, lanes: &mut Lanes) -> Result<bool, String> {
        let count = given_up.len();
        // Later events of their keys may have taken effect: nobody can put that right, and it is said.
        let events = given_up.iter().filter_map(|message| message.event.as_deref());
        let late = events.filter(|event| self.standings.has_had_later(event)).count();
        tracing::warn!(
            consumer = self.name,
            count,
            late,
            "the broker gave up on messages: they are taken back"
        );
        let mut handles = Vec::with_capacity(count);
        let mut deliveries = Vec::new();
        for message in given_up {
            handles.push(message.handle);
            match &message.event {
                // What took effect before is dropped by the inbox.
                Some(event) if self.handles(&event.kind) => {
                    deliveries.push(Delivery { envelope: event.clone(), position: 0 });
                }
                Some(_) => {}
                None => self.keep_raw(message).await?,
            }
        }
        self.take(&deliveries, 0, lanes).await?;
        let forgotten = self.bus.forget(&self.subscription(0), &handles).await;
        if let Err(error) = &forgotten {
            // They are found again, and known.
            tracing::debug!(consumer = self.name, %error, "what was taken back is forgotten later");
        }
        Ok(forgotten.is_ok())
    }

    /// Keeps what nobody can read as a dead letter, with what came of it.
    async fn keep_raw(&self, message: GivenUp) -> Result<(), String> {
        let (letter, kinds) = (raw_letter(&self.name, message), self.settling().kinds);
        self.decide("keep-raw", move |ws| {
            let mut letter = DeadLetter { moved_at: ws.now(), ..letter.clone() };
            while let Some(there) = ws.get::<DeadLetter>(letter.id())? {
                if there.raw == letter.raw {
                    return Ok(());
                }
                letter.position += 1;
            }
            failures::bury(letter, &kinds, ws);
            Ok(())
        })
        .await
    }
}

/// A dead letter of what nobody can read; the same one each time it is made.
fn raw_letter(consumer: &str, message: GivenUp) -> DeadLetter {
    let GivenUp { kind, reason, at, headers, body, .. } = message;
    let by_time = u64::try_from(at.as_micros()).unwrap_or(0).saturating_mul(1_024);
    let event = KeptEvent {
        id: Uuid::nil(),
        source: String::new(),
        kind,
        // Of no key: it holds up nothing.
        subject: format!("unreadable/{by_time}"),
        time: at,
        correlation_id: String::new(),
        causation_id: String::new(),
        sequence: 0,
        traceparent: None,
        key_id: None,
        data: String::from_utf8_lossy(&body).into_owned(),
    };
    DeadLetter {
        consumer: consumer.to_owned(),
        position: by_time + stable_hash(&body) % 1_024,
        error_kind: ErrorKind::Undecodable,
        error: reason,
        attempts: 0,
        first_failed_at: at,
        last_failed_at: at,
        moved_at: at,
        behind: 0,
        event,
        raw: Some(RawMessage { headers, body: STANDARD.encode(&body) }),
    }
}

/// Puts a dead letter back at the head of its key, with a fresh budget; gives it, where it was there.
pub(crate) fn put_back(
    id: &str,
    by: &By,
    ws: &mut Workspace<'_>,
) -> Result<Option<Arc<DeadLetter>>, Refusal> {
    let Some(letter) = ws.get::<DeadLetter>(id)? else { return Ok(None) };
    ws.remove::<DeadLetter>(id)?;
    let due = ws.now();
    ws.overwrite(Parked {
        consumer: letter.consumer.clone(),
        position: letter.position,
        due,
        attempts: 0,
        error: None,
        first_failed_at: None,
        event: letter.event.clone(),
    });
    by.note("retry", id, "put back at the head of its key", ws);
    Ok(Some(letter))
}
