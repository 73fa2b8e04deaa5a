//! From bytes to a value, with an error that names the place and the remedy.

use garde::Validate;
use http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::{FieldError, Problem};

/// Reads JSON. The path to a mistake is only looked for when there is one.
pub(crate) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // serde reads a struct from an array of its fields as well; nobody means that.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        let detail = "the body must be a JSON object: put the list into a field";
        return Err(Problem::of(StatusCode::UNPROCESSABLE_ENTITY, "body-not-an-object", detail));
    }
    serde_json::from_slice(bytes).map_err(|_| explain::<T>(bytes))
}

fn explain<T: DeserializeOwned>(bytes: &[u8]) -> Problem {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        let detail = "the body is empty: send a JSON object";
        return Problem::of(StatusCode::BAD_REQUEST, "json-malformed", detail);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Ok(_) => match deserializer.end() {
            Ok(()) => Problem::defect("JSON was refused at first and read at second sight"),
            Err(error) => malformed("", &error),
        },
        Err(error) => {
            let path = error.path().to_string();
            let path = if path == "." { String::new() } else { path };
            let inner = error.into_inner();
            match inner.classify() {
                Category::Data => {
                    let (code, error) = field_error(&path, &without_position(&inner));
                    let detail = detail(&error);
                    Problem::of(StatusCode::UNPROCESSABLE_ENTITY, code, detail).at(error.field, error.message)
                }
                Category::Syntax | Category::Eof | Category::Io => malformed(&path, &inner),
            }
        }
    }
}

fn detail(error: &FieldError) -> String {
    match error.field.as_str() {
        "" => error.message.clone(),
        field => format!("{field}: {}", error.message),
    }
}

fn malformed(path: &str, error: &serde_json::Error) -> Problem {
    let place = format!("line {}, column {}", error.line(), error.column());
    let near = if path.is_empty() { String::new() } else { format!(", in `{path}`") };
    let what = without_position(error);
    let problem = Problem::of(
        StatusCode::BAD_REQUEST,
        "json-malformed",
        format!("the body is not JSON: {what} at {place}{near}"),
    );
    problem.at(path, format!("{what} at {place}"))
}

fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// The code and the field that serde's words blame: `path` is where it stood; a missing or
/// unknown field is named below it.
pub(crate) fn field_error(path: &str, message: &str) -> (&'static str, FieldError) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    if let Some(name) = quoted(message, "unknown field `") {
        let allowed = message.split_once(", ").map_or("", |(_, rest)| rest);
        let allowed = allowed.replace("expected one of ", "the fields here are ");
        let allowed = allowed.replace("expected ", "the fields here are ");
        // serde's path ends at the unknown field itself.
        let field = if path.ends_with(name) { path.to_owned() } else { below(name) };
        let message = format!("there is no such field; {allowed}");
        return ("field-unknown", FieldError { field, message });
    }
    if let Some(name) = quoted(message, "missing field `") {
        let message = "this field is required".to_owned();
        return ("field-missing", FieldError { field: below(name), message });
    }
    if let Some(name) = quoted(message, "duplicate field `") {
        let message = "this field is there twice: send it once".to_owned();
        return ("field-duplicate", FieldError { field: below(name), message });
    }
    ("field-invalid", FieldError { field: path.to_owned(), message: message.to_owned() })
}

fn quoted<'a>(message: &'a str, start: &str) -> Option<&'a str> {
    message.strip_prefix(start)?.split('`').next()
}

/// garde names the fields of the Rust type; bodies are camelCase on the wire.
fn as_sent(path: &str) -> String {
    let mut sent = String::with_capacity(path.len());
    let mut capital = false;
    for letter in path.chars() {
        match letter {
            '_' => capital = true,
            _ if capital => {
                sent.extend(letter.to_uppercase());
                capital = false;
            }
            _ => sent.push(letter),
        }
    }
    sent
}

/// Checks garde's rules; every broken one is an entry.
pub(crate) fn valid<T: Validate<Context = ()>>(value: &T) -> Result<(), Problem> {
    let Err(report) = value.validate() else {
        return Ok(());
    };
    let errors: Vec<FieldError> = report
        .iter()
        .map(|(path, error)| FieldError {
            field: as_sent(&path.to_string()),
            message: error.message().to_owned(),
        })
        .collect();
    let detail = match errors.as_slice() {
        [only] => detail(only),
        several => format!("{} fields are not valid: see `errors`", several.len()),
    };
    let mut problem = Problem::of(StatusCode::UNPROCESSABLE_ENTITY, "field-invalid", detail);
    problem.errors = errors;
    Err(problem)
}
