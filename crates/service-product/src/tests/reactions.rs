//! One test for each row of the catalogue in reactions.md.

use backbone::testing::Stage;
use contracts::artisan::{PerformanceEvaluated, StatusChanged, Tier, Verified};
use contracts::inventory::{
    RestockScheduled, StockDepleted, StockReleaseReason, StockReleased, StockUpdated,
};
use contracts::product::Status;
use contracts::shared::{Address, ArtisanMetrics, DateRange, Locale, UserPreferences};
use contracts::user::{PreferencesChanged, SegmentChanged};
use kernel::{
    ArtisanId, Duration, Money, OrderId, ProductId, PurchaseOrderId, ReservationId, Timestamp, UserId,
};
use uuid::Uuid;

use super::{LARGE, MILL, NOON, OIL, SMALL, oil_listed, stage};
use crate::commands::SPREAD_STEP;
use crate::domain::{Availability, Product, Ranking, VariantAvailability};

fn listed() -> Stage {
    let (stage, _) = stage();
    stage.receive(&oil_listed()).unwrap();
    stage
}

fn oil(stage: &Stage) -> Product {
    stage.get::<Product>(OIL).unwrap()
}

fn stock(stage: &Stage, variant: kernel::VariantId) -> VariantAvailability {
    let known = stage.get::<Availability>(OIL).unwrap();
    known.stock.into_iter().find(|stock| stock.variant_id == Some(variant)).unwrap()
}

fn updated(variant: kernel::VariantId, available: u32) -> StockUpdated {
    StockUpdated {
        product_id: OIL,
        variant_id: Some(variant),
        previous_quantity: 10,
        quantity: available + 1,
        reserved: 1,
        available,
        cause: "sale".to_owned(),
        updated_at: NOON,
    }
}

fn status_changed(artisan_id: ArtisanId, new_status: &str) -> StatusChanged {
    StatusChanged {
        artisan_id,
        previous_status: "verified".to_owned(),
        new_status: new_status.to_owned(),
        reason: "papers".to_owned(),
        changed_at: NOON,
    }
}

#[test]
fn a_listing_opens_an_active_product_with_its_variants() {
    let stage = listed();
    let oil = oil(&stage);
    assert_eq!((oil.status, oil.is_visible()), (Status::Active, true));
    assert_eq!(oil.variants.iter().map(|v| v.variant_id).collect::<Vec<_>>(), [SMALL, LARGE]);
    assert!(stage.published().is_empty());
}

#[test]
fn a_second_listing_of_a_product_changes_nothing() {
    let stage = listed();
    let mut again = oil_listed();
    again.price = Money::eur(1);
    stage.receive(&again).unwrap();
    assert_eq!(oil(&stage).price, Money::eur(900));
}

#[test]
fn a_suspended_artisans_products_are_hidden_until_they_may_sell_again() {
    let stage = listed();
    stage.receive(&status_changed(MILL, "suspended")).unwrap();
    assert!(!oil(&stage).is_visible());
    stage.receive(&status_changed(MILL, "reinstated")).unwrap();
    assert!(oil(&stage).is_visible());
}

#[test]
fn a_verified_artisans_products_are_shown() {
    let stage = listed();
    stage.receive(&status_changed(MILL, "suspended")).unwrap();
    let location = Address {
        recipient: "Molino".to_owned(),
        line1: "Calle Real 1".to_owned(),
        line2: None,
        city: "Úbeda".to_owned(),
        province: "Jaén".to_owned(),
        postal_code: "23400".to_owned(),
        country: "ES".to_owned(),
        latitude: None,
        longitude: None,
        phone: None,
    };
    let verified = Verified {
        artisan_id: MILL,
        business_name: "Molino".to_owned(),
        contact_email: "molino@example.org".to_owned().into(),
        location,
        specialties: Vec::new(),
        verified_by: "admin".to_owned(),
        verified_at: NOON,
    };
    stage.receive(&verified).unwrap();
    assert!(oil(&stage).is_visible());
}

#[test]
fn a_product_that_a_hidden_artisan_lists_is_hidden_too() {
    let (stage, _) = stage();
    stage.receive(&status_changed(MILL, "suspended")).unwrap();
    stage.receive(&oil_listed()).unwrap();
    assert!(!oil(&stage).is_visible());
}

#[test]
fn a_large_shop_is_hidden_in_steps_that_timers_take() {
    let (stage, _) = stage();
    let products: Vec<ProductId> =
        (0..2 * SPREAD_STEP as u128 + 5).map(|n| ProductId(Uuid::from_u128(0x1_0000 + n))).collect();
    for product_id in &products {
        let mut listing = oil_listed();
        listing.product_id = *product_id;
        stage.receive(&listing).unwrap();
    }
    stage.receive(&status_changed(MILL, "suspended")).unwrap();
    let visible = || products.iter().filter(|id| stage.get::<Product>(**id).unwrap().is_visible()).count();
    assert_eq!(visible(), SPREAD_STEP + 5);
    stage.advance(Duration::from_secs(1));
    assert_eq!(visible(), 0);
}

