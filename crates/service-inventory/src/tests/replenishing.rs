//! The replenishment saga.

use backbone::saga::{AnyInstance, Phase};
use contracts::inventory::{PurchaseOrderCreated, RestockScheduled, ThresholdReached, ThresholdType};
use kernel::{Duration, PurchaseOrderId, SupplierId, Timestamp};
use uuid::Uuid;

use super::scene::{ARTISAN, Scene, item, order};
use crate::Config;
use crate::catalogue::ArtisanSettings;
use crate::commands::{self, Delivery};
use crate::purchasing::{PurchaseOrder, PurchaseStatus, Replenishing, Supplier};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn supplier(n: u128, lead_days: u32) -> Supplier {
    Supplier {
        supplier_id: SupplierId(Uuid::from_u128(0x7000 + n)),
        artisan_id: ARTISAN,
        name: format!("supplier {n}"),
        lead_days,
        quantity_min: 1,
        quantity_max: None,
        products: Vec::new(),
        active: true,
    }
}

/// A scene with 12 pieces, where the artisan lets purchase orders be made, or not.
fn scene(auto_restock: bool, suppliers: &[Supplier]) -> Scene {
    let scene = Scene::with(&[12]);
    let settings =
        ArtisanSettings { auto_restock, ..ArtisanSettings::new(ARTISAN, Config::default().thresholds) };
    scene.0.run(|ws| commands::set_artisan_settings(ws, &settings, 0).map(drop)).unwrap();
    for supplier in suppliers {
        scene.0.run(|ws| commands::put_supplier(ws, supplier, 0).map(drop)).unwrap();
    }
    scene
}

/// Takes pieces so that a limit is crossed, and lets the saga run.
fn cross(scene: &Scene, id: u128, pieces: u32) {
    scene.request(id, id, &[(1, pieces)]);
    for reached in scene.0.take::<ThresholdReached>() {
        scene.0.receive(&reached).unwrap();
    }
    scene.0.perform_calls();
}

fn sagas(scene: &Scene) -> Vec<Phase> {
    scene.0.all::<AnyInstance>().into_iter().map(|saga| saga.phase).collect()
}

fn purchase_orders(scene: &Scene) -> Vec<PurchaseOrder> {
    scene.0.all()
}

#[test]
fn a_limit_that_is_reached_is_told_once_with_the_sales() {
    let scene = scene(false, &[]);
    scene.0.run(|ws| commands::count_demand(ws, &[(item(1), 60)], ws.now())).unwrap();
    scene.request(1, 1, &[(1, 2)]);
    let told = scene.0.take::<ThresholdReached>();
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].threshold_type, told[0].threshold, told[0].current_stock),
        (ThresholdType::Reorder, 10, 10)
    );
    assert!((told[0].average_daily_sales - 2.0).abs() < 1e-9);
    assert_eq!(told[0].estimated_stockout_date, Some(scene.0.now().plus(DAY * 5)));
    scene.request(2, 2, &[(1, 1)]);
    assert!(scene.0.take::<ThresholdReached>().is_empty());
}

#[test]
fn an_item_that_runs_low_is_ordered_from_the_quickest_supplier() {
    let scene = scene(true, &[supplier(1, 9), supplier(2, 4)]);
    scene.0.run(|ws| commands::count_demand(ws, &[(item(1), 30)], ws.now())).unwrap();
    cross(&scene, 1, 3);
    assert_eq!(sagas(&scene), [Phase::Completed]);
    let created = scene.0.take::<PurchaseOrderCreated>();
    let expected_at = scene.0.now().plus(DAY * 4);
    // A piece a day for 30 days, above the limit of 10, less the 9 that are there.
    assert_eq!((created[0].quantity, created[0].expected_at), (31, expected_at));
    assert_eq!(created[0].supplier_id, supplier(2, 4).supplier_id);
    let scheduled = scene.0.take::<RestockScheduled>();
    assert_eq!((scheduled[0].quantity, scheduled[0].scheduled_for), (31, expected_at));
    let orders = purchase_orders(&scene);
    assert_eq!((orders.len(), orders[0].status), (1, PurchaseStatus::Scheduled));
}

#[test]
fn nothing_is_ordered_where_the_artisan_orders_by_hand() {
    let scene = scene(false, &[supplier(1, 9)]);
    cross(&scene, 1, 3);
    assert_eq!(sagas(&scene), [Phase::Completed]);
    assert!(purchase_orders(&scene).is_empty());
    assert!(scene.0.take::<RestockScheduled>().is_empty());
    assert_eq!(scene.0.get::<Replenishing>(item(1)).unwrap().saga_id, None);
}

#[test]
fn an_item_that_says_so_itself_is_ordered_whatever_the_artisan_settled() {
    let scene = scene(false, &[supplier(1, 9), supplier(2, 4)]);
    let rules = scene.stock(item(1)).rules;
    let rules = crate::domain::stock::Rules {
        auto_restock: Some(true),
        reorder_quantity: Some(50),
        supplier_id: Some(supplier(1, 9).supplier_id),
        ..rules
    };
    scene.0.run(|ws| commands::set_rules(ws, item(1), rules, None).map(drop)).unwrap();
    cross(&scene, 1, 3);
    let created = scene.0.take::<PurchaseOrderCreated>();
    assert_eq!((created[0].quantity, created[0].supplier_id), (50, supplier(1, 9).supplier_id));
}

