//! The one list of services: adding one is a line here.

use std::sync::Arc;

use backbone::keyring::KeyRing;
use backbone::{Context, Module};
use service_payment::ports::Gateway;

/// Their names, in the order in which they are mounted.
pub const SERVICES: &[&str] =
    &["artisan", "inventory", "notification", "order", "payment", "product", "shipping", "user"];

/// What services need besides their context.
pub struct Needs {
    /// Keys of persons, for whoever erases one.
    pub keyring: Arc<dyn KeyRing>,
    /// Where charges are made.
    pub gateways: Vec<Arc<dyn Gateway>>,
    /// The key of the hash under which email addresses are looked up.
    pub email_key: [u8; 32],
}

/// A service's module; `None` where there is no such service.
pub fn module(service: &str, context: &Context, needs: &Needs) -> Option<Module> {
    Some(match service {
        "artisan" => service_artisan::module(context),
        "inventory" => service_inventory::module(context, service_inventory::Config::default()),
        "notification" => service_notification::module(context, service_notification::Config::default()),
        "order" => service_order::module(context, service_order::Config::default()),
        "payment" => {
            service_payment::module(context, service_payment::Config::default(), needs.gateways.clone())
        }
        "product" => service_product::module(context, service_product::Config::default()),
        "shipping" => service_shipping::module(context, service_shipping::Config::default()),
        "user" => {
            let key = service_user::HashKey::new(&needs.email_key);
            service_user::module(context, service_user::Config::new(key), needs.keyring.clone())
        }
        _ => return None,
    })
}
