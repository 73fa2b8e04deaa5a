//! Stock, for the artisan.

use std::sync::Arc;

use backbone::reaction::Reaction;
use contracts::inventory::{PurchaseOrderCreated, StockDepleted, ThresholdReached};

use super::{day, says, short};
use crate::config::Config;
use crate::outbox::Message;

pub(super) fn reactions(config: &Arc<Config>) -> Vec<Reaction> {
    vec![
        says::<StockDepleted>(config, |stock, _| {
            let with = [("product", short(stock.product_id))];
            Ok(vec![Message::new(stock.artisan_id, "stock-depleted", with)])
        }),
        says::<ThresholdReached>(config, |stock, _| {
            let with = [
                ("product", stock.product_name.clone()),
                ("stock", stock.current_stock.to_string()),
                ("threshold", stock.threshold.to_string()),
            ];
            Ok(vec![Message::new(stock.artisan_id, "stock-low", with)])
        }),
        says::<PurchaseOrderCreated>(config, |order, _| {
            let with = [
                ("product", short(order.product_id)),
                ("quantity", order.quantity.to_string()),
                ("expected", day(order.expected_at)),
            ];
            Ok(vec![Message::new(order.artisan_id, "stock-ordered", with)])
        }),
    ]
}
