//! Card numbers never enter (security.md).

/// True for text that holds 13 to 19 digits in a row (spaces and dashes aside) that pass the
/// check of ISO/IEC 7812-1, as card numbers do. An id of the market is none, whatever its digits.
pub fn looks_like_card_number(text: &str) -> bool {
    if uuid::Uuid::parse_str(text).is_ok() {
        return false;
    }
    let bare: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '.')).collect();
    bare.split(|c: char| !c.is_ascii_digit()).any(|run| (13..=19).contains(&run.len()) && passes_luhn(run))
}

fn passes_luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte - b'0');
            match (place % 2, digit * 2) {
                (0, _) => digit,
                (_, doubled) if doubled > 9 => doubled - 9,
                (_, doubled) => doubled,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}
