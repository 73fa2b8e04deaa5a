//! What happens around buying: reviews, carts, points, chat; and messages on their way.

use std::sync::Arc;

use backbone::reaction::{Reaction, Received, on};
use backbone::{Refusal, Workspace};
use contracts::cart::{Abandoned, CheckoutInitiated};
use contracts::chat::MessageSent;
use contracts::loyalty::PointsChanged;
use contracts::notification::Scheduled;
use contracts::product::Reviewed;
use kernel::RecipientId;

use super::people::change;
use super::{amount, says};
use crate::config::Config;
use crate::domain::{Notification, Reminder, State};
use crate::outbox::{Message, drop_queued, say, take_in};

pub(super) fn reactions(config: &Arc<Config>) -> Vec<Reaction> {
    let (carts, inbox) = (config.clone(), config.clone());
    vec![
        says::<Reviewed>(config, |review, _| {
            let with = [("rating", review.rating.to_string())];
            Ok(vec![Message::new(review.artisan_id, "new-review", with)])
        }),
        on::<CheckoutInitiated>(checked_out),
        on::<Abandoned>(move |cart, ws| abandoned(&carts, cart, ws)),
        says::<PointsChanged>(config, |points, _| {
            let with = [("balance", points.balance.to_string()), ("delta", format!("{:+}", points.delta))];
            Ok(vec![Message::new(points.user_id, "points-changed", with)])
        }),
        // The preview is the sender's: it stays with the chat and is erased with the sender.
        says::<MessageSent>(config, |sent, _| Ok(vec![Message::new(sent.recipient_id, "chat-unread", [])])),
        on::<Scheduled>(move |message, ws| take_in(ws, &inbox, message)),
    ]
}

/// A reminder goes some time after the cart was given up; a cart of nobody known gets none.
fn abandoned(config: &Config, cart: &Received<'_, Abandoned>, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
    let Some(customer) = cart.customer_id else { return Ok(()) };
    let with = [("count", cart.items.len().to_string()), ("amount", amount(cart.total))];
    let message = Message::new(customer, "cart-reminder", with);
    let message = Message { delay: config.cart_reminder_delay(), ..message };
    if let Some(notification_id) = say(ws, config, cart.envelope, message)? {
        let recipient_id = RecipientId(customer.0);
        ws.put(Reminder { cart_id: cart.cart_id, recipient_id, notification_id })?;
    }
    Ok(())
}

/// The clock is set back: who went to the checkout needs no reminder.
fn checked_out(cart: &Received<'_, CheckoutInitiated>, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
    let Some(reminder) = ws.get::<Reminder>(cart.cart_id)? else { return Ok(()) };
    let id = reminder.notification_id;
    if ws.get::<Notification>(id)?.is_some_and(|message| message.state == State::Queued) {
        drop_queued(ws, id);
        change(ws, reminder.recipient_id, |person| person.queued.retain(|queued| *queued != id))?;
    }
    ws.delete::<Reminder>(cart.cart_id);
    Ok(())
}
