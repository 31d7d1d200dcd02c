//! The shapes of a world against those of the Online Retail data, its reactions, and that it is
//! the same each time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::OnceLock;

use crate::calendar::{DAY, HOUR, weekday};
use crate::event::{Body, Movement, Ref, Sale};
use crate::truth::Person;
use crate::{Act, Config, Decision, Event, Hidden, TABLES, Table, Truth, World};

fn wanted(tables: &[Table]) -> [bool; TABLES] {
    let mut wanted = [false; TABLES];
    for table in tables {
        wanted[*table as usize] = true;
    }
    wanted
}

/// Lets a world trade to its end.
fn trade(
    config: Config,
    tables: &[Table],
    mut policy: impl FnMut(&World) -> Vec<Decision>,
) -> (World, Vec<Event>) {
    let mut world = World::new(config, wanted(tables));
    let mut events = Vec::new();
    while !world.is_over() {
        let decisions = policy(&world);
        world.hour(&decisions);
        for table in tables {
            world.take(*table, &mut events);
        }
    }
    (world, events)
}

fn nothing(_: &World) -> Vec<Decision> {
    Vec::new()
}

/// The web orders of a year and a week, as the data has them: the lines of each order.
struct Year {
    orders: BTreeMap<u64, Vec<(i64, Sale)>>,
}

fn year() -> &'static Year {
    static YEAR: OnceLock<Year> = OnceLock::new();
    YEAR.get_or_init(|| {
        let config = Config {
            seed: 11,
            start_ms: 1_291_161_600_000, // 2010-12-01, as the data
            days: 373,
            ..Config::default()
        };
        let (_, events) = trade(config, &[Table::SaleLine], nothing);
        let mut orders: BTreeMap<u64, Vec<(i64, Sale)>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for event in events {
            let Body::Sale(sale) = event.body else { continue };
            let item = sale.txn_type == "sale" && sale.line_type == "item";
            if item && sale.channel != "pos" && seen.insert(event.id) {
                orders.entry(sale.transaction).or_default().push((event.time, sale));
            }
        }
        Year { orders }
    })
}

fn quantiles(mut values: Vec<f64>, at: &[f64]) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    at.iter().map(|q| values[(q * values.len() as f64) as usize]).collect()
}

fn share(of: impl Iterator<Item = usize>, count: usize) -> Vec<f64> {
    let mut counts = vec![0.0; count];
    let mut all = 0.0;
    for index in of {
        counts[index] += 1.0;
        all += 1.0;
    }
    counts.iter().map(|n| n / all).collect()
}

/// Found and wanted values, one beside the other; `within` is the ratio that is allowed.
fn near(what: &str, found: &[f64], wanted: &[f64], within: f64) {
    assert_eq!(found.len(), wanted.len());
    for (found_one, wanted_one) in found.iter().zip(wanted) {
        let ratio = found_one / wanted_one;
        assert!((1.0 / within..=within).contains(&ratio), "{what}: {found:?}, not {wanted:?}");
    }
}

/// The figures behind `wanted` are those of the clean lines of the data: no cancellations,
/// quantity and price above zero.
#[test]
fn baskets_are_as_large_as_those_of_the_data() {
    let lines: Vec<f64> = year().orders.values().map(|o| o.len() as f64).collect();
    let mean = lines.iter().sum::<f64>() / lines.len() as f64;
    near("mean", &[mean], &[26.6], 1.2);
    near("lines", &quantiles(lines, &[0.25, 0.5, 0.75, 0.9]), &[6.0, 15.0, 29.0, 54.0], 1.25);
    let pieces = year().orders.values().flatten().map(|l| f64::from(l.1.quantity)).collect();
    near("pieces", &quantiles(pieces, &[0.25, 0.5, 0.9, 0.99]), &[1.0, 3.0, 24.0, 100.0], 1.35);
}

#[test]
fn prices_are_those_of_the_data() {
    let prices = year().orders.values().flatten().map(|l| l.1.unit_price as f64 / 1e4).collect();
    let wanted = [0.65, 1.25, 2.08, 4.13, 7.95];
    near("prices", &quantiles(prices, &[0.1, 0.25, 0.5, 0.75, 0.9]), &wanted, 1.2);
}

