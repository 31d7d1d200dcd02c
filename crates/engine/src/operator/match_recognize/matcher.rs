//! The search for matches in the rows of one partition.
//!
//! One attempt at a time: it starts at a row and walks all ways through the pattern at once, as
//! threads. The first one that accepts decides it; where several do with one row, the one that
//! stayed longer in the earlier parts of the pattern. What the threads took so far is kept as a
//! tree, so that they share what they have in common.

use arrow::array::{Array, AsArray};

use super::context::{Bound, Candidate};
use super::pattern::Instruction;
use super::{Program, Skip};
use crate::operator::order::Key;
use crate::operator::rows::RowStore;
use crate::state::persist_struct;
use crate::{EngineError, Result, Watermark};

/// At most so many threads in one attempt: beyond it the pattern is hopelessly ambiguous.
pub const ATTEMPT_THREADS_MAX: usize = 10_000;
/// At most so many steps of all threads are kept in one attempt.
pub const ATTEMPT_NODES_MAX: usize = 5_000_000;

const ROOT: u32 = u32::MAX;

/// What a condition is tried against: the row at hand, those from the attempt's start on, and
/// where both are looked up.
type AtHand<'a> = (&'a Row, &'a std::collections::VecDeque<Row>, &'a Program, &'a RowStore);

/// A row in the order in which it is matched.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) key: Key,
    pub(super) time: i64,
    pub(super) id: u32,
    /// One bit a variable whose condition looks at this row only: whether the row fits.
    pub(super) fits: u64,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    parent: u32,
    variable: u16,
}

#[derive(Debug, Clone, Copy)]
struct Thread {
    at: usize,
    node: u32,
    /// The variables that the next row must not fit, one bit each.
    guard: u64,
}

/// The places that threads have reached with one row.
#[derive(Debug)]
struct Visited {
    free: Vec<bool>,
    guarded: Vec<(usize, u64)>,
}

impl Visited {
    fn new(places: usize) -> Self {
        Self { free: vec![false; places], guarded: Vec::new() }
    }

    fn clear(&mut self) {
        self.free.fill(false);
        self.guarded.clear();
    }

    /// False if a thread that can do all that this one can has been here before.
    fn enter(&mut self, at: usize, guard: u64) -> bool {
        if self.free[at] || self.guarded.contains(&(at, guard)) {
            return false;
        }
        match guard {
            0 => self.free[at] = true,
            _ => self.guarded.push((at, guard)),
        }
        true
    }
}

/// An attempt that starts at the first row of the partition.
#[derive(Debug, Default)]
struct Attempt {
    threads: Vec<Thread>,
    nodes: Vec<Node>,
    /// How many rows it has seen.
    rows: usize,
    /// The end of the match.
    best: Option<u32>,
}

/// The rows of one partition that are still of use.
#[derive(Debug, Default)]
pub(super) struct Partition {
    /// Rows that the watermark has not passed, in order.
    pub(super) waiting: Vec<Row>,
    /// Rows that it has passed, from the start of the running attempt on.
    ready: std::collections::VecDeque<Row>,
    attempt: Option<Attempt>,
    pub(super) due: Option<i64>,
}

persist_struct!(Row { key, time, id, fits });
persist_struct!(Node { parent, variable });
persist_struct!(Thread { at, node, guard });
persist_struct!(Attempt { threads, nodes, rows, best });
persist_struct!(Partition { waiting, ready, attempt, due });

impl Partition {
    /// Gives the rows the ids that they have now.
    pub(super) fn renumber(&mut self, id_now: &mut dyn FnMut(u32) -> u32) {
        self.waiting.iter_mut().chain(&mut self.ready).for_each(|row| row.id = id_now(row.id));
    }

    /// Puts a row in its place: by the order, then by arrival.
    pub(super) fn insert(&mut self, row: Row) {
        let at = self.waiting.partition_point(|r| r.key <= row.key);
        self.waiting.insert(at, row);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.ready.is_empty()
    }

