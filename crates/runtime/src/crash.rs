//! Places where a test has the process end as if it were killed.
//!
//! `RIALTO_CRASH_AT=place:n` ends it at the n-th pass of a place, with nothing closed, flushed or
//! told. Each place is between two durable calls of a checkpoint's way.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The places, in the order in which a run passes them.
pub const PLACES: [&str; 9] = [
    "restore",
    "recover",
    "recovered",
    "taken",
    "publish",
    "published",
    "commit",
    "committed",
    "collect",
];

/// Those of whoever delivers to a server beside the job, once for each epoch of each sink.
pub const DELIVERY_PLACES: [&str; 2] = ["deliver", "delivered"];

/// Ends the process if a test has asked for that at this pass of this place.
pub(crate) fn crash_at(place: &str) {
    static ASKED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static PASSES: AtomicU64 = AtomicU64::new(0);
    let asked = ASKED.get_or_init(|| {
        let asked = std::env::var("RIALTO_CRASH_AT").ok()?;
        let (place, pass) = asked.split_once(':')?;
        Some((place.to_owned(), pass.parse().ok()?))
    });
    let is_listed = PLACES.contains(&place) || DELIVERY_PLACES.contains(&place);
    assert!(is_listed, "{place} is not listed");
    if let Some((at, pass)) = asked
        && at == place
        && PASSES.fetch_add(1, Ordering::Relaxed) + 1 == *pass
    {
        std::process::abort();
    }
}
