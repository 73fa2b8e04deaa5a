//! The plain SQL views that reporting tools read: one golden table for every store that has SQL. Each
//! adapter reads its own views with its own client; what stands in them is said here once.

use backbone::collection::{Collection, Column, ColumnKind, ColumnValue};
use backbone::commit::{Commit, Expected, Put};
use backbone::journal::Schema;
use bytes::Bytes;
use kernel::Money;

use crate::sample::{id, time};

/// A view of the collection, and what a reader finds there in the order of its first columns.
pub struct View {
    /// `baskets`, or `baskets_lines` of a child list: behind what the store puts before it.
    pub name: &'static str,
    /// Its columns.
    pub columns: &'static [&'static str],
    /// Its rows, as text: `NULL`, `true`, JSON without spaces, ids with hyphens.
    pub rows: &'static [&'static [&'static str]],
}

/// Documents with a column of each kind and a list.
pub static BASKETS: Collection = Collection {
    name: "baskets",
    columns: &[
        Column::indexed("title", ColumnKind::Text),
        Column::plain("pieces", ColumnKind::Integer),
        Column::plain("is_gift", ColumnKind::Bool),
        Column::indexed("made_at", ColumnKind::Timestamp),
        Column::plain("maker", ColumnKind::Uuid),
        Column::plain("price", ColumnKind::Money),
    ],
    children: &["lines"],
};

/// The service whose views they are.
pub fn schema() -> Schema {
    Schema { service: "order", collections: vec![&BASKETS] }
}

/// What is written: a document with everything, one with nothing, and one whose list is none.
pub fn commit() -> Commit {
    let full = vec![
        "Cesta de Úbeda".into(),
        ColumnValue::Integer(-3),
        true.into(),
        time().into(),
        id(7).into(),
        Money::eur(1_250).into(),
    ];
    let put = |id: &str, columns: Vec<ColumnValue>, body: &'static str| Put {
        collection: &BASKETS,
        shadow: false,
        id: id.to_owned(),
        expected: Expected::Any,
        person: None,
        body: Bytes::from_static(body.as_bytes()),
        columns,
    };
    let empty = || vec![ColumnValue::Null; BASKETS.columns.len()];
    Commit {
        puts: vec![
            put("a", full, r#"{"lines":[{"sku":"ACEITE","n":2},"suelto",4,null,true]}"#),
            put("b", empty(), r#"{"lines":[]}"#),
            put("c", empty(), r#"{"lines":null,"note":"ñ"}"#),
        ],
        ..Commit::default()
    }
}

/// What the views show then.
pub const VIEWS: &[View] = &[
    View {
        name: "baskets",
        columns: &[
            "id",
            "version",
            "title",
            "pieces",
            "is_gift",
            "made_at",
            "maker",
            "price",
            "price_currency",
            "body",
        ],
        rows: &[
            &[
                "a",
                "1",
                "Cesta de Úbeda",
                "-3",
                "true",
                "1767607200123456",
                "01900000-0000-7000-8000-000000000007",
                "1250",
                "EUR",
                r#"{"lines":[{"n":2,"sku":"ACEITE"},"suelto",4,null,true]}"#,
            ],
            &["b", "1", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL", r#"{"lines":[]}"#],
            &[
                "c",
                "1",
                "NULL",
                "NULL",
                "NULL",
                "NULL",
                "NULL",
                "NULL",
                "NULL",
                r#"{"lines":null,"note":"ñ"}"#,
            ],
        ],
    },
    View {
        name: "baskets_lines",
        columns: &["parent", "place", "value"],
        rows: &[
            &["a", "0", r#"{"n":2,"sku":"ACEITE"}"#],
            &["a", "1", "\"suelto\""],
            &["a", "2", "4"],
            &["a", "3", "null"],
            &["a", "4", "true"],
        ],
    },
];
