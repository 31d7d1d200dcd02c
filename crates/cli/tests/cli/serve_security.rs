//! Tokens, roles and TLS, as clients meet them. Everything listens on loopback: `--require-tokens`
//! and `--tls` turn on there what an address that other machines reach has by itself.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::running::{Running, wait_until};
use crate::{rialto, serve_postgres, stderr, stdout};

const PROJECT: &str = "CREATE TABLE sales (id BIGINT, qty INT) WITH ('connector' = 'http');\n\
    CREATE MATERIALIZED VIEW total AS SELECT COUNT(*) AS n, SUM(qty) AS qty FROM sales;\n";

/// A server, and what is needed to talk to it.
struct Served {
    running: Running,
    address: String,
    postgres: u16,
    trusted: Option<Arc<rustls::ClientConfig>>,
}

fn trusting(certificate: &Path) -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

fn start(dir: &Path, more: &[&str]) -> Served {
    fs::write(dir.join("job.sql"), PROJECT).unwrap();
    let serve = ["run", "job.sql", "--serve", "127.0.0.1:0", "--postgres", "127.0.0.1:0"];
    let running = Running::start(dir, &[&serve[..], more].concat());
    wait_until("the ports", || running.said().contains("/rialto\n"));
    let said = running.said();
    let after = |word: &str| said.split(word).nth(1).and_then(|l| l.split('/').next());
    let address = after("serving http://").or_else(|| after("serving https://")).unwrap();
    let postgres = after("serving postgres://127.0.0.1:").unwrap().parse().unwrap();
    let address = address.trim().to_owned();
    let trusted = said.contains("serving https://").then(|| {
        wait_until("the certificate", || running.said().contains("certificate SHA-256 "));
        let made = dir.join(".rialto/tls/cert.pem");
        trusting(&if made.exists() { made } else { dir.join("cert.pem") })
    });
    Served { running, address, postgres, trusted }
}

impl Served {
    /// The token of the first start.
    fn admin(&self) -> String {
        const SHOWN: &str = "admin token, shown this once: ";
        wait_until("the token", || {
            self.running.said().split(SHOWN).nth(1).is_some_and(|rest| rest.contains('\n'))
        });
        let said = self.running.said();
        said.split(SHOWN).nth(1).unwrap().lines().next().unwrap().to_owned()
    }

    /// Sends a request with a token and further headers; answers the status, the head and the body.
    fn ask(&self, request: &str, token: &str, more: &str, body: &str) -> (u16, String, Value) {
        let mut text = format!(
            "{request} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n{more}",
            self.address,
            body.len()
        );
        if !token.is_empty() {
            text.push_str(&format!("authorization: Bearer {token}\r\n"));
        }
        text.push_str(&format!("\r\n{body}"));
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let mut answer = Vec::new();
        match &self.trusted {
            None => {
                stream.write_all(text.as_bytes()).unwrap();
                stream.read_to_end(&mut answer).unwrap();
            }
            Some(config) => {
                let name = ServerName::try_from("localhost").unwrap();
                let client = rustls::ClientConnection::new(Arc::clone(config), name).unwrap();
                let mut stream = rustls::StreamOwned::new(client, stream);
                stream.write_all(text.as_bytes()).unwrap();
                stream.read_to_end(&mut answer).unwrap();
            }
        }
        let answer = String::from_utf8(answer).unwrap();
        let status = answer.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        (status, head.to_ascii_lowercase(), serde_json::from_str(body).unwrap_or(Value::Null))
    }

    fn status(&self, request: &str, token: &str) -> u16 {
        let body = match request.split_once("/v1/").map(|(_, rest)| rest) {
            Some("sql") => r#"{"query": "SELECT n FROM total"}"#,
            Some("events/sales") => r#"{"id": 1, "qty": 2}"#,
            _ => "",
        };
        self.ask(request, token, "", body).0
    }

    /// Logs in with a driver and asks.
    fn query(&self, user: &str, password: &str) -> Result<i64, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut config = tokio_postgres::Config::new();
        config.host("localhost").port(self.postgres).dbname("rialto").user(user);
        config.hostaddr(std::net::IpAddr::from([127, 0, 0, 1]));
        config.password(password);
        let ask = async |client: tokio_postgres::Client| {
            let row = client.query_one("SELECT n FROM total", &[]).await;
            row.map(|row| row.get(0)).map_err(told)
        };
        runtime.block_on(async {
            if let Some(trusted) = &self.trusted {
                config.ssl_mode(SslMode::Require);
                let tls = MakeRustlsConnect::new((**trusted).clone());
                let (client, connection) = config.connect(tls).await.map_err(told)?;
                tokio::spawn(connection);
                return ask(client).await;
            }
            let connected = config.connect(tokio_postgres::NoTls).await;
            let (client, connection) = connected.map_err(told)?;
            tokio::spawn(connection);
            ask(client).await
        })
    }
}

