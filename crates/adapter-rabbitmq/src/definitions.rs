//! Topology and accounts as an operator imports them: `rabbitmqctl import_definitions`, or
//! `load_definitions` in the server's configuration, which makes them again where storage is lost.

use serde_json::{Map, Value, json};

use crate::marks;
use crate::options::Options;
use crate::topology::{Argument, Place, dead_arguments, dead_exchange_of, exchange_of};

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

impl Member {
    /// The contexts of the events that it publishes.
    fn contexts(&self) -> impl Iterator<Item = &str> {
        self.publishes.iter().map(|kind| context_of(kind))
    }
}

fn context_of(kind: &str) -> &str {
    kind.split('.').next().unwrap_or(kind)
}

/// Who connects: a process, with the services that it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user at the broker.
    pub name: String,
    /// What it may do is what these do.
    pub members: Vec<Member>,
}

/// Everything that a deployment needs on a virtual host: exchanges, queues, bindings, and accounts
/// that may do what their services do and nothing else. Each password is a place to be filled:
/// `${RABBITMQ_PASSWORD_ORDER}` for the account `order`.
pub fn definitions(host: &str, accounts: &[Account], options: &Options) -> String {
    let members: Vec<&Member> = accounts.iter().flat_map(|account| &account.members).collect();
    let all = json!({
        "vhosts": [{ "name": host }],
        "users": accounts.iter().map(user).collect::<Vec<_>>(),
        "permissions": accounts.iter().map(|account| permission(host, account)).collect::<Vec<_>>(),
        "topic_permissions": accounts
            .iter()
            .flat_map(|account| topics(host, account, &members))
            .collect::<Vec<_>>(),
        "exchanges": exchanges(host, &members),
        "queues": queues(host, &members, options),
        "bindings": bindings(host, &members, options),
    });
    format!("{all:#}\n")
}

fn user(account: &Account) -> Value {
    let place = account.name.to_uppercase().replace('-', "_");
    json!({ "name": account.name, "password": format!("${{RABBITMQ_PASSWORD_{place}}}"), "tags": "" })
}

