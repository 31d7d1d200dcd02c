//! The catalog as a user meets it: statement after statement, and what they leave behind.

use super::*;
use crate::error::SqlError;
use crate::parser::{QualifiedName, parse, parse_one};

/// A catalog after these statements, all of which must do well.
fn after(script: &str) -> Catalog {
    let mut catalog = Catalog::new();
    run(&mut catalog, script).unwrap_or_else(|e| panic!("{}", e.render(script, "script.sql")));
    catalog
}

fn run(catalog: &mut Catalog, script: &str) -> Result<(), SqlError> {
    for parsed in parse(script)? {
        catalog.apply(&parsed.statement)?.expect("a statement about the catalog");
    }
    Ok(())
}

/// The error of the last statement.
fn refused(script: &str) -> SqlError {
    run(&mut Catalog::new(), script).expect_err(script)
}

fn name(text: &str) -> QualifiedName {
    QualifiedName { parts: text.split('.').map(str::to_string).collect(), span: None }
}

fn table(catalog: &Catalog, of: &str) -> TableDef {
    catalog.table(&name(of)).expect("a table").clone()
}

#[test]
fn names_are_found_in_the_current_database_and_by_their_full_path() {
    let catalog = after("CREATE TABLE t (a INT); CREATE DATABASE d; USE d; CREATE TABLE u (b INT)");
    assert!(catalog.find_relation(&name("t")).is_none());
    assert!(catalog.find_relation(&name("default_database.t")).is_some());
    assert!(catalog.find_relation(&name("default_catalog.d.u")).is_some());
    assert_eq!(table(&catalog, "u").path.to_string(), "default_catalog.d.u");
}

#[test]
fn a_wrong_name_is_answered_with_the_nearest() {
    let catalog = after("CREATE TABLE orders (a INT)");
    let error = catalog.table(&name("oders")).expect_err("no such table");
    assert_eq!(error.message, "there is no table or view named 'oders'");
    assert_eq!(error.hint.as_deref(), Some("did you mean 'orders'?"));
    let error = catalog.table(&name("Orders")).expect_err("no such table");
    assert!(error.hint.expect("a hint").contains("case-sensitive"));
}

#[test]
fn an_object_is_created_once_unless_the_user_says_otherwise() {
    let error = refused("CREATE TABLE t (a INT); CREATE VIEW t AS SELECT 1");
    assert_eq!(error.message, "there is already a table named 't'");
    let catalog = after("CREATE TABLE t (a INT); CREATE TABLE IF NOT EXISTS t (b INT)");
    assert!(table(&catalog, "t").column("a").is_some());
    let catalog = after("CREATE TABLE t (a INT); CREATE OR REPLACE TABLE t (b INT)");
    assert!(table(&catalog, "t").column("b").is_some());
}

#[test]
fn a_temporary_table_hides_the_permanent_one_until_it_is_dropped() {
    let mut catalog = after("CREATE TABLE t (a INT); CREATE TEMPORARY TABLE t (b INT)");
    assert!(table(&catalog, "t").temporary);
    let error = run(&mut catalog, "DROP TABLE t").expect_err("hidden");
    assert_eq!(error.hint.as_deref(), Some("use DROP TEMPORARY TABLE"));
    run(&mut catalog, "DROP TEMPORARY TABLE t").expect("dropped");
    assert!(!table(&catalog, "t").temporary);
}

#[test]
fn every_kind_is_dropped_by_its_own_statement() {
    let error = refused("CREATE VIEW v AS SELECT 1; DROP TABLE v");
    assert_eq!(error.message, "v is a view, not a table");
    assert_eq!(error.hint.as_deref(), Some("use DROP VIEW"));
    let error = refused("CREATE MATERIALIZED VIEW v AS SELECT 1; DROP VIEW v");
    assert_eq!(error.hint.as_deref(), Some("use DROP MATERIALIZED VIEW"));
    let catalog = after("CREATE VIEW v AS SELECT 1; DROP VIEW v; DROP VIEW IF EXISTS v");
    assert!(catalog.find_relation(&name("v")).is_none());
}

