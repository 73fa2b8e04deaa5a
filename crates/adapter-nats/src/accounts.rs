//! Accounts as an operator includes them in the server's configuration: each may do what its services
//! do and nothing else.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::connection::inbox_of;
use crate::options::{DEAD_LETTERS, Options};

/// A service of the deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub service: String,
    /// The types of the events that it publishes: `order.created.v1`.
    pub publishes: Vec<String>,
    /// The contexts that it reads.
    pub consumes: Vec<String>,
}

/// Who connects: a process, with the services that it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user at the broker: `Credentials::User`.
    pub name: String,
    /// What it may do is what these do.
    pub members: Vec<Member>,
}

/// The block `authorization` of a deployment's accounts. Each password is one of the server's
/// environment, which the server reads itself: `$NATS_PASSWORD_ORDER` for the account `order`.
pub fn accounts(accounts: &[Account], options: &Options) -> String {
    let mut text = "authorization {\n  users = [\n".to_owned();
    let members: Vec<&Member> = accounts.iter().flat_map(|account| &account.members).collect();
    for account in accounts {
        let Account { name, .. } = account;
        let place = name.to_uppercase().replace('-', "_");
        let publishes = list(&published(account, &members, options));
        let inbox = inbox_of(name);
        write!(
            text,
            "    {{\n      user: {name:?}, password: $NATS_PASSWORD_{place}\n      permissions: {{\n        \
             publish: {{ allow: [\n{publishes}        ] }}\n        subscribe: {{ allow: [\"{inbox}.>\"] }}\n      \
             }}\n    }}\n"
        )
        .expect("text takes text");
    }
    text.push_str("  ]\n}\n");
    text
}

fn list(subjects: &BTreeSet<String>) -> String {
    subjects.iter().map(|subject| format!("          {subject:?}\n")).collect()
}

/// Everything that an account may say.
fn published(account: &Account, members: &[&Member], options: &Options) -> BTreeSet<String> {
    let mut subjects = BTreeSet::new();
    let mut allow = |subject: String| subjects.insert(subject);
    for spec in &options.streams {
        // Whoever comes first makes what is missing; what is there is looked at and stays.
        allow(format!("$JS.API.STREAM.INFO.{}", spec.name));
        allow(format!("$JS.API.STREAM.CREATE.{}", spec.name));
    }
    // The consumers of all services are there before anything is published, whoever comes first.
    for Reads { stream, consumer, filter } in members.iter().flat_map(|member| consumers(member, options)) {
        allow(format!("$JS.API.CONSUMER.INFO.{stream}.{consumer}"));
        // The server compares the end of this subject with the filter that is asked for.
        allow(format!("$JS.API.CONSUMER.CREATE.{stream}.{consumer}.{filter}"));
    }
    for member in &account.members {
        for kind in &member.publishes {
            allow(if options.partitions == 1 { kind.clone() } else { format!("{kind}.*") });
        }
        // What is safe to change of a stream is changed by the service whose events it holds.
        if let Some(spec) = options.stream_of(&member.service) {
            allow(format!("$JS.API.STREAM.UPDATE.{}", spec.name));
        }
        for Reads { stream, consumer, .. } in consumers(member, options) {
            allow(format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"));
            allow(format!("$JS.ACK.{stream}.{consumer}.>"));
            // What a lost delivery is read again from.
            allow(format!("$JS.API.STREAM.MSG.GET.{stream}"));
        }
        for context in &member.consumes {
            allow(format!("{DEAD_LETTERS}.{context}.>"));
        }
        if let Some(dead) = options.stream_of(DEAD_LETTERS).filter(|_| !member.consumes.is_empty()) {
            allow(format!("$JS.API.STREAM.MSG.GET.{}", dead.name));
            allow(format!("$JS.API.STREAM.MSG.DELETE.{}", dead.name));
            allow(format!("$JS.API.STREAM.UPDATE.{}", dead.name));
        }
    }
    subjects
}

/// A consumer, with its stream and what it takes of it.
struct Reads {
    stream: &'static str,
    consumer: String,
    filter: String,
}

/// A service's consumers.
fn consumers(member: &Member, options: &Options) -> Vec<Reads> {
    let mut consumers = Vec::new();
    for context in &member.consumes {
        let Some(spec) = options.stream_of(context) else { continue };
        let consumer = format!("{}-{context}", member.service);
        let reads = |consumer| Reads { stream: spec.name, consumer, filter: spec.subjects() };
        match options.partitions {
            1 => consumers.push(reads(consumer)),
            partitions => {
                consumers.extend((0..partitions).map(|number| reads(format!("{consumer}-p{number}"))));
            }
        }
    }
    consumers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::StreamSpec;

    #[test]
    fn an_account_may_say_what_its_service_says() {
        let member = Member {
            service: "payment".to_owned(),
            publishes: vec!["payment.failed.v1".to_owned(), "payment.succeeded.v1".to_owned()],
            consumes: vec!["order".to_owned()],
        };
        let streams = vec![
            StreamSpec::limited("ORDERS", "order", 1, 1),
            StreamSpec::limited("PAYMENTS", "payment", 1, 1),
            StreamSpec::limited("DLQ", "dlq", 1, 1),
        ];
        let options = Options { streams, ..Options::default() };
        let account = Account { name: "payment-1".to_owned(), members: vec![member] };
        let printed = accounts(&[account], &options);
        let golden = r#"authorization {
  users = [
    {
      user: "payment-1", password: $NATS_PASSWORD_PAYMENT_1
      permissions: {
        publish: { allow: [
          "$JS.ACK.ORDERS.payment-order.>"
          "$JS.API.CONSUMER.CREATE.ORDERS.payment-order.order.>"
          "$JS.API.CONSUMER.INFO.ORDERS.payment-order"
          "$JS.API.CONSUMER.MSG.NEXT.ORDERS.payment-order"
          "$JS.API.STREAM.CREATE.DLQ"
          "$JS.API.STREAM.CREATE.ORDERS"
          "$JS.API.STREAM.CREATE.PAYMENTS"
          "$JS.API.STREAM.INFO.DLQ"
          "$JS.API.STREAM.INFO.ORDERS"
          "$JS.API.STREAM.INFO.PAYMENTS"
          "$JS.API.STREAM.MSG.DELETE.DLQ"
          "$JS.API.STREAM.MSG.GET.DLQ"
          "$JS.API.STREAM.MSG.GET.ORDERS"
          "$JS.API.STREAM.UPDATE.DLQ"
          "$JS.API.STREAM.UPDATE.PAYMENTS"
          "dlq.order.>"
          "payment.failed.v1"
          "payment.succeeded.v1"
        ] }
        subscribe: { allow: ["_INBOX_payment-1.>"] }
      }
    }
  ]
}
"#;
        assert_eq!(printed, golden);
    }
}
