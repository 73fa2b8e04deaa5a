//! Which documents a query gives.

use backbone::collection::{ColumnValue, Compare, Query};
use backbone::commit::{Commit, Expected, Put};
use kernel::{Currency, Money, Timestamp};
use uuid::Uuid;

use super::look::{Handle, ids};
use crate::World;
use crate::expect::{committed, equal};
use crate::sample::{self, GOODS, good, time};

/// A value for each column; the one of `index` replaced.
pub(super) fn columns_with(index: usize, value: ColumnValue) -> Vec<ColumnValue> {
    let mut columns = vec![ColumnValue::Null; GOODS.columns.len()];
    columns[index] = value;
    columns
}

pub(super) async fn write(journal: &Handle, puts: Vec<Put>) -> Result<(), String> {
    committed(journal.submit(Commit { puts, ..Commit::default() }).await).map(|_| ())
}

const ALL: [Compare; 5] = [Compare::Equal, Compare::Below, Compare::AtMost, Compare::Above, Compare::AtLeast];

/// What each comparison with the middle one of `low`, `middle`, `high` gives.
fn around_middle(how: Compare) -> Vec<String> {
    let names: &[&str] = match how {
        Compare::Equal => &["b-middle"],
        Compare::Below => &["a-low"],
        Compare::AtMost => &["a-low", "b-middle"],
        Compare::Above => &["c-high"],
        Compare::AtLeast => &["b-middle", "c-high"],
    };
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub(super) async fn comparisons(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    let of_each_kind: [(usize, [ColumnValue; 3]); 5] = [
        (0, ["cuenco".into(), "cuenco azul".into(), "jarra".into()]),
        (1, [i64::MIN.into(), 0i64.into(), i64::MAX.into()]),
        (3, [Timestamp::from_micros(-1).into(), time().into(), Timestamp::from_micros(i64::MAX).into()]),
        (4, [Uuid::nil().into(), sample::id(1).into(), Uuid::max().into()]),
        (5, [Money::eur(i64::MIN).into(), Money::eur(1_250).into(), Money::eur(i64::MAX).into()]),
    ];
    for (index, values) in of_each_kind {
        let name = GOODS.columns[index].name;
        let puts = ["a-low", "b-middle", "c-high"].iter().zip(&values);
        let puts = puts.map(|(id, value)| good(id, columns_with(index, value.clone()))).collect();
        write(&journal, puts).await?;
        for how in ALL {
            let query = Query::all(&GOODS).with(name, how, values[1].clone());
            equal(&format!("{name} {how:?}"), ids(&journal, query).await?, around_middle(how))?;
        }
    }
    let switches = [("a-low", false), ("b-middle", true), ("c-high", false)];
    write(
        &journal,
        switches.iter().map(|(id, listed)| good(id, columns_with(2, (*listed).into()))).collect(),
    )
    .await?;
    for (listed, expected) in [(true, vec!["b-middle"]), (false, vec!["a-low", "c-high"])] {
        equal("listed", ids(&journal, Query::all(&GOODS).equal("listed", listed)).await?, owned(&expected))?;
    }
    Ok(())
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub(super) async fn absent_values(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    write(&journal, vec![good("a", columns_with(1, 5i64.into())), good("b", columns_with(0, "x".into()))])
        .await?;
    for how in ALL {
        let absent = Query::all(&GOODS).with("title", how, ColumnValue::Null);
        let expected = if how == Compare::Equal { owned(&["a"]) } else { Vec::new() };
        equal(&format!("{how:?} absent"), ids(&journal, absent).await?, expected)?;
        let money = Query::all(&GOODS).with("price", how, Money::eur(0));
        equal(&format!("absent money {how:?}"), ids(&journal, money).await?, Vec::<String>::new())?;
    }
    let at_most = Query::all(&GOODS).with("stock", Compare::AtMost, 5i64);
    equal("at most five", ids(&journal, at_most).await?, owned(&["a"]))
}

pub(super) async fn all_required(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    let of = |title: &str, stock: i64, price: i64| {
        vec![
            title.into(),
            stock.into(),
            true.into(),
            time().into(),
            sample::id(1).into(),
            Money::eur(price).into(),
        ]
    };
    let puts = vec![
        good("a", of("bowl", 3, 100)),
        good("b", of("bowl", 7, 200)),
        good("c", of("jug", 7, 100)),
        good("d", of("bowl", 9, 100)),
    ];
    write(&journal, puts).await?;
    let query = Query::all(&GOODS)
        .equal("title", "bowl")
        .equal("maker", sample::id(1))
        .equal("listed", true)
        .with("stock", Compare::Above, 3i64)
        .with("stock", Compare::AtMost, 9i64);
    equal("five conditions", ids(&journal, query.clone()).await?, owned(&["b", "d"]))?;
    equal("six", ids(&journal, query.equal("price", Money::eur(100))).await?, owned(&["d"]))?;
    let between = Query::all(&GOODS).with("stock", Compare::Above, 3i64).with("stock", Compare::Below, 3i64);
    equal("a contradiction", ids(&journal, between).await?, Vec::<String>::new())
}

/// As `memcmp` does, on every database: no collation of a locale.
pub(super) async fn text_order(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    let titles = [("1", "B"), ("2", "a"), ("3", "ab"), ("4", "ñ"), ("5", "')--"), ("6", "%")];
    write(&journal, titles.iter().map(|(id, title)| good(id, columns_with(0, (*title).into()))).collect())
        .await?;
    let query = Query::all(&GOODS).sorted("title", backbone::collection::Direction::Ascending);
    equal("titles by their bytes", ids(&journal, query).await?, owned(&["6", "5", "1", "2", "3", "4"]))?;
    let below = Query::all(&GOODS).with("title", Compare::Below, "a");
    equal("below a", ids(&journal, below).await?, owned(&["1", "5", "6"]))?;
    let quoted = Query::all(&GOODS).equal("title", "')--");
    equal("a title with quotes", ids(&journal, quoted).await?, owned(&["5"]))
}

pub(super) async fn money(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    let dollar = Currency::from_code("USD").ok_or("USD is a currency")?;
    let prices = [("a", Money::eur(100)), ("b", Money::new(100, dollar)), ("c", Money::eur(300))];
    write(&journal, prices.iter().map(|(id, price)| good(id, columns_with(5, (*price).into()))).collect())
        .await?;
    for (how, price, expected) in [
        (Compare::Equal, Money::eur(100), vec!["a"]),
        (Compare::Equal, Money::new(100, dollar), vec!["b"]),
        (Compare::AtLeast, Money::eur(100), vec!["a", "c"]),
        (Compare::Below, Money::new(500, dollar), vec!["b"]),
        (Compare::Above, Money::eur(300), vec![]),
    ] {
        let query = Query::all(&GOODS).with("price", how, price);
        equal(&format!("{how:?} {price}"), ids(&journal, query).await?, owned(&expected))?;
    }
    Ok(())
}

pub(super) async fn columns_follow(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    let stock = |amount: i64| ids(&journal, Query::all(&GOODS).equal("stock", amount));
    write(&journal, vec![good("a", columns_with(1, 5i64.into()))]).await?;
    equal("after the first write", stock(5).await?, owned(&["a"]))?;
    write(&journal, vec![good("a", columns_with(1, 6i64.into()))]).await?;
    equal("the old value", stock(5).await?, Vec::new())?;
    equal("the new value", stock(6).await?, owned(&["a"]))?;
    let stale = Put { expected: Expected::Version(7), ..good("a", columns_with(1, 7i64.into())) };
    crate::expect::conflict(journal.submit(Commit { puts: vec![stale], ..Commit::default() }).await, "a")?;
    equal("after a conflict", stock(6).await?, owned(&["a"]))?;
    let delete = backbone::commit::Delete { collection: &GOODS, id: "a".to_owned(), expected: Expected::Any };
    committed(journal.submit(Commit { deletes: vec![delete], ..Commit::default() }).await)?;
    equal("after the delete", stock(6).await?, Vec::new())
}
