//! What must hold of the packs at all times: pieces and points neither appear nor vanish, whatever
//! comes twice, late or in another order, and however often the project is killed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rialto_runtime::connectors::shop::{Config, TABLES, World};
use serde_json::Value;

use crate::running::{Running, wait_for_checkpoints};
use crate::{rialto, stderr, stdout};

/// How often the project is killed on its way.
const KILLS: usize = 5;
/// What is compared at the end, and looked at meanwhile.
const VIEWS: [&str; 4] =
    ["loyalty_account", "loyalty_unbalanced", "inventory_position", "inventory_oversold"];

/// Days that each shop trades, and its customers.
const DAYS: u32 = 25;
const CUSTOMERS: u32 = 150;

/// Which shop it is, and how bad its events are.
#[derive(Debug, Clone, Copy)]
struct Shop {
    seed: u64,
    stores: u16,
    /// The share that comes minutes late, behind every watermark.
    late: f64,
}

/// Stock and points of a simulated shop, at a pace.
fn project(dir: &Path, shop: Shop, speed: &str) {
    let packs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs").canonicalize().unwrap();
    let packs = packs.display();
    let Shop { seed, stores, late } = shop;
    let tables = fs::read_to_string(format!("{packs}/model/from_shop.sql")).unwrap();
    // Many events come twice.
    let options = format!(
        "'connector' = 'shop', 'duplicates' = '0.05', 'late' = '{late}', 'stores' = '{stores}'"
    );
    let tables = tables.replace("'connector' = 'shop'", &options);
    fs::create_dir_all(dir.join("tables")).unwrap();
    let setting = "SET 'execution.checkpointing.interval' = '150 ms';\n";
    fs::write(dir.join("tables/shop.sql"), format!("{setting}{tables}")).unwrap();
    let project = format!(
        "include = [\"{packs}/model/sql\", \"tables/shop.sql\", \"{packs}/inventory/sql\", \
         \"{packs}/loyalty/sql\"]\n[variables]\nSHOP_SEED = \"{seed}\"\nSHOP_DAYS = \"{DAYS}\"\n\
         SHOP_CUSTOMERS = \"{CUSTOMERS}\"\nSHOP_SPEED = \"{speed}\"\n"
    );
    fs::write(dir.join("rialto.toml"), project).unwrap();
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn number(value: &Value) -> f64 {
    let text = value.as_str().map(str::to_owned).unwrap_or_else(|| value.to_string());
    text.parse().unwrap_or_else(|_| panic!("{text} is a number"))
}

/// What the views hold at the end, by the name of the view.
fn answer(printed: &str) -> BTreeMap<String, Vec<String>> {
    let mut views: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in lines(printed) {
        let name = line["table"].as_str().unwrap().to_owned();
        if !VIEWS.contains(&name.as_str()) {
            continue;
        }
        views.entry(name).or_default().push(line["row"].to_string());
    }
    views.values_mut().for_each(|rows| rows.sort_unstable());
    views
}

/// Points that an account has are another account's: after every step all of them together are
/// none, and no entry was ever posted on one side only. Answers how many steps were looked at.
fn check_ledger(changes: &str) -> usize {
    let mut accounts: BTreeMap<String, f64> = BTreeMap::new();
    let (mut step, mut steps) = (None, 0);
    let mut whole = |accounts: &BTreeMap<String, f64>, step: &Value| {
        let sum: f64 = accounts.values().sum();
        assert!(
            sum.abs() < 1e-6,
            "after step {step} there are {sum} points too many: {accounts:?}"
        );
        steps += 1;
    };
    for change in lines(changes) {
        assert_ne!(change["table"], "loyalty_unbalanced", "{change}");
        if change["table"] != "loyalty_account" {
            continue;
        }
        if let Some(before) = step.replace(change["step"].clone())
            && before != change["step"]
        {
            whole(&accounts, &before);
        }
        let account = change["row"]["account"].as_str().unwrap().to_owned();
        match change["op"].as_str().unwrap() {
            "-U" | "-D" => accounts.remove(&account),
            _ => accounts.insert(account, number(&change["row"]["points"])),
        };
    }
    // The last step of a run that was killed may have been printed in part.
    steps
}

/// One shop, run to its end in one go and killed on its way: both have the same in the end, and the
/// pieces that the world itself has.
fn conserved(shop: Shop) {
    let straight = tempfile::tempdir().unwrap();
    project(straight.path(), shop, "max");
    let run = ["run", ".", "-o", "json", "--rows", "100000"];
    let watched = VIEWS.join(",");
    let expected = rialto(straight.path(), &run);
    assert_eq!(expected.status.code(), Some(0), "{}", stderr(&expected));
    let expected = answer(&stdout(&expected));

    let mut there = BTreeMap::new();
    for row in &expected["inventory_position"] {
        let row: Value = serde_json::from_str(row).unwrap();
        let (came, went) = (number(&row["came"]), number(&row["went"]));
        assert_eq!(number(&row["on_hand"]), came - went, "{shop:?}: {row}");
        assert!(number(&row["on_hand"]) >= 0.0, "what is not there is not sold: {shop:?}: {row}");
        there.insert(place(&row), number(&row["on_hand"]));
    }
    check_world(shop, &there);
    for empty in ["inventory_oversold", "loyalty_unbalanced"] {
        assert!(!expected.contains_key(empty), "{shop:?}: {:?}", expected[empty]);
    }

    let dir = tempfile::tempdir().unwrap();
    // Twenty-five days in a quarter of a minute, so that there is time to kill it in.
    project(dir.path(), shop, "150000");
    let state = dir.path().join("state");
    let changes = ["--watch", &watched, "--changelog", "--state", "state", "--shards"];
    let mut looked_at = 0;
    for kill in 0..KILLS {
        let shards = ["1", "2", "3"][kill % 3];
        let running = Running::start(dir.path(), &[&run[..], &changes, &[shards]].concat());
        wait_for_checkpoints(&state, 2);
        looked_at += check_ledger(&running.kill().printed);
    }
    let last = rialto(dir.path(), &[&run[..], &changes, &["2"]].concat());
    assert_eq!(last.status.code(), Some(0), "{}", stderr(&last));
    looked_at += check_ledger(&stdout(&last));
    assert!(looked_at > 20, "{shop:?}: {looked_at} steps are not much");
    let ended = rialto(dir.path(), &[&run[..], &["--state", "state"]].concat());
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    assert_eq!(answer(&stdout(&ended)), expected, "{shop:?}");
}

#[test]
fn pieces_and_points_are_conserved_whatever_happens() {
    let shops = [(1, 3, 0.02), (6, 1, 0.1), (7, 5, 0.0)];
    in_all(shops.map(|(seed, stores, late)| Shop { seed, stores, late }), conserved);
}

/// Runs a test in several shops at once.
fn in_all<const SHOPS: usize>(shops: [Shop; SHOPS], test: fn(Shop)) {
    std::thread::scope(|scope| {
        let threads = shops.map(|shop| scope.spawn(move || test(shop)));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// Which SKU lies where.
fn place(row: &Value) -> (String, String) {
    let text = |column: &str| row[column].as_str().unwrap().to_owned();
    (text("sku"), text("location_id"))
}

/// Holds the pieces of each place against those that the world itself has.
fn check_world(shop: Shop, there: &BTreeMap<(String, String), f64>) {
    let Shop { seed, stores, late } = shop;
    let (customers, days) = (CUSTOMERS, 0);
    let config = Config { seed, stores, late, customers, days, ..Config::default() };
    let mut world = World::new(config, [false; TABLES]);
    (0..DAYS * 24).for_each(|_| world.hour(&[]));
    for place in world.secrets().places {
        let at = match place.location {
            0 => "dc-1".to_owned(),
            store => format!("store-{store}"),
        };
        let known = there.get(&(format!("sku-{}", place.sku), at)).copied().unwrap_or(0.0);
        assert_eq!(known, place.on_hand as f64, "{shop:?}: {place:?}");
    }
}

/// A place may not be asked for more than it has, at no step of a run. Answers how many changes
/// were looked at.
fn check_stock(changes: &str, shop: Shop) -> usize {
    let mut looked_at = 0;
    for change in lines(changes) {
        assert_ne!(change["table"], "inventory_oversold", "{shop:?}: {change}");
        if change["table"] == "inventory_position" {
            assert!(number(&change["row"]["on_hand"]) >= 0.0, "{shop:?}: {change}");
            looked_at += 1;
        }
    }
    looked_at
}

/// One shop, killed on its way: what it has at the end is what the world itself has.
fn never_oversold(shop: Shop) {
    const WATCH: [&str; 4] =
        ["--watch", "inventory_oversold,inventory_position", "--changelog", "--state"];
    let dir = tempfile::tempdir().unwrap();
    // Twenty-five days in five seconds.
    project(dir.path(), shop, "400000");
    let run = ["run", ".", "-o", "json", "--rows", "100000"];
    let watched = |shards| [&run[..], &WATCH, &["state", "--shards", shards]].concat();
    let mut looked_at = 0;
    for shards in ["1", "2", "1"] {
        let running = Running::start(dir.path(), &watched(shards));
        wait_for_checkpoints(&dir.path().join("state"), 2);
        looked_at += check_stock(&running.kill().printed, shop);
    }
    let last = rialto(dir.path(), &watched("2"));
    assert_eq!(last.status.code(), Some(0), "{}", stderr(&last));
    looked_at += check_stock(&stdout(&last), shop);
    let ended = rialto(dir.path(), &[&run[..], &["--state", "state"]].concat());
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    let mut there = BTreeMap::new();
    for line in lines(&stdout(&ended)) {
        assert_ne!(line["table"], "inventory_oversold", "{shop:?}: {line}");
        if line["table"] == "inventory_position" {
            there.insert(place(&line["row"]), number(&line["row"]["on_hand"]));
        }
    }
    assert!(looked_at > there.len(), "{looked_at} changes are not much");
    check_world(shop, &there);
}

#[test]
fn nobody_is_promised_what_is_not_there_in_any_shop() {
    let shops = [(2, 1), (3, 6), (4, 2), (5, 3)];
    in_all(shops.map(|(seed, stores)| Shop { seed, stores, late: 0.0 }), never_oversold);
}
