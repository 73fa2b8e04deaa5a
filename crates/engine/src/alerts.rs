//! The alert rules of communication.md, one table. Each compares a metric with a threshold, so
//! that Prometheus and the engine say the same (`deploy/prometheus/alerts.yml`); time limits are
//! in the metrics, which are ages. An alert fires once for what it is about, and resolves once.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kernel::Timestamp;
use metrics::gauge;
use serde::Serialize;

/// When an alert fires.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    /// What it says, in a sentence.
    pub summary: &'static str,
    /// The metric, as Prometheus asks for it.
    pub metric: &'static str,
    /// It fires above this.
    pub threshold: f64,
    /// What to do.
    pub runbook: &'static str,
}

const fn rule(
    name: &'static str,
    (metric, threshold): (&'static str, f64),
    runbook: &'static str,
    summary: &'static str,
) -> Rule {
    Rule { name, summary, metric, threshold, runbook }
}

pub(crate) const EVENT_UNPROCESSED: &str = "event-unprocessed";
pub(crate) const DEAD_LETTERS: &str = "dead-letters";
pub(crate) const DEAD_LETTER_OLD: &str = "dead-letter-old";
pub(crate) const SERVICE_ERRORS: &str = "service-errors";
pub(crate) const BUS_DISCONNECTED: &str = "bus-disconnected";
pub(crate) const BACKLOG: &str = "backlog";
pub(crate) const OUTBOX_STUCK: &str = "outbox-stuck";
pub(crate) const SAGA_LATE: &str = "saga-late";
pub(crate) const SAGA_BLOCKED: &str = "saga-blocked";
pub(crate) const TIMER_LATE: &str = "timer-late";
pub(crate) const CONSUMER_STOPPED: &str = "consumer-stopped";
pub(crate) const CONSUMER_GAP: &str = "consumer-gap";
pub(crate) const EVENTS_LOST: &str = "events-lost";
pub(crate) const PROJECTION_QUARANTINE: &str = "projection-quarantine";

/// All rules. A reservation past its expiry is a timer that is late: inventory sets one for each.
pub const RULES: &[Rule] = &[
    rule(
        EVENT_UNPROCESSED,
        ("a4co_consumer_oldest_seconds", 30.0),
        "docs/runbooks/event-unprocessed.md",
        "An event has waited for more than 30 s, scheduled retries not counted",
    ),
    rule(
        DEAD_LETTERS,
        ("sum(a4co_dead_letters)", 10.0),
        "docs/runbooks/dead-letters.md",
        "There are more than 10 dead letters",
    ),
    rule(
        DEAD_LETTER_OLD,
        ("a4co_dead_letter_oldest_seconds", 3_600.0),
        "docs/runbooks/dead-letter-old.md",
        "A dead letter has been left alone for more than an hour",
    ),
    rule(
        SERVICE_ERRORS,
        ("a4co_service_error_ratio", 0.05),
        "docs/runbooks/service-errors.md",
        "More than 5 % of what a service was asked to do in the last minutes failed",
    ),
    rule(
        BUS_DISCONNECTED,
        ("a4co_bus_disconnected_seconds", 10.0),
        "docs/runbooks/bus-disconnected.md",
        "The bus has not answered for more than 10 s",
    ),
    rule(
        BACKLOG,
        ("a4co_consumer_backlog", 1_000.0),
        "docs/runbooks/backlog.md",
        "More than 1,000 events wait for a consumer",
    ),
    rule(
        OUTBOX_STUCK,
        ("a4co_outbox_age_seconds", 10.0),
        "docs/runbooks/outbox-stuck.md",
        "Committed events have not been published for more than 10 s",
    ),
    rule(
        SAGA_LATE,
        ("a4co_sagas_late", 0.0),
        "docs/runbooks/saga-late.md",
        "A saga is past its deadline and nothing happens to it",
    ),
    rule(
        SAGA_BLOCKED,
        ("a4co_sagas_blocked", 0.0),
        "docs/runbooks/saga-blocked.md",
        "A saga cannot undo or finish what it began and waits for an operator",
    ),
    rule(
        TIMER_LATE,
        ("a4co_timers_late", 0.0),
        "docs/runbooks/timer-late.md",
        "A timer that should have fired has not: a reservation past its expiry, for one",
    ),
    rule(
        CONSUMER_STOPPED,
        ("a4co_consumer_stopped", 0.0),
        "docs/runbooks/consumer-stopped.md",
        "A consumer is blocked by what it has parked, or cannot read or commit",
    ),
    rule(
        CONSUMER_GAP,
        ("a4co_consumer_catching_up", 0.0),
        "docs/runbooks/consumer-gap.md",
        "The broker's limits overtook a consumer, which catches up from the journals",
    ),
    rule(
        EVENTS_LOST,
        ("a4co_events_lost", 0.0),
        "docs/runbooks/events-lost.md",
        "The broker lost events of a service that were not published again since",
    ),
    rule(
        PROJECTION_QUARANTINE,
        ("a4co_projection_quarantined", 0.0),
        "docs/runbooks/projection-quarantine.md",
        "A projection could not fold a fact and put its key aside",
    ),
];

/// A value that a rule is about.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    /// The rule's name.
    pub(crate) alert: &'static str,
    /// What it was read of: a consumer, a service.
    pub(crate) of: String,
    /// The value.
    pub(crate) value: f64,
}

