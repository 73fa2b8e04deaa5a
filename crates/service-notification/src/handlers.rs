//! What is said on which public event: a line for each, grouped by what it is about.

use std::sync::Arc;

use backbone::reaction::Reaction;
use kernel::{Money, Timestamp};
use uuid::Uuid;

use crate::config::Config;

mod artisans;
mod orders;
mod parcels;
mod payments;
mod people;
mod shop;
mod stock;

pub use people::follow;

/// The list.
pub fn reactions(config: &Arc<Config>) -> Vec<Reaction> {
    let all = [
        orders::reactions(config),
        stock::reactions(config),
        payments::reactions(config),
        people::reactions(config),
        artisans::reactions(config),
        shop::reactions(config),
        parcels::reactions(config),
    ];
    all.into_iter().flatten().collect()
}

/// Registers what one event makes this service say: `says::<E>(config, |event, ws| messages)`.
fn says<E: kernel::Event>(
    config: &Arc<Config>,
    messages: impl Fn(
        &backbone::reaction::Received<'_, E>,
        &mut backbone::Workspace<'_>,
    ) -> Result<Vec<crate::outbox::Message>, backbone::Refusal>
    + Send
    + Sync
    + 'static,
) -> Reaction {
    let config = config.clone();
    backbone::reaction::on::<E>(move |received, ws| {
        for message in messages(received, ws)? {
            crate::outbox::say(ws, &config, received.envelope, message)?;
        }
        Ok(())
    })
}

/// An id as people can read it out: its last eight characters. (The first ones of ids that are
/// made at the same time are alike.)
fn short(id: impl Into<Uuid>) -> String {
    let text = id.into().simple().to_string();
    text[text.len() - 8..].to_uppercase()
}

/// A day: `2026-01-05`.
fn day(time: Timestamp) -> String {
    time.to_string().chars().take(10).collect()
}

/// A day and minute, UTC: `2026-01-05 10:00`.
fn minute(time: Timestamp) -> String {
    time.to_string().chars().take(16).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

fn amount(money: Money) -> String {
    money.to_string()
}
