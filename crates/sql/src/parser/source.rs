//! The text of a file, and the way from a line and column back to its bytes.

use sqlparser::tokenizer::Location;

/// Every so many characters the byte offset is noted, so that a place is found at once also in a
/// file of one long line.
const CHECKPOINT_CHARS: usize = 256;

/// SQL text with an index of its lines.
#[derive(Debug)]
pub struct Source<'a> {
    text: &'a str,
    /// The number of the first character of each line.
    line_chars: Vec<usize>,
    /// The byte offset of every 256th character.
    checkpoints: Vec<usize>,
}

impl<'a> Source<'a> {
    /// Indexes a text.
    pub fn new(text: &'a str) -> Source<'a> {
        let mut line_chars = vec![0];
        let mut checkpoints = Vec::new();
        for (number, (offset, c)) in text.char_indices().enumerate() {
            if number % CHECKPOINT_CHARS == 0 {
                checkpoints.push(offset);
            }
            if c == '\n' {
                line_chars.push(number + 1);
            }
        }
        Source { text, line_chars, checkpoints }
    }

    /// The whole text.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The text between two places.
    pub fn slice(&self, start: Location, end: Location) -> &'a str {
        let (start, end) = (self.offset(start), self.offset(end));
        self.text.get(start..end.max(start)).unwrap_or("")
    }

    /// The byte offset of a place; a place behind the end is the end.
    pub fn offset(&self, place: Location) -> usize {
        let line = usize::try_from(place.line.max(1) - 1).unwrap_or(usize::MAX);
        let column = usize::try_from(place.column.max(1) - 1).unwrap_or(usize::MAX);
        let Some(first) = self.line_chars.get(line) else {
            return self.text.len();
        };
        let number = first.saturating_add(column);
        let Some(checkpoint) = self.checkpoints.get(number / CHECKPOINT_CHARS) else {
            return self.text.len();
        };
        self.text[*checkpoint..]
            .char_indices()
            .nth(number % CHECKPOINT_CHARS)
            .map_or(self.text.len(), |(offset, _)| checkpoint + offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_behind_letters_of_several_bytes_is_found() {
        let text = "é = 'ß'\n-- zweite\nSELECT 'größe'";
        let source = Source::new(text);
        let slice = source.slice(Location { line: 3, column: 8 }, Location { line: 3, column: 15 });
        assert_eq!(slice, "'größe'");
    }

    #[test]
    fn a_long_line_is_found_by_its_checkpoints() {
        let text = format!("{}x", "ä".repeat(1_000));
        let source = Source::new(&text);
        let place = Location { line: 1, column: 1_001 };
        assert_eq!(&text[source.offset(place)..], "x");
        assert_eq!(source.offset(Location { line: 9, column: 1 }), text.len());
    }
}