/// An alert that fires.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// The rule's name.
    pub alert: &'static str,
    /// What it is about: a consumer, a service.
    pub about: String,
    /// What it says.
    pub summary: &'static str,
    /// The value when it was last looked at.
    pub value: f64,
    /// It fires above this.
    pub threshold: f64,
    /// Since when it fires.
    pub since: Timestamp,
    /// What to do.
    pub runbook: &'static str,
}

/// The alerts that fire.
#[derive(Default)]
pub(crate) struct Alerts {
    firing: Mutex<BTreeMap<(&'static str, String), Alert>>,
}

impl Alerts {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(&'static str, String), Alert>> {
        self.firing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that fire now, by name.
    pub(crate) fn firing(&self) -> Vec<Alert> {
        self.lock().values().cloned().collect()
    }

    /// Compares all readings of this moment with the rules. What is read no more is resolved.
    pub(crate) fn evaluate(&self, readings: &[Reading], now: Timestamp) {
        let mut firing = self.lock();
        let mut before = std::mem::take(&mut *firing);
        for rule in RULES {
            let mut count = 0;
            for reading in readings.iter().filter(|reading| reading.alert == rule.name) {
                // A value that is none is no reason for an alert.
                if reading.value > rule.threshold {
                    count += 1;
                    let key = (rule.name, reading.of.clone());
                    let known = before.remove(&key);
                    let alert = known.unwrap_or_else(|| fires(rule, reading, now));
                    firing.insert(key, Alert { value: reading.value, ..alert });
                }
            }
            gauge!("a4co_alert_firing", "alert" => rule.name).set(f64::from(count));
        }
        for alert in before.into_values() {
            let seconds = now.since(alert.since).as_secs();
            tracing::info!(alert = alert.alert, about = alert.about, seconds, "an alert is resolved");
        }
    }
}

fn fires(rule: &Rule, reading: &Reading, now: Timestamp) -> Alert {
    let Rule { name, summary, threshold, runbook, .. } = *rule;
    let (about, value) = (reading.of.clone(), reading.value);
    tracing::warn!(alert = name, about, value, threshold, runbook, "{summary}");
    Alert { alert: name, about, summary, value, threshold, since: now, runbook }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use kernel::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_767_607_200_000_000);

    #[test]
    fn an_alert_fires_above_its_threshold_and_resolves_at_it() {
        for rule in RULES {
            let alerts = Alerts::default();
            let read = |value| Reading { alert: rule.name, of: "a".to_owned(), value };
            let fires = |readings: &[Reading]| {
                alerts.evaluate(readings, NOW);
                alerts.firing().len()
            };
            assert_eq!(fires(&[read(rule.threshold)]), 0, "{}", rule.name);
            assert_eq!(fires(&[read(rule.threshold + 0.01)]), 1, "{}", rule.name);
            assert_eq!(fires(&[read(rule.threshold)]), 0, "{}", rule.name);
        }
    }

    #[test]
    fn an_alert_is_about_one_thing_and_remembers_since_when() {
        let alerts = Alerts::default();
        let of = |name: &str, value| Reading { alert: BACKLOG, of: name.to_owned(), value };
        alerts.evaluate(&[of("a", 2_000.0), of("b", 5.0)], NOW);
        let later = NOW.plus(Duration::from_secs(5));
        alerts.evaluate(&[of("a", 3_000.0), of("b", 1_001.0)], later);
        let told: Vec<_> = alerts.firing().into_iter().map(|a| (a.about, a.value, a.since)).collect();
        assert_eq!(told, [("a".to_owned(), 3_000.0, NOW), ("b".to_owned(), 1_001.0, later)]);
        alerts.evaluate(&[of("b", 1_001.0)], later);
        assert_eq!(alerts.firing().len(), 1, "what is read no more is resolved");
    }

    #[test]
    fn every_rule_has_a_name_of_its_own_and_a_runbook_of_that_name() {
        let names: BTreeSet<_> = RULES.iter().map(|rule| rule.name).collect();
        assert_eq!(names.len(), RULES.len());
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for rule in RULES {
            assert_eq!(rule.runbook, format!("docs/runbooks/{}.md", rule.name));
            let text = std::fs::read_to_string(root.join(rule.runbook)).unwrap_or_default();
            assert!(text.contains(rule.name) && text.len() > 300, "{} says nothing", rule.runbook);
        }
    }

    /// Prometheus has the same rules: name, metric, threshold and runbook of each.
    #[test]
    fn prometheus_has_the_same_rules() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/prometheus/alerts.yml");
        let text = std::fs::read_to_string(file).expect("the rules for Prometheus stand beside the product");
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let told = |what: &str| lines.iter().filter(|line| line.starts_with(what)).count();
        assert_eq!(told("- alert:"), RULES.len());
        for rule in RULES {
            let begins = format!("- alert: {}", rule.name);
            let first = lines.iter().position(|line| *line == begins);
            let first = first.unwrap_or_else(|| panic!("{} is missing in {file}", rule.name));
            let rest = &lines[first + 1..];
            let end = rest.iter().position(|line| line.starts_with("- alert:")).unwrap_or(rest.len());
            for wanted in [
                format!("expr: {} > {}", rule.metric, rule.threshold),
                format!("summary: \"{}\"", rule.summary),
                format!("runbook: {}", rule.runbook),
            ] {
                assert!(rest[..end].contains(&wanted.as_str()), "{}: {wanted} is missing", rule.name);
            }
        }
    }
}
