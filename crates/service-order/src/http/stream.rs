//! `GET /api/orders/{id}/stream`: each version of an order as it comes, as server-sent events.

use std::convert::Infallible;
use std::pin::pin;

use axum::extract::State;
use axum::response::sse::{Event, Sse};
use backbone::ephemeral::Listener;
use contracts::shared::OrderState;
use futures::future::select;
use futures::stream::{self, Stream};
use http::HeaderMap;
use http_kit::{CallerIs, Problem, UrlPath};
use kernel::{Duration, OrderId};

use super::Desk;
use super::read::{OrderAnswer, shown};
use crate::config::minutes;
use crate::domain::{Details, FINAL_STATES};

/// How often the order is looked at, at least: a hint that it was written, on whichever replica, is
/// followed at once.
const POLL: Duration = Duration::from_millis(500);
/// Something is sent at least so often, in polls: proxies close what is silent.
const SILENCE_POLLS_MAX: u32 = 30;

/// Where a stream stands.
struct Follower {
    desk: Desk,
    id: OrderId,
    news: Listener,
    seen: u64,
    polls_left: u32,
    over: bool,
}

pub(super) async fn follow(
    State(desk): State<Desk>,
    CallerIs(caller): CallerIs,
    headers: HeaderMap,
    UrlPath(id): UrlPath<OrderId>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    desk.order(id, &caller, &headers).await?;
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    let polls = minutes(desk.config.stream_minutes).as_millis() / POLL.as_millis();
    let follower = Follower {
        news: desk.context.listen::<Details>(id),
        desk,
        id,
        seen: seen.unwrap_or(0),
        polls_left: u32::try_from(polls).unwrap_or(u32::MAX),
        over: false,
    };
    Ok(Sse::new(stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((Ok(event), follower))
    })))
}

impl Follower {
    /// The next event; none when the order has ended or the stream has lasted long enough:
    /// clients that want more reconnect with the id of the last event.
    async fn next(&mut self) -> Option<Event> {
        if self.over {
            return None;
        }
        for _ in 0..SILENCE_POLLS_MAX {
            self.polls_left = self.polls_left.checked_sub(1)?;
            let order = self.desk.context.get::<Details>(self.id).await.ok()??.document;
            if order.version > self.seen {
                return self.tell(order);
            }
            let pause = self.desk.context.environment.clock.sleep(POLL);
            select(pin!(self.news.heard()), pause).await;
        }
        Some(Event::default().comment("nothing new"))
    }

    fn tell(&mut self, order: Details) -> Option<Event> {
        self.seen = order.version;
        self.over = FINAL_STATES.contains(&order.state) || order.state == OrderState::Delivered;
        let event = Event::default().id(order.version.to_string()).event("order");
        event.json_data(OrderAnswer { order: shown(order), history: None }).ok()
    }
}
