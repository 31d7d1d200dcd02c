//! The parameters of the generator, by the names of Nexmark's Flink connector.

use crate::error::Result;
use crate::format::text::{TimestampStyle, timestamp};
use crate::options::Options;

pub(super) const OPTIONS: &[&str] = &[
    "events.num",
    "first-event.rate",
    "next-event.rate",
    "rate.shape",
    "rate.period",
    "rate.limited",
    "max-emit-speed",
    "keep-alive",
    "stop-at",
    "person.proportion",
    "auction.proportion",
    "bid.proportion",
    "person.avg-size",
    "auction.avg-size",
    "bid.avg-size",
    "bid.hot-ratio.auctions",
    "bid.hot-ratio.bidders",
    "auction.hot-ratio.sellers",
    "rialto.seed",
    "rialto.base-time",
];

/// The parameters of the generator.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// How many events there are; 0 is no end.
    pub events: u64,
    /// Events of one second of event time.
    pub events_per_second: u64,
    /// Whether events are made only when they are due.
    pub paced: bool,
    /// Whether a reader waits when all events are made.
    pub keep_alive: bool,
    /// People, auctions and bids in each epoch of events.
    pub proportions: [u64; 3],
    /// Average sizes of a person, an auction and a bid, in bytes.
    pub sizes: [u64; 3],
    /// One bid in so many is not for a hot auction.
    pub hot_auctions: u64,
    /// One bid in so many is not of a hot bidder.
    pub hot_bidders: u64,
    /// One auction in so many is not of a hot seller.
    pub hot_sellers: u64,
    /// Other seeds, other events.
    pub seed: u64,
    /// The event time of the first event, in epoch milliseconds.
    pub base_time: i64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            events: 0,
            events_per_second: 10_000,
            paced: false,
            keep_alive: false,
            proportions: [1, 3, 46],
            sizes: [200, 500, 100],
            hot_auctions: 2,
            hot_bidders: 4,
            hot_sellers: 4,
            seed: 0,
            // 2015-07-15 00:00:00, the day on which Nexmark's events have always begun.
            base_time: 1_436_918_400_000,
        }
    }
}

impl Config {
    pub(super) fn from_options(options: &Options<'_>) -> Result<Self> {
        let default = Self::default();
        let positive = |name: &str, otherwise: u64| match options.number::<u64>(name)? {
            Some(0) => Err(options.bad(name, "0", "a positive number")),
            found => Ok(found.unwrap_or(otherwise)),
        };
        let size = |name: &str, otherwise: u64| {
            Ok::<_, crate::error::ConnectorError>(options.memory(name)?.unwrap_or(otherwise))
        };
        // Only one rate is used for times, as in Nexmark itself; the others are read and checked.
        options.number::<u64>("next-event.rate")?;
        options.duration("rate.period")?;
        options.choice("rate.shape", &["SQUARE", "SINE"])?;
        let stop_at: i64 = options.number("stop-at")?.unwrap_or(-1);
        let events = options.number("events.num")?.unwrap_or(0);
        let events = match u64::try_from(stop_at) {
            Ok(stop) if stop > 0 && (events == 0 || stop < events) => stop,
            _ => events,
        };
        let [person, auction, bid] = default.proportions;
        let sizes = default.sizes;
        let zero_or_more = |name: &str, otherwise: u64| {
            Ok::<_, crate::error::ConnectorError>(options.number(name)?.unwrap_or(otherwise))
        };
        Ok(Self {
            events,
            events_per_second: positive("first-event.rate", default.events_per_second)?,
            paced: options.boolean("rate.limited", false)?
                || !options.boolean("max-emit-speed", true)?,
            keep_alive: options.boolean("keep-alive", false)?,
            proportions: [
                positive("person.proportion", person)?,
                positive("auction.proportion", auction)?,
                zero_or_more("bid.proportion", bid)?,
            ],
            sizes: [
                size("person.avg-size", sizes[0])?,
                size("auction.avg-size", sizes[1])?,
                size("bid.avg-size", sizes[2])?,
            ],
            hot_auctions: positive("bid.hot-ratio.auctions", default.hot_auctions)?,
            hot_bidders: positive("bid.hot-ratio.bidders", default.hot_bidders)?,
            hot_sellers: positive("auction.hot-ratio.sellers", default.hot_sellers)?,
            seed: options.number("rialto.seed")?.unwrap_or(default.seed),
            base_time: base_time(options)?.unwrap_or(default.base_time),
        })
    }
}

/// The option `rialto.base-time`: a timestamp, in epoch milliseconds.
pub(crate) fn base_time(options: &Options<'_>) -> Result<Option<i64>> {
    let name = "rialto.base-time";
    let Some(text) = options.get(name) else { return Ok(None) };
    let unit = arrow::datatypes::TimeUnit::Millisecond;
    match timestamp(text.trim().as_bytes(), TimestampStyle::Sql, unit) {
        Some(ms) => Ok(Some(ms)),
        None => Err(options.bad(name, text, "a timestamp such as '2024-01-31 00:00:00'")),
    }
}
