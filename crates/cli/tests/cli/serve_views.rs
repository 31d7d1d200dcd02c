//! Views of a running project, as programs read them: pages, keys, changes, queries.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;

use serde_json::{Value, json};

use crate::running::{Running, wait_until};

const PROJECT: &str = "CREATE TABLE sales (id BIGINT, country STRING, qty INT, \
    price DECIMAL(10, 2)) WITH ('connector' = 'http');\n\
    CREATE MATERIALIZED VIEW by_country AS SELECT country, COUNT(*) AS n, SUM(qty) AS qty, \
    SUM(qty * price) AS revenue FROM sales GROUP BY country;\n\
    CREATE MATERIALIZED VIEW total AS SELECT COUNT(*) AS n, SUM(qty) AS qty FROM sales;\n\
    CREATE MATERIALIZED VIEW large AS SELECT country, qty FROM sales WHERE qty >= 5;\n";

pub fn start(dir: &Path, more: &[&str]) -> (Running, String) {
    start_project(dir, PROJECT, more)
}

fn start_project(dir: &Path, project: &str, more: &[&str]) -> (Running, String) {
    fs::write(dir.join("job.sql"), project).unwrap();
    let serve = ["run", "job.sql", "--serve", "127.0.0.1:0"];
    let running = Running::start(dir, &[&serve[..], more].concat());
    wait_until("where it serves", || running.said().contains("serving http://"));
    let said = running.said();
    let address = said.split("serving http://").nth(1).and_then(|l| l.split('/').next());
    let address = address.unwrap().trim().to_owned();
    wait_until("a step", || ask(&address, "GET", "/v1/views", "").0 == 200);
    (running, address)
}

/// Sends a request; answers the status, the head and the body.
fn ask_whole(address: &str, method: &str, path: &str, body: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (status, head.to_ascii_lowercase(), body.to_owned())
}

pub fn ask(address: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
    let (status, _, body) = ask_whole(address, method, path, body);
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}

