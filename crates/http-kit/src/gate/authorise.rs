//! Who calls, and whether the route is open to them: 401 where that is unknown or not believed,
//! 403 where it is known and refused.

use axum::extract::Request;
use backbone::route::{Access, Caller, Role};
use backbone::tokens::{Once, TokenError, Verified};
use http::{HeaderMap, Method, StatusCode, header};

use super::{Guarded, REQUEST_ID};
use crate::Problem;

/// Somebody who may use this route, unless this is a replay.
pub(super) struct Admitted {
    pub(super) caller: Caller,
    once: Option<Once>,
}

impl Admitted {
    /// The caller, where what is good once has not been seen by any replica. A memory that is away
    /// knows nothing, so nothing passes.
    pub(super) async fn for_the_first_time(self, guarded: &Guarded) -> Result<Caller, Problem> {
        let Some(Once { key, until }) = self.once else { return Ok(self.caller) };
        let refusal = match guarded.gate.claims.once(&key, until).await {
            Ok(true) => return Ok(self.caller),
            Ok(false) => TokenError::Replayed,
            Err(error) => TokenError::Unavailable(error.to_string()),
        };
        Err(refused(guarded, refusal.into()))
    }
}

/// The caller, who may use this route.
pub(super) fn admitted(guarded: &Guarded, request: &Request) -> Result<Admitted, Problem> {
    let declared = &guarded.route.method;
    // A handler that takes more methods than its declaration would be open without a word on
    // access: what is not declared does not exist.
    if request.method() != declared && !(request.method() == Method::HEAD && declared == Method::GET) {
        let detail = format!("{} takes {declared}", guarded.route.path);
        return Err(Problem::of(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail));
    }
    let refuse = |problem| refused(guarded, problem);
    let verified = match bearer(request.headers()).map_err(refuse)? {
        Some(token) => Some(verify(guarded, request.headers(), token).map_err(|e| refuse(e.into()))?),
        None => None,
    };
    allowed(guarded, verified).map_err(refuse)
}

fn refused(guarded: &Guarded, problem: Problem) -> Problem {
    tracing::info!(
        event.action = "refused",
        http.route = guarded.route.path,
        error.code = %problem.code,
        "a request was refused: {}", problem.detail
    );
    problem
}

fn verify(guarded: &Guarded, headers: &HeaderMap, token: &str) -> Result<Verified, TokenError> {
    let request_id = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    guarded.gate.tokens.verify(token, guarded.service, request_id)
}

fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().ok().filter(|_| values.next().is_none());
    let token = text.and_then(|text| text.split_once(' ')).filter(|(scheme, _)| {
        // RFC 9110: schemes are compared without case.
        scheme.eq_ignore_ascii_case("bearer")
    });
    match token.map(|(_, token)| token.trim()).filter(|token| !token.is_empty()) {
        Some(token) => Ok(Some(token)),
        None => Err(Problem::of(
            StatusCode::UNAUTHORIZED,
            "token-malformed",
            "send one header Authorization: Bearer <token>",
        )),
    }
}

fn allowed(guarded: &Guarded, verified: Option<Verified>) -> Result<Admitted, Problem> {
    let once = verified.as_ref().and_then(|verified| verified.once.clone());
    may_use(guarded, verified).map(|caller| Admitted { caller, once })
}

fn may_use(guarded: &Guarded, verified: Option<Verified>) -> Result<Caller, Problem> {
    let (roles, services): (&[Role], &[&str]) = match guarded.route.access {
        Access::Public => return Ok(verified.map_or(Caller::Anonymous, |verified| verified.caller)),
        Access::People(roles) => (roles, &[]),
        Access::Services(services) => (&[], services),
        Access::Both(roles, services) => (roles, services),
    };
    let Some(Verified { caller, permissions, .. }) = verified else {
        return Err(Problem::of(
            StatusCode::UNAUTHORIZED,
            "token-missing",
            "sign in and send the header Authorization: Bearer <token>",
        ));
    };
    match &caller {
        Caller::Person { role, .. } if roles.contains(role) => Ok(caller),
        Caller::Person { .. } if roles.is_empty() => {
            Err(Problem::of(StatusCode::FORBIDDEN, "role-not-allowed", "this route is for services only"))
        }
        Caller::Person { .. } => Err(Problem::of(
            StatusCode::FORBIDDEN,
            "role-not-allowed",
            format!("this route is for {}: sign in as such", named(roles)),
        )),
        Caller::Service(name) if !services.contains(&name.as_str()) => Err(Problem::of(
            StatusCode::FORBIDDEN,
            "service-not-allowed",
            format!("the service {name} may not use this route: add it to the route's access"),
        )),
        Caller::Service(name) if !permissions.contains(&guarded.permission) => Err(Problem::of(
            StatusCode::FORBIDDEN,
            "permission-missing",
            format!("the token of {name} does not permit `{}`: declare the call", guarded.permission),
        )),
        Caller::Service(_) => Ok(caller),
        Caller::Anonymous => Err(Problem::of(
            StatusCode::UNAUTHORIZED,
            "token-missing",
            "sign in and send the header Authorization: Bearer <token>",
        )),
    }
}

fn named(roles: &[Role]) -> String {
    let names = roles.iter().map(|role| match role {
        Role::Customer => "customers",
        Role::Artisan => "artisans",
        Role::Admin => "operators",
    });
    names.collect::<Vec<_>>().join(" and ")
}
