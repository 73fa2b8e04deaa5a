//! What holds whatever happens (reliability.md, rules 33 and 34).

use std::collections::BTreeMap;

use backbone::Aggregate;
use backbone::projection::View;
use backbone::testing::Stage;
use contracts::shared::RecipientType;
use kernel::{ArtisanId, Currency, Money, RefundId, Timestamp};
use proptest::prelude::*;
use uuid::Uuid;

use super::bank::{asks, charged, declined};
use super::domain::{record, terms};
use super::samples::*;
use crate::bookkeeping::{self, Balance, LedgerEntry};
use crate::domain::payment::VoidCause;
use crate::domain::shares::{self, Goods};
use crate::domain::{Command, Event, Payment, State, ledger};
use crate::ports::Answer;

const AT: Timestamp = Timestamp::from_micros(1);

/// Any command, sensible or not.
fn command() -> impl Strategy<Value = Command> {
    let answers = prop_oneof![
        3 => Just(charged()),
        1 => Just(declined(true)),
        1 => Just(asks()),
        1 => Just(Answer::Pending),
        1 => Just(Answer::Voided),
    ];
    let id = |refund: u8| RefundId(Uuid::from_u128(u128::from(refund)));
    prop_oneof![
        2 => (1u32..4).prop_map(|attempt| Command::Request(Box::new(terms(attempt)))),
        3 => ((1u32..4), answers).prop_map(|(attempt, answer)| record(&format!("k{attempt}"), answer)),
        1 => Just(Command::AnswerThreeDs { at: AT }),
        1 => Just(Command::Void { cause: VoidCause::Cancelled, at: AT }),
        1 => Just(Command::MakePayable { at: AT }),
        4 => (0u8..6, 1i64..TOTAL).prop_map(move |(refund, amount)| Command::StartRefund {
            refund_id: id(refund),
            key: "r".to_owned(),
            amount: Money::eur(amount),
            at: AT,
        }),
        4 => (0u8..6, any::<bool>()).prop_map(move |(refund, given)| Command::RecordRefund {
            refund_id: id(refund),
            key: "r".to_owned(),
            answer: if given { Answer::Refunded { reference: "r".to_owned() } } else { declined(true) },
            at: AT,
        }),
    ]
}

/// All events of a life; commands that are refused change nothing.
fn live(commands: Vec<Command>) -> (Vec<Event>, State) {
    commands.into_iter().fold((Vec::new(), State::default()), |(mut events, state), command| {
        let new = Payment::decide(&state, command).unwrap_or_default();
        let state = new.iter().fold(state, Payment::evolve);
        events.extend(new);
        (events, state)
    })
}

fn taken_and_given(events: &[Event]) -> (i64, i64) {
    events.iter().fold((0, 0), |(taken, given), event| match event {
        Event::Succeeded { amount, .. } => (taken + amount.amount, given),
        Event::RefundCompleted { amount, .. } => (taken, given + amount.amount),
        _ => (taken, given),
    })
}

