//! Reservations: all or none, once, never beyond their time.

use contracts::inventory::{
    Priority, ReleaseReason, ReleaseRequestReason, StockDepleted, StockReleaseReason, StockReleased,
    StockReserved,
};
use contracts::shared::Shortage;
use kernel::{CartId, Duration};
use uuid::Uuid;

use super::scene::{CUSTOMER, Scene, item, minutes, order, product, reservation};
use crate::commands::{self, Asked, Verdict};
use crate::domain::Owner;
use crate::domain::reservation::{Reservation, Status};
use crate::views::ReservationView;
use crate::{Config, error};

fn status(scene: &Scene, id: u128) -> Status {
    scene.0.state::<Reservation>(reservation(id)).status
}

fn cart_hold(scene: &Scene, id: u128, items: &[(u128, u32)]) -> Verdict {
    let asked = Asked {
        reservation_id: reservation(id),
        owner: Owner::Cart { cart_id: CartId(Uuid::from_u128(9)), customer_id: None },
        items: items.iter().map(|(n, quantity)| (item(*n), *quantity)).collect(),
        expires_at: None,
        priority: Priority::Normal,
    };
    scene.0.run(|ws| commands::reserve(ws, &Config::default(), &asked)).unwrap()
}

#[test]
fn a_request_holds_all_items_and_tells_of_each() {
    let scene = Scene::with(&[30, 40]);
    scene.request(1, 1, &[(1, 2), (2, 3), (1, 1)]);
    assert_eq!((scene.pieces(1), scene.pieces(2)), ((30, 3, 27), (40, 3, 37)));
    let confirmed = scene.confirmed();
    assert_eq!(confirmed.len(), 1);
    assert_eq!((confirmed[0].reservation_id, confirmed[0].order_id), (reservation(1), order(1)));
    assert_eq!((confirmed[0].total_reserved, confirmed[0].reserved_items.len()), (6, 2));
    assert_eq!(confirmed[0].expires_at, scene.0.now().plus(minutes(15)));
    let reserved = scene.0.take::<StockReserved>();
    let told: Vec<_> = reserved.iter().map(|r| (r.quantity_reserved, r.remaining_stock)).collect();
    assert_eq!(told, [(3, 27), (3, 37)]);
    assert_eq!(scene.updates(), ["reservation", "reservation"]);
    assert_eq!(status(&scene, 1), Status::Reserved);
}

#[test]
fn a_request_that_lacks_one_item_holds_nothing_and_names_all_shortages() {
    let scene = Scene::with(&[30, 1]);
    scene.request(1, 1, &[(1, 2), (2, 3), (7, 1)]);
    assert_eq!((scene.pieces(1), scene.pieces(2)), ((30, 0, 30), (1, 0, 1)));
    let failed = scene.failed();
    assert_eq!(failed.len(), 1);
    let lacking =
        |n, requested, available| Shortage { product_id: product(n), variant_id: None, requested, available };
    assert_eq!(failed[0].shortages, [lacking(2, 3, 1), lacking(7, 1, 0)]);
    assert_eq!(failed[0].reason, error::SHORT);
    assert!(scene.confirmed().is_empty());
    assert!(scene.updates().is_empty());
    assert_eq!(status(&scene, 1), Status::Refused);
}

#[test]
fn a_request_that_comes_twice_is_answered_twice_and_holds_once() {
    let scene = Scene::with(&[30, 1]);
    scene.request(1, 1, &[(1, 2)]);
    let first = scene.confirmed();
    scene.request(1, 1, &[(1, 2)]);
    assert_eq!(scene.confirmed(), first);
    assert_eq!(scene.pieces(1), (30, 2, 28));
    scene.request(2, 2, &[(2, 2)]);
    let first = scene.failed();
    scene.request(2, 2, &[(2, 2)]);
    assert_eq!(scene.failed(), first);
}

#[test]
fn an_id_of_another_order_is_refused_and_the_asker_told() {
    let scene = Scene::with(&[30]);
    scene.request(1, 1, &[(1, 2)]);
    scene.request(1, 2, &[(1, 2)]);
    let failed = scene.failed();
    assert_eq!((failed[0].order_id, failed[0].reason.as_str()), (order(2), error::ID_TAKEN));
    assert_eq!(scene.pieces(1), (30, 2, 28));
    assert!(scene.release(1, 2).is_err());
}