fn get(address: &str, path: &str) -> Value {
    let (status, answer) = ask(address, "GET", path, "");
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

/// Sends sales, and waits until the views have them.
pub fn sell(address: &str, rows: &[(i64, &str, i64)]) {
    let before = get(address, "/v1/views/total")["rows"][0]["n"].as_i64().unwrap_or(0);
    let rows: Vec<Value> = rows
        .iter()
        .map(|(id, country, qty)| {
            json!({ "id": id, "country": country, "qty": qty, "price": "2.50" })
        })
        .collect();
    let (status, said) = ask(address, "POST", "/v1/events/sales", &json!(rows).to_string());
    assert_eq!(status, 200, "{said}");
    let goal = before + rows.len() as i64;
    wait_until("the sales", || get(address, "/v1/views/total")["rows"][0]["n"] == goal);
}

const SALES: [(i64, &str, i64); 5] =
    [(1, "UK", 2), (2, "DE", 7), (3, "UK", 5), (4, "FR", 5), (5, "a,b c", 1)];

#[test]
fn a_window_is_known_by_its_start_where_all_are_equally_long() {
    let view = |name: &str, columns: &str, window: &str| {
        let of = "TABLE sales, DESCRIPTOR(at)";
        format!(
            "CREATE MATERIALIZED VIEW {name} AS SELECT {columns}, COUNT(*) AS n FROM TABLE(\
             {window}({of}, {})) GROUP BY window_start, window_end, shop;\n",
            match window {
                "TUMBLE" => "INTERVAL '1' HOUR",
                _ => "INTERVAL '1' HOUR, INTERVAL '1' DAY",
            }
        )
    };
    let project = "CREATE TABLE sales (shop STRING, at TIMESTAMP(3), WATERMARK FOR at AS at) \
        WITH ('connector' = 'http');\n"
        .to_owned()
        + &view("a", "window_start AS `hour`, shop", "TUMBLE")
        + &view("b", "shop, window_start", "HOP")
        + &view("c", "shop, window_start", "CUMULATE")
        + &view("d", "window_end, shop", "TUMBLE")
        + &view("e", "window_start, window_end, shop", "TUMBLE")
        + &view("f", "window_start", "TUMBLE");
    let dir = tempfile::tempdir().unwrap();
    let (child, address) = start_project(dir.path(), &project, &[]);
    let list = get(&address, "/v1/views");
    let keys: Vec<&Value> = (0..6).map(|view| &list["views"][view]["key"]).collect();
    assert_eq!(keys[0], &json!(["hour", "shop"]));
    assert_eq!(keys[1], &json!(["window_start", "shop"]));
    assert_eq!(keys[2], &json!([]), "windows of different ends start together");
    assert_eq!(keys[3], &json!([]));
    assert_eq!(keys[4], &json!(["window_start", "window_end", "shop"]));
    assert_eq!(keys[5], &json!([]));
    drop(child);
}

#[test]
fn views_are_read_by_page_by_key_and_as_of_a_step() {
    let dir = tempfile::tempdir().unwrap();
    let (child, address) = start(dir.path(), &[]);
    sell(&address, &SALES);
    let list = get(&address, "/v1/views");
    assert_eq!(list["views"][0]["name"], "by_country");
    assert_eq!(list["views"][0]["key"], json!(["country"]));
    assert_eq!(list["views"][0]["rows"], 4);
    assert_eq!(list["views"][0]["columns"][0], json!({ "name": "country", "type": "STRING" }));
    let names = |path: &str| {
        let rows = get(&address, path)["rows"].clone();
        let rows = rows.as_array().unwrap().clone();
        Vec::from_iter(rows.into_iter().map(|row| row["country"].as_str().unwrap().to_owned()))
    };
    assert_eq!(names("/v1/views/by_country"), ["DE", "FR", "UK", "a,b c"]);
    assert_eq!(names("/v1/views/by_country?country=UK"), ["UK"]);
    assert_eq!(names("/v1/views/by_country?revenue=gte.12.5&order=-revenue"), ["DE", "UK", "FR"]);
    assert_eq!(names("/v1/views/by_country?country=in.DE,FR&qty=lt.6"), ["FR"]);
    assert_eq!(names("/v1/views/by_country?country=is.null"), [""; 0]);
    assert_eq!(names("/v1/views/by_country?order=-n,country&limit=2"), ["UK", "DE"]);
    // By key, also one that has to be written in other letters.
    let row = get(&address, "/v1/views/by_country/UK");
    assert_eq!(row["row"], json!({ "country": "UK", "n": 2, "qty": 7, "revenue": 17.50 }));
    assert_eq!(get(&address, "/v1/views/by_country/a%2Cb%20c")["row"]["n"], 1);
    let (status, head, body) = ask_whole(&address, "GET", "/v1/views/by_country/IT", "");
    assert_eq!(status, 404);
    assert!(head.contains("content-type: application/problem+json"), "{head}");
    assert!(body.contains("has no row with the key IT"), "{body}");
    // What was true at a step can be asked for after it.
    let step = row["step"].as_u64().unwrap();
    sell(&address, &[(6, "UK", 1)]);
    assert_eq!(get(&address, "/v1/views/by_country/UK")["row"]["qty"], 8);
    assert_eq!(get(&address, &format!("/v1/views/by_country/UK?as_of={step}"))["row"]["qty"], 7);
    let (status, answer) = ask(&address, "GET", "/v1/views/total?as_of=99999999999", "");
    assert!(status == 404 && answer["last"].as_u64() >= Some(step), "{answer}");
    let ended = child.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.said);
}

