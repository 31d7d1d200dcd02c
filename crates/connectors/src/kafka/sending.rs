//! Epochs of records, each in the topic at least once.
//!
//! What an epoch has written lies in its checkpoint until all of it is acknowledged. Where some of
//! it is not, all of it is sent again: so a broker that is away for a while costs records that come
//! twice, and the job nothing. Within an epoch, and from one to the next, records of a partition
//! stay in order; of an epoch that is sent again the first ones come once more behind its last.

use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer;
use rialto_engine::{CommitError, Committer};

use super::outbox::Outbox;
use super::producer::{Client, TopicProducer};
use super::transaction::is_away;

/// How long a record may wait to be delivered before its epoch is given up, and sent again.
const DELIVERY_TIMEOUT_MS: &str = "30000";

/// Sends epochs. See the module's documentation.
pub(super) struct Sending {
    client: Client,
    producer: Option<TopicProducer>,
    /// The last epoch that was acknowledged, and whose it was.
    done: Option<(String, u64)>,
}

impl Sending {
    pub fn new(client: Client) -> Self {
        Self { client, producer: None, done: None }
    }

    fn open(&mut self) -> Result<&mut TopicProducer, CommitError> {
        let producer = match self.producer.take() {
            Some(producer) => producer,
            None => {
                let mut config = self.client.producer_config().map_err(CommitError::Refused)?;
                if config.get("delivery.timeout.ms").is_none() {
                    config.set("delivery.timeout.ms", DELIVERY_TIMEOUT_MS);
                }
                self.client.producer(&config)?
            }
        };
        Ok(self.producer.insert(producer))
    }

    fn send(&mut self, outbox: &Outbox) -> Result<(), CommitError> {
        let client = self.client.clone();
        let producer = self.open()?;
        producer.send(outbox.records()).map_err(|e| {
            let reason = producer.explain(&e);
            if is_away(&e) { client.away(reason) } else { client.refused(reason) }
        })?;
        while producer.in_flight_count() > 0 {
            // A time-out of this call is none of a record's: those have one of their own.
            let _ = producer.flush(Duration::from_millis(500));
        }
        match producer.context().take_undelivered() {
            None => Ok(()),
            Some(code) => {
                let error = KafkaError::MessageProduction(code);
                let reason = format!("a record was not delivered: {}", producer.explain(&error));
                // A producer that lost count of what it sent is of no use; another one is.
                match is_away(&error) || code == RDKafkaErrorCode::Fatal {
                    true => Err(client.away(reason)),
                    false => Err(client.refused(reason)),
                }
            }
        }
    }
}

impl Committer for Sending {
    fn commit(&mut self, epoch: u64, prepared: &[u8]) -> Result<(), CommitError> {
        let (run, _, outbox) =
            Outbox::decode(prepared).map_err(|reason| self.client.refused(reason))?;
        if self.done.as_ref().is_some_and(|(whose, done)| *whose == run && epoch <= *done) {
            return Ok(());
        }
        let sent = self.send(&outbox);
        match &sent {
            Ok(()) => self.done = Some((run, epoch)),
            // What it still holds is sent again, by another one.
            Err(_) => self.producer = None,
        }
        sent
    }
}