    /// When the watermark has something to do here.
    pub(super) fn next_due(&self, within: Option<i64>) -> Option<i64> {
        let waiting = self.waiting.first().map(|r| r.time);
        let start = self.ready.front().map(|r| r.time);
        let timeout = start.map(|t| within.map_or(i64::MAX, |within| t.saturating_add(within)));
        waiting.into_iter().chain(timeout).min()
    }

    /// Matches the rows up to the watermark. Rows that are of no more use go to `gone`.
    pub(super) fn advance(
        &mut self,
        program: &Program,
        store: &RowStore,
        watermark: Watermark,
        found: &mut Vec<Candidate>,
        gone: &mut Vec<u32>,
    ) -> Result<()> {
        let passed = self.waiting.partition_point(|r| watermark.passed(r.time));
        self.ready.extend(self.waiting.drain(..passed));
        while let Some(first) = self.ready.front() {
            let start = first.time;
            let mut attempt = match self.attempt.take() {
                Some(attempt) => attempt,
                None => Attempt::start(program),
            };
            let mut timed_out = false;
            while !attempt.threads.is_empty() && attempt.rows < self.ready.len() && !timed_out {
                let row = &self.ready[attempt.rows];
                let age = row.time.saturating_sub(start);
                timed_out = program.within.is_some_and(|within| age >= within);
                if !timed_out {
                    attempt.take(row, &self.ready, program, store)?;
                }
            }
            let age = watermark.0.saturating_sub(start);
            timed_out |= program.within.is_some_and(|within| age >= within);
            if !attempt.threads.is_empty() && !timed_out {
                if watermark == Watermark::MAX {
                    // No row and no time will ever end it, so nothing after it can match.
                    gone.extend(self.ready.drain(..).map(|r| r.id));
                } else {
                    self.attempt = Some(attempt);
                }
                break;
            }
            let next = match attempt.best {
                Some(best) => {
                    let candidate = attempt.candidate(best, &self.ready);
                    let next = skip(program, &candidate)?;
                    found.push(candidate);
                    next
                }
                None => 1,
            };
            gone.extend(self.ready.drain(..next).map(|r| r.id));
        }
        Ok(())
    }
}

/// How many rows from the start of a match the next attempt begins.
fn skip(program: &Program, found: &Candidate) -> Result<usize> {
    let is = |v: &usize| {
        let wanted = *v;
        move |variable: &u16| usize::from(*variable) == wanted
    };
    let (place, variable) = match &program.skip {
        Skip::PastLastRow => return Ok(found.ids.len()),
        Skip::ToNextRow => return Ok(1),
        Skip::ToFirst(v) => (found.variables.iter().position(is(v)), v),
        Skip::ToLast(v) => (found.variables.iter().rposition(is(v)), v),
    };
    let name = &program.names[*variable];
    match place {
        Some(0) => Err(EngineError::Data(format!(
            "AFTER MATCH SKIP TO {name} would look for the next match where this one started, for \
             ever: skip to a variable that is not the first of a match"
        ))),
        Some(place) => Ok(place),
        None => Err(EngineError::Data(format!(
            "AFTER MATCH SKIP TO {name}: a match has no row of {name}"
        ))),
    }
}

impl Attempt {
    fn start(program: &Program) -> Self {
        let mut attempt = Self::default();
        // An empty match is none: that the pattern accepts here means nothing.
        let mut visited = Visited::new(program.instructions.len());
        follow((0, ROOT), program, &mut visited, &mut attempt.threads);
        attempt
    }

