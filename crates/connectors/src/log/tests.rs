//! Tests of the log's tables.
