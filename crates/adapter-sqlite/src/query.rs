//! Queries on collections as SQL.

use backbone::collection::{ColumnKind, ColumnValue, Compare, Direction, LIMIT_MAX, Query};
use backbone::journal::Error;
use rusqlite::types::Value;

use crate::tables::{Tables, physical, stored};

/// A statement with its values.
#[derive(Debug, PartialEq)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    pub(crate) values: Vec<Value>,
    pub(crate) limit: usize,
}

/// The statement that answers a query. Absent values are the lowest; ties are broken by id, in
/// the sort's own direction, so that one index serves both.
pub(crate) fn statement(tables: &Tables, query: &Query) -> Result<Statement, Error> {
    let collection = tables.collection(query.collection)?;
    let table = if query.shadow { &collection.shadow.table } else { &collection.live.table };
    let mut builder = Builder { query, conditions: Vec::new(), values: Vec::new() };
    for (column, compare, value) in &query.conditions {
        builder.compare(column, *compare, value)?;
    }
    let order = match query.order_by {
        Some((column, direction)) => {
            let name = builder.physical(column)?.swap_remove(0);
            builder.after_in_order(&name, column, direction)?;
            let word = if direction == Direction::Ascending { "ASC" } else { "DESC" };
            format!("{name} {word}, id {word}")
        }
        None => {
            if let Some((_, id)) = &query.after {
                let id = builder.bind(Value::Text(id.clone()));
                builder.conditions.push(format!("id > {id}"));
            }
            "id".to_owned()
        }
    };
    let limit = query.limit.min(LIMIT_MAX);
    let bound = builder.bind(Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
    let filter = match builder.conditions.as_slice() {
        [] => String::new(),
        conditions => format!(" WHERE {}", conditions.join(" AND ")),
    };
    let sql = format!("SELECT id, version, person, body FROM {table}{filter} ORDER BY {order} LIMIT {bound}");
    Ok(Statement { sql, values: builder.values, limit })
}

struct Builder<'a> {
    query: &'a Query,
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Builder<'_> {
    fn bind(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("?{}", self.values.len())
    }

    fn kind(&self, column: &str) -> Result<ColumnKind, Error> {
        let collection = self.query.collection;
        let found = collection.columns.iter().find(|declared| declared.name == column);
        found.map(|declared| declared.kind).ok_or_else(|| {
            Error::Malformed(format!("`{}` has no column `{column}` to ask by", collection.name))
        })
    }

    fn physical(&self, column: &str) -> Result<Vec<String>, Error> {
        Ok(physical(column, self.kind(column)?))
    }

    /// The values of a column as they are stored: one, or two for money.
    fn values(&self, column: &str, value: &ColumnValue) -> Result<Vec<Value>, Error> {
        let kind = self.kind(column)?;
        let Some(stored) = stored(kind, value) else {
            let name = self.query.collection.name;
            return Err(Error::Malformed(format!(
                "column `{column}` of `{name}` holds {kind:?}, the value does not"
            )));
        };
        Ok(stored.into_iter().flatten().map(owned).collect())
    }

    fn compare(&mut self, column: &str, compare: Compare, value: &ColumnValue) -> Result<(), Error> {
        let names = self.physical(column)?;
        if *value == ColumnValue::Null {
            // Nothing is above or below what is absent.
            let condition =
                if compare == Compare::Equal { format!("{} IS NULL", names[0]) } else { "0".to_owned() };
            self.conditions.push(condition);
            return Ok(());
        }
        let sign = match compare {
            Compare::Equal => "=",
            Compare::Below => "<",
            Compare::AtMost => "<=",
            Compare::Above => ">",
            Compare::AtLeast => ">=",
        };
        // Of money, the amounts compare and the currencies must be equal.
        for (place, (name, value)) in names.into_iter().zip(self.values(column, value)?).enumerate() {
            let value = self.bind(value);
            let sign = if place == 0 { sign } else { "=" };
            self.conditions.push(format!("{name} {sign} {value}"));
        }
        Ok(())
    }

    /// Continues after the last document of the page before.
    fn after_in_order(&mut self, name: &str, column: &str, direction: Direction) -> Result<(), Error> {
        let Some((value, id)) = &self.query.after else { return Ok(()) };
        let id = Value::Text(id.clone());
        let condition = if *value == ColumnValue::Null {
            let id = self.bind(id);
            match direction {
                Direction::Ascending => format!("(({name} IS NULL AND id > {id}) OR {name} IS NOT NULL)"),
                Direction::Descending => format!("({name} IS NULL AND id < {id})"),
            }
        } else {
            let value = self.values(column, value)?.swap_remove(0);
            let (value, id) = (self.bind(value), self.bind(id));
            match direction {
                // The first condition lets the index find the place.
                Direction::Ascending => format!("{name} >= {value} AND ({name} > {value} OR id > {id})"),
                Direction::Descending => {
                    format!("({name} < {value} OR ({name} = {value} AND id < {id}) OR {name} IS NULL)")
                }
            }
        };
        self.conditions.push(condition);
        Ok(())
    }
}

fn owned(value: rusqlite::types::ToSqlOutput<'_>) -> Value {
    use rusqlite::types::{ToSqlOutput, ValueRef};
    match value {
        ToSqlOutput::Owned(value) => value,
        ToSqlOutput::Borrowed(ValueRef::Text(text)) => {
            Value::Text(String::from_utf8_lossy(text).into_owned())
        }
        ToSqlOutput::Borrowed(ValueRef::Integer(value)) => Value::Integer(value),
        _ => Value::Null,
    }
}