#[test]
fn without_a_supplier_nothing_is_ordered_and_the_saga_is_over() {
    let inactive = Supplier { active: false, ..supplier(1, 9) };
    let elsewhere = Supplier { products: vec![super::scene::product(9)], ..supplier(2, 1) };
    let scene = scene(true, &[inactive, elsewhere]);
    cross(&scene, 1, 3);
    assert_eq!(sagas(&scene), [Phase::Compensated]);
    assert!(purchase_orders(&scene).is_empty());
    // It may be tried again at the next limit.
    cross(&scene, 2, 5);
    assert_eq!(sagas(&scene).len(), 2);
}

#[test]
fn one_saga_runs_for_an_item_and_none_while_pieces_are_on_their_way() {
    let scene = scene(true, &[supplier(1, 9)]);
    // Through all limits at once: three events, one saga.
    scene.request(1, 1, &[(1, 11)]);
    let reached = scene.0.take::<ThresholdReached>();
    assert_eq!(reached.len(), 3);
    for reached in &reached {
        scene.0.receive(reached).unwrap();
    }
    assert_eq!(sagas(&scene), [Phase::Running]);
    scene.0.perform_calls();
    assert_eq!((sagas(&scene).len(), purchase_orders(&scene).len()), (1, 1));
    scene.release(1, 1).unwrap();
    cross(&scene, 2, 11);
    assert_eq!((sagas(&scene).len(), purchase_orders(&scene).len()), (1, 1));
    // Once they are in stock, it may run again.
    let id = purchase_orders(&scene)[0].purchase_order_id;
    scene.0.run(|ws| commands::receive(ws, id, &Delivery::default())).unwrap();
    let available = scene.pieces(1).2;
    cross(&scene, 3, available - 5);
    assert_eq!(sagas(&scene).len(), 2);
}

#[test]
fn a_crash_between_question_and_answer_orders_once() {
    let scene = scene(true, &[supplier(1, 9)]);
    scene.request(1, 1, &[(1, 3)]);
    for reached in scene.0.take::<ThresholdReached>() {
        scene.0.receive(&reached).unwrap();
    }
    scene.0.crash_and_resume();
    scene.0.perform_calls();
    scene.0.crash_and_resume();
    scene.0.perform_calls();
    assert_eq!((sagas(&scene), purchase_orders(&scene).len()), (vec![Phase::Completed], 1));
    assert_eq!(scene.0.take::<PurchaseOrderCreated>().len(), 1);
}

#[test]
fn a_saga_that_is_given_up_takes_its_purchase_order_back() {
    use crate::replenishment::{Data, Effect, Offer, Replenishment};
    use backbone::saga::Saga as _;
    let scene = scene(true, &[supplier(1, 9)]);
    let data = Data {
        item: item(1),
        artisan_id: ARTISAN,
        available: 9,
        waiting: 0,
        reorder: 10,
        reorder_quantity: 0,
        restock_days: 30,
        auto_restock: true,
        preferred: None,
        quantity: 20,
        offer: Some(Offer {
            supplier_id: supplier(1, 9).supplier_id,
            lead_days: 9,
            quantity_min: 25,
            quantity_max: Some(40),
        }),
        expected_at: Some(Timestamp::from_micros(0)),
    };
    let id = Uuid::from_u128(1);
    let perform = |effect| scene.0.run(|ws| Replenishment::effect(id, effect, &data, ws)).unwrap();
    perform(Effect::CreatePurchaseOrder);
    perform(Effect::CreatePurchaseOrder);
    assert_eq!(scene.0.take::<PurchaseOrderCreated>().len(), 1);
    perform(Effect::ScheduleRestock);
    perform(Effect::UnscheduleRestock);
    perform(Effect::CancelPurchaseOrder);
    perform(Effect::CancelPurchaseOrder);
    let order = &purchase_orders(&scene)[0];
    assert_eq!((order.quantity, order.status), (25, PurchaseStatus::Cancelled));
    assert_eq!(scene.0.get::<Replenishing>(item(1)).unwrap().purchase_order_id, None);
}

#[test]
fn pieces_of_a_purchase_order_come_in_bit_by_bit_and_no_more_than_once() {
    let scene = scene(true, &[supplier(1, 9)]);
    cross(&scene, 1, 3);
    let ordered = purchase_orders(&scene)[0].clone();
    let receive = |quantity| {
        let delivery = Delivery { quantity, ..Delivery::default() };
        scene.0.run(|ws| commands::receive(ws, ordered.purchase_order_id, &delivery))
    };
    scene.updates();
    // No sales yet: the limit of 10, less the 9 that are there.
    assert_eq!(ordered.quantity, 1);
    assert_eq!(receive(Some(4)).unwrap().status, PurchaseStatus::Received);
    assert_eq!(scene.pieces(1), (16, 3, 13));
    assert_eq!(scene.stock(item(1)).last_restock, Some(scene.0.now()));
    assert_eq!(scene.updates(), ["restock"]);
    assert!(receive(None).is_err());
    let unknown = PurchaseOrderId(order(1).0);
    assert!(scene.0.run(|ws| commands::receive(ws, unknown, &Delivery::default())).is_err());
}
