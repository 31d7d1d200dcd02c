//! The few calls of librdkafka that its safe wrapper does not have: messages in batches from the
//! queue of one partition, and into the buffer of a producer, the leader's epoch, and headers
//! whatever the bytes of their names (the wrapper panics where a name is no UTF-8). The only unsafe
//! code of the connectors.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::marker::PhantomData;
use std::ptr;
use std::sync::Arc;

use rdkafka::bindings as native;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer;

use super::client::{KafkaConsumer, KafkaProducer};
use super::outbox::Record;

/// The messages that were fetched from one partition and wait to be taken.
///
/// librdkafka fetches ahead up to a number of bytes, and no further: a queue that nobody empties
/// holds its partition back, and no other one.
pub(super) struct PartitionQueue {
    queue: *mut native::rd_kafka_queue_t,
    /// A queue must not outlive its client.
    _consumer: Arc<KafkaConsumer>,
}

// SAFETY: librdkafka's queues may be used from any thread; this one has a single owner.
unsafe impl Send for PartitionQueue {}

impl PartitionQueue {
    /// The queue of a partition, cut off from the queue of the consumer. To be called before the
    /// partition is assigned, or else its first messages may go to the consumer's queue. `None` for
    /// a name that no topic can have.
    pub fn new(consumer: &Arc<KafkaConsumer>, topic: &str, partition: i32) -> Option<Self> {
        let topic = CString::new(topic).ok()?;
        let client = consumer.client().native_ptr();
        // SAFETY: the client lives as long as `consumer`, which is kept; the name is a C string.
        let queue =
            unsafe { native::rd_kafka_queue_get_partition(client, topic.as_ptr(), partition) };
        if queue.is_null() {
            return None;
        }
        // SAFETY: the queue is not null; no destination means that it keeps what is its.
        unsafe { native::rd_kafka_queue_forward(queue, ptr::null_mut()) };
        Some(Self { queue, _consumer: Arc::clone(consumer) })
    }

    /// How many messages (and events) wait.
    pub fn len(&self) -> usize {
        // SAFETY: the queue lives until it is dropped.
        unsafe { native::rd_kafka_queue_length(self.queue) }
    }

    /// Up to `messages_max` messages that are there now.
    pub fn poll(&mut self, messages_max: usize) -> Batch<'_> {
        let mut messages: Vec<*mut native::rd_kafka_message_t> = Vec::with_capacity(messages_max);
        // SAFETY: there is room for `messages_max` pointers, and librdkafka says how many it wrote.
        unsafe {
            let taken = native::rd_kafka_consume_batch_queue(
                self.queue,
                0,
                messages.as_mut_ptr(),
                messages_max,
            );
            messages.set_len(usize::try_from(taken).unwrap_or(0).min(messages_max));
        }
        Batch { messages, queue: PhantomData }
    }
}

impl Drop for PartitionQueue {
    fn drop(&mut self) {
        // SAFETY: the queue was ours alone, and its client is still there.
        unsafe { native::rd_kafka_queue_destroy(self.queue) };
    }
}

/// No partition: `RD_KAFKA_PARTITION_UA`, a macro, which bindings do not have.
const PARTITION_UA: i32 = -1;

/// The buffer of a producer, for the records of one topic.
///
/// A call for each record looks the topic up and takes five locks; of a call for many, each record
/// of a partition takes two.
pub(super) struct TopicQueue<'p> {
    topic: *mut native::rd_kafka_topic_t,
    producer: &'p KafkaProducer,
}

impl<'p> TopicQueue<'p> {
    /// Fails for a name that no topic can have.
    pub fn open(producer: &'p KafkaProducer, topic: &str) -> Result<Self, KafkaError> {
        let name = CString::new(topic)?;
        let client = producer.client().native_ptr();
        // SAFETY: the client lives as long as `producer`, which is borrowed; the name is a C
        // string, and no configuration means that of the client.
        let topic = unsafe { native::rd_kafka_topic_new(client, name.as_ptr(), ptr::null_mut()) };
        if topic.is_null() {
            return Err(KafkaError::MessageProduction(RDKafkaErrorCode::InvalidTopic));
        }
        Ok(Self { topic, producer })
    }

