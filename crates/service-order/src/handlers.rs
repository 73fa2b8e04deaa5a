//! What this service does on public events: a line for each.

use backbone::reaction::{Reaction, on};

use crate::config::Config;

mod market;
mod payment;
mod shipping;
mod stock;

pub(crate) use market::keep_quote;
pub use market::quote_timer;

/// The list.
pub fn reactions(config: &Config) -> Vec<Reaction> {
    let config = config.clone();
    vec![
        on(stock::reservation_confirmed),
        on(stock::stock_failed),
        on(stock::stock_reserved),
        on(stock::stock_confirmed),
        on(stock::stock_released),
        on(stock::reservation_released),
        on(market::stock_depleted),
        on(market::stock_updated),
        on(market::price_changed),
        on(move |checkout, ws| market::checkout_initiated(checkout, &config, ws)),
        on(market::user_erased),
        on(payment::method_validated),
        on(payment::initiated),
        on(payment::processing_started),
        on(payment::succeeded),
        on(payment::failed),
        on(payment::refund_processed),
        on(payment::refund_failed),
        on(shipping::scheduled),
        on(shipping::dispatched),
        on(shipping::delivered),
        on(shipping::cancelled),
    ]
}
