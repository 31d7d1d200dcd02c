//! The bytes of a request: bounded, and bounded together.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, StatusCode, header};
use flate2::read::MultiGzDecoder;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::answer::Refusal;

/// All requests together hold at most so many bytes; several times that while they are decoded.
const BODIES_BYTES_MAX: usize = 64 << 20;
/// The unit in which they are counted.
const UNIT: usize = 1024;
/// How long a request waits for others to end.
const ROOM_PATIENCE: Duration = Duration::from_secs(1);
/// How long a request may take to arrive.
const ARRIVAL_PATIENCE: Duration = Duration::from_secs(30);

/// The bytes of the requests that are being read or taken.
#[derive(Debug)]
pub struct Bodies {
    room: Arc<Semaphore>,
}

impl Default for Bodies {
    fn default() -> Self {
        Self { room: Arc::new(Semaphore::new(BODIES_BYTES_MAX / UNIT)) }
    }
}

/// A body that has arrived, and its share of the room.
pub struct Arrived {
    bytes: Bytes,
    is_gzip: bool,
    bytes_max: usize,
    _room: OwnedSemaphorePermit,
}

impl Bodies {
    /// Reads the body of a request, of at most so many bytes.
    pub async fn read(
        &self,
        headers: &HeaderMap,
        body: Body,
        bytes_max: usize,
    ) -> Result<Arrived, Refusal> {
        let is_gzip = is_gzip(headers)?;
        let said = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
        if said.is_some_and(|said: usize| said > bytes_max) {
            return Err(too_large(bytes_max));
        }
        // What is packed, or comes in chunks, may become as large as the bound.
        let needed = if is_gzip { bytes_max } else { said.unwrap_or(bytes_max) };
        let units = needed.div_ceil(UNIT).clamp(1, BODIES_BYTES_MAX / UNIT) as u32;
        let room = Arc::clone(&self.room).acquire_many_owned(units);
        let room = match tokio::time::timeout(ROOM_PATIENCE, room).await {
            Ok(Ok(room)) => room,
            _ => return Err(busy("too many requests are being taken")),
        };
        let bytes = match tokio::time::timeout(ARRIVAL_PATIENCE, to_bytes(body, bytes_max)).await {
            Err(_) => {
                let error = format!("the body took more than {} s", ARRIVAL_PATIENCE.as_secs());
                return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, error));
            }
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) if is_limit(&error) => return Err(too_large(bytes_max)),
            Ok(Err(error)) => {
                let error = format!("the body broke off: {error}");
                return Err(Refusal::new(StatusCode::BAD_REQUEST, error));
            }
        };
        Ok(Arrived { bytes, is_gzip, bytes_max, _room: room })
    }
}

impl Arrived {
    /// The body, unpacked; at most as large as the bound, whatever it was packed to.
    pub fn unpack(&self) -> Result<Bytes, Refusal> {
        if !self.is_gzip {
            return Ok(self.bytes.clone());
        }
        let mut plain = Vec::new();
        let limit = self.bytes_max as u64 + 1;
        let read = MultiGzDecoder::new(self.bytes.as_ref()).take(limit).read_to_end(&mut plain);
        match read {
            Ok(_) if plain.len() > self.bytes_max => Err(too_large(self.bytes_max)),
            Ok(_) => Ok(plain.into()),
            Err(error) => {
                let error = format!("the body is not gzip: {error}");
                Err(Refusal::new(StatusCode::BAD_REQUEST, error))
            }
        }
    }
}

fn is_gzip(headers: &HeaderMap) -> Result<bool, Refusal> {
    let Some(encoding) = headers.get(header::CONTENT_ENCODING) else { return Ok(false) };
    match encoding.to_str().map(|e| e.trim().to_ascii_lowercase()).as_deref() {
        Ok("gzip" | "x-gzip") => Ok(true),
        Ok("identity" | "") => Ok(false),
        _ => {
            let error = "the body is packed in a way that is not known";
            let refusal = Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error);
            Err(refusal.hint("use 'Content-Encoding: gzip', or none"))
        }
    }
}

fn is_limit(error: &axum::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if inner.to_string().contains("length limit exceeded") {
            return true;
        }
        source = inner.source();
    }
    error.to_string().contains("length limit exceeded")
}

fn too_large(bytes_max: usize) -> Refusal {
    let error = format!("the body is larger than {bytes_max} bytes, unpacked");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error)
        .hint("send fewer rows at once, or raise the table's 'http.body.size-max'")
}

/// Too much is going on.
pub fn busy(why: &str) -> Refusal {
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, format!("{why}; nothing was stored"))
        .hint("send the same request again after the time that Retry-After says")
        .retry_after(1)
}
