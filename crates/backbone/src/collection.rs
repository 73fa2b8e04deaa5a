//! Collections: documents in tables of their own with typed, indexed columns for the fields
//! that queries use. A collection is declared once, as a constant; the journal makes the table,
//! fills the columns on write, and makes a plain SQL view for reporting tools.

use kernel::{Money, Timestamp};
use uuid::Uuid;

/// The declaration of a collection.
#[derive(Debug, PartialEq, Eq)]
pub struct Collection {
    /// Lower-case name, unique in its service: `orders`.
    pub name: &'static str,
    /// The fields that queries use.
    pub columns: &'static [Column],
    /// Lists inside the document that the SQL views show as tables of their own: `items`.
    pub children: &'static [&'static str],
}

/// A field that queries filter or sort by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name, in snake case.
    pub name: &'static str,
    /// What it holds.
    pub kind: ColumnKind,
    /// Whether an index serves it.
    pub indexed: bool,
}

impl Column {
    /// A column with an index.
    pub const fn indexed(name: &'static str, kind: ColumnKind) -> Self {
        Self { name, kind, indexed: true }
    }

    /// A column without an index.
    pub const fn plain(name: &'static str, kind: ColumnKind) -> Self {
        Self { name, kind, indexed: false }
    }
}

/// The types that a column can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// Text.
    Text,
    /// A signed 64-bit integer.
    Integer,
    /// True or false.
    Bool,
    /// Microseconds since 1970, UTC.
    Timestamp,
    /// A UUID.
    Uuid,
    /// Two columns: `<name>` with minor units and `<name>_currency`.
    Money,
}

/// A value of a column, or of a condition on one.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnValue {
    /// Absent.
    Null,
    /// For `ColumnKind::Text`.
    Text(String),
    /// For `ColumnKind::Integer`.
    Integer(i64),
    /// For `ColumnKind::Bool`.
    Bool(bool),
    /// For `ColumnKind::Timestamp`.
    Timestamp(Timestamp),
    /// For `ColumnKind::Uuid`.
    Uuid(Uuid),
    /// For `ColumnKind::Money`.
    Money(Money),
}

macro_rules! column_value_from {
    ($($from:ty => |$v:ident| $to:expr),+ $(,)?) => {$(
        impl From<$from> for ColumnValue {
            fn from($v: $from) -> Self { $to }
        }
    )+};
}

column_value_from! {
    String => |v| ColumnValue::Text(v),
    &str => |v| ColumnValue::Text(v.to_owned()),
    i64 => |v| ColumnValue::Integer(v),
    u32 => |v| ColumnValue::Integer(i64::from(v)),
    bool => |v| ColumnValue::Bool(v),
    Timestamp => |v| ColumnValue::Timestamp(v),
    Uuid => |v| ColumnValue::Uuid(v),
    Money => |v| ColumnValue::Money(v),
}

impl<T: Into<ColumnValue>> From<Option<T>> for ColumnValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(ColumnValue::Null, Into::into)
    }
}

/// How a column is compared: text by its bytes, money within its currency. An absent value
/// equals absence, and is neither above nor below anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// Equal.
    Equal,
    /// Less.
    Below,
    /// Less or equal.
    AtMost,
    /// Greater.
    Above,
    /// Greater or equal.
    AtLeast,
}

/// Which documents of a collection are wanted, in which order. Conditions are all required.
#[derive(Clone, Debug)]
pub struct Query {
    /// Where to look.
    pub collection: &'static Collection,
    /// Look in the shadow that a rebuild writes.
    pub shadow: bool,
    /// Conditions on columns.
    pub conditions: Vec<(&'static str, Compare, ColumnValue)>,
    /// The column to sort by, absent values lowest; ties by id in the same direction. Without it
    /// documents come by id.
    pub order_by: Option<(&'static str, Direction)>,
    /// Continue after this place: the sort column's value and the id of the last document seen.
    pub after: Option<(ColumnValue, String)>,
    /// At most so many (a limit on everything: 1,000 at most).
    pub limit: usize,
}

/// The direction of a sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Greatest first.
    Descending,
}

/// The most documents that one query gives.
pub const LIMIT_MAX: usize = 1_000;

impl Query {
    /// All of `collection`, by id, at most `LIMIT_MAX`.
    pub fn all(collection: &'static Collection) -> Self {
        Self {
            collection,
            shadow: false,
            conditions: Vec::new(),
            order_by: None,
            after: None,
            limit: LIMIT_MAX,
        }
    }

    /// Adds a condition.
    #[must_use]
    pub fn with(mut self, column: &'static str, compare: Compare, value: impl Into<ColumnValue>) -> Self {
        self.conditions.push((column, compare, value.into()));
        self
    }

    /// Adds an equality.
    #[must_use]
    pub fn equal(self, column: &'static str, value: impl Into<ColumnValue>) -> Self {
        self.with(column, Compare::Equal, value)
    }

    /// Sets the order.
    #[must_use]
    pub fn sorted(mut self, column: &'static str, direction: Direction) -> Self {
        self.order_by = Some((column, direction));
        self
    }

    /// Continues after the last document of the page before.
    #[must_use]
    pub fn after(mut self, value: ColumnValue, id: String) -> Self {
        self.after = Some((value, id));
        self
    }

    /// Sets the limit.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit.min(LIMIT_MAX);
        self
    }
}
