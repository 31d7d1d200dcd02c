//! Views of a running project, as PostgreSQL's clients read them: a driver, psql, and what tools
//! ask of the catalogue.

use std::path::{Path, PathBuf};
use std::process::Command;

use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use crate::running::{Running, wait_until};
use crate::serve_views::{self, sell};

fn start(dir: &Path) -> (Running, String, u16) {
    let (running, http) = serve_views::start(dir, &["--postgres", "127.0.0.1:0"]);
    wait_until("the port", || running.said().contains("serving postgres://"));
    let said = running.said();
    let port = said.split("postgres://127.0.0.1:").nth(1).and_then(|l| l.split('/').next());
    let port = port.unwrap().parse().unwrap();
    (running, http, port)
}

/// Runs what a driver's client does.
fn with_client<T>(port: u16, work: impl AsyncFnOnce(&Client) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut config = Config::new();
        config.host("127.0.0.1").port(port).user("analyst").dbname("rialto");
        let (client, connection) = config.connect(NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        let result = work(&client).await;
        drop(client);
        connection.await.unwrap().unwrap();
        result
    })
}

fn code(error: &tokio_postgres::Error) -> String {
    error.code().map_or_else(|| format!("{error:?}"), |code| code.code().to_owned())
}

const SALES: [(i64, &str, i64); 4] = [(1, "UK", 2), (2, "DE", 7), (3, "UK", 5), (4, "FR", 5)];

#[test]
fn a_driver_prepares_asks_with_parameters_and_gets_typed_values() {
    let dir = tempfile::tempdir().unwrap();
    let (child, http, port) = start(dir.path());
    sell(&http, &SALES);
    with_client(port, async |client| {
        let text = "SELECT country, n, qty FROM by_country WHERE n >= $1 AND country <> $2 \
            ORDER BY country";
        let prepared = client.prepare(text).await.unwrap();
        for _ in 0..2 {
            let rows = client.query(&prepared, &[&1_i64, &"FR"]).await.unwrap();
            let rows: Vec<(String, i64, i32)> =
                rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
            assert_eq!(rows, [("DE".into(), 1, 7), ("UK".into(), 2, 7)]);
        }
        let row = client.query_one("SELECT 1.5::float8, true, NULL::int4, 'x'", &[]).await.unwrap();
        assert_eq!((row.get::<_, f64>(0), row.get::<_, bool>(1)), (1.5, true));
        assert_eq!(row.get::<_, Option<i32>>(2), None);
        // The texts of the simple protocol.
        let shown = client
            .simple_query("SELECT revenue, country = 'UK' FROM by_country ORDER BY 1, country");
        let shown = shown.await.unwrap();
        let rows: Vec<_> = shown
            .iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some((row.get(0).unwrap(), row.get(1).unwrap())),
                _ => None,
            })
            .collect();
        assert_eq!(rows, [("12.50", "f"), ("17.50", "f"), ("17.50", "t")]);
        // Nothing can be written, and the error says so.
        for write in [
            "DELETE FROM total",
            "INSERT INTO total VALUES (1, 2)",
            "CREATE TABLE t (x INT)",
            "DROP TABLE total",
            "CREATE EXTENSION x",
            "COPY total TO '/tmp/x'",
        ] {
            let error = client.simple_query(write).await.unwrap_err();
            assert_eq!(code(&error), "25006", "{write}: {error:?}");
        }
        let error = client.query("SELECT * FROM totl", &[]).await.unwrap_err();
        assert_eq!(code(&error), "42P01", "{error:?}");
        // What is beyond its time ends, and the session goes on.
        client.simple_query("SET statement_timeout = 200").await.unwrap();
        let long = "SELECT count(*) FROM generate_series(1, 100000000000)";
        let error = client.simple_query(long).await.unwrap_err();
        assert_eq!(code(&error), "57014", "{error:?}");
        client.simple_query("SET statement_timeout = 0").await.unwrap();
        let (cancel, is_over) = (client.cancel_token(), std::cell::Cell::new(false));
        // A cancel that comes before the query has begun is for nothing: it is sent until one
        // works.
        let asked = async {
            let asked = client.simple_query(long).await;
            is_over.set(true);
            asked
        };
        let (asked, ()) = tokio::join!(asked, async {
            while !is_over.get() {
                cancel.cancel_query(NoTls).await.unwrap();
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        });
        assert_eq!(code(&asked.unwrap_err()), "57014");
        let row = client.query_one("SELECT count(*) FROM by_country", &[]).await.unwrap();
        assert_eq!(row.get::<_, i64>(0), 3);
    });
    let ended = child.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.said);
}

#[test]
fn tools_find_their_way_in_the_catalogue() {
    let dir = tempfile::tempdir().unwrap();
    let (child, _, port) = start(dir.path());
    with_client(port, async |client| {
        for (query, expected) in [
            ("SELECT version()", "PostgreSQL 16"),
            ("SHOW server_version", "16.6"),
            ("SHOW TRANSACTION ISOLATION LEVEL", "read committed"),
            ("SELECT current_database()", "rialto"),
            ("SELECT current_schema()", "public"),
            (
                "SELECT n.nspname, c.relname, c.relkind FROM pg_catalog.pg_class c JOIN \
                 pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = 'total'",
                "public",
            ),
            (
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' \
                 ORDER BY 1",
                "by_country",
            ),
            (
                "SELECT column_name, data_type FROM information_schema.columns WHERE \
                 table_name = 'total' ORDER BY ordinal_position",
                "n",
            ),
            (
                "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod) FROM \
                 pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON a.attrelid = c.oid \
                 WHERE c.relname = 'total' AND a.attnum > 0 ORDER BY a.attnum",
                "n",
            ),
            ("SELECT datname FROM pg_catalog.pg_database", "rialto"),
            ("SELECT typname FROM pg_catalog.pg_type WHERE oid = 25", "text"),
        ] {
            let answer = client.simple_query(query).await;
            let answer = answer.unwrap_or_else(|e| panic!("{query}: {e:?}"));
            let first = answer.iter().find_map(|message| match message {
                SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            });
            let first = first.unwrap_or_else(|| panic!("{query}: no row"));
            assert!(first.contains(expected), "{query}: {first}");
        }
    });
    let ended = child.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.said);
}

/// The machine's own psql, if it has one.
pub fn psql() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin/psql")))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    found.pop()
}

#[test]
fn psql_lists_and_describes_the_views() {
    let Some(psql) = psql() else {
        eprintln!("SKIPPED: no psql on this machine (scripts/postgres.sh up brings one)");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let (child, http, port) = start(dir.path());
    sell(&http, &SALES);
    let port = port.to_string();
    let run = |command: &str| {
        let connect = ["-h", "127.0.0.1", "-p", &port, "-U", "analyst", "-d", "rialto", "-X"];
        let output = Command::new(&psql).args(connect).args(["-c", command]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{command}: {said}");
        printed
    };
    for list in ["\\d", "\\dt"] {
        let printed = run(list);
        assert!(printed.contains("by_country") && printed.contains("total"), "{list}: {printed}");
    }
    let printed = run("\\d by_country");
    assert!(printed.contains("revenue") && printed.contains("numeric"), "{printed}");
    let printed = run("SELECT country, n FROM by_country ORDER BY country");
    assert!(printed.contains(" UK      | 2") && printed.contains("(3 rows)"), "{printed}");
    assert_eq!(child.terminate().code, Some(0));
}
