//! MATCH_RECOGNIZE against a backtracking search over all rows, after every step.

use arrow::array::TimestampMillisecondArray;
use arrow::datatypes::{DataType, Field};
use datafusion_common::ScalarValue;
use datafusion_expr::Operator as BinaryOperator;
use datafusion_physical_expr::expressions::{BinaryExpr, Column, Literal};
use proptest::prelude::*;

use super::pattern::first_variables;
use super::*;
use crate::expr::Expression;
use crate::operator::over::{FunctionKind, WindowFunction};
use crate::operator::testing_rank::{
    Bag, Event, Harness, Plot, Story, add, delta_of_events, stories,
};
use Preference::{Greedy, Reluctant};

const A: usize = 0;
const B: usize = 1;
const C: usize = 2;

fn column(at: usize) -> Expression {
    Arc::new(Column::new("x", at))
}

fn number(value: i64) -> Expression {
    Arc::new(Literal::new(ScalarValue::Int64(Some(value))))
}

fn compare(left: Expression, operator: BinaryOperator, right: Expression) -> Expression {
    Arc::new(BinaryExpr::new(left, operator, right))
}

fn last(variable: Option<usize>, column: usize, offset: usize) -> MatchReference {
    MatchReference::Last { variable, column, offset }
}

fn aggregate_of(kind: FunctionKind, variable: Option<usize>) -> MatchReference {
    let function = WindowFunction {
        kind,
        argument: Some(Arc::new(Column::new("v", 2))),
        distinct: false,
        filter: None,
        default: None,
        output: Arc::new(Field::new("x", DataType::Int64, true)),
    };
    MatchReference::Aggregate { variable, function }
}

/// `A AS A.v >= 2, B AS B.v >= LAST(A.v), C AS SUM(C.v) <= 3`.
fn define() -> Vec<Option<MatchExpression>> {
    let condition = |references, operator, right| {
        Some(MatchExpression { references, expression: compare(column(0), operator, right) })
    };
    vec![
        condition(vec![last(Some(A), 2, 0)], BinaryOperator::GtEq, number(2)),
        condition(vec![last(Some(B), 2, 0), last(Some(A), 2, 0)], BinaryOperator::GtEq, column(1)),
        condition(vec![aggregate_of(FunctionKind::Sum, Some(C))], BinaryOperator::LtEq, number(3)),
    ]
}

/// The same, written down by hand: the values and variables so far, with the row at hand.
fn fits(variable: usize, taken: &[(Option<i64>, usize)]) -> bool {
    let of = |v: usize| taken.iter().filter(move |t| t.1 == v).map(|t| t.0);
    match variable {
        A => of(A).next_back().flatten().is_some_and(|v| v >= 2),
        B => match (of(B).next_back().flatten(), of(A).next_back().flatten()) {
            (Some(b), Some(a)) => b >= a,
            _ => false,
        },
        _ => {
            let values: Vec<i64> = of(C).flatten().collect();
            !values.is_empty() && values.iter().sum::<i64>() <= 3
        }
    }
}

fn measures() -> Vec<(MatchExpression, FieldRef)> {
    let measure = |reference: MatchReference| {
        let field = reference.field(&Story::schema(), 1);
        (MatchExpression { references: vec![reference], expression: column(0) }, field)
    };
    vec![
        measure(MatchReference::First { variable: None, column: 1, offset: 0 }),
        measure(MatchReference::MatchTime),
        measure(aggregate_of(FunctionKind::Count, None)),
        measure(last(Some(A), 2, 1)),
        measure(aggregate_of(FunctionKind::Max, Some(B))),
        measure(aggregate_of(FunctionKind::Sum, Some(C))),
    ]
}

fn spec(pattern: Pattern, skip: Skip, within: Option<i64>) -> MatchSpec {
    MatchSpec {
        partition: vec![0],
        order: vec![SortColumn::ascending(1)],
        variables: vec!["A".into(), "B".into(), "C".into()],
        pattern,
        define: define(),
        measures: measures(),
        skip,
        within,
    }
}

/// How a search ends.
enum End {
    Match(Vec<usize>),
    NoMatch,
    /// It depends on rows that are not there yet.
    Open,
}

struct Search<'a> {
    rows: &'a [Event],
    within: Option<i64>,
    watermark: i64,
    /// How many rows the match must have.
    length: std::cell::Cell<usize>,
    /// Whether a way through the pattern wants a row that is not there yet.
    open: std::cell::Cell<bool>,
}

