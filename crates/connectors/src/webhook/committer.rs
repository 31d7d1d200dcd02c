//! Requests one after the other, with pauses where the server asks for them.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant};

use rialto_engine::{CommitError, Committer, EngineError};
use tracing::warn;

use super::options::{Calls, OnRefused};
use super::sender::{Outcome, Sender};
use super::sink::Header;

/// Sends what a sink has prepared.
pub(super) struct WebhookCommitter {
    calls: Calls,
    sender: Option<Sender>,
    /// The epoch that was not sent to its end, and the next request of it.
    progress: Option<(String, u64, usize)>,
    breaker: Breaker,
    /// Requests that the server refused and the table says to drop.
    dropped: u64,
}

/// When the server may be asked again.
struct Breaker {
    /// How often it was not there in a row.
    failures: u32,
    not_before: Option<Instant>,
    last: String,
}

impl Breaker {
    /// How long it is until then.
    fn pause(&self) -> Option<Duration> {
        let left = self.not_before?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    fn close(&mut self) {
        self.failures = 0;
        self.not_before = None;
    }

    /// Notes a failure, and when to try again: after a pause that doubles, longer if the server
    /// asks for it, and after many failures in a row only now and then.
    fn open(&mut self, calls: &Calls, reason: String, asked: Option<Duration>) {
        self.failures = self.failures.saturating_add(1);
        let (first, longest) = calls.pause;
        let doubled = first.saturating_mul(1 << (self.failures - 1).min(20)).min(longest);
        let mut pause = jittered(doubled);
        if self.failures >= calls.breaker_failures {
            pause = pause.max(jittered(calls.breaker_pause));
        }
        self.not_before = Some(Instant::now() + pause.max(asked.unwrap_or_default()));
        self.last = reason;
    }
}

/// A random time between half and the whole: many who failed together do not come back together.
fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() % 1000;
    pause.mul_f64(0.5 + random as f64 / 2000.0)
}

impl WebhookCommitter {
    pub fn new(calls: Calls) -> Self {
        let breaker = Breaker { failures: 0, not_before: None, last: String::new() };
        Self { calls, sender: None, progress: None, breaker, dropped: 0 }
    }

    fn away(&self, reason: &str) -> CommitError {
        CommitError::Away(EngineError::sink(self.calls.place(), reason))
    }

    fn refused(&self, reason: &str) -> CommitError {
        CommitError::Refused(EngineError::sink(self.calls.place(), reason))
    }

    /// Sends the requests that were not sent yet.
    fn send(&mut self, header: &Header, bodies: &[&[u8]]) -> Result<(), CommitError> {
        let begun = self.progress.take().filter(|p| (&p.0, p.1) == (&header.run, header.epoch));
        let mut next = begun.map_or(0, |p| p.2);
        while next < bodies.len() {
            let done = self.send_one(header, bodies[next], next);
            if let Err(error) = done {
                self.progress = Some((header.run.clone(), header.epoch, next));
                return Err(error);
            }
            next += 1;
        }
        Ok(())
    }

    fn send_one(&mut self, header: &Header, body: &[u8], at: usize) -> Result<(), CommitError> {
        if let Some(pause) = self.breaker.pause() {
            let (last, failures) = (&self.breaker.last, self.breaker.failures);
            return Err(self.away(&format!(
                "{last}; {failures} in a row, the next try is in {:.1} s",
                pause.as_secs_f64()
            )));
        }
        let sender = match self.sender.take() {
            Some(sender) => sender,
            None => Sender::new(&self.calls).map_err(|reason| self.refused(&reason))?,
        };
        let key = format!("{}-{}-{at}", header.run, header.epoch);
        let outcome = sender.send(&self.calls, &key, body);
        self.sender = Some(sender);
        match outcome {
            Outcome::Taken => self.breaker.close(),
            Outcome::Later(reason, asked) => {
                let error = self.away(&reason);
                self.breaker.open(&self.calls, reason, asked);
                return Err(error);
            }
            Outcome::Refused(reason) if self.calls.on_refused == OnRefused::Drop => {
                self.breaker.close();
                self.dropped += 1;
                let (place, dropped) = (self.calls.place(), self.dropped);
                warn!("{place}: {reason}; the request {key} is dropped, {dropped} so far");
            }
            Outcome::Refused(reason) => {
                return Err(self.refused(&format!(
                    "{reason}; the request {key} will not be taken ('sink.on-refused' = 'drop' \
                     leaves out what is refused)"
                )));
            }
        }
        Ok(())
    }
}

impl Committer for WebhookCommitter {
    fn commit(&mut self, _: u64, prepared: &[u8]) -> Result<(), CommitError> {
        if prepared.is_empty() {
            return Ok(());
        }
        let read = Header::read(prepared).map_err(|reason| {
            self.refused(&format!("what the checkpoint keeps of an epoch is not ours: {reason}"))
        });
        let (header, bodies) = read?;
        self.send(&header, &bodies)
    }
}
