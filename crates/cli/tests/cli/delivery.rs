//! Messages that leave the house: pack `delivery` into a real Kafka, a real PostgreSQL and a
//! webhook at once, killed again and again while decisions come out of order.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rialto_runtime::crash::DELIVERY_PLACES;
use serde_json::{Value, json};

use crate::kafka::{broker, table};
use crate::postgres::Server;
use crate::restart::Dice;
use crate::running::{Running, newest_checkpoint, wait_until};
use crate::{rialto, stderr, stdout};

/// At most so many messages to a customer in a week, as the pack has it by default.
const CAP: usize = 2;
const CUSTOMERS: u64 = 36;
/// Hours in which something is decided, and those after which nothing waits for a morning any more.
const HOURS: (u64, u64) = (48, 64);
/// An hour in which some take their consent back.
const WITHDRAWN: u64 = 12;
const SECRET: &str = "a secret of this test";

/// A message that somebody wants sent.
#[derive(Debug, Clone)]
struct Message {
    id: String,
    customer: u64,
    minute: u64,
    is_held_out: bool,
    /// The hour in which it becomes known.
    comes: u64,
}

/// Whether a customer may be written to, and from which hour on not.
fn consent(customer: u64) -> Option<u64> {
    match customer % 6 {
        0 => None,
        1 => Some(WITHDRAWN),
        _ => Some(u64::MAX),
    }
}

/// The zone of a customer, and how many minutes its clock is ahead.
fn zone(customer: u64) -> (&'static str, i64) {
    [("UTC", 0), ("Asia/Tokyo", 540), ("America/Bogota", -300)][customer as usize % 3]
}

fn moment(minute: u64) -> String {
    format!("2026-05-{:02} {:02}:{:02}:00Z", 5 + minute / 1440, minute / 60 % 24, minute % 60)
}

/// None to five messages for each customer, known in the hour in which they were decided or up to
/// three later. Who takes the consent back is wanted only afterwards.
fn messages(dice: &mut Dice) -> Vec<Message> {
    let mut all = Vec::new();
    for customer in 0..CUSTOMERS {
        let from = consent(customer).filter(|hour| *hour < u64::MAX).map_or(0, |hour| hour + 1);
        for nth in 0..customer / 6 {
            let minute = from * 60 + dice.below((HOURS.0 - from) * 60);
            all.push(Message {
                id: format!("message/{customer}/{nth}"),
                customer,
                minute,
                is_held_out: dice.below(8) == 0,
                comes: minute / 60 + dice.below(4),
            });
        }
    }
    all
}

/// How many of a customer's messages must leave.
fn expected(messages: &[Message]) -> BTreeMap<u64, usize> {
    let mut sent = BTreeMap::new();
    let may = |m: &&Message| !m.is_held_out && consent(m.customer) == Some(u64::MAX);
    for message in messages.iter().filter(may) {
        let count: &mut usize = sent.entry(message.customer).or_default();
        *count = (*count + 1).min(CAP);
    }
    sent
}

/// A receiver that remembers who asked for what, and answers every seventh time with an error.
struct Hook {
    url: String,
    seen: Arc<Mutex<Vec<(String, String)>>>,
}

impl Hook {
    fn up() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
        let into = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let into = Arc::clone(&into);
                std::thread::spawn(move || answer(stream, &into));
            }
        });
        Self { url, seen }
    }
}

