//! The connectors `postgres` and `jdbc` against a real PostgreSQL.

mod lookup;
mod scan;
mod server;
mod sink;
mod trouble;
mod types;
