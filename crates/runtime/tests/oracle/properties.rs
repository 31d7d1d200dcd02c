//! For generated queries, inputs, cuts and shards, the view equals the batch answer.

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::harness::{Spread, check, check_final};
use crate::query::{Gen, Relation, Shape};
use crate::referee::Referee;
use crate::tape::{Tape, Timing, input};
use crate::with_deep_stack;

/// How many cases a property tries, unless `RIALTO_ORACLE_CASES` says otherwise.
const CASES: u32 = 12;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Tries `make` on many cases. The seed is fixed, so that a run can be repeated;
/// `RIALTO_ORACLE_SEED` chooses another.
fn holds(timing: Timing, make: fn(&mut Gen<'_>) -> Relation) {
    with_deep_stack(move || run(timing, make));
}

/// The cases that were asked for, from the seed that was.
pub fn runner() -> TestRunner {
    let seed = variable("RIALTO_ORACLE_SEED").unwrap_or(1);
    let cases = variable("RIALTO_ORACLE_CASES").map_or(CASES, |n| n as u32);
    println!("RIALTO_ORACLE_SEED={seed} RIALTO_ORACLE_CASES={cases}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases,
        max_shrink_iters: 400,
        max_shrink_time: 15_000,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    TestRunner::new_with_rng(config, rng)
}

fn run(timing: Timing, make: fn(&mut Gen<'_>) -> Relation) {
    let mut runner = runner();
    let referee = Referee::new();
    let numbers = |max: usize| vec(any::<u16>(), 0..max);
    let result = runner.run(&(numbers(320), numbers(90), numbers(3)), |(rows, query, spread)| {
        let input = input(&rows, timing);
        let sql = make(&mut Gen::new(&query, &input.tables)).text;
        let mut tape = Tape::new(&spread);
        let shards = *tape.pick(&[1, 2, 4]);
        let spread = Spread { shards, splits: 1 + tape.below(3), threads: 1 + tape.below(3) };
        check(&input, &sql, spread, &referee).map_err(TestCaseError::fail)?;
        match timing {
            Timing::Untimed => Ok(()),
            _ => check_final(&input, &sql, spread, &referee).map_err(TestCaseError::fail),
        }
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, _)) => panic!("{reason}"),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn projections_and_filters() {
    holds(Timing::Untimed, |g| g.shaped(Shape::Project, 2));
}

#[test]
fn groups() {
    holds(Timing::Untimed, |g| g.shaped(Shape::Group, 1));
}

#[test]
fn groups_of_anything() {
    holds(Timing::Untimed, |g| g.shaped(Shape::Group, 2));
}

#[test]
fn joins() {
    holds(Timing::Untimed, |g| g.shaped(Shape::Join, 1));
}

#[test]
fn joins_of_anything() {
    holds(Timing::Untimed, |g| g.shaped(Shape::Join, 2));
}

#[test]
fn rows_beside_a_single_one() {
    holds(Timing::Untimed, |g| g.shaped(Shape::BesideOne, 1));
}

#[test]
fn semi_and_anti_joins() {
    holds(Timing::Untimed, |g| g.shaped(Shape::Semi, 1));
}

#[test]
fn set_operations() {
    holds(Timing::Untimed, |g| g.shaped(Shape::SetOperation, 1));
}

#[test]
fn ranks() {
    holds(Timing::Untimed, |g| g.shaped(Shape::TopN, 2));
}

#[test]
fn first_rows() {
    holds(Timing::Untimed, |g| g.shaped(Shape::FirstRows, 2));
}

#[test]
fn scalar_subqueries() {
    holds(Timing::Untimed, |g| g.shaped(Shape::ScalarSubquery, 1));
}

#[test]
fn grouping_sets() {
    holds(Timing::Untimed, |g| g.shaped(Shape::GroupingSets, 1));
}

#[test]
fn over_windows() {
    holds(Timing::Untimed, |g| g.shaped(Shape::Over, 1));
}

#[test]
fn nested_queries() {
    holds(Timing::Untimed, |g| g.relation(3));
}

#[test]
fn windows() {
    holds(Timing::Windows, |g| g.shaped(Shape::Group, 1));
}

#[test]
fn sessions() {
    holds(Timing::Windows, |g| g.shaped(Shape::Session, 0));
}

#[test]
fn interval_joins() {
    holds(Timing::Windows, |g| g.shaped(Shape::IntervalJoin, 0));
}

#[test]
fn nested_windows() {
    holds(Timing::Windows, |g| g.relation(2));
}

#[test]
fn groups_in_moving_time() {
    holds(Timing::Moving, |g| g.shaped(Shape::Group, 1));
}

#[test]
fn joins_in_moving_time() {
    holds(Timing::Moving, |g| g.shaped(Shape::IntervalJoin, 0));
}

#[test]
fn queries_in_moving_time() {
    holds(Timing::Moving, |g| g.relation(2));
}
