//! A connection to a server that sends lines, kept up by a thread.

use std::io::{ErrorKind, Read};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use memchr::memchr;
use tracing::{info, warn};

use super::options::TcpOptions;

/// So much is read at once.
const CHUNK: usize = 64 << 10;
/// So many chunks wait for the reader; more stay in the server.
const CHUNKS_MAX: usize = 32;
/// A thread looks so often whether anybody still listens.
const LOOK: Duration = Duration::from_millis(200);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// What came over the socket.
pub(super) enum Message {
    /// Whole lines, without their delimiters.
    Lines(Vec<Vec<u8>>),
    /// A line that cannot be used: its beginning, and why.
    Bad(Vec<u8>, String),
    /// There will be no more.
    End,
}

/// The reading end of a connection.
pub(super) struct Socket {
    pub messages: Receiver<Message>,
    stopped: Arc<AtomicBool>,
}

impl Socket {
    /// Starts a thread that connects.
    pub fn open(options: &TcpOptions) -> std::io::Result<Self> {
        let (sender, messages) = sync_channel(CHUNKS_MAX);
        let stopped = Arc::new(AtomicBool::new(false));
        let link = Link {
            options: options.clone(),
            sender,
            stopped: Arc::clone(&stopped),
            line: Vec::new(),
            too_long: false,
        };
        std::thread::Builder::new()
            .name(format!("tcp {}", options.table))
            .spawn(move || link.run())?;
        Ok(Self { messages, stopped })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

/// Nobody listens any more.
struct Unheard;

struct Link {
    options: TcpOptions,
    sender: SyncSender<Message>,
    stopped: Arc<AtomicBool>,
    /// The line that has not ended.
    line: Vec<u8>,
    /// Whether it is longer than it may be, and its rest is left out.
    too_long: bool,
}

impl Link {
    fn run(mut self) {
        let mut pause = PAUSE_MIN;
        let mut told = false;
        while !self.is_stopped() {
            let ended = match self.connect() {
                Ok(stream) => {
                    if told {
                        info!("{}: connected", self.options.place());
                    }
                    (pause, told) = (PAUSE_MIN, false);
                    match self.follow(stream) {
                        Ok(ended) => ended,
                        Err(Unheard) => return,
                    }
                }
                Err(reason) => Some(reason),
            };
            if self.options.ends && ended.is_none() {
                // A reader that is gone needs no last word.
                drop(self.sender.send(Message::End));
                return;
            }
            if !told {
                let reason = ended.unwrap_or_else(|| "the server closed the connection".into());
                warn!("{}: {reason}; connecting again", self.options.place());
                told = true;
            }
            self.wait(pause);
            pause = (pause * 2).min(self.options.pause_max);
        }
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    fn wait(&self, pause: Duration) {
        let mut left = pause;
        while !left.is_zero() && !self.is_stopped() {
            let part = left.min(LOOK);
            std::thread::sleep(part);
            left -= part;
        }
    }

    fn connect(&self) -> Result<TcpStream, String> {
        let name = (self.options.hostname.as_str(), self.options.port);
        let mut last = "the name has no address".to_owned();
        for address in name.to_socket_addrs().map_err(|e| e.to_string())? {
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(LOOK)).map_err(|e| e.to_string())?;
                    return Ok(stream);
                }
                Err(error) => last = error.to_string(),
            }
        }
        Err(last)
    }

    /// Passes on what comes, until the connection ends: well, or with a reason.
    fn follow(&mut self, mut stream: TcpStream) -> Result<Option<String>, Unheard> {
        let mut chunk = vec![0; CHUNK];
        loop {
            if self.is_stopped() {
                return Err(Unheard);
            }
            match stream.read(&mut chunk) {
                Ok(0) => {
                    // What stands behind the last delimiter is a line as well.
                    let mut lines = Vec::new();
                    if !self.line.is_empty() {
                        self.end_line(&mut lines)?;
                    }
                    self.pass(lines)?;
                    return Ok(None);
                }
                Ok(read) => {
                    let lines = self.cut(&chunk[..read])?;
                    self.pass(lines)?;
                }
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    let line = std::mem::take(&mut self.line);
                    self.too_long = false;
                    if !line.is_empty() {
                        let reason = format!("the connection broke within the line: {error}");
                        self.send(Message::Bad(line, reason))?;
                    }
                    return Ok(Some(error.to_string()));
                }
            }
        }
    }

    /// The lines that end in a chunk.
    fn cut(&mut self, mut chunk: &[u8]) -> Result<Vec<Vec<u8>>, Unheard> {
        let mut lines = Vec::new();
        while let Some(end) = memchr(self.options.delimiter, chunk) {
            self.extend(&chunk[..end]);
            chunk = &chunk[end + 1..];
            self.end_line(&mut lines)?;
        }
        self.extend(chunk);
        Ok(lines)
    }

    fn extend(&mut self, part: &[u8]) {
        let room = self.options.line_bytes_max.saturating_sub(self.line.len());
        if part.len() > room {
            self.too_long = true;
        }
        self.line.extend_from_slice(&part[..part.len().min(room)]);
    }

    fn end_line(&mut self, lines: &mut Vec<Vec<u8>>) -> Result<(), Unheard> {
        let mut line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.too_long) {
            self.pass(std::mem::take(lines))?;
            let max = self.options.line_bytes_max;
            let reason = format!("the line is longer than {max} bytes ('scan.line.size-max')");
            return self.send(Message::Bad(line, reason));
        }
        if self.options.delimiter == b'\n' && line.last() == Some(&b'\r') {
            line.pop();
        }
        lines.push(line);
        Ok(())
    }

    fn pass(&self, lines: Vec<Vec<u8>>) -> Result<(), Unheard> {
        if lines.is_empty() { Ok(()) } else { self.send(Message::Lines(lines)) }
    }

    fn send(&self, message: Message) -> Result<(), Unheard> {
        self.sender.send(message).map_err(|_| Unheard)
    }
}
