//! The saga's calls. All three may be repeated: asking twice changes nothing, so an answer that
//! is lost is asked for again.

use backbone::calls::CallError;
use backbone::saga::{CallFailure, CallKey, SagaRegistration};
use contracts::inventory::Priority;
use http::StatusCode;

use super::{Call, Fulfilment, Reply};
use crate::ports::{Flow, Ports};

/// The saga with what makes its calls.
pub fn registration(ports: &Ports) -> SagaRegistration {
    let ports = ports.clone();
    SagaRegistration::new::<Fulfilment>("saga:order-fulfilment", move |call, key| {
        let ports = ports.clone();
        Box::pin(async move { perform(&ports, call, key).await })
    })
}

async fn perform(ports: &Ports, call: Call, key: CallKey) -> Result<Reply, CallFailure> {
    let flow = Flow { correlation_id: key.correlation_id, key: Some(key.key) };
    match call {
        Call::Standing { customer_id } => match ports.customers.standing(customer_id, &flow).await {
            Ok(standing) => Ok(Reply::Standing {
                may_order: standing.may_order,
                reason: standing.reason,
                priority: standing.priority,
            }),
            Err(error) => refusal(error).map(|reason| Reply::Standing {
                may_order: false,
                reason: Some(reason),
                priority: Priority::Normal,
            }),
        },
        Call::Validate(question) => match ports.payments.validate(&question, &flow).await {
            Ok(answer) => Ok(Reply::Validated {
                is_valid: answer.is_valid,
                reason: answer.reason,
                method: answer.method_type,
                limit_s: u64::from(answer.charge_limit_seconds),
            }),
            Err(error) => refusal(error).map(|reason| Reply::Validated {
                is_valid: false,
                reason: Some(reason),
                method: contracts::payment::MethodType::Card,
                limit_s: 0,
            }),
        },
        Call::Extend { reservation_id, until } => {
            match ports.stock.extend(reservation_id, until, &flow).await {
                Ok(until) => Ok(Reply::Extended { until }),
                Err(error) => refusal(error).map(|reason| Reply::NotExtended { reason }),
            }
        }
    }
}

/// What means no. Other client errors (a token, a limit) are about us, not about the order.
const SAYS_NO: [StatusCode; 4] =
    [StatusCode::NOT_FOUND, StatusCode::CONFLICT, StatusCode::GONE, StatusCode::UNPROCESSABLE_ENTITY];

/// The other side's no, for people; anything else may be tried again.
fn refusal(error: CallError) -> Result<String, CallFailure> {
    match error {
        CallError::Answered { status, detail, .. } if SAYS_NO.contains(&status) => Ok(detail),
        other => Err(CallFailure::Failed { reason: other.to_string(), retryable: true }),
    }
}
