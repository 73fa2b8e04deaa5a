//! What this service does on public events: a line for each.

use backbone::reaction::{Reaction, on};
use backbone::{Refusal, Workspace};
use contracts::loyalty::PointsChanged;
use contracts::user::SegmentChanged;
use kernel::UserId;

use crate::domain::Standing;

/// The list.
pub fn reactions() -> Vec<Reaction> {
    vec![
        on::<SegmentChanged>(|changed, ws| {
            change(ws, changed.user_id, |standing| standing.segments = changed.current_segments.clone())
        }),
        on::<PointsChanged>(|changed, ws| {
            change(ws, changed.user_id, |standing| standing.points = changed.balance)
        }),
    ]
}

/// Changes a living person's standing; guests and the erased have none.
fn change(ws: &mut Workspace<'_>, id: UserId, change: impl FnOnce(&mut Standing)) -> Result<(), Refusal> {
    let Some(before) = ws.get::<Standing>(id)?.filter(|standing| standing.active) else { return Ok(()) };
    let mut after = before.as_ref().clone();
    change(&mut after);
    if after == *before { Ok(()) } else { ws.put(after) }
}
