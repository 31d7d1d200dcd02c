//! What the functions answer, group by group.

mod casts;
mod collections;
mod corpus;
mod harness;
mod json;
mod numbers;
mod plans;
mod temporal;
mod text;