impl Served {
    /// Logs in, has something done, and asks until there is no answer any more: says why.
    fn session_until_refused(&self, user: &str, password: &str, meanwhile: impl Fn()) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.postgres).dbname("rialto").user(user);
        config.password(password);
        runtime.block_on(async {
            let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            let ask = async || client.simple_query("SELECT n FROM total").await;
            ask().await.unwrap();
            meanwhile();
            let began = std::time::Instant::now();
            loop {
                match ask().await {
                    Ok(_) => assert!(began.elapsed().as_secs() < 60, "it is never refused"),
                    Err(error) => return told(error),
                }
            }
        })
    }
}

fn told(error: tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => format!("{} {}", error.code().code(), error.message()),
        None => format!("{error:?}"),
    }
}

fn create(dir: &Path, name: &str, role: &str) -> String {
    let made = rialto(dir, &["token", "create", name, "--role", role]);
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    stdout(&made).trim().to_owned()
}

/// What each role may do, over both protocols.
fn check_roles(dir: &Path, served: &Served) {
    let roles = ["viewer", "analyst", "ingest"].map(|role| create(dir, role, role));
    let admin = served.admin();
    wait_until("the tokens are seen", || served.status("GET /v1/whoami", &roles[2]) == 200);
    let all = [roles[0].as_str(), &roles[1], &roles[2], &admin];
    for (request, answers) in [
        ("GET /v1/views", [200, 200, 403, 200]),
        ("GET /v1/views/total", [200, 200, 403, 200]),
        ("GET /v1/status", [200, 200, 403, 200]),
        ("GET /metrics", [200, 200, 403, 200]),
        ("POST /v1/sql", [403, 200, 403, 200]),
        ("POST /v1/events/sales", [403, 403, 200, 200]),
        // There is no state to take a checkpoint of: who may ask is told so.
        ("POST /v1/checkpoint", [403, 403, 403, 409]),
    ] {
        assert_eq!(all.map(|token| served.status(request, token)), answers, "{request}");
        assert_eq!(served.status(request, ""), 401, "{request}");
    }
    let (_, _, said) = served.ask("POST /v1/checkpoint", &roles[0], "", "");
    assert_eq!(said["error"], "the token 'viewer' has the role viewer");
    assert_eq!(said["hint"], "POST /v1/checkpoint needs the role admin");
    assert!(served.query("analyst", &roles[1]).is_ok_and(|n| n >= 1));
    assert!(served.query("admin", &admin).is_ok());
    for (user, password, code) in [
        ("viewer", roles[0].as_str(), "28000 the token 'viewer' has the role viewer"),
        ("analyst", &roles[0], "28P01"),
        ("analyst", "", "28P01"),
        ("nobody", &roles[1], "28P01"),
        ("", &roles[1], "28P01"),
    ] {
        let refused = served.query(user, password).unwrap_err();
        // A driver refuses to send an empty password or user by itself.
        let by_itself = password.is_empty() || user.is_empty();
        assert!(refused.starts_with(code) || by_itself, "{user}: {refused}");
    }
}

fn wait_for_views(served: &Served, token: &str) {
    wait_until("a step", || served.status("GET /v1/views", token) == 200);
}

#[test]
fn roles_over_plain_connections_of_this_machine() {
    let dir = tempfile::tempdir().unwrap();
    let served = start(dir.path(), &["--require-tokens"]);
    let admin = served.admin();
    wait_for_views(&served, &admin);
    check_roles(dir.path(), &served);
    // The probes need no token, and tell nothing to who has none.
    let (status, head, body) = served.ask("GET /readyz", "", "", "");
    assert_eq!((status, body), (200, serde_json::json!({ "ready": true })));
    assert!(head.contains("x-content-type-options: nosniff"));
    assert_eq!(served.ask("GET /readyz", &admin, "", "").2["rows"]["sales"], 2);
    let (status, head, _) = served.ask("GET /", "", "", "");
    assert!(status == 200 && head.contains("content-security-policy: default-src 'none'"));
    let (_, head, _) = served.ask("GET /v1/views", "wrong", "", "");
    assert!(head.contains("www-authenticate: bearer"), "{head}");
    // The token is not to be found where the project is kept, and the next start shows none.
    let kept = fs::read_to_string(dir.path().join(".rialto/tokens.json")).unwrap();
    assert!(!kept.contains(&admin));
    let ended = served.running.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    let served = start(dir.path(), &["--require-tokens"]);
    wait_for_views(&served, &admin);
    assert!(!served.running.said().contains("shown this once"));
}

