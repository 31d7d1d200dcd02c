//! A project into a real PostgreSQL: both are killed again and again.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::restart::{Dice, kills};
use crate::running::{Running, wait_for_checkpoints};
use crate::{rialto, stderr, stdout};

/// A server that ends with this process.
pub struct Server {
    pub url: String,
    folder: String,
}

fn script() -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/postgres.sh"))
}

impl Server {
    /// None where there can be none.
    pub fn up() -> Option<Self> {
        let mut up = script();
        up.args(["up", "--for", &std::process::id().to_string()]);
        let output = up.stderr(Stdio::inherit()).output().expect("scripts/postgres.sh runs");
        if output.status.code() == Some(3) {
            return None;
        }
        assert!(output.status.success(), "scripts/postgres.sh up failed");
        let told = String::from_utf8(output.stdout).unwrap();
        let value = |name: &str| {
            let line = told.lines().find_map(|l| l.strip_prefix(name));
            line.expect(name).trim_matches(['\'', '"']).to_owned()
        };
        Some(Self { url: value("POSTGRES_URL="), folder: value("POSTGRES_DIR=") })
    }

    pub fn run(&self, what: &str) {
        let status = script().args([what, &self.folder]).status().unwrap();
        assert!(status.success(), "scripts/postgres.sh {what} failed");
    }

    pub fn table(&self, name: &str, columns: &str) -> String {
        format!(
            "CREATE TABLE {name} ({columns}) WITH ('connector' = 'jdbc', 'url' = 'jdbc:{}', \
             'table-name' = '{name}', 'username' = 'rialto', 'password' = 'rialto');\n",
            self.url.replace("rialto:rialto@", "")
        )
    }
}

/// The tables as the database has them: made by whoever runs the database, with its own tools.
const TABLES: &str = "CREATE TABLE cheap (id bigint NOT NULL, shop integer, price integer); \
    CREATE TABLE totals (shop integer PRIMARY KEY, n bigint, paid bigint, latest bigint)";

const CHEAP: &str = "id BIGINT, shop INT, price INT";
const TOTALS: &str =
    "shop INT, n BIGINT, paid BIGINT, latest BIGINT, PRIMARY KEY (shop) NOT ENFORCED";

fn made(rate: &str) -> String {
    // More kills need more to do.
    let rows = 20_000 * kills().max(20);
    format!(
        "CREATE TABLE made (id BIGINT, shop INT, price INT) WITH ('connector' = 'datagen', \
         'rows-per-second' = '{rate}', 'fields.id.kind' = 'sequence', 'fields.id.start' = '1', \
         'fields.id.end' = '{rows}', 'fields.shop.min' = '1', 'fields.shop.max' = '40', \
         'fields.price.min' = '1', 'fields.price.max' = '100');\n"
    )
}

/// The one line that a query answers.
fn line(dir: &Path, tables: &str, query: &str) -> String {
    let output = rialto(dir, &["sql", "-o", "csv", "-c", &format!("{tables}{query};")]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output).lines().nth(1).unwrap_or_default().to_owned()
}

