//! The PostgreSQL protocol, on a port of its own: `SELECT`s in PostgreSQL's dialect over snapshots.
//!
//! - `login.rs`: who comes in, by a token
//! - `tables.rs`: the views of a snapshot as tables, and PostgreSQL's catalogue of them
//! - `statement.rs`: what may be asked, and what a session says beside
//! - `handler.rs`: the two ways of the protocol to ask
//! - `encode.rs`: values in PostgreSQL's texts and bytes
//!
//! Each statement reads one snapshot. DataFusion answers it, with bounds on memory and time; there
//! is no table but the views and the catalogue, and nothing can be written. It has threads of its
//! own, so that a long query keeps no event and no HTTP request waiting.

mod encode;
mod handler;
mod login;
mod statement;
mod tables;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use pgwire::tokio::process_socket;
use tokio::sync::{Semaphore, oneshot};
use tokio_rustls::TlsAcceptor;

use crate::StartError;
use crate::access::Access;
use crate::routes::Served;
use handler::Handlers;

/// Connections at once.
const CONNECTIONS_MAX: usize = 100;
/// How long threads may take to end.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// The listener of the protocol. It stops when it is dropped.
pub struct Postgres {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Postgres {
    /// Listens on an address.
    pub fn start(
        address: SocketAddr,
        served: Arc<Served>,
        access: Arc<Access>,
        tls: Option<TlsAcceptor>,
    ) -> Result<Self, StartError> {
        let bind = |e| StartError::Bind(address, e);
        let listener = TcpListener::bind(address).map_err(bind)?;
        listener.set_nonblocking(true).map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("postgres")
            .thread_stack_size(crate::STACK_BYTES)
            .enable_all()
            .build()
            .map_err(StartError::Thread)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = async move {
            let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
            let handlers = Handlers::new(served, access, tls.is_some());
            tokio::select! {
                () = accept(listener, handlers, tls) => {}
                // An error is a server that was dropped: it stops as well.
                _ = stopped => {}
            }
        };
        let run = move || {
            runtime.block_on(serve);
            runtime.shutdown_timeout(STOP_PATIENCE);
        };
        let thread = std::thread::Builder::new().name("postgres".into()).spawn(run);
        let thread = Some(thread.map_err(StartError::Thread)?);
        Ok(Self { address, stop: Some(stop), thread })
    }

    /// Where it listens: with port 0 the system has chosen one.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: tokio::net::TcpListener, handlers: Handlers, tls: Option<TlsAcceptor>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((socket, _)) => {
                let (handler, tls) = (handlers.connection(), tls.clone());
                tokio::spawn(async move {
                    let _place = place;
                    // A connection that breaks off concerns nobody else.
                    let _ = process_socket(socket, tls, handler).await;
                });
            }
            // Too many open files, for example: it passes.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}