#[test]
fn hours_and_days_are_those_of_the_data() {
    let times = || year().orders.values().map(|order| order[0].0);
    let hours = share(times().map(|t| (t.rem_euclid(DAY) / HOUR) as usize), 24);
    let wanted = [0.074, 0.118, 0.12, 0.161, 0.138, 0.123, 0.117, 0.067];
    near("hours", &hours[9..17], &wanted, 1.35);
    let days = share(times().map(|t| weekday(t.div_euclid(DAY))), 7);
    let wanted = [0.157, 0.178, 0.185, 0.213, 0.157, 0.11];
    near("days", &[&days[..5], &days[6..]].concat(), &wanted, 1.25);
    assert!(days[5] < 0.04, "Saturdays are quiet: {days:?}");
}

#[test]
fn customers_come_back_as_often_as_those_of_the_data() {
    let mut orders: BTreeMap<u32, f64> = BTreeMap::new();
    for customer in year().orders.values().filter_map(|order| order[0].1.customer) {
        *orders.entry(customer).or_default() += 1.0;
    }
    let counts: Vec<f64> = orders.values().copied().collect();
    let all = counts.len() as f64;
    near("orders of a customer", &[counts.iter().sum::<f64>() / all], &[4.27], 1.15);
    let again = counts.iter().filter(|n| **n > 1.0).count() as f64 / all;
    near("those who come again", &[again], &[0.656], 1.12);
    near("many orders", &quantiles(counts, &[0.75, 0.9, 0.99]), &[5.0, 9.0, 30.0], 1.3);
}

#[test]
fn few_articles_sell_much() {
    let mut lines: BTreeMap<u32, f64> = BTreeMap::new();
    for sku in year().orders.values().flatten().filter_map(|line| line.1.sku) {
        *lines.entry(sku).or_default() += 1.0;
    }
    let mut counts: Vec<f64> = lines.values().copied().collect();
    counts.sort_by(|a, b| b.total_cmp(a));
    let top = |part: usize| counts[..counts.len() / part].iter().sum::<f64>();
    let all: f64 = counts.iter().sum();
    near("a tenth, a fifth", &[top(10) / all, top(5) / all], &[0.446, 0.644], 1.15);
}

fn small(seed: u64, days: u32) -> Config {
    Config { seed, days, customers: 1500, products: 100, ..Config::default() }
}

fn fingerprint(events: &[Event]) -> u64 {
    let mut hasher = DefaultHasher::new();
    format!("{events:?}").hash(&mut hasher);
    hasher.finish()
}

#[test]
fn the_same_seed_is_the_same_world() {
    let all = |seed| fingerprint(&trade(small(seed, 8), &Table::ALL, nothing).1);
    assert_eq!(all(5), all(5));
    assert_ne!(all(5), all(6));
    // Nor does it matter what else is read.
    let alone = trade(small(5, 8), &[Table::OrderEvent], nothing).1;
    let beside = trade(small(5, 8), &Table::ALL, nothing).1;
    let beside: Vec<Event> =
        beside.into_iter().filter(|event| event.table == Table::OrderEvent).collect();
    assert_eq!(alone, beside);
}

#[test]
fn events_arrive_in_order_a_little_late_and_some_twice() {
    let (_, events) = trade(small(3, 10), &Table::ALL, nothing);
    let (mut last, mut ids, mut twice) = (HashMap::new(), HashMap::new(), 0);
    let (mut behind, mut count) = (0, 0);
    for event in events.iter().filter(|event| !event.table.is_dimension()) {
        let arrival = last.insert(event.table, event.arrival).unwrap_or(i64::MIN);
        assert!(event.arrival >= arrival, "{event:?}");
        assert!((0..=8000).contains(&(event.arrival - event.time)), "{event:?}");
        let newest = ids.entry(event.table).or_insert((BTreeSet::new(), i64::MIN));
        twice += usize::from(!newest.0.insert(event.id));
        behind += usize::from(event.time < newest.1);
        newest.1 = newest.1.max(event.time);
        count += 1;
    }
    near("duplicates", &[twice as f64 / count as f64], &[0.005], 1.2);
    assert!(behind * 100 > count, "hardly any event is out of order: {behind} of {count}");
    let late = Config { late: 0.01, ..small(3, 4) };
    let (_, events) = trade(late, &[Table::BehaviorEvent], nothing);
    let late = events.iter().filter(|event| event.arrival - event.time >= 60_000).count();
    near("late events", &[late as f64 / events.len() as f64], &[0.01], 1.3);
}

