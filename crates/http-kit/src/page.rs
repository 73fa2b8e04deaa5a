//! Pages by cursor: a cursor names the last row read, so rows added meanwhile shift nothing.

use backbone::collection::ColumnValue;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use kernel::{Currency, Money, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Problem;

const LIMIT_DEFAULT: u32 = 20;
const LIMIT_MAX: u32 = 100;
const CURSOR_LENGTH_MAX: usize = 2_048;

/// Which page is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// How many at most: 1 to 100, 20 where nothing is said.
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

impl PageQuery {
    /// How many at most, within 1 to 100.
    pub fn limit(&self) -> usize {
        limit(self.limit)
    }

    /// Where the page before ended: the sorting column's value and the id.
    pub fn after(&self) -> Result<Option<(ColumnValue, String)>, Problem> {
        self.cursor.as_deref().map(decode).transpose()
    }
}

/// A wanted number of rows, within 1 to 100; 20 where nothing is said.
pub fn limit(wanted: Option<u32>) -> usize {
    wanted.unwrap_or(LIMIT_DEFAULT).clamp(1, LIMIT_MAX) as usize
}

/// A page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// The cursor of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A page of `rows`, which were asked for with one more than `limit`: that one says that
    /// there is a next page. `place` gives a row's sorting value and id.
    pub fn cut(mut rows: Vec<T>, limit: usize, place: impl Fn(&T) -> (ColumnValue, String)) -> Self {
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more);
        let next = last.map(|row| {
            let (value, id) = place(row);
            encode_cursor(&value, &id)
        });
        Self { items: rows, next }
    }

    /// The same page with other items.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(change).collect(), next: self.next }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    v: Value,
    id: String,
}

/// Columns' values with their kinds, short because they travel in URLs.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Value {
    Null,
    T(String),
    I(i64),
    B(bool),
    At(i64),
    U(Uuid),
    M(i64, Currency),
}

/// The cursor of a row: base64url of JSON.
pub fn encode_cursor(value: &ColumnValue, id: &str) -> String {
    let v = match value {
        ColumnValue::Null => Value::Null,
        ColumnValue::Text(text) => Value::T(text.clone()),
        ColumnValue::Integer(number) => Value::I(*number),
        ColumnValue::Bool(flag) => Value::B(*flag),
        ColumnValue::Timestamp(at) => Value::At(at.as_micros()),
        ColumnValue::Uuid(id) => Value::U(*id),
        ColumnValue::Money(money) => Value::M(money.amount, money.currency),
    };
    let json = serde_json::to_vec(&Cursor { v, id: id.to_owned() }).expect("a cursor is JSON");
    URL_SAFE_NO_PAD.encode(json)
}

/// The sorting value and the id in a cursor; a problem (400) where it is none of ours.
pub fn decode(cursor: &str) -> Result<(ColumnValue, String), Problem> {
    let decoded = Some(cursor).filter(|cursor| cursor.len() <= CURSOR_LENGTH_MAX);
    let decoded = decoded.and_then(|cursor| URL_SAFE_NO_PAD.decode(cursor).ok());
    let cursor: Option<Cursor> = decoded.and_then(|json| serde_json::from_slice(&json).ok());
    let Some(Cursor { v, id }) = cursor else {
        let remedy = "take the `next` of the page before, unchanged, or leave the cursor out to begin anew";
        return Err(Problem::of(StatusCode::BAD_REQUEST, "cursor-malformed", remedy).at("cursor", remedy));
    };
    let value = match v {
        Value::Null => ColumnValue::Null,
        Value::T(text) => ColumnValue::Text(text),
        Value::I(number) => ColumnValue::Integer(number),
        Value::B(flag) => ColumnValue::Bool(flag),
        Value::At(micros) => ColumnValue::Timestamp(Timestamp::from_micros(micros)),
        Value::U(id) => ColumnValue::Uuid(id),
        Value::M(amount, currency) => ColumnValue::Money(Money::new(amount, currency)),
    };
    Ok((value, id))
}
