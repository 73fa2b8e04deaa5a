//! People: who they are, what they want, and that they left.

use std::sync::Arc;

use backbone::reaction::{Reaction, Received, on};
use backbone::{Refusal, Workspace};
use contracts::auth::{ChallengeIssued, ChallengeKind};
use contracts::user::{
    EmailVerified, Erased, PreferencesChanged, ProfileUpdated, Registered, SegmentChanged,
};
use kernel::{Personal, RecipientId, UserId};

use super::{minute, says};
use crate::config::Config;
use crate::domain::{Followers, Recipient};
use crate::outbox::{Message, drop_queued, recipient};

pub(super) fn reactions(config: &Arc<Config>) -> Vec<Reaction> {
    vec![
        says::<Registered>(config, registered),
        says::<EmailVerified>(config, |user, _| Ok(vec![Message::new(user.user_id, "email-verified", [])])),
        says::<ProfileUpdated>(config, profile_updated),
        on::<PreferencesChanged>(|user, ws| {
            change(ws, user.user_id, |person| person.prefer(&user.preferences))
        }),
        on::<SegmentChanged>(|user, ws| {
            change(ws, user.user_id, |person| person.segments.clone_from(&user.current_segments))
        }),
        says::<ChallengeIssued>(config, challenge_issued),
        on::<Erased>(erased),
    ]
}

/// Changes what is known of a person; nothing comes back of the erased.
pub(super) fn change(
    ws: &mut Workspace<'_>,
    id: impl Into<uuid::Uuid>,
    change: impl FnOnce(&mut Recipient),
) -> Result<(), Refusal> {
    let before = recipient(ws, RecipientId(id.into()))?;
    if before.erased {
        return Ok(());
    }
    let mut after = before.as_ref().clone();
    change(&mut after);
    if after == *before { Ok(()) } else { ws.put(after) }
}

fn registered(user: &Received<'_, Registered>, ws: &mut Workspace<'_>) -> Result<Vec<Message>, Refusal> {
    change(ws, user.user_id, |person| {
        person.email = user.email.clone();
        person.name = user.first_name.clone();
        person.prefer(&user.preferences);
    })?;
    let name = user.first_name.known().cloned();
    Ok(name.map(|name| Message::new(user.user_id, "welcome", [("name", name)])).into_iter().collect())
}

fn profile_updated(
    user: &Received<'_, ProfileUpdated>,
    ws: &mut Workspace<'_>,
) -> Result<Vec<Message>, Refusal> {
    let text = |field: &str| user.new_values.known()?.get(field)?.as_str().map(str::to_owned);
    change(ws, user.user_id, |person| {
        if let Some(name) = text("firstName") {
            person.name = Personal::Known(name);
        }
        if let Some(email) = text("email") {
            person.email = Personal::Known(email);
        }
    })?;
    let with = [("fields", user.changed_fields.join(", "))];
    Ok(vec![Message::new(user.user_id, "profile-changed", with)])
}

fn challenge_issued(
    challenge: &Received<'_, ChallengeIssued>,
    _: &mut Workspace<'_>,
) -> Result<Vec<Message>, Refusal> {
    let template = match challenge.kind {
        ChallengeKind::VerifyEmail => "verify-email",
        ChallengeKind::ResetPassword => "reset-password",
    };
    let Some(token) = challenge.token.known() else { return Ok(Vec::new()) };
    let with = [("token", token.clone()), ("expires", minute(challenge.expires_at))];
    let message = Message::new(challenge.user_id, template, with);
    Ok(vec![Message { expires_at: Some(challenge.expires_at), ..message }])
}

/// Queued messages and addresses go; what was delivered reads *redacted* with the person's key.
fn erased(user: &Received<'_, Erased>, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
    let id = RecipientId(user.user_id.0);
    let person = recipient(ws, id)?;
    for message in &person.queued {
        drop_queued(ws, *message);
    }
    for artisan in &person.following {
        if let Some(followers) = ws.get::<Followers>(artisan)? {
            let mut followers = Arc::unwrap_or_clone(followers);
            followers.people.retain(|follower| *follower != id);
            ws.put(followers)?;
        }
    }
    ws.put(Recipient::erased(id))
}

/// Whether somebody follows an artisan.
pub fn follow(
    ws: &mut Workspace<'_>,
    user: UserId,
    artisan: kernel::ArtisanId,
    wanted: bool,
) -> Result<(), Refusal> {
    let id = RecipientId(user.0);
    let empty = || Arc::new(Followers { artisan_id: artisan, people: Vec::new() });
    let mut followers = Arc::unwrap_or_clone(ws.get::<Followers>(artisan)?.unwrap_or_else(empty));
    let follows = followers.people.contains(&id);
    if follows == wanted {
        return Ok(());
    }
    if wanted && followers.people.len() >= crate::domain::FOLLOWERS_MAX {
        let message = "this artisan has as many followers as can be told at once";
        return Err(backbone::Rejection::conflict("too-many-followers", message).into());
    }
    followers.people.retain(|follower| *follower != id);
    if wanted {
        followers.people.push(id);
    }
    ws.put(followers)?;
    change(ws, user, |person| {
        person.following.retain(|known| *known != artisan);
        if wanted {
            person.following.push(artisan);
        }
    })
}
