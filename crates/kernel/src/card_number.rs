//! What looks like a payment card's number (ISO/IEC 7812): 13 to 19 digits that begin with 2 to 6,
//! as the payment networks' numbers do, and pass the Luhn check; in one piece, or in groups as
//! they are printed on cards. Ids, times in microseconds (which begin with 1) and EANs of Spain
//! (with 84) do not look like one.

use std::ops::Range;

const DIGITS_MIN: usize = 13;
const DIGITS_MAX: usize = 19;

/// The first thing in `text` that looks like a card number.
pub fn find_card_number(text: &[u8]) -> Option<Range<usize>> {
    let mut at = 0;
    while at < text.len() {
        if !text[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let end = at + run_length(&text[at..]);
        let bounded = |b: Option<&u8>| b.is_none_or(|b| !b.is_ascii_alphanumeric() && *b != b'_');
        let before = at.checked_sub(1).and_then(|place| text.get(place));
        if bounded(before) && bounded(text.get(end)) && looks_like_card(&text[at..end]) {
            return Some(at..end);
        }
        at = end;
    }
    None
}

/// Digits, and single spaces or hyphens between digits.
fn run_length(text: &[u8]) -> usize {
    let mut end = 0;
    while end < text.len() {
        let digit = text[end].is_ascii_digit();
        let joint =
            matches!(text[end], b' ' | b'-') && text.get(end + 1).is_some_and(u8::is_ascii_digit) && end > 0;
        if !digit && !joint {
            break;
        }
        end += 1;
    }
    end
}

fn looks_like_card(run: &[u8]) -> bool {
    let digits: Vec<u8> = run.iter().filter(|b| b.is_ascii_digit()).map(|b| b - b'0').collect();
    if digits.len() < DIGITS_MIN {
        return false;
    }
    let groups: Vec<usize> = run.split(|b| !b.is_ascii_digit()).map(<[u8]>::len).collect();
    match groups.as_slice() {
        [_] | [4, 4, 4, 1..=4] | [4, 4, 4, 4, 1..=3] | [4, 6, 4..=5] => is_card(&digits),
        _ => false,
    }
}

fn is_card(digits: &[u8]) -> bool {
    (DIGITS_MIN..=DIGITS_MAX).contains(&digits.len()) && (2..=6).contains(&digits[0]) && luhn(digits)
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let value = u32::from(*digit) * if place % 2 == 1 { 2 } else { 1 };
            if value > 9 { value - 9 } else { value }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_number_is_found_where_it_stands() {
        assert_eq!(find_card_number(b"4111111111111111"), Some(0..16));
        assert_eq!(find_card_number(b"mine is 4111 1111 1111 1111, thanks"), Some(8..27));
        assert_eq!(find_card_number(b"5500-0000-0000-0004"), Some(0..19));
        assert_eq!(find_card_number(b"(3782 822463 10005)"), Some(1..18));
        assert_eq!(find_card_number(b"6759649826438453"), Some(0..16));
        assert_eq!(find_card_number(b"card:378282246310005"), Some(5..20));
    }

    #[test]
    fn ids_times_amounts_and_barcodes_are_no_card_numbers() {
        for text in [
            "01941f29-7c00-7123-8123-412345678901",
            "41111111-1111-1111-8111-111111111111",
            "sandbox-card-ok-01a20282-9437-7012-8124-412345678901",
            "pm_1MqLiJLkdIwHu7ixUEgbFdYF",
            "1763800000123456",
            "8412345678905",
            "4111111111111112",
            "a4111111111111111",
            "+34 600 123 456",
            "",
        ] {
            assert_eq!(find_card_number(text.as_bytes()), None, "{text}");
        }
    }
}
