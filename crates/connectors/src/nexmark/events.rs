//! People, auctions and bids by their number, with Nexmark's proportions and hot spots.

use super::config::Config;
use crate::generate::Random;

const FIRST_AUCTION: u64 = 1000;
const FIRST_PERSON: u64 = 1000;
const FIRST_CATEGORY: u64 = 10;
const CATEGORIES: u64 = 5;
/// Of so many ids in a row one is the hot one.
const HOT_EVERY: u64 = 100;
/// So many ids that do not exist yet are bid for and sold by.
const ID_LEAD: u64 = 10;
const AUCTIONS_IN_FLIGHT: u64 = 100;
const ACTIVE_PEOPLE: u64 = 1000;
const CHANNELS: u64 = 10_000;
const HOT_CHANNELS: [&str; 4] = ["Google", "Facebook", "Baidu", "Apple"];
const STATES: [&str; 6] = ["AZ", "CA", "ID", "OR", "WA", "WY"];
const CITIES: [&str; 10] = [
    "Phoenix",
    "Los Angeles",
    "San Francisco",
    "Boise",
    "Portland",
    "Bend",
    "Redmond",
    "Seattle",
    "Kent",
    "Cheyenne",
];
const FIRST_NAMES: [&str; 11] = [
    "Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter",
];
const LAST_NAMES: [&str; 9] =
    ["Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"];

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Person,
    Auction,
    Bid,
}

/// Somebody joins.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Person {
    pub id: u64,
    pub name: String,
    pub email: String,
    pub credit_card: String,
    pub city: &'static str,
    pub state: &'static str,
    pub extra: String,
}

/// Something is for sale.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Auction {
    pub id: u64,
    pub item: String,
    pub description: String,
    pub initial_bid: u64,
    pub reserve: u64,
    pub expires: i64,
    pub seller: u64,
    pub category: u64,
    pub extra: String,
}

/// Somebody wants it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Bid {
    pub auction: u64,
    pub bidder: u64,
    pub price: u64,
    pub channel: String,
    pub url: String,
    pub extra: String,
}

/// Makes events one at a time into the same memory.
#[derive(Debug)]
pub(super) struct Events {
    config: Config,
    epoch: u64,
    pub person: Person,
    pub auction: Auction,
    pub bid: Bid,
}

impl Events {
    pub fn new(config: Config) -> Self {
        let epoch = config.proportions.iter().sum();
        let (person, auction, bid) = Default::default();
        Self { config, epoch, person, auction, bid }
    }

    /// What event `number` is.
    #[inline]
    pub fn kind(&self, number: u64) -> Kind {
        let [people, auctions, _] = self.config.proportions;
        match number % self.epoch {
            offset if offset < people => Kind::Person,
            offset if offset < people + auctions => Kind::Auction,
            _ => Kind::Bid,
        }
    }

    /// When event `number` happens, in epoch milliseconds.
    #[inline]
    pub fn time(&self, number: u64) -> i64 {
        let micros = u128::from(number) * 1_000_000 / u128::from(self.config.events_per_second);
        self.config.base_time.saturating_add(i64::try_from(micros / 1000).unwrap_or(i64::MAX))
    }

    /// Makes event `number`; it is then in the field of its kind.
    pub fn make(&mut self, number: u64) -> Kind {
        let kind = self.kind(number);
        let mut random = Random::new(self.config.seed, number, 0);
        match kind {
            Kind::Person => self.make_person(number, &mut random),
            Kind::Auction => self.make_auction(number, &mut random),
            Kind::Bid => self.make_bid(number, &mut random),
        }
        kind
    }

    fn last_person(&self, number: u64) -> u64 {
        let people = self.config.proportions[0];
        number / self.epoch * people + (number % self.epoch).min(people - 1)
    }

    /// The last auction so far, counted from 0; at the very start the first one to come.
    fn last_auction(&self, number: u64) -> u64 {
        let [people, auctions, _] = self.config.proportions;
        let (epoch, offset) = (number / self.epoch, number % self.epoch);
        if offset < people {
            return (epoch * auctions).saturating_sub(1);
        }
        epoch * auctions + (offset - people).min(auctions - 1)
    }

    fn any_person(&self, number: u64, random: &mut Random) -> u64 {
        let people = self.last_person(number) + 1;
        let active = people.min(ACTIVE_PEOPLE);
        people - active + random.below(active + ID_LEAD)
    }

