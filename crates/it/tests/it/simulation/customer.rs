//! Somebody who buys, whatever happens to the market meanwhile.

use a4co::checkout::Placed;
use a4co::client::{Call, Error};
use http::StatusCode;
use kernel::{Duration, OrderId};
use testkit::{Goods, Wish, answer_bank, call_off};

use super::doors::Doors;
use super::plan::Planned;

/// How long a customer tries to get any answer.
const PATIENCE: Duration = Duration::from_secs(900);
/// How soon they try again.
const AGAIN: Duration = Duration::from_millis(700);

/// What the market answered to an order.
#[derive(Clone, Debug)]
pub(super) enum Told {
    /// It was taken.
    Taken(OrderId),
    /// It was refused, with a code.
    Refused(String),
}

pub(super) struct Customer<'a> {
    pub(super) doors: Doors,
    pub(super) goods: &'a Goods,
    pub(super) planned: Planned,
}

impl Customer<'_> {
    fn wish(&self) -> Wish<'static> {
        let lines = self.planned.lines.iter().map(|(sku, pieces)| (self.goods.item(sku), *pieces));
        let lines: Vec<_> = lines.collect();
        Wish::guest(format!("order/{}", self.planned.number), &lines, self.planned.method)
    }

    /// Makes a call until somebody answers: whoever asks does not know whether it was done.
    async fn ask(&self, call: &Call) -> Result<a4co::client::Reply, Error> {
        let begun = tokio::time::Instant::now();
        loop {
            match self.doors.send(call).await {
                Some(Ok(reply)) => return Ok(reply),
                Some(Err(error)) if is_final(&error) => return Err(error),
                Some(Err(_)) | None => {}
            }
            assert!(begun.elapsed() < PATIENCE, "{} was never answered", call.name());
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Buys, and does what the plan says.
    pub(super) async fn buy(self) -> Told {
        tokio::time::sleep(self.planned.at).await;
        let wish = self.wish();
        let placed: Placed = match self.ask(&wish.call()).await {
            Ok(reply) => reply.read().expect("an order that was taken has an id"),
            Err(error) => return Told::Refused(error.code().unwrap_or_default().to_owned()),
        };
        if self.planned.sent_again {
            let again: Placed = self.ask(&wish.call()).await.expect("the same answer").read().expect("an id");
            assert_eq!(again.order_id, placed.order_id, "one key is one order");
        }
        let bank = self.answer_bank(&wish, &placed);
        let call_off = self.call_off(&wish, &placed);
        futures::future::join(bank, call_off).await;
        Told::Taken(placed.order_id)
    }

    async fn answer_bank(&self, wish: &Wish<'_>, placed: &Placed) {
        let (Some(agrees), "sandbox-card-3ds") = (self.planned.bank, self.planned.method) else { return };
        let path = format!("/api/payments?orderId={}", placed.order_id);
        // The bank may never ask: out of stock, called off.
        for _ in 0..40 {
            if let Some(operator) = self.doors.operator() {
                let Ok(reply) = self.ask(&Call::get(path.as_str()).by(&operator)).await else { return };
                let payments: serde_json::Value = reply.read().expect("payments are JSON");
                let asks = |payment: &&serde_json::Value| payment["status"] == "awaiting-customer";
                if let Some(payment) = payments.as_array().and_then(|payments| payments.iter().find(asks)) {
                    // A no is an answer: the customer may be too late.
                    drop(self.ask(&wish.act(placed, answer_bank(payment, agrees))).await);
                    return;
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn call_off(&self, wish: &Wish<'_>, placed: &Placed) {
        let Some(after) = self.planned.called_off_after else { return };
        tokio::time::sleep(after).await;
        // A no is an answer: it may have ended.
        drop(self.ask(&wish.act(placed, call_off(placed.order_id))).await);
    }
}

/// Whether asking again would change nothing.
fn is_final(error: &Error) -> bool {
    error.status().is_some_and(|status| {
        status.is_client_error()
            && !matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
    })
}
