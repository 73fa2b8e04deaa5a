//! The import: reads the file, makes drafts, and asks the artisan service to list each product.

use std::sync::Arc;

use axum::extract::State;
use backbone::Work;
use backbone::calls::CallError;
use bytes::Bytes;
use contracts::calls::{OfferProduct, OfferedVariant};
use futures::StreamExt as _;
use http_kit::{Answer, CallerIs, Execute as _, Origin, Problem};
use serde_json::Value;

use super::Shop;
use super::editing::only;
use crate::commands;
use crate::import::{self, AcceptedRow, Import, Importer, RejectedRow, Report};

/// The largest file: a thousand rows with long descriptions.
pub(super) const FILE_BYTES_MAX: usize = 2 * 1024 * 1024;

pub(super) async fn import(
    State(shop): State<Shop>,
    CallerIs(caller): CallerIs,
    Origin(origin): Origin,
    file: Bytes,
) -> Result<Answer, Problem> {
    let importer = Importer { only: only(&caller), rows_max: shop.config.import_rows_max };
    let (imports, rejected) = import::read(&file, importer);
    let mut report = Report { accepted: Vec::new(), rejected };
    let imports = Arc::new(imports);
    if !imports.is_empty() {
        // Drafts come first: a listing's event finds what it does not carry itself.
        let drafts: Vec<_> = imports.iter().map(|i| (i.product_id, i.artisan_id, i.offer.clone())).collect();
        let work = Work::new("import-products", origin.clone(), move |ws| {
            commands::draft(ws, &drafts)?;
            Ok(Value::Null)
        });
        shop.context.run(work).await?;
    }
    // The calls run side by side but report in the file's order.
    let offers: Vec<_> = imports.iter().map(|import| (import.artisan_id, offer(import))).collect();
    let calls = offers.into_iter().map(|(artisan, offer)| {
        let (listings, flow) = (shop.listings.clone(), origin.correlation_id.clone());
        async move { listings.offer(artisan, &offer, &flow).await }
    });
    let answers: Vec<_> =
        futures::stream::iter(calls).buffered(shop.config.import_parallel.max(1)).collect().await;
    for (import, answer) in imports.iter().zip(answers) {
        match answer {
            Ok(offered) => report.accepted.extend(import.rows.iter().map(|(line, sku)| AcceptedRow {
                line: *line,
                sku: sku.clone(),
                product_id: offered.product_id,
            })),
            Err(error) => report.rejected.extend(import.rows.iter().map(|(line, _)| RejectedRow {
                line: *line,
                column: None,
                reason: reason(&error),
            })),
        }
    }
    report.rejected.sort_by_key(|row| row.line);
    Ok(Answer::ok(&report))
}

fn offer(import: &Import) -> OfferProduct {
    let stock_of = |sku: &str| import.stock.get(sku).copied().unwrap_or(0);
    let variants = import.offer.variants.iter().map(|variant| OfferedVariant {
        sku: variant.sku.clone(),
        attributes: variant.attributes.clone(),
        price: variant.price,
        initial_stock: stock_of(&variant.sku),
    });
    OfferProduct {
        sku: import.key.clone(),
        product_id: Some(import.product_id),
        name: import.offer.name.clone(),
        category: import.offer.category.clone(),
        price: import.offer.price,
        initial_stock: import.stock.values().fold(0, |sum, pieces| sum.saturating_add(*pieces)),
        variants: variants.collect(),
    }
}

fn reason(error: &CallError) -> String {
    match error {
        CallError::Answered { status, detail, .. } if status.is_client_error() => detail.clone(),
        _ => "listings are not available just now: send the file again, nothing is listed twice".to_owned(),
    }
}
