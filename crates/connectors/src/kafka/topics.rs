//! What a broker is asked before reading: which partitions there are, and which offsets a place of
//! the options means.

use std::collections::BTreeMap;

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::client::{KafkaConsumer, explain};
use super::options::{Place, Topics};

/// A partition of a topic.
pub(super) type Split = (String, i32);
/// An offset of each partition.
pub(super) type Offsets = BTreeMap<Split, i64>;

/// What went wrong, in words for the user.
type Failed = String;

/// The partitions that there are now, sorted. A topic that is named and is not there is an error.
pub(super) fn partitions(consumer: &KafkaConsumer, topics: &Topics) -> Result<Vec<Split>, Failed> {
    let mut found = Vec::new();
    match topics {
        Topics::List(names) => {
            for name in names {
                found.extend(of_topic(consumer, name)?);
            }
        }
        Topics::Pattern(pattern) => {
            let metadata = consumer
                .fetch_metadata(None, consumer.context().patience)
                .map_err(|e| unreachable(consumer, &e))?;
            for topic in metadata.topics() {
                if topic.error().is_none()
                    && !topic.name().starts_with("__")
                    && pattern.is_match(topic.name())
                {
                    let ids = topic.partitions().iter().map(|p| (topic.name().to_owned(), p.id()));
                    found.extend(ids);
                }
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn of_topic(consumer: &KafkaConsumer, name: &str) -> Result<Vec<Split>, Failed> {
    let metadata = consumer
        .fetch_metadata(Some(name), consumer.context().patience)
        .map_err(|e| unreachable(consumer, &e))?;
    let topic = metadata.topics().iter().find(|t| t.name() == name);
    let error = topic.and_then(|t| t.error()).map(RDKafkaErrorCode::from);
    match (topic, error) {
        (Some(topic), None) if !topic.partitions().is_empty() => {
            Ok(topic.partitions().iter().map(|p| (name.to_owned(), p.id())).collect())
        }
        (_, Some(RDKafkaErrorCode::UnknownTopicOrPartition)) | (_, None) => {
            Err(format!("the topic '{name}' does not exist"))
        }
        (_, Some(error)) => Err(format!("the topic '{name}' cannot be read: {error}")),
    }
}

/// Whether a topic is there; `None` where nobody can say.
pub(super) fn exists(consumer: &KafkaConsumer, name: &str) -> Option<bool> {
    let metadata = consumer.fetch_metadata(Some(name), consumer.context().patience).ok()?;
    let topic = metadata.topics().iter().find(|t| t.name() == name)?;
    match topic.error().map(RDKafkaErrorCode::from) {
        None => Some(!topic.partitions().is_empty()),
        Some(RDKafkaErrorCode::UnknownTopicOrPartition) => Some(false),
        Some(_) => None,
    }
}

fn unreachable(consumer: &KafkaConsumer, error: &KafkaError) -> Failed {
    format!("no broker answers: {}", explain(error, consumer.context()))
}

/// The offsets that a place means for some partitions.
pub(super) fn offsets(
    consumer: &KafkaConsumer,
    splits: &[Split],
    place: &Place,
    reset: Option<&str>,
) -> Result<Offsets, Failed> {
    match place {
        Place::Earliest => ask(consumer, splits, Offset::Beginning),
        Place::Latest => ask(consumer, splits, Offset::End),
        Place::Timestamp(ms) => timestamp(consumer, splits, *ms),
        Place::Group => group(consumer, splits, reset),
        Place::Specific(given) => {
            let rest: Vec<Split> =
                splits.iter().filter(|(_, p)| !given.contains_key(p)).cloned().collect();
            let mut found = ask(consumer, &rest, Offset::Beginning)?;
            for split in splits {
                if let Some(&offset) = given.get(&split.1) {
                    found.insert(split.clone(), offset);
                }
            }
            Ok(found)
        }
    }
}

/// The first offset at or after a time; the end where there is none.
fn timestamp(consumer: &KafkaConsumer, splits: &[Split], ms: i64) -> Result<Offsets, Failed> {
    let mut found = ask(consumer, splits, Offset::Offset(ms))?;
    let late: Vec<Split> =
        splits.iter().filter(|s| found.get(*s).is_none_or(|&o| o < 0)).cloned().collect();
    found.extend(ask(consumer, &late, Offset::End)?);
    Ok(found)
}

/// The offsets of times; the beginning and the end count as times.
fn ask(consumer: &KafkaConsumer, splits: &[Split], at: Offset) -> Result<Offsets, Failed> {
    if splits.is_empty() {
        return Ok(Offsets::new());
    }
    let asked = list(splits, at)?;
    let answer = consumer
        .offsets_for_times(asked, consumer.context().patience)
        .map_err(|e| unreachable(consumer, &e))?;
    read(&answer, |split, error| format!("no offset of {}/{}: {error}", split.0, split.1))
}

fn group(
    consumer: &KafkaConsumer,
    splits: &[Split],
    reset: Option<&str>,
) -> Result<Offsets, Failed> {
    if splits.is_empty() {
        return Ok(Offsets::new());
    }
    let answer = consumer
        .committed_offsets(list(splits, Offset::Invalid)?, consumer.context().patience)
        .map_err(|e| unreachable(consumer, &e))?;
    let mut found =
        read(&answer, |split, error| format!("no offset of {}/{}: {error}", split.0, split.1))?;
    found.retain(|_, offset| *offset >= 0);
    let new: Vec<Split> = splits.iter().filter(|s| !found.contains_key(*s)).cloned().collect();
    let Some(first) = new.first() else { return Ok(found) };
    let rest = match reset {
        Some("earliest") => ask(consumer, &new, Offset::Beginning)?,
        Some("latest") => ask(consumer, &new, Offset::End)?,
        _ => {
            return Err(format!(
                "the group has committed no offset of {}/{} (set \
                 'properties.auto.offset.reset' = 'earliest' or 'latest', or another \
                 'scan.startup.mode')",
                first.0, first.1
            ));
        }
    };
    found.extend(rest);
    Ok(found)
}

fn list(splits: &[Split], offset: Offset) -> Result<TopicPartitionList, Failed> {
    let mut list = TopicPartitionList::with_capacity(splits.len());
    for (topic, partition) in splits {
        list.add_partition_offset(topic, *partition, offset).map_err(|e| e.to_string())?;
    }
    Ok(list)
}

/// Offsets as a list of librdkafka.
pub(super) fn list_of(offsets: &Offsets) -> Result<TopicPartitionList, Failed> {
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for ((topic, partition), offset) in offsets {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset))
            .map_err(|e| e.to_string())?;
    }
    Ok(list)
}

fn read(
    answer: &TopicPartitionList,
    failed: impl Fn(&Split, KafkaError) -> Failed,
) -> Result<Offsets, Failed> {
    let mut offsets = Offsets::new();
    for element in answer.elements() {
        let split = (element.topic().to_owned(), element.partition());
        element.error().map_err(|e| failed(&split, e))?;
        let offset = match element.offset() {
            Offset::Offset(offset) => offset,
            _ => -1,
        };
        offsets.insert(split, offset);
    }
    Ok(offsets)
}
