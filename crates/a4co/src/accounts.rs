//! Accounts at the brokers, by what the services declare: an operator imports what is printed here.

use anyhow::{Context as _, bail};

use crate::cli::{BrokerConfig, HostConfig};
use crate::config::Settings;
use crate::members::{self, Member};
use crate::processes::GATEWAY;

/// Stands for all services in `NAME=SERVICES`.
const ALL: &str = "all";

/// A process as the broker knows it.
#[derive(Debug, PartialEq, Eq)]
struct Process {
    name: String,
    members: Vec<Member>,
}

/// The accounts for NATS.
pub(crate) fn nats(settings: &Settings, wanted: &BrokerConfig) -> anyhow::Result<String> {
    print_nats(settings, processes(&members::all(settings)?, &wanted.process)?)
}

/// Topology and accounts for RabbitMQ.
pub(crate) fn rabbitmq(settings: &Settings, wanted: &HostConfig) -> anyhow::Result<String> {
    let processes = processes(&members::all(settings)?, &wanted.of.process)?;
    print_rabbitmq(settings, &wanted.vhost, processes)
}

/// One for each service and one for an entry that runs none, or those that are named:
/// `back=order,payment`.
fn processes(members: &[Member], named: &[String]) -> anyhow::Result<Vec<Process>> {
    let of = |name: &str, members: Vec<Member>| Process { name: name.to_owned(), members };
    if named.is_empty() {
        let each = members.iter().map(|member| of(member.service, vec![member.clone()]));
        return Ok(each.chain([of(GATEWAY, Vec::new())]).collect());
    }
    let process = |named: &String| {
        let (name, services) = named.split_once('=').context("--process wants NAME=SERVICE,SERVICE")?;
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if name.is_empty() || !name.chars().all(is_word) {
            bail!("--process {named}: a name is of letters, digits and hyphens");
        }
        if services == ALL {
            return Ok(of(name, members.to_vec()));
        }
        let member = |service: &str| {
            let found = members.iter().find(|member| member.service == service).cloned();
            found.with_context(|| format!("--process {named}: there is no service {service:?}"))
        };
        let services = services.split(',').filter(|service| *service != GATEWAY);
        Ok(of(name, services.map(member).collect::<anyhow::Result<_>>()?))
    };
    named.iter().map(process).collect()
}

#[cfg(any(feature = "nats", feature = "rabbitmq"))]
fn owned<S: ToString>(names: &std::collections::BTreeSet<S>) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

#[cfg(feature = "nats")]
fn print_nats(settings: &Settings, processes: Vec<Process>) -> anyhow::Result<String> {
    use adapter_nats::{Account, Member, Options, accounts};
    let member = |member: &members::Member| Member {
        service: member.service.to_owned(),
        publishes: owned(&member.publishes),
        consumes: owned(&member.consumes),
    };
    let account =
        |Process { name, members }: Process| Account { name, members: members.iter().map(member).collect() };
    let all: Vec<Account> = processes.into_iter().map(account).collect();
    let options = Options { partitions: settings.engines.partitions, ..Options::default() };
    Ok(accounts(&all, &options))
}

#[cfg(not(feature = "nats"))]
fn print_nats(_: &Settings, _: Vec<Process>) -> anyhow::Result<String> {
    bail!("this program was built without NATS: build it with --features nats")
}

#[cfg(feature = "rabbitmq")]
fn print_rabbitmq(settings: &Settings, vhost: &str, processes: Vec<Process>) -> anyhow::Result<String> {
    use adapter_rabbitmq::{Account, Member, Options, definitions};
    let member = |member: &members::Member| Member {
        service: member.service.to_owned(),
        publishes: owned(&member.publishes),
        consumes: owned(&member.consumes),
    };
    let account =
        |Process { name, members }: Process| Account { name, members: members.iter().map(member).collect() };
    let all: Vec<Account> = processes.into_iter().map(account).collect();
    let options = Options { partitions: settings.engines.partitions, ..Options::default() };
    Ok(definitions(vhost, &all, &options))
}

#[cfg(not(feature = "rabbitmq"))]
fn print_rabbitmq(_: &Settings, _: &str, _: Vec<Process>) -> anyhow::Result<String> {
    bail!("this program was built without RabbitMQ: build it with --features rabbitmq")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn members() -> Vec<Member> {
        let member = |service, reads| Member {
            service,
            publishes: BTreeSet::from([format!("{service}.made.v1")]),
            consumes: BTreeSet::from([reads]),
        };
        vec![member("order", "payment"), member("payment", "order"), member("user", "order")]
    }

    fn names(named: &[&str]) -> Result<Vec<(String, Vec<&'static str>)>, String> {
        let named: Vec<String> = named.iter().map(|name| (*name).to_owned()).collect();
        let found = processes(&members(), &named).map_err(|error| error.to_string())?;
        let services =
            |process: Process| (process.name, process.members.iter().map(|member| member.service).collect());
        Ok(found.into_iter().map(services).collect())
    }

    #[test]
    fn each_service_has_an_account_unless_processes_are_named() {
        let one = |name: &str, services: &[&'static str]| (name.to_owned(), services.to_vec());
        let order = one("order", &["order"]);
        let each = [order, one("payment", &["payment"]), one("user", &["user"]), one("gateway", &[])];
        assert_eq!(names(&[]).as_deref(), Ok(&each[..]));
        let whole = one("whole", &["order", "payment", "user"]);
        let named = [one("back", &["order", "payment"]), whole, one("in", &[])];
        assert_eq!(names(&["back=order,payment", "whole=all", "in=gateway"]).as_deref(), Ok(&named[..]));
        for (wrong, says) in [("back", "NAME="), ("a b=order", "letters"), ("back=bakery", "bakery")] {
            let refused = names(&[wrong]).expect_err(wrong);
            assert!(refused.contains(says), "{refused}");
        }
    }

    #[cfg(feature = "rabbitmq")]
    #[test]
    fn what_is_printed_for_rabbitmq_names_every_queue_of_the_market() {
        let wanted = HostConfig { vhost: "a4co".to_owned(), of: BrokerConfig::default() };
        let printed = rabbitmq(&Settings::default(), &wanted).expect("it is printed");
        for name in ["order.payment.queue", "inventory.order.queue", "notification.order.dlq"] {
            assert!(printed.contains(&format!("{name:?}")), "{name}");
        }
        assert!(printed.contains("${RABBITMQ_PASSWORD_PAYMENT}"));
    }

    #[cfg(feature = "nats")]
    #[test]
    fn what_is_printed_for_nats_names_every_account_of_the_market() {
        let printed = nats(&Settings::default(), &BrokerConfig::default()).expect("it is printed");
        for service in crate::services::SERVICES {
            assert!(printed.contains(&format!("user: {service:?}")), "{service}");
        }
        assert!(printed.contains("$JS.API.CONSUMER.INFO.ORDERS.inventory-order"));
        assert!(printed.contains("\"order.created.v1\"") && !printed.contains("\"order.>\""), "by type");
    }
}
