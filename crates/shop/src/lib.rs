//! A simulated shop: customers with hidden tastes, stock that runs out, prices that matter.
//!
//! A [`World`] trades hour by hour and puts what happens into the tables of the event model
//! (docs/event-model.md). It is told [`Decision`]s at the beginning of an hour and reacts: a lower
//! price sells more, an offer brings some customers back, what is not ordered runs out. The same
//! configuration and the same decisions make the same events, byte for byte.
//!
//! - `config.rs`, `random.rs`, `calendar.rs`, `words.rs`: what a world is made from
//! - `catalog.rs`, `customers.rs`: the shop and its people, hidden properties included
//! - `event.rs`, `table.rs`, `columns/`: what happens as plain data, and how its columns are had
//! - `outbox.rs`: delays, duplicates, the order of arrival
//! - `world/`: what happens, an hour at a time; one file for each part of the shop
//! - `truth.rs`: what nobody may see but what judges policies and packs
//!
//! There is no Arrow and no SQL here, no clock and no file: the connector `shop` brings those.

mod calendar;
mod catalog;
mod columns;
mod config;
mod customers;
mod decision;
mod event;
mod outbox;
mod random;
mod table;
#[cfg(test)]
mod tests;
mod truth;
mod words;
mod world;

pub use catalog::Catalog;
pub use config::{Config, Hidden};
pub use decision::{Act, Decision};
pub use event::{Event, Money};
pub use table::{Column, Kind, TABLES, Table, Value};
pub use truth::{Article, Person, Place, Secrets, Truth};
pub use world::World;