#[test]
fn an_evaluated_artisans_tier_is_shown_on_their_products() {
    let stage = listed();
    let evaluated = PerformanceEvaluated {
        artisan_id: MILL,
        period: DateRange { from: NOON, to: NOON },
        metrics: ArtisanMetrics {
            orders_fulfilled: 12,
            average_rating: 4.5,
            on_time_delivery_rate: 1.0,
            customer_satisfaction_score: 4.5,
            revenue: Money::eur(100_000),
        },
        tier: Tier::Gold,
        recommendations: Vec::new(),
        evaluated_at: NOON,
    };
    stage.receive(&evaluated).unwrap();
    assert_eq!(oil(&stage).tier, Some(Tier::Gold));
}

#[test]
fn updated_stock_is_what_the_product_shows() {
    let stage = listed();
    stage.receive(&updated(SMALL, 7)).unwrap();
    assert_eq!(stock(&stage, SMALL).available, 7);
}

#[test]
fn depleted_stock_shows_nothing_left() {
    let stage = listed();
    stage.receive(&updated(SMALL, 7)).unwrap();
    let depleted = StockDepleted {
        product_id: OIL,
        variant_id: Some(SMALL),
        artisan_id: MILL,
        last_order_id: None,
        user_id: None,
        last_quantity: 7,
        depleted_at: NOON,
    };
    stage.receive(&depleted).unwrap();
    assert_eq!(stock(&stage, SMALL).available, 0);
}

fn released(new_stock: u32) -> StockReleased {
    StockReleased {
        reservation_id: ReservationId::default(),
        product_id: OIL,
        variant_id: Some(SMALL),
        order_id: OrderId(Uuid::from_u128(0x0D)),
        quantity_released: 2,
        reason: StockReleaseReason::OrderCancelled,
        new_stock,
    }
}

#[test]
fn released_stock_can_be_bought_again() {
    let stage = listed();
    stage.receive(&released(9)).unwrap();
    assert_eq!(stock(&stage, SMALL).available, 9);
}

#[test]
fn an_older_word_on_stock_does_not_overrule_a_newer_one() {
    let mut known = Availability::unknown(OIL);
    let (earlier, later) = (NOON, NOON.plus(Duration::from_secs(1)));
    assert!(known.tell(Some(SMALL), 3, later));
    assert!(!known.tell(Some(SMALL), 9, earlier));
    assert_eq!(known.stock[0].available, 3);
}

#[test]
fn scheduled_stock_shows_when_a_sold_out_product_is_back() {
    let stage = listed();
    stage.receive(&updated(SMALL, 0)).unwrap();
    let back = NOON.plus(Duration::from_secs(86_400));
    let scheduled = RestockScheduled {
        purchase_order_id: PurchaseOrderId::default(),
        product_id: OIL,
        variant_id: Some(SMALL),
        quantity: 50,
        scheduled_for: back,
    };
    stage.receive(&scheduled).unwrap();
    assert_eq!(stock(&stage, SMALL).back_on, Some(back));
    stage.advance(Duration::from_secs(1));
    stage.receive(&updated(SMALL, 50)).unwrap();
    assert_eq!(stock(&stage, SMALL).back_on, None);
}

#[test]
fn preferences_and_segments_make_a_persons_ranking() {
    let (stage, _) = stage();
    let user_id = UserId(Uuid::from_u128(0xC1));
    let preferences = UserPreferences {
        notifications: true,
        newsletter: false,
        product_categories: vec!["ceramica".to_owned()],
        delivery_radius_km: 50.0,
        locale: Locale::Es,
        quiet_hours: None,
    };
    stage.receive(&PreferencesChanged { user_id, preferences, updated_at: NOON }).unwrap();
    let changed = SegmentChanged {
        user_id,
        previous_segments: Vec::new(),
        current_segments: vec!["vip".to_owned(), "cosmetica".to_owned()],
        triggers: Vec::new(),
        changed_at: Timestamp::default(),
    };
    stage.receive(&changed).unwrap();
    let ranking = stage.get::<Ranking>(user_id).unwrap();
    assert_eq!(ranking.segments.known().unwrap(), &["vip", "cosmetica"]);
    let places = ["ceramica/cuencos", "cosmetica", "ceramicas"].map(|category| ranking.place(category));
    assert_eq!(places, [0, 1, 2]);
}

#[test]
fn what_an_erased_person_liked_cannot_be_read_and_makes_no_ranking() {
    use backbone::Document;
    let user_id = UserId(Uuid::from_u128(0xC1));
    let (categories, segments) = (vec!["ceramica".to_owned()].into(), vec!["vip".to_owned()].into());
    let ranking = Ranking { user_id, categories, segments };
    assert_eq!(ranking.person(), Some(user_id.0), "encrypted with the person's own key");
    // The engine reads an erased person's fields like this.
    let mut stored = serde_json::to_value(&ranking).unwrap();
    for field in Ranking::PERSONAL {
        stored[field] = serde_json::json!({"redacted": true});
    }
    assert!(!stored.to_string().contains("ceramica") && !stored.to_string().contains("vip"));
    let unreadable: Ranking = serde_json::from_value(stored).unwrap();
    assert_eq!(unreadable.place("ceramica"), 2);
}

#[test]
fn every_event_that_names_product_as_a_consumer_has_a_reaction() {
    let stage = Stage::new("product");
    let module = crate::module(&stage.context(), crate::Config::default());
    for event in contracts::catalogue().iter().filter(|event| event.consumers.contains(&"product")) {
        let reactions = module.reactions.iter().filter(|reaction| reaction.event.name == event.name);
        assert_eq!(reactions.count(), 1, "{}", event.name);
    }
}
