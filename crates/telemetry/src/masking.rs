//! The last line of defence: what looks like a card number is masked in every line that is
//! written, whoever logged it.

use std::io::{self, Write};

use kernel::find_card_number;
use tracing_subscriber::fmt::MakeWriter;

/// Writers that mask.
pub(crate) struct Masking<M>(pub(crate) M);

/// A writer that masks; a line comes in one write.
pub(crate) struct MaskingWriter<W>(W);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Masking<M> {
    type Writer = MaskingWriter<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        MaskingWriter(self.0.make_writer())
    }
}

impl<W: Write> Write for MaskingWriter<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match find_card_number(line) {
            None => self.0.write_all(line)?,
            Some(_) => self.0.write_all(&masked(line))?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn masked(line: &[u8]) -> Vec<u8> {
    let mut line = line.to_vec();
    while let Some(place) = find_card_number(&line) {
        for digit in line[place].iter_mut().filter(|byte| byte.is_ascii_digit()) {
            *digit = b'*';
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn card_numbers_are_masked_and_the_rest_of_the_line_is_kept() {
        let line = b"paid 4111 1111 1111 1111 twice: 4111111111111111 at 1763800000123456";
        let expected = "paid **** **** **** **** twice: **************** at 1763800000123456";
        assert_eq!(masked(line), expected.as_bytes());
    }
}
