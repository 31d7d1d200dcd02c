//! The streaming core: deltas, operators, time, state and circuits.
