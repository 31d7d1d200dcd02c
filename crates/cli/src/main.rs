//! The `rialto` command.
fn main() {}