#[test]
fn a_key_makes_its_columns_not_null_and_must_name_physical_ones() {
    let catalog = after("CREATE TABLE t (a INT, b INT, PRIMARY KEY (a) NOT ENFORCED)");
    let printed = |c: &str| table(&catalog, "t").column(c).and_then(|c| c.data_type.clone());
    assert_eq!(printed("a").expect("a type").to_string(), "INT NOT NULL");
    assert_eq!(printed("b").expect("a type").to_string(), "INT");
    let error = refused("CREATE TABLE t (a INT, b AS a, PRIMARY KEY (b) NOT ENFORCED)");
    assert!(error.message.contains("not physical"));
    let error = refused("CREATE TABLE t (price INT, PRIMARY KEY (prise) NOT ENFORCED)");
    assert!(error.hint.expect("a hint").contains("price"));
    let error = refused("CREATE TABLE t (ts STRING, WATERMARK FOR ts AS ts)");
    assert!(error.message.contains("has the type STRING"));
}

const BASE: &str = "CREATE TABLE base (
    a INT, total AS a * 2, m STRING METADATA, ts TIMESTAMP(3),
    WATERMARK FOR ts AS ts, PRIMARY KEY (a) NOT ENFORCED
  ) PARTITIONED BY (a) WITH ('connector' = 'kafka', 'topic' = 'x');";

#[test]
fn like_takes_everything_and_lets_new_options_win() {
    let catalog = after(&format!("{BASE} CREATE TABLE t (z INT) WITH ('topic' = 'y') LIKE base"));
    let t = table(&catalog, "t");
    let columns: Vec<&str> = t.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(columns, ["a", "total", "m", "ts", "z"]);
    assert_eq!((t.options.get("connector"), t.options.get("topic")), (Some("kafka"), Some("y")));
    assert!(t.watermark.is_some() && t.key_columns() == ["a"] && t.partitioned_by == ["a"]);
}

#[test]
fn like_leaves_out_what_it_is_told_to() {
    let like = "CREATE TABLE t WITH ('connector' = 'print') LIKE base (EXCLUDING ALL)";
    let t = table(&after(&format!("{BASE} {like}")), "t");
    let columns: Vec<&str> = t.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(columns, ["a", "ts"]);
    assert!(t.watermark.is_none() && t.primary_key.is_none() && t.options.len() == 1);
    let twice = "CREATE TABLE t (WATERMARK FOR ts AS ts) LIKE base";
    let error = refused(&format!("{BASE} {twice}"));
    assert_eq!(error.message, "both tables have a watermark");
    let over = "CREATE TABLE t (total AS a * 3) LIKE base (OVERWRITING GENERATED)";
    let t = table(&after(&format!("{BASE} {over}")), "t");
    let Some(ColumnKind::Computed(total)) = t.column("total").map(|c| c.kind.clone()) else {
        panic!("total is computed")
    };
    assert_eq!(total.text, "a * 3");
}

#[test]
fn alter_changes_all_of_a_table_or_nothing() {
    let catalog = after(&format!(
        "{BASE} ALTER TABLE base ADD (x INT FIRST, y INT AFTER a); ALTER TABLE base RENAME x TO w;
         ALTER TABLE base MODIFY w BIGINT; ALTER TABLE base DROP WATERMARK;
         ALTER TABLE base SET ('topic' = 'z', 'k' = 'v'); ALTER TABLE base RESET ('k');
         ALTER TABLE base RENAME TO renamed"
    ));
    let t = table(&catalog, "renamed");
    let columns: Vec<String> = t.columns.iter().map(|c| c.name.clone()).collect();
    assert_eq!(columns, ["w", "a", "y", "total", "m", "ts"]);
    assert_eq!(t.columns[0].data_type.as_ref().map(ToString::to_string).as_deref(), Some("BIGINT"));
    assert!(t.watermark.is_none() && t.options.get("k").is_none());
    assert_eq!(t.options.get("topic"), Some("z"));
    for (alter, message) in [
        ("DROP a", "'total' is computed from it"),
        ("RENAME ts TO t2", "the watermark reads it"),
        ("ADD a INT", "has a column 'a' already"),
        ("DROP (m, nope)", "no column named 'nope'"),
        ("MODIFY nope INT", "no column named 'nope'"),
        ("ADD PRIMARY KEY (ts) NOT ENFORCED", "has a primary key already"),
    ] {
        let mut catalog = after(BASE);
        let before = table(&catalog, "base");
        let error = run(&mut catalog, &format!("ALTER TABLE base {alter}")).expect_err(alter);
        assert!(error.message.contains(message), "{alter}: {error}");
        assert_eq!(table(&catalog, "base"), before, "{alter} left something behind");
    }
}

