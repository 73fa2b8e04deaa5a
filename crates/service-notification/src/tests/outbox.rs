//! From what is to be said to who has read it: times, wishes, expiry, batches, erasure.

use backbone::testing::Stage;
use backbone::timer::Timer;
use contracts::auth::{ChallengeIssued, ChallengeKind};
use contracts::notification::{BatchProcessed, Scheduled};
use contracts::user::Erased;
use kernel::{ChallengeId, Duration, Personal, Timestamp};

use super::{ANA, NOON, ana, created, deliver_scheduled, prefer, registered, stage, told};
use crate::domain::{Notification, Recipient, State, Tally};

const HOUR: Duration = Duration::from_secs(3_600);

fn only_message(stage: &Stage) -> Notification {
    let mut all = stage.all::<Notification>();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn points(delta: i64) -> contracts::loyalty::PointsChanged {
    contracts::loyalty::PointsChanged {
        user_id: ANA.into(),
        delta,
        balance: 10,
        reason: contracts::loyalty::ChangeReason::Welcome,
        order_id: None,
        changed_at: NOON,
    }
}

#[test]
fn a_message_is_one_event_and_one_document() {
    let (stage, _) = stage();
    stage.receive(&created()).unwrap();
    assert!(stage.all::<Notification>().is_empty(), "the event is the memory until it is taken in");
    deliver_scheduled(&stage);
    let message = only_message(&stage);
    assert_eq!((message.state, message.delivered_at), (State::Delivered, Some(stage.now())));
}

#[test]
fn a_scheduled_message_that_comes_twice_is_delivered_once() {
    let (stage, _) = stage();
    stage.receive(&created()).unwrap();
    let scheduled = stage.take::<Scheduled>();
    stage.receive(&scheduled[0]).unwrap();
    stage.receive(&scheduled[0]).unwrap();
    assert_eq!(stage.get::<Tally>(Tally::KEY).unwrap().notification_ids.len(), 1);
}

#[test]
fn an_event_that_comes_twice_names_the_same_message() {
    let (stage, _) = stage();
    let envelope = kernel::Envelope {
        id: kernel::EventId(uuid::Uuid::from_u128(0xE1)),
        source: "order".to_owned(),
        kind: "order.created.v1".to_owned(),
        subject: created().order_id.to_string(),
        time: NOON,
        correlation_id: "test".to_owned(),
        causation_id: "test".to_owned(),
        sequence: 0,
        traceparent: None,
        key_id: None,
        data: serde_json::to_vec(&created()).unwrap().into(),
    };
    stage.deliver(&envelope).unwrap();
    stage.deliver(&envelope).unwrap();
    let scheduled = deliver_scheduled(&stage);
    assert_eq!(scheduled[0].notification_id, scheduled[1].notification_id);
    only_message(&stage);
}

#[test]
fn in_quiet_hours_a_message_waits_for_their_end() {
    let (stage, _) = stage();
    prefer(&stage, true, Some("10:00-14:00")); // It is 11:00 in Spain.
    stage.receive(&created()).unwrap();
    deliver_scheduled(&stage);
    assert_eq!(only_message(&stage).state, State::Queued);
    stage.advance(2 * HOUR);
    assert_eq!(only_message(&stage).state, State::Queued);
    stage.advance(HOUR);
    assert_eq!(only_message(&stage).state, State::Delivered);
    assert_eq!(stage.get::<Recipient>(ana()).unwrap().queued, []);
}

fn challenge(expires_at: Timestamp) -> ChallengeIssued {
    ChallengeIssued {
        challenge_id: ChallengeId::default(),
        user_id: ANA.into(),
        kind: ChallengeKind::ResetPassword,
        token: "s3cret".to_owned().into(),
        expires_at,
    }
}

#[test]
fn what_is_critical_ignores_quiet_hours() {
    let (stage, _) = stage();
    prefer(&stage, true, Some("10:00-14:00"));
    stage.receive(&challenge(stage.now().plus(HOUR))).unwrap();
    assert_eq!(stage.take::<Scheduled>()[0].scheduled_for, stage.now());
}

#[test]
fn a_message_whose_channel_is_not_there_waits_until_it_is_of_no_use_and_keeps_no_secret() {
    let (stage, _) = stage();
    stage.receive(&challenge(stage.now().plus(HOUR))).unwrap();
    deliver_scheduled(&stage);
    assert_eq!(only_message(&stage).state, State::Queued);
    stage.advance(HOUR);
    let message = only_message(&stage);
    assert_eq!(message.state, State::Expired);
    assert!(!serde_json::to_string(&message).unwrap().contains("s3cret"));
    assert_eq!(stage.get::<Recipient>(ana()).unwrap().queued, []);
}

#[test]
fn news_go_to_those_who_want_them_and_what_is_due_to_everybody() {
    let (stage, _) = stage();
    assert_eq!(told(&stage, &points(5)).len(), 1);
    prefer(&stage, false, None);
    assert_eq!(told(&stage, &points(5)).len(), 0);
    assert_eq!(told(&stage, &created()).len(), 1);
}

#[test]
fn deliveries_are_told_together_when_enough_or_long_enough_have_gathered() {
    let (stage, _) = stage();
    for _ in 0..130 {
        told(&stage, &points(1));
    }
    let full = stage.take::<BatchProcessed>();
    assert_eq!((full.len(), full[0].successful, full[0].notification_ids.len()), (1, 100, 100));
    stage.advance(Duration::from_secs(11));
    let rest = stage.take::<BatchProcessed>();
    assert_eq!((rest.len(), rest[0].successful, rest[0].failed), (1, 30, 0));
    stage.advance(Duration::from_secs(60));
    assert!(stage.take::<BatchProcessed>().is_empty());
}

#[test]
fn an_expired_message_is_told_as_failed() {
    let (stage, _) = stage();
    stage.receive(&challenge(stage.now())).unwrap();
    deliver_scheduled(&stage);
    stage.advance(Duration::from_secs(11));
    let told = &stage.take::<BatchProcessed>()[0];
    assert_eq!((told.successful, told.failed, told.failures.len()), (0, 1, 1));
}

#[test]
fn an_erased_persons_queued_messages_and_addresses_are_dropped() {
    let (stage, _) = stage();
    stage.receive(&registered()).unwrap();
    deliver_scheduled(&stage);
    prefer(&stage, true, Some("10:00-14:00"));
    stage.receive(&created()).unwrap();
    deliver_scheduled(&stage);
    assert_eq!(stage.all::<Notification>().iter().filter(|m| m.state == State::Queued).count(), 1);
    stage.receive(&Erased { user_id: ANA.into(), erased_at: NOON }).unwrap();
    assert!(stage.all::<Notification>().iter().all(|message| message.state == State::Delivered));
    let left = stage.get::<Recipient>(ana()).unwrap();
    assert_eq!((left.erased, left.email), (true, Personal::Redacted));
    assert!(!stage.all::<Timer>().iter().any(|timer| timer.name == "deliver"));
}

#[test]
fn nothing_goes_to_the_erased_however_late_it_comes() {
    let (stage, _) = stage();
    stage.receive(&created()).unwrap();
    stage.receive(&Erased { user_id: ANA.into(), erased_at: NOON }).unwrap();
    deliver_scheduled(&stage);
    assert!(stage.all::<Notification>().is_empty());
    assert!(told(&stage, &points(1)).is_empty());
    stage.receive(&registered()).unwrap();
    assert!(stage.get::<Recipient>(ana()).unwrap().email.is_redacted());
}
