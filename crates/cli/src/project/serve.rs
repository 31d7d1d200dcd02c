//! Events in and views out while the job runs.

use std::path::{Path, PathBuf};

use rialto_runtime::Runtime;
use rialto_server::{Role, Security, Server, StartError, Tls, TlsError, Tokens, TokensError};

use super::without_place;
use crate::args::Run;
use crate::failure::{Failure, Result, tell};

/// Who keeps the server from being ready until the job runs.
const JOB: &str = "job";
/// The name of the token that is made at the first start.
const ADMIN: &str = "admin";

/// Where a project keeps what concerns its server: beside the checkpoints, or in its own folder.
pub fn home(state: &Path) -> PathBuf {
    match state.ends_with(".rialto/state") {
        true => state.parent().unwrap_or(state).to_path_buf(),
        false => state.to_path_buf(),
    }
}

/// Opens the project's tables that take events, and listens. Rows are taken from now on, and are
/// read when the job runs.
pub fn start(command: &Run, home: &Path, runtime: &Runtime) -> Result<Option<Server>> {
    let Some(address) = command.serve else { return Ok(None) };
    let tables = runtime.ingests().map_err(|e| without_place(&e))?;
    let names: Vec<String> = tables.iter().map(|t| t.table().to_owned()).collect();
    let failed = |e: StartError| match e {
        StartError::NotLoopback(_) => Failure::request(&e.to_string(), None),
        other => Failure::Job(format!("error: {other}\n")),
    };
    let is_open = |at: std::net::SocketAddr| !at.ip().is_loopback();
    let others = is_open(address) || command.postgres.is_some_and(is_open);
    let is_required = others || command.require_tokens;
    let tokens = Tokens::at(home);
    let tls = tls(command, home, others)?;
    if tokens.exist() {
        // What cannot be read is said now, not to each client.
        tokens.read().map_err(no_token)?;
    }
    let security = Security { tokens: Some(tokens.clone()), is_required, tls: tls.clone() };
    let mut server = Server::start(address, tables, security).map_err(failed)?;
    let postgres = command.postgres.map(|at| server.listen_postgres(at));
    let postgres = postgres.transpose().map_err(failed)?;
    server.health().not_ready(JOB, "the job is starting");
    // Only now: one that nobody is shown because the address is taken would be lost.
    let first = || tokens.create(ADMIN, Role::Admin, None).map_err(no_token);
    let admin = (is_required && !tokens.exist()).then(first).transpose()?;
    let (address, http) = (server.address(), if tls.is_some() { "https" } else { "http" });
    tell(&match names.as_slice() {
        [] => format!("serving {http}://{address}; no table has 'connector' = 'http'\n"),
        names => format!("serving {http}://{address}/v1/events/ for {}\n", names.join(", ")),
    });
    if let Some(address) = postgres {
        tell(&format!("serving postgres://{address}/rialto\n"));
    }
    if let Some(tls) = tls {
        let made = tls.made_in().map(|path| format!(" (self-signed: {})", path.display()));
        let made = made.unwrap_or_default();
        tell(&format!("certificate SHA-256 {}{made}\n", tls.fingerprint()));
    }
    if let Some((_, token)) = admin {
        tell(&format!("admin token, shown this once: {token}\n"));
    } else if is_required || tokens.exist() {
        tell(&format!("tokens: rialto token list --state {}\n", home.display()));
    }
    Ok(Some(server))
}

/// The job runs.
pub fn is_ready(server: &Server) {
    server.health().ready(JOB);
}

/// What cannot be done with tokens.
pub fn no_token(error: TokensError) -> Failure {
    match error {
        TokensError::Refused(why) => Failure::request(why, None),
        other => Failure::Job(format!("error: {other}\n")),
    }
}

fn tls(command: &Run, home: &Path, others: bool) -> Result<Option<Tls>> {
    let Some(address) = command.serve else { return Ok(None) };
    let tls = match (&command.tls_cert, &command.tls_key) {
        (Some(certificate), Some(key)) => Tls::from_files(certificate, key),
        _ if others || command.tls => Tls::self_signed(&home.join("tls"), address.ip()),
        _ => return Ok(None),
    };
    tls.map(Some).map_err(|e| match e {
        TlsError::Make(_) => Failure::Job(format!("error: {e}\n")),
        other => Failure::request(other, None),
    })
}