#[test]
fn show_create_declares_the_same_object_again() {
    let script = format!(
        "{BASE} CREATE VIEW v (x COMMENT 'it''s') COMMENT 'c' AS SELECT a FROM base;
         CREATE MATERIALIZED VIEW mv (x) PRIMARY KEY (x) NOT ENFORCED WITH ('k' = 'v')
         AS SELECT a FROM base"
    );
    let catalog = after(&script);
    for object in ["base", "v", "mv"] {
        let relation = catalog.relation(&name(object)).expect("it is there");
        let text = relation.show_create();
        let mut again = Catalog::new();
        let parsed = parse_one(&text).unwrap_or_else(|e| panic!("{}", e.render(&text, object)));
        again.apply(&parsed.statement).expect("created again");
        let copy = again.relation(&name(object)).expect("it is there again");
        assert_eq!(copy.show_create(), text);
    }
}

#[test]
fn databases_and_catalogs_come_and_go() {
    let error = refused("CREATE DATABASE d; CREATE TABLE d.t (a INT); DROP DATABASE d");
    assert!(error.message.contains("not empty"));
    let catalog = after("CREATE DATABASE d; CREATE TABLE d.t (a INT); DROP DATABASE d CASCADE");
    assert!(catalog.find_relation(&name("d.t")).is_none());
    assert!(refused("DROP DATABASE default_database").message.contains("in use"));
    let catalog = after("CREATE CATALOG c WITH ('type' = 'generic_in_memory'); USE CATALOG c");
    assert_eq!((catalog.current_catalog(), catalog.current_database()), ("c", "default"));
    assert!(refused("CREATE CATALOG c WITH ('type' = 'hive')").message.contains("hive"));
    assert!(refused("CREATE TABLE nope.t (a INT)").message.contains("no database named 'nope'"));
}

#[test]
fn functions_and_models_have_names_of_their_own() {
    let catalog = after(
        "CREATE TEMPORARY SYSTEM FUNCTION f AS 'a.F'; CREATE FUNCTION g AS 'a.G';
         CREATE MODEL m INPUT (a INT) OUTPUT (b DOUBLE) WITH ('provider' = 'x')",
    );
    assert!(catalog.find_function(&name("f")).is_some_and(|f| f.system));
    assert!(catalog.find_function(&name("default_database.g")).is_some());
    assert_eq!(catalog.model(&name("m")).expect("a model").input.len(), 1);
    assert!(refused("DROP FUNCTION f").message.contains("no function named 'f'"));
}

#[test]
fn show_filters_by_pattern() {
    use crate::parser::ShowFilter;
    let filter =
        |pattern: &str| ShowFilter { negated: false, ignore_case: false, pattern: pattern.into() };
    assert!(like_matches(None, "x"));
    assert!(like_matches(Some(&filter("or%s")), "orders"));
    assert!(like_matches(Some(&filter("%d_r%")), "orders"));
    assert!(!like_matches(Some(&filter("Or%")), "orders"));
    assert!(!like_matches(Some(&ShowFilter { negated: true, ..filter("o%") }), "orders"));
}
