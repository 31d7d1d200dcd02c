//! All ends at once: a project from a topic into a topic, a database, files and a view, under load,
//! killed again and again, while somebody reads what it has written.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rialto_runtime::crash::{DELIVERY_PLACES, PLACES};

use crate::kafka::{broker, table};
use crate::postgres::Server;
use crate::restart::{Dice, kills};
use crate::running::{Running, wait_until};
use crate::{rialto, stderr, stdout};

/// So many rows come in a second, until the last kill. More kills need more time, not more rows:
/// each run reads back the state of all rows.
fn rate() -> u64 {
    100_000 / kills().max(20)
}

/// What happens in turn: so many kills at a place of a checkpoint's or a delivery's way, and at any
/// moment.
const ROUND: usize = 20;

const SALE: &str = "id BIGINT, shop INT, price INT";
/// The keys keep a shop's rows in one partition, in order.
const KEYED: &str = "'connector' = 'kafka', 'key.format' = 'raw', 'key.fields' = 'shop', \
    'value.format' = 'json', 'scan.startup.mode' = 'earliest-offset'";
const TIMED: &str = "id BIGINT, shop INT, price INT, at AS TO_TIMESTAMP_LTZ(id, 3), \
    WATERMARK FOR at AS at - INTERVAL '2' SECOND";
const NAMED: &str = "id BIGINT, shop INT, price INT, region STRING";
const ACCOUNT: &str = "account INT, n BIGINT, paid BIGINT, PRIMARY KEY (account) NOT ENFORCED";

const LOCAL: &str = "
CREATE TABLE shops (id INT, region STRING) WITH (
  'connector' = 'filesystem', 'path' = 'shops.csv', 'format' = 'csv');
CREATE TABLE windows (shop INT, w BIGINT, n BIGINT, paid BIGINT) WITH (
  'connector' = 'filesystem', 'path' = 'windows', 'format' = 'csv');
";

const INSERTS: &str = "
INSERT INTO named SELECT s.id, s.shop, s.price, t.region
  FROM sales AS s JOIN shops AS t ON s.shop = t.id;
INSERT INTO windows SELECT shop, MIN(id) / 1000, COUNT(*), SUM(price)
  FROM TUMBLE(TABLE sales, DESCRIPTOR(at), INTERVAL '1' SECOND)
  GROUP BY shop, window_start, window_end;
";

/// Every sale is taken from one account and put into another: together they always hold nothing.
const ACCOUNTS: &str = "SELECT account, COUNT(*), SUM(amount) FROM (\
    SELECT shop AS account, price AS amount FROM sales UNION ALL \
    SELECT 1000 + MOD(shop * 7, 40), -price FROM sales) GROUP BY account";

const VIEW: &str = "SELECT COUNT(*) AS n, COUNT(DISTINCT id) AS ids, SUM(price) AS paid FROM sales";

/// Reads the database again and again, each time in one statement.
struct Reader(Child);

impl Reader {
    fn start(server: &Server, into: &Path) -> Self {
        let mut psql = Command::new("psql");
        psql.args([server.url.as_str(), "-qAtX"]).stdin(Stdio::piped());
        psql.stdout(fs::File::create(into).unwrap()).stderr(Stdio::null());
        let mut child = psql.spawn().expect("psql is beside the server");
        let query = "SELECT 'seen', COALESCE(SUM(paid), 0), COALESCE(SUM(n), 0) FROM accounts \
            \\watch 0.01\n";
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), query.as_bytes()).unwrap();
        Self(child)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a query answers, as lines of CSV.
fn lines(dir: &Path, tables: &str, query: &str) -> Vec<String> {
    let output = rialto(dir, &["sql", "-o", "csv", "-c", &format!("{tables}{query};")]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output).lines().skip(1).map(str::to_owned).collect()
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort_unstable();
    lines
}

struct Ground {
    server: Server,
    broker: String,
    dir: tempfile::TempDir,
}