#[test]
fn pages_fit_together_while_the_view_changes() {
    let dir = tempfile::tempdir().unwrap();
    let (child, address) = start(dir.path(), &[]);
    let countries: Vec<String> = (0..25).map(|n| format!("c{n:02}")).collect();
    let sales = |id: i64| Vec::from_iter(countries.iter().map(move |c| (id, c.as_str(), 9)));
    sell(&address, &sales(0));
    for order in ["", "&order=-country"] {
        let mut seen = Vec::new();
        let mut path = format!("/v1/views/large?limit=7{order}");
        let mut step = None;
        let rows = get(&address, "/v1/views/total")["rows"][0]["n"].as_u64().unwrap();
        loop {
            let page = get(&address, &path);
            assert_eq!(*step.get_or_insert(page["step"].clone()), page["step"]);
            seen.extend(page["rows"].as_array().unwrap().clone());
            // The view goes on, the pages stay at their step.
            sell(&address, &sales(1)[..3]);
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/v1/views/large?limit=7{order}&cursor={next}");
        }
        let shown = seen.len() as u64;
        assert_eq!(shown, rows, "{seen:?}");
    }
    let (status, answer) = ask(&address, "GET", "/v1/views/large?cursor=x", "");
    assert!(status == 400 && answer["detail"].as_str().unwrap().contains("cursor"), "{answer}");
    for (path, expected) in [
        ("/v1/views/larg", "did you mean 'large'?"),
        ("/v1/views/large?cuntry=UK", "did you mean 'country'?"),
        ("/v1/views/large/UK", "filter it"),
        ("/v1/views/by_country/UK,7", "give the values of country"),
        ("/v1/views/large?qty=many", "the column is of the type INT"),
        ("/v1/views/large?limit=0", "between 1 and 10000"),
    ] {
        let (status, answer) = ask(&address, "GET", path, "");
        assert!((400..405).contains(&status), "{path}: {answer}");
        assert!(answer["hint"].as_str().unwrap_or_default().contains(expected), "{answer}");
    }
    let ended = child.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.said);
}

/// The next event of a stream: its name and data.
fn event(stream: &mut BufReader<TcpStream>) -> (String, Value) {
    let (mut name, mut line) = (String::new(), String::new());
    loop {
        line.clear();
        assert!(stream.read_line(&mut line).unwrap() > 0, "the stream has ended");
        if let Some(said) = line.strip_prefix("event: ") {
            name = said.trim().to_owned();
        }
        if let Some(data) = line.strip_prefix("data: ") {
            return (name, serde_json::from_str(data).unwrap());
        }
    }
}

fn subscribe(address: &str, path: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n").unwrap();
    BufReader::new(stream)
}

#[test]
fn a_subscriber_gets_the_view_and_then_its_changes() {
    let dir = tempfile::tempdir().unwrap();
    let (child, address) = start(dir.path(), &[]);
    sell(&address, &SALES);
    let mut stream = subscribe(&address, "/v1/views/by_country/changes?country=UK");
    let (name, data) = event(&mut stream);
    assert_eq!((name.as_str(), data["rows"][0]["qty"].as_i64()), ("snapshot", Some(7)));
    let step = data["step"].as_u64().unwrap();
    assert_eq!(event(&mut stream).1["complete"], true);
    // What passes no filter is not told.
    sell(&address, &[(7, "DE", 1)]);
    sell(&address, &[(8, "UK", 3)]);
    let (name, data) = event(&mut stream);
    assert_eq!(name, "change");
    assert_eq!((&data["remove"][0]["qty"], &data["add"][0]["qty"]), (&json!(7), &json!(10)));
    // Whoever knows a step goes on from there.
    let mut later = subscribe(&address, &format!("/v1/views/total/changes?from={step}"));
    let (name, data) = event(&mut later);
    assert_eq!((name.as_str(), &data["add"][0]["n"]), ("change", &json!(6)));
    assert_eq!(event(&mut later).1["add"][0]["n"], 7);
    let (status, _) = ask(&address, "GET", "/v1/views/total/changes?from=0", "");
    assert_eq!(status, 410);
    // The streams end with the job and do not keep it.
    let ended = child.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    assert_eq!(event(&mut later).0, "dropped");
}

