//! Many buyers for few pieces.

use contracts::inventory::{Priority, StockDepleted};

use super::scene::{CUSTOMER, Scene, item, order, reservation};
use crate::Config;
use crate::commands::{self, Asked, Verdict};
use crate::domain::Owner;

#[test]
fn of_256_buyers_of_the_last_10_pieces_exactly_10_get_one_and_everybody_is_answered() {
    let scene = Scene::with(&[10]);
    // One decision after another on the predicted state, before anything is durable: the hot path.
    let verdicts = scene
        .0
        .run(|ws| {
            let mut verdicts = Vec::new();
            for n in 0..256 {
                let asked = Asked {
                    reservation_id: reservation(n),
                    owner: Owner::Order { order_id: order(n), customer_id: Some(CUSTOMER) },
                    items: vec![(item(1), 1)],
                    expires_at: None,
                    priority: Priority::Normal,
                };
                verdicts.push(commands::reserve(ws, &Config::default(), &asked)?);
            }
            Ok(verdicts)
        })
        .unwrap();
    let served = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Reserved(_))).count();
    assert_eq!(served, 10);
    assert_eq!((scene.confirmed().len(), scene.failed().len()), (10, 246));
    assert_eq!(scene.pieces(1), (10, 10, 0));
    assert_eq!(scene.0.take::<StockDepleted>().len(), 1);
    for n in 0..10 {
        scene.confirm(n).unwrap();
    }
    assert_eq!(scene.pieces(1), (0, 0, 0));
}