/// What comes after a part of a pattern: the variables so far, and those that the next row must
/// not fit.
type Goal<'a> = &'a mut dyn FnMut(&mut Vec<usize>, u64) -> Option<Vec<usize>>;

impl Search<'_> {
    fn fits_next(&self, variable: usize, taken: &mut Vec<usize>) -> bool {
        taken.push(variable);
        let values: Vec<_> = self.rows.iter().map(|r| r.value).zip(taken.iter().copied()).collect();
        taken.pop();
        fits(variable, &values)
    }

    /// Tries all ways through the pattern, each followed by `goal`.
    fn walk(
        &self,
        pattern: &Pattern,
        taken: &mut Vec<usize>,
        guard: u64,
        goal: Goal<'_>,
    ) -> Option<Vec<usize>> {
        match pattern {
            Pattern::Variable(variable) => {
                let start = self.rows[0].time;
                let timed_out = |time: i64| {
                    self.within.is_some_and(|within| time.saturating_sub(start) >= within)
                };
                let Some(row) = self.rows.get(taken.len()) else {
                    self.open.set(self.open.get() || !timed_out(self.watermark));
                    return None;
                };
                let kept = |v: usize, taken: &mut Vec<usize>| {
                    guard >> v & 1 == 1 && self.fits_next(v, taken)
                };
                if timed_out(row.time)
                    || taken.len() == self.length.get()
                    || (0..3).any(|v| kept(v, taken))
                    || !self.fits_next(*variable, taken)
                {
                    return None;
                }
                taken.push(*variable);
                let end = goal(taken, 0);
                taken.pop();
                end
            }
            Pattern::Concatenation(parts) => match parts.split_first() {
                None => goal(taken, guard),
                Some((first, rest)) => {
                    let rest = Pattern::Concatenation(rest.to_vec());
                    self.walk(first, taken, guard, &mut |taken, guard| {
                        self.walk(&rest, taken, guard, goal)
                    })
                }
            },
            Pattern::Alternation(parts) => {
                parts.iter().find_map(|part| self.walk(part, taken, guard, goal))
            }
            Pattern::Repeat { pattern, min, max, preference } => {
                let keeps = *preference == Greedy && *max != Some(*min);
                let kept = if keeps { first_variables(pattern) } else { 0 };
                self.rounds(pattern, (*min, *max), taken, guard, &mut |taken, guard| {
                    goal(taken, guard | kept)
                })
            }
        }
    }

    fn rounds(
        &self,
        pattern: &Pattern,
        (min, max): (u32, Option<u32>),
        taken: &mut Vec<usize>,
        guard: u64,
        goal: Goal<'_>,
    ) -> Option<Vec<usize>> {
        let before = taken.len();
        let more = |taken: &mut Vec<usize>, goal: Goal<'_>| {
            if max == Some(0) {
                return None;
            }
            let left = (min.saturating_sub(1), max.map(|m| m.saturating_sub(1)));
            self.walk(pattern, taken, guard, &mut |taken, guard| {
                // A round of no rows leads nowhere new, if rounds have no end.
                if min == 0 && max.is_none() && taken.len() == before {
                    return None;
                }
                self.rounds(pattern, left, taken, guard, goal)
            })
        };
        match min {
            0 => more(taken, goal).or_else(|| goal(taken, guard)),
            _ => more(taken, goal),
        }
    }

    fn run(&self, pattern: &Pattern) -> End {
        for length in 1..=self.rows.len() {
            self.length.set(length);
            let found = self.walk(pattern, &mut Vec::new(), 0, &mut |taken, _| {
                (taken.len() == length).then(|| taken.clone())
            });
            if let Some(found) = found {
                return End::Match(found);
            }
        }
        if self.open.get() { End::Open } else { End::NoMatch }
    }
}

