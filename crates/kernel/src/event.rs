//! What makes a Rust type a public event.

use uuid::Uuid;

/// A public event's row in the published language (`events.toml`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EventType {
    /// CloudEvents `type`, NATS subject and AMQP routing key: `order.created.v1`.
    pub name: &'static str,
    /// The payload field that orders events: one key, one order.
    pub subject: &'static str,
    /// The only service that may publish it.
    pub producer: &'static str,
    /// The services that must react to it.
    pub consumers: &'static [&'static str],
    /// The fields of the payload and their types, as `events.toml` writes them.
    pub fields: &'static [(&'static str, &'static str)],
    /// Fields with personal data, encrypted wherever they are durable.
    pub personal: &'static [&'static str],
    /// The payload field that names the person whom `personal` is about.
    pub subject_of_data: Option<&'static str>,
}

impl EventType {
    /// The bounded context, which names the stream: `order` of `order.created.v1`.
    pub fn context(&self) -> &'static str {
        self.name.split('.').next().unwrap_or(self.name)
    }
}

/// A public integration event: a fact in the past tense that other services may react to.
pub trait Event: serde::Serialize + serde::de::DeserializeOwned + Send + Sync + 'static {
    /// Its row in the published language.
    const TYPE: EventType;

    /// The value of the ordering key.
    fn subject(&self) -> Uuid;

    /// The person whom the personal fields are about, where the type has such fields.
    fn person(&self) -> Option<Uuid>;
}
