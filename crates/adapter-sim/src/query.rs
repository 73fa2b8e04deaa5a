//! What a query gives.

use std::cmp::Ordering;

use backbone::collection::{ColumnValue, Compare, Direction, LIMIT_MAX, Query};
use backbone::journal::{Error, StoredDocument};

use crate::apply::holds;
use crate::disk::{Row, Table};

/// The documents of `table` that match, sorted, after the place, at most the limit.
pub(crate) fn select(query: &Query, table: &Table) -> Result<Vec<StoredDocument>, Error> {
    let mut conditions = Vec::with_capacity(query.conditions.len());
    for (name, how, wanted) in &query.conditions {
        conditions.push((column(query, name, wanted)?, *how, wanted));
    }
    let mut order = Order { column: None, direction: Direction::Ascending };
    if let Some((name, direction)) = query.order_by {
        order = Order { column: Some(column(query, name, &ColumnValue::Null)?), direction };
    }
    let matches =
        |row: &Row| conditions.iter().all(|(index, how, wanted)| meets(&row.columns[*index], *how, wanted));
    let mut found: Vec<(&ColumnValue, &str, &Row)> = table
        .iter()
        .filter(|(_, row)| matches(row))
        .map(|(id, row)| (order.value(row), id.as_str(), row))
        .collect();
    if let Some((value, id)) = &query.after {
        let value = if order.column.is_some() { value } else { &ColumnValue::Null };
        found.retain(|(own, own_id, _)| order.compare((own, own_id), (value, id)) == Ordering::Greater);
    }
    found.sort_by(|a, b| order.compare((a.0, a.1), (b.0, b.1)));
    found.truncate(query.limit.min(LIMIT_MAX));
    Ok(found.into_iter().map(|(_, id, row)| row.document(id)).collect())
}

/// The place of a column, which must be able to hold `value`.
fn column(query: &Query, name: &str, value: &ColumnValue) -> Result<usize, Error> {
    let collection = query.collection;
    let found = collection.columns.iter().position(|column| column.name == name);
    match found {
        Some(index) if holds(collection.columns[index].kind, value) => Ok(index),
        Some(_) => Err(Error::Malformed(format!("{}.{name} is never {value:?}", collection.name))),
        None => Err(Error::Malformed(format!("{} has no column {name}", collection.name))),
    }
}

struct Order {
    column: Option<usize>,
    direction: Direction,
}

impl Order {
    fn value<'a>(&self, row: &'a Row) -> &'a ColumnValue {
        self.column.map_or(&ColumnValue::Null, |index| &row.columns[index])
    }

    fn compare(&self, a: (&ColumnValue, &str), b: (&ColumnValue, &str)) -> Ordering {
        let ascending = compare(a.0, b.0).then_with(|| a.1.cmp(b.1));
        match self.direction {
            Direction::Ascending => ascending,
            Direction::Descending => ascending.reverse(),
        }
    }
}

fn meets(value: &ColumnValue, how: Compare, wanted: &ColumnValue) -> bool {
    match (value, wanted) {
        (ColumnValue::Null, _) | (_, ColumnValue::Null) => return how == Compare::Equal && value == wanted,
        (ColumnValue::Money(a), ColumnValue::Money(b)) if a.currency != b.currency => return false,
        _ => {}
    }
    let order = compare(value, wanted);
    match how {
        Compare::Equal => order.is_eq(),
        Compare::Below => order.is_lt(),
        Compare::AtMost => order.is_le(),
        Compare::Above => order.is_gt(),
        Compare::AtLeast => order.is_ge(),
    }
}

/// Absent values are lowest. Values of one column have one kind: it is checked when they come in.
fn compare(a: &ColumnValue, b: &ColumnValue) -> Ordering {
    use ColumnValue::{Bool, Integer, Money, Null, Text, Timestamp, Uuid};
    match (a, b) {
        (Null, Null) => Ordering::Equal,
        (Null, _) => Ordering::Less,
        (_, Null) => Ordering::Greater,
        (Text(a), Text(b)) => a.cmp(b),
        (Integer(a), Integer(b)) => a.cmp(b),
        (Bool(a), Bool(b)) => a.cmp(b),
        (Timestamp(a), Timestamp(b)) => a.cmp(b),
        (Uuid(a), Uuid(b)) => a.cmp(b),
        (Money(a), Money(b)) => a.amount.cmp(&b.amount),
        _ => Ordering::Equal,
    }
}
