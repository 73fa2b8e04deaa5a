//! Card numbers in what comes in: in a query, in a text, in a JSON body however it is escaped.

use std::borrow::Cow;

use kernel::find_card_number;

/// True where the text has one. In JSON an escape can hide a digit, so that a body with escapes
/// is looked at once more as values.
pub(super) fn in_text(text: &[u8], is_json: bool) -> bool {
    if has(text) {
        return true;
    }
    is_json
        && text.windows(2).any(|pair| pair == br"\u")
        && serde_json::from_slice(text).is_ok_and(|value| in_value(&value))
}

/// True where the query has one, percent-encoded or not.
pub(super) fn in_query(query: &str) -> bool {
    form_urlencoded::parse(query.as_bytes())
        .any(|(name, value): (Cow<'_, str>, Cow<'_, str>)| has(name.as_bytes()) || has(value.as_bytes()))
}

fn in_value(value: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Object, String};
    match value {
        String(text) => has(text.as_bytes()),
        Array(items) => items.iter().any(in_value),
        Object(fields) => fields.iter().any(|(name, value)| has(name.as_bytes()) || in_value(value)),
        _ => false,
    }
}

fn has(text: &[u8]) -> bool {
    find_card_number(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn card_numbers_are_found_however_they_are_written() {
        for text in [
            r#"{"card":"4111111111111111"}"#,
            r#"{"card":4111111111111111}"#,
            r#"{"note":"mine is 4111 1111 1111 1111, thanks"}"#,
            r#"{"note":"5500-0000-0000-0004"}"#,
            r#"{"a":["3782 822463 10005"]}"#,
            r#"{"card":"\u0034111111111111111"}"#,
            r#"{"4111111111111111":true}"#,
            r#"{"maestro":"6759649826438453"}"#,
        ] {
            assert!(in_text(text.as_bytes(), true), "{text}");
        }
        assert!(in_query("card=4111111111111111"));
        assert!(in_query("card=4111%201111+1111+1111"));
    }

    #[test]
    fn ids_times_amounts_and_barcodes_are_no_card_numbers() {
        for text in [
            r#"{"id":"01941f29-7c00-7123-8123-412345678901"}"#,
            r#"{"id":"41111111-1111-1111-8111-111111111111"}"#,
            r#"{"at":1763800000123456}"#,
            r#"{"ean":"8412345678905"}"#,
            r#"{"amount":4111111111111112}"#,
            r#"{"hex":"a4111111111111111"}"#,
            r#"{"phone":"+34 600 123 456"}"#,
            r#"{"fraction":0.4}"#,
        ] {
            assert!(!in_text(text.as_bytes(), true), "{text}");
        }
    }
}