/// The movements that count: a tag that is read again is one piece, an event that comes again too.
fn movements(events: Vec<Event>) -> Vec<(i64, Movement)> {
    let (mut ids, mut tags) = (BTreeSet::new(), BTreeSet::new());
    let counts = |event: Event| {
        let Body::Movement(movement) = event.body else { return None };
        let new = ids.insert(event.id) && movement.epc.is_none_or(|epc| tags.insert(epc));
        (new && !movement.observed).then_some((event.time, movement))
    };
    let mut all: Vec<_> = events.into_iter().filter_map(counts).collect();
    all.sort_by_key(|(time, _)| *time);
    all
}

#[test]
fn goods_come_from_somewhere_and_go_somewhere() {
    let (_, events) = trade(small(4, 40), &[Table::StockMovement], nothing);
    let reads = events.iter().filter(|e| matches!(&e.body, Body::Movement(m) if m.epc.is_some()));
    assert!(reads.count() > 100, "tags are read");
    let mut positions: BTreeMap<(u32, u16), i64> = BTreeMap::new();
    let mut transfers: BTreeMap<u64, i64> = BTreeMap::new();
    for (time, movement) in movements(events) {
        let position = positions.entry((movement.sku, movement.location)).or_default();
        *position += i64::from(movement.quantity);
        assert!(*position >= 0, "sold what is not there at {time}: {movement:?}");
        if let Ref::Transfer(number) = movement.reference {
            *transfers.entry(number).or_default() += i64::from(movement.quantity);
        }
    }
    // What left the warehouse arrived, or is on its way; nothing arrived that did not leave.
    assert!(transfers.values().all(|open| *open <= 0));
    assert!(transfers.values().filter(|open| **open == 0).count() > 50);
}

fn compare(policy: impl Fn(&World, bool) -> Vec<Decision>, config: &Config) -> (Truth, Truth) {
    let run = |on| *trade(config.clone(), &[], |world| policy(world, on)).0.truth();
    (run(false), run(true))
}

fn decide(act: Act) -> Decision {
    Decision { id: "test".into(), act }
}

/// At the opening, every price is cut by a fifth.
fn cheaper(world: &World, on: bool) -> Vec<Decision> {
    if !on || world.counts()[Table::BehaviorEvent as usize] > 0 {
        return Vec::new();
    }
    let catalog = world.catalog();
    let skus = catalog.skus.iter().enumerate();
    skus.map(|(n, sku)| decide(Act::Price { sku: n as u32, amount: sku.price * 4 / 5 })).collect()
}

#[test]
fn a_lower_price_sells_more_by_the_hidden_elasticity() {
    let (before, after) = compare(cheaper, &small(7, 14));
    let wanted = |t: &Truth| (t.units + t.units_lost) as f64;
    let elasticity = (wanted(&after) / wanted(&before)).ln() / -(0.8_f64.ln());
    assert!((0.6..3.5).contains(&elasticity), "{elasticity}");
    // Where prices do not matter, nobody buys more.
    let hidden = Hidden { elasticity: 0.0, ..Hidden::default() };
    let (before, after) = compare(cheaper, &Config { hidden, ..small(7, 14) });
    let elasticity = (wanted(&after) / wanted(&before)).ln() / -(0.8_f64.ln());
    assert!(elasticity.abs() < 0.05, "{elasticity}");
}

/// At the opening, everybody is shown ten articles of the category that they like most, or least.
fn lists(world: &World, most: bool) -> Vec<Decision> {
    if world.counts()[Table::BehaviorEvent as usize] > 0 {
        return Vec::new();
    }
    let secrets = world.secrets();
    let list = |(customer, person): (usize, &Person)| {
        let by_taste = |a: &&(_, f64), b: &&(_, f64)| a.1.total_cmp(&b.1);
        let tastes = person.tastes.iter();
        let (category, _) = if most { tastes.max_by(by_taste) } else { tastes.min_by(by_taste) }?;
        let skus = (0u32..).zip(&secrets.articles).filter(|(_, of)| of.category == *category);
        let skus = skus.map(|(sku, _)| sku).take(10).collect();
        Some(decide(Act::Recommend { customer: customer as u32, skus }))
    };
    secrets.customers.iter().enumerate().filter_map(list).collect()
}

