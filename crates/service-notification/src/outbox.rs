//! Messages on their way: from what a reaction wants said to `notification.scheduled.v1`, and from
//! there to the recipient. One event and one document for each message.

use std::sync::Arc;

use backbone::timer::TimerHandler;
use backbone::workspace::Key;
use backbone::{Refusal, Workspace};
use contracts::Object;
use contracts::notification::{Priority, Scheduled};
use kernel::{Duration, Envelope, ErrorKind, NotificationId, Personal, RecipientId, Timestamp};
use serde_json::Value;

use crate::config::Config;
use crate::domain::{Notification, Recipient, State, Tally, after_quiet_hours, template};

/// The timer of a message that waits for its time.
pub const DELIVER_TIMER: &str = "deliver";
/// The timer of the open batch.
pub const BATCH_TIMER: &str = "batch";

/// What is to be said, to whom.
#[derive(Clone, Debug)]
pub struct Message {
    /// To whom.
    pub to: RecipientId,
    /// The template's name.
    pub template: &'static str,
    /// What is filled in.
    pub variables: Object,
    /// Not before this long from now.
    pub delay: Duration,
    /// When it is no use any more.
    pub expires_at: Option<Timestamp>,
}

impl Message {
    /// A message that goes at once.
    pub fn new<const N: usize>(
        to: impl Into<uuid::Uuid>,
        template: &'static str,
        with: [(&str, String); N],
    ) -> Self {
        let variables = with.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value)));
        Self {
            to: RecipientId(to.into()),
            template,
            variables: variables.collect(),
            delay: Duration::ZERO,
            expires_at: None,
        }
    }
}

/// The recipient, or somebody of whom nothing is known.
pub(crate) fn recipient(ws: &mut Workspace<'_>, id: RecipientId) -> Result<Arc<Recipient>, Refusal> {
    Ok(ws.get::<Recipient>(id)?.unwrap_or_else(|| Arc::new(Recipient::unknown(id))))
}

/// Schedules a message because of an event; gives its id. Nothing goes to the erased, and news
/// only to those who want them. The id follows from event, recipient and template, so that an
/// event that comes twice says it once.
pub fn say(
    ws: &mut Workspace<'_>,
    config: &Config,
    cause: &Envelope,
    message: Message,
) -> Result<Option<NotificationId>, Refusal> {
    let template = template(message.template).ok_or_else(|| {
        Refusal::failed(ErrorKind::Permanent, format!("there is no template {}", message.template))
    })?;
    let to = recipient(ws, message.to)?;
    if to.erased || !(template.kind.essential || to.wants_news) {
        return Ok(None);
    }
    let wanted = ws.now().plus(message.delay);
    let scheduled_for = match template.kind.priority {
        Priority::Critical => wanted,
        _ => after_quiet_hours(wanted, to.quiet_hours.as_deref(), &config.local_time.zone),
    };
    let name = format!("{}/{}", message.to, message.template);
    let notification_id = NotificationId(kernel::derived_id(cause.id.0, &name));
    ws.publish(Scheduled {
        notification_id,
        recipient_id: message.to,
        channel: template.kind.channel,
        template: message.template.to_owned(),
        variables: Personal::Known(message.variables),
        priority: template.kind.priority,
        scheduled_for,
        expires_at: message.expires_at,
        group_key: None,
    });
    Ok(Some(notification_id))
}

/// Takes in a scheduled message: into the inbox at once where its time has come, or into the
/// queue.
pub fn take_in(ws: &mut Workspace<'_>, config: &Config, event: &Scheduled) -> Result<(), Refusal> {
    let (id, to) = (event.notification_id, event.recipient_id);
    ws.need([
        Key::document::<Notification>(id),
        Key::document::<Recipient>(to),
        Key::document::<Tally>(Tally::KEY),
    ])?;
    let person = recipient(ws, to)?;
    if person.erased || ws.get::<Notification>(id)?.is_some() {
        return Ok(());
    }
    let message = Notification::of(event, person.locale, ws.now());
    if message.state == State::Queued {
        let mut person = Arc::unwrap_or_clone(person);
        person.queued.push(id);
        ws.put(person)?;
        wait(ws, &message);
    } else {
        count(ws, config, &message)?;
    }
    ws.put(message)
}

/// The timers.
pub fn timers(config: &Arc<Config>) -> Vec<TimerHandler> {
    let (delivering, telling) = (config.clone(), config.clone());
    vec![
        TimerHandler::new(DELIVER_TIMER, move |timer, ws| deliver(ws, &delivering, &timer.key)),
        TimerHandler::new(BATCH_TIMER, move |_, ws| tell(ws, &telling)),
    ]
}

/// A queued message's time has come. A message whose channel is not there stays in the queue.
fn deliver(ws: &mut Workspace<'_>, config: &Config, id: &str) -> Result<(), Refusal> {
    let Some(found) = ws.get::<Notification>(id)? else { return Ok(()) };
    let now = ws.now();
    let message = found.as_ref().clone().at(now);
    if message.state == State::Queued {
        wait(ws, &message);
        return Ok(());
    }
    if message.state == found.state {
        return Ok(());
    }
    let mut person = Arc::unwrap_or_clone(recipient(ws, message.recipient_id)?);
    person.queued.retain(|queued| *queued != message.notification_id);
    ws.put(person)?;
    count(ws, config, &message)?;
    ws.put(message)
}

/// Sets the timer for what happens next to a queued message: its time comes, or is over.
fn wait(ws: &mut Workspace<'_>, message: &Notification) {
    let now = ws.now();
    let next = if message.scheduled_for > now { Some(message.scheduled_for) } else { message.expires_at };
    if let Some(next) = next {
        ws.set_timer(DELIVER_TIMER, message.notification_id, next, 0);
    }
}

/// Adds a handled message to the open batch, and tells the batch when it is full.
fn count(ws: &mut Workspace<'_>, config: &Config, message: &Notification) -> Result<(), Refusal> {
    let now = ws.now();
    let mut tally = match ws.get::<Tally>(Tally::KEY)? {
        Some(open) => Arc::unwrap_or_clone(open),
        None => {
            ws.set_timer(BATCH_TIMER, Tally::KEY, now.plus(config.batch_wait()), 0);
            Tally::begin(ws.uuid().into(), now)
        }
    };
    tally.notification_ids.push(message.notification_id);
    if message.state == State::Expired {
        tally.failures.push((message.notification_id, "it came too late to be of use".to_owned()));
    }
    if tally.notification_ids.len() < config.batch_size {
        return ws.put(tally);
    }
    close(ws, tally);
    Ok(())
}

/// Tells the open batch, where there is one that has waited long enough.
fn tell(ws: &mut Workspace<'_>, config: &Config) -> Result<(), Refusal> {
    let Some(open) = ws.get::<Tally>(Tally::KEY)? else { return Ok(()) };
    let due = open.since.plus(config.batch_wait());
    if ws.now() < due {
        ws.set_timer(BATCH_TIMER, Tally::KEY, due, 0);
        return Ok(());
    }
    close(ws, Arc::unwrap_or_clone(open));
    Ok(())
}

fn close(ws: &mut Workspace<'_>, tally: Tally) {
    let now = ws.now();
    ws.delete::<Tally>(Tally::KEY);
    ws.publish(tally.told(now));
}

/// Takes a message out of the queue: nobody will get it.
pub fn drop_queued(ws: &mut Workspace<'_>, id: NotificationId) {
    ws.delete::<Notification>(id);
    ws.clear_timer(DELIVER_TIMER, id);
}
