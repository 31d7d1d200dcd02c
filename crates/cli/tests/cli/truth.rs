//! What the packs find in a simulated shop, against what is true of it and no table shows. The
//! bounds are a little below what was measured, which docs/simulated-shop.md has; `--nocapture`
//! prints it. `decided.rs` has those in which something was decided.

mod decided;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use rialto_runtime::connectors::shop::{Config, Secrets, Stage, TABLES, World};
use serde_json::Value;

use crate::{rialto, stderr, stdout};

const HOURS: u32 = 24;
const DAY_MS: i64 = 86_400_000;
const MONEY: f64 = 10_000.0;

/// A day on which a shop opens: its name, and how many there were since 1970.
type Opening = (&'static str, i64);

/// More is sold every week until Christmas.
const AUTUMN: Opening = ("2025-09-01", 20_332);
/// The seasons stand still.
const SPRING: Opening = ("2025-05-01", 20_209);

/// A shop of its own size and length.
#[derive(Clone, Copy)]
struct Shop {
    seed: u64,
    opening: Opening,
    customers: u32,
    days: u32,
}

impl Shop {
    /// The same shop as the packs see, with all that it hides.
    fn world(self) -> World {
        let Self { seed, opening, customers, days } = self;
        let start_ms = opening.1 * DAY_MS;
        let config = Config { seed, start_ms, customers, days: 0, ..Config::default() };
        let mut world = World::new(config, [false; TABLES]);
        pass(&mut world, days);
        world
    }

    /// What some packs make of its events: the rows of every view.
    fn seen_by(self, packs: &[&str]) -> Views {
        let dir = tempfile::tempdir().unwrap();
        // Nobody decides here.
        seen_by(dir.path(), packs, &self.variables(), &[])
    }

    fn variables(self) -> String {
        let Self { seed, opening, customers, days } = self;
        let start = opening.0;
        format!(
            "SHOP_SEED = \"{seed}\"\nSHOP_START = \"{start}\"\nSHOP_DAYS = \"{days}\"\n\
             SHOP_CUSTOMERS = \"{customers}\"\n"
        )
    }
}

fn pass(world: &mut World, days: u32) {
    (0..days * HOURS).for_each(|_| world.hour(&[]));
}

/// The rows of each view.
struct Views(BTreeMap<String, Vec<Value>>);

impl Views {
    fn rows(&self, view: &str) -> &[Value] {
        self.0.get(view).map_or(&[], Vec::as_slice)
    }

    /// The sum of a column.
    fn sum(&self, view: &str, column: &str) -> f64 {
        self.rows(view).iter().map(|row| number(&row[column])).sum()
    }
}

/// Runs packs in a folder to the end of what the shop says, beside what was decided: rows of
/// `decision`.
fn seen_by(dir: &Path, packs: &[&str], variables: &str, decided: &[Value]) -> Views {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs").canonicalize().unwrap();
    let root = root.display();
    fs::create_dir_all(dir.join("tables")).unwrap();
    let lines: String = decided.iter().map(|row| format!("{row}\n")).collect();
    fs::write(dir.join("decided.ndjson"), lines).unwrap();
    fs::write(dir.join("none.ndjson"), "").unwrap();
    // Nobody builds segments or rules of their own.
    let tables = "CREATE TABLE decision WITH ('connector' = 'filesystem', \
        'path' = 'decided.ndjson', 'format' = 'json') LIKE model.decision;";
    fs::write(dir.join("tables/decision.sql"), tables).unwrap();
    let packs: String = packs.iter().map(|pack| format!(", \"{root}/{pack}/sql\"")).collect();
    let project = format!(
        "include = [\"{root}/model/sql\", \"{root}/model/from_shop.sql\", \"tables\"{packs}]\n\
         [variables]\nCUSTOMERS_SEGMENTS_BOUND = \"latest-offset\"\n\
         PRICING_RULES_BOUND = \"latest-offset\"\n{variables}"
    );
    fs::write(dir.join("rialto.toml"), project).unwrap();
    let output = rialto(dir, &["run", ".", "-o", "json", "--rows", "10000000"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let mut views: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in stdout(&output).lines() {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let name = line["table"].as_str().unwrap().to_owned();
        views.entry(name).or_default().push(line["row"].take());
    }
    Views(views)
}

fn number(value: &Value) -> f64 {
    match value {
        Value::String(text) => text.parse().unwrap_or_else(|_| panic!("{text} is a number")),
        other => other.as_f64().unwrap_or_else(|| panic!("{other} is a number")),
    }
}

fn text<'a>(row: &'a Value, column: &str) -> &'a str {
    row[column].as_str().unwrap_or_else(|| panic!("{row} has {column}"))
}

/// The number in an id: `c-7` is 7.
fn numbered(row: &Value, column: &str, prefix: &str) -> Option<usize> {
    text(row, column).strip_prefix(prefix)?.parse().ok()
}

/// Where stock lies: 0 is the warehouse.
fn location(row: &Value) -> u16 {
    match text(row, "location_id") {
        "dc-1" => 0,
        _ => numbered(row, "location_id", "store-").unwrap() as u16,
    }
}

/// Spearman's rank correlation; ties have the mean of their ranks.
fn rank_correlation(pairs: &[(f64, f64)]) -> f64 {
    let ranks = |values: Vec<f64>| {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
        let mut ranks = vec![0.0; values.len()];
        let mut from = 0;
        while from < order.len() {
            let same = |at: &usize| values[order[*at]] == values[order[from]];
            let to = (from..order.len()).take_while(same).count() + from;
            for place in &order[from..to] {
                ranks[*place] = (from + to - 1) as f64 / 2.0;
            }
            from = to;
        }
        ranks
    };
    let (a, b) =
        (ranks(pairs.iter().map(|p| p.0).collect()), ranks(pairs.iter().map(|p| p.1).collect()));
    let mean = (pairs.len() as f64 - 1.0) / 2.0;
    let with = |x: &[f64], y: &[f64]| -> f64 {
        x.iter().zip(y).map(|(x, y)| (x - mean) * (y - mean)).sum()
    };
    with(&a, &b) / (with(&a, &a) * with(&b, &b)).sqrt()
}

#[test]
fn ranks_are_correlated_as_they_should_be() {
    let of = |b: [f64; 4]| rank_correlation(&[1.0, 2.0, 3.0, 4.0].map(|a| (a, b[a as usize - 1])));
    assert!((of([10.0, 20.0, 30.0, 99.0]) - 1.0).abs() < 1e-12);
    assert!((of([4.0, 3.0, 2.0, 1.0]) + 1.0).abs() < 1e-12);
    // Ranks 1.5, 1.5, 3.5, 3.5 beside 1, 2, 3, 4.
    assert!((of([5.0, 5.0, 9.0, 9.0]) - 0.894_427).abs() < 1e-6);
}

#[test]
fn every_piece_is_where_it_is_though_gates_read_it_twice_and_events_come_twice() {
    for seed in 1..=3 {
        let shop = Shop { seed, opening: AUTUMN, customers: 300, days: 60 };
        let truth = shop.world().secrets();
        let seen = shop.seen_by(&["inventory"]);
        let mut counted = BTreeMap::new();
        for row in seen.rows("inventory_position") {
            let sku = numbered(row, "sku", "sku-").unwrap() as u32;
            counted.insert((sku, location(row)), number(&row["on_hand"]));
        }
        assert!(counted.len() > 1000, "{} places are not many", counted.len());
        for place in &truth.places {
            let known = counted.get(&(place.sku, place.location)).copied().unwrap_or(0.0);
            assert_eq!(known, place.on_hand as f64, "seed {seed}: {place:?}");
        }
    }
}

#[test]
fn what_was_sold_is_what_was_paid() {
    for seed in 1..=3 {
        let shop = Shop { seed, opening: AUTUMN, customers: 300, days: 60 };
        let (world, seen) = (shop.world(), shop.seen_by(&["sales"]));
        let truth = world.truth();
        let day = |column: &str| seen.sum("sales_by_store_day", column);
        let net = day("gmv") - day("returned");
        assert!((net - truth.revenue as f64 / MONEY).abs() < 0.005, "{net}, {truth:?}");
        assert_eq!(day("orders") as u64, truth.orders + truth.receipts, "{truth:?}");
    }
}

#[test]
fn visits_are_told_apart_and_orders_found_in_them() {
    for seed in 1..=3 {
        let shop = Shop { seed, opening: AUTUMN, customers: 300, days: 30 };
        let (world, seen) = (shop.world(), shop.seen_by(&["behavior"]));
        let (visits, orders) = (world.truth().visits as f64, world.truth().orders as f64);
        // Receipts of the stores are visits as well.
        let rows = seen.rows("behavior_session").iter();
        let web: Vec<&Value> =
            rows.filter(|row| numbered(row, "visit_id", "v-").is_some()).collect();
        let found = web.len() as f64;
        let bought: f64 = web.iter().map(|row| number(&row["purchases"])).sum();
        println!("seed {seed}: {found} of {visits} visits, {bought} of {orders} orders");
        assert!((found / visits - 1.0).abs() < 0.02, "{found} of {visits} visits");
        assert!((bought / orders - 1.0).abs() < 0.02, "{bought} of {orders} orders");
    }
}

#[test]
fn members_have_the_points_that_they_may_spend() {
    for seed in 1..=3 {
        let shop = Shop { seed, opening: AUTUMN, customers: 1000, days: 120 };
        let truth = shop.world().secrets();
        let seen = shop.seen_by(&["loyalty"]);
        assert!(seen.rows("loyalty_unbalanced").is_empty());
        // The pack has purchases without an entry of the shop's ledger earn as well: not these.
        let mut active = vec![0.0; truth.customers.len()];
        for row in seen.rows("loyalty_posting") {
            if text(row, "account") == "active" && text(row, "entry_id").starts_with("entry-") {
                active[numbered(row, "customer_id", "c-").unwrap()] += number(&row["points"]);
            }
        }
        let (mut members, mut forgiven, mut points) = (0, 0, 0.0);
        for (known, person) in active.iter().zip(&truth.customers) {
            let held = person.points as f64;
            members += usize::from(held > 0.0);
            points += held;
            // Who has spent what a return takes back owes it to the ledger; the shop forgives it.
            assert!(*known <= held, "seed {seed}: {known} of {person:?}");
            forgiven += usize::from(*known < held);
        }
        println!(
            "seed {seed}: {members} members have {points} points; {forgiven} of them were forgiven \
             some"
        );
        assert!(members > 200, "{members} members are not many");
        assert!(forgiven * 50 < members, "{forgiven} of {members}");
    }
}

/// What is wanted in the four weeks that follow, by SKU and place, day by day.
fn future(world: &mut World, days: u32) -> BTreeMap<(u32, u16), Vec<f64>> {
    let mut wanted: BTreeMap<(u32, u16), Vec<f64>> = BTreeMap::new();
    let mut before = world.secrets();
    for _ in 0..days {
        pass(world, 1);
        let now = world.secrets();
        for (a, b) in before.places.iter().zip(&now.places) {
            let day = (b.wanted - a.wanted) as f64;
            wanted.entry((a.sku, a.location)).or_default().push(day);
        }
        before = now;
    }
    wanted
}

#[test]
fn demand_is_foretold_and_the_reorder_point_is_enough() {
    for seed in 1..=3 {
        let shop = Shop { seed, opening: SPRING, customers: 1000, days: 60 };
        let mut world = shop.world();
        let before = *world.truth();
        let future = future(&mut world, 28);
        let lost = (world.truth().units_lost - before.units_lost) as f64 / 28.0;
        let truth = world.secrets();
        let seen = shop.seen_by(&["inventory", "replenishment"]);
        let mut pairs = Vec::new();
        let (mut said, mut came) = (0.0, 0.0);
        for row in seen.rows("inventory_demand").iter().filter(|row| location(row) == 0) {
            let sku = numbered(row, "sku", "sku-").unwrap() as u32;
            let a_day = future[&(sku, 0)].iter().sum::<f64>() / 28.0;
            pairs.push((number(&row["units_a_day"]), a_day));
            said += number(&row["units_a_day"]);
            came += a_day;
        }
        let (mut cycles, mut enough) = (0, 0);
        // Of the warehouse: by what its suppliers say, and by what they take.
        let (mut by_word, mut by_truth, mut leads) = (0, 0, Vec::new());
        for row in seen.rows("replenishment_policy") {
            if number(&row["units_a_day"]) <= 0.0 {
                continue;
            }
            let sku = numbered(row, "sku", "sku-").unwrap() as u32;
            let is_enough = |days: usize| {
                // The warehouse has to meet the demand of the stores, too.
                let places = future.iter().filter(|((of, at), _)| {
                    *of == sku && (location(row) == 0 || *at == location(row))
                });
                let wanted: f64 = places.map(|(_, of)| of.iter().take(days).sum::<f64>()).sum();
                wanted <= number(&row["reorder_point"])
            };
            let said = number(&row["lead_days"]);
            let is_kept = is_enough(said as usize + 1);
            cycles += 1;
            enough += usize::from(is_kept);
            if location(row) == 0 {
                let truly = truth.articles[sku as usize].lead_days;
                leads.push((said, truly));
                by_word += usize::from(is_kept);
                by_truth += usize::from(is_enough(truly.ceil() as usize + 1));
            }
        }
        let (ranks, share) = (rank_correlation(&pairs), enough as f64 / cycles as f64);
        let of_leads = leads.len() as f64;
        let longer = leads.iter().map(|(said, truly)| truly / said).sum::<f64>() / of_leads;
        let (by_word, by_truth) = (by_word as f64 / of_leads, by_truth as f64 / of_leads);
        let ratio = said / came;
        println!(
            "seed {seed}: demand {ranks:.2} of {} SKUs, {said:.0} of {came:.0} a day \
             ({lost:.0} lost); enough in {share:.3} of {cycles}; of the warehouse's {of_leads} in \
             {by_word:.3}, in {by_truth:.3} with the time that suppliers take, which is \
             {longer:.2} times what they say (ranks {:.2})",
            pairs.len(),
            rank_correlation(&leads)
        );
        assert!(ranks > 0.5, "{ranks}");
        assert!((0.5..2.0).contains(&ratio), "{ratio}");
        assert!(share > 0.8, "{share}");
        assert!(by_truth > 0.6 && by_truth > by_word - 0.1, "{by_truth} and {by_word}");
        assert!((1.0..1.25).contains(&longer), "{longer}");
    }
}

/// The value of a tag for each customer who has it.
fn tagged(seen: &Views, tag: &str) -> BTreeMap<usize, String> {
    let rows = seen.rows("customer_tag").iter().filter(|row| text(row, "tag_code") == tag);
    rows.map(|row| (numbered(row, "customer_id", "c-").unwrap(), text(row, "tag_value").to_owned()))
        .collect()
}

#[test]
fn customers_are_known_by_what_they_do() {
    let (mut discounts, mut quiet) = (Vec::new(), Quiet::default());
    for seed in 1..=3 {
        let shop = Shop { seed, opening: AUTUMN, customers: 1000, days: 180 };
        let truth = shop.world().secrets();
        let seen = shop.seen_by(&["customers"]);
        links(&seen, 1000);
        discounts.extend(favourites(&seen, &truth, seed));
        quiet.add(&seen, &truth);
    }
    // Half of all purchases are of stores and cost everybody the same.
    let sensitive = rank_correlation(&discounts);
    let share = |[gone, all]: [f64; 2]| gone / all;
    let (overdue, others) = (share(quiet.overdue), share(quiet.others));
    println!("discount and sensitivity {sensitive:.2}; gone {overdue:.2} and {others:.2}");
    assert!(sensitive > 0.0, "{sensitive}");
    assert!(overdue > others * 1.3, "{quiet:?}");
}

/// Who a browser belongs to. Those of nobody come behind those of all customers.
fn links(seen: &Views, customers: usize) {
    let rows = seen.rows("customer_identity").iter();
    let browsers: Vec<&Value> = rows.filter(|row| text(row, "id_type") == "anonymous_id").collect();
    assert!(browsers.len() > customers / 2, "{} browsers", browsers.len());
    for row in browsers {
        let browser = numbered(row, "id_hash", "a-").unwrap();
        assert_eq!(numbered(row, "customer_id", "c-"), Some(browser / 2), "{row}");
    }
}

/// Answers how much below the list price each one pays, beside how much he heeds prices.
fn favourites(seen: &Views, truth: &Secrets, seed: u64) -> Vec<(f64, f64)> {
    let orders: BTreeMap<usize, f64> = seen
        .rows("customer_rfm")
        .iter()
        .map(|row| (numbered(row, "customer_id", "c-").unwrap(), number(&row["frequency"])))
        .collect();
    let (mut right, mut all) = (0, 0);
    for (customer, category) in tagged(seen, "favourite_category") {
        if orders[&customer] < 3.0 {
            continue;
        }
        let tastes = &truth.customers[customer].tastes;
        let best = tastes.iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap().0;
        all += 1;
        right += usize::from(best == category);
    }
    println!("seed {seed}: favourite category of {right} of {all}");
    assert!(right * 4 > all, "{right} of {all}, one in twelve would be chance");
    tagged(seen, "average_discount")
        .into_iter()
        .filter(|(customer, _)| orders[customer] >= 3.0)
        .map(|(customer, percent)| {
            (percent.parse().unwrap(), truth.customers[customer].sensitivity)
        })
        .collect()
}

/// How many have left the web shop for ever, and how many there are: of those who are overdue, and
/// of the others.
#[derive(Debug, Default)]
struct Quiet {
    overdue: [f64; 2],
    others: [f64; 2],
}

impl Quiet {
    fn add(&mut self, seen: &Views, truth: &Secrets) {
        let overdue = tagged(seen, "overdue");
        for row in seen.rows("customer_rfm").iter().filter(|row| number(&row["frequency"]) >= 2.0) {
            let customer = numbered(row, "customer_id", "c-").unwrap();
            let group = match overdue.contains_key(&customer) {
                true => &mut self.overdue,
                false => &mut self.others,
            };
            group[0] += f64::from(u8::from(!truth.customers[customer].is_alive));
            group[1] += 1.0;
        }
    }
}

#[test]
fn lists_of_ones_own_have_what_one_cares_for() {
    for seed in 1..=3 {
        let shop = Shop { seed, opening: AUTUMN, customers: 500, days: 90 };
        let truth = shop.world().secrets();
        let seen = shop.seen_by(&["recommend"]);
        let liking = |customer: usize, sku: usize| {
            let tastes = &truth.customers[customer].tastes;
            let mean = tastes.iter().map(|(_, taste)| taste).sum::<f64>() / tastes.len() as f64;
            let of = tastes.iter().find(|(id, _)| *id == truth.articles[sku].category).unwrap();
            of.1 / mean
        };
        let popular: Vec<usize> = seen
            .rows("recommend_popular")
            .iter()
            .filter(|row| number(&row["place"]) <= 10.0)
            .map(|row| numbered(row, "sku", "sku-").unwrap())
            .collect();
        let mut means = BTreeMap::new();
        let mut customers = BTreeSet::new();
        for row in seen.rows("recommend_customer_list") {
            let customer = numbered(row, "customer_id", "c-").unwrap();
            let sku = numbered(row, "sku", "sku-").unwrap();
            let (sum, count) = means.entry(text(row, "list_id")).or_insert((0.0, 0));
            *sum += liking(customer, sku);
            *count += 1;
            customers.insert(customer);
        }
        let mean = |list: &str| means[list].0 / f64::from(means[list].1);
        let of_all: f64 = customers
            .iter()
            .flat_map(|customer| popular.iter().map(|sku| liking(*customer, *sku)))
            .sum::<f64>()
            / (customers.len() * popular.len()) as f64;
        println!(
            "seed {seed}: liking of buy_again {:.2}, of discover {:.2}, of what is popular {of_all:.2}",
            mean("buy_again"),
            mean("discover")
        );
        assert!(mean("buy_again") > of_all * 1.3, "{} and {of_all}", mean("buy_again"));
    }
}

#[test]
fn purchases_are_owed_to_the_ads_that_brought_them() {
    let mut pairs = Vec::new();
    let (mut owed, mut brought) = (0.0, 0.0);
    for seed in 1..=3 {
        let shop = Shop { seed, opening: AUTUMN, customers: 3000, days: 60 };
        let truth = shop.world().secrets();
        let seen = shop.seen_by(&["ads"]);
        let mut last = vec![0.0; truth.campaigns.len()];
        for row in seen.rows("ads_attribution") {
            if text(row, "model") == "last" && text(row, "campaign_id") != "none" {
                last[numbered(row, "campaign_id", "ad-").unwrap()] += number(&row["revenue"]);
            }
        }
        for (campaign, true_revenue) in truth.campaigns.iter().enumerate() {
            let true_revenue = *true_revenue as f64 / MONEY;
            pairs.push((last[campaign], true_revenue));
            owed += last[campaign];
            brought += true_revenue;
        }
    }
    let (ranks, ratio) = (rank_correlation(&pairs), owed / brought);
    println!("revenue by campaign: {ranks:.2}, owed are {ratio:.2} times what they brought");
    assert!(ranks > 0.6, "{ranks}");
    // Who clicks and would have bought anyway counts as well: that is what a last click is.
    assert!((1.0..5.0).contains(&ratio), "{ratio}");
}

const TREND_DAYS: i64 = 90;
/// A trend is found when it has lasted so many days.
const FOUND_WITHIN: i64 = 2;

/// The fashions of a shop, as nobody in it can know them: what, and on which day of the run it is
/// searched for first.
fn fashions(seed: u64) -> BTreeSet<(i64, &'static str)> {
    let start_ms = SPRING.1 * DAY_MS;
    let config = Config { seed, start_ms, days: 0, customers: 20, ..Config::default() };
    let days = Stage::alone(config, vec![24; TREND_DAYS as usize]);
    days.iter()
        .filter_map(|truth| truth.fashion)
        .map(|(what, at)| (at - 2 - SPRING.1, what))
        .collect()
}

/// On which days of the run which topic of the searches was said to rise, and how many were judged.
fn rising(seed: u64) -> (BTreeSet<(i64, String)>, usize) {
    let shop = Shop { seed, opening: SPRING, customers: 20, days: TREND_DAYS as u32 };
    let seen = shop.seen_by(&["market"]);
    let (mut found, mut judged) = (BTreeSet::new(), 0);
    for row in seen.rows("market_trend") {
        if text(row, "kind") == "search_trend" {
            judged += 1;
            if text(row, "trend") == "rising" {
                found.insert((day_of_run(text(row, "bin")), text(row, "topic").to_owned()));
            }
        }
    }
    (found, judged)
}

/// The day of a run that begins in May: days of May, June and July.
fn day_of_run(bin: &str) -> i64 {
    let (month, day): (usize, i64) = (bin[5..7].parse().unwrap(), bin[8..10].parse().unwrap());
    [0, 31, 61][month - 5] + day - 1
}

#[test]
fn a_trend_that_only_the_world_knows_is_found_within_days() {
    let (mut known, mut judged, mut wrong) = (0, 0, Vec::new());
    for seed in 1..=5 {
        let (fashions, (rising, topics)) = (fashions(seed), rising(seed));
        judged += topics;
        for (first, what) in &fashions {
            // One that begins in the last days has no time to be found.
            if first + FOUND_WITHIN > TREND_DAYS {
                continue;
            }
            known += 1;
            let seen = |day: i64| rising.contains(&(day, (*what).to_owned()));
            assert!(
                (*first..first + FOUND_WITHIN).any(seen),
                "seed {seed}: {what} is searched for from day {first} on, found {rising:?}"
            );
        }
        // Christmas has a season of its own, which is no fashion, and no false alarm either.
        let in_fashion = |day: i64, topic: &str| {
            fashions
                .iter()
                .any(|(first, what)| topic == *what && (*first..first + 12).contains(&day))
        };
        let false_alarm =
            |(day, topic): &&(i64, String)| topic != "christmas" && !in_fashion(*day, topic);
        wrong.extend(
            rising.iter().filter(false_alarm).map(|(day, topic)| (seed, *day, topic.clone())),
        );
    }
    println!("{known} fashions found, {} false alarms of {judged} topics and days", wrong.len());
    assert!(known >= 15, "{known} fashions are not many");
    assert!(wrong.len() * 200 < judged, "false alarms, of {judged}: {wrong:?}");
}
