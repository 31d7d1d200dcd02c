//! What the functions answer, group by group.

mod numbers;
