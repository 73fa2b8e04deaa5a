//! Attributes as header values: percent-encoded where a character is not plain ASCII, as the HTTP
//! binding of CloudEvents says and the NATS binding takes over.

use std::fmt::Write as _;

/// A header value that carries any text.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'"' | b'%' => write!(encoded, "%{byte:02X}").expect("text takes text"),
            0x21..=0x7E => encoded.push(char::from(byte)),
            _ => write!(encoded, "%{byte:02X}").expect("text takes text"),
        }
    }
    encoded
}

/// The text of a header value; what is no valid escape stands for itself.
pub(crate) fn decode(value: &str) -> String {
    let bytes = value.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match digits.and_then(byte_of) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn byte_of(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    Some((digit(digits[0])? * 16 + digit(digits[1])?) as u8)
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn any_text_survives_and_plain_text_is_left_alone() {
        for (text, encoded) in [
            ("order.created.v1", "order.created.v1"),
            ("2025-11-22T08:26:40.123456Z", "2025-11-22T08:26:40.123456Z"),
            ("a flow with spaces", "a%20flow%20with%20spaces"),
            ("ñ \"100%\"", "%C3%B1%20%22100%25%22"),
            ("line\r\nline", "line%0D%0Aline"),
            ("€😀", "%E2%82%AC%F0%9F%98%80"),
        ] {
            assert_eq!(encode(text), encoded);
            assert_eq!(decode(encoded), text);
        }
    }

    #[test]
    fn what_is_no_escape_stands_for_itself() {
        for text in ["100%", "%zz", "%2", "50% off"] {
            assert_eq!(decode(text), text);
        }
    }
}
