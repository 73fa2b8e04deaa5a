//! What messages say, in Spanish and English: one table.

use contracts::Object;
use contracts::notification::{Channel, Priority};
use contracts::shared::Locale;
use kernel::Personal;
use schemars::JsonSchema;
use serde::Serialize;

/// What kind of message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Goes also to those who want no news: it is about a contract or an account.
    pub essential: bool,
    /// How much it matters; critical ignores quiet hours.
    pub priority: Priority,
    /// The way it goes.
    pub channel: Channel,
}

/// About a contract or an account.
const DUTY: Kind = Kind { essential: true, priority: Priority::Normal, channel: Channel::InApp };
/// The same, and somebody has to act.
const URGENT: Kind = Kind { priority: Priority::High, ..DUTY };
/// A secret that opens the account, asked for just now: by mail, at once.
const SECRET: Kind = Kind { essential: true, priority: Priority::Critical, channel: Channel::Email };
/// Nice to know.
const NEWS: Kind = Kind { essential: false, priority: Priority::Low, channel: Channel::InApp };

/// A message's words; `{name}` is filled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Text {
    /// The first line.
    pub title: String,
    /// The rest.
    pub body: String,
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its name in events.
    pub name: &'static str,
    /// What kind of message it is.
    pub kind: Kind,
    /// Title and body in Spanish.
    pub es: (&'static str, &'static str),
    /// Title and body in English.
    pub en: (&'static str, &'static str),
}

macro_rules! templates {
    ($($name:literal, $kind:ident, $es:expr, $en:expr;)+) => {
        /// All messages.
        pub const TEMPLATES: &[Template] = &[$(Template { name: $name, kind: $kind, es: $es, en: $en }),+];
    };
}

