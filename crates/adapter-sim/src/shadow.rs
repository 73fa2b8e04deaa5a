//! Rebuilds in a shadow (reliability.md, rule 20): all is checked before anything is changed.

use backbone::journal::{Error, ShadowStep};

use crate::disk::{Service, Table};

/// Takes a step with the collections of these names.
pub(crate) fn take(service: &mut Service, names: &[&'static str], step: ShadowStep) -> Result<(), Error> {
    match step {
        ShadowStep::Begin { shadow } => {
            service.checkpoints.remove(&shadow);
            service.shadows.extend(names.iter().map(|name| (*name, Table::new())));
            Ok(())
        }
        ShadowStep::Look => all_there(service, names),
        ShadowStep::Drop { shadow } => {
            service.checkpoints.remove(&shadow);
            service.shadows.retain(|name, _| !names.contains(name));
            Ok(())
        }
        ShadowStep::Swap { consumer, shadow, fence } => {
            all_there(service, names)?;
            let (stands, wanted) = (service.checkpoint(&shadow), service.checkpoint(&consumer));
            if stands != wanted {
                return Err(Error::Malformed(format!("{consumer} is at {wanted}, {shadow} at {stands}")));
            }
            let is_fenced = fence.as_ref().is_some_and(|fence| {
                service.leases.get(&fence.lease).is_none_or(|lease| lease.token != fence.token)
            });
            if is_fenced {
                return Err(Error::Malformed("the lease was taken over".to_owned()));
            }
            for name in names {
                let Some(new) = service.shadows.remove(name) else { continue };
                let old = service.tables.insert(name, new);
                service.shadows.insert(name, old.unwrap_or_default());
            }
            Ok(())
        }
    }
}

fn all_there(service: &Service, names: &[&'static str]) -> Result<(), Error> {
    match names.iter().find(|name| !service.shadows.contains_key(*name)) {
        Some(name) => Err(Error::Malformed(format!("{name} has no shadow"))),
        None => Ok(()),
    }
}
