//! What the tests share: a stage with the service on it, and people with known ids.

use axum::Router;
use backbone::testing::Stage;
use contracts::notification::Scheduled;
use contracts::order::Created;
use contracts::shared::{Address, DateRange, Locale, OrderItem, UserPreferences};
use contracts::user::{PreferencesChanged, Registered};
use kernel::{
    ArtisanId, CustomerId, Event, Money, OrderId, Personal, ProductId, QuoteId, RecipientId, Timestamp,
    UserId,
};
use uuid::Uuid;

use crate::Config;
use crate::domain::{Notification, rendered, template};

mod artisans;
mod inbox;
mod outbox;
mod reactions;
mod words;

const ORDER: OrderId = OrderId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0A4C_0001));
const ANA: CustomerId = CustomerId(Uuid::from_u128(0xC1));
const MILL: ArtisanId = ArtisanId(Uuid::from_u128(0xA1));
const POTTER: ArtisanId = ArtisanId(Uuid::from_u128(0xA2));
const NOON: Timestamp = Timestamp::from_micros(1_767_610_800_000_000);

fn stage() -> (Stage, Router) {
    let stage = Stage::new("notification");
    let module = crate::module(&stage.context(), Config::default());
    let routes = module.routes.clone();
    stage.mount(module);
    let router = http_kit::testing::stand("notification", routes, stage.context().environment);
    (stage, router)
}

/// Gives the service its own scheduled messages, as the bus does; answers with them.
fn deliver_scheduled(stage: &Stage) -> Vec<Scheduled> {
    let scheduled = stage.take::<Scheduled>();
    for message in &scheduled {
        stage.receive(message).unwrap();
        let words = in_english(&message.template, &message.variables);
        assert!(!words.contains('…'), "{} lacks something: {words}", message.template);
    }
    scheduled
}

fn in_english(name: &str, variables: &Personal<contracts::Object>) -> String {
    let template = template(name).expect("every message has words");
    let text = rendered(template, Locale::En, variables);
    format!("{}. {}", text.title, text.body)
}

/// What the only message of a template says, in English.
fn said(stage: &Stage, template: &str) -> String {
    let all = stage.all::<Notification>();
    let mut found = all.iter().filter(|message| message.template == template);
    let message = found.next().expect("the message was taken in");
    assert!(found.next().is_none(), "it was said once");
    in_english(template, &message.variables)
}

/// Who is told what because of an event: recipients and templates.
fn told<E: Event>(stage: &Stage, event: &E) -> Vec<(Uuid, String)> {
    stage.receive(event).unwrap();
    let messages = deliver_scheduled(stage);
    messages.into_iter().map(|message| (message.recipient_id.0, message.template)).collect()
}

fn address() -> Address {
    Address {
        recipient: "Ana Ruiz".to_owned(),
        line1: "Calle Nueva 3".to_owned(),
        line2: None,
        city: "Jaén".to_owned(),
        province: "Jaén".to_owned(),
        postal_code: "23001".to_owned(),
        country: "ES".to_owned(),
        latitude: None,
        longitude: None,
        phone: None,
    }
}

fn item(artisan_id: ArtisanId) -> OrderItem {
    OrderItem {
        product_id: ProductId(Uuid::from_u128(0x10)),
        variant_id: None,
        artisan_id,
        name: "Miel".to_owned(),
        category: "miel".to_owned(),
        quantity: 2,
        unit_price: Money::eur(850),
        vat_rate: 1_000,
    }
}

fn days() -> DateRange {
    DateRange { from: NOON, to: NOON }
}

/// Ana orders from the mill and the potter.
fn created() -> Created {
    Created {
        order_id: ORDER,
        customer_id: ANA,
        items: vec![item(MILL), item(POTTER), item(MILL)],
        quote_id: QuoteId::default(),
        total_amount: Money::eur(5_100),
        delivery_address: address().into(),
        estimated_delivery: days(),
        created_at: NOON,
    }
}

fn preferences(notifications: bool, quiet_hours: Option<&str>) -> UserPreferences {
    UserPreferences {
        notifications,
        newsletter: false,
        product_categories: Vec::new(),
        delivery_radius_km: 50.0,
        locale: Locale::En,
        quiet_hours: quiet_hours.map(str::to_owned),
    }
}

fn registered() -> Registered {
    Registered {
        user_id: ANA.into(),
        email: "ana@example.org".to_owned().into(),
        first_name: "Ana".to_owned().into(),
        last_name: "Ruiz".to_owned().into(),
        location: None,
        preferences: preferences(true, None),
        registered_at: NOON,
    }
}

/// Ana wants this from now on.
fn prefer(stage: &Stage, notifications: bool, quiet_hours: Option<&str>) {
    let preferences = preferences(notifications, quiet_hours);
    let user_id: UserId = ANA.into();
    stage.receive(&PreferencesChanged { user_id, preferences, updated_at: NOON }).unwrap();
}

fn ana() -> RecipientId {
    RecipientId(ANA.0)
}

/// The mill lists something new.
fn oil_news() -> contracts::artisan::ProductListed {
    contracts::artisan::ProductListed {
        product_id: ProductId(Uuid::from_u128(0x20)),
        artisan_id: MILL,
        product_name: "Aceite temprano".to_owned(),
        category: "aceite".to_owned(),
        price: Money::eur(1_100),
        initial_stock: 20,
        variants: Vec::new(),
        listed_at: NOON,
    }
}
