//! Servers that stop, die, start again and have no room.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use arrow::datatypes::DataType::{Int64, Utf8};
use rialto_engine::CommitError;

use crate::server::{Input, Output, PATIENCE, said, server, set, up};

const PAIR: [(&str, arrow::datatypes::DataType); 2] = [("id", Int64), ("name", Utf8)];

#[test]
fn a_server_that_dies_again_and_again_gets_every_row_once() {
    let Some(server) = up(&[]) else { return };
    server.sql("CREATE TABLE added (id bigint, name text)");
    let mut output = Output::open(&server.table("added", &PAIR, 0));
    let (done, taken) = (AtomicBool::new(false), AtomicU32::new(0));
    let mut away = 0;
    std::thread::scope(|scope| {
        let killer = scope.spawn(|| {
            let mut kills = 0;
            while !done.load(Ordering::Relaxed) || kills < 3 {
                server.run(if kills % 2 == 0 { "kill" } else { "stop" });
                server.run("start");
                kills += 1;
                // However slow the machine is, something gets through before the next one.
                let before = taken.load(Ordering::Relaxed);
                while taken.load(Ordering::Relaxed) < before + 3 && !done.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            kills
        });
        let _end = OnDrop(&done);
        let mut epoch = 0;
        // Until it was hit in the middle of something often enough.
        while away < 8 {
            epoch += 1;
            let rows: Vec<_> = (0..200).map(|n| (epoch * 1000 + n, "x", 1)).collect();
            output.rows(&rows);
            let prepared = output.prepare(epoch as u64);
            away += u32::from(output.deliver(epoch as u64, &prepared) > 1);
            taken.fetch_add(1, Ordering::Relaxed);
        }
        done.store(true, Ordering::Relaxed);
        assert!(killer.join().unwrap() >= 3);
        let found = server.sql("SELECT count(*), count(DISTINCT id) FROM added");
        assert_eq!(found, [format!("{0}|{0}", epoch * 200)]);
    });
}

/// Ends the other thread also where this one fails.
struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_scan_goes_on_when_the_server_is_back() {
    let Some(server) = up(&[]) else { return };
    server.sql(
        "CREATE TABLE many (id bigint PRIMARY KEY, name text); \
         INSERT INTO many SELECT n, repeat('x', 500) || n FROM generate_series(1, 60000) n",
    );
    let spec = set(server.table("many", &PAIR, 0), "scan.fetch-size", "500");
    let mut input = Input::open(&spec, 1);
    input.until(1000, 500);
    server.run("kill");
    server.run("start");
    input.try_to_end().unwrap();
    let counted = input.counted();
    assert_eq!((counted.len(), input.rows()), (60_000, 60_000));
}

#[test]
fn a_sink_waits_for_a_server_that_is_not_there_yet() {
    let Some(server) = up(&[]) else { return };
    server.sql("CREATE TABLE late (id bigint PRIMARY KEY, name text)");
    let spec = server.table("late", &PAIR, 1);
    server.run("stop");
    let mut output = Output::opened(&spec).unwrap();
    let error = output.committer.recover(&[]).map_err(said).unwrap_err();
    assert!(error.starts_with("away"), "{error}");
    assert!(!error.contains(":rialto@"), "a password is told: {error}");
    output.rows(&[(1, "a", 1)]);
    let prepared = output.prepare(1);
    assert!(matches!(output.committer.commit(1, &prepared), Err(CommitError::Away(_))));
    server.run("start");
    output.deliver(1, &prepared);
    assert_eq!(server.sql("SELECT * FROM late"), ["1|a"]);
    // What it cannot say at the start it says when it can.
    server.run("stop");
    let mut output = Output::opened(&server.table("late", &[("id", Utf8)], 1)).unwrap();
    server.run("start");
    let error = output.committer.recover(&[]).map_err(said).unwrap_err();
    assert!(error.starts_with("refused") && error.contains("declare BIGINT"), "{error}");
}

#[test]
fn a_lock_or_a_lack_of_connections_is_waited_out() {
    let Some(server) = up(&["max_connections=4", "superuser_reserved_connections=0"]) else {
        return;
    };
    server.sql("CREATE TABLE crowded (id bigint PRIMARY KEY, name text)");
    let spec = server.table("crowded", &PAIR, 1);
    let mut output = Output::open(&spec);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let connect = || {
        runtime.block_on(async {
            let connected = tokio_postgres::connect(&server.url, tokio_postgres::NoTls).await;
            connected.map(|(client, connection)| {
                tokio::spawn(connection);
                client
            })
        })
    };
    output.rows(&[(1, "a", 1)]);
    output.commit(1);
    drop(output);
    let mut held = Vec::new();
    while let Ok(client) = connect() {
        held.push(client);
    }
    let mut output = Output::opened(&spec).unwrap();
    let error = output.committer.recover(&[]).map_err(said).unwrap_err();
    assert!(error.starts_with("away") && error.contains("too many clients"), "{error}");
    held.clear();
    let since = std::time::Instant::now();
    while let Err(error) = output.committer.recover(&[]) {
        assert!(matches!(error, CommitError::Away(_)));
        assert!(since.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(50));
    }
    output.rows(&[(2, "b", 1)]);
    output.commit(2);
    assert_eq!(server.sql("SELECT count(*) FROM crowded"), ["2"]);
}

#[test]
fn who_may_not_make_the_table_of_epochs_is_told_what_to_do() {
    let Some(server) = server() else { return };
    let name = server.name();
    server.sql(&format!(
        "CREATE SCHEMA s_{name}; CREATE TABLE s_{name}.{name} (id bigint PRIMARY KEY, name text); \
         CREATE ROLE u_{name} LOGIN PASSWORD 'p'; GRANT USAGE ON SCHEMA s_{name} TO u_{name}; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON s_{name}.{name} TO u_{name}"
    ));
    let spec = server.table(&format!("s_{name}.{name}"), &PAIR, 1);
    let spec = set(set(spec, "username", &format!("u_{name}")), "password", "p");
    let error = Output::try_open(&spec).err().unwrap();
    assert!(error.starts_with("refused"), "{error}");
    assert!(error.contains("CREATE TABLE IF NOT EXISTS"), "{error}");
    let create = error.split("run: ").nth(1).unwrap().trim_end_matches(')');
    let create = format!("{create}))");
    server.sql(&format!("{create}; GRANT ALL ON s_{name}.rialto_epochs TO u_{name}"));
    let mut output = Output::open(&spec);
    output.rows(&[(1, "a", 1)]);
    output.commit(1);
    assert_eq!(server.sql(&format!("SELECT * FROM s_{name}.{name}")), ["1|a"]);
}

#[test]
fn who_the_server_is_is_checked_as_far_as_asked_for() {
    let Some(server) = server() else { return };
    assert!(!server.authority.is_empty(), "openssl makes the server's certificate");
    let name = server.name();
    server.sql(&format!("CREATE TABLE {name} (id bigint PRIMARY KEY, name text)"));
    let open = |host: &str, query: &str| {
        let url = format!("{}?{query}", server.url.replace("127.0.0.1", host));
        let spec = set(server.table(&name, &PAIR, 1), "url", &url);
        Input::try_open(&spec, 1).map(drop).map_err(|e| e.to_string())
    };
    let trusted = format!("sslrootcert={}", server.authority);
    for (host, query) in [
        ("127.0.0.1", "sslmode=disable".to_owned()),
        ("127.0.0.1", "sslmode=prefer".into()),
        ("127.0.0.1", "sslmode=require".into()),
        ("127.0.0.1", format!("sslmode=require&{trusted}")),
        ("127.0.0.1", format!("sslmode=verify-ca&{trusted}")),
        ("localhost", format!("sslmode=verify-full&{trusted}")),
    ] {
        assert_eq!(open(host, &query), Ok(()), "{query}");
    }
    let error = open("127.0.0.1", &format!("sslmode=verify-full&{trusted}")).unwrap_err();
    assert!(error.contains("not valid for name"), "{error}");
    for mode in ["verify-ca", "verify-full"] {
        let error = open("localhost", &format!("sslmode={mode}")).unwrap_err();
        assert!(error.contains("UnknownIssuer") || error.contains("no root"), "{mode}: {error}");
        let error = open("localhost", &format!("sslmode={mode}&sslrootcert=/none")).unwrap_err();
        assert!(error.contains("'sslrootcert' /none"), "{error}");
    }
    let found = server.sql("SELECT count(*) FROM pg_stat_ssl WHERE ssl AND pid = pg_backend_pid()");
    assert_eq!(found, ["0"], "the test itself comes without");
}
