//! What a Rust type is called in `events.toml`: the catalogue says what the code really is.

use kernel::{
    ArtisanId, BatchId, CartId, ChallengeId, ContentId, ConversationId, CustomerId, MessageId, Money,
    NotificationId, OrderId, PaymentId, Personal, ProductId, PurchaseOrderId, QuoteId, RecipientId, RefundId,
    ReservationId, ReturnId, ReviewId, ShipmentId, SplitId, SupplierId, Timestamp, TrackingId, UserId,
    ValidationId, VariantId, WarehouseId,
};
use serde_json::{Map, Value};

/// A JSON object whose shape the published language leaves open.
pub type Object = Map<String, Value>;

/// A type that may stand in a payload.
pub(crate) trait Wire {
    /// Its name in `events.toml`.
    const NAME: &'static str;

    /// True where it is about a person and encrypted wherever it is durable.
    const PERSONAL: bool = false;

    /// True where nothing is to be written: an optional field without a value.
    fn is_absent(&self) -> bool {
        false
    }
}

/// [`Wire::is_absent`] as serde's `skip_serializing_if` wants it.
pub(crate) fn is_absent<T: Wire>(value: &T) -> bool {
    value.is_absent()
}

/// Declares the names of plain types.
macro_rules! wire {
    ($($name:literal: $($type:ty),+;)+) => {$($(
        impl Wire for $type {
            const NAME: &'static str = $name;
        }
    )+)+};
}

wire! {
    "bool": bool;
    "integer": i64, u32, u64;
    "number": f64;
    "object": Object;
    "string": String;
    "timestamp": Timestamp;
    "Money": Money;
    "uuid": ArtisanId, BatchId, CartId, ChallengeId, ContentId, ConversationId, CustomerId, MessageId,
        NotificationId, OrderId, PaymentId, ProductId, PurchaseOrderId, QuoteId, RecipientId, RefundId,
        ReservationId, ReturnId, ReviewId, ShipmentId, SplitId, SupplierId, TrackingId, UserId,
        ValidationId, VariantId, WarehouseId;
}

impl<T: Wire> Wire for Vec<T> {
    const NAME: &'static str = Suffixed::<T>::LIST.as_str();
    const PERSONAL: bool = T::PERSONAL;
}

impl<T: Wire> Wire for Option<T> {
    const NAME: &'static str = Suffixed::<T>::OPTION.as_str();
    const PERSONAL: bool = T::PERSONAL;

    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<T: Wire> Wire for Personal<T> {
    const NAME: &'static str = T::NAME;
    const PERSONAL: bool = true;
}

/// Holds the names that are made from another type's name.
struct Suffixed<T>(std::marker::PhantomData<T>);

impl<T: Wire> Suffixed<T> {
    const LIST: &'static Text = &Text::EMPTY.then(T::NAME).then("[]");
    const OPTION: &'static Text = &Text::EMPTY.then(T::NAME).then("?");
}

/// A text that is put together while compiling; 128 bytes at most.
pub(crate) struct Text {
    bytes: [u8; 128],
    len: usize,
}

impl Text {
    const EMPTY: Text = Text { bytes: [0; 128], len: 0 };

    /// The name that serde's `rename_all = "camelCase"` gives to a field.
    pub(crate) const fn camel_case(field: &str) -> Text {
        let (field, mut text, mut at, mut upper) = (field.as_bytes(), Text::EMPTY, 0, false);
        while at < field.len() {
            if field[at] == b'_' {
                upper = true;
            } else {
                text.bytes[text.len] = if upper { field[at].to_ascii_uppercase() } else { field[at] };
                text.len += 1;
                upper = false;
            }
            at += 1;
        }
        text
    }

    const fn then(mut self, more: &str) -> Text {
        let mut at = 0;
        while at < more.len() {
            self.bytes[self.len] = more.as_bytes()[at];
            self.len += 1;
            at += 1;
        }
        self
    }

    pub(crate) const fn as_str(&'static self) -> &'static str {
        match std::str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => text,
            Err(_) => panic!("names are UTF-8"),
        }
    }
}

/// The names of an event's personal fields, picked while compiling; 8 at most.
pub(crate) struct PersonalNames {
    names: [&'static str; 8],
    len: usize,
}

impl PersonalNames {
    /// The names among `fields` that are marked personal.
    pub(crate) const fn among(fields: &[(&'static str, bool)]) -> PersonalNames {
        let (mut personal, mut at) = (PersonalNames { names: [""; 8], len: 0 }, 0);
        while at < fields.len() {
            if fields[at].1 {
                personal.names[personal.len] = fields[at].0;
                personal.len += 1;
            }
            at += 1;
        }
        personal
    }

    pub(crate) const fn as_slice(&'static self) -> &'static [&'static str] {
        self.names.split_at(self.len).0
    }
}
