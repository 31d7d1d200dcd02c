//! When an operator lets its answer out.

/// When an operator emits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Emission {
    /// In every step: the output always equals the batch answer over the input so far, and a row
    /// that no longer holds is taken back.
    #[default]
    Updates,
    /// Once: a row comes out when the watermark says that it can no longer change. The output is
    /// insert-only.
    Final,
}
