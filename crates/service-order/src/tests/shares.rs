//! Who gets what: shares sum to the amount, to the cent, whatever was ordered.

use kernel::{ArtisanId, Currency, Money, PaymentId, ProductId, Timestamp};
use proptest::prelude::*;
use uuid::Uuid;

use super::world::{POTTER, WEAVER, delivery, item, placed};
use crate::domain::{
    Change, ChangeStatus, Details, Event, Order, Payment, Placed, State, carrier_recipient, change_shares,
    cost, order_shares,
};
use backbone::Aggregate;
use contracts::shared::{OrderItem, RecipientType};

fn order(items: Vec<OrderItem>) -> Details {
    let deliveries = vec![delivery(POTTER), delivery(WEAVER)];
    let total = cost(&items).unwrap().plus(Money::eur(1_095)).unwrap();
    let event = Event::Placed(Box::new(Placed { items, deliveries, total, ..placed(Timestamp::default()) }));
    *Order::evolve(State::default(), &event).0.unwrap()
}

fn lines() -> impl Strategy<Value = Vec<OrderItem>> {
    let line = (0u128..4, 1u32..50, 1i64..100_000);
    prop::collection::vec(line, 1..20).prop_map(|lines| {
        let lines = lines.into_iter().enumerate();
        lines
            .map(|(index, (artisan, quantity, price))| OrderItem {
                product_id: ProductId(Uuid::from_u128(0xD00 + index as u128)),
                artisan_id: ArtisanId(Uuid::from_u128(0xA1 + artisan)),
                quantity,
                unit_price: Money::eur(price),
                ..item(super::world::BOWL, 1)
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn shares_of_an_order_sum_to_its_total(items in lines()) {
        let order = order(items);
        let shares = order_shares(&order);
        let sum = Money::sum(Currency::EUR, shares.iter().map(|share| share.amount));
        prop_assert_eq!(sum, Ok(order.total));
        prop_assert!(shares.iter().all(|share| share.amount.amount > 0));
    }

    #[test]
    fn shares_of_a_change_sum_to_its_charge(before in lines(), grown in prop::collection::vec(0u32..60, 20)) {
        let items: Vec<OrderItem> = before.iter().zip(grown)
            .map(|(item, quantity)| OrderItem { quantity: quantity.max(1), ..item.clone() })
            .collect();
        let order = order(before);
        let more = cost(&items).unwrap().amount - (order.total.amount - 1_095);
        prop_assume!(more > 0);
        let change = Change {
            change_id: Uuid::nil(),
            status: ChangeStatus::Asked,
            items,
            reservation_id: Default::default(),
            payment: Payment::planned(PaymentId::default(), Money::eur(more)),
            refund_id: Default::default(),
            give_back: Money::eur(0),
            asked_by: String::new(),
            reason: None,
            asked_at: Timestamp::default(),
        };
        let shares = change_shares(&order, &change);
        let sum = Money::sum(Currency::EUR, shares.iter().map(|share| share.amount));
        prop_assert_eq!(sum, Ok(Money::eur(more)));
        prop_assert!(shares.iter().all(|share| share.amount.amount > 0));
    }
}

#[test]
fn each_artisan_gets_their_lines_and_each_carrier_its_delivery() {
    let shares = order_shares(&order(placed(Timestamp::default()).items));
    let read: Vec<_> = shares.iter().map(|s| (s.recipient_type, s.amount.amount)).collect();
    let (artisan, parcel) = (RecipientType::Artisan, RecipientType::Delivery);
    assert_eq!(read, [(artisan, 2_500), (artisan, 8_000), (parcel, 495), (parcel, 600)]);
    assert_eq!(shares[2].recipient_id.0, carrier_recipient("correos"));
    assert_ne!(carrier_recipient("correos"), carrier_recipient("seur"));
}
