//! Queries on collections as SQL.

use backbone::collection::{ColumnKind, ColumnValue, Compare, Direction, LIMIT_MAX, Query};
use backbone::journal::Error;

use crate::connection::{Value, value};
use crate::rows;
use crate::tables::{Cell, Tables, physical, stored};

/// A statement with its values.
pub(crate) struct Statement {
    pub(crate) sql: String,
    pub(crate) values: Vec<Value<'static>>,
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
            match direction {
                Direction::Ascending => format!("{name} ASC NULLS FIRST, id ASC"),
                Direction::Descending => format!("{name} DESC NULLS LAST, id DESC"),
            }
        }
        None => {
            if let Some((_, id)) = &query.after {
                let id = builder.bind(Cell::Text(id));
                builder.conditions.push(format!("id > {id}"));
            }
            "id".to_owned()
        }
    };
    builder.values.push(value(rows::limit(query.limit.min(LIMIT_MAX))));
    let limit = builder.values.len();
    let filter = match builder.conditions.as_slice() {
        [] => String::new(),
        conditions => format!(" WHERE {}", conditions.join(" AND ")),
    };
    let sql =
        format!("SELECT id, version, person, body FROM {table}{filter} ORDER BY {order} LIMIT ${limit}");
    Ok(Statement { sql, values: builder.values })
}

struct Builder<'a> {
    query: &'a Query,
    conditions: Vec<String>,
    values: Vec<Value<'static>>,
}

impl Builder<'_> {
    fn bind(&mut self, cell: Cell<'_>) -> String {
        self.values.push(cell.boxed());
        format!("${}", self.values.len())
    }

    fn kind(&self, column: &str) -> Result<ColumnKind, Error> {
        let collection = self.query.collection;
        let found = collection.columns.iter().find(|declared| declared.name == column);
        found.map(|declared| declared.kind).ok_or_else(|| {
            Error::Malformed(format!("`{}` has no column `{column}` to ask by", collection.name))
        })
    }

    fn physical(&self, column: &str) -> Result<Vec<String>, Error> {
        Ok(physical(column, self.kind(column)?).into_iter().map(|(name, _)| name).collect())
    }

    /// The cells of a column: one, or two for money.
    fn cells<'v>(&self, column: &str, value: &'v ColumnValue) -> Result<Vec<Cell<'v>>, Error> {
        let kind = self.kind(column)?;
        stored(kind, value).ok_or_else(|| {
            let name = self.query.collection.name;
            Error::Malformed(format!("column `{column}` of `{name}` holds {kind:?}, the value does not"))
        })
    }

    fn compare(&mut self, column: &str, compare: Compare, value: &ColumnValue) -> Result<(), Error> {
        let names = self.physical(column)?;
        if *value == ColumnValue::Null {
            // Nothing is above or below what is absent.
            let condition =
                if compare == Compare::Equal { format!("{} IS NULL", names[0]) } else { "false".to_owned() };
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
        for (place, (name, cell)) in names.into_iter().zip(self.cells(column, value)?).enumerate() {
            let bound = self.bind(cell);
            let sign = if place == 0 { sign } else { "=" };
            self.conditions.push(format!("{name} {sign} {bound}"));
        }
        Ok(())
    }

    /// Continues after the last document of the page before.
    fn after_in_order(&mut self, name: &str, column: &str, direction: Direction) -> Result<(), Error> {
        let Some((value, id)) = &self.query.after else { return Ok(()) };
        let condition = if *value == ColumnValue::Null {
            let id = self.bind(Cell::Text(id));
            match direction {
                Direction::Ascending => format!("(({name} IS NULL AND id > {id}) OR {name} IS NOT NULL)"),
                Direction::Descending => format!("({name} IS NULL AND id < {id})"),
            }
        } else {
            let cell = self.cells(column, value)?.swap_remove(0);
            let (value, id) = (self.bind(cell), self.bind(Cell::Text(id)));
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