    pub fn producer(&self) -> &'p KafkaProducer {
        self.producer
    }

    /// Copies keys and values into the buffer, in order, for one partition or, without one, for
    /// that of each key. Answers how many found a place: fewer than all where the buffer is full.
    pub fn produce(
        &self,
        partition: Option<i32>,
        records: &[Record<'_>],
    ) -> Result<usize, KafkaError> {
        let part = |bytes: Option<&[u8]>| match bytes {
            Some(bytes) => (bytes.as_ptr().cast_mut().cast(), bytes.len()),
            None => (ptr::null_mut(), 0),
        };
        let mut messages: Vec<native::rd_kafka_message_t> = records
            .iter()
            .map(|record| {
                let ((payload, len), (key, key_len)) = (part(record.value), part(record.key));
                native::rd_kafka_message_t {
                    err: native::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR,
                    rkt: ptr::null_mut(),
                    partition: 0,
                    payload,
                    len,
                    key,
                    key_len,
                    offset: 0,
                    _private: ptr::null_mut(),
                }
            })
            .collect();
        let count = i32::try_from(messages.len()).unwrap_or(i32::MAX);
        // SAFETY: the topic is alive; the messages are `count`, and point to bytes that outlive
        // the call, which copies them and writes to none: so it is documented for this flag.
        unsafe {
            native::rd_kafka_produce_batch(
                self.topic,
                partition.unwrap_or(PARTITION_UA),
                native::RD_KAFKA_MSG_F_COPY,
                messages.as_mut_ptr(),
                count,
            );
        }
        use native::rd_kafka_resp_err_t as Code;
        // Once the buffer is full it takes none of those behind.
        let mut taken = 0;
        for message in &messages {
            match message.err {
                Code::RD_KAFKA_RESP_ERR_NO_ERROR => taken += 1,
                Code::RD_KAFKA_RESP_ERR__QUEUE_FULL => break,
                error => return Err(KafkaError::MessageProduction(error.into())),
            }
        }
        Ok(taken)
    }
}

impl Drop for TopicQueue<'_> {
    fn drop(&mut self) {
        // SAFETY: the handle was ours, and its client is still there.
        unsafe { native::rd_kafka_topic_destroy(self.topic) };
    }
}

/// Messages that were taken from a queue.
pub(super) struct Batch<'q> {
    messages: Vec<*mut native::rd_kafka_message_t>,
    queue: PhantomData<&'q mut PartitionQueue>,
}

impl Batch<'_> {
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = Message<'_>> {
        // SAFETY: the pointers came from librdkafka and are destroyed with the batch only.
        self.messages.iter().map(|&message| Message(unsafe { &*message }))
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        for &message in &self.messages {
            // SAFETY: each message is destroyed once, here.
            unsafe { native::rd_kafka_message_destroy(message) };
        }
    }
}

/// A message, or the news of an error of its partition.
#[derive(Clone, Copy)]
pub(super) struct Message<'b>(&'b native::rd_kafka_message_t);

impl<'b> Message<'b> {
    /// The error that stands in the place of a message, and its text.
    pub fn error(self) -> Option<(RDKafkaErrorCode, String)> {
        if self.0.err == native::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return None;
        }
        let code = RDKafkaErrorCode::from(self.0.err);
        let text = self.payload().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        Some((code, text.unwrap_or_else(|| code.to_string())))
    }

    /// The value; `None` is a tombstone.
    pub fn payload(self) -> Option<&'b [u8]> {
        bytes(self.0.payload, self.0.len)
    }

    pub fn key(self) -> Option<&'b [u8]> {
        bytes(self.0.key, self.0.key_len)
    }

    pub fn offset(self) -> i64 {
        self.0.offset
    }

    /// Milliseconds of the epoch, and whether the broker set them (or the producer did); `None`
    /// where there is no timestamp.
    pub fn timestamp(self) -> Option<(i64, bool)> {
        let mut kind = native::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive, and `kind` is written to.
        let ms = unsafe { native::rd_kafka_message_timestamp(self.0, &mut kind) };
        use native::rd_kafka_timestamp_type_t as Kind;
        match kind {
            Kind::RD_KAFKA_TIMESTAMP_CREATE_TIME => Some((ms, false)),
            Kind::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME => Some((ms, true)),
            _ => None,
        }
    }

    /// The epoch of the leader that wrote the message.
    pub fn leader_epoch(self) -> Option<i32> {
        // SAFETY: the message is alive.
        let epoch = unsafe { native::rd_kafka_message_leader_epoch(self.0) };
        (epoch >= 0).then_some(epoch)
    }

    /// The headers, in order.
    pub fn headers(self) -> Vec<(&'b [u8], Option<&'b [u8]>)> {
        let mut headers = ptr::null_mut();
        let mut out = Vec::new();
        // SAFETY: the message is alive; the headers belong to it and live as long.
        unsafe {
            let found = native::rd_kafka_message_headers(self.0, &mut headers);
            if found != native::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return out;
            }
            for index in 0.. {
                let (mut name, mut value, mut len) = (ptr::null(), ptr::null(), 0);
                let found = native::rd_kafka_header_get_all(
                    headers, index, &mut name, &mut value, &mut len,
                );
                if found != native::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                    break;
                }
                out.push((CStr::from_ptr(name).to_bytes(), bytes(value, len)));
            }
        }
        out
    }
}

fn bytes<'b>(start: *const std::ffi::c_void, len: usize) -> Option<&'b [u8]> {
    if start.is_null() {
        return None;
    }
    // SAFETY: librdkafka gives a start and a length of bytes that live as long as the message,
    // which every caller's lifetime is bound to.
    Some(unsafe { std::slice::from_raw_parts(start.cast(), len) })
}
