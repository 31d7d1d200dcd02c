//! What generators share: numbered rows dealt to readers in blocks, a pace, and random numbers that
//! depend on the seed and the number of the row alone.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use arrow::array::RecordBatch;
use rialto_engine::{Delta, EngineError, Poll, Position, Reader};
use serde_json::json;

/// Makes the rows of a range of numbers.
pub(crate) trait Generate: Send {
    /// The rows `from..to`, all of them, in order.
    fn rows(&mut self, from: u64, to: u64) -> rialto_engine::Result<RecordBatch>;
}

/// The numbers that are still to be dealt, shared by all readers of a table.
#[derive(Debug)]
pub(crate) struct Deal {
    next: u64,
    end: u64,
    block: u64,
    pace: Option<Pace>,
    keep_alive: bool,
}

#[derive(Debug)]
struct Pace {
    per_second: f64,
    started: Option<Instant>,
    emitted: u64,
}

impl Deal {
    /// Numbers below `end` in blocks, at most so many a second.
    pub fn new(end: u64, block: u64, per_second: Option<u64>) -> Self {
        let pace =
            per_second.map(|rate| Pace { per_second: rate as f64, started: None, emitted: 0 });
        Self { next: 0, end, block: block.max(1), pace, keep_alive: false }
    }

    /// Readers wait, instead of ending, when all numbers are dealt.
    pub fn kept_alive(mut self, keep_alive: bool) -> Self {
        self.keep_alive = keep_alive;
        self
    }

    fn take_block(&mut self) -> Option<(u64, u64)> {
        if self.next >= self.end {
            return None;
        }
        let from = self.next;
        self.next = from.saturating_add(self.block).min(self.end);
        Some((from, self.next))
    }

    /// How many of `wanted` rows may be made now.
    fn allow(&mut self, wanted: u64) -> u64 {
        let Some(pace) = &mut self.pace else { return wanted };
        let elapsed = pace.started.get_or_insert_with(Instant::now).elapsed();
        // One row is due at once, so that a slow pace does not begin with silence.
        let due = (elapsed.as_secs_f64() * pace.per_second) as u64 + 1;
        let allowed = due.saturating_sub(pace.emitted).min(wanted);
        pace.emitted += allowed;
        allowed
    }
}

/// Reads the blocks that it is dealt.
pub(crate) struct GeneratorReader<G> {
    pub table: String,
    pub deal: Arc<Mutex<Deal>>,
    pub generator: G,
    /// Ranges that were dealt to this reader and are not made yet, the current one last.
    pub begun: Vec<(u64, u64)>,
}

impl<G> GeneratorReader<G> {
    fn deal(&self) -> MutexGuard<'_, Deal> {
        self.deal.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl<G: Generate> Reader for GeneratorReader<G> {
    fn poll(&mut self, rows_max: usize) -> rialto_engine::Result<Poll> {
        let (from, end) = match self.begun.pop() {
            Some(range) => range,
            None => {
                let mut deal = self.deal();
                match deal.take_block() {
                    Some(range) => range,
                    None if deal.keep_alive => return Ok(Poll::Idle),
                    None => return Ok(Poll::End),
                }
            }
        };
        // Neighbouring blocks are made at once, as far as this poll goes.
        let mut end = end;
        let wanted = (rows_max.max(1) as u64).min(self.deal().end - from);
        while end - from < wanted && self.begun.is_empty() {
            let mut deal = self.deal();
            if deal.next != end || deal.pace.is_some() {
                break;
            }
            match deal.take_block() {
                Some((_, next_end)) => end = next_end,
                None => break,
            }
        }
        let allowed = self.deal().allow(wanted.min(end - from));
        if from + allowed < end {
            self.begun.push((from + allowed, end));
        }
        if allowed == 0 {
            return Ok(Poll::Idle);
        }
        let batch = self.generator.rows(from, from + allowed)?;
        Ok(Poll::Rows(Delta::insert_only(batch)))
    }

    fn position(&self) -> Position {
        json!({ "next": self.deal().next, "begun": self.begun })
    }

    fn seek(&mut self, position: &Position) -> rialto_engine::Result<()> {
        let strange = || {
            let text = format!("the position {position} is not one of a generator");
            EngineError::source(format!("table '{}'", self.table), text)
        };
        let next = position["next"].as_u64().ok_or_else(strange)?;
        let mut begun = Vec::new();
        for range in position["begun"].as_array().ok_or_else(strange)? {
            let end = |i: usize| range[i].as_u64().ok_or_else(strange);
            begun.push((end(0)?, end(1)?));
        }
        let mut deal = self.deal();
        deal.next = deal.next.max(next);
        drop(deal);
        self.begun.extend(begun);
        // Of several readers' ranges the lowest comes first: times go forwards.
        self.begun.sort_unstable_by(|a, b| b.cmp(a));
        Ok(())
    }
}

/// A small generator of random numbers (SplitMix64). Its whole state comes from the seed and the
/// number of the row, so that any row can be made without those before it.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    /// For a row (and a column, or another number) of a seed.
    pub fn new(seed: u64, row: u64, column: u64) -> Self {
        let mut random = Self(seed ^ column.wrapping_mul(0xd6e8_feb8_6659_fd93));
        random.0 = random.next().wrapping_add(row.wrapping_mul(GOLDEN).rotate_left(17));
        random.0 = random.next() ^ row;
        random
    }

