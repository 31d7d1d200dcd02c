//! A project between topics of a real Kafka, killed again and again.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::restart::{Dice, kills};
use crate::running::{Running, wait_for_checkpoints};
use crate::{rialto, stderr, stdout};

const ROWS: u64 = 150_000;

/// A broker that ends with this process; none where there can be none.
pub fn broker() -> Option<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/kafka.sh");
    let mut up = Command::new(script);
    let pid = std::process::id().to_string();
    up.args(["up", "--for", &pid, "auto.create.topics.enable=true", "num.partitions=3"]);
    let output = up.stderr(Stdio::inherit()).output().expect("scripts/kafka.sh runs");
    if output.status.code() == Some(3) {
        return None;
    }
    assert!(output.status.success(), "scripts/kafka.sh up failed");
    let told = String::from_utf8(output.stdout).unwrap();
    let server = told.lines().find_map(|l| l.strip_prefix("KAFKA_BOOTSTRAP="));
    Some(server.expect("it tells its address").trim_matches(['\'', '"']).to_owned())
}

pub fn table(name: &str, columns: &str, server: &str, options: &str) -> String {
    format!(
        "CREATE TABLE {name} ({columns}) WITH ('properties.bootstrap.servers' = '{server}', \
         {options});\n"
    )
}

const SALE: &str = "id BIGINT, shop INT, price INT";
const SALES: &str = "'connector' = 'kafka', 'topic' = 'sales', 'format' = 'json', \
    'scan.startup.mode' = 'earliest-offset'";
const CHEAP: &str = "'connector' = 'kafka', 'topic' = 'cheap', 'format' = 'json', \
    'scan.startup.mode' = 'earliest-offset'";
const TOTAL: &str = "shop INT, n BIGINT, paid BIGINT, PRIMARY KEY (shop) NOT ENFORCED";
const TOTALS: &str = "'connector' = 'upsert-kafka', 'topic' = 'totals', 'key.format' = 'json', \
    'value.format' = 'json'";

/// The one line of figures that a query answers.
fn figures(dir: &Path, tables: &str, query: &str) -> String {
    let output = rialto(dir, &["sql", "-o", "csv", "-c", &format!("{tables}{query};")]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output).lines().nth(1).unwrap_or_default().to_owned()
}

#[test]
fn a_killed_project_between_topics_loses_nothing_and_writes_nothing_twice() {
    let Some(server) = broker() else { return };
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let once = |options: &str, prefix: &str| {
        format!(
            "{options}, 'sink.delivery-guarantee' = 'exactly-once', \
             'sink.transactional-id-prefix' = '{prefix}'"
        )
    };
    let made = format!(
        "CREATE TABLE made ({SALE}) WITH ('connector' = 'datagen', \
         'rows-per-second' = '10000000', 'fields.id.kind' = 'sequence', 'fields.id.start' = '1', \
         'fields.id.end' = '{ROWS}', 'fields.shop.min' = '1', 'fields.shop.max' = '40', \
         'fields.price.min' = '1', 'fields.price.max' = '100');\n"
    );
    // A broker that is busy for long would be sent some of them twice, were it not for this.
    let filling = table("sales", SALE, &server, &once(SALES, "loop-sales"));
    let fill = format!("{made}{filling}INSERT INTO sales SELECT * FROM made;");
    let filled = rialto(at, &["sql", "-c", &fill]);
    assert_eq!(filled.status.code(), Some(0), "{}", stderr(&filled));

    let sales = table("sales", SALE, &server, SALES);
    let job = format!(
        "SET 'execution.checkpointing.interval' = '100 ms';\n{sales}{}{}\
         INSERT INTO cheap SELECT * FROM sales WHERE price <= 50;\n\
         INSERT INTO totals SELECT shop, COUNT(*), SUM(price) FROM sales GROUP BY shop;\n\
         CREATE MATERIALIZED VIEW shops AS SELECT COUNT(*) AS n, COUNT(DISTINCT id) AS ids, \
         SUM(price) AS paid FROM sales;\n",
        table("cheap", SALE, &server, &once(CHEAP, "loop-cheap")),
        table("totals", TOTAL, &server, &once(TOTALS, "loop-totals")),
    );
    fs::write(at.join("job.sql"), job).unwrap();
    let mut dice = Dice(11);
    let mut resumed = 0;
    for kill in 0..(kills() * 6 / 10) as usize {
        let shards = ["1", "2", "3"][kill % 3];
        let run = Running::start(at, &["run", "job.sql", "--state", "state", "--shards", shards]);
        // Every second one gets so far that the next goes on from it; the others are hit wherever
        // they are, while they start, too.
        if kill % 2 == 0 {
            wait_for_checkpoints(&at.join("state"), 1);
            std::thread::sleep(Duration::from_millis(dice.below(400)));
        } else {
            std::thread::sleep(Duration::from_millis(dice.below(1500)));
        }
        let ended = run.kill();
        resumed += usize::from(ended.said.contains("going on from checkpoint"));
    }
    assert!(
        resumed + 1 >= kills() as usize * 3 / 10,
        "every second run went on from an earlier one, {resumed} did"
    );
    let watch = ["--watch", "shops", "--changelog", "-o", "json"];
    let run = Running::start(at, &[&["run", "job.sql", "--state", "state"], &watch[..]].concat());
    run.wait_for(&format!("\"n\":{ROWS},"));
    let ended = run.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.said);

    let bounded = |options: &str| format!("{options}, 'scan.bounded.mode' = 'latest-offset'");
    let tables = [
        table("sales", SALE, &server, &bounded(SALES)),
        table("cheap", SALE, &server, &bounded(CHEAP)),
        table("totals", TOTAL, &server, &bounded(TOTALS)),
    ]
    .concat();
    let all = figures(at, &tables, "SELECT COUNT(*), COUNT(DISTINCT id), SUM(price) FROM sales");
    let three = |n: &str, ids: &str, paid: &str| format!("\"n\":{n},\"ids\":{ids},\"paid\":{paid}");
    let parts: Vec<&str> = all.split(',').collect();
    assert_eq!(parts[..2], [ROWS.to_string(), ROWS.to_string()], "the topic holds what was made");
    let shown = ended.printed;
    assert!(shown.contains(&three(parts[0], parts[1], parts[2])), "{all} against {shown}");
    let query = "SELECT COUNT(*), COUNT(DISTINCT id), SUM(price) FROM";
    let expected = figures(at, &tables, &format!("{query} sales WHERE price <= 50"));
    assert_eq!(figures(at, &tables, &format!("{query} cheap")), expected);
    let totals = figures(at, &tables, "SELECT SUM(n), SUM(paid), COUNT(*) FROM totals");
    assert_eq!(totals, format!("{},{},40", parts[0], parts[2]));
}