/// Answers one request; none where the other side goes away in between.
fn answer(mut stream: TcpStream, seen: &Mutex<Vec<(String, String)>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut key, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(": ") else { continue };
        match name.to_ascii_lowercase().as_str() {
            "idempotency-key" => value.clone_into(&mut key),
            "content-length" => length = value.parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let row: Value = serde_json::from_slice(&body).ok()?;
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push((key, row["decision_id"].as_str()?.to_owned()));
        seen.len()
    };
    let code = if number % 7 == 0 { "503 Busy" } else { "200 OK" };
    let head = format!("HTTP/1.1 {code}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).ok()
}

/// All ends, a project that delivers to them, and what its shop tells it.
struct Ground {
    server: Server,
    broker: String,
    hook: Hook,
    dir: tempfile::TempDir,
    dice: Dice,
    runs: u64,
}

const FEEDS: [&str; 6] =
    ["decision", "customer", "identity_event", "contact_event", "behavior_event", "sale_line"];

impl Ground {
    fn new() -> Option<Self> {
        let (server, broker) = (Server::up()?, broker()?);
        let dir = tempfile::tempdir().unwrap();
        let ground = Self { server, broker, hook: Hook::up(), dir, dice: Dice(29), runs: 0 };
        ground.write_project();
        Some(ground)
    }

    /// The pack as it is, behind files that come one by one; its table as its file says.
    fn write_project(&self) {
        let packs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs");
        let packs = packs.canonicalize().unwrap();
        let postgres = fs::read_to_string(packs.join("delivery/to_postgres.sql")).unwrap();
        let says = postgres.lines().skip_while(|line| !line.starts_with("-- CREATE TABLE"));
        let says = says.take_while(|line| line.starts_with("-- ")).map(|line| &line[3..]);
        let made = says.collect::<Vec<_>>().join("\n");
        let psql = Command::new("psql").args([&self.server.url, "-qc", &made]).status();
        assert!(psql.expect("psql is beside the server").success());

        let mut tables = "SET 'execution.checkpointing.interval' = '100 ms';\n".to_owned();
        for feed in FEEDS {
            fs::create_dir_all(self.dir.path().join(feed)).unwrap();
            let _ = writeln!(
                tables,
                "CREATE TABLE {feed} WITH ('connector' = 'filesystem', 'path' = '{feed}', \
                 'format' = 'json', 'source.monitor-interval' = '20 ms') LIKE model.{feed};"
            );
        }
        fs::create_dir(self.dir.path().join("tables")).unwrap();
        fs::write(self.dir.path().join("tables/feeds.sql"), tables).unwrap();
        let pack = |file: &str| format!("\"{}/{file}\"", packs.display());
        let to = ["sql", "to_kafka.sql", "to_postgres.sql", "to_webhook.sql"];
        let files = [pack("model/sql"), "\"tables\"".into(), pack("delivery/outbox.sql")];
        let files = files.into_iter().chain(to.map(|file| pack(&format!("delivery/{file}"))));
        let files: Vec<String> = files.collect();
        let database = format!("jdbc:{}", self.server.url.replace("rialto:rialto@", ""));
        let config = format!(
            "include = [{}]\n[variables]\nDELIVERY_BROKERS = \"{}\"\nDELIVERY_TOPIC = \"messages\"\n\
             DELIVERY_DATABASE = \"{database}\"\nDELIVERY_DATABASE_PASSWORD = \"rialto\"\n\
             DELIVERY_URL = \"{}\"\nDELIVERY_SECRET = \"{SECRET}\"\n\
             DELIVERY_ALLOW_PRIVATE_ADDRESSES = \"true\"\nDELIVERY_EXPIRE_HOURS = \"24\"\n",
            files.join(", "),
            self.broker,
            self.hook.url
        );
        fs::write(self.dir.path().join("rialto.toml"), config).unwrap();
    }

    /// Rows of a feed; a reader finds the file whole or not at all.
    fn tell(&self, feed: &str, name: &str, rows: &[Value]) {
        let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
        let (part, whole) = (self.dir.path().join("part"), self.dir.path().join(feed).join(name));
        fs::write(&part, text).unwrap();
        fs::rename(part, whole).unwrap();
    }

    /// Who there is, and who has agreed.
    fn tell_people(&self) {
        let customer = |customer: u64| {
            json!({"customer_id": format!("c{customer}"), "updated_at": "2026-05-01 00:00:00Z",
                "marketing_consent": consent(customer).is_some(),
                "ext": json!({"time_zone": zone(customer).0}).to_string()})
        };
        self.tell("customer", "all", &(0..CUSTOMERS).map(customer).collect::<Vec<_>>());
    }

    /// What becomes known in an hour: decisions, in any order, a consent that is taken back, and
    /// that the time is another one.
    fn tell_hour(&mut self, hour: u64, messages: &[Message]) {
        let mut rows: Vec<(u64, Value)> = Vec::new();
        for message in messages.iter().filter(|m| m.comes == hour) {
            let (variant, status) = match message.is_held_out {
                true => ("hold_out", "rejected"),
                false => ("policy", "proposed"),
            };
            let row = json!({"decision_id": message.id, "decided_at": moment(message.minute),
                "decision_type": "contact", "customer_id": format!("c{}", message.customer),
                "policy": "test", "variant": variant, "status": status});
            rows.push((self.dice.below(1000), row));
        }
        rows.sort_unstable_by_key(|(place, _)| *place);
        let rows: Vec<Value> = rows.into_iter().map(|(_, row)| row).collect();
        self.tell("decision", &format!("{hour:03}"), &rows);
        if hour == WITHDRAWN {
            let some = (0..CUSTOMERS).filter(|c| consent(*c) == Some(WITHDRAWN));
            let withdrawn = some.map(|c| {
                json!({"event_id": format!("withdrawn/{c}"), "event_time": moment(hour * 60),
                    "op": "consent_withdrawn", "purpose": "marketing",
                    "customer_id": format!("c{c}")})
            });
            self.tell("identity_event", "withdrawn", &withdrawn.collect::<Vec<_>>());
        }
        self.tell_time(hour * 60 + 59);
    }

    fn tell_time(&self, minute: u64) {
        let row = json!({"event_id": format!("view/{minute}"), "event_time": moment(minute),
            "action": "page_viewed"});
        self.tell("behavior_event", &format!("{minute:05}"), &[row]);
    }

    /// One more run: every second one ends before or after some delivery.
    fn start(&mut self) -> Running {
        self.runs += 1;
        let shards = ["1", "2"][self.runs as usize % 2];
        let run = ["run", ".", "--state", "state", "--shards", shards];
        let place = DELIVERY_PLACES[self.runs as usize / 2 % 2];
        let pass = 1 + self.dice.below(4);
        let crash = [("RIALTO_CRASH_AT", format!("{place}:{pass}"))];
        match self.runs % 2 {
            0 => Running::start_with(self.dir.path(), &run, &crash),
            _ => Running::start(self.dir.path(), &run),
        }
    }

    /// Waits until what was told has been taken in, by as many runs as it takes.
    fn wait(&mut self, run: &mut Running) {
        let state = self.dir.path().join("state");
        let goal = newest_checkpoint(&state) + 2;
        wait_until("it is taken in", || {
            if !run.is_running() {
                let ended = std::mem::replace(run, self.start()).finish();
                assert_eq!(ended.code, None, "it ended by itself: {}", ended.said);
            }
            newest_checkpoint(&state) >= goal
        });
    }

    /// The rows of PostgreSQL: the message, its customer, and when it may be sent.
    fn in_postgres(&self) -> Vec<String> {
        let query = "SET TIME ZONE 'UTC'; SELECT decision_id, customer_id, \
            to_char(send_at, 'YYYY-MM-DD HH24:MI') FROM delivery_outbox";
        let psql = Command::new("psql").args([&self.server.url, "-qAtXF,", "-c", query]).output();
        sorted(&stdout(&psql.expect("psql is beside the server")))
    }

    /// The records of the topic, of all partitions, those that are committed.
    fn in_kafka(&self) -> Vec<String> {
        let options = "'connector' = 'kafka', 'topic' = 'messages', 'format' = 'json', \
            'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset'";
        let columns = "decision_id STRING, customer_id STRING, send_at TIMESTAMP_LTZ(3)";
        self.rows(&table("messages", columns, &self.broker, options), "messages")
    }

    /// The records of a log of the pack: of the outbox, or of what never left.
    fn in_log(&self, name: &str) -> Vec<String> {
        let made = format!(
            "CREATE TABLE {name} (decision_id STRING, customer_id STRING, send_at TIMESTAMP_LTZ(3)) \
             WITH ('connector' = 'log', 'path' = '.rialto/log/{name}', \
             'scan.bounded.mode' = 'latest-offset');\n"
        );
        self.rows(&made, name)
    }

    fn rows(&self, made: &str, name: &str) -> Vec<String> {
        let query = format!(
            "SET 'table.local-time-zone' = 'UTC';\n{made}SELECT decision_id, customer_id, \
             DATE_FORMAT(CAST(send_at AS TIMESTAMP(3)), 'yyyy-MM-dd HH:mm') FROM {name};"
        );
        let output = rialto(self.dir.path(), &["sql", "-o", "csv", "-c", &query]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        sorted(stdout(&output).split_once('\n').map_or("", |(_, rows)| rows))
    }

    /// The messages that the receiver has got, and by which keys.
    fn at_hook(&self) -> Vec<(String, String)> {
        self.hook.seen.lock().unwrap().clone()
    }
}

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn messages_leave_once_with_consent_awake_and_under_the_cap_whatever_is_killed() {
    let Some(mut ground) = Ground::new() else { return };
    let mut dice = Dice(17);
    let messages = messages(&mut dice);
    let expected = expected(&messages);
    let total: usize = expected.values().sum();
    assert!(total > 30, "{total} messages are not much");
    ground.tell_people();
    ground.tell_time(0);
    let mut run = ground.start();
    for hour in 0..HOURS.1 {
        ground.tell_hour(hour, &messages);
        ground.wait(&mut run);
        if dice.below(9) == 0 {
            std::thread::sleep(Duration::from_millis(dice.below(300)));
            let next = ground.start();
            std::mem::replace(&mut run, next).kill();
        }
    }
    assert!(ground.runs > 12, "{} runs are not many", ground.runs);

    // The last run: time goes on until nothing is under way any more.
    run.kill();
    let run = Running::start(ground.dir.path(), &["run", ".", "--state", "state"]);
    let mut minute = HOURS.1 * 60;
    wait_until("everything has left", || {
        minute += 1;
        ground.tell_time(minute);
        std::thread::sleep(Duration::from_millis(200));
        let hooked: BTreeSet<String> = ground.at_hook().into_iter().map(|(_, id)| id).collect();
        assert!(run.is_running(), "{}", run.said());
        ground.in_postgres().len() >= total && hooked.len() >= total
    });
    run.wait_for_checkpoints(&ground.dir.path().join("state"), 3);
    let ended = run.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.said);

    let outbox = ground.in_log("delivery_outbox");
    check_rules(&outbox, &messages, &expected);
    check_unsent(&ground.in_log("delivery_unsent"), &outbox, &messages);
    assert_eq!(ground.in_postgres(), outbox, "the table has what left, once");
    assert_eq!(ground.in_kafka(), outbox, "the topic has what left, once");
    check_hook(&ground.at_hook(), &outbox);
}

/// Who may be written to gets as many messages as the cap leaves, when awake; nobody else gets any.
fn check_rules(outbox: &[String], messages: &[Message], expected: &BTreeMap<u64, usize>) {
    let by_id: BTreeMap<&str, &Message> = messages.iter().map(|m| (m.id.as_str(), m)).collect();
    let mut sent: BTreeMap<u64, usize> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for row in outbox {
        let [id, customer, send_at] = row.split(',').collect::<Vec<_>>()[..] else {
            panic!("{row}")
        };
        let message = by_id[id];
        assert!(ids.insert(id), "{row} is there twice");
        assert!(!message.is_held_out, "{row} is held out");
        assert_eq!(customer, format!("c{}", message.customer));
        *sent.entry(message.customer).or_default() += 1;
        let number = |range: std::ops::Range<usize>| send_at[range].parse::<i64>().unwrap();
        let minute = number(11..13) * 60 + number(14..16) + zone(message.customer).1;
        let hour = minute.rem_euclid(1440) / 60;
        assert!((8..21).contains(&hour), "{row} leaves at {hour} o'clock of the customer");
    }
    assert_eq!(&sent, expected, "messages by customer");
}

/// What never left is noted once, and nothing both leaves and stays: of what has had its time, each
/// has done one of the two.
fn check_unsent(unsent: &[String], outbox: &[String], messages: &[Message]) {
    let id = |row: &String| row.split(',').next().unwrap().to_owned();
    let left: BTreeSet<String> = outbox.iter().map(id).collect();
    let stayed: BTreeSet<String> = unsent.iter().map(id).collect();
    assert_eq!(stayed.len(), unsent.len(), "each once: {unsent:?}");
    assert!(left.is_disjoint(&stayed), "{left:?} left, {stayed:?} stayed");
    // A night, the time to live, and something more for what becomes known late.
    let over = |m: &&Message| m.minute + (11 + 24 + 3) * 60 < HOURS.1 * 60;
    let mut judged = 0;
    for message in messages.iter().filter(over) {
        let settled = left.contains(&message.id) || stayed.contains(&message.id);
        assert_eq!(settled, !message.is_held_out, "{message:?}");
        judged += 1;
    }
    assert!(judged > 20, "{judged} messages have had their time");
}

/// The receiver got every message at least once, each under a key of its own.
fn check_hook(seen: &[(String, String)], outbox: &[String]) {
    let (mut keys, mut ids) = (BTreeMap::new(), BTreeMap::new());
    for (key, id) in seen {
        assert_eq!(keys.entry(id).or_insert(key), &key, "{id} has one key");
        assert_eq!(ids.entry(key).or_insert(id), &id, "{key} has one message");
    }
    let left: Vec<&str> = outbox.iter().map(|row| row.split(',').next().unwrap()).collect();
    let got: Vec<&str> = keys.keys().map(|id| id.as_str()).collect();
    assert_eq!(got, left, "the receiver got what left");
}
