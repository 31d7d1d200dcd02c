//! Clients of a broker: what they are made from, and how they tell of trouble.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, DeliveryResult, ProducerContext};

use crate::spec::Output;

pub(super) type KafkaConsumer = BaseConsumer<Context>;
pub(super) type KafkaProducer = BaseProducer<Context>;

/// The same warning is not repeated sooner than this.
const WARNING_PAUSE: Duration = Duration::from_secs(30);

/// Hears what a client has to say.
pub(super) struct Context {
    /// Names the table in warnings.
    table: String,
    /// How long a broker is waited for that is asked something.
    pub patience: Duration,
    stderr: Output,
    said: Mutex<Said>,
}

#[derive(Default)]
struct Said {
    warned: Option<Instant>,
    /// The last trouble with a broker, to explain a time-out with.
    trouble: Option<String>,
    /// The first record that could not be delivered, and why.
    undelivered: Option<RDKafkaErrorCode>,
}

impl Context {
    pub fn new(table: &str, patience: Duration, stderr: &Output) -> Self {
        let said = Mutex::default();
        Self { table: table.to_owned(), patience, stderr: stderr.clone(), said }
    }

    fn said(&self) -> std::sync::MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last trouble with a broker.
    pub fn trouble(&self) -> Option<String> {
        self.said().trouble.clone()
    }

    /// Takes the error of the first record that could not be delivered.
    pub fn take_undelivered(&self) -> Option<RDKafkaErrorCode> {
        self.said().undelivered.take()
    }

    /// Tells the user of trouble that may pass by itself, not too often.
    pub fn warn(&self, text: &str) {
        let mut said = self.said();
        if said.warned.is_some_and(|at| at.elapsed() < WARNING_PAUSE) {
            return;
        }
        said.warned = Some(Instant::now());
        drop(said);
        if let Ok(mut out) = self.stderr.lock() {
            // A warning that cannot be written is not worth stopping for.
            let _ = writeln!(out, "warning: table '{}': {text}", self.table);
        }
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, _: &str, message: &str) {
        if matches!(
            level,
            RDKafkaLogLevel::Emerg
                | RDKafkaLogLevel::Alert
                | RDKafkaLogLevel::Critical
                | RDKafkaLogLevel::Error
        ) {
            self.said().trouble = Some(plain(message));
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.said().trouble = Some(plain(reason));
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            self.warn(&format!("no broker can be reached, trying again ({})", plain(reason)));
        }
    }
}

/// A message of librdkafka without the name of the thread that it starts with.
fn plain(message: &str) -> String {
    match message.strip_prefix("[thrd:").and_then(|m| m.split_once("]: ")) {
        Some((_, rest)) => rest.to_owned(),
        None => message.to_owned(),
    }
}

impl ConsumerContext for Context {}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result
            && let Some(code) = error.rdkafka_error_code()
        {
            self.said().undelivered.get_or_insert(code);
        }
    }
}

/// An error of a client in words, with the last trouble where the error itself says little.
pub(super) fn explain(error: &KafkaError, context: &Context) -> String {
    let text = match error {
        KafkaError::Transaction(error) => error.string(),
        other => match other.rdkafka_error_code() {
            Some(code) => code.to_string(),
            None => other.to_string(),
        },
    };
    match context.trouble() {
        Some(trouble) if !text.contains(&trouble) => format!("{text}; {trouble}"),
        _ => text,
    }
}
