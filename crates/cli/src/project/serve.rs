//! Events in and views out while the job runs.

use std::net::SocketAddr;

use rialto_runtime::Runtime;
use rialto_server::{Server, StartError};

use super::without_place;
use crate::failure::{Failure, Result, tell};

/// Who keeps the server from being ready until the job runs.
const JOB: &str = "job";

/// Opens the project's tables that take events, and listens. Rows are taken from now on, and are
/// read when the job runs.
pub fn start(
    address: SocketAddr,
    postgres: Option<SocketAddr>,
    runtime: &Runtime,
) -> Result<Server> {
    let tables = runtime.ingests().map_err(|e| without_place(&e))?;
    let names: Vec<String> = tables.iter().map(|t| t.table().to_owned()).collect();
    let failed = |e: StartError| match e {
        StartError::NotLoopback(_) => Failure::request(&e.to_string(), None),
        other => Failure::Job(format!("error: {other}\n")),
    };
    let mut server = Server::start(address, tables).map_err(failed)?;
    let postgres = postgres.map(|at| server.listen_postgres(at)).transpose().map_err(failed)?;
    server.health().not_ready(JOB, "the job is starting");
    let address = server.address();
    tell(&match names.as_slice() {
        [] => format!("serving http://{address}; no table has 'connector' = 'http'\n"),
        names => format!("serving http://{address}/v1/events/ for {}\n", names.join(", ")),
    });
    if let Some(address) = postgres {
        tell(&format!("serving postgres://{address}/rialto\n"));
    }
    Ok(server)
}

/// The job runs.
pub fn is_ready(server: &Server) {
    server.health().ready(JOB);
}
