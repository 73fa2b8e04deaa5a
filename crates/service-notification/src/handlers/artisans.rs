//! Artisans: their way into the market, and their followers.

use std::sync::Arc;

use backbone::reaction::{Reaction, Received};
use backbone::{Refusal, Workspace};
use contracts::artisan::{
    OnboardingCompleted, PerformanceEvaluated, ProductListed, StatusChanged, Tier, Verified,
};
use kernel::Personal;

use super::people::change;
use super::says;
use crate::config::Config;
use crate::domain::Followers;
use crate::outbox::Message;

pub(super) fn reactions(config: &Arc<Config>) -> Vec<Reaction> {
    vec![
        says::<OnboardingCompleted>(config, |artisan, _| {
            let with = [("score", artisan.onboarding_score.to_string())];
            Ok(vec![Message::new(artisan.artisan_id, "application-received", with)])
        }),
        says::<Verified>(config, verified),
        says::<StatusChanged>(config, |artisan, _| {
            let with = [("status", artisan.new_status.clone()), ("reason", artisan.reason.clone())];
            Ok(vec![Message::new(artisan.artisan_id, "artisan-status", with)])
        }),
        says::<ProductListed>(config, |listed, ws| {
            let followers = ws.get::<Followers>(listed.artisan_id)?;
            let people = followers.iter().flat_map(|followers| followers.people.iter());
            let with = || [("product", listed.product_name.clone())];
            Ok(people.map(|person| Message::new(*person, "new-product", with())).collect())
        }),
        says::<PerformanceEvaluated>(config, |artisan, _| {
            let tier = match artisan.tier {
                Tier::Bronze => "bronze",
                Tier::Silver => "silver",
                Tier::Gold => "gold",
                Tier::Platinum => "platinum",
            };
            let with = [
                ("tier", tier.to_owned()),
                ("orders", artisan.metrics.orders_fulfilled.to_string()),
                ("recommendations", artisan.recommendations.join(" ")),
            ];
            Ok(vec![Message::new(artisan.artisan_id, "tier-report", with)])
        }),
    ]
}

fn verified(artisan: &Received<'_, Verified>, ws: &mut Workspace<'_>) -> Result<Vec<Message>, Refusal> {
    change(ws, artisan.artisan_id, |person| {
        person.email = artisan.contact_email.clone();
        person.name = Personal::Known(artisan.business_name.clone());
    })?;
    let with = [("name", artisan.business_name.clone())];
    Ok(vec![Message::new(artisan.artisan_id, "artisan-welcome", with)])
}