/// How one run ends.
#[derive(Debug, Clone, Copy)]
enum End {
    /// Where a checkpoint is half done, or a restart, or a delivery.
    Place(&'static str),
    /// Wherever it is, while it starts, too.
    Anywhere,
    /// Where the next one goes on from it.
    Later,
}

/// The ends of one round: every place once, those of deliveries twice, and any moment.
fn ends() -> Vec<End> {
    let places = PLACES.into_iter().chain(DELIVERY_PLACES).chain(DELIVERY_PLACES);
    let mut places = places.map(End::Place);
    let mut any = [End::Later, End::Anywhere].into_iter().cycle();
    let next = |at: usize| match at % 3 {
        0 => any.next(),
        _ => places.next(),
    };
    (0..ROUND).filter_map(next).collect()
}

impl Ground {
    fn new() -> Option<Self> {
        let (server, broker) = (Server::up()?, broker()?);
        let fill = "CREATE TABLE accounts (account int PRIMARY KEY, n bigint, paid bigint)";
        let psql = Command::new("psql").args([server.url.as_str(), "-qc", fill]).status();
        assert!(psql.expect("psql is beside the server").success());
        let dir = tempfile::tempdir().unwrap();
        let shops: String = (1..=40).map(|shop| format!("{shop},region {}\n", shop % 7)).collect();
        fs::write(dir.path().join("shops.csv"), shops).unwrap();
        Some(Self { server, broker, dir })
    }

    fn topic(&self, name: &str, columns: &str, more: &str) -> String {
        table(name, columns, &self.broker, &format!("'topic' = '{name}', {KEYED}{more}"))
    }

    /// The tables of the project, as it has them.
    fn write_project(&self) {
        let once = ", 'sink.delivery-guarantee' = 'exactly-once', \
            'sink.transactional-id-prefix' = 'all-ends'";
        let job = format!(
            "SET 'execution.checkpointing.interval' = '80 ms';\n{}{}{}{LOCAL}{INSERTS}\
             INSERT INTO accounts {ACCOUNTS};\nCREATE MATERIALIZED VIEW counted AS {VIEW};\n",
            self.topic("sales", TIMED, ""),
            self.topic("named", NAMED, once),
            self.server.table("accounts", ACCOUNT),
        );
        fs::write(self.dir.path().join("job.sql"), job).unwrap();
    }

    /// Has rows come into the topic, until it is stopped.
    fn feed(&self) -> Running {
        let rate = rate();
        let made = format!(
            "CREATE TABLE made ({SALE}) WITH ('connector' = 'datagen', \
             'rows-per-second' = '{rate}', 'fields.id.kind' = 'sequence', 'fields.id.start' = '2', \
             'fields.id.end' = '9000000000', 'fields.shop.min' = '1', 'fields.shop.max' = '40', \
             'fields.price.min' = '1', 'fields.price.max' = '100');\n"
        );
        // They come as they are made, not once a second; what of them comes is found in the topic.
        let sales = self.topic("sales", SALE, ", 'sink.delivery-guarantee' = 'none'");
        // The topic is there from the first row on.
        let first = rialto(
            self.dir.path(),
            &["sql", "-c", &format!("{sales}INSERT INTO sales VALUES (1, 1, 1);")],
        );
        assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
        let text = format!("{made}{sales}INSERT INTO sales SELECT * FROM made;");
        Running::start(self.dir.path(), &["sql", "--shards", "1", "-c", &text])
    }

    /// Runs the project, and has it end before its time; answers whether it went on from an earlier
    /// run.
    fn run_until(&self, end: End, dice: &mut Dice, shards: &str) -> bool {
        let at = self.dir.path();
        let run = ["run", "job.sql", "--state", "state", "--shards", shards];
        let pause = |ms| std::thread::sleep(std::time::Duration::from_millis(ms));
        let ended = match end {
            End::Place(place) => {
                let pass = if place.starts_with("re") { 1 } else { 1 + dice.below(3) };
                let crash = [("RIALTO_CRASH_AT", format!("{place}:{pass}"))];
                let ended = Running::start_with(at, &run, &crash).finish();
                assert_eq!(ended.code, None, "{place}: {}", ended.said);
                ended
            }
            End::Anywhere => {
                let run = Running::start(at, &run);
                pause(20 + dice.below(800));
                run.kill()
            }
            End::Later => {
                let (run, before) = (Running::start(at, &run), last_seen(at));
                run.wait_for_checkpoints(&at.join("state"), 1);
                // What it reads anew comes to the database, and to whoever reads that.
                wait_until("a reader sees another state", || {
                    last_seen(at) != before || !run.is_running()
                });
                pause(dice.below(200));
                run.kill()
            }
        };
        ended.said.contains("going on from checkpoint")
    }