#[test]
fn roles_over_tls_with_a_certificate_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let served = start(dir.path(), &["--require-tokens", "--tls"]);
    let admin = served.admin();
    wait_for_views(&served, &admin);
    check_roles(dir.path(), &served);
    // Without TLS nobody is heard.
    let mut plain = TcpStream::connect(&served.address).unwrap();
    write!(plain, "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    let unencrypted = Served { trusted: None, ..served };
    let refused = unencrypted.query("admin", &admin).unwrap_err();
    assert!(refused.starts_with("28000 this server speaks TLS only"), "{refused}");
    let first = unencrypted.running.terminate().said;
    // The certificate stays, also as one that is given.
    let tls = dir.path().join(".rialto/tls");
    fs::copy(tls.join("cert.pem"), dir.path().join("cert.pem")).unwrap();
    let files = ["--tls-cert", "cert.pem", "--tls-key", ".rialto/tls/key.pem"];
    let served = start(dir.path(), &files);
    wait_for_views(&served, &admin);
    let fingerprint = |said: &str| {
        let line = said.lines().find_map(|l| l.strip_prefix("certificate SHA-256 "));
        line.map(|l| l.split(' ').next().unwrap_or_default().to_owned())
    };
    assert_eq!(fingerprint(&served.running.said()), fingerprint(&first));
    psql(&served, &admin, &tls.join("cert.pem"));
}

/// The real psql, where there is one.
fn psql(served: &Served, token: &str, certificate: &Path) {
    let Some(psql) = serve_postgres::psql() else {
        eprintln!("SKIPPED: no psql on this machine (scripts/postgres.sh up brings one)");
        return;
    };
    let ask = |mode: &str, token: &str| {
        let at = format!(
            "host=localhost hostaddr=127.0.0.1 port={} dbname=rialto user=admin sslmode={mode} \
             sslrootcert={}",
            served.postgres,
            certificate.display()
        );
        Command::new(&psql)
            .args(["-X", &at, "-tAc", "SELECT n FROM total"])
            .env("PGPASSWORD", token)
            .output()
            .unwrap()
    };
    let answer = ask("verify-full", token);
    assert!(answer.status.success(), "{}", stderr(&answer));
    assert!(stdout(&answer).trim().parse::<i64>().is_ok(), "{}", stdout(&answer));
    let answer = ask("require", "wrong");
    assert!(stderr(&answer).contains("password authentication failed"), "{}", stderr(&answer));
    let answer = ask("disable", token);
    assert!(stderr(&answer).contains("TLS only"), "{}", stderr(&answer));
}

