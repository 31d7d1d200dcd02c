//! The HTTP server: events in, views out, and whether all is well.
//!
//! - `lib.rs`: starting and stopping
//! - `listen.rs`, `tls.rs`: connections, encrypted or not
//! - `guard.rs`: who is let in
//! - `access/`: tokens and their roles
//! - `health.rs`: what keeps the server from being ready
//! - `routes.rs`: who answers what
//! - `events.rs`: `POST /v1/events/{table}`
//! - `collect/`: the calls of Segment's libraries, as rows of the event model
//! - `body.rs`: the bytes of a request, bounded
//! - `operations.rs`: metrics, status and checkpoints of the running job
//! - `views.rs`, `parameters.rs`: pages of views and rows by key; filters, orders, cursors
//! - `changes.rs`: what changes in a view, as it happens
//! - `sql.rs`: queries over views
//! - `acts.rs`: what people do is an event in a table's log; what those routes share
//! - `decisions.rs`, `rules.rs`, `segments.rs`: approving, rules of prices, segments of customers
//! - `letters.rs`: dead letters
//! - `project.rs`: what the project declares, lineage, views that are saved
//! - `sources.rs`: sources that are tried and added
//! - `alerts/`: conditions over views that somebody wants to be told of
//! - `tokens.rs`: tokens, for the administrator
//! - `openapi.rs`: the API's description
//! - `postgres/`: the same views over PostgreSQL's protocol
//! - `console.rs`: the files of the console, which are part of the binary
//! - `answer.rs`: answers as JSON, errors as problem details
//!
//! The server has a thread and a small runtime of its own; rows go from a request into a table's
//! log, where a job finds them. So a job that is slow, or stopped, keeps nobody from sending.
//! Readers are given snapshots ([`rialto_runtime::serving`]) and keep no job waiting.
//!
//! Without tokens only programs of the same machine may ask: an address that other machines reach
//! needs tokens and TLS ([`Security`]), and requests that a browser sends for a foreign page are
//! refused everywhere.

mod access;
mod acts;
mod alerts;
mod answer;
mod body;
mod changes;
mod collect;
mod console;
mod decisions;
mod events;
mod guard;
mod health;
mod letters;
mod listen;
mod openapi;
mod operations;
mod parameters;
mod postgres;
mod project;
mod routes;
mod rules;
mod segments;
mod sources;
mod sql;
mod tls;
mod tokens;
mod views;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rialto_connectors::Ingest;
use rialto_runtime::design::Design;
use rialto_runtime::serving::Serving;
use tokio::sync::oneshot;

use access::Access;
use guard::Guard;
use listen::{Connections, Peer};
use operations::Slot;
use postgres::Postgres;
use routes::{Parts, Served};

pub use access::{Role, Token, Tokens, TokensError, now_ms};
pub use health::Health;
pub use operations::Operated;
pub use tls::{Tls, TlsError};

/// How long requests that have begun may take when the server stops.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// The stack of a thread that answers: queries are planned there that stand within one another, and
/// what is not touched of it takes no memory.
pub(crate) const STACK_BYTES: usize = 64 << 20;