#[test]
fn a_list_sells_to_whom_it_suits_and_leaves_the_rest_as_it_was() {
    // Customers are those of the opening: a second world has the same.
    let config = Config { customers: 3000, ..small(9, 14) };
    let orders = |config: &Config, policy: fn(&World) -> Vec<Decision>| {
        trade(config.clone(), &[], policy).0.truth().orders as f64
    };
    let off = orders(&config, nothing);
    let liked = orders(&config, |world| lists(world, true));
    let disliked = orders(&config, |world| lists(world, false));
    assert!(liked > off * 1.02, "{off} orders, {liked} with lists of what they care for");
    assert!((disliked / off - 1.0).abs() < 0.01, "{off} orders, {disliked} with other lists");
    let hidden = Hidden { lists: 0.0, ..Hidden::default() };
    let null = Config { hidden, ..config };
    let run = |policy: fn(&World) -> Vec<Decision>| *trade(null.clone(), &[], policy).0.truth();
    assert_eq!(run(nothing), run(|world| lists(world, true)), "nobody heeds a list");
}

#[test]
fn an_offer_brings_some_back_and_costs_something() {
    let config = small(8, 30);
    // On the tenth day, everybody gets a fifth off.
    let offers = |world: &World, on: bool| {
        if !on || world.now_ms() != config.start_ms + 10 * DAY {
            return Vec::new();
        }
        let offer = |customer| decide(Act::Offer { customer, discount: 200 });
        (0..config.customers).map(offer).collect()
    };
    let (without, with) = compare(offers, &config);
    assert!(with.orders > without.orders + 20, "{} {}", with.orders, without.orders);
    assert!(with.offers_cost > 0 && without.offers_cost == 0);
    let hidden = Hidden { offers: 0.0, ..Hidden::default() };
    let (without, with) = compare(offers, &Config { hidden, ..config.clone() });
    near("orders", &[with.orders as f64], &[without.orders as f64], 1.03);
}

#[test]
fn what_is_ordered_arrives_after_its_lead_time_and_empty_shelves_lose_sales() {
    let config = small(9, 40);
    let take_over = |quantity: i32| {
        let begins = config.start_ms;
        move |world: &World, on: bool| {
            if !on || world.now_ms() != begins {
                return Vec::new();
            }
            let all = 0..world.catalog().skus.len() as u32;
            all.map(|sku| decide(Act::Replenish { sku, location: 0, quantity })).collect()
        }
    };
    // A policy that orders once and never again has empty shelves in the end.
    let (habit, starved) = compare(take_over(1), &config);
    assert!(starved.units_lost > 2 * habit.units_lost, "{habit:?} {starved:?}");
    assert!(starved.revenue < habit.revenue);
    let (_, events) = trade(config.clone(), &[Table::StockMovement], |w| take_over(500)(w, true));
    let arrived: Vec<i64> = movements(events)
        .into_iter()
        .filter(|(_, m)| matches!(m.reference, Ref::Decision { .. }) && m.quantity >= 500)
        .map(|(time, _)| time)
        .collect();
    assert!(!arrived.is_empty());
    let opening = small(9, 40).start_ms;
    let days = |time: &i64| (time - opening) as f64 / DAY as f64;
    assert!(arrived.iter().map(days).all(|days| (1.0..35.0).contains(&days)));
}

#[test]
fn a_day_of_a_small_shop_is_thousands_of_events() {
    // How many a second are made is printed by `rialto bench` and said in docs/simulated-shop.md.
    let begin = std::time::Instant::now();
    let (_, events) = trade(small(10, 20), &Table::ALL, nothing);
    let rate = events.len() as f64 / begin.elapsed().as_secs_f64();
    eprintln!("{rate:.0} events a second");
    assert!(events.len() > 20 * 5_000);
}
