//! Whether somebody publishes what is subscribed to: said at the start, by name.

use std::collections::BTreeMap;

use backbone::module::Module;

use crate::engine::StartError;

/// Refuses a reaction to an event whose producer runs here, does not publish it, and does not say
/// that it will. A producer that does not run here may run in another process, or come with a
/// later version.
pub(crate) fn check<'m>(modules: impl Iterator<Item = &'m Module>) -> Result<(), StartError> {
    let modules: BTreeMap<&'static str, &Module> = modules.map(|module| (module.service, module)).collect();
    for (service, module) in &modules {
        for event in module.reactions.iter().map(|reaction| reaction.event) {
            let (name, producer) = (event.name, event.producer);
            match modules.get(producer) {
                None => tracing::debug!(service, event = name, producer, "the producer does not run here"),
                Some(found) if found.publishes.iter().any(|published| published.name == name) => {}
                Some(found) if found.later.iter().any(|awaited| awaited.name == name) => {
                    tracing::debug!(service, event = name, producer, "the producer does not publish it yet");
                }
                Some(_) => return Err(StartError::NobodyPublishes { service, event: name, producer }),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use backbone::reaction::on;
    use kernel::{Event, EventType};
    use serde::{Deserialize, Serialize};
    use uuid::Uuid;

    use super::*;

    #[derive(Clone, Debug, Serialize, Deserialize)]
    struct Baked {
        loaf: Uuid,
    }

    impl Event for Baked {
        const TYPE: EventType = EventType {
            name: "bakery.baked.v1",
            subject: "loaf",
            producer: "bakery",
            consumers: &["shop"],
            fields: &[],
            personal: &[],
            subject_of_data: None,
        };

        fn subject(&self) -> Uuid {
            self.loaf
        }

        fn person(&self) -> Option<Uuid> {
            None
        }
    }

    fn shop() -> Module {
        Module { reactions: vec![on::<Baked>(|_, _| Ok(()))], ..Module::new("shop") }
    }

    fn said(modules: &[Module]) -> String {
        check(modules.iter()).map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn a_subscription_whose_producer_runs_here_and_does_not_publish_it_is_a_start_up_error_by_name() {
        let refused = said(&[shop(), Module::new("bakery")]);
        let names = ["shop", "bakery.baked.v1", "bakery"];
        assert!(names.iter().all(|name| refused.contains(name)), "{refused}");
        let bakery = Module { publishes: vec![&Baked::TYPE], ..Module::new("bakery") };
        assert_eq!(said(&[shop(), bakery]), "");
        let bakery = Module { later: vec![&Baked::TYPE], ..Module::new("bakery") };
        assert_eq!(said(&[shop(), bakery]), "", "it says itself that it comes later");
    }

    #[test]
    fn a_producer_that_does_not_run_here_may_run_elsewhere() {
        assert_eq!(said(&[shop()]), "");
    }
}
