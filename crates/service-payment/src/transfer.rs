//! The gateway `transfer`: the customer sends the money, an operator sees it on the account and
//! confirms it. There is no outside world to call, so the payment itself remembers everything.

use async_trait::async_trait;
use contracts::payment::MethodType;

use crate::ports::{Answer, Charge, Gateway, GatewayError, Recognised, Refund};

/// The gateway.
#[derive(Clone, Copy, Debug, Default)]
pub struct Transfer;

/// What a customer gives as method to pay by transfer.
pub const TOKEN: &str = "transfer";

#[async_trait]
impl Gateway for Transfer {
    fn name(&self) -> &'static str {
        "transfer"
    }

    fn recognise(&self, token: &str) -> Option<Recognised> {
        (token == TOKEN).then_some(Recognised { method_type: MethodType::Transfer, three_ds: false })
    }

    async fn charge(&self, _: &str, _: &Charge) -> Result<Answer, GatewayError> {
        Ok(Answer::Pending)
    }

    async fn complete_three_ds(&self, _: &str, _: &str) -> Result<Answer, GatewayError> {
        Ok(Answer::Pending)
    }

    /// Booked at once: the operator sends it from the account with this key as its reference.
    async fn refund(&self, key: &str, _: &Refund) -> Result<Answer, GatewayError> {
        Ok(Answer::Refunded { reference: key.to_owned() })
    }

    async fn void(&self, _: &str) -> Result<Answer, GatewayError> {
        Ok(Answer::Voided)
    }

    async fn ask(&self, _: &str) -> Result<Option<Answer>, GatewayError> {
        Ok(None)
    }
}
