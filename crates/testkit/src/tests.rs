//! The market of a test is a market, on both grounds.

use contracts::shared::OrderState;

use crate::orders::{answer_bank, call_off};
use crate::{Shelf, TestMarket, Wish};

async fn sells_and_comes_to_rest(market: TestMarket) {
    let goods = market.sell(Shelf::USUAL).await;
    let basket = [(goods.item("HONEY"), 2), (goods.item("OIL"), 1)];
    let good = market.place(&Wish::guest("good", &basket, "sandbox-card-ok")).await.unwrap();
    let declined = market.place(&Wish::guest("declined", &basket, "sandbox-card-declined")).await.unwrap();
    let asking = Wish::guest("asking", &basket, "sandbox-card-3ds");
    let asked = market.place(&asking).await.unwrap();
    let payment = market.until_bank_asks(asked.order_id).await;
    market.act(&asking, &asked, answer_bank(&payment, true)).await.unwrap();

    market.until_state(good.order_id, &[OrderState::Preparing]).await;
    market.until_phase(good.order_id, "completed").await;
    market.until_state(declined.order_id, &[OrderState::Cancelled]).await;
    market.until_state(asked.order_id, &[OrderState::Preparing]).await;

    market.act(&asking, &asked, call_off(asked.order_id)).await.unwrap();
    market.until_state(asked.order_id, &[OrderState::Cancelled]).await;

    let created = market.published().await.iter().filter(|event| event.kind == "order.created.v1").count();
    assert_eq!(created, 3);
    assert!(market.dead_letters().await.is_empty());
    market.finish().await;
}

#[tokio::test(start_paused = true)]
async fn in_a_simulated_world() {
    sells_and_comes_to_rest(TestMarket::simulated(1).await).await;
}

#[tokio::test]
async fn on_disk() {
    sells_and_comes_to_rest(TestMarket::on_disk().await).await;
}