    /// As many times as are asked for; answers how many went on from an earlier run.
    fn kill_again_and_again(&self) -> u64 {
        let (mut dice, mut resumed) = (Dice(41), 0);
        let mut hits: BTreeMap<String, u64> = BTreeMap::new();
        for (kill, end) in (0..kills()).zip(ends().into_iter().cycle()) {
            let shards = ["1", "2", "3"][kill as usize % 3];
            resumed += u64::from(self.run_until(end, &mut dice, shards));
            *hits.entry(format!("{end:?}")).or_default() += 1;
        }
        println!("{} kills, {resumed} runs went on from an earlier one: {hits:?}", kills());
        resumed
    }

    /// The tables as they are now, to be read to their ends.
    fn bounded(&self) -> String {
        let bounded = ", 'scan.bounded.mode' = 'latest-offset'";
        let placed = format!(
            "{NAMED}, part INT METADATA FROM 'partition' VIRTUAL, \
             place BIGINT METADATA FROM 'offset' VIRTUAL"
        );
        [
            self.topic("sales", TIMED, bounded),
            self.topic("named", &placed, bounded),
            self.server.table("accounts", ACCOUNT),
            LOCAL.to_owned(),
        ]
        .concat()
    }
}

#[test]
fn killed_again_and_again_every_end_is_exact_and_no_reader_sees_otherwise() {
    let Some(ground) = Ground::new() else { return };
    let at = ground.dir.path();
    ground.write_project();
    let seen = at.join("seen");
    let reader = Reader::start(&ground.server, &seen);
    let feeder = ground.feed();
    let resumed = ground.kill_again_and_again();
    assert!(resumed >= kills() * 2 / 5, "most runs went on from an earlier one, {resumed} did");
    // What it could not bring in any more nobody has promised.
    feeder.terminate();
    let tables = ground.bounded();
    let view = lines(at, &tables, VIEW);
    let parts: Vec<&str> = view[0].split(',').collect();
    let rows: u64 = parts[0].parse().unwrap();
    assert_eq!(parts[0], parts[1], "all rows came once");
    assert!(rows > 100 * kills(), "{rows} rows are not much");

    let watch =
        ["run", "job.sql", "--state", "state", "--watch", "counted", "--changelog", "-o", "json"];
    let last = Running::start(at, &watch);
    last.wait_for(&format!("\"n\":{rows},\"ids\":{rows},"));
    // Whoever asks it to stop need not wait for what is still to be delivered: the next run does.
    let delivered = "SELECT (SELECT COUNT(*) FROM named), (SELECT SUM(n) / 2 FROM accounts)";
    let is_there = |figure: &str| figure.parse().is_ok_and(|n: u64| n >= rows);
    wait_until("all is delivered", || lines(at, &tables, delivered)[0].split(',').all(is_there));
    let ended = last.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    drop(reader);

    let shown = format!("\"n\":{},\"ids\":{},\"paid\":{}", parts[0], parts[1], parts[2]);
    assert!(ended.printed.contains(&shown), "the view says {}", ended.printed);

    let accounts = sorted(lines(at, &tables, "SELECT account, n, paid FROM accounts"));
    assert_eq!(accounts, sorted(lines(at, &tables, ACCOUNTS)), "the database");
    check_readings(&seen, rows);
    check_topic(at, &tables);
    check_windows(at, &tables, rows);
}

/// What the reader of the database saw last; nothing before it saw a row.
fn last_seen(at: &Path) -> Option<String> {
    let text = fs::read_to_string(at.join("seen")).unwrap_or_default();
    // The last line may be cut off.
    let whole = text.lines().rev().skip(1).find(|line| line.starts_with("seen|"));
    whole.map(str::to_owned)
}

/// Whoever read the database saw a whole number of sales each time, and never fewer than before.
fn check_readings(seen: &Path, rows: u64) {
    let text = fs::read_to_string(seen).unwrap();
    let mut last = 0;
    let mut readings = 0;
    let mut kinds = 0;
    for line in text.lines().filter(|line| line.starts_with("seen|")) {
        let numbers: Vec<i64> = line.split('|').skip(1).filter_map(|n| n.parse().ok()).collect();
        // The last line may be cut off.
        let [paid, n] = numbers[..] else { continue };
        assert_eq!((paid, n % 2), (0, 0), "reading {readings}: {line}");
        assert!(n >= last, "reading {readings}: {n} after {last}");
        kinds += u32::from(n > last);
        (last, readings) = (n, readings + 1);
    }
    assert!(readings > 50 && kinds > 5, "{readings} readings of {kinds} states are not much");
    assert!(last as u64 <= 2 * rows);
}

/// The topic has every row once, with what it was joined with, a shop's rows in their order.
fn check_topic(at: &Path, tables: &str) {
    let query = "SELECT part, place, shop, id, price, region FROM named";
    let mut rows: Vec<(u64, u64, u64, u64, String)> = lines(at, tables, query)
        .iter()
        .map(|line| {
            let mut parts = line.splitn(5, ',');
            let mut number = || parts.next().unwrap().parse::<u64>().unwrap();
            (number(), number(), number(), number(), parts.next().unwrap().to_owned())
        })
        .collect();
    rows.sort_unstable();
    let mut latest: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for (part, place, shop, id, _) in &rows {
        if let Some((before, in_part)) = latest.insert(*shop, (*id, *part)) {
            assert!(*id > before, "shop {shop}: {id} stands behind {before}, at {part}/{place}");
            assert_eq!(*part, in_part, "shop {shop} has one partition");
        }
    }
    let found = rows.into_iter().map(|(_, _, shop, id, rest)| format!("{id},{shop},{rest}"));
    let query =
        "SELECT s.id, s.shop, s.price, t.region FROM sales AS s JOIN shops AS t ON s.shop = t.id";
    let expected = sorted(lines(at, tables, query));
    let found = sorted(found.collect());
    let twice = found.windows(2).filter(|pair| pair[0] == pair[1]).count();
    let lost = expected.iter().filter(|row| found.binary_search(row).is_err()).count();
    assert_eq!((lost, twice), (0, 0), "of {} rows", expected.len());
    assert!(found == expected, "{} rows, not the {} there are", found.len(), expected.len());
}

/// The files have every window that is over, once.
fn check_windows(at: &Path, tables: &str, rows: u64) {
    let query = "SELECT shop, w, n, paid FROM windows";
    let found = sorted(lines(at, tables, query));
    let query = "SELECT shop, id / 1000, COUNT(*), SUM(price) FROM sales GROUP BY shop, id / 1000";
    let expected = sorted(lines(at, tables, query));
    let over = |line: &String| {
        let window: u64 = line.split(',').nth(1).unwrap().parse().unwrap();
        // The watermark is two seconds behind, and a partition's last row a little more.
        (window + 1) * 1000 + 4000 < rows
    };
    assert!(found.windows(2).all(|pair| pair[0] != pair[1]), "no window is there twice");
    let wrong: Vec<_> = found.iter().filter(|line| expected.binary_search(line).is_err()).collect();
    assert!(wrong.is_empty(), "windows that are not so: {wrong:?}");
    let is_lost = |line: &&String| over(line) && found.binary_search(line).is_err();
    let lost: Vec<_> = expected.iter().filter(is_lost).take(5).collect();
    assert!(lost.is_empty(), "windows that are not there: {lost:?}");
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let left = fs::read_dir(at.join("windows")).unwrap().map(|e| name(&e.unwrap().path()));
    let left: Vec<String> = left.filter(|name| name.starts_with('.')).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}
