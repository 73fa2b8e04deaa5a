//! What prices and stock that changed mean for quotes and pending orders.

use contracts::cart::CheckoutInitiated;
use contracts::inventory::{StockDepleted, StockUpdated};
use contracts::product::PriceChanged;
use kernel::{CartId, Money, Timestamp};
use uuid::Uuid;

use super::world::{BOWL, CUSTOMER, POTTER, RUG, World, item};
use crate::views::{Offer, Quote, Shopper, mark, offer_id};

pub(super) const CART: CartId = CartId(Uuid::from_u128(0xCA));

pub(super) fn check_out(world: &World) -> Quote {
    world.hear(&CheckoutInitiated {
        cart_id: CART,
        customer_id: CUSTOMER,
        items: vec![item(BOWL, 2), item(RUG, 1)],
        total: Money::eur(10_500),
        initiated_at: world.stage.now(),
    });
    world.stage.get::<Quote>(CART).expect("a quote is prepared")
}

fn updated(world: &World, available: u32, at: Timestamp) {
    world.hear(&StockUpdated {
        product_id: BOWL,
        variant_id: None,
        previous_quantity: 9,
        quantity: available,
        reserved: 0,
        available,
        cause: "count".into(),
        updated_at: at,
    });
}

fn offers(world: &World) -> Vec<Offer> {
    world.stage.all::<Offer>()
}

#[test]
fn a_price_that_changed_makes_open_quotes_stale_and_leaves_orders_alone() {
    let world = World::new();
    world.place();
    let quote = check_out(&world);
    assert!(!quote.is_stale(&offers(&world)));
    world.pass(1).hear(&PriceChanged {
        product_id: BOWL,
        variant_id: None,
        previous_price: Money::eur(1_250),
        price: Money::eur(1_300),
        changed_by: "potter".into(),
        changed_at: world.stage.now(),
    });
    assert!(quote.is_stale(&offers(&world)));
    assert_eq!(world.order().items[0].unit_price, Money::eur(1_250));
    let newer = check_out(&world);
    assert!(!newer.is_stale(&offers(&world)), "made after the change");
}

#[test]
fn stock_that_is_gone_marks_lines_of_pending_orders_and_of_quotes() {
    let world = World::new();
    world.place();
    let quote = check_out(&world);
    world.hear(&StockDepleted {
        product_id: BOWL,
        variant_id: None,
        artisan_id: POTTER,
        last_order_id: None,
        user_id: None,
        last_quantity: 1,
        depleted_at: world.stage.now(),
    });
    let offers = offers(&world);
    assert_eq!(quote.unavailable(&offers), [0]);
    let mut order = world.order();
    mark(&mut order, &offers);
    assert!(order.items[0].unavailable && !order.items[1].unavailable);
}

#[test]
fn lines_that_are_held_or_sold_already_are_not_marked() {
    let world = World::prepared();
    updated(&world, 0, world.stage.now());
    let mut order = world.order();
    mark(&mut order, &offers(&world));
    assert!(order.items.iter().all(|line| !line.unavailable));
}

#[test]
fn the_newest_word_on_stock_counts_whatever_the_order_of_arrival() {
    let world = World::new();
    let early = world.stage.now();
    world.pass(10);
    updated(&world, 5, world.stage.now());
    updated(&world, 0, early);
    let offer = world.stage.get::<Offer>(offer_id(BOWL, None)).unwrap();
    assert_eq!(offer.available, Some(5));
}

#[test]
fn quotes_are_dropped_a_day_after_they_end() {
    let world = World::new();
    check_out(&world);
    world.pass(15 * 60 + 86_399);
    assert!(world.stage.get::<Quote>(CART).is_some());
    world.pass(2);
    assert!(world.stage.get::<Quote>(CART).is_none());
}

#[test]
fn a_person_has_a_bounded_list_of_quotes() {
    let mut shopper = Shopper { customer_id: CUSTOMER, quotes: Vec::new() };
    (0..50).for_each(|key| shopper.remember(Uuid::from_u128(key)));
    assert_eq!(shopper.quotes.len(), 20);
    assert_eq!(shopper.quotes.last(), Some(&Uuid::from_u128(49)));
}
