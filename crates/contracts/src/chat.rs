//! Context `chat`: customers and artisans talk, told by the chat service.

use kernel::{ConversationId, MessageId, Personal, RecipientId, Timestamp, UserId};

use crate::event_macro::event;

event! {
    "chat.message.sent.v1" by "chat", to ["notification"], keyed by conversation_id, about sender_id;
    /// Somebody wrote to somebody.
    pub struct MessageSent {
        /// The message.
        message_id: MessageId,
        /// The conversation.
        conversation_id: ConversationId,
        /// Who wrote.
        sender_id: UserId,
        /// Who is to read it.
        recipient_id: RecipientId,
        /// Its first words.
        preview: Personal<String>,
        /// When.
        sent_at: Timestamp,
    }
}
