//! Session windows against a from-scratch evaluation.

use arrow::array::TimestampMillisecondArray;
use proptest::prelude::*;

use super::*;
use crate::operator::testing_rank::{
    Bag, Event, Harness, Plot, Story, add, delta_of_events, stories,
};

const GAP: i64 = 4;

fn time(ms: i64) -> String {
    let times: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![ms]));
    arrow::util::display::array_value_to_string(&times, 0).unwrap()
}

fn text(event: &Event) -> String {
    let number = |v: Option<i64>| v.map_or("null".into(), |v| v.to_string());
    [number(event.key), time(event.time), number(event.value)].join("|")
}

/// A row by row reading of the rules: open rows, and rows with the bounds they closed with.
#[derive(Default)]
struct Naive {
    open: Vec<Event>,
    closed: Vec<(Event, (i64, i64))>,
    late: Bag,
}

impl Naive {
    /// The bounds of the session of `row` among the open rows of its key.
    fn bounds(&self, row: &Event) -> (i64, i64) {
        let mut times: Vec<i64> =
            self.open.iter().filter(|e| e.key == row.key).map(|e| e.time).collect();
        times.sort_unstable();
        let here = times.iter().position(|t| *t == row.time).unwrap();
        let mut first = here;
        while first > 0 && times[first] - times[first - 1] <= GAP {
            first -= 1;
        }
        let mut last = here;
        while last + 1 < times.len() && times[last + 1] - times[last] <= GAP {
            last += 1;
        }
        (times[first], times[last] + GAP)
    }

    fn advance(&mut self, watermark: i64) {
        let bounds: Vec<_> = self.open.iter().map(|e| self.bounds(e)).collect();
        for (event, bounds) in std::mem::take(&mut self.open).into_iter().zip(bounds) {
            match bounds.1 <= watermark {
                true => self.closed.push((event, bounds)),
                false => self.open.push(event),
            }
        }
    }

    fn take(&mut self, event: &Event) {
        self.advance(event.watermark);
        let touches = |o: &Event| o.key == event.key && (o.time - event.time).abs() <= GAP;
        let same = |o: &Event| (o.key, o.time, o.value) == (event.key, event.time, event.value);
        if event.weight < 0 {
            match self.open.iter().rposition(same) {
                Some(at) => drop(self.open.remove(at)),
                None => add(&mut self.late, text(event), event.weight),
            }
        } else if event.time + GAP - 1 > event.watermark || self.open.iter().any(touches) {
            self.open.extend((0..event.weight).map(|_| event.clone()));
        } else {
            add(&mut self.late, text(event), event.weight);
        }
    }

    fn answer(&self, emission: Emission) -> Bag {
        let mut bag = Bag::new();
        let open = self.open.iter().map(|e| (e, self.bounds(e)));
        let open = open.filter(|_| emission == Emission::Updates);
        for (event, (start, end)) in self.closed.iter().map(|(e, b)| (e, *b)).chain(open) {
            let parts = [text(event), time(start), time(end), time(end - 1)];
            add(&mut bag, parts.join("|"), 1);
        }
        bag
    }
}

fn check(story: &Story, input_insert_only: bool, emission: Emission) {
    let spec = SessionSpec {
        partition: vec![0],
        time: 1,
        gap: GAP,
        zone: LocalZone::UTC,
        input_insert_only,
        emission,
    };
    let operator = SessionWindow::new(&Story::schema(), spec).unwrap();
    let mut harness = Harness::new(Box::new(operator));
    let mut naive = Naive::default();
    for (step, after) in &story.steps {
        harness.step(vec![delta_of_events(step)], *after);
        step.iter().for_each(|e| naive.take(e));
        naive.advance(*after);
        assert_eq!(harness.sum, naive.answer(emission));
        assert_eq!(harness.late, naive.late);
    }
    assert_eq!(harness.operator.state_rows(), 0, "all sessions are closed at the end");
    assert!(emission == Emission::Updates || harness.retractions == 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn equals_the_answer_of_the_rules_row_by_row(
        inserts in stories(Plot { keys: 3, values: 2, retracting: false, delay: Some(6) }),
        changes in stories(Plot { keys: 3, values: 2, retracting: true, delay: Some(6) }),
        hasty in stories(Plot { keys: 2, values: 2, retracting: true, delay: Some(0) }),
        last_only in any::<bool>(),
    ) {
        let emission = if last_only { Emission::Final } else { Emission::Updates };
        check(&inserts, true, emission);
        check(&changes, false, emission);
        check(&hasty, false, emission);
    }
}

#[test]
fn a_row_between_two_sessions_makes_them_one() {
    let spec = SessionSpec {
        partition: vec![0],
        time: 1,
        gap: GAP,
        zone: LocalZone::UTC,
        input_insert_only: true,
        emission: Emission::Updates,
    };
    let mut harness = Harness::new(Box::new(SessionWindow::new(&Story::schema(), spec).unwrap()));
    let event = |time| Event { key: Some(1), time, value: None, weight: 1, watermark: i64::MIN };
    harness.step(vec![delta_of_events(&[event(0), event(8)])], i64::MIN);
    assert_eq!((harness.sum.len(), harness.retractions), (2, 0));
    harness.step(vec![delta_of_events(&[event(4)])], i64::MIN);
    assert_eq!((harness.sum.len(), harness.retractions), (3, 2));
    assert!(harness.sum.keys().all(|row| row.contains(&time(12))));
}
