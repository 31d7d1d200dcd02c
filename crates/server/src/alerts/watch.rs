//! Looks at the alerts as the views change: a query a changed view and alert, at most so often that
//! looking takes a small part of the time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rialto_runtime::serving::{QueryLimits, Serving, Snapshot};
use rialto_runtime::sql::types::quote_identifier;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::book::{Alert, Book, SEVERITIES};
use super::firing::Firing;
use crate::access::now_ms;
use crate::acts;
use crate::answer::Refusal;

/// Not more often than that...
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// ...and not before so many times as long as the last look took.
const LOOK_FACTOR: u32 = 10;
/// How long a look at one alert may take.
const LOOK_TIME: Duration = Duration::from_secs(5);
/// Rows that are told of an alert that fires.
const SOME_MAX: usize = 5;

/// Which rows fulfil a condition.
#[derive(Debug, Default, Clone)]
pub struct Found {
    /// How many.
    pub rows: u64,
    /// Some of them.
    pub some: Vec<Value>,
}

/// Asks a view for the rows that fulfil a condition. Blocks.
pub fn look(
    serving: &Serving,
    snapshot: &Arc<Snapshot>,
    view: &str,
    condition: &str,
    time: Duration,
) -> Result<Found, Refusal> {
    let limits = QueryLimits { time, ..QueryLimits::default() };
    let view = quote_identifier(view);
    // On a line of its own: a comment at its end would take the parenthesis with it.
    let chosen = format!("FROM {view} WHERE (\n{condition}\n)");
    let ask = |question: String| acts::rows_within(serving, snapshot, &question, limits);
    let counted = ask(format!("SELECT COUNT(*) AS n {chosen}"))?;
    let rows = counted.first().and_then(|row| row["n"].as_u64()).unwrap_or_default();
    let some = match rows {
        0 => Vec::new(),
        _ => ask(format!("SELECT * {chosen} LIMIT {SOME_MAX}"))?,
    };
    Ok(Found { rows, some })
}

/// How an alert stands.
#[derive(Debug, Default, Clone)]
struct Standing {
    /// As of which step.
    step: Option<u64>,
    /// Since when rows fulfil its condition.
    since_ms: Option<i64>,
    found: Found,
    /// Why it cannot be looked at.
    error: Option<String>,
}

#[derive(Debug, Default)]
struct Known {
    alerts: Vec<Alert>,
    standings: BTreeMap<String, Standing>,
    /// Why the file cannot be used.
    error: Option<String>,
    /// Why it cannot be kept since when they fire.
    unkept: Option<String>,
}

/// The alerts of a project, and how they stand.
#[derive(Debug)]
pub struct Watch {
    book: Book,
    known: Mutex<Known>,
    /// Taken behind `known`, where both are.
    firing: Mutex<Firing>,
    changed: Notify,
}