proptest! {
    #[test]
    fn every_event_posts_as_much_debit_as_credit(commands in prop::collection::vec(command(), 0..40)) {
        let (events, _) = live(commands);
        for event in &events {
            let postings = ledger::postings(event);
            let sum: i64 = postings.iter().map(|posting| posting.debit - posting.credit).sum();
            prop_assert_eq!(sum, 0, "{:?}", event);
            prop_assert!(postings.iter().all(|posting| posting.debit >= 0 && posting.credit >= 0));
        }
    }

    #[test]
    fn money_is_taken_once_and_never_more_goes_back_than_was_taken(
        commands in prop::collection::vec(command(), 0..60),
    ) {
        let (events, state) = live(commands);
        let (taken, given) = taken_and_given(&events);
        prop_assert!(taken == 0 || taken == TOTAL);
        prop_assert!(given <= taken);
        prop_assert!(state.left.iter().all(|part| part.amount.amount >= 0));
        let left: i64 = state.left.iter().map(|part| part.amount.amount).sum();
        prop_assert_eq!(left, taken - given);
    }

    #[test]
    fn the_balances_are_the_sum_of_the_postings(commands in prop::collection::vec(command(), 0..30)) {
        let (events, state) = live(commands);
        let stage = Stage::new("payment");
        for event in &events {
            stage.run(|ws| bookkeeping::fold(&PAYMENT.to_string(), event, AT, &mut View(ws))).unwrap();
        }
        let entries = stage.all::<LedgerEntry>();
        prop_assert_eq!(entries.iter().map(|entry| entry.debit - entry.credit).sum::<i64>(), 0);
        let mut owed: BTreeMap<_, i64> = BTreeMap::new();
        for entry in entries.iter().filter(|entry| entry.recipient_id.is_some()) {
            *owed.entry(entry.recipient_id).or_default() += entry.credit - entry.debit;
        }
        for balance in stage.all::<Balance>() {
            let sum = [balance.pending, balance.payable, balance.commission, balance.commission_vat];
            let sum: i64 = sum.iter().map(|money| money.amount).sum();
            prop_assert_eq!(sum, owed[&Some(balance.recipient_id)]);
        }
        let left: i64 = state.left.iter().map(|part| part.amount.amount).sum();
        prop_assert_eq!(owed.values().sum::<i64>(), left);
    }

    #[test]
    fn shares_sum_to_the_amount_to_the_cent(
        amounts in prop::collection::vec((0i64..200_000, 0u8..3, any::<bool>()), 1..8),
        rate in 0u32..5_000,
        vat_rate in 0u32..10_000,
    ) {
        let mut config = config();
        config.commission.default_rate = rate;
        config.commission.vat_rate = vat_rate;
        let artisan = |n: u8| ArtisanId(Uuid::from_u128(u128::from(n) + 1));
        let gross: Vec<_> = amounts.iter().enumerate().map(|(place, (amount, who, delivers))| {
            let kind = if *delivers { RecipientType::Delivery } else { RecipientType::Artisan };
            share(if *delivers { Uuid::from_u128(place as u128) } else { artisan(*who).0 }, kind, *amount)
        }).collect();
        let goods: Vec<Goods> = amounts.iter().map(|(amount, who, odd)| Goods {
            artisan_id: artisan(*who),
            category: if *odd { "pottery" } else { "oil" }.to_owned(),
            vat_rate: 2_100,
            amount: Money::eur(amount / 2 + 1),
        }).collect();
        let whole = Money::sum(Currency::EUR, gross.iter().map(|share| share.amount)).unwrap();
        let division = shares::divide(whole, &gross, &goods, &config).unwrap();
        prop_assert!(division.parts.iter().all(|part| part.amount.amount >= 0));
        let sum = Money::sum(Currency::EUR, division.parts.iter().map(|part| part.amount));
        prop_assert_eq!(sum, Ok(whole));
        let shown = shares::published(&division.parts, whole);
        let sum = Money::sum(Currency::EUR, shown.iter().map(|share| share.amount));
        prop_assert_eq!(sum, Ok(whole));
    }

    #[test]
    fn refunds_reverse_the_shares_in_proportion_and_to_the_last_cent(
        refunds in prop::collection::vec(1i64..2_000, 1..12),
    ) {
        let parts = terms(1).parts;
        let mut left = parts.clone();
        let mut open = TOTAL;
        for refund in refunds {
            let amount = refund.min(open);
            let reversed = shares::reverse(Money::eur(amount), &left);
            prop_assert_eq!(reversed.iter().map(|part| part.amount.amount).sum::<i64>(), amount);
            for part in &reversed {
                let whole = left.iter().find(|l| l.recipient_id == part.recipient_id && l.role == part.role);
                let exact = i128::from(whole.unwrap().amount.amount) * i128::from(amount);
                let off = i128::from(part.amount.amount) * i128::from(open) - exact;
                prop_assert!(off.abs() < i128::from(open), "less than a cent off");
            }
            left = shares::less(&left, &reversed);
            open -= amount;
        }
        prop_assert!(left.iter().all(|part| part.amount.amount >= 0));
    }
}
