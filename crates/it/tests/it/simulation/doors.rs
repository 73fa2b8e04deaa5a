//! The doors of the replicas: open where one lives.

use std::cell::RefCell;
use std::rc::Rc;

use a4co::client::{Api as _, Call, Error, Reply};
use adapter_sim::{Dice, SimWorld};
use kernel::Duration;
use testkit::TestMarket;
use tokio::sync::Notify;

/// How long somebody waits for an answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

struct Inside {
    world: SimWorld,
    markets: RefCell<Vec<Option<TestMarket>>>,
    dice: RefCell<Dice>,
    asked_to_stop: Vec<Notify>,
}

/// The replicas' doors. Clones are the same.
#[derive(Clone)]
pub(super) struct Doors(Rc<Inside>);

impl Doors {
    pub(super) fn of(world: &SimWorld, replicas: usize) -> Self {
        Self(Rc::new(Inside {
            world: world.clone(),
            markets: RefCell::new((0..replicas).map(|_| None).collect()),
            dice: RefCell::new(world.dice("doors")),
            asked_to_stop: (0..replicas).map(|_| Notify::new()).collect(),
        }))
    }

    /// A replica's market takes requests.
    pub(super) fn open(&self, replica: usize, market: TestMarket) {
        drop(self.0.markets.borrow_mut()[replica].replace(market));
    }

    /// It takes no more.
    pub(super) fn shut(&self, replica: usize) -> Option<TestMarket> {
        self.0.markets.borrow_mut()[replica].take()
    }

    /// Asks a replica to stop in order.
    pub(super) fn ask_to_stop(&self, replica: usize) {
        self.0.asked_to_stop[replica].notify_waiters();
    }

    pub(super) async fn asked_to_stop(&self, replica: usize) {
        self.0.asked_to_stop[replica].notified().await;
    }

    /// True where any door is open.
    pub(super) fn is_any_open(&self) -> bool {
        self.0.markets.borrow().iter().any(Option::is_some)
    }

    /// One of the replicas that live.
    fn any(&self) -> Option<usize> {
        let markets = self.0.markets.borrow();
        let open: Vec<usize> = (0..markets.len()).filter(|replica| markets[*replica].is_some()).collect();
        let one = self.0.dice.borrow_mut().below(open.len() as u64) as usize;
        open.get(one).copied()
    }

    /// Asks one of the replicas that live; nothing where none does.
    pub(super) async fn send(&self, call: &Call) -> Option<Result<Reply, Error>> {
        let replica = self.any()?;
        let api = self.0.markets.borrow()[replica].as_ref()?.api.clone();
        let world = self.0.world.replica(replica);
        let answered = world.within(async move { api.send(call).await.and_then(Reply::good) });
        tokio::time::timeout(ANSWER_LIMIT, answered).await.ok()
    }

    /// An operator's token.
    pub(super) fn operator(&self) -> Option<String> {
        self.0.markets.borrow().iter().flatten().next().map(TestMarket::operator)
    }
}
