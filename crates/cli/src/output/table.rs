//! Bordered tables.

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::Field;
use rialto_runtime::sql::functions::{SessionSettings, format_field_value};
use rialto_runtime::sql::types::TYPE_METADATA_KEY;
use unicode_width::UnicodeWidthStr;

/// Lays out rows under the names of their columns. Widths are those of the widest cell so far, so
/// that rows can be printed before all of them are known.
pub struct Table {
    names: Vec<String>,
    numeric: Vec<bool>,
    widths: Vec<usize>,
}

impl Table {
    /// A table of the given columns.
    pub fn new<'a>(fields: impl IntoIterator<Item = &'a Field>) -> Self {
        let (names, numeric): (Vec<String>, Vec<bool>) =
            fields.into_iter().map(|f| (printable(f.name()), f.data_type().is_numeric())).unzip();
        let widths = names.iter().map(|n| n.width()).collect();
        Self { names, numeric, widths }
    }

    /// The cells of a batch, row by row, as the dialect prints values.
    pub fn cells(batch: &RecordBatch, settings: &SessionSettings) -> Vec<Vec<String>> {
        let schema = batch.schema();
        let cell = |column: usize, row: usize| {
            let declared = schema.field(column).metadata().get(TYPE_METADATA_KEY);
            let values: &dyn Array = batch.column(column).as_ref();
            printable(&format_field_value(values, row, declared.map(String::as_str), settings))
        };
        (0..batch.num_rows())
            .map(|row| (0..batch.num_columns()).map(|column| cell(column, row)).collect())
            .collect()
    }

    /// Makes room for rows.
    pub fn fit(&mut self, rows: &[Vec<String>]) {
        for row in rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
    }

    /// A line between rows.
    pub fn border(&self, out: &mut String) {
        out.push('+');
        for width in &self.widths {
            out.extend(std::iter::repeat_n('-', width + 2));
            out.push('+');
        }
        out.push('\n');
    }

    /// The names of the columns between two borders.
    pub fn header(&self, out: &mut String) {
        self.border(out);
        self.row(&self.names, out);
        self.border(out);
    }

    /// A row: numbers to the right, all else to the left.
    pub fn row(&self, cells: &[String], out: &mut String) {
        out.push('|');
        for (column, cell) in cells.iter().enumerate() {
            let room = self.widths[column].saturating_sub(cell.width());
            let padding = std::iter::repeat_n(' ', room);
            out.push(' ');
            if self.numeric[column] {
                out.extend(padding);
                out.push_str(cell);
            } else {
                out.push_str(cell);
                out.extend(padding);
            }
            out.push_str(" |");
        }
        out.push('\n');
    }

    /// A whole table of rows that are all there.
    pub fn whole(batch: &RecordBatch, settings: &SessionSettings, out: &mut String) {
        let schema = batch.schema();
        let mut table = Self::new(schema.fields().iter().map(AsRef::as_ref));
        let rows = Self::cells(batch, settings);
        table.fit(&rows);
        table.header(out);
        rows.iter().for_each(|row| table.row(row, out));
        table.border(out);
    }
}

/// A text that stays on its line and cannot move a terminal's cursor.
fn printable(text: &str) -> String {
    if !text.chars().any(char::is_control) {
        return text.to_owned();
    }
    let shown = |c: char| match c {
        c if c.is_control() => c.escape_default().to_string(),
        c => c.to_string(),
    };
    text.chars().map(shown).collect()
}

/// `3 rows in set`, as Flink says it.
pub fn row_count(rows: usize) -> String {
    match rows {
        0 => "Empty set".into(),
        1 => "1 row in set".into(),
        n => format!("{n} rows in set"),
    }
}

/// A number with its digits in groups of three.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};
    use arrow::datatypes::{DataType, Schema};

    use super::*;

    #[test]
    fn columns_align_by_what_a_terminal_shows() {
        let schema = Arc::new(Schema::new(vec![
            Field::new("product", DataType::Utf8, true),
            Field::new("n", DataType::Int64, true),
        ]));
        let names = StringArray::from(vec![Some("お茶"), Some("a\nb"), None]);
        let counts = Int64Array::from(vec![Some(7), Some(-12), None]);
        let batch = RecordBatch::try_new(schema, vec![Arc::new(names), Arc::new(counts)]).unwrap();
        let mut text = String::new();
        Table::whole(&batch, &SessionSettings::default(), &mut text);
        let expected = "\
+---------+--------+
| product |      n |
+---------+--------+
| お茶    |      7 |
| a\\nb    |    -12 |
| <NULL>  | <NULL> |
+---------+--------+
";
        assert_eq!(text, expected);
    }

    #[test]
    fn rows_are_counted_in_words() {
        assert_eq!(row_count(0), "Empty set");
        assert_eq!(row_count(1), "1 row in set");
        assert_eq!(row_count(2), "2 rows in set");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1,234,567");
    }
}
