//! The world, an hour at a time.
//!
//! - `plan.rs`: what a day will bring
//! - `browse.rs`: a visit of the web shop, from its first page to its cart
//! - `checkout.rs`: from the cart to a paid order
//! - `orders.rs`: from a paid order to the doorstep, and back
//! - `till.rs`: receipts of the stores
//! - `stock.rs`: positions, purchase orders, transfers, tags
//! - `pricing.rs`: promotions, competitors
//! - `ads.rs`, `messages.rs`, `market.rs`: what brings people
//! - `policy.rs`: what decisions do
//! - `secrets.rs`: what is true, and not for those who decide

mod ads;
mod browse;
mod checkout;
mod market;
mod messages;
mod orders;
mod plan;
mod policy;
mod pricing;
mod secrets;
mod stock;
mod till;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::calendar::{DAY, HOUR, day_of};
use crate::catalog::Catalog;
use crate::config::Config;
use crate::customers::{Customer, customers};
use crate::decision::Decision;
use crate::event::{Body, Event, Ref};
use crate::outbox::Outbox;
use crate::random::Random;
use crate::table::{TABLES, Table};
use crate::truth::Truth;
use ads::Campaign;
use browse::Visiting;
use market::Trend;
use messages::Letter;
use orders::{Order, Stage};
use pricing::{PriceTag, Rival};
use stock::Stock;

/// A shop that trades.
#[derive(Debug)]
pub struct World {
    config: Config,
    catalog: Arc<Catalog>,
    customers: Vec<Customer>,
    outbox: Outbox,
    agenda: BinaryHeap<Reverse<Entry>>,
    /// The beginning of the next hour, and of the first one.
    now: i64,
    opening: i64,
    ids: Ids,
    stock: Stock,
    prices: Vec<PriceTag>,
    rivals: Vec<Rival>,
    campaigns: Vec<Campaign>,
    trend: Trend,
    truth: Truth,
}

/// The numbers that were given out.
#[derive(Debug, Default)]
struct Ids {
    entries: u64,
    sessions: u64,
    orders: u64,
    transactions: u64,
    reservations: u64,
    purchases: u64,
    transfers: u64,
    adjustments: u64,
    tags: u64,
    promotions: u32,
    auctions: u64,
    clicks: u64,
    messages: u64,
    points: u64,
    offers: u64,
    strangers: u64,
}

fn next(counter: &mut u64) -> u64 {
    *counter += 1;
    *counter
}

/// Something that will happen.
#[derive(Debug)]
struct Entry {
    time: i64,
    number: u64,
    action: Action,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.time, self.number) == (other.time, other.number)
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.time, self.number).cmp(&(other.time, other.number))
    }
}

#[derive(Debug)]
enum Action {
    Register(u32),
    Visit(Visiting),
    Receipt { store: u16 },
    BroughtBack { store: u16, sku: u32, price: i64, transaction: u64, customer: Option<u32> },
    Order(Box<Order>, Stage),
    GiveUp(Vec<checkout::Line>, u64),
    Arrive { sku: u32, location: u16, quantity: i32, reference: Ref },
    Reorder,
    Promote { sku: u32, percent: u8 },
    EndPromotion(u32),
    RivalMoves(u32),
    Ad(u32),
    Letter(Box<Letter>),
    Review { order: u64, customer: u32, sku: u32 },
}

impl World {
    /// A world before its first hour. Only tables that are wanted will have events.
    pub fn new(config: Config, wanted: [bool; TABLES]) -> Self {
        let catalog = Arc::new(Catalog::new(&config));
        let opening = day_of(config.start_ms) * DAY;
        let mut world = Self {
            customers: customers(&config),
            outbox: Outbox::new(&config, wanted),
            agenda: BinaryHeap::new(),
            now: opening,
            opening,
            ids: Ids { strangers: u64::from(config.customers) * 2, ..Ids::default() },
            stock: Stock::new(&catalog),
            prices: pricing::tags(&catalog),
            rivals: pricing::rivals(&catalog, &config),
            campaigns: ads::campaigns(&config),
            trend: Trend::default(),
            truth: Truth::default(),
            catalog,
            config,
        };
        world.open();
        world
    }

    /// What the shop sells.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.catalog.clone()
    }

    /// The time up to which everything has happened, in epoch milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.now
    }

    /// Says which tables somebody reads from now on.
    pub fn want(&mut self, wanted: [bool; TABLES]) {
        self.outbox.wants(wanted);
    }

    /// How many events of each table there were, whether wanted or not.
    pub fn counts(&self) -> [u64; TABLES] {
        self.outbox.counts()
    }

    /// Whether the last day is over.
    pub fn is_over(&self) -> bool {
        self.config.days > 0 && self.now >= self.opening + i64::from(self.config.days) * DAY
    }

    /// Carries out what was decided, then lets an hour pass. Does nothing when the world is over.
    pub fn hour(&mut self, decisions: &[Decision]) {
        if self.is_over() {
            return;
        }
        let begin = self.now;
        self.now = begin + HOUR;
        if begin.rem_euclid(DAY) == 0 {
            self.plan_day(day_of(begin));
        }
        for decision in decisions {
            self.carry_out(begin, decision);
        }
        while let Some(Reverse(entry)) = self.agenda.peek() {
            if entry.time >= self.now {
                break;
            }
            let Some(Reverse(entry)) = self.agenda.pop() else { break };
            self.act(entry.time.max(begin), entry.action);
        }
    }

    /// Appends the events of a table that have arrived by now, in the order of their arrival.
    pub fn take(&mut self, table: Table, into: &mut Vec<Event>) {
        let end = if self.is_over() { i64::MAX } else { self.now };
        self.outbox.take(table, end, into);
    }

    fn act(&mut self, time: i64, action: Action) {
        match action {
            Action::Register(customer) => self.register(time, customer),
            Action::Visit(visiting) => self.visit(time, visiting),
            Action::Receipt { store } => self.receipt(time, store),
            Action::BroughtBack { store, sku, price, transaction, customer } => {
                self.store_return(time, store, sku, price, transaction, customer);
            }
            Action::Order(order, stage) => self.order_step(time, order, stage),
            Action::GiveUp(lines, cart) => self.give_up(time, &lines, cart),
            Action::Arrive { sku, location, quantity, reference } => {
                self.arrive(time, sku, location, quantity, reference);
            }
            Action::Reorder => self.reorder(time),
            Action::Promote { sku, percent } => self.promote(time, sku, percent),
            Action::EndPromotion(sku) => self.end_promotion(time, sku),
            Action::RivalMoves(rival) => self.rival_moves(time, rival),
            Action::Ad(campaign) => self.auction(time, campaign),
            Action::Letter(letter) => self.letter(time, *letter),
            Action::Review { order, customer, sku } => self.review(time, order, customer, sku),
        }
    }

    fn later(&mut self, time: i64, action: Action) {
        let number = next(&mut self.ids.entries);
        self.agenda.push(Reverse(Entry { time, number, action }));
    }

    fn random(&self, what: &[u64]) -> Random {
        Random::new(self.config.seed, what)
    }

    fn emit(&mut self, table: Table, time: i64, body: impl FnOnce() -> Body) {
        self.outbox.push(table, time, body);
    }
}
