//! What a command prints.
//!
//! - `stdout.rs`: the standard output, which may be closed by its reader at any time
//! - `table.rs`: bordered tables
//! - `rows.rs`: rows and changes in the format that was asked for
//! - `query.rs`: the result of a query while its job runs
//! - `report.rs`: records that could not be read, and late rows

mod query;
mod report;
mod rows;
mod stdout;
mod table;

pub use query::QueryOutput;
pub use report::Report;
pub use rows::{ChangeWriter, RowsOfView, print_rows};
pub use stdout::{Stdout, sink_error};
pub use table::thousands;