#[test]
fn tokens_come_and_go_while_the_server_runs() {
    let dir = tempfile::tempdir().unwrap();
    let served = start(dir.path(), &[]);
    wait_for_views(&served, "");
    assert_eq!(served.ask("GET /v1/whoami", "", "", "").2["token"], Value::Null);
    assert_eq!(served.status("POST /v1/checkpoint", ""), 409);
    // A stream that begins while nobody needs a token.
    let mut stream = TcpStream::connect(&served.address).unwrap();
    write!(
        stream,
        "GET /v1/views/total/changes HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut begun = [0; 12];
    stream.read_exact(&mut begun).unwrap();
    assert_eq!(&begun, b"HTTP/1.1 200");
    let one = create(dir.path(), "one", "admin");
    wait_until("the server is closed", || served.status("GET /v1/views", "") == 401);
    assert_eq!(served.status("GET /v1/views", &one), 200);
    assert!(served.query("one", &one).is_ok());
    let listed = rialto(dir.path(), &["token", "list", "-o", "json"]);
    let listed: Value = serde_json::from_str(&stdout(&listed)).unwrap();
    assert_eq!((&listed["name"], &listed["role"]), (&"one".into(), &"admin".into()));
    // The stream ends with the next change.
    assert_eq!(served.status("POST /v1/events/sales", &one), 200);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    let rest = String::from_utf8_lossy(&rest);
    assert!(rest.contains("event: dropped") && rest.contains("revoked or has expired"), "{rest}");
    let end =
        rialto(dir.path(), &["token", "create", "soon", "--role", "viewer", "--expires", "1s"]);
    let soon = stdout(&end).trim().to_owned();
    wait_until("it has come", || served.status("GET /v1/views", &soon) == 200);
    wait_until("it has expired", || served.status("GET /v1/views", &soon) == 401);
    let revoke = || {
        let revoked = rialto(dir.path(), &["token", "revoke", "one"]);
        assert_eq!(revoked.status.code(), Some(0), "{}", stderr(&revoked));
    };
    // A session ends as well: it is not asked at its beginning alone.
    let ended = served.session_until_refused("one", &one, revoke);
    assert!(ended.starts_with("28000 the session has no token"), "{ended}");
    wait_until("it is revoked", || served.status("GET /v1/views", &one) == 401);
    assert!(served.query("one", &one).unwrap_err().starts_with("28P01"));
    let none = rialto(dir.path(), &["token", "revoke", "one"]);
    assert_eq!(none.status.code(), Some(2));
    assert!(stderr(&none).contains("there is no token 'one'"), "{}", stderr(&none));
}

#[test]
fn who_guesses_is_slowed_and_foreign_pages_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let served = start(dir.path(), &["--require-tokens"]);
    let admin = served.admin();
    wait_for_views(&served, &admin);
    let guesses: Vec<u16> = (0..40).map(|_| served.status("GET /v1/views", "guess")).collect();
    assert!(guesses[0] == 401 && guesses.contains(&429), "{guesses:?}");
    let (status, head, _) = served.ask("GET /v1/views", "guess", "", "");
    assert!(status == 401 || head.contains("retry-after: "), "{head}");
    assert_eq!(served.status("GET /v1/views", &admin), 200, "who has a token is let in");
    let question = r#"{"query": "SELECT n FROM total"}"#;
    let from = |origin: &str| {
        let origin = format!("origin: {origin}\r\n");
        served.ask("POST /v1/sql", &admin, &origin, question).0
    };
    assert_eq!(from(&format!("http://{}", served.address)), 200);
    assert_eq!((from("http://evil.example"), from("null")), (403, 403));
}

#[test]
fn somebody_has_a_role_for_all_of_their_tokens() {
    let dir = tempfile::tempdir().unwrap();
    let served = start(dir.path(), &["--require-tokens"]);
    let admin = served.admin();
    wait_for_views(&served, &admin);
    let keep = |role: &str| {
        let body = format!("{{\"title\": \"Ann Lee\", \"role\": \"{role}\"}}");
        served.ask("PUT /v1/people/ann", &admin, "", &body).0
    };
    assert_eq!(keep("viewer"), 200);
    assert_eq!(keep("owner"), 400);
    let laptop = "{\"name\": \"ann.laptop\", \"person\": \"ann\"}";
    let (status, _, said) = served.ask("POST /v1/tokens", &admin, "", laptop);
    assert_eq!((status, &said["role"]), (201, &"viewer".into()), "{said}");
    let own = said["token"].as_str().unwrap().to_owned();
    wait_until("the token", || served.status("GET /v1/views", &own) == 200);
    let (_, _, who) = served.ask("GET /v1/whoami", &own, "", "");
    assert_eq!((&who["person"], &who["role"]), (&"ann".into(), &"viewer".into()));
    assert_eq!(served.status("POST /v1/sql", &own), 403);
    assert_eq!(served.status("GET /v1/people", &own), 403);
    assert_eq!(keep("analyst"), 200);
    wait_until("the new role", || served.status("POST /v1/sql", &own) == 200);
    let (_, _, gone) = served.ask("DELETE /v1/people/ann", &admin, "", "{}");
    assert_eq!(gone["tokens"], 1, "{gone}");
    wait_until("the end of it", || served.status("GET /v1/views", &own) == 401);
    let both = "{\"name\": \"x\", \"person\": \"ann\", \"role\": \"viewer\"}";
    assert_eq!(served.ask("POST /v1/tokens", &admin, "", both).0, 400);
    served.running.terminate();
}
