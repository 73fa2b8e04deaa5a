use serde::{Deserialize, Serialize};
use serde_json::json;

use super::*;
use crate::commit::{Snapshot, StoredEvent};

#[derive(Clone, Serialize, Deserialize)]
struct Tally(u64);

const TALLIES: Collection = Collection { name: "tallies", columns: &[], children: &[] };

impl Document for Tally {
    const COLLECTION: &'static Collection = &TALLIES;

    fn id(&self) -> String {
        "only".to_owned()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        Vec::new()
    }
}

/// A store in which the tally stands at version 4.
struct Store;

impl States for Store {
    fn get(&self, _: &Key) -> Option<Slot> {
        Some(Slot { version: 4, state: Arc::new(Some(Tally(10))) })
    }
}

struct NoIds;

impl Ids for NoIds {
    fn uuid(&self) -> Uuid {
        Uuid::nil()
    }

    fn random(&self) -> u64 {
        0
    }
}

fn count(ws: &mut Workspace<'_>) {
    let tally = ws.get::<Tally>("only").unwrap().unwrap();
    ws.put(Tally(tally.0 + 1)).unwrap();
}

#[test]
fn a_document_that_several_parts_of_a_commit_change_is_one_version_newer() {
    let mut ws = Workspace::new(&Store, &NoIds, Timestamp::default(), Origin::default());
    for _ in 0..3 {
        let mut part = ws.nested(Origin::default());
        count(&mut part);
        count(&mut part);
        let draft = part.into_draft();
        ws.absorb(draft);
    }
    let draft = ws.into_draft();
    let change = &draft.changes[&Key::document::<Tally>("only")];
    assert_eq!((change.base, change.slot.version), (Some(4), 5));
    let tally = downcast::<Option<Tally>>(change.slot.state.clone()).unwrap();
    assert_eq!(tally.as_ref().as_ref().map(|tally| tally.0), Some(16));
}

#[test]
fn a_document_that_is_gone_has_no_version_and_one_put_in_its_place_is_the_next() {
    let mut ws = Workspace::new(&Store, &NoIds, Timestamp::default(), Origin::default());
    let version = |ws: &Workspace<'_>| ws.draft.changes[&Key::document::<Tally>("only")].slot.version;
    ws.remove::<Tally>("only").unwrap();
    assert_eq!(version(&ws), 0, "what the store will say of it");
    let mut part = ws.nested(Origin::default());
    part.put(Tally(1)).unwrap();
    let draft = part.into_draft();
    ws.absorb(draft);
    assert_eq!(version(&ws), 5, "written over the version that the store has");
}

/// A meter whose readings were text, then a number, and carry a unit now.
enum Meter {}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Total {
    sum: u64,
}

#[derive(Clone, Serialize, Deserialize)]
struct Reading {
    amount: u64,
    unit: String,
}

impl Aggregate for Meter {
    const NAME: &'static str = "meter";
    const SCHEMA: u32 = 3;
    const SNAPSHOT_EVERY: u64 = 2;

    type State = Total;
    type Event = Reading;
    type Command = u64;
    type View = Tally;

    fn decide(_: &Total, amount: u64) -> Result<Vec<Reading>, crate::Rejection> {
        Ok(vec![Reading { amount, unit: "litre".to_owned() }])
    }

    fn evolve(state: Total, event: &Reading) -> Total {
        Total { sum: state.sum + event.amount }
    }

    fn event_name(_: &Reading) -> &'static str {
        "read"
    }

    fn announce(_: &Total, _: &Reading, _: &mut Announcements) {}

    fn view(_: &str, _: &Total) -> Option<Tally> {
        None
    }

    fn lift(_: &str, schema: u32, mut data: Value) -> Value {
        match schema {
            1 => data["amount"] = data["amount"].as_str().and_then(|text| text.parse::<u64>().ok()).into(),
            _ => data["unit"] = "litre".into(),
        }
        data
    }
}

fn reading(version: u64, schema: u32, data: Value) -> StoredEvent {
    StoredEvent {
        version,
        name: "read".to_owned(),
        schema,
        at: Timestamp::default(),
        correlation_id: String::new(),
        causation_id: String::new(),
        person: None,
        data: data.to_string().into(),
    }
}

/// A snapshot that this program writes, of two readings that sum to 30.
fn snapshot() -> Snapshot {
    let state = Arc::new(Total { sum: 30 });
    let draft = |version| DraftEvent {
        version,
        name: "read",
        schema: 3,
        person: None,
        payload: Payload::Plain(Default::default()),
        origin: Arc::default(),
    };
    let events = vec![draft(1), draft(2)];
    let change = Change { base: Some(0), slot: Slot { version: 2, state }, events };
    let (version, schema, person, payload) =
        AggregateKind::<Meter>::kind().write("m", &change).snapshot.expect("every second event");
    let Payload::Plain(data) = payload else { panic!("nothing of a meter is personal") };
    Snapshot { version, schema, person, data }
}

fn restored(snapshot: Option<Snapshot>, events: Vec<StoredEvent>) -> Result<(u64, u64), Unrestored> {
    let slot = AggregateKind::<Meter>::kind().restore(Stored::Stream { snapshot, events })?;
    Ok((slot.version, slot.state.downcast_ref::<Total>().unwrap().sum))
}

#[test]
fn a_stream_is_restored_from_its_snapshot_and_what_came_after_it() {
    let later = reading(3, 3, json!({"amount": 5, "unit": "litre"}));
    assert_eq!(restored(Some(snapshot()), vec![later]).unwrap(), (3, 35));
}

#[test]
fn a_snapshot_of_another_shape_is_replayed_and_not_read() {
    let of_another_shape = || Some(Snapshot { schema: snapshot().schema ^ 1, ..snapshot() });
    let later = reading(3, 3, json!({"amount": 5, "unit": "litre"}));
    assert!(matches!(restored(of_another_shape(), vec![later]), Err(Unrestored::Replay)));
    assert!(matches!(restored(of_another_shape(), Vec::new()), Err(Unrestored::Replay)), "nothing after it");
    let all = [1, 2].map(|version| reading(version, 3, json!({"amount": 7, "unit": "litre"})));
    assert_eq!(restored(of_another_shape(), all.to_vec()).unwrap(), (2, 14), "its events say it all");
}

#[test]
fn events_of_older_schemas_are_lifted_step_by_step() {
    let events = vec![
        reading(1, 1, json!({"amount": "20"})),
        reading(2, 2, json!({"amount": 3})),
        reading(3, 3, json!({"amount": 4, "unit": "pint"})),
    ];
    assert_eq!(restored(None, events).unwrap(), (3, 27));
}

#[test]
fn an_event_newer_than_this_program_is_held() {
    let newer = reading(1, 4, json!({"amount": 1, "unit": "litre", "by": "hand"}));
    let held = restored(None, vec![newer]);
    assert!(matches!(&held, Err(Unrestored::Unreadable(why)) if why.contains("newer")), "{held:?}");
}