    fn make_person(&mut self, number: u64, random: &mut Random) {
        let id = FIRST_PERSON + self.last_person(number);
        let person = &mut self.person;
        person.id = id;
        person.name.clear();
        person.name.push_str(one_of(&FIRST_NAMES, random));
        person.name.push(' ');
        person.name.push_str(one_of(&LAST_NAMES, random));
        person.email.clear();
        words(7, ' ', random, &mut person.email);
        person.email.push('@');
        words(5, ' ', random, &mut person.email);
        person.email.push_str(".com");
        person.credit_card.clear();
        for group in 0..4 {
            if group > 0 {
                person.credit_card.push(' ');
            }
            let digits = random.below(10_000);
            for power in [1000, 100, 10, 1] {
                person.credit_card.push(char::from(b'0' + (digits / power % 10) as u8));
            }
        }
        person.city = one_of(&CITIES, random);
        person.state = one_of(&STATES, random);
        let size = 8
            + person.name.len()
            + person.email.len()
            + person.credit_card.len()
            + person.city.len()
            + person.state.len();
        extra(size, self.config.sizes[0], random, &mut person.extra);
    }

    fn make_auction(&mut self, number: u64, random: &mut Random) {
        let id = FIRST_AUCTION + self.last_auction(number);
        let seller = if random.below(self.config.hot_sellers) > 0 {
            self.last_person(number) / HOT_EVERY * HOT_EVERY
        } else {
            self.any_person(number, random)
        };
        let [_, auctions, _] = self.config.proportions;
        let time = self.time(number);
        // As long as it takes until so many further auctions have begun, on average.
        let horizon = self.time(number + AUCTIONS_IN_FLIGHT * self.epoch / auctions) - time;
        let auction = &mut self.auction;
        auction.id = id;
        auction.seller = FIRST_PERSON + seller;
        auction.category = FIRST_CATEGORY + random.below(CATEGORIES);
        auction.initial_bid = price(random);
        let length = 1 + random.below((horizon.unsigned_abs() * 2).max(1));
        auction.expires = time.saturating_add(i64::try_from(length).unwrap_or(i64::MAX));
        auction.item.clear();
        words(20, ' ', random, &mut auction.item);
        auction.description.clear();
        words(100, ' ', random, &mut auction.description);
        auction.reserve = auction.initial_bid + price(random);
        let size = 8 + auction.item.len() + auction.description.len() + 5 * 8;
        extra(size, self.config.sizes[1], random, &mut auction.extra);
    }

    fn make_bid(&mut self, number: u64, random: &mut Random) {
        let last = self.last_auction(number);
        let auction = if random.below(self.config.hot_auctions) > 0 {
            last / HOT_EVERY * HOT_EVERY
        } else {
            let least = last.saturating_sub(AUCTIONS_IN_FLIGHT);
            least + random.below(last - least + 1 + ID_LEAD)
        };
        // The second of the hot people, so that hot bidders are not hot sellers.
        let bidder = if random.below(self.config.hot_bidders) > 0 {
            self.last_person(number) / HOT_EVERY * HOT_EVERY + 1
        } else {
            self.any_person(number, random)
        };
        let bid = &mut self.bid;
        bid.auction = FIRST_AUCTION + auction;
        bid.bidder = FIRST_PERSON + bidder;
        bid.price = price(random);
        channel(self.config.seed, random, &mut bid.channel, &mut bid.url);
        extra(4 * 8, self.config.sizes[2], random, &mut bid.extra);
    }
}

