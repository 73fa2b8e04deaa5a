//! What a query means, in memory.

use std::cmp::Ordering;

use crate::collection::{Collection, ColumnValue, Compare, Direction, Query};
use crate::journal::StoredDocument;

type Row = (StoredDocument, Vec<ColumnValue>);

/// The documents that match, sorted, after the place, at most the limit.
pub(super) fn select(query: &Query, rows: Vec<Row>) -> Vec<StoredDocument> {
    let mut rows: Vec<Row> = rows.into_iter().filter(|row| matches(query, row)).collect();
    rows.sort_by(|a, b| place_order(query, &sort_value(query, a), &a.0.id, &sort_value(query, b), &b.0.id));
    let after = |row: &Row| match &query.after {
        None => true,
        Some((value, id)) => {
            place_order(query, &sort_value(query, row), &row.0.id, value, id) == Ordering::Greater
        }
    };
    rows.into_iter().filter(after).take(query.limit).map(|row| row.0).collect()
}

fn column<'r>(collection: &Collection, row: &'r Row, name: &str) -> &'r ColumnValue {
    let index = collection.columns.iter().position(|column| column.name == name);
    &row.1[index.unwrap_or_else(|| panic!("{} has no column {name}", collection.name))]
}

fn sort_value(query: &Query, row: &Row) -> ColumnValue {
    query.order_by.map_or(ColumnValue::Null, |(name, _)| column(query.collection, row, name).clone())
}

fn place_order(query: &Query, a: &ColumnValue, a_id: &str, b: &ColumnValue, b_id: &str) -> Ordering {
    let order = compare(a, b).then_with(|| a_id.cmp(b_id));
    match query.order_by {
        Some((_, Direction::Descending)) => order.reverse(),
        _ => order,
    }
}

fn matches(query: &Query, row: &Row) -> bool {
    query.conditions.iter().all(|(name, how, wanted)| {
        let value = column(query.collection, row, name);
        if *value == ColumnValue::Null || *wanted == ColumnValue::Null {
            return *how == Compare::Equal && value == wanted;
        }
        if let (ColumnValue::Money(a), ColumnValue::Money(b)) = (value, wanted)
            && a.currency != b.currency
        {
            return false;
        }
        let order = compare(value, wanted);
        match how {
            Compare::Equal => order == Ordering::Equal,
            Compare::Below => order == Ordering::Less,
            Compare::AtMost => order != Ordering::Greater,
            Compare::Above => order == Ordering::Greater,
            Compare::AtLeast => order != Ordering::Less,
        }
    })
}

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
        _ => panic!("columns and conditions have one type: {a:?} {b:?}"),
    }
}
