//! The import: what is read, what is reported, what is listed.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use backbone::calls::{CallError, CallReply};
use backbone::route::Role;
use bytes::Bytes;
use contracts::artisan::ProductListed;
use contracts::calls::OfferProduct;
use contracts::product::Status;
use futures::executor::block_on;
use http::{Method, Request, StatusCode, header};
use http_kit::testing::{Reply, person, send};
use kernel::{ArtisanId, Money};
use serde_json::json;
use uuid::Uuid;

use super::{MILL, NOON, POTTER, stage};
use crate::domain::Product;
use crate::import::{Importer, read};

const FILE: &str = "\
sku,name,category,price,stock,product,vatRate,description,attribute.size
H1,Miel de romero,alimentacion/miel,8.50,40,,,De la sierra,
O500,Aceite picual,alimentacion/aceite,\"9,00\",30,ACEITE,,,500 ml
O5L,Aceite picual,alimentacion/aceite,65,12,ACEITE,,,5 l
B1,Cuenco,ceramica,24.005,3,,,,
B2,Plato,ceramica,12,many,,,,
H1,Miel otra vez,alimentacion/miel,8.50,40,,,,
";

fn own(artisan: ArtisanId) -> Importer {
    Importer { only: Some(artisan), rows_max: 1_000 }
}

#[test]
fn good_rows_become_products_and_bad_ones_are_reported_by_line() {
    let (imports, rejected) = read(FILE.as_bytes(), own(MILL));
    assert_eq!(imports.iter().map(|i| i.key.as_str()).collect::<Vec<_>>(), ["H1", "ACEITE"]);
    assert_eq!(imports[1].rows, [(3, "O500".to_owned()), (4, "O5L".to_owned())]);
    assert_eq!(imports[1].offer.variants[1].price, Money::eur(6_500));
    let lines: Vec<(u64, Option<&str>)> = rejected.iter().map(|r| (r.line, r.column.as_deref())).collect();
    assert_eq!(lines, [(5, Some("price")), (6, Some("stock")), (7, Some("sku"))]);
}

#[test]
fn a_file_without_the_right_columns_is_refused_as_a_whole() {
    for (file, column) in [
        ("sku,name,category,price\n", "stock"),
        ("sku,name,category,price,stock,colour\n", "colour"),
        ("sku,sku,name,category,price,stock\n", "sku"),
    ] {
        let (imports, rejected) = read(file.as_bytes(), own(MILL));
        assert!(imports.is_empty());
        assert_eq!((rejected[0].line, rejected[0].column.as_deref()), (1, Some(column)));
    }
}

#[test]
fn rows_past_the_limit_and_rows_of_others_are_rejected() {
    let row = |sku: &str, artisan: &str| format!("{sku},Miel,miel,1,1,{artisan}\n");
    let file = format!(
        "\u{feff}sku,name,category,price,stock,artisanId\n{}{}{}",
        row("A", ""),
        row("B", &POTTER.to_string()),
        row("C", "")
    );
    let (imports, rejected) = read(file.as_bytes(), Importer { only: Some(MILL), rows_max: 2 });
    assert_eq!(imports.len(), 1);
    assert_eq!(rejected.iter().map(|r| r.line).collect::<Vec<_>>(), [3, 4]);
    let (_, rejected) = read(file.as_bytes(), Importer { only: None, rows_max: 10 });
    assert_eq!(rejected.iter().map(|r| r.line).collect::<Vec<_>>(), [2, 4], "operators say whose it is");
}

fn upload(router: &axum::Router) -> Reply {
    let request = Request::builder()
        .method(Method::POST)
        .uri("/api/products/import")
        .header(header::CONTENT_TYPE, "text/csv")
        .header(header::AUTHORIZATION, format!("Bearer {}", person(MILL.0, Role::Artisan)))
        .body(Body::from(FILE))
        .unwrap();
    block_on(send(router, request))
}

#[test]
fn an_upload_makes_drafts_and_has_the_artisan_service_list_them() {
    let (stage, router) = stage();
    let offers: Arc<Mutex<Vec<OfferProduct>>> = Arc::default();
    let seen = offers.clone();
    stage.answer_calls(move |request| {
        assert_eq!(request.path_and_query, format!("/api/artisans/{MILL}/listings"));
        let offer: OfferProduct = serde_json::from_slice(request.body.as_ref().unwrap()).unwrap();
        assert_eq!(request.idempotency_key, Some(format!("listing/{MILL}/{}", offer.sku)));
        if offer.sku == "H1" {
            return Err(CallError::Unknown { to: "artisan", reason: "time-out".to_owned() });
        }
        let answer = json!({"productId": offer.product_id, "listed": true});
        seen.lock().unwrap().push(offer);
        Ok(CallReply { status: StatusCode::OK, body: Bytes::from(answer.to_string()) })
    });
    let reply = upload(&router);
    assert_eq!(reply.status, StatusCode::OK, "{:?}", reply.body);
    let lines = |list: &str| -> Vec<u64> {
        reply.body[list].as_array().unwrap().iter().map(|row| row["line"].as_u64().unwrap()).collect()
    };
    assert_eq!((lines("accepted"), lines("rejected")), (vec![3, 4], vec![2, 5, 6, 7]));
    let offer = offers.lock().unwrap().pop().unwrap();
    assert_eq!((offer.initial_stock, offer.variants.len()), (42, 2));
    let draft = stage.get::<Product>(offer.product_id.unwrap()).unwrap();
    assert_eq!(draft.status, Status::Draft);
}

#[test]
fn a_listing_opens_the_draft_and_keeps_what_it_does_not_carry() {
    let (stage, router) = stage();
    stage.answer_calls(|request| {
        let offer: OfferProduct = serde_json::from_slice(request.body.as_ref().unwrap()).unwrap();
        let answer = json!({"productId": offer.product_id, "listed": true});
        Ok(CallReply { status: StatusCode::OK, body: Bytes::from(answer.to_string()) })
    });
    let reply = upload(&router);
    let id: Uuid = reply.body["accepted"][0]["productId"].as_str().unwrap().parse().unwrap();
    let listed = ProductListed {
        product_id: id.into(),
        artisan_id: MILL,
        product_name: "Miel de romero".to_owned(),
        category: "alimentacion/miel".to_owned(),
        price: Money::eur(850),
        initial_stock: 40,
        variants: Vec::new(),
        listed_at: NOON,
    };
    stage.receive(&listed).unwrap();
    let product = stage.get::<Product>(id).unwrap();
    assert_eq!((product.status, product.description.as_str()), (Status::Active, "De la sierra"));
    assert_eq!(upload(&router).body["accepted"], reply.body["accepted"], "a file can be sent again");
}