#[test]
fn a_killed_project_writes_every_row_once_into_a_database_that_is_killed_too() {
    let Some(server) = Server::up() else { return };
    let psql = Command::new("psql").args([&server.url, "-qc", TABLES]).status();
    assert!(psql.expect("psql is beside the server").success());
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let tables = [server.table("cheap", CHEAP), server.table("totals", TOTALS)].concat();
    let job = format!(
        "SET 'execution.checkpointing.interval' = '60 ms';\n{}{tables}\
         INSERT INTO cheap SELECT * FROM made WHERE price <= 50;\n\
         INSERT INTO totals SELECT shop, COUNT(*), SUM(price), MAX(id) FROM made GROUP BY shop;\n",
        made("60000")
    );
    fs::write(at.join("job.sql"), job).unwrap();
    let mut resumed = 0;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // The database dies as well, at times of its own.
        let killer = scope.spawn(|| {
            let (mut dice, mut kills) = (Dice(5), 0);
            while !done.load(Ordering::Relaxed) || kills < 2 {
                std::thread::sleep(Duration::from_millis(300 + dice.below(900)));
                server.run("kill");
                server.run("start");
                kills += 1;
            }
            kills
        });
        let mut dice = Dice(23);
        for kill in 0..(kills() * 6 / 10) as usize {
            let shards = ["1", "2", "3"][kill % 3];
            let arguments = ["run", "job.sql", "--state", "state", "--shards", shards];
            let run = Running::start(at, &arguments);
            // Every second one gets so far that the next goes on from it; the others are hit
            // wherever they are, while they start, too.
            if kill % 2 == 0 {
                wait_for_checkpoints(&at.join("state"), 1);
                std::thread::sleep(Duration::from_millis(dice.below(150)));
            } else {
                std::thread::sleep(Duration::from_millis(20 + dice.below(500)));
            }
            let ended = run.kill();
            resumed += usize::from(ended.said.contains("going on from checkpoint"));
        }
        done.store(true, Ordering::Relaxed);
        assert!(killer.join().unwrap() >= 2);
    });
    assert!(
        resumed + 1 >= kills() as usize * 3 / 10,
        "every second run went on from an earlier one, {resumed} did"
    );
    let output = rialto(at, &["run", "job.sql", "--state", "state"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));

    let fast = made("100000000");
    let query = "SELECT COUNT(*), COUNT(DISTINCT id), SUM(id), SUM(price) FROM";
    let expected = line(at, &fast, &format!("{query} made WHERE price <= 50"));
    assert!(!expected.starts_with("0,"), "{expected}");
    assert_eq!(line(at, &tables, &format!("{query} cheap")), expected);
    let query = "SELECT COUNT(*), SUM(n), SUM(paid), SUM(latest) FROM";
    let inner = "(SELECT shop, COUNT(*) AS n, SUM(price) AS paid, MAX(id) AS latest FROM made \
        GROUP BY shop)";
    let expected = line(at, &fast, &format!("{query} {inner}"));
    assert_eq!(line(at, &tables, &format!("{query} totals")), expected);
}

#[test]
fn a_table_of_the_database_is_looked_up_and_its_mistakes_are_told() {
    let Some(server) = Server::up() else { return };
    let fill = "CREATE TABLE shops (id integer PRIMARY KEY, name text, opened date); \
        INSERT INTO shops VALUES (1, 'Rialto', '1591-06-09'), (2, 'Lido', NULL)";
    let psql = Command::new("psql").args([&server.url, "-qc", fill]).status();
    assert!(psql.expect("psql is beside the server").success());
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("sales.csv"), "1,10\n2,20\n3,30\n").unwrap();
    let sales = "CREATE TABLE sales (shop INT, price INT, at AS PROCTIME()) WITH (\
        'connector' = 'filesystem', 'path' = 'sales.csv', 'format' = 'csv');\n";
    let shops = server.table("shops", "id INT, name STRING, opened DATE");
    let query = "SELECT price, name, opened FROM sales LEFT JOIN shops FOR SYSTEM_TIME AS OF \
        sales.at ON sales.shop = shops.id ORDER BY price;";
    let text = format!("{sales}{shops}{query}");
    let output = rialto(dir.path(), &["sql", "-o", "csv", "-c", &text]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let shown = stdout(&output);
    let rows: Vec<&str> = shown.lines().skip(1).collect();
    assert_eq!(rows, ["10,Rialto,1591-06-09", "20,Lido,", "30,,"]);
    let wrong = server.table("shops", "id INT, title STRING");
    let text = format!("{wrong}SELECT * FROM shops;");
    let output = rialto(dir.path(), &["sql", "-c", &text]);
    assert_ne!(output.status.code(), Some(0));
    let told = stderr(&output);
    assert!(told.contains("has no column 'title'"), "{told}");
    assert!(!told.contains("rialto:rialto"), "{told}");
}
