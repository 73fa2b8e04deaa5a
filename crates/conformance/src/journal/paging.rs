//! The order of documents, and its pages.

use backbone::collection::{ColumnValue, Direction, LIMIT_MAX, Query};
use backbone::commit::{Expected, Put};
use kernel::Money;

use super::look::ids;
use super::queries::{columns_with, write};
use crate::World;
use crate::expect::{Shown, ensure, equal};
use crate::sample::{GOODS, NOTES, good, note};

/// Ids with their stock: ties, and absent values.
const STOCKS: [(&str, Option<i64>); 9] = [
    ("a", Some(2)),
    ("b", None),
    ("c", Some(-1)),
    ("d", Some(2)),
    ("e", Some(7)),
    ("f", None),
    ("g", Some(2)),
    ("h", Some(7)),
    ("i", Some(0)),
];
const BY_STOCK: [&str; 9] = ["b", "f", "c", "i", "a", "d", "g", "e", "h"];

fn goods() -> Vec<Put> {
    let mut puts: Vec<Put> =
        STOCKS.iter().map(|(id, stock)| good(id, columns_with(1, (*stock).into()))).collect();
    puts.reverse();
    puts
}

fn by_stock(direction: Direction) -> Vec<String> {
    let mut expected = BY_STOCK.map(str::to_owned).to_vec();
    if direction == Direction::Descending {
        expected.reverse();
    }
    expected
}

pub(super) async fn by_id(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    write(&journal, goods()).await?;
    let expected: Vec<String> = STOCKS.iter().map(|(id, _)| (*id).to_owned()).collect();
    equal("all by id", ids(&journal, Query::all(&GOODS)).await?, expected.clone())?;
    let page = Query::all(&GOODS).after(ColumnValue::Null, "d".to_owned()).limit(3);
    equal("a page by id", ids(&journal, page).await?, expected[4..7].to_vec())
}

pub(super) async fn sorted(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    write(&journal, goods()).await?;
    for direction in [Direction::Ascending, Direction::Descending] {
        let query = Query::all(&GOODS).sorted("stock", direction);
        equal(&format!("{direction:?}"), ids(&journal, query).await?, by_stock(direction))?;
    }
    Ok(())
}

pub(super) async fn every_page_size(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    write(&journal, goods()).await?;
    for direction in [Direction::Ascending, Direction::Descending] {
        for size in 1..=10 {
            let query = Query::all(&GOODS).sorted("stock", direction).limit(size);
            let mut seen: Vec<String> = Vec::new();
            loop {
                let mut page = query.clone();
                if let Some(last) = seen.last() {
                    let stock = STOCKS.iter().find(|(id, _)| id == last).and_then(|(_, stock)| *stock);
                    page = page.after(stock.into(), last.clone());
                }
                let found = ids(&journal, page).await?;
                ensure(found.len() <= size, format_args!("a page of {} with limit {size}", found.len()))?;
                if found.is_empty() {
                    break;
                }
                seen.extend(found);
                ensure(seen.len() <= STOCKS.len(), format_args!("a document came twice: {seen:?}"))?;
            }
            equal(&format!("{direction:?} by {size}"), seen, by_stock(direction))?;
        }
    }
    let prices = ["x", "y", "z"].map(|id| good(id, columns_with(5, Money::eur(100).into())));
    write(&journal, prices.to_vec()).await?;
    let tied = Query::all(&GOODS).equal("price", Money::eur(100)).sorted("price", Direction::Ascending);
    let after = tied.after(Money::eur(100).into(), "x".to_owned());
    equal("a page of money", ids(&journal, after).await?, vec!["y".to_owned(), "z".to_owned()])
}

pub(super) async fn limits(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    let notes = (0..LIMIT_MAX + 5).map(|number| note(&format!("{number:05}"), Expected::Any, "x")).collect();
    write(&journal, notes).await?;
    for (limit, expected) in [(0, 0), (1, 1), (LIMIT_MAX, LIMIT_MAX), (usize::MAX, LIMIT_MAX)] {
        let found = journal.find(Query { limit, ..Query::all(&NOTES) }).await.shown("finding")?;
        equal(&format!("limit {limit}"), found.len(), expected)?;
    }
    Ok(())
}
