//! When an event-time operator gives its results.

/// When results come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Emission {
    /// At once, corrected as rows arrive: the output always equals the batch answer. For views and
    /// sinks that take updates.
    #[default]
    Updates,
    /// Once, when the watermark says that they will not change. For append-only sinks.
    Final,
}
