//! Personal data of a whole market: nowhere in clear on disk, and *redacted* everywhere once the
//! person is erased.

use std::path::Path;

use a4co::client::{Call, ask};
use contracts::shared::OrderState;
use http::Method;
use serde_json::{Value, json};
use testkit::{Shelf, TestMarket};

const STREET: &str = "Callejón del Secreto 77";
const NAME: &str = "Casimira Oculta";
const EMAIL: &str = "casimira.oculta@example.org";

/// The files below `directory` that hold one of `texts`.
fn holding(directory: &Path, texts: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, texts));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap_or_default();
        for text in texts {
            if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                found.push(format!("{text} in {}", path.display()));
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_hundred_orders_no_address_is_on_disk_and_erasing_redacts_them_all() {
    let market = TestMarket::on_disk().await;
    let goods = market.sell(Shelf::USUAL).await;
    let item = goods.item(Shelf::USUAL[0].sku);
    let mut orders = Vec::new();
    for number in 0..100 {
        let call = Call::post("/api/orders").key(&format!("private-{number}")).json(&json!({
            "guest": {"name": NAME, "email": EMAIL},
            "items": [{"productId": item.product_id, "variantId": item.variant_id, "quantity": 1}],
            "deliveryAddress": {
                "recipient": NAME, "line1": STREET, "city": "Baeza", "province": "Jaén",
                "postalCode": "23440", "country": "ES",
            },
            "paymentMethodId": "sandbox-card-ok",
        }));
        let placed: Value = ask(&market.api, call).await.unwrap().good().unwrap().read().unwrap();
        orders.push(placed);
    }
    for placed in &orders {
        let id = placed["orderId"].as_str().unwrap().parse().unwrap();
        market.until_state(id, &[OrderState::Preparing]).await;
    }
    market.rest().await;
    assert_eq!(holding(market.directory(), &[STREET, NAME, EMAIL]), Vec::<String>::new());

    let (id, customer) = (orders[0]["orderId"].as_str().unwrap(), orders[0]["customerId"].as_str().unwrap());
    let path = format!("/api/orders/{id}");
    let parcels = format!("/api/shipments?orderId={id}");
    assert_eq!(market.look(&path).await["deliveryAddress"]["line1"], STREET);
    assert_eq!(market.look(&parcels).await[0]["address"]["line1"], STREET);
    let erase = Call::new(Method::DELETE, format!("/api/users/{customer}")).by(&market.operator());
    ask(&market.api, erase.key("erase")).await.unwrap().good().unwrap();
    market.rest().await;
    let after = market.look(&path).await;
    assert_eq!(after["deliveryAddress"], json!({"redacted": true}), "{after}");
    assert_eq!(after["total"], orders[0]["total"], "what the books need stays");
    let sent = market.look(&parcels).await;
    assert_eq!(sent[0]["address"], json!({"redacted": true}), "{sent}");
    let other = orders[1]["orderId"].as_str().unwrap();
    assert_eq!(market.look(&format!("/api/orders/{other}")).await["deliveryAddress"]["line1"], STREET);
    market.finish().await;
}