#[test]
fn queries_see_the_views_of_one_step_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("secret.csv"), "swordfish\n").unwrap();
    let (child, address) = start(dir.path(), &[]);
    sell(&address, &SALES);
    let ask_sql =
        |query: &str| ask(&address, "POST", "/v1/sql", &json!({ "query": query }).to_string());
    let (status, answer) = ask_sql(
        "SELECT c.country, c.n * 100 / t.n AS share FROM by_country AS c CROSS JOIN total AS t \
         ORDER BY share DESC, country LIMIT 2",
    );
    assert_eq!(status, 200, "{answer}");
    let rows = json!([{ "country": "UK", "share": 40 }, { "country": "DE", "share": 20 }]);
    assert_eq!(answer["rows"], rows);
    assert_eq!(answer["columns"][1], json!({ "name": "share", "type": "BIGINT" }));
    let (_, answer) = ask_sql("SELECT SUM(n) AS n, MAX(revenue) AS best FROM by_country");
    assert_eq!(answer["rows"], json!([{ "n": 5, "best": 17.50 }]));
    // What is no question over views is refused, and says why.
    for (query, expected) in [
        ("SELECT * FROM sales", "sales"),
        (
            "CREATE TABLE t (x STRING) WITH ('connector' = 'filesystem', 'path' = 'secret.csv', \
          'format' = 'raw')",
            "only one SELECT",
        ),
        ("SELECT 1; SELECT 2", "only one SELECT"),
        ("INSERT INTO total SELECT 1, 2", "only one SELECT"),
        ("SELECT cuntry FROM by_country", "cuntry"),
    ] {
        let (status, answer) = ask_sql(query);
        assert_eq!(status, 400, "{query}: {answer}");
        assert!(answer["detail"].as_str().unwrap().contains(expected), "{query}: {answer}");
    }
    // A hint names another connector: the view is read all the same.
    let (status, answer) = ask_sql(
        "SELECT n FROM total /*+ OPTIONS('connector' = 'filesystem', 'path' = 'secret.csv', \
         'format' = 'csv') */",
    );
    assert_eq!((status, &answer["rows"]), (200, &json!([{ "n": 5 }])), "{answer}");
    let limited = json!({ "query": "SELECT * FROM by_country", "rows_max": 3 }).to_string();
    let (status, answer) = ask(&address, "POST", "/v1/sql", &limited);
    assert_eq!(status, 422);
    assert!(answer["detail"].as_str().unwrap().contains("more than 3 rows"), "{answer}");
    let many: Vec<(i64, &str, i64)> = (0..4000).map(|n| (n, "UK", 6)).collect();
    sell(&address, &many);
    let long =
        "SELECT COUNT(*) FROM large AS a, large AS b, large AS c WHERE a.qty < b.qty + c.qty";
    let long = json!({ "query": long, "timeout_ms": 300 }).to_string();
    let (status, answer) = ask(&address, "POST", "/v1/sql", &long);
    assert_eq!(status, 422);
    assert!(answer["detail"].as_str().unwrap().contains("more than 0.3 s"), "{answer}");
    let api = get(&address, "/v1/openapi.json");
    assert!(api["openapi"].as_str().unwrap().starts_with("3.1"), "{api}");
    assert!(api["paths"]["/v1/views/{name}/{key}"]["get"].is_object());
    let ended = child.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.said);
}

#[test]
fn views_are_there_again_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (child, address) = start(dir.path(), &["--state", "state"]);
    sell(&address, &SALES);
    assert_eq!(child.terminate().code, Some(0));
    let (child, address) = start(dir.path(), &["--state", "state"]);
    // The first step that can be read has everything.
    assert_eq!(get(&address, "/v1/views/by_country/UK")["row"]["qty"], 7);
    sell(&address, &[(9, "UK", 1)]);
    assert_eq!(get(&address, "/v1/views/by_country/UK")["row"]["qty"], 8);
    assert_eq!(child.terminate().code, Some(0));
}
