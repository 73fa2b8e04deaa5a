//! Tables for the terminal: columns as wide as what stands in them, figures to the right.

use std::fmt;

/// A table that is filled row by row and then printed.
#[derive(Clone, Debug, Default)]
pub struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns. The first holds names, the others figures.
    pub fn new<const N: usize>(header: [&str; N]) -> Self {
        Self { header: header.map(str::to_owned).to_vec(), rows: Vec::new() }
    }

    /// Adds a row with as many cells as there are columns.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    fn width(&self, column: usize) -> usize {
        let cells = std::iter::once(&self.header).chain(&self.rows);
        cells.filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, row: &[String]) -> fmt::Result {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = self.width(column);
            match column {
                0 => line.push_str(&format!("  {cell:<width$}")),
                _ => line.push_str(&format!("  {cell:>width$}")),
            }
        }
        writeln!(f, "{}", line.trim_end())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, &self.header)?;
        let ruler: Vec<String> =
            (0..self.header.len()).map(|column| "─".repeat(self.width(column))).collect();
        self.write(f, &ruler)?;
        self.rows.iter().try_for_each(|row| self.write(f, row))
    }
}

/// A number with a thin mark between thousands: `12,345`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Table, thousands};

    #[test]
    fn figures_stand_to_the_right_of_names() {
        let mut table = Table::new(["orders", "n"]);
        table.row(["confirmed".to_owned(), thousands(12_345)]);
        table.row(["cañí".to_owned(), thousands(7)]);
        let lines: Vec<String> = table.to_string().lines().map(str::to_owned).collect();
        assert_eq!(
            lines,
            ["  orders          n", "  ─────────  ──────", "  confirmed  12,345", "  cañí            7"]
        );
    }
}
