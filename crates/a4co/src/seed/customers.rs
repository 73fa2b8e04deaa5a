//! The demonstration's customers, with a stored payment method for each thing that can happen to
//! a payment. Invented, every one.

use backbone::route::Role;
use contracts::calls::StoredMethods;
use contracts::payment::MethodType;
use contracts::shared::Address;
use kernel::CustomerId;
use serde::Deserialize;
use serde_json::json;

use crate::client::{self, Api, Call, Tokens};

/// How many there are.
pub const COUNT: usize = PEOPLE.len();

/// What becomes of a charge with a stored method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// Charged.
    Good,
    /// Charged, by telephone.
    Bizum,
    /// Declined for good.
    Declined,
    /// Fails once, then is charged.
    Busy,
    /// The bank asks the customer.
    Asking,
}

impl Means {
    /// All of them.
    pub const ALL: [Means; 5] = [Means::Good, Means::Bizum, Means::Declined, Means::Busy, Means::Asking];

    /// The sandbox's token (crates/provider-sandbox/README.md).
    pub fn token(self) -> &'static str {
        match self {
            Means::Good => "sandbox-card-ok",
            Means::Bizum => "sandbox-bizum-600000001",
            Means::Declined => "sandbox-card-declined",
            Means::Busy => "sandbox-card-retry-1",
            Means::Asking => "sandbox-card-3ds",
        }
    }

    fn kind(self) -> MethodType {
        match self {
            Means::Bizum => MethodType::Bizum,
            _ => MethodType::Card,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Means::Good => "Tarjeta de prueba",
            Means::Bizum => "Bizum de prueba",
            Means::Declined => "Tarjeta sin saldo",
            Means::Busy => "Tarjeta que falla una vez",
            Means::Asking => "Tarjeta con 3-D Secure",
        }
    }
}

struct Person {
    first_name: &'static str,
    last_name: &'static str,
    street: &'static str,
    city: &'static str,
    province: &'static str,
    postal_code: &'static str,
}

const fn person(
    [first_name, last_name]: [&'static str; 2],
    [street, city, province, postal_code]: [&'static str; 4],
) -> Person {
    Person { first_name, last_name, street, city, province, postal_code }
}

const PEOPLE: [Person; 12] = [
    person(["Ana", "Molina Torres"], ["Calle Maestra, 12", "Jaén", "Jaén", "23001"]),
    person(["Luis", "Ortega Cano"], ["Calle Real, 40", "Úbeda", "Jaén", "23400"]),
    person(["Carmen", "Rus Poyatos"], ["Calle San Pablo, 3", "Baeza", "Jaén", "23440"]),
    person(["Javier", "Linde Moral"], ["Paseo de Linarejos, 21", "Linares", "Jaén", "23700"]),
    person(["Rosa", "Aguilar Peña"], ["Gran Vía, 8", "Granada", "Granada", "18001"]),
    person(["Manuel", "Cobo Ruiz"], ["Calle Sierpes, 15", "Sevilla", "Sevilla", "41004"]),
    person(["Lucía", "Serrano Gil"], ["Calle de Alcalá, 110", "Madrid", "Madrid", "28009"]),
    person(["Pablo", "Ferrer Soler"], ["Carrer de Mallorca, 200", "Barcelona", "Barcelona", "08036"]),
    person(["Marta", "Ibáñez Vega"], ["Calle Larga, 5", "Cádiz", "Cádiz", "11003"]),
    person(["Íñigo", "Etxeberria Sáenz"], ["Calle Ercilla, 30", "Bilbao", "Bizkaia", "48011"]),
    person(["Elena", "Vidal Roig"], ["Carrer de la Missió, 9", "Palma", "Illes Balears", "07003"]),
    person(["Diego", "Santana Marrero"], ["Calle Triana, 60", "Las Palmas", "Las Palmas", "35002"]),
];

/// A customer who has an account.
#[derive(Clone, Debug)]
pub struct Customer {
    /// Who.
    pub id: CustomerId,
    /// Their token.
    pub token: String,
    /// Where things are sent.
    pub address: Address,
    methods: Vec<(Means, String)>,
}

impl Customer {
    /// Their stored method of this kind; where they have none, the gateway's token itself.
    pub fn method(&self, means: Means) -> &str {
        let stored = self.methods.iter().find(|(kind, _)| *kind == means);
        stored.map_or(means.token(), |(_, method)| method)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Opened {
    user_id: CustomerId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    payment_method_id: String,
}

/// Where the customer with this number lives; numbers beyond the last begin again.
pub fn address(number: usize) -> Address {
    let person = &PEOPLE[number % COUNT];
    Address {
        recipient: format!("{} {}", person.first_name, person.last_name),
        line1: person.street.to_owned(),
        line2: None,
        city: person.city.to_owned(),
        province: person.province.to_owned(),
        postal_code: person.postal_code.to_owned(),
        country: "ES".to_owned(),
        latitude: None,
        longitude: None,
        phone: None,
    }
}

/// The customer with this number, who registers where they are not known yet.
pub async fn known(api: &dyn Api, tokens: &Tokens, number: usize) -> Result<Customer, client::Error> {
    registered(api, tokens, &format!("cliente{:02}", number + 1), number, &Means::ALL).await
}

/// A customer called `name` with stored methods. Asked again, it is the same customer, for as long
/// as the market remembers idempotency keys; afterwards somebody of the same name with another
/// address for mail.
pub async fn registered(
    api: &dyn Api,
    tokens: &Tokens,
    name: &str,
    number: usize,
    means: &[Means],
) -> Result<Customer, client::Error> {
    let (name, id) = register(api, name, number).await?;
    let token = tokens(Role::Customer, id.0);
    let path = format!("/api/users/{id}/payment-methods");
    let known: StoredMethods = client::fetch(api, Call::get(&path).by(&token)).await?;
    let mut methods = Vec::new();
    for means in means {
        let stored = known.methods.iter().find(|method| method.gateway_token == means.token());
        if let Some(stored) = stored {
            methods.push((*means, stored.payment_method_id.clone()));
            continue;
        }
        let body = json!({"methodType": means.kind(), "gatewayToken": means.token(), "label": means.label()});
        let call = Call::post(&path).by(&token).key(&format!("demo/{name}/{}", means.token())).json(&body);
        let stored: Stored = client::fetch(api, call).await?;
        methods.push((*means, stored.payment_method_id));
    }
    Ok(Customer { id, token, address: address(number), methods })
}

async fn register(api: &dyn Api, name: &str, number: usize) -> Result<(String, CustomerId), client::Error> {
    let person = &PEOPLE[number % COUNT];
    let mut attempt = 1;
    loop {
        let name = if attempt == 1 { name.to_owned() } else { format!("{name}.{attempt}") };
        let body = json!({
            // The domain is reserved: no mail ever leaves for it (RFC 2606).
            "email": format!("{name}@clientes.example"),
            "firstName": person.first_name,
            "lastName": person.last_name,
            "location": address(number),
        });
        let call = Call::post("/api/users").key(&format!("demo/{name}")).json(&body);
        match client::fetch::<Opened>(api, call).await {
            Ok(opened) => return Ok((name, opened.user_id)),
            // Registered so long ago that the key is forgotten.
            Err(error) if error.code() == Some("email-taken") && attempt < 100 => attempt += 1,
            Err(error) => return Err(error),
        }
    }
}