/// Why a server does not start.
#[derive(Debug)]
pub enum StartError {
    /// The address is open to other machines, without tokens or TLS.
    NotLoopback(SocketAddr),
    /// The address cannot be used.
    Bind(SocketAddr, std::io::Error),
    /// There is no thread for it.
    Thread(std::io::Error),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotLoopback(address) => write!(
                f,
                "cannot serve on {address}: other machines reach it, and it has no tokens or no \
                 TLS"
            ),
            Self::Bind(address, error) => write!(f, "cannot serve on {address}: {error}"),
            Self::Thread(error) => write!(f, "cannot start the server's thread: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// Who is let in, and how connections are encrypted.
#[derive(Debug, Default)]
pub struct Security {
    /// The project's tokens; from the first one on nobody is let in without.
    pub tokens: Option<Tokens>,
    /// Whether nobody is let in without a token even where there is none yet.
    pub is_required: bool,
    /// The certificate; none: connections are not encrypted.
    pub tls: Option<Tls>,
}

/// A running server. It stops when it is dropped.
pub struct Server {
    address: SocketAddr,
    access: Arc<Access>,
    tls: Option<Tls>,
    health: Arc<Health>,
    job: Arc<Slot>,
    served: Arc<Served>,
    design: Arc<project::Designed>,
    alerts: Arc<alerts::Watched>,
    /// Where what the server does by itself runs.
    handle: tokio::runtime::Handle,
    postgres: Option<Postgres>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Listens on an address and takes events for the tables.
    ///
    /// # Errors
    /// Where the address cannot be used; where other machines reach it, and tokens or TLS are not
    /// required.
    pub fn start(
        address: SocketAddr,
        tables: Vec<Ingest>,
        security: Security,
    ) -> Result<Self, StartError> {
        let Security { tokens, is_required, tls } = security;
        let is_local = address.ip().is_loopback();
        if !is_local && (!is_required || tls.is_none()) {
            return Err(StartError::NotLoopback(address));
        }
        let access = Access::new(tokens.clone(), is_required);
        let bind = |e| StartError::Bind(address, e);
        let listener = TcpListener::bind(address).map_err(bind)?;
        listener.set_nonblocking(true).map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(64)
            .thread_name("http")
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .build()
            .map_err(StartError::Thread)?;
        let tables: BTreeMap<String, Arc<Ingest>> =
            tables.into_iter().map(|t| (t.table().to_owned(), Arc::new(t))).collect();
        let health = Arc::new(Health::new(tables.values().cloned().collect()));
        let job = Arc::new(Slot::new());
        let served = Arc::new(Served::new());
        let design = Arc::new(project::Designed::new());
        let alerts = Arc::new(alerts::Watched::new());
        let guard = Guard::new(Arc::clone(&access), is_local);
        let after = (Arc::clone(&job), Arc::clone(&served), Arc::clone(&design));
        let known = (tokens, Arc::clone(&health), Arc::clone(&alerts));
        let app = routes::router(Parts::of(tables, known, after), guard);
        let handle = runtime.handle().clone();
        let app = app.into_make_service_with_connect_info::<Peer>();
        let acceptor = tls.as_ref().map(Tls::http);
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = async move {
            let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
            let Ok(connections) = Connections::of(listener, acceptor) else { return };
            let served = axum::serve(connections, app).with_graceful_shutdown(async {
                // An error is a server that was dropped: it stops as well.
                let _ = stopped.await;
            });
            let _ = served.await;
        };
        let run = move || {
            runtime.block_on(serve);
            runtime.shutdown_timeout(STOP_PATIENCE);
        };
        let thread = std::thread::Builder::new().name("http".into()).spawn(run);
        let thread = Some(thread.map_err(StartError::Thread)?);
        let (postgres, stop) = (None, Some(stop));
        Ok(Self {
            address,
            access,
            tls,
            health,
            job,
            served,
            design,
            alerts,
            handle,
            postgres,
            stop,
            thread,
        })
    }

    /// Where the server listens: with port 0 the system has chosen one.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether connections are encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// What the server says of itself.
    pub fn health(&self) -> &Arc<Health> {
        &self.health
    }

    /// The job runs: it can be asked how it stands from now on. A server has one job.
    pub fn operate(&self, job: Arc<dyn Operated>) {
        let _ = self.job.set(job);
    }

    /// Listens for PostgreSQL's protocol as well; answers where.
    ///
    /// # Errors
    /// Where the address cannot be used.
    pub fn listen_postgres(&mut self, address: SocketAddr) -> Result<SocketAddr, StartError> {
        if !address.ip().is_loopback() && (!self.access.is_required() || self.tls.is_none()) {
            return Err(StartError::NotLoopback(address));
        }
        let (served, access) = (Arc::clone(&self.served), Arc::clone(&self.access));
        let tls = self.tls.as_ref().map(Tls::postgres);
        let postgres = Postgres::start(address, served, access, tls)?;
        let address = postgres.address();
        self.postgres = Some(postgres);
        Ok(address)
    }

    /// The job's views can be read from now on. A server has one job.
    pub fn show(&self, serving: Arc<Serving>) {
        let _ = self.served.set(serving);
    }

    /// The project can be looked at from now on, and its alerts are watched. Its views are shown
    /// before.
    pub fn design(&self, design: Arc<Design>) {
        let watch = Arc::new(alerts::open(design.folder()));
        if let Some(serving) = self.served.get() {
            self.handle.spawn(Arc::clone(&watch).run(Arc::clone(serving)));
        }
        let _ = self.alerts.set(watch);
        let _ = self.design.set(design);
    }

    /// Takes no more requests, and waits a moment for those that have begun.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.health.not_ready("server", "the server is stopping");
        drop(self.stop.take());
        drop(self.postgres.take());
        let Some(thread) = self.thread.take() else { return };
        // A connection that never ends must not keep the process.
        let started = std::time::Instant::now();
        while !thread.is_finished() && started.elapsed() < STOP_PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
        if thread.is_finished() {
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}
