//! Requests for charges: one charge per order, whatever happens.

use backbone::{Refusal, Workspace};
use contracts::payment::{MethodType, Requested};
use kernel::{OrderId, PaymentId, Personal, SplitId};

use super::{account, carry_out, void};
use crate::Config;
use crate::charge::{self, Task};
use crate::domain::account::{Failure, Verdict};
use crate::domain::payment::{Identity, Phase, Terms, VoidCause};
use crate::domain::{Command, OrderAccount, Payment, invoice, shares};
use crate::ports::{Answer, Gateways};
use crate::views::CheckedMethod;

/// What requests are judged with.
pub struct Counter {
    /// The settings.
    pub config: Config,
    /// Who takes the money.
    pub gateways: Gateways,
}

/// How a request is to be paid.
struct Means {
    gateway: &'static str,
    method_type: MethodType,
    token: String,
}

impl Counter {
    /// Takes in a request for a charge. Asked again for the same attempt nothing happens: the
    /// answer was or will be published.
    pub fn request(&self, ws: &mut Workspace<'_>, request: &Requested) -> Result<(), Refusal> {
        ws.need([
            backbone::workspace::Key::document::<OrderAccount>(request.order_id),
            backbone::workspace::Key::aggregate::<Payment>(request.payment_id),
            backbone::workspace::Key::document::<CheckedMethod>(request.order_id),
        ])?;
        let state = ws.state::<Payment>(request.payment_id)?;
        match state.phase {
            Phase::Succeeded => return Ok(()),
            phase if phase.is_open() => {
                let join = Command::Join { attempt: request.attempt };
                return carry_out(ws, request.payment_id, join).map(drop);
            }
            _ if request.attempt <= state.attempt => return Ok(()),
            _ => {}
        }
        let account = account(ws, request.order_id)?;
        match account.judge(request) {
            Verdict::Hold => hold(ws, account, request),
            Verdict::Refuse(failure) => refuse(ws, request, failure),
            Verdict::Accept => self.accept(ws, account, request),
        }
    }

    /// Takes in the request that came before its order did.
    pub fn release_held(&self, ws: &mut Workspace<'_>, order_id: OrderId) -> Result<(), Refusal> {
        let mut account = account(ws, order_id)?;
        let Some(held) = account.held.take() else { return Ok(()) };
        ws.put(account)?;
        self.request(ws, &held)
    }

    fn accept(
        &self,
        ws: &mut Workspace<'_>,
        mut account: OrderAccount,
        request: &Requested,
    ) -> Result<(), Refusal> {
        let means = match self.means(ws, request)? {
            Ok(means) => means,
            Err(failure) => return refuse(ws, request, failure),
        };
        let goods = account.goods();
        let division = match shares::divide(request.amount, &request.splits, &goods, &self.config) {
            Ok(division) => division,
            Err(error) => return refuse(ws, request, Failure::of("bad-splits", error.to_string())),
        };
        let key = account.open_group(request.payment_id);
        account.customer_id = Some(request.customer_id);
        ws.put(account)?;
        let terms = Terms {
            identity: identity(request),
            amount: request.amount,
            token: Personal::Known(means.token),
            method_type: means.method_type,
            gateway: means.gateway.to_owned(),
            attempt: request.attempt,
            key: key.clone(),
            parts: division.parts,
            commission: division.commission,
            sales: invoice::sales(&request.splits, &goods, self.config.delivery_vat_rate),
            wait_limit_seconds: self.wait_limit_seconds(means.method_type),
            at: ws.now(),
        };
        carry_out(ws, request.payment_id, Command::Request(Box::new(terms)))?;
        if request.amount.is_zero() {
            return nothing_due(ws, request.payment_id, key);
        }
        charge::start(ws, request.payment_id, key, Task::Charge)
    }

    /// The method named in a request: one that was checked for this order, or a gateway's own
    /// token.
    fn means(&self, ws: &mut Workspace<'_>, request: &Requested) -> Result<Result<Means, Failure>, Refusal> {
        let named = request.payment_method_id.as_str();
        if kernel::find_card_number(named.as_bytes()).is_some() {
            let message = "card numbers are refused: only gateways' tokens are taken";
            return Ok(Err(Failure::of("card-number-refused", message)));
        }
        let checked = ws.get::<CheckedMethod>(request.order_id)?;
        let checked = checked.as_ref().and_then(|checked| checked.token(named));
        let token = checked.unwrap_or(named);
        Ok(match self.gateways.recognise(token) {
            Some((gateway, recognised)) => {
                Ok(Means { gateway, method_type: recognised.method_type, token: token.to_owned() })
            }
            None => Err(Failure::of("method-unknown", "the payment method was not checked for this order")),
        })
    }

    fn wait_limit_seconds(&self, method_type: MethodType) -> u32 {
        let limit = match method_type {
            MethodType::Transfer => self.config.transfer_limit,
            _ => self.config.three_ds_limit,
        };
        u32::try_from(limit.as_secs()).unwrap_or(u32::MAX)
    }
}

fn identity(request: &Requested) -> Identity {
    let Requested { payment_id, order_id, customer_id, .. } = *request;
    Identity { payment_id, order_id, customer_id }
}

fn hold(ws: &mut Workspace<'_>, mut account: OrderAccount, request: &Requested) -> Result<(), Refusal> {
    account.held = Some(request.clone());
    ws.put(account)
}

fn refuse(ws: &mut Workspace<'_>, request: &Requested, failure: Failure) -> Result<(), Refusal> {
    let (attempt, at) = (request.attempt, ws.now());
    let command = Command::Refuse { identity: identity(request), attempt, failure, at };
    carry_out(ws, request.payment_id, command).map(drop)
}

/// Points paid for everything: no gateway is asked to take nothing.
fn nothing_due(ws: &mut Workspace<'_>, payment_id: PaymentId, key: String) -> Result<(), Refusal> {
    let answer = Answer::Charged { transaction: "nothing-due".to_owned() };
    let (split_id, at) = (SplitId(ws.uuid()), ws.now());
    carry_out(ws, payment_id, Command::Record { key, answer, heard: true, split_id, at }).map(drop)
}

/// Refuses a request that still waits for its order.
pub fn refuse_held(ws: &mut Workspace<'_>, held: Option<Requested>) -> Result<(), Refusal> {
    let Some(request) = held else { return Ok(()) };
    refuse(ws, &request, Failure::of("order-cancelled", "the order is off: nothing is charged for it"))
}

/// The order is off: what comes later is refused, what waits is called off.
pub fn close(ws: &mut Workspace<'_>, order_id: OrderId) -> Result<(), Refusal> {
    let mut account = account(ws, order_id)?;
    account.cancelled = true;
    let (open, held) = (account.open, account.held.take());
    ws.put(account)?;
    refuse_held(ws, held)?;
    match open {
        Some(payment_id) => void(ws, payment_id, VoidCause::Cancelled),
        None => Ok(()),
    }
}