    #[inline]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound` (0 if that is 0).
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `0.0..1.0`.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Appends random letters.
    #[inline]
    pub fn letters(&mut self, mut count: usize, out: &mut String) {
        while count > 0 {
            let word = self.next().to_le_bytes();
            for byte in &word[..count.min(8)] {
                out.push(char::from(b'a' + ((u16::from(*byte) * 26) >> 8) as u8));
            }
            count = count.saturating_sub(8);
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, UInt64Array};
    use arrow::datatypes::{DataType, Field, Schema, UInt64Type};

    use super::*;

    struct Numbers;

    impl Generate for Numbers {
        fn rows(&mut self, from: u64, to: u64) -> rialto_engine::Result<RecordBatch> {
            let schema = Schema::new(vec![Field::new("n", DataType::UInt64, false)]);
            let values = UInt64Array::from_iter_values(from..to);
            Ok(RecordBatch::try_new(Arc::new(schema), vec![Arc::new(values)])?)
        }
    }

    fn readers(count: usize) -> Vec<GeneratorReader<Numbers>> {
        let deal = Arc::new(Mutex::new(Deal::new(95, 10, None)));
        let reader = |_| GeneratorReader {
            table: "t".into(),
            deal: deal.clone(),
            generator: Numbers,
            begun: Vec::new(),
        };
        (0..count).map(reader).collect()
    }

    fn poll(reader: &mut GeneratorReader<Numbers>, rows: usize, into: &mut Vec<u64>) -> bool {
        match reader.poll(rows).unwrap() {
            Poll::Rows(delta) => {
                into.extend(delta.column(0).as_primitive::<UInt64Type>().values());
                true
            }
            _ => false,
        }
    }

    #[test]
    fn every_number_is_dealt_once_also_across_a_restart_with_fewer_readers() {
        let mut found = Vec::new();
        let mut three = readers(3);
        for (index, rows) in [(0, 4), (1, 13), (2, 1), (0, 3), (1, 5)] {
            assert!(poll(&mut three[index], rows, &mut found));
        }
        let positions: Vec<_> = three.iter().map(|r| r.position()).collect();
        let mut one = readers(1);
        for position in &positions {
            one[0].seek(position).unwrap();
        }
        while poll(&mut one[0], 7, &mut found) {}
        found.sort_unstable();
        assert_eq!(found, (0..95).collect::<Vec<_>>());
        assert!(one[0].seek(&json!({"x": 1})).is_err());
    }

    #[test]
    fn a_pace_holds_back() {
        let deal = Arc::new(Mutex::new(Deal::new(u64::MAX, 10, Some(1))));
        let mut reader =
            GeneratorReader { table: "t".into(), deal, generator: Numbers, begun: Vec::new() };
        let mut found = Vec::new();
        assert!(poll(&mut reader, 100, &mut found));
        assert!(matches!(reader.poll(100).unwrap(), Poll::Idle));
        assert_eq!(found, [0]);
    }

    #[test]
    fn random_numbers_spread_evenly() {
        let mut counts = [0; 10];
        for row in 0..10_000 {
            counts[Random::new(7, row, 0).below(10) as usize] += 1;
        }
        assert!(counts.iter().all(|c| (850..1150).contains(c)), "{counts:?}");
    }
}