fn one_of(words: &[&'static str], random: &mut Random) -> &'static str {
    words[random.below(words.len() as u64) as usize]
}

/// A price in cents, from one to a hundred million, most of them small.
fn price(random: &mut Random) -> u64 {
    (10f64.powf(random.unit() * 6.0) * 100.0).round() as u64
}

/// Appends 3 letters or more, less than `max`, with `special` between some of them.
fn words(max: u64, special: char, random: &mut Random, out: &mut String) {
    let start = out.len();
    for _ in 0..3 + random.below(max - 3) {
        if random.below(13) == 0 {
            // Blanks do not begin and, cut off below, do not end a text.
            if special != ' ' || out.len() > start {
                out.push(special);
            }
        } else {
            random.letters(1, out);
        }
    }
    out.truncate(out.trim_end_matches(' ').len().max(start));
}

/// Fills an event up to its average size, give or take a fifth of what is missing.
fn extra(size: usize, average: u64, random: &mut Random, out: &mut String) {
    out.clear();
    let Some(missing) = average.checked_sub(size as u64) else { return };
    let spread = (missing as f64 * 0.2).round() as u64;
    let length = missing - spread + random.below(2 * spread);
    random.letters(length as usize, out);
}

/// A channel and its address. Half of all bids come over one of four; the address of a channel is
/// always the same.
fn channel(seed: u64, random: &mut Random, name: &mut String, url: &mut String) {
    use std::fmt::Write as _;
    name.clear();
    url.clear();
    let hot = random.below(2) > 0;
    let number = random.below(if hot { HOT_CHANNELS.len() as u64 } else { CHANNELS });
    let mut fixed = Random::new(seed, number, if hot { 1 } else { 2 });
    url.push_str("https://www.nexmark.com/");
    for _ in 0..3 {
        words(5, '_', &mut fixed, url);
        url.push('/');
    }
    url.push_str("item.htm?query=1");
    if hot {
        name.push_str(HOT_CHANNELS[number as usize]);
        return;
    }
    let _ = write!(name, "channel-{number}");
    if fixed.below(10) > 0 {
        let id = (number as u32).reverse_bits().cast_signed().unsigned_abs();
        let _ = write!(url, "&channel_id={id}");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn proportions_and_hot_spots_are_those_of_nexmark() {
        let mut events = Events::new(Config::default());
        let mut kinds = [0; 3];
        let mut auctions: HashMap<u64, u32> = HashMap::new();
        let (mut hot_channels, mut hot_bidders, mut known, mut bytes) = (0, 0, 0, 0);
        for number in 0..100_000 {
            match events.make(number) {
                Kind::Person => kinds[0] += 1,
                Kind::Auction => kinds[1] += 1,
                Kind::Bid => {
                    kinds[2] += 1;
                    let bid = &events.bid;
                    *auctions.entry(bid.auction).or_default() += 1;
                    hot_channels += u32::from(!bid.channel.starts_with("channel-"));
                    hot_bidders += u32::from(bid.bidder % 100 == 1);
                    known += u32::from(bid.url.contains("&channel_id="));
                    bytes += bid.extra.len();
                    assert!((100..=100_000_000).contains(&bid.price));
                }
            }
        }
        assert_eq!(kinds, [2000, 6000, 92_000]);
        let hot: u32 = auctions.iter().filter(|(id, _)| *id % 100 == 0).map(|(_, n)| n).sum();
        let near = |found: u32, share: f64| {
            let expected = 92_000.0 * share;
            assert!((f64::from(found) - expected).abs() < expected * 0.05, "{found} {expected}");
        };
        near(hot, 0.505);
        near(hot_channels, 0.5);
        near(hot_bidders, 0.7525);
        near(known, 0.45);
        let average = bytes / 92_000;
        assert!((66..=70).contains(&average), "{average}");
    }

    #[test]
    fn an_event_depends_on_seed_and_number_alone() {
        let mut one = Events::new(Config::default());
        let mut other = Events::new(Config::default());
        other.make(77);
        for number in [3, 1, 0, 999, 50] {
            assert_eq!(one.make(number), other.make(number));
            assert_eq!((&one.person, &one.auction.id), (&other.person, &one.auction.id));
        }
        one.make(4);
        other.make(4);
        assert_eq!(one.bid, other.bid);
        let mut seeded = Events::new(Config { seed: 1, ..Config::default() });
        seeded.make(4);
        assert_ne!(one.bid, seeded.bid);
    }

    #[test]
    fn ids_grow_without_gaps_and_times_with_them() {
        let mut events = Events::new(Config::default());
        let (mut person, mut auction) = (999, 999);
        for number in 0..5000 {
            match events.make(number) {
                Kind::Person => {
                    assert_eq!(events.person.id, person + 1);
                    person += 1;
                }
                Kind::Auction => {
                    assert_eq!(events.auction.id, auction + 1);
                    auction += 1;
                    assert!(events.auction.expires > events.time(number));
                }
                Kind::Bid => assert!(events.bid.auction <= auction + 1 + ID_LEAD),
            }
        }
        assert_eq!(events.time(10_000) - events.time(0), 1000);
    }
}
