//! Rows on their way from one shard to another.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, UInt32Array};

use crate::circuit::{Circuit, NodeKind, Partitioning};
use crate::key::{hash_columns, shard_of};
use crate::{Delta, Deltas, Result};

/// What every shard has put down for every other at one exchange: `to` × `from`.
///
/// Used once a step: all put, all meet, each takes its own. The step's end keeps a
/// fast worker from putting the next step's rows on top.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    boxes: Vec<Vec<Mutex<Deltas>>>,
}

impl Mailbox {
    /// A mailbox for each exchange node of the circuit, `None` for other nodes.
    pub fn for_circuit(circuit: &Circuit, shards: usize) -> Vec<Option<Arc<Self>>> {
        let row = || (0..shards).map(|_| Mutex::default()).collect();
        let mailbox = || Arc::new(Self { boxes: (0..shards).map(|_| row()).collect() });
        let is_exchange = |kind: &NodeKind| matches!(kind, NodeKind::Exchange(_));
        circuit.nodes.iter().map(|n| is_exchange(&n.kind).then(mailbox)).collect()
    }

    /// Puts down what goes from one shard to another.
    pub fn put(&self, from: usize, to: usize, deltas: Deltas) {
        *self.boxes[to][from].lock().unwrap_or_else(PoisonError::into_inner) = deltas;
    }

    /// Takes everything that is meant for a shard, in the order of the senders.
    pub fn take(&self, to: usize) -> Deltas {
        let take = |m: &Mutex<Deltas>| {
            std::mem::take(&mut *m.lock().unwrap_or_else(PoisonError::into_inner))
        };
        self.boxes[to].iter().flat_map(take).collect()
    }
}

/// Cuts deltas by the shard that owns each row: one list a shard.
pub(super) fn partition(
    deltas: Deltas,
    partitioning: &Partitioning,
    shards: usize,
) -> Result<Vec<Deltas>> {
    let mut parts: Vec<Deltas> = vec![Vec::new(); shards];
    let keys = match partitioning {
        Partitioning::Single => {
            parts[0] = deltas;
            return Ok(parts);
        }
        Partitioning::Hash(keys) => keys,
    };
    let mut hashes = Vec::new();
    let mut rows_of: Vec<Vec<u32>> = vec![Vec::new(); shards];
    for delta in deltas {
        let columns: Vec<ArrayRef> = keys.iter().map(|&k| delta.column(k).clone()).collect();
        hash_columns(&columns, delta.num_rows(), &mut hashes)?;
        rows_of.iter_mut().for_each(Vec::clear);
        for (row, &hash) in hashes.iter().enumerate() {
            rows_of[shard_of(hash, shards)].push(row as u32);
        }
        for (part, rows) in parts.iter_mut().zip(&rows_of) {
            if rows.len() == delta.num_rows() {
                part.push(delta.clone());
            } else if !rows.is_empty() {
                part.push(delta.take(&UInt32Array::from(rows.clone()))?);
            }
        }
    }
    Ok(parts)
}

/// A delta per shard of an already concatenated step is never empty; drops those that are.
pub(super) fn without_empty(mut deltas: Deltas) -> Deltas {
    deltas.retain(|d: &Delta| !d.is_empty());
    deltas
}
