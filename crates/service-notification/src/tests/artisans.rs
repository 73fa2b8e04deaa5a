//! What artisans are told: their way into the market, their stock, their figures.

use contracts::artisan::{OnboardingCompleted, PerformanceEvaluated, StatusChanged, Tier, Verified};
use contracts::inventory::{PurchaseOrderCreated, StockDepleted, ThresholdReached, ThresholdType};
use contracts::shared::{ArtisanMetrics, BusinessInfo, DeliveryCapabilities};
use kernel::{Money, ProductId, PurchaseOrderId};
use uuid::Uuid;

use super::{ANA, MILL, NOON, ORDER, address, days, oil_news, said, stage, told};

fn to_mill(template: &str) -> (Uuid, String) {
    (MILL.0, template.to_owned())
}

#[test]
fn artisans_hear_of_their_stock() {
    let (stage, _) = stage();
    let product_id = ProductId(Uuid::from_u128(0x10));
    let depleted = StockDepleted {
        product_id,
        variant_id: None,
        artisan_id: MILL,
        last_order_id: Some(ORDER),
        user_id: Some(ANA.into()),
        last_quantity: 1,
        depleted_at: NOON,
    };
    assert_eq!(told(&stage, &depleted), [to_mill("stock-depleted")]);
    let reached = ThresholdReached {
        product_id,
        variant_id: None,
        current_stock: 4,
        threshold: 5,
        threshold_type: ThresholdType::Low,
        artisan_id: MILL,
        product_name: "Miel".to_owned(),
        last_restock_date: None,
        average_daily_sales: 1.5,
        estimated_stockout_date: None,
    };
    assert_eq!(told(&stage, &reached), [to_mill("stock-low")]);
    let ordered = PurchaseOrderCreated {
        purchase_order_id: PurchaseOrderId::default(),
        product_id,
        variant_id: None,
        artisan_id: MILL,
        supplier_id: kernel::SupplierId::default(),
        quantity: 50,
        expected_at: NOON,
    };
    assert_eq!(told(&stage, &ordered), [to_mill("stock-ordered")]);
}

#[test]
fn an_artisans_way_into_the_market_is_told_to_them() {
    let (stage, _) = stage();
    let info = BusinessInfo {
        business_name: "Molino".to_owned(),
        legal_name: "Molino S. L.".to_owned(),
        tax_id: "B23000001".to_owned(),
        email: "molino@example.org".to_owned(),
        phone: None,
        address: address(),
    };
    let delivery_capabilities = DeliveryCapabilities {
        shipping: true,
        pickup: false,
        own_delivery: false,
        radius_km: None,
        preparation_days: 2,
    };
    let completed = OnboardingCompleted {
        artisan_id: MILL,
        business_info: info.into(),
        certifications: Vec::new(),
        product_categories: Vec::new(),
        delivery_capabilities,
        onboarding_score: 85,
        completed_at: NOON,
    };
    assert_eq!(told(&stage, &completed), [to_mill("application-received")]);
    let verified = Verified {
        artisan_id: MILL,
        business_name: "Molino".to_owned(),
        contact_email: "molino@example.org".to_owned().into(),
        location: address(),
        specialties: Vec::new(),
        verified_by: "admin".to_owned(),
        verified_at: NOON,
    };
    assert_eq!(told(&stage, &verified), [to_mill("artisan-welcome")]);
    let changed = StatusChanged {
        artisan_id: MILL,
        previous_status: "verified".to_owned(),
        new_status: "suspended".to_owned(),
        reason: "papers".to_owned(),
        changed_at: NOON,
    };
    assert_eq!(told(&stage, &changed), [to_mill("artisan-status")]);
    let words = said(&stage, "artisan-status");
    assert!(words.contains("suspended") && words.contains("papers"), "the reason: {words}");
    assert!(words.contains("Write to the association"), "the remedy: {words}");
}

#[test]
fn an_evaluated_artisan_gets_a_report() {
    let (stage, _) = stage();
    let evaluated = PerformanceEvaluated {
        artisan_id: MILL,
        period: days(),
        metrics: ArtisanMetrics {
            orders_fulfilled: 12,
            average_rating: 4.5,
            on_time_delivery_rate: 1.0,
            customer_satisfaction_score: 4.5,
            revenue: Money::eur(100_000),
        },
        tier: Tier::Gold,
        recommendations: vec!["Go on.".to_owned()],
        evaluated_at: NOON,
    };
    assert_eq!(told(&stage, &evaluated), [to_mill("tier-report")]);
    let words = said(&stage, "tier-report");
    assert!(words.contains("gold") && words.contains("12") && words.contains("Go on."), "{words}");
}

#[test]
fn a_listed_product_is_told_to_nobody_who_does_not_follow() {
    let (stage, _) = stage();
    assert_eq!(told(&stage, &oil_news()), []);
}