/// Sorted, each once.
fn set(names: impl IntoIterator<Item = String>) -> Vec<String> {
    names.into_iter().collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

/// Exactly one of these names; names are words, dots and hyphens.
fn one_of(names: Vec<String>) -> String {
    match names.is_empty() {
        true => "^$".to_owned(),
        false => format!("^({})$", names.join("|").replace('.', "\\.")),
    }
}

fn permission(host: &str, account: &Account) -> Value {
    let members = &account.members;
    let own = |name: fn(&str) -> String| set(members.iter().map(|member| name(&member.service)));
    let published = set(members.iter().flat_map(|member| member.contexts().map(exchange_of)));
    let read = set(members.iter().flat_map(|m| m.consumes.iter().map(|context| exchange_of(context))));
    let dead_exchanges = own(dead_exchange_of);
    let queues = |kind: &str| {
        let of = |member: &Member| {
            let names = member.consumes.iter().map(|context| format!("{}.{context}.{kind}", member.service));
            names.collect::<Vec<_>>()
        };
        set(members.iter().flat_map(of))
    };
    // Of a partition, too; and the marks of each.
    let main = || queues("queue").into_iter().flat_map(|name| [name.clone(), format!("{name}.p[0-9]+")]);
    let marks = main().flat_map(|name| marks::NAMES.map(|mark| format!("{name}.{mark}")));
    let queues: Vec<String> = main().chain(queues("dlq")).chain(marks).collect();
    let join = |parts: &[&Vec<String>]| one_of(parts.iter().flat_map(|part| part.iter().cloned()).collect());
    json!({
        "user": account.name,
        "vhost": host,
        // To make what it owns.
        "configure": join(&[&published, &dead_exchanges, &queues]),
        // To publish, and to bind its own queues.
        "write": join(&[&published, &dead_exchanges, &queues]),
        // To read its queues, and to bind them to what it reads.
        "read": join(&[&read, &dead_exchanges, &queues]),
    })
}

/// By routing key: into an exchange an account publishes the types that its services declare, and
/// nothing else; it binds its queues to the whole of the contexts that they read.
fn topics(host: &str, account: &Account, members: &[&Member]) -> Vec<Value> {
    let of = |context: String| {
        let published = account.members.iter().flat_map(|member| &member.publishes);
        let published = set(published.filter(|kind| context_of(kind) == context).cloned());
        let consumes = account.members.iter().any(|member| member.consumes.contains(&context));
        json!({
            "user": account.name,
            "vhost": host,
            "exchange": exchange_of(&context),
            "write": in_a_partition(one_of(published)),
            "read": if consumes { in_a_partition(format!("^{context}\\.#$")) } else { one_of(Vec::new()) },
        })
    };
    contexts(members).into_iter().map(of).collect()
}

/// The same keys with and without the token of a partition.
fn in_a_partition(keys: String) -> String {
    match keys.strip_suffix('$') {
        Some(bare) if bare.len() > 1 => format!("{bare}(\\.p[0-9]+)?$"),
        _ => keys,
    }
}

fn contexts(members: &[&Member]) -> Vec<String> {
    let read = members.iter().flat_map(|member| member.consumes.iter().cloned());
    set(members.iter().flat_map(|member| member.contexts().map(str::to_owned)).chain(read))
}

fn exchanges(host: &str, members: &[&Member]) -> Vec<Value> {
    let of = |name: String, kind: &str| {
        json!({
            "name": name, "vhost": host, "type": kind, "durable": true,
            "auto_delete": false, "internal": false, "arguments": {},
        })
    };
    let readers = members.iter().filter(|member| !member.consumes.is_empty());
    let dead = set(readers.map(|member| dead_exchange_of(&member.service)));
    let events = contexts(members).into_iter().map(|context| of(exchange_of(&context), "topic"));
    events.chain(dead.into_iter().map(|name| of(name, "direct"))).collect()
}

/// All places of the deployment.
fn places(members: &[&Member], options: &Options) -> Vec<Place> {
    let read = |member: &&Member| {
        let pair = |context: &String| (member.service.clone(), context.clone());
        member.consumes.iter().map(pair).collect::<Vec<_>>()
    };
    let consumers = members.iter().flat_map(read).collect();
    Place::all(&Options { consumers, ..options.clone() })
}

fn queues(host: &str, members: &[&Member], options: &Options) -> Vec<Value> {
    let of = |name: &str, arguments: Vec<(&'static str, Argument)>| {
        let value = |argument: Argument| match argument {
            Argument::Text(text) => json!(text),
            Argument::Number(number) => json!(number),
            Argument::Flag(flag) => json!(flag),
        };
        let arguments: Map<String, Value> =
            arguments.into_iter().map(|(name, argument)| (name.to_owned(), value(argument))).collect();
        json!({ "name": name, "vhost": host, "durable": true, "auto_delete": false, "arguments": arguments })
    };
    let places = places(members, options);
    let main = places.iter().map(|place| of(&place.queue, place.arguments(options.deliveries_max)));
    let dead = set(places.iter().map(|place| place.dead_queue.clone()));
    main.chain(dead.iter().map(|name| of(name, dead_arguments()))).collect()
}

fn bindings(host: &str, members: &[&Member], options: &Options) -> Vec<Value> {
    let of = |source: &str, queue: &str, key: &str| {
        json!({
            "source": source, "vhost": host, "destination": queue,
            "destination_type": "queue", "routing_key": key, "arguments": {},
        })
    };
    let mut bindings = Vec::new();
    for place in places(members, options) {
        bindings.push(of(&place.exchange, &place.queue, &place.binding));
        if place.partition == 0 {
            bindings.push(of(&place.dead_exchange, &place.dead_queue, &place.dead_queue));
        }
    }
    bindings
}

#[cfg(test)]
mod tests;
