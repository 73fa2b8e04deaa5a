//! Routes: what a service offers over HTTP, and to whom. A route without a word on access does
//! not exist.

use axum::routing::MethodRouter;
use http::Method;
use schemars::Schema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a signed-in person may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Buys.
    Customer,
    /// Sells; own resources only.
    Artisan,
    /// Operates the market.
    Admin,
}

/// Who may call a route. Whether a person may touch *this* resource is the handler's to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// People with one of these roles.
    People(&'static [Role]),
    /// These services, nobody else.
    Services(&'static [&'static str]),
    /// People with one of these roles, and these services.
    Both(&'static [Role], &'static [&'static str]),
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Nobody known.
    Anonymous,
    /// A person.
    Person {
        /// Who.
        id: Uuid,
        /// As what.
        role: Role,
    },
    /// A service.
    Service(String),
}

impl Caller {
    /// True for an operator of the market.
    pub fn is_admin(&self) -> bool {
        matches!(self, Caller::Person { role: Role::Admin, .. })
    }

    /// True for another service.
    pub fn is_service(&self) -> bool {
        matches!(self, Caller::Service(_))
    }

    /// The person, where it is one.
    pub fn person(&self) -> Option<Uuid> {
        match self {
            Caller::Person { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// True for this very person, for operators, and for services.
    pub fn may_act_for(&self, person: Uuid) -> bool {
        self.is_admin() || self.is_service() || self.person() == Some(person)
    }

    /// A name for scopes and logs.
    pub fn label(&self) -> String {
        match self {
            Caller::Anonymous => "anonymous".to_owned(),
            Caller::Person { id, .. } => format!("person:{id}"),
            Caller::Service(name) => format!("service:{name}"),
        }
    }
}

/// The shape of a body or a query.
pub type Shape = fn(&mut schemars::SchemaGenerator) -> Schema;

/// The shape of `T`.
pub fn shape<T: schemars::JsonSchema>(generator: &mut schemars::SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// A route.
#[derive(Clone)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with `{parameters}`.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// What it does, in a line.
    pub summary: &'static str,
    /// The shape of the query.
    pub query: Option<Shape>,
    /// The shape of the request's body.
    pub request: Option<Shape>,
    /// The shape of a good answer's body.
    pub response: Option<Shape>,
    /// The largest body it takes, where that is not the usual limit (256 KiB).
    pub body_limit_bytes: Option<usize>,
    /// What serves it.
    pub handler: MethodRouter,
}

impl Route {
    /// A route; shapes are added with the methods below.
    pub fn new(
        method: Method,
        path: &'static str,
        access: Access,
        summary: &'static str,
        handler: MethodRouter,
    ) -> Self {
        Self {
            method,
            path,
            access,
            summary,
            query: None,
            request: None,
            response: None,
            body_limit_bytes: None,
            handler,
        }
    }

    /// Describes the query.
    #[must_use]
    pub fn query<T: schemars::JsonSchema>(mut self) -> Self {
        self.query = Some(shape::<T>);
        self
    }

    /// Describes the request's body.
    #[must_use]
    pub fn takes<T: schemars::JsonSchema>(mut self) -> Self {
        self.request = Some(shape::<T>);
        self
    }

    /// Describes a good answer's body.
    #[must_use]
    pub fn gives<T: schemars::JsonSchema>(mut self) -> Self {
        self.response = Some(shape::<T>);
        self
    }

    /// Takes bodies up to `bytes` (imports, uploads).
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit_bytes = Some(bytes);
        self
    }
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} ({:?})", self.method, self.path, self.access)
    }
}
