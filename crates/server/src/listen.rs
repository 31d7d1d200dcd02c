//! Connections of the HTTP server: encrypted or not, bounded in number, and none that says nothing
//! for ever.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Connections at once; more wait to be accepted.
const CONNECTIONS_MAX: usize = 2048;
/// How long a client may take to agree on TLS.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection may be still: longer than any answer takes, and than a stream of changes
/// says nothing.
const STILL_MAX: Duration = Duration::from_secs(120);
/// Connections that are accepted, and wait for a thread.
const WAITING_MAX: usize = 64;

/// Who is at the other end.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

impl Connected<IncomingStream<'_, Connections>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Connections>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// Connections as they come.
pub struct Connections {
    address: SocketAddr,
    ready: mpsc::Receiver<(Connection, SocketAddr)>,
}

impl Connections {
    /// Of a listener; within a runtime.
    pub fn of(listener: TcpListener, tls: Option<TlsAcceptor>) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let (sender, ready) = mpsc::channel(WAITING_MAX);
        tokio::spawn(accept(listener, tls, sender));
        Ok(Self { address, ready })
    }
}

impl Listener for Connections {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            // Who accepts ends after whoever listens here.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(self.address)
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    ready: mpsc::Sender<(Connection, SocketAddr)>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = ready.closed() => return,
        };
        let Ok((socket, peer)) = accepted else {
            // Too many open files, for example: it passes.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        // An answer is one write: there is nothing to wait for.
        let _ = socket.set_nodelay(true);
        let (ready, tls) = (ready.clone(), tls.clone());
        let agree = async move {
            let io = match tls {
                None => Io::Plain(socket),
                Some(tls) => match timeout(HANDSHAKE_PATIENCE, tls.accept(socket)).await {
                    Ok(Ok(stream)) => Io::Tls(Box::new(stream)),
                    // Who does not speak TLS, or does not trust us, concerns nobody else.
                    _ => return,
                },
            };
            let _ = ready.send((Connection::of(io, place), peer)).await;
        };
        tokio::spawn(agree);
    }
}

enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection that ends when it is still for too long.
pub struct Connection {
    io: Io,
    moved: Instant,
    alarm: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    fn of(io: Io, place: OwnedSemaphorePermit) -> Self {
        let alarm = Box::pin(sleep(STILL_MAX));
        Self { io, moved: Instant::now(), alarm, _place: place }
    }

    /// Whether nothing was read or written for too long.
    fn is_still(&mut self, context: &mut Context<'_>) -> bool {
        while self.alarm.as_mut().poll(context).is_ready() {
            let end = self.moved + STILL_MAX;
            if end <= Instant::now() {
                return true;
            }
            self.alarm.as_mut().reset(end);
        }
        false
    }

    fn wrote(&mut self, written: Poll<std::io::Result<usize>>) -> Poll<std::io::Result<usize>> {
        if matches!(written, Poll::Ready(Ok(_))) {
            self.moved = Instant::now();
        }
        written
    }
}

macro_rules! io {
    ($self:expr, $io:ident => $call:expr) => {
        match &mut $self.io {
            Io::Plain(stream) => {
                let $io = Pin::new(stream);
                $call
            }
            Io::Tls(stream) => {
                let $io = Pin::new(stream.as_mut());
                $call
            }
        }
    };
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let read = io!(self, io => io.poll_read(context, into));
        match read {
            Poll::Ready(read) => {
                self.moved = Instant::now();
                Poll::Ready(read)
            }
            Poll::Pending if self.is_still(context) => {
                Poll::Ready(Err(std::io::ErrorKind::TimedOut.into()))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = io!(self, io => io.poll_write(context, bytes));
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let written = io!(self, io => io.poll_write_vectored(context, parts));
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.io {
            Io::Plain(stream) => stream.is_write_vectored(),
            Io::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        io!(self, io => io.poll_flush(context))
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        io!(self, io => io.poll_shutdown(context))
    }
}