    /// Gives the next row to all threads.
    fn take(
        &mut self,
        row: &Row,
        rows: &std::collections::VecDeque<Row>,
        program: &Program,
        store: &RowStore,
    ) -> Result<()> {
        let mut threads = Vec::new();
        let mut visited = Visited::new(program.instructions.len());
        for thread in std::mem::take(&mut self.threads) {
            let Instruction::Take(variable) = program.instructions[thread.at] else { continue };
            let context = (row, rows, program, store);
            if !self.fits(thread.node, variable, context)?
                || self.is_kept(thread.node, thread.guard, context)?
            {
                continue;
            }
            let node = self.nodes.len() as u32;
            self.nodes.push(Node { parent: thread.node, variable: variable as u16 });
            // Where conditions look at rows alone, two threads at one place have one future.
            if !program.is_row_only() {
                visited.clear();
            }
            if follow((thread.at + 1, node), program, &mut visited, &mut threads) {
                self.best = Some(node);
                threads.clear();
                break;
            }
        }
        self.rows += 1;
        self.threads = threads;
        if self.threads.len() > ATTEMPT_THREADS_MAX || self.nodes.len() > ATTEMPT_NODES_MAX {
            return Err(EngineError::Data(format!(
                "MATCH_RECOGNIZE: a match that starts at {} ms can go on in too many ways after {} \
                 rows: make the pattern stricter, or bound it with WITHIN",
                rows[0].time, self.rows
            )));
        }
        Ok(())
    }

    /// Whether the row at hand fits a variable after what has been taken.
    fn fits(&mut self, parent: u32, variable: usize, context: AtHand<'_>) -> Result<bool> {
        let (row, rows, program, store) = context;
        let Some(condition) = &program.conditions[variable] else { return Ok(true) };
        if program.row_only >> variable & 1 == 1 {
            return Ok(row.fits >> variable & 1 == 1);
        }
        let node = self.nodes.len() as u32;
        self.nodes.push(Node { parent, variable: variable as u16 });
        let candidate = self.candidate_with(node, row, rows);
        self.nodes.pop();
        holds(condition, store, candidate)
    }

    /// Whether a greedy repetition that ended before the row at hand could take it.
    fn is_kept(&mut self, parent: u32, mut guard: u64, context: AtHand<'_>) -> Result<bool> {
        while guard != 0 {
            if self.fits(parent, guard.trailing_zeros() as usize, context)? {
                return Ok(true);
            }
            guard &= guard - 1;
        }
        Ok(false)
    }

    fn variables(&self, mut node: u32) -> Vec<u16> {
        let mut variables = Vec::with_capacity(self.rows + 1);
        while node != ROOT {
            let Node { parent, variable } = self.nodes[node as usize];
            variables.push(variable);
            node = parent;
        }
        variables.reverse();
        variables
    }

    fn candidate(&self, node: u32, rows: &std::collections::VecDeque<Row>) -> Candidate {
        let variables = self.variables(node);
        Candidate { ids: rows.iter().take(variables.len()).map(|r| r.id).collect(), variables }
    }

    /// The candidate that ends with the row at hand.
    fn candidate_with(
        &self,
        node: u32,
        row: &Row,
        rows: &std::collections::VecDeque<Row>,
    ) -> Candidate {
        let candidate = self.candidate(node, rows);
        assert_eq!(candidate.ids.last(), Some(&row.id));
        candidate
    }
}

/// Adds the threads that can be reached from an instruction without a row. True: the end of the
/// pattern can be.
fn follow(
    (from, node): (usize, u32),
    program: &Program,
    visited: &mut Visited,
    threads: &mut Vec<Thread>,
) -> bool {
    let mut accepts = false;
    let mut stack = vec![(from, 0)];
    while let Some((at, guard)) = stack.pop() {
        if !visited.enter(at, guard) {
            continue;
        }
        match program.instructions[at] {
            Instruction::Take(_) => threads.push(Thread { at, node, guard }),
            Instruction::Jump(to) => stack.push((to, guard)),
            Instruction::Split(first, second) => stack.extend([(second, guard), (first, guard)]),
            Instruction::Guard(more) => stack.push((at + 1, guard | more)),
            Instruction::Accept => accepts = true,
        }
    }
    accepts
}

fn holds(condition: &Bound, store: &RowStore, candidate: Candidate) -> Result<bool> {
    let value = condition.of_matches(store, &[candidate])?;
    let value = value.as_boolean_opt().ok_or_else(|| {
        EngineError::Internal("a condition of MATCH_RECOGNIZE is not a BOOLEAN".into())
    })?;
    Ok(value.is_valid(0) && value.value(0))
}
