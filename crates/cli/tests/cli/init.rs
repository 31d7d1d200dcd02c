//! `rialto init`: projects with packs, and files that are mapped onto the event model.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::{stderr, stdout};

const TILL: &str = "\u{feff}receipt,line,kind,sold,article,pieces,cents,Unit Price\n\
    4711,1,S,02/03/2026 10:15,TEA,2,995,9.95\n\
    4711,2,S,02/03/2026 10:15,MILK,1,120,1.20\n\
    4712,1,R,02/03/2026 11:00,TEA,-1,995,9.95\n";

/// All folders are told by their whole path.
fn rialto(arguments: &[&str]) -> Output {
    crate::rialto(Path::new("."), arguments)
}

fn arguments<'a>(folder: &'a Path, rest: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["init", folder.to_str().unwrap()];
    all.extend(rest);
    all
}

#[test]
fn a_new_project_can_be_planned_and_brings_what_its_packs_need() {
    let dir = tempfile::tempdir().unwrap();
    let shop = dir.path().join("my-shop");
    let output = rialto(&arguments(&shop, &["--pack", "pricing,sales"]));
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("inventory, pricing, sales"), "{}", stdout(&output));
    let config = fs::read_to_string(shop.join("rialto.toml")).unwrap();
    assert!(config.contains("# LOW_STOCK = \"5\""), "{config}");
    assert!(shop.join("packs/inventory/README.md").is_file());

    let output = rialto(&["check", shop.to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));

    // Nothing is written over.
    let output = rialto(&arguments(&shop, &["--pack", "sales"]));
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("has files already"), "{}", stderr(&output));
}

#[test]
fn a_changed_rule_shows_in_the_fixtures_of_the_project() {
    let dir = tempfile::tempdir().unwrap();
    let shop = dir.path().join("my-shop");
    assert!(rialto(&arguments(&shop, &["--pack", "inventory", "--from", "log"])).status.success());
    let sql = shop.join("packs/inventory/sql");
    let only = ["test", shop.to_str().unwrap(), "--only", "an alert comes once"];
    let output = rialto(&only);
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));

    let mut edited = 0;
    for entry in fs::read_dir(sql).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let other = text.replace("${LOW_STOCK:-5}", "4");
        edited += usize::from(other != text);
        fs::write(path, other).unwrap();
    }
    assert!(edited > 0, "no rule was changed");
    let output = rialto(&only);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stdout(&output).contains("changes of inventory_low_stock"), "{}", stdout(&output));
}

#[test]
fn a_file_is_mapped_onto_the_model() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, till) = (dir.path().join("my-shop"), dir.path().join("till.csv"));
    fs::write(&till, TILL).unwrap();
    let map = format!("sale_line={}", till.display());
    let output = rialto(&arguments(&shop, &["--pack", "sales", "--from", "log", "--map", &map]));
    assert!(output.status.success(), "{}", stderr(&output));

    // The draft can be planned as it is, and has found the column that is called as in the model.
    let output = rialto(&["check", shop.to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
    let file = shop.join("sources/20_sale_line.sql");
    let draft = fs::read_to_string(&file).unwrap();
    assert!(draft.contains("CAST(`Unit Price` AS DECIMAL(18, 4)) AS `unit_price`"), "{draft}");

    let filled = [
        (
            "CAST(NULL AS TIMESTAMP_LTZ(3))",
            "CAST(TO_TIMESTAMP(`sold`, 'dd/MM/yyyy HH:mm') AS TIMESTAMP_LTZ(3))",
        ),
        ("CAST(NULL AS STRING) AS `event_id`", "`receipt` || '/' || `line` AS `event_id`"),
        ("CAST(NULL AS STRING) AS `transaction_id`", "`receipt` AS `transaction_id`"),
        (
            "CAST(NULL AS STRING) AS `txn_type`",
            "CASE `kind` WHEN 'S' THEN 'sale' WHEN 'R' THEN 'return' END AS `txn_type`",
        ),
        ("CAST(NULL AS STRING) AS `line_type`", "'item' AS `line_type`"),
        ("CAST(NULL AS STRING) AS `sku`", "`article` AS `sku`"),
        ("CAST(NULL AS DATE) AS `business_date`", "CAST(`row_time` AS DATE) AS `business_date`"),
        (
            "CAST(NULL AS DECIMAL(18, 4)) AS `quantity`",
            "CAST(`pieces` AS DECIMAL(18, 4)) AS `quantity`",
        ),
        (
            "CAST(NULL AS DECIMAL(18, 4)) AS `line_total`",
            "CAST(CAST(`pieces` AS DECIMAL(18, 4)) * CAST(`cents` AS DECIMAL(18, 4)) / 100 \
             AS DECIMAL(18, 4)) AS `line_total`",
        ),
    ];
    let mut sql = draft;
    for (from, to) in filled {
        assert!(sql.contains(from), "{from} is not in\n{sql}");
        sql = sql.replacen(from, to, 1);
    }
    sql += "\nCREATE MATERIALIZED VIEW sold_a_day AS SELECT business_date, SUM(line_total) AS net,
        COUNT(DISTINCT transaction_id) AS receipts FROM sale_line GROUP BY business_date;";
    fs::write(&file, sql).unwrap();
    // The mapping by itself: the logs of the other tables have no end.
    let config = "include = [\"packs/model/sql\", \"sources/20_sale_line.sql\"]\n";
    fs::write(shop.join("rialto.toml"), config).unwrap();
    let output = rialto(&["run", shop.to_str().unwrap(), "-o", "json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let row: Value = stdout(&output)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|row| row.to_string().contains("receipts"))
        .unwrap_or_else(|| panic!("{}", stdout(&output)));
    let row = row.get("row").unwrap_or(&row);
    assert_eq!(row["net"], 11.15, "{row}");
    assert_eq!(row["receipts"], 2, "{row}");
}

#[test]
fn what_is_not_there_is_said_with_what_is() {
    let dir = tempfile::tempdir().unwrap();
    let shop = dir.path().join("my-shop");
    let refused = |rest: &[&str], what: &str, hint: &str| {
        let output = rialto(&arguments(&shop, rest));
        assert_eq!(output.status.code(), Some(2), "{rest:?}");
        let said = stderr(&output);
        assert!(said.contains(what) && said.contains(hint), "{rest:?}: {said}");
        assert!(!shop.exists(), "{rest:?} wrote something");
    };
    refused(&["--pack", "inventry"], "there is no pack 'inventry'", "did you mean inventory?");
    refused(&[], "no pack is named", "inventory");
    let file = dir.path().join("rows.csv");
    fs::write(&file, "a,b,a\n").unwrap();
    let map = |table: &str| format!("{table}={}", file.display());
    let doubled = map("sku");
    refused(&["--pack", "sales", "--map", &doubled], "two columns are called 'a'", "CSV");
    let unknown = map("receipts");
    refused(&["--pack", "sales", "--map", &unknown], "no table 'receipts'", "sale_line");
}

#[test]
fn all_packs_can_be_planned_on_rows_that_are_posted() {
    let dir = tempfile::tempdir().unwrap();
    let listed = stdout(&rialto(&["init", "--list"]));
    let packs: Vec<&str> =
        listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(packs.len() > 10, "{listed}");
    let shop = dir.path().join("my-shop");
    let made = rialto(&arguments(&shop, &["--pack", &packs.join(","), "--from", "http"]));
    assert!(made.status.success(), "{}", stderr(&made));
    let checked = rialto(&["check", shop.to_str().unwrap()]);
    assert!(checked.status.success(), "{}", stderr(&checked));
}
