//! The referee: a view equals the batch answer over the input so far, after every step.
//!
//! Queries, tables, rows, signed changes, the cut into steps and the number of shards are
//! generated; DataFusion's own SQL answers each query as a batch. Where the two dialects differ
//! (windows), a query is written in both. `RIALTO_ORACLE_CASES` sets how many cases each property
//! tries, `RIALTO_ORACLE_SEED` where they start.

mod data;
mod expression;
mod feed;
mod harness;
mod late;
mod properties;
mod query;
mod referee;
mod shapes;
mod tape;
mod traps;

/// Planning recurses; deep queries want a deep stack.
const STACK_BYTES: usize = 64 << 20;

/// Runs a test on a thread with a deep stack.
fn with_deep_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(test).unwrap();
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}