fn shown(rows: &[Event], variables: &[usize]) -> String {
    let null = |v: Option<i64>| v.map_or("null".to_string(), |v| v.to_string());
    let time = |ms: i64| {
        let times: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![ms]));
        arrow::util::display::array_value_to_string(&times, 0).unwrap()
    };
    let of = |wanted: usize| -> Vec<Option<i64>> {
        let rows = rows.iter().zip(variables).filter(|(_, v)| **v == wanted);
        rows.map(|(r, _)| r.value).collect()
    };
    let taken = &rows[..variables.len()];
    let sum: Vec<i64> = of(C).into_iter().flatten().collect();
    [
        null(rows[0].key),
        time(rows[0].time),
        time(taken[taken.len() - 1].time),
        taken.iter().filter(|r| r.value.is_some()).count().to_string(),
        null(of(A).into_iter().nth_back(1).flatten()),
        null(of(B).into_iter().flatten().max()),
        null((!sum.is_empty()).then(|| sum.iter().sum())),
    ]
    .join("|")
}

fn naive(events: &[Event], spec: &MatchSpec, watermark: i64) -> Bag {
    let mut rows: Vec<Event> = events.iter().filter(|e| e.time <= watermark).cloned().collect();
    rows.sort_by_key(|e| (e.key, e.time));
    let mut bag = Bag::new();
    for rows in rows.chunk_by(|a, b| a.key == b.key) {
        let mut start = 0;
        while start < rows.len() {
            let search = Search {
                rows: &rows[start..],
                within: spec.within,
                watermark,
                length: Default::default(),
                open: Default::default(),
            };
            match search.run(&spec.pattern) {
                End::Open => break,
                End::NoMatch => start += 1,
                End::Match(variables) => {
                    add(&mut bag, shown(&rows[start..], &variables), 1);
                    start += match spec.skip {
                        Skip::ToNextRow => 1,
                        _ => variables.len(),
                    };
                }
            }
        }
    }
    bag
}

fn patterns() -> impl Strategy<Value = Pattern> {
    let leaf = (0_usize..3).prop_map(Pattern::Variable);
    let quantifier = prop::sample::select(vec![
        (0, None),
        (1, None),
        (0, Some(1)),
        (2, Some(2)),
        (1, Some(3)),
        (0, Some(2)),
    ]);
    leaf.prop_recursive(3, 8, 3, move |inner| {
        let parts = prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            3 => parts.clone().prop_map(Pattern::Concatenation),
            1 => parts.prop_map(Pattern::Alternation),
            3 => (inner, quantifier.clone(), any::<bool>()).prop_map(|(pattern, bounds, greedy)| {
                let preference = if greedy { Greedy } else { Reluctant };
                let (min, max) = bounds;
                Pattern::Repeat { pattern: Box::new(pattern), min, max, preference }
            }),
        ]
    })
}

const PLOT: Plot = Plot { keys: 2, values: 5, retracting: false, delay: Some(8) };

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn equals_a_backtracking_search(
        story in stories(PLOT), pattern in patterns(), to_next in any::<bool>(),
        within in prop::option::of(5_i64..30),
    ) {
        let skip = if to_next { Skip::ToNextRow } else { Skip::PastLastRow };
        // The search by hand is exponential in nested loops: keep the matches short.
        let within = within.or(Some(40));
        let spec = spec(pattern, skip, within);
        let mut harness =
            Harness::new(Box::new(MatchRecognize::new(&Story::schema(), spec.clone()).unwrap()));
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
            prop_assert_eq!(&harness.sum, &naive(&events, &spec, *after));
            prop_assert_eq!(harness.late.values().sum::<i64>(), late);
        }
        prop_assert_eq!(harness.operator.state_rows(), 0);
    }
}

fn events(values: &[i64]) -> Vec<Event> {
    let event = |(time, value): (usize, &i64)| Event {
        key: Some(1),
        time: time as i64,
        value: Some(*value),
        weight: 1,
        watermark: i64::MIN,
    };
    values.iter().enumerate().map(event).collect()
}

fn repeat(variable: usize, min: u32, max: Option<u32>, preference: Preference) -> Pattern {
    Pattern::Repeat { pattern: Box::new(Pattern::Variable(variable)), min, max, preference }
}

/// `A AS A.v = 9, B AS B.v < 5, C AS TRUE MEASURES COUNT(*)`.
fn counts(pattern: Pattern, skip: Skip, values: &[i64]) -> Vec<i64> {
    let nine = MatchExpression {
        references: vec![last(Some(A), 2, 0)],
        expression: compare(column(0), BinaryOperator::Eq, number(9)),
    };
    let small = MatchExpression {
        references: vec![last(Some(B), 2, 0)],
        expression: compare(column(0), BinaryOperator::Lt, number(5)),
    };
    let spec = MatchSpec {
        define: vec![Some(nine), Some(small), None],
        measures: vec![measures().remove(2)],
        ..spec(pattern, skip, None)
    };
    let mut operator = MatchRecognize::new(&Story::schema(), spec).unwrap();
    operator.take(&delta_of_events(&events(values))).unwrap();
    let output = operator.advance(Watermark::MAX).unwrap();
    output.iter().flat_map(count_column).collect()
}