impl Watch {
    /// Of a file, and of since when they fired. Nothing is looked at yet.
    pub fn new(book: Book, firing: Firing) -> Self {
        let (alerts, error) = match book.read() {
            Ok(alerts) => (alerts, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let known = Known { alerts, error, ..Known::default() };
        let (known, firing) = (Mutex::new(known), Mutex::new(firing));
        Self { book, known, firing, changed: Notify::new() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // What is known of an alert is replaced as a whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn firing(&self) -> MutexGuard<'_, Firing> {
        self.firing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an alert; it is looked at anew.
    pub fn keep(&self, alert: Alert) -> Result<(), String> {
        let mut known = self.known();
        let id = alert.id.clone();
        known.alerts = self.book.put(alert)?;
        known.standings.remove(&id);
        known.error = None;
        self.changed.notify_one();
        Ok(())
    }

    /// Forgets an alert; whether there was one.
    pub fn forget(&self, id: &str) -> Result<bool, String> {
        let mut known = self.known();
        let Some(alerts) = self.book.take(id)? else { return Ok(false) };
        known.alerts = alerts;
        known.standings.remove(id);
        Ok(true)
    }

    /// All alerts, those that fire first, the worse and older ones before the others.
    pub fn told(&self) -> Value {
        let known = self.known();
        let mut told: Vec<(&Alert, Standing)> = known
            .alerts
            .iter()
            .map(|alert| (alert, known.standings.get(&alert.id).cloned().unwrap_or_default()))
            .collect();
        told.sort_by_key(|(alert, standing)| {
            let severity = SEVERITIES.iter().position(|one| *one == alert.severity);
            (standing.since_ms.is_none(), severity, standing.since_ms, alert.id.clone())
        });
        let firing = told.iter().filter(|(_, standing)| standing.since_ms.is_some()).count();
        let alerts: Vec<Value> = told
            .into_iter()
            .map(|(alert, standing)| {
                json!({
                    "id": alert.id, "title": alert.title, "view": alert.view,
                    "condition": alert.condition, "severity": alert.severity,
                    "actor": alert.actor, "changed_ms": alert.changed_ms,
                    "step": standing.step, "is_firing": standing.since_ms.is_some(),
                    "since_ms": standing.since_ms, "rows": standing.found.rows,
                    "some": standing.found.some, "error": standing.error,
                })
            })
            .collect();
        json!({ "now_ms": now_ms(), "firing": firing, "alerts": alerts,
            "error": known.error.as_ref().or(known.unkept.as_ref()) })
    }

    /// Looks at the alerts until the job has ended.
    pub async fn run(self: Arc<Self>, serving: Arc<Serving>) {
        let mut steps = serving.steps();
        loop {
            let began = Instant::now();
            let (watch, views) = (Arc::clone(&self), Arc::clone(&serving));
            if tokio::task::spawn_blocking(move || watch.look_at_all(&views)).await.is_err() {
                return;
            }
            tokio::time::sleep(LOOK_INTERVAL.max(began.elapsed() * LOOK_FACTOR)).await;
            tokio::select! {
                // The job has ended: nothing changes any more, but alerts may.
                more = steps.changed() => if more.is_err() { self.changed.notified().await },
                () = self.changed.notified() => {}
            }
        }
    }

    fn look_at_all(&self, serving: &Serving) {
        let Ok(snapshot) = serving.snapshot(None) else { return };
        let alerts = self.known().alerts.clone();
        for alert in alerts {
            let mut before = self.known().standings.get(&alert.id).cloned().unwrap_or_default();
            if before.step.is_none() {
                // It may have fired when the job ended: then it has fired since then.
                before.since_ms = self.firing().since_ms(&alert);
            }
            if before.step.is_some_and(|step| !has_changed(serving, &alert.view, step)) {
                continue;
            }
            let standing = stand(serving, &snapshot, &alert, before);
            let mut known = self.known();
            // One that was changed meanwhile is looked at anew.
            if known.alerts.contains(&alert) {
                known.standings.insert(alert.id, standing);
            }
        }
        self.keep_firing();
    }

    /// What is not looked at yet is kept as it was.
    fn keep_firing(&self) {
        let mut known = self.known();
        let mut firing = self.firing();
        let since_ms = |alert: &Alert| match known.standings.get(&alert.id) {
            Some(standing) => standing.since_ms,
            None => firing.since_ms(alert),
        };
        let fires = |alert| Some((alert, since_ms(alert)?));
        let now: Vec<(&Alert, i64)> = known.alerts.iter().filter_map(fires).collect();
        let unkept = firing.keep(&now).err();
        known.unkept = unkept;
    }
}

/// Whether a view has changed since a step, as far as it is known.
fn has_changed(serving: &Serving, view: &str, step: u64) -> bool {
    let Ok(view) = serving.view(view) else { return false };
    serving.changes(view, step).map_or(true, |changes| !changes.changes.is_empty())
}

fn stand(serving: &Serving, snapshot: &Arc<Snapshot>, alert: &Alert, before: Standing) -> Standing {
    let step = Some(snapshot.step());
    match look(serving, snapshot, &alert.view, &alert.condition, LOOK_TIME) {
        Ok(found) => {
            let since_ms = (found.rows > 0).then(|| before.since_ms.unwrap_or_else(now_ms));
            Standing { step, since_ms, found, error: None }
        }
        // What cannot be looked at does neither fire nor rest: it stays, and says so.
        Err(refusal) => Standing { step, error: Some(refusal.said()), ..before },
    }
}