templates! {
    "order-received", DUTY,
        ("Hemos recibido tu pedido {order}", "Total: {amount}. Te avisaremos en cuanto esté confirmado."),
        ("We have received your order {order}", "Total: {amount}. We will tell you as soon as it is confirmed.");
    "order-confirmed", DUTY,
        ("Pedido {order} confirmado", "Tus artesanos lo preparan. Llegada prevista: {arrival}."),
        ("Order {order} confirmed", "Your artisans are preparing it. Expected arrival: {arrival}.");
    "order-to-prepare", URGENT,
        ("Nuevo pedido {order}", "Prepara tu parte del pedido: el transportista la recogerá pronto."),
        ("New order {order}", "Prepare your part of the order: the carrier will collect it soon.");
    "order-cancelled", DUTY,
        ("Pedido {order} cancelado", "Motivo: {reason}. Si se cobró algo, se devuelve."),
        ("Order {order} cancelled", "Reason: {reason}. Whatever was charged is given back.");
    "order-called-off", URGENT,
        ("El pedido {order} se ha cancelado", "No lo prepares ni lo envíes."),
        ("Order {order} was cancelled", "Do not prepare or send it.");
    "order-shipped", DUTY,
        ("Tu pedido {order} está en camino", "Paquetes: {parcels}."),
        ("Your order {order} is on its way", "Parcels: {parcels}.");
    "order-delivered", DUTY,
        ("Tu pedido {order} ha llegado", "Tienes 14 días para devolver lo que no te convenza."),
        ("Your order {order} has arrived", "You have 14 days to return what does not suit you.");
    "order-needs-you", URGENT,
        ("Tu pedido {order} espera tu confirmación", "Confirma el pago con tu banco para que siga adelante."),
        ("Your order {order} waits for you", "Confirm the payment with your bank so that it can go on.");
    "order-failed", URGENT,
        ("No hemos podido tramitar tu pedido {order}", "Lo sentimos. Si se cobró algo, se devuelve."),
        ("We could not process your order {order}", "We are sorry. Whatever was charged is given back.");
    "order-changed", DUTY,
        ("Tu pedido {order} ha cambiado", "Nuevo total: {amount}."),
        ("Your order {order} was changed", "New total: {amount}.");
    "order-returned", DUTY,
        ("Devolución del pedido {order} cerrada", "Te devolvemos {amount}."),
        ("Return of order {order} closed", "We give back {amount}.");
    "stock-depleted", URGENT,
        ("Agotado", "No quedan existencias de {product}. Repón o retíralo del catálogo."),
        ("Sold out", "Nothing is left of {product}. Restock it or take it out of the catalogue.");
    "stock-low", DUTY,
        ("Pocas existencias de {product}", "Quedan {stock} (límite: {threshold})."),
        ("Low stock of {product}", "{stock} left (limit: {threshold}).");
    "stock-ordered", DUTY,
        ("Reposición pedida", "{quantity} unidades de {product}, previstas para {expected}."),
        ("Restock ordered", "{quantity} pieces of {product}, expected on {expected}.");
    "payment-receipt", DUTY,
        ("Pago recibido", "{amount} por tu pedido {order}. Referencia: {reference}."),
        ("Payment received", "{amount} for your order {order}. Reference: {reference}.");
    "payment-failed", URGENT,
        ("No hemos podido cobrar tu pedido {order}", "{reason} Prueba con otra forma de pago."),
        ("We could not charge your order {order}", "{reason} Try another way to pay.");
    "payment-refunded", DUTY,
        ("Devolución de {amount}", "Por tu pedido {order}. Llegará a tu cuenta en unos días."),
        ("Refund of {amount}", "For your order {order}. It will reach your account in some days.");
    "welcome", DUTY,
        ("Te damos la bienvenida, {name}", "Descubre a los artesanos de la provincia de Jaén."),
        ("Welcome, {name}", "Discover the artisans of the province of Jaén.");
    "email-verified", DUTY,
        ("Correo confirmado", "Tu dirección está confirmada: ya puedes entrar."),
        ("Address confirmed", "Your address is confirmed: you can sign in now.");
    "profile-changed", URGENT,
        ("Tu perfil ha cambiado", "Se ha cambiado: {fields}. Si no has sido tú, cambia tu contraseña."),
        ("Your profile was changed", "Changed: {fields}. If it was not you, change your password.");
    "verify-email", SECRET,
        ("Confirma tu correo", "Tu código es {token}. Vale hasta {expires}."),
        ("Confirm your address", "Your code is {token}. It is good until {expires}.");
    "reset-password", SECRET,
        ("Nueva contraseña", "Tu código es {token}. Vale hasta {expires}. Si no lo pediste, ignóralo."),
        ("New password", "Your code is {token}. It is good until {expires}. If you did not ask for it, ignore it.");
    "application-received", DUTY,
        ("Solicitud recibida", "Está completa ({score} de 100 puntos). La revisaremos pronto."),
        ("Application received", "It is complete ({score} of 100 points). We will look at it soon.");
    "artisan-welcome", DUTY,
        ("Ya puedes vender, {name}", "Tu taller está verificado: publica tu primer producto."),
        ("You can sell now, {name}", "Your workshop is verified: list your first product.");
    "artisan-status", URGENT,
        ("El estado de tu taller es ahora {status}", "Motivo: {reason}. Responde a la asociación si no estás de acuerdo."),
        ("Your workshop's status is now {status}", "Reason: {reason}. Write to the association if you disagree.");
    "new-product", NEWS,
        ("Novedad: {product}", "Un taller que sigues ha publicado un producto."),
        ("New: {product}", "A workshop that you follow has listed a product.");
    "tier-report", DUTY,
        ("Tu nivel es {tier}", "Pedidos: {orders}. Consejos: {recommendations}"),
        ("Your tier is {tier}", "Orders: {orders}. Advice: {recommendations}");
    "new-review", DUTY,
        ("Nueva valoración: {rating} de 5", "Un cliente ha valorado uno de tus productos."),
        ("New review: {rating} of 5", "A customer has reviewed one of your products.");
    "cart-reminder", NEWS,
        ("Tu carrito te espera", "Tienes {count} productos por {amount}."),
        ("Your cart is waiting", "You have {count} products for {amount}.");
    "points-changed", NEWS,
        ("Tienes {balance} puntos", "Cambio: {delta}."),
        ("You have {balance} points", "Change: {delta}.");
    "chat-unread", DUTY,
        ("Tienes un mensaje", "Te han escrito en el chat."),
        ("You have a message", "Somebody wrote to you in the chat.");
    "parcel-scheduled", DUTY,
        ("Envío del pedido {order} programado", "{carrier} lo entrega entre {from} y {to}."),
        ("Parcel of order {order} scheduled", "{carrier} delivers it between {from} and {to}.");
    "parcel-dispatched", DUTY,
        ("Un paquete del pedido {order} ha salido", "{carrier}, seguimiento {tracking}."),
        ("A parcel of order {order} has left", "{carrier}, tracking number {tracking}.");
    "parcel-delivered", DUTY,
        ("Un paquete del pedido {order} ha llegado", "Que lo disfrutes."),
        ("A parcel of order {order} has arrived", "Enjoy it.");
    "parcel-cancelled", DUTY,
        ("Envío del pedido {order} anulado", "Motivo: {reason}."),
        ("Parcel of order {order} called off", "Reason: {reason}.");
}

/// The template called `name`.
pub fn template(name: &str) -> Option<&'static Template> {
    TEMPLATES.iter().find(|template| template.name == name)
}

/// A message's words. What is unknown or redacted reads `…`.
pub fn rendered(template: &Template, locale: Locale, variables: &Personal<Object>) -> Text {
    let (title, body) = match locale {
        Locale::Es => template.es,
        Locale::En => template.en,
    };
    let nothing = Object::new();
    let variables = variables.known().unwrap_or(&nothing);
    Text { title: filled(title, variables), body: filled(body, variables) }
}

/// Fills in each `{name}` once: what a variable holds is never looked at again.
fn filled(pattern: &str, variables: &Object) -> String {
    let mut text = String::with_capacity(pattern.len() + 32);
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            return text + after;
        };
        match variables.get(name) {
            Some(serde_json::Value::String(value)) => text.push_str(value),
            Some(value) if !value.is_null() => text.push_str(&value.to_string()),
            _ => text.push('…'),
        }
        rest = tail;
    }
    text + rest
}
