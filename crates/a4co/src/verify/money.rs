//! Rule 34: the ledger balances to zero; splits sum to the amount to the cent. And the gateway's own
//! memory: what it took and gave is what payment knows.

use std::collections::BTreeMap;

use provider_sandbox::{Operation, Standing};
use serde_json::Value;

use super::orders::given_back;
use super::{Facts, Findings, number, text};

const RULE: &str = "rule 34";

pub(super) fn check(facts: &Facts, findings: &mut Findings) {
    ledger(facts, findings);
    for (id, payment) in &facts.payments {
        one(id, payment, findings);
    }
    if facts.gateway_is_known {
        gateway(facts, findings);
    }
}

fn ledger(facts: &Facts, findings: &mut Findings) {
    let mut sums: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for posting in facts.postings.values() {
        let sum = sums.entry((text(posting, "/paymentId"), text(posting, "/currency"))).or_default();
        *sum += number(posting, "/debit") - number(posting, "/credit");
    }
    for ((payment, currency), sum) in sums {
        if sum != 0 {
            findings.add(
                RULE,
                format!("payment {payment}"),
                format!("its postings sum to {sum} {currency}, not to zero"),
            );
        }
    }
}

fn one(id: &str, payment: &Value, findings: &mut Findings) {
    let amount = number(payment, "/amount/amount");
    let splits = payment.get("splits").and_then(Value::as_array);
    let sum: i64 = splits.into_iter().flatten().map(|split| number(split, "/amount/amount")).sum();
    if splits.is_some_and(|splits| !splits.is_empty()) && sum != amount {
        findings.add(RULE, format!("payment {id}"), format!("of {amount} is split into {sum}"));
    }
    let back = given_back(payment);
    if back > amount {
        findings.add(RULE, format!("payment {id}"), format!("of {amount}: {back} was given back"));
    }
}

/// What the gateway did and what payment knows are the same, but for what is under way.
fn gateway(facts: &Facts, findings: &mut Findings) {
    let under_way = |payment: &str| {
        facts.sagas.iter().any(|(service, saga)| {
            let named = saga.id.to_string() == payment || text(&saga.data, "/paymentId") == payment;
            *service == "payment" && !saga.phase.is_final() && named
        })
    };
    let mut charges: BTreeMap<String, i64> = BTreeMap::new();
    for record in facts.gateway.values() {
        let amount = record.amount.map_or(0, |amount| amount.amount);
        if record.operation == Operation::Charge && record.standing == Standing::Done {
            let payment = record.payment_id.map(|id| id.to_string()).unwrap_or_default();
            *charges.entry(payment).or_default() += amount;
        }
    }
    for (payment, charged) in &charges {
        let known = facts.payments.get(payment);
        let taken = known.filter(|view| !text(view, "/transaction").is_empty());
        let recorded = taken.map_or(0, |view| number(view, "/amount/amount"));
        if recorded != *charged && !under_way(payment) {
            let what = format!("the gateway took {charged}, payment recorded {recorded}");
            findings.add(RULE, format!("payment {payment}"), what);
        }
    }
    for (id, payment) in &facts.payments {
        let took = !text(payment, "/transaction").is_empty() && text(payment, "/gateway") == "sandbox";
        if took && !charges.contains_key(id) {
            findings.add(RULE, format!("payment {id}"), "is recorded as taken, but the gateway took nothing");
        }
    }
}
