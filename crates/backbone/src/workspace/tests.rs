use serde::{Deserialize, Serialize};

use super::*;

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
