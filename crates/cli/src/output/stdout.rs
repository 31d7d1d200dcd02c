//! The standard output.

use std::io::{self, BufWriter, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use rialto_runtime::engine::EngineError;

/// The standard output, shared by results and `print` sinks, so that their lines never mix.
///
/// It remembers when the reader has gone (`rialto … | head`): that is no failure.
#[derive(Clone)]
pub struct Stdout {
    inner: Arc<Mutex<BufWriter<io::Stdout>>>,
    closed: Arc<AtomicBool>,
}

impl Stdout {
    /// The process's standard output.
    pub fn new() -> Self {
        let inner = Arc::new(Mutex::new(BufWriter::with_capacity(1 << 16, io::stdout())));
        Self { inner, closed: Arc::default() }
    }

    /// Whether the reader has gone.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Writes a text.
    pub fn text(&self, text: &str) -> io::Result<()> {
        self.bytes(text.as_bytes())
    }

    /// Writes a text and a line end.
    pub fn line(&self, text: &str) -> io::Result<()> {
        self.text(text)?;
        self.text("\n")
    }

    /// Writes bytes.
    pub fn bytes(&self, bytes: &[u8]) -> io::Result<()> {
        self.noted(self.lock().write_all(bytes))
    }

    /// Hands everything to the reader.
    pub fn flush(&self) -> io::Result<()> {
        self.noted(self.lock().flush())
    }

    fn lock(&self) -> MutexGuard<'_, BufWriter<io::Stdout>> {
        // A poisoned lock means that another writer panicked; the stream itself is still whole.
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn noted<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && error.kind() == ErrorKind::BrokenPipe
        {
            self.closed.store(true, Ordering::Release);
        }
        result
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Stdout::flush(self)
    }
}

/// An output that cannot be written, in the words of the engine.
pub fn sink_error(error: io::Error) -> EngineError {
    EngineError::sink("the standard output", error)
}
