//! Lateness: judged in row order, so the answer does not depend on the cut, and emitted as updates
//! or once, it ends the same. What changes behind the watermark without being late stays right.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::{Strategy, any};
use proptest::test_runner::TestCaseError;
use rialto_engine::operator::Emission;

use crate::data::{Cell, Change, EventTime, Input, Kind, Table};
use crate::harness::{Spread, Subject, check, difference};
use crate::properties::runner;
use crate::query::Text;
use crate::referee::Referee;
use crate::tape::EPOCH_MS;
use crate::with_deep_stack;

const WINDOW_MS: i64 = 5_000;
const DELAY_SECONDS: i64 = 3;
const SQL: &str = "SELECT window_start, k, COUNT(*) AS n, SUM(v) AS s, MIN(v) AS m \
                   FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '5' SECOND)) \
                   GROUP BY window_start, window_end, k";

/// Key, value, milliseconds after the epoch.
type Event = (i64, i64, i64);

fn input(steps: &[Vec<Event>]) -> Input {
    let columns = [("k", Kind::BigInt), ("v", Kind::BigInt), ("ts", Kind::Time)];
    let mut table = Table::new("t", &columns, false);
    table.time = Some(EventTime { column: 2, delay_seconds: DELAY_SECONDS });
    let change = |&(k, v, ms): &Event| {
        let row = vec![Cell::Int(k), Cell::Int(v), Cell::Time(EPOCH_MS + ms)];
        Change { table: 0, row, weight: 1 }
    };
    let steps = steps.iter().map(|step| step.iter().map(change).collect()).collect();
    Input { tables: vec![table], steps }
}

/// A row is late if the watermark of the rows before it has closed its window.
fn judged(events: &[Event]) -> (Vec<String>, usize) {
    let mut watermark = i64::MIN;
    let mut groups: BTreeMap<(i64, i64), (i64, i64, i64)> = BTreeMap::new();
    let mut late = 0;
    for &(k, v, ms) in events {
        let start = ms.div_euclid(WINDOW_MS) * WINDOW_MS;
        if start + WINDOW_MS - 1 <= watermark {
            late += 1;
        } else {
            let group = groups.entry((start, k)).or_insert((0, 0, i64::MAX));
            *group = (group.0 + 1, group.1 + v, group.2.min(v));
        }
        watermark = watermark.max(ms - DELAY_SECONDS * 1_000);
    }
    let row = |((start, k), (n, sum, min)): (&(i64, i64), &(i64, i64, i64))| {
        let at = chrono::DateTime::from_timestamp_millis(EPOCH_MS + start).unwrap().naive_utc();
        format!("{}, {k}, {n}, {sum}, {min}", at.format("%Y-%m-%dT%H:%M:%S"))
    };
    let mut rows: Vec<String> = groups.iter().map(row).collect();
    rows.sort();
    (rows, late)
}

/// The rows at the end, and how many were late.
fn run(
    steps: &[Vec<Event>],
    shards: usize,
    emission: Emission,
) -> Result<(Vec<String>, usize), String> {
    let input = input(steps);
    let mut subject = Subject::start(
        &input,
        SQL,
        Spread { shards, threads: shards % 2 + 1, splits: 1 },
        emission,
    )?;
    let mut seen = Vec::new();
    for step in 0..steps.len() {
        subject.release(&input, step);
        subject.step()?;
        if emission == Emission::Updates {
            seen.extend_from_slice(&steps[step]);
            let (expected, late) = judged(&seen);
            let found = subject.rows()?;
            if (&expected, late) != (&found, subject.late) {
                let what = difference(&expected, &found);
                return Err(format!("step {}: late {late} / {}: {what}", step + 1, subject.late));
            }
        }
    }
    subject.end();
    subject.step()?;
    Ok((subject.rows()?, subject.late))
}

fn cut(events: &[Event], cuts: &[bool]) -> Vec<Vec<Event>> {
    let mut steps = vec![Vec::new()];
    for (at, event) in events.iter().enumerate() {
        steps.last_mut().unwrap().push(*event);
        if cuts.get(at).copied().unwrap_or(false) {
            steps.push(Vec::new());
        }
    }
    steps
}

#[test]
fn lateness_does_not_depend_on_the_cut() {
    with_deep_stack(|| {
        let mut runner = runner();
        let event = (0..3_i64, -2..5_i64, (0..60_i64).prop_map(|half| half * 500));
        let strategy = (vec(event, 0..40), vec(any::<bool>(), 0..40));
        let result = runner.run(&strategy, |(events, cuts)| {
            let expected = judged(&events);
            let each: Vec<Vec<Event>> = events.iter().map(|e| vec![*e]).collect();
            for steps in [vec![events.clone()], cut(&events, &cuts), each] {
                for (shards, emission) in
                    [(1, Emission::Updates), (4, Emission::Updates), (2, Emission::Final)]
                {
                    let failed = |what: String| {
                        TestCaseError::fail(format!("{shards} {emission:?} {steps:?}: {what}"))
                    };
                    let found = run(&steps, shards, emission).map_err(failed)?;
                    if found != expected {
                        let what = difference(&expected.0, &found.0);
                        let late = format!("late {} / {}", expected.1, found.1);
                        return Err(failed(format!("at the end: {late}; {what}")));
                    }
                }
            }
            Ok(())
        });
        result.unwrap_or_else(|e| panic!("{e}"));
    });
}

/// The view equals the batch answer although the watermark has passed the rows that change.
fn holds_behind_the_watermark(sql: &'static str) {
    with_deep_stack(move || {
        let steps: Vec<Vec<Event>> = [(5, 1, 0), (1, 2, 10_000), (2, 5, 11_000), (1, 3, 30_000)]
            .map(|event| vec![event])
            .to_vec();
        let referee = Referee::new();
        for shards in [1, 4] {
            let spread = Spread { shards, threads: 1, splits: 1 };
            check(&input(&steps), &Text::same(sql), spread, &referee).unwrap_or_else(|e| {
                panic!("{e}");
            });
        }
    });
}

#[test]
fn a_first_row_that_goes_is_not_late() {
    holds_behind_the_watermark(
        "SELECT k, v, COUNT(*) OVER (ORDER BY ts) AS n \
         FROM (SELECT k, v, ts FROM t ORDER BY v DESC NULLS LAST, k ASC NULLS FIRST LIMIT 2) AS q",
    );
}

#[test]
fn a_padded_row_is_not_late() {
    holds_behind_the_watermark(
        "SELECT a.k, a.v, b.ts, COUNT(*) OVER (ORDER BY b.ts ASC NULLS FIRST) AS n FROM t AS a \
         LEFT JOIN t AS b ON a.k = b.v AND b.ts BETWEEN a.ts AND a.ts + INTERVAL '12' SECOND",
    );
}

#[test]
fn a_row_that_sees_the_next_is_not_late() {
    holds_behind_the_watermark(
        "SELECT k, m, COUNT(*) OVER (ORDER BY ts) AS n \
         FROM (SELECT k, ts, LEAD(v) OVER (ORDER BY ts) AS m FROM t) AS q",
    );
}
