//! The one list of services: adding one is a line here.

use std::sync::Arc;

use backbone::keyring::KeyRing;
use backbone::{Context, Module};
use service_payment::ports::Gateway;

use crate::config::Settings;

/// Their names, in the order in which they are mounted.
pub const SERVICES: &[&str] =
    &["artisan", "inventory", "notification", "order", "payment", "product", "shipping", "user"];

/// Those that do not yet react to all that names them as consumers in events.toml.
pub const UNFINISHED: &[&str] = &["artisan"];

/// What services need besides their context.
pub struct Needs {
    /// What an operator set.
    pub settings: Arc<Settings>,
    /// Keys of persons, for whoever erases one.
    pub keyring: Arc<dyn KeyRing>,
    /// Where charges are made.
    pub gateways: Vec<Arc<dyn Gateway>>,
    /// The key of the hash under which email addresses are looked up.
    pub email_key: [u8; 32],
}

/// A service's module; `None` where there is no such service.
pub fn module(service: &str, context: &Context, needs: &Needs) -> Option<Module> {
    let set = &*needs.settings;
    Some(match service {
        "artisan" => service_artisan::module(context),
        "inventory" => service_inventory::module(context, set.inventory.clone()),
        "notification" => service_notification::module(context, set.notification.clone()),
        "order" => service_order::module(context, set.order.clone()),
        "payment" => service_payment::module(context, set.payment.clone(), needs.gateways.clone()),
        "product" => service_product::module(context, set.product.clone()),
        "shipping" => service_shipping::module(context, set.shipping.clone()),
        "user" => {
            let hash_key = service_user::HashKey::new(&needs.email_key);
            let config = service_user::Config { hash_key, settings: set.user.clone() };
            service_user::module(context, config, needs.keyring.clone())
        }
        _ => return None,
    })
}
