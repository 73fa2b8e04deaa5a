//! Rule 33: every order ends in a final state; none is paid and cancelled without its refund, none
//! confirmed without its payment and its stock; no reservation outlives its order.

use backbone::saga::Phase;
use serde_json::Value;

use super::{Facts, Findings, number, text};

const RULE: &str = "rule 33";

/// How long past its deadline a saga may still stand.
const LATE: kernel::Duration = kernel::Duration::from_secs(60);

pub(super) fn check(facts: &Facts, findings: &mut Findings) {
    let payments = facts.payments_by_order();
    for (id, order) in &facts.orders {
        let paid = payments.get(id.as_str()).map_or(&[][..], Vec::as_slice);
        one(facts, id, order, paid, findings);
    }
    for stream in facts.order_streams.keys() {
        let id = stream.strip_prefix("order-").unwrap_or(stream);
        if !facts.orders.contains_key(id) {
            findings.add(RULE, format!("order {id}"), "has a history and no view");
        }
    }
    sagas(facts, findings);
    reservations(facts, findings);
}

/// What is left of what was taken.
fn net(payments: &[&Value]) -> i64 {
    payments.iter().map(|payment| taken(payment) - given_back(payment)).sum()
}

fn taken(payment: &Value) -> i64 {
    if text(payment, "/transaction").is_empty() { 0 } else { number(payment, "/amount/amount") }
}

/// What of a payment was given back.
pub(super) fn given_back(payment: &Value) -> i64 {
    let refunds = payment.get("refunds").and_then(Value::as_object);
    let done = refunds.into_iter().flat_map(|refunds| refunds.values());
    done.filter(|refund| text(refund, "/status") == "processed")
        .map(|refund| number(refund, "/amount/amount"))
        .sum()
}

fn one(facts: &Facts, id: &str, order: &Value, payments: &[&Value], findings: &mut Findings) {
    let subject = format!("order {id}");
    let state = text(order, "/state");
    let Some(saga) = facts.saga_of("order-fulfilment", id) else {
        return findings.add(RULE, subject, "has no fulfilment saga");
    };
    let net = net(payments);
    let settling = facts.sagas.iter().any(|(_, other)| {
        !other.phase.is_final() && (other.id.to_string() == id || text(&other.data, "/orderId") == id)
    });
    match state {
        "cancelled" | "failed" if !settling && net != 0 => {
            let what = format!("is {state} and {net} of the customer's money was kept");
            findings.add(RULE, subject.clone(), what);
        }
        "confirmed" | "preparing" | "shipped" | "delivered" => {
            let plain = order.get("refunds").and_then(Value::as_array).is_none_or(Vec::is_empty)
                && order.get("changes").and_then(Value::as_array).is_none_or(Vec::is_empty);
            let total = number(order, "/total/amount");
            if !settling && plain && net != total {
                findings.add(RULE, subject.clone(), format!("is {state}, costs {total}, and {net} was paid"));
            }
            let hold = text(order, "/hold/id");
            let status = facts.reservations.get(hold).map_or("absent", |view| text(view, "/status"));
            // Confirming is a reaction: it may be on its way.
            if !settling && !matches!(status, "confirmed" | "reserved") {
                findings.add(RULE, subject.clone(), format!("is {state} and its reservation is {status}"));
            }
        }
        _ => {}
    }
    let agrees = match saga.phase {
        Phase::Completed => !matches!(state, "pending" | "awaiting-customer"),
        Phase::Compensated => matches!(state, "cancelled" | "failed"),
        _ => true,
    };
    if !agrees {
        findings.add(RULE, subject, format!("is {state} though its fulfilment is {}", saga.phase.name()));
    }
}

/// No saga is blocked, or past its deadline.
fn sagas(facts: &Facts, findings: &mut Findings) {
    for (service, saga) in &facts.sagas {
        let subject = format!("{service}'s saga {} {}", saga.saga, saga.id);
        if saga.phase == Phase::Blocked {
            let reason = saga.reason.clone().unwrap_or_default();
            findings.add("rule 28", subject, format!("is blocked and waits for an operator: {reason}"));
        } else if !saga.phase.is_final() && saga.due.is_some_and(|due| due.plus(LATE) < facts.now) {
            findings.add("rule 30", subject, "is past its deadline and nothing happened");
        }
    }
}

/// No reservation outlives its order.
fn reservations(facts: &Facts, findings: &mut Findings) {
    for (id, view) in &facts.reservations {
        let order = text(view, "/owner/order/orderId");
        let Some(found) = facts.orders.get(order) else { continue };
        let ended = matches!(text(found, "/state"), "cancelled" | "failed");
        let saga_ended =
            facts.sagas.iter().all(|(_, saga)| saga.id.to_string() != order || saga.phase.is_final());
        if ended && saga_ended && text(view, "/status") == "reserved" {
            findings.add(RULE, format!("reservation {id}"), format!("outlived its order {order}"));
        }
    }
}