/// The first measure, behind the key.
fn count_column(delta: &Delta) -> Vec<i64> {
    delta.column(1).as_primitive::<arrow::datatypes::Int64Type>().values().to_vec()
}

#[test]
fn a_greedy_repetition_gives_no_row_back() {
    let then = |last, preference| {
        let rows = repeat(B, 1, None, preference);
        Pattern::Concatenation(vec![Pattern::Variable(A), rows, Pattern::Variable(last)])
    };
    let values = [9, 1, 1, 9, 1, 9];
    // C fits every row, but B keeps all that are small.
    assert_eq!(counts(then(C, Greedy), Skip::PastLastRow, &values), [4]);
    assert_eq!(counts(then(C, Reluctant), Skip::PastLastRow, &values), [3, 3]);
    assert_eq!(counts(then(A, Greedy), Skip::PastLastRow, &values), [4]);
    assert_eq!(counts(then(A, Greedy), Skip::ToLast(A), &values), [4, 3]);
    assert_eq!(counts(then(B, Greedy), Skip::PastLastRow, &values), [0_i64; 0]);
    let two = Pattern::Concatenation(vec![
        Pattern::Variable(A),
        repeat(B, 1, Some(2), Greedy),
        Pattern::Variable(C),
    ]);
    assert_eq!(counts(two, Skip::PastLastRow, &[9, 1, 1, 1, 9, 1, 9]), [3]);
}

#[test]
fn an_attempt_that_nothing_ends_holds_back_what_begins_after_it() {
    // `C+ A`: from the first row on, C never has enough; from the second on, A takes the last row.
    let values = events(&[-2, 1, 1, 2]);
    let rows_of_matches = |within| {
        let rows = repeat(C, 1, None, Greedy);
        let pattern = Pattern::Concatenation(vec![rows, Pattern::Variable(A)]);
        let spec = MatchSpec {
            measures: vec![measures().remove(2)],
            ..spec(pattern, Skip::PastLastRow, within)
        };
        let mut operator = MatchRecognize::new(&Story::schema(), spec).unwrap();
        operator.take(&delta_of_events(&values)).unwrap();
        let output = operator.advance(Watermark::MAX).unwrap();
        assert_eq!(operator.state_rows(), 0);
        output.iter().flat_map(count_column).collect::<Vec<_>>()
    };
    assert_eq!(rows_of_matches(None), [0_i64; 0]);
    assert_eq!(rows_of_matches(Some(100)), [3]);
}

#[test]
fn a_skip_that_does_not_move_is_an_error() {
    let story = || delta_of_events(&events(&[2, 2, 2]));
    let fails = |skip| {
        let pattern = Pattern::Concatenation(vec![Pattern::Variable(A), Pattern::Variable(A)]);
        let mut operator =
            MatchRecognize::new(&Story::schema(), spec(pattern, skip, None)).unwrap();
        operator.take(&story()).unwrap();
        operator.advance(Watermark::MAX).unwrap_err().to_string()
    };
    assert!(fails(Skip::ToFirst(A)).contains("for ever"));
    assert!(fails(Skip::ToLast(B)).contains("no row of B"));
}

#[test]
fn a_pattern_beyond_all_bounds_is_refused() {
    let thousand = Pattern::Repeat {
        pattern: Box::new(repeat(A, 1_000, Some(1_000), Greedy)),
        min: 1_000,
        max: None,
        preference: Greedy,
    };
    let error = compile(&thousand, 1).unwrap_err().to_string();
    assert!(error.contains("too large"), "{error}");
}

#[test]
fn the_output_watermark_waits_for_open_matches() {
    let pattern = Pattern::Variable(A);
    let operator =
        MatchRecognize::new(&Story::schema(), spec(pattern, Skip::ToNextRow, Some(10))).unwrap();
    assert_eq!(operator.watermark(&[Watermark(100)], 0), Watermark(90));
    assert_eq!(operator.watermark(&[Watermark::MAX], 0), Watermark::MAX);
}