#[test]
fn a_request_whose_time_is_over_or_that_names_nothing_is_refused() {
    let scene = Scene::with(&[30]);
    let mut late = scene.requested(1, 1, &[(1, 2)]);
    late.expiration_time = scene.0.now();
    scene.0.receive(&late).unwrap();
    scene.request(2, 2, &[]);
    let reasons: Vec<String> = scene.failed().into_iter().map(|failed| failed.reason).collect();
    assert_eq!(reasons, [error::TOO_LATE, error::EMPTY]);
    assert_eq!(scene.pieces(1), (30, 0, 30));
}

#[test]
fn a_release_gives_back_and_is_answered_each_time() {
    let scene = Scene::with(&[30]);
    scene.request(1, 1, &[(1, 2)]);
    scene.updates();
    scene.release_for(1, 1, ReleaseRequestReason::OrderChanged).unwrap();
    assert_eq!(scene.pieces(1), (30, 0, 30));
    let released = scene.released();
    assert_eq!(
        (released[0].reason, released[0].released_items[0].quantity),
        (ReleaseReason::OrderChanged, 2)
    );
    let stock = scene.0.take::<StockReleased>();
    assert_eq!((stock[0].quantity_released, stock[0].new_stock), (2, 30));
    assert_eq!(stock[0].reason, StockReleaseReason::ManualRelease);
    assert_eq!(scene.updates(), ["release"]);
    scene.release_for(1, 1, ReleaseRequestReason::OrderChanged).unwrap();
    assert_eq!(scene.released(), released);
    assert!(scene.0.take::<StockReleased>().is_empty());
}

#[test]
fn a_release_that_overtakes_its_request_refuses_it() {
    let scene = Scene::with(&[30]);
    scene.release(1, 1).unwrap();
    let released = scene.released();
    assert!(released[0].released_items.is_empty());
    scene.request(1, 1, &[(1, 2)]);
    assert_eq!(scene.failed()[0].reason, error::RELEASED_BEFORE);
    assert_eq!(scene.pieces(1), (30, 0, 30));
    assert_eq!(status(&scene, 1), Status::Released);
}

#[test]
fn a_refused_reservation_is_released_with_nothing_to_give_back() {
    let scene = Scene::with(&[1]);
    scene.request(1, 1, &[(1, 2)]);
    scene.release(1, 1).unwrap();
    assert!(scene.released()[0].released_items.is_empty());
    assert_eq!(scene.pieces(1), (1, 0, 1));
}

#[test]
fn a_reservation_ends_with_its_time_and_not_before() {
    let scene = Scene::with(&[30]);
    scene.request(1, 1, &[(1, 2)]);
    scene.0.advance(minutes(14));
    assert_eq!(scene.pieces(1), (30, 2, 28));
    scene.0.advance(minutes(1));
    assert_eq!(scene.pieces(1), (30, 0, 30));
    assert_eq!(scene.released()[0].reason, ReleaseReason::ReservationExpired);
    assert_eq!(scene.0.take::<StockReleased>()[0].reason, StockReleaseReason::ReservationExpired);
    scene.0.run(|ws| commands::expire(ws, reservation(1))).unwrap();
    assert!(scene.released().is_empty());
}

#[test]
fn an_extension_moves_the_end_and_never_to_an_earlier_time() {
    let scene = Scene::with(&[30]);
    scene.request(1, 1, &[(1, 2)]);
    let extend = |until| {
        let max = Duration::from_secs(24 * 60 * 60);
        scene.0.run(|ws| commands::extend(ws, reservation(1), until, max)).map(|extended| extended.expires_at)
    };
    let start = scene.0.now();
    assert_eq!(extend(start.plus(minutes(40))).unwrap(), start.plus(minutes(40)));
    assert_eq!(extend(start.plus(minutes(20))).unwrap(), start.plus(minutes(40)));
    assert!(extend(start).is_err());
    assert!(extend(start.plus(minutes(24 * 60 + 1))).is_err());
    scene.0.advance(minutes(39));
    assert_eq!(scene.pieces(1), (30, 2, 28));
    scene.0.advance(minutes(1));
    assert_eq!(scene.pieces(1), (30, 0, 30));
    assert!(extend(scene.0.now().plus(minutes(5))).is_err());
}

