//! A broker that lost its storage: its streams are made again with the consumers that are declared
//! here, before anything is published, and whoever asks is told what was lost. Each process finds
//! out by itself, by when a stream says that it was made.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_nats::jetstream::Context;
use backbone::bus::{Error, Lost};
use tokio::sync::watch;

use crate::bus::{Inner, now};
use crate::connection::Connection;
use crate::durable::{self, Place};
use crate::error::{StartError, unavailable};
use crate::options::Options;
use crate::streams;

const MAKING: &str = "making streams anew";

#[derive(Default)]
struct Inside {
    /// When each stream was made, in nanoseconds.
    made: BTreeMap<&'static str, i128>,
    lost: Vec<Lost>,
    declared: Vec<Place>,
}

/// What is known of the broker's storage.
#[derive(Default)]
pub(crate) struct Losses {
    inside: Mutex<Inside>,
    /// Streams are made again by one at a time.
    turn: tokio::sync::Mutex<()>,
}

impl Losses {
    /// At the start: streams that are made now were never there.
    pub(crate) async fn begin(server: &Context, options: &Options) -> Result<Self, StartError> {
        streams::ensure(server, options).await?;
        let losses = Self::default();
        losses.lock().made = made(server, options).await;
        Ok(losses)
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was lost since the start.
    pub(crate) fn lost(&self) -> Vec<Lost> {
        self.lock().lost.clone()
    }

    /// These consumers are made again with their streams.
    pub(crate) fn declare(&self, places: impl IntoIterator<Item = Place>) {
        let mut inside = self.lock();
        for place in places {
            if inside.declared.iter().all(|known| known.durable != place.durable) {
                inside.declared.push(place);
            }
        }
    }

    /// Makes again what is gone, and takes note of what was made again elsewhere.
    pub(crate) async fn mend(&self, server: &Context, options: &Options) -> Result<(), Error> {
        let _turn = self.turn.lock().await;
        streams::ensure(server, options).await.map_err(|error| unavailable(MAKING, error))?;
        let found = made(server, options).await;
        let declared = {
            let mut inside = self.lock();
            let mut contexts = Vec::new();
            for spec in &options.streams {
                let (before, found) = (inside.made.get(spec.name), found.get(spec.name));
                if let (Some(before), Some(found)) = (before, found)
                    && before != found
                {
                    contexts.push(spec.context);
                }
            }
            inside.made.extend(found);
            if contexts.is_empty() {
                return Ok(());
            }
            tracing::error!(
                ?contexts,
                "the broker lost its storage: streams were made anew; publish again what they held \
                 (a4co republish)"
            );
            let lost = contexts.iter().map(|context| Lost { context: (*context).to_owned(), at: now() });
            inside.lost.extend(lost);
            inside.declared.clone()
        };
        for place in &declared {
            durable::make_sure(server, options, place).await?;
        }
        Ok(())
    }
}

/// When the streams were made that are there.
async fn made(server: &Context, options: &Options) -> BTreeMap<&'static str, i128> {
    let mut made = BTreeMap::new();
    for spec in &options.streams {
        // One that cannot be asked for is looked at the next time.
        if let Ok(stream) = server.get_stream(spec.name).await {
            made.insert(spec.name, stream.cached_info().created.unix_timestamp_nanos());
        }
    }
    made
}

/// Looks whenever the connection has come up again: a server that was started anew may have begun
/// with nothing. Ends with the bus.
pub(crate) async fn watch(bus: Weak<Inner>, mut connection: watch::Receiver<Connection>) {
    let mut seen = connection.borrow().ups;
    loop {
        match connection.wait_for(|state| state.is_up && state.ups > seen).await {
            Ok(state) => seen = state.ups,
            Err(_) => return,
        }
        let Some(inner) = bus.upgrade() else { return };
        look(&inner).await;
    }
}

async fn look(inner: &Arc<Inner>) {
    if let Err(error) = inner.losses.mend(&inner.server, &inner.options).await {
        // Whoever publishes or opens a consumer tries again.
        tracing::warn!(%error, "the streams cannot be looked at");
    }
}
