//! First rows against a search through all rows that were in time, after every step.

use std::collections::BTreeMap;

use arrow::array::TimestampMillisecondArray;
use proptest::prelude::*;

use super::*;
use crate::operator::testing_rank::{
    Bag, Event, Harness, Plot, Story, add, delta_of_events, stories,
};

fn shown(event: &Event) -> String {
    let null = |v: Option<i64>| v.map_or("null".to_string(), |v| v.to_string());
    let times: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![event.time]));
    let time = arrow::util::display::array_value_to_string(&times, 0).unwrap();
    [null(event.key), time, null(event.value)].join("|")
}

fn naive(events: &[Event], emission: Emission, watermark: i64) -> Bag {
    let mut first: BTreeMap<Option<i64>, &Event> = BTreeMap::new();
    for event in events {
        let best = first.entry(event.key).or_insert(event);
        if event.time < best.time {
            *best = event;
        }
    }
    let mut bag = Bag::new();
    for event in first.values() {
        if emission == Emission::Updates || event.time <= watermark {
            add(&mut bag, shown(event), 1);
        }
    }
    bag
}

const PLOT: Plot = Plot { keys: 6, values: 5, retracting: false, delay: Some(8) };

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn equals_a_search_through_the_rows_in_time(story in stories(PLOT), is_final in any::<bool>()) {
        let emission = if is_final { Emission::Final } else { Emission::Updates };
        let spec = FirstRowSpec { partition: vec![0], time: 1, emission };
        let mut harness = Harness::new(Box::new(FirstRow::new(&Story::schema(), spec).unwrap()));
        let (mut events, mut late) = (Vec::new(), 0);
        for (step, after) in &story.steps {
            harness.step(vec![delta_of_events(step)], *after);
            for event in step {
                if event.time <= event.watermark {
                    late += 1;
                } else {
                    events.push(event.clone());
                }
            }
            prop_assert_eq!(&harness.sum, &naive(&events, emission, *after));
            prop_assert_eq!(harness.late.values().sum::<i64>(), late);
        }
        prop_assert!(!is_final || harness.retractions == 0);
        prop_assert_eq!(harness.operator.state_rows(), 0, "all times have been passed");
    }
}

#[test]
fn a_row_that_is_taken_back_is_an_error() {
    let spec = FirstRowSpec { partition: vec![0], time: 1, emission: Emission::Updates };
    let mut operator = FirstRow::new(&Story::schema(), spec).unwrap();
    let event = Event { key: Some(1), time: 5, value: None, weight: -1, watermark: i64::MIN };
    let progress = [crate::Progress { before: Watermark::MIN, after: Watermark::MIN }];
    let mut late = Vec::new();
    let mut context = StepContext {
        step: 1,
        clock_ms: 0,
        shard: 0,
        shards: 1,
        inputs: &progress,
        late: &mut late,
    };
    let error = operator.step(vec![vec![delta_of_events(&[event])]], &mut context).unwrap_err();
    assert!(error.to_string().contains("insert-only"), "{error}");
}
