//! What keeps the server from being ready.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use rialto_connectors::Ingest;

/// Reasons against being ready, each of somebody who may take it back.
#[derive(Debug)]
pub struct Health {
    tables: Vec<Arc<Ingest>>,
    reasons: Mutex<BTreeMap<String, String>>,
}

impl Health {
    pub(crate) fn new(tables: Vec<Arc<Ingest>>) -> Self {
        Self { tables, reasons: Mutex::default() }
    }

    /// Somebody says why the server is not ready.
    pub fn not_ready(&self, who: &str, reason: &str) {
        self.reasons().insert(who.to_owned(), reason.to_owned());
    }

    /// Somebody has nothing against it any more.
    pub fn ready(&self, who: &str) {
        self.reasons().remove(who);
    }

    /// All that is against it: who and why.
    pub fn reasons_now(&self) -> Vec<(String, String)> {
        let mut all: Vec<_> =
            self.reasons().iter().map(|(who, why)| (who.clone(), why.clone())).collect();
        for table in &self.tables {
            if let Some(why) = table.failure() {
                all.push((format!("table '{}'", table.table()), why));
            }
        }
        all
    }

    fn reasons(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        // A map of strings is whole between any two calls.
        self.reasons.lock().unwrap_or_else(|e| e.into_inner())
    }
}