#[test]
fn a_timer_that_fires_early_is_set_again() {
    let scene = Scene::with(&[30]);
    scene.request(1, 1, &[(1, 2)]);
    scene.0.run(|ws| commands::expire(ws, reservation(1))).unwrap();
    assert_eq!(scene.pieces(1), (30, 2, 28));
    scene.0.advance(minutes(15));
    assert_eq!(scene.pieces(1), (30, 0, 30));
}

#[test]
fn a_cart_holds_for_thirty_minutes_and_nobody_is_told_of_its_reservation() {
    let scene = Scene::with(&[30]);
    assert_eq!(cart_hold(&scene, 1, &[(1, 2)]), Verdict::Reserved(scene.0.now().plus(minutes(30))));
    scene.0.advance(minutes(29));
    assert_eq!(scene.pieces(1), (30, 2, 28));
    scene.0.advance(minutes(1));
    assert_eq!(scene.pieces(1), (30, 0, 30));
    assert!(scene.confirmed().is_empty() && scene.released().is_empty());
    assert_eq!(scene.updates(), ["reservation", "release"]);
}

#[test]
fn a_cart_hands_its_hold_to_the_order_that_it_becomes() {
    let scene = Scene::with(&[2, 9]);
    cart_hold(&scene, 1, &[(1, 2), (2, 1)]);
    scene.request(1, 1, &[(1, 2)]);
    assert_eq!((scene.pieces(1), scene.pieces(2)), ((2, 2, 0), (9, 0, 9)));
    assert_eq!(scene.confirmed()[0].order_id, order(1));
    scene.confirm(1).unwrap();
    assert_eq!(scene.pieces(1), (0, 0, 0));
    scene.0.advance(minutes(60));
    assert_eq!(scene.pieces(1), (0, 0, 0));
}

#[test]
fn the_last_piece_is_told_with_who_took_it() {
    let scene = Scene::with(&[3]);
    scene.request(1, 1, &[(1, 3)]);
    let depleted = scene.0.take::<StockDepleted>();
    assert_eq!(depleted.len(), 1);
    assert_eq!(depleted[0].last_order_id, Some(order(1)));
    assert_eq!(depleted[0].user_id, Some(CUSTOMER.into()));
    assert_eq!(depleted[0].last_quantity, 3);
}

#[test]
fn queries_see_a_reservation_through_its_life() {
    let scene = Scene::with(&[30]);
    scene.request(1, 1, &[(1, 2)]);
    let seen = || scene.0.get::<ReservationView>(reservation(1)).unwrap();
    assert_eq!((seen().status, seen().lines[0].pieces()), (Status::Reserved, 2));
    scene.confirm(1).unwrap();
    assert_eq!((seen().status, seen().expires_at), (Status::Confirmed, None));
}

#[test]
fn vip_waits_before_high_and_high_before_normal() {
    let scene = Scene::with(&[30]);
    let module = crate::module(&scene.0.context(), Config::default());
    let name = <contracts::inventory::ReservationRequested as kernel::Event>::TYPE.name;
    let reaction = module.reactions.iter().find(|reaction| reaction.event.name == name).unwrap();
    let rank = reaction.rank.clone().unwrap();
    let ranks = [Priority::Vip, Priority::High, Priority::Normal].map(|priority| {
        let event =
            contracts::inventory::ReservationRequested { priority, ..scene.requested(1, 1, &[(1, 1)]) };
        rank(&kernel::Envelope {
            id: Uuid::nil().into(),
            source: "order".to_owned(),
            kind: name.to_owned(),
            subject: order(1).to_string(),
            time: scene.0.now(),
            correlation_id: String::new(),
            causation_id: String::new(),
            sequence: 0,
            traceparent: None,
            key_id: None,
            data: serde_json::to_vec(&event).unwrap().into(),
        })
    });
    assert!(ranks.is_sorted() && ranks[0] < ranks[1] && ranks[1] < ranks[2]);
}
