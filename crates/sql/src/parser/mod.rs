//! From text to statements.

pub mod ast;

pub use ast::*;
