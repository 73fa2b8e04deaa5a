//! Checks of payment methods before a charge.

use backbone::{Refusal, Workspace};
use contracts::calls::{PaymentProfile, PaymentValidated, ValidatePayment};
use contracts::payment::{MethodType, MethodValidated};
use kernel::{Money, ValidationId};

use super::{account, methods};
use crate::Config;
use crate::ports::Recognised;
use crate::views::CheckedMethod;

/// What was found out about a method outside of the decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Findings {
    /// The gateway's token and what it says; none where nobody knows the method.
    pub means: Option<(String, Recognised)>,
    /// The customer's profile; none for guests.
    pub profile: Option<PaymentProfile>,
}

/// Why a method cannot pay an amount; none where it can.
pub fn objection(findings: &Findings, amount: Money) -> Option<&'static str> {
    if amount.amount < 0 {
        return Some("the amount is negative");
    }
    if findings.means.is_none() {
        return Some("the payment method is unknown: choose a stored one or add it again");
    }
    let profile = findings.profile.as_ref()?;
    if profile.blocked {
        return Some("charges are stopped for this account: contact us");
    }
    let limit = profile.order_limit.filter(|limit| limit.currency == amount.currency)?;
    (amount.amount > limit.amount).then_some("the amount is above this account's limit for one order")
}

/// How long a charge with this kind of method may take until it is answered.
pub fn charge_limit_seconds(config: &Config, recognised: Option<Recognised>) -> u32 {
    let extra = match recognised {
        Some(Recognised { method_type: MethodType::Transfer, .. }) => config.transfer_limit,
        Some(Recognised { three_ds: true, .. }) => config.three_ds_limit,
        _ => kernel::Duration::ZERO,
    };
    u32::try_from((config.charge_limit + extra).as_secs()).unwrap_or(u32::MAX)
}

/// Records and publishes a check.
pub fn record(
    ws: &mut Workspace<'_>,
    request: &ValidatePayment,
    findings: &Findings,
    charge_limit_seconds: u32,
) -> Result<PaymentValidated, Refusal> {
    let account = account(ws, request.order_id)?;
    let objection = match account.is_closed() {
        true => Some("the order is off: nothing is charged for it"),
        false => objection(findings, request.amount),
    };
    let recognised = findings.means.as_ref().map(|(_, recognised)| *recognised);
    if let (Some((token, _)), None) = (&findings.means, objection) {
        remember(ws, request, token)?;
    }
    let validation_id = ValidationId(ws.uuid());
    let method_type = recognised.map_or(MethodType::Card, |recognised| recognised.method_type);
    let three_ds = recognised.is_some_and(|recognised| recognised.three_ds);
    let validated_at = ws.now();
    ws.publish(MethodValidated {
        validation_id,
        order_id: request.order_id,
        payment_method_id: request.payment_method_id.clone(),
        method_type,
        is_valid: objection.is_none(),
        available_credit: None,
        requires_3ds: Some(three_ds),
        risk_score: None,
        validated_at,
    });
    Ok(PaymentValidated {
        validation_id,
        is_valid: objection.is_none(),
        reason: objection.map(str::to_owned),
        method_type,
        requires_three_ds: three_ds,
        charge_limit_seconds,
    })
}

/// A gateway's own token needs no remembering: it is named again when it is charged.
fn remember(ws: &mut Workspace<'_>, request: &ValidatePayment, token: &str) -> Result<(), Refusal> {
    if *token == request.payment_method_id {
        return Ok(());
    }
    let method = CheckedMethod {
        order_id: request.order_id,
        customer_id: request.customer_id,
        payment_method_id: request.payment_method_id.clone(),
        token: token.to_owned().into(),
    };
    methods::remember(ws, method)
}
