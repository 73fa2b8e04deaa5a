//! Who gets what of a payment: gross shares, one an artisan and one a delivery, which sum to the
//! amount exactly. Payment takes its commission out of them.

use contracts::shared::{RecipientType, SplitShare};
use kernel::{ArtisanId, Money};

use super::details::Details;
use super::parts::{Change, carrier_recipient, cost};

/// The shares of an order's payment.
pub fn order_shares(order: &Details) -> Vec<SplitShare> {
    let mut shares: Vec<SplitShare> = Vec::new();
    for artisan in order.artisans() {
        let lines = order.items.iter().filter(|line| line.artisan_id == artisan);
        let items: Vec<_> = lines.map(|line| line.item(line.quantity)).collect();
        shares.push(to_artisan(artisan, cost(&items).unwrap_or(Money::zero(order.total.currency))));
    }
    for delivery in order.deliveries.iter().filter(|delivery| !delivery.price.is_zero()) {
        shares.push(SplitShare {
            recipient_id: carrier_recipient(&delivery.carrier).into(),
            recipient_type: RecipientType::Delivery,
            amount: delivery.price,
        });
    }
    shares
}

/// The shares of the charge of a change: in proportion to what each artisan sells more.
pub fn change_shares(order: &Details, change: &Change) -> Vec<SplitShare> {
    let artisans = order.artisans();
    let more = |artisan: &ArtisanId| {
        let now: Vec<_> = change.items.iter().filter(|item| item.artisan_id == *artisan).cloned().collect();
        let lines = order.items.iter().filter(|line| line.artisan_id == *artisan);
        let before: Vec<_> = lines.map(|line| line.item(line.quantity)).collect();
        let worth = |items: &[_]| cost(items).map_or(0, |cost| cost.amount);
        u64::try_from(worth(&now) - worth(&before)).unwrap_or(0)
    };
    let weights: Vec<u64> = artisans.iter().map(more).collect();
    let parts = change.payment.amount.allocate(&weights);
    let shares = artisans.into_iter().zip(parts).filter(|(_, amount)| !amount.is_zero());
    shares.map(|(artisan, amount)| to_artisan(artisan, amount)).collect()
}

fn to_artisan(artisan: ArtisanId, amount: Money) -> SplitShare {
    SplitShare { recipient_id: artisan.0.into(), recipient_type: RecipientType::Artisan, amount }
}
