//! Everybody wants the last pieces: as many get them as there are, and whoever is served first
//! gets them first.

use a4co::seed::customers::{self, Customer};
use contracts::shared::OrderState;
use contracts::user::SegmentChanged;
use futures::future::join_all;
use kernel::{Duration, Timestamp, UserId};
use testkit::{Bought, Shelf, TestMarket, Wish};

const BUYERS: usize = 256;
const PIECES: u32 = 10;

const LAST_PIECES: &[Shelf] = &[
    Shelf { artisan: 0, sku: "CHEST", cents: 12_000, pieces: PIECES },
    Shelf { artisan: 0, sku: "HONEY", cents: 850, pieces: 50 },
];

/// What became of those whom the market told yes or no at once.
async fn ends(market: &TestMarket, bought: impl Iterator<Item = Bought>) -> Vec<OrderState> {
    let ended = [OrderState::Confirmed, OrderState::Preparing, OrderState::Cancelled, OrderState::Failed];
    join_all(bought.map(|placed| market.until_state(placed.order_id, &ended))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_256_buyers_of_the_last_10_pieces_10_get_one_and_all_are_answered() {
    let market = TestMarket::on_disk().await;
    let goods = market.sell(LAST_PIECES).await;
    let lines = [(goods.item("CHEST"), 1)];
    let wishes: Vec<Wish<'_>> =
        (0..BUYERS).map(|n| Wish::guest(format!("race/{n}"), &lines, "sandbox-card-ok")).collect();
    let answers = join_all(wishes.iter().map(|wish| market.place(wish))).await;
    let refusals = answers.iter().filter_map(|answer| answer.as_ref().err());
    for refusal in refusals {
        assert_eq!(refusal.code(), Some("out-of-stock"), "{refusal}");
    }
    let states = ends(&market, answers.into_iter().flatten()).await;
    let served = states.iter().filter(|state| is_served(**state));
    assert_eq!(served.count() as u32, PIECES);
    assert!(states.len() as u32 > PIECES, "nobody raced: {} were taken", states.len());
    let events = market.published().await;
    let confirmed = events.iter().filter(|event| event.kind == "order.confirmed.v1").count();
    assert_eq!(confirmed as u32, PIECES);
    market.finish().await;
}

/// People with an account, numbered from 0.
async fn people(market: &TestMarket, count: usize) -> Vec<Customer> {
    let tokens = market.tokens();
    let mut people = Vec::new();
    for number in 0..count {
        let name = format!("cliente{number}");
        let known = customers::registered(&market.api, &tokens, &name, number, &[]).await;
        people.push(known.expect("an account is opened"));
    }
    people
}

/// The change that makes somebody one of those who are served first.
fn preferred(customer: &Customer) -> SegmentChanged {
    SegmentChanged {
        user_id: UserId(customer.id.0),
        previous_segments: Vec::new(),
        current_segments: vec!["vip".to_owned()],
        triggers: Vec::new(),
        changed_at: Timestamp::default(),
    }
}

#[tokio::test(start_paused = true)]
async fn of_those_who_wait_together_the_preferred_are_served_before_the_others() {
    let market = TestMarket::simulated(3).await;
    let goods = market.sell(LAST_PIECES).await;
    let people = people(&market, 2 * PIECES as usize).await;
    // Those who are preferred ask last.
    let (others, first) = people.split_at(PIECES as usize);
    for customer in first {
        market.publish(preferred(customer)).await;
    }
    market.rest().await;

    // Nothing is delivered for a while, so that all requests for stock wait together.
    let world = market.world().expect("a simulated market").clone();
    world.faults(|faults| faults.fetch_fails_permille = 1_000);
    // Whoever waits for deliveries already gets one more batch: somebody's honey.
    let honey = Wish::guest("race/honey", &[(goods.item("HONEY"), 1)], "sandbox-card-ok");
    market.place(&honey).await.expect("there is honey");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let lines = [(goods.item("CHEST"), 1)];
    let mut placed = Vec::new();
    for customer in others.iter().chain(first) {
        let guest = Wish::guest(format!("race/{}", customer.id), &lines, "sandbox-card-ok");
        let wish = Wish { customer: Some(customer), ..guest };
        placed.push(market.place(&wish).await.expect("there are pieces for everybody, so far"));
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    world.faults(|faults| faults.fetch_fails_permille = 0);

    let states = ends(&market, placed.into_iter()).await;
    let (others, first) = states.split_at(PIECES as usize);
    assert!(first.iter().all(|state| is_served(*state)), "the preferred: {first:?}");
    assert!(others.iter().all(|state| !is_served(*state)), "the others: {others:?}");
    market.finish().await;
}

fn is_served(state: OrderState) -> bool {
    matches!(state, OrderState::Confirmed | OrderState::Preparing)
}
