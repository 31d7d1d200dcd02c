//! Decisions read from a list of numbers.
//!
//! Everything that is generated is a function of a few such lists, so that shrinking them (fewer
//! and smaller numbers) shrinks the case: zero, and the end of the list, always mean the simplest
//! choice.

use crate::data::{Cell, Change, Column, EventTime, Input, Kind, Row, Table};

/// A list of numbers that is read once.
pub struct Tape<'a> {
    numbers: &'a [u16],
    at: usize,
}

impl<'a> Tape<'a> {
    pub fn new(numbers: &'a [u16]) -> Self {
        Self { numbers, at: 0 }
    }

    /// A number below `n`; the first is the simplest.
    pub fn below(&mut self, n: usize) -> usize {
        let number = self.numbers.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        usize::from(number) % n.max(1)
    }

    /// True this often of a hundred; false is the simpler.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) >= 100 - percent
    }

    pub fn pick<'b, T>(&mut self, from: &'b [T]) -> &'b T {
        &from[self.below(from.len())]
    }
}

/// The first moment of every case: 2024-01-01 00:00:00.
pub const EPOCH_MS: i64 = 1_704_067_200_000;

/// Event times lie within this many milliseconds, so that nothing is late under an hour's delay.
const SPAN_MS: usize = 40_000;

const KINDS: [Kind; 6] =
    [Kind::BigInt, Kind::Text, Kind::BigInt, Kind::Boolean, Kind::Text, Kind::Time];

/// What kind of tables a property wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// All tables have event time, in any order, within a watermark that waits long.
    Windows,
    /// All tables have event time and only grow. Time moves on with the rows and the watermark
    /// with it, so that state is dropped; no row is late.
    Moving,
    /// None has.
    Untimed,
}

/// Two or three tables and up to 40 changes, cut into steps.
pub fn input(numbers: &[u16], timing: Timing) -> Input {
    let tape = &mut Tape::new(numbers);
    let tables: Vec<Table> = (0..2 + tape.below(2)).map(|at| table(tape, at, timing)).collect();
    let density = *tape.pick(&[30, 100, 10, 0, 60]);
    let mut steps = vec![Vec::new()];
    let mut present: Vec<Vec<Row>> = vec![Vec::new(); tables.len()];
    let rows = numbers.len() / 5;
    for nth in 0..rows.min(40) {
        let now = EPOCH_MS + nth as i64 * 1_000;
        let at = tape.below(tables.len());
        let table = &tables[at];
        let there = &mut present[at];
        let change = if table.changelog && !there.is_empty() && tape.chance(40) {
            let row = there.swap_remove(tape.below(there.len()));
            Change { table: at, row, weight: -1 }
        } else {
            let row = row(tape, table, (timing == Timing::Moving).then_some(now));
            // A source of changes may say "twice".
            let weight = if table.changelog && tape.chance(5) { 2 } else { 1 };
            (0..weight).for_each(|_| there.push(row.clone()));
            Change { table: at, row, weight }
        };
        steps.last_mut().expect("one at least").push(change);
        if tape.chance(density) {
            steps.push(Vec::new());
        }
    }
    Input { tables, steps }
}

fn table(tape: &mut Tape<'_>, at: usize, timing: Timing) -> Table {
    let letter = char::from(b'a' + at as u8);
    let mut kinds = vec![Kind::BigInt];
    (0..1 + tape.below(4)).for_each(|_| kinds.push(*tape.pick(&KINDS)));
    let timed = timing != Timing::Untimed;
    let moving = timing == Timing::Moving;
    if timed {
        kinds.push(Kind::Time);
    }
    let column = |(n, &kind): (usize, &Kind)| Column { name: format!("{letter}{n}"), kind };
    let columns: Vec<Column> = kinds.iter().enumerate().map(column).collect();
    let time =
        EventTime { column: columns.len() - 1, delay_seconds: if moving { 3 } else { 3_600 } };
    Table {
        name: format!("t{letter}"),
        columns,
        changelog: tape.chance(60) && !moving,
        time: timed.then_some(time),
    }
}

/// A row; its event time is a little before `now`, where there is one.
fn row(tape: &mut Tape<'_>, table: &Table, now: Option<i64>) -> Row {
    let time = table.time.map(|t| t.column);
    let cell = |(at, column): (usize, &Column)| match column.kind {
        _ if Some(at) != time && tape.chance(18) => Cell::Null,
        Kind::BigInt => Cell::Int(tape.below(5) as i64 - 1),
        Kind::Text => Cell::Text((*tape.pick(&["a", "b", "c", ""])).into()),
        Kind::Boolean => Cell::Bool(tape.chance(50)),
        Kind::Time if Some(at) == time && now.is_some() => {
            Cell::Time(now.unwrap_or_default() - (tape.below(6) * 500) as i64)
        }
        Kind::Time => Cell::Time(EPOCH_MS + (tape.below(SPAN_MS) / 500 * 500) as i64),
    };
    table.columns.iter().enumerate().map(cell).collect()
}
