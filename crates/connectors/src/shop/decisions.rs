//! Decisions out of an embedded log, as rows of the event model's `decision` in JSON.
//!
//! At the beginning of an hour the world is told what has come since the hour before. Up to where
//! the log was read is noted with the hour: an hour that is traded again is told the same.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use rialto_shop::{Act, Decision};
use rialto_storage::log::{Config, LogReader, Topic};
use serde_json::{Map, Value};

use super::feed::Known;

/// The next offset of each partition.
pub(super) type Offsets = BTreeMap<u32, u64>;

/// The decisions of a log.
pub(super) struct Decisions {
    topic: Arc<Topic>,
    log: LogReader,
    next: Offsets,
    /// Records that were read and not told, by partition.
    read: BTreeMap<u32, VecDeque<(u64, Option<Decision>)>>,
}

impl std::fmt::Debug for Decisions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decisions").field("next", &self.next).finish_non_exhaustive()
    }
}

impl Decisions {
    pub fn open(folder: &Path, known: &Known) -> Result<Self, String> {
        let failed = |e: rialto_storage::log::LogError| {
            format!("the log of decisions in {} cannot be read: {e}", folder.display())
        };
        let topic = Topic::shared(folder, Config::default()).map_err(failed)?;
        let earliest = topic.earliest().map_err(failed)?;
        if !known.hours.is_empty() && earliest.iter().any(|first| *first > 0) {
            return Err(format!(
                "the log of decisions in {} has lost its first records, so that the simulated shop \
                 cannot be what it was; keep all of them (no 'retention.time', no \
                 'retention.size'), or begin anew with --fresh",
                folder.display()
            ));
        }
        let next: Offsets = (0..).zip(earliest).collect();
        let log = LogReader::new(Arc::clone(&topic), next.clone());
        Ok(Self { topic, log, next, read: BTreeMap::new() })
    }

    /// What the world is told at the beginning of an hour.
    pub fn of_hour(&mut self, hour: u64, known: &mut Known) -> Result<Vec<Decision>, String> {
        let again = hour < known.made;
        let end = match known.hours.get(&hour) {
            Some(offsets) => offsets.clone(),
            None if again => return Ok(Vec::new()),
            None => {
                let end = self.topic.end().map_err(|e| e.to_string())?;
                (0..).zip(end).collect()
            }
        };
        let mut told = Vec::new();
        for (&partition, &end) in &end {
            self.read_to(partition, end)?;
            let Some(read) = self.read.get_mut(&partition) else { continue };
            while read.front().is_some_and(|(offset, _)| *offset < end) {
                told.extend(read.pop_front().and_then(|(_, decision)| decision));
            }
        }
        if !again && self.next != end {
            known.hours.insert(hour, end.clone());
        }
        self.next = end;
        Ok(told)
    }

    /// Reads on until a partition's offset is reached.
    fn read_to(&mut self, partition: u32, end: u64) -> Result<(), String> {
        loop {
            let last = self.read.get(&partition).and_then(|read| read.back());
            let begin = self.next.get(&partition).copied().unwrap_or(0);
            if last.map_or(begin, |(offset, _)| offset + 1) >= end {
                return Ok(());
            }
            let Some(block) = self.log.next().map_err(|e| e.to_string())? else { return Ok(()) };
            let read = self.read.entry(block.partition).or_default();
            for (offset, range) in (block.first..).zip(block.ranges()) {
                let row = serde_json::from_slice(&block.values[range]).ok();
                read.push_back((offset, row.as_ref().and_then(decision)));
            }
        }
    }
}

/// The decision of a row; `None` for what is not to be carried out.
pub(super) fn decision(row: &Map<String, Value>) -> Option<Decision> {
    let text = |column: &str| row.get(column).and_then(Value::as_str);
    if text("status") != Some("applied") {
        return None;
    }
    let id = text("decision_id")?.to_owned();
    let number =
        |column: &str, prefix: &str| text(column)?.strip_prefix(prefix)?.parse::<u32>().ok();
    let amount = |column: &str| match row.get(column)? {
        Value::String(text) => text.parse::<f64>().ok(),
        other => other.as_f64(),
    };
    let sku = || number("sku", "sku-");
    let customer = || number("customer_id", "c-");
    let act = match text("decision_type")? {
        "price" => Act::Price { sku: sku()?, amount: ten_thousandths(amount("amount")?) },
        "replenish" => Act::Replenish {
            sku: sku()?,
            location: match text("location_id")? {
                "dc-1" => 0,
                store => store.strip_prefix("store-")?.parse().ok()?,
            },
            quantity: amount("quantity")? as i32,
        },
        "offer" => Act::Offer {
            customer: customer()?,
            discount: (amount("amount")?.clamp(0.0, 1.0) * 1000.0).round() as u16,
        },
        "contact" => Act::Contact { customer: customer()? },
        "recommend" => Act::Recommend { customer: customer()?, skus: shown(row.get("action")?)? },
        "budget" => Act::Budget {
            campaign: number("campaign_id", "ad-")?,
            amount: ten_thousandths(amount("amount")?),
        },
        _ => return None,
    };
    Some(Decision { id, act })
}

/// The SKUs of a list by their places: `{"01": "sku-7", "02": "sku-1"}`, or that as text.
fn shown(action: &Value) -> Option<Vec<u32>> {
    let parsed: Option<Value> = action.as_str().map(serde_json::from_str).transpose().ok()?;
    let places: BTreeMap<&String, &Value> =
        parsed.as_ref().unwrap_or(action).as_object()?.iter().collect();
    let sku = |value: &&Value| value.as_str()?.strip_prefix("sku-")?.parse().ok();
    places.values().map(sku).collect()
}

fn ten_thousandths(amount: f64) -> i64 {
    // Whole pence: what a price tag can show.
    ((amount * 100.0).round() as i64).saturating_mul(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_decisions() {
        let row = |text: &str| {
            let row = serde_json::from_str(text).ok();
            row.as_ref().and_then(decision).map(|d| d.act)
        };
        let price = r#"{"decision_id":"d","decision_type":"price","status":"applied",
            "sku":"sku-7","amount":2.4900}"#;
        assert_eq!(row(price), Some(Act::Price { sku: 7, amount: 24_900 }));
        assert_eq!(row(&price.replace("applied", "proposed")), None);
        assert_eq!(row(&price.replace("sku-7", "7")), None);
        let order = r#"{"decision_id":"d","decision_type":"replenish","status":"applied",
            "sku":"sku-1","location_id":"store-2","quantity":"12.0000"}"#;
        let expected = Act::Replenish { sku: 1, location: 2, quantity: 12 };
        assert_eq!(row(order), Some(expected));
        let offer = r#"{"decision_id":"d","decision_type":"offer","status":"applied",
            "customer_id":"c-3","amount":0.2}"#;
        assert_eq!(row(offer), Some(Act::Offer { customer: 3, discount: 200 }));
        let list = r#"{"decision_id":"d","decision_type":"recommend","status":"applied",
            "customer_id":"c-3","action":"{\"02\":\"sku-1\",\"01\":\"sku-7\"}"}"#;
        assert_eq!(row(list), Some(Act::Recommend { customer: 3, skus: vec![7, 1] }));
        assert_eq!(row(&list.replace("sku-1", "tea")), None);
        assert_eq!(row("no json"), None);
    }
}
