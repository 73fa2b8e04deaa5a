//! Customers who place orders for as long as the faults last. Each order has its key: where the
//! market says nothing, the customer asks again with the same key until it does.

use std::sync::Arc;
use std::time::Duration;

use a4co::client::{Api, Call, Socket};
use a4co::dice::Dice;
use a4co::stock::Item;
use a4co::{seed, stock};
use anyhow::Context as _;
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::fleet::Fleet;
use crate::ledger::Ledger;

/// How many products are bought; the last few of them are scarce.
const PRODUCTS: usize = 24;
const SCARCE: usize = 4;
/// Pieces of what is not scarce, and of what is.
const PIECES: [u32; 2] = [1_000_000, 25];
/// The pause between two orders of a customer, in milliseconds.
const THINKS_MS: (u64, u64) = (50, 450);
/// The pause before an unanswered order is sent again.
const ASKS_AGAIN: Duration = Duration::from_millis(500);
/// How long a customer waits for an answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// How often an order is sent again once the faults are over, before that is a finding.
const LAST_TRIES: u32 = 240;

/// How orders are paid: what goes well more often than what does not.
const METHODS: &[(u64, &str)] = &[
    (60, "sandbox-card-ok"),
    (12, "sandbox-card-declined"),
    (10, "sandbox-card-retry-1"),
    (6, "sandbox-card-timeout"),
    (6, "sandbox-card-slow"),
    (6, "sandbox-bizum-600000001"),
];

/// What is bought.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// The same seed buys the same.
    pub seed: u64,
    /// How many customers at a time.
    pub customers: u64,
}

/// Counts the stock of what is bought.
pub async fn stock_up(fleet: &Fleet) -> anyhow::Result<()> {
    let api = fleet.api()?;
    let token = (fleet.tokens())(backbone::route::Role::Admin, seed::operator());
    let products: Vec<_> = seed::example_products().into_iter().take(PRODUCTS).collect();
    let counts = products.iter().enumerate().map(|(n, product)| {
        let pieces = PIECES[usize::from(n + SCARCE >= PRODUCTS)];
        let item = Item { product_id: *product, variant_id: None };
        let (api, token) = (&api, &token);
        async move { stock::count(&**api, token, &item, pieces).await }
    });
    let counted: Vec<_> = futures::stream::iter(counts).buffer_unordered(4).collect().await;
    counted.into_iter().collect::<Result<Vec<()>, _>>().context("counting the stock")?;
    Ok(())
}

/// Buys until told to stop, and then until every order is answered.
pub async fn run(load: Load, api: Arc<Socket>, ledger: Arc<Ledger>, over: watch::Receiver<bool>) {
    let customers = (0..load.customers).map(|customer| {
        let (api, ledger, over) = (api.clone(), ledger.clone(), over.clone());
        tokio::spawn(async move { buy(load.seed, customer, &api, &ledger, over).await })
    });
    for customer in customers.collect::<Vec<_>>() {
        if let Err(error) = customer.await {
            ledger.find(format!("a customer did not come through: {error}"));
        }
    }
}

async fn buy(seed: u64, customer: u64, api: &Socket, ledger: &Ledger, over: watch::Receiver<bool>) {
    let mut dice = Dice::nth(seed, customer);
    for number in 0_u64.. {
        if *over.borrow() {
            return;
        }
        let key = format!("faults-{seed}-{customer}-{number}");
        let call = Call::post("/api/orders").key(&key).json(&order(&mut dice));
        answered(&key, &call, api, ledger, &over).await;
        tokio::time::sleep(Duration::from_millis(dice.between(THINKS_MS.0, THINKS_MS.1))).await;
    }
}

/// Sends an order until the market says yes or no.
async fn answered(key: &str, call: &Call, api: &Socket, ledger: &Ledger, over: &watch::Receiver<bool>) {
    let mut last_tries = 0;
    loop {
        let sent = tokio::time::timeout(ANSWER_LIMIT, api.send(call)).await;
        let error = match sent.map(|sent| sent.and_then(|reply| reply.read::<Value>())) {
            Ok(Ok(placed)) => match placed["orderId"].as_str() {
                Some(order) => return ledger.acknowledge(key, order),
                None => return ledger.find(format!("{key} was answered without an order: {placed}")),
            },
            Ok(Err(error)) if !error.is_passing() => {
                return ledger.refuse(error.code().unwrap_or("without a reason"));
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer in {} s", ANSWER_LIMIT.as_secs()),
        };
        ledger.silence();
        if *over.borrow() {
            last_tries += 1;
        }
        if last_tries > LAST_TRIES {
            return ledger.find(format!("{key} is never answered: {error}"));
        }
        tokio::time::sleep(ASKS_AGAIN).await;
    }
}

fn order(dice: &mut Dice) -> Value {
    let products = seed::example_products();
    let products = &products[..PRODUCTS.min(products.len())];
    let lines = dice.different(dice.clone().between(1, 3) as usize, products.len());
    let items: Vec<Value> = lines
        .into_iter()
        .map(|line| json!({"productId": products[line], "quantity": dice.between(1, 2)}))
        .collect();
    json!({
        "guest": {"name": "Ana Ruiz", "email": "ana@example.org"},
        "items": items,
        "deliveryAddress": {
            "recipient": "Ana Ruiz", "line1": "Calle Real 1", "city": "Úbeda", "province": "Jaén",
            "postalCode": "23400", "country": "ES",
        },
        "paymentMethodId": dice.weighted(METHODS),
    })
}
