//! Which row the database refuses, and which of its columns.
//!
//! A statement over many rows fails as a whole and the server does not always say why. So the rows
//! are sent again and tried in halves, and nothing of it is kept.

use tokio_postgres::{Client, Error};

use super::client::{quoted, told};
use super::committer::stage;
use super::merge::{Merge, STAGE};
use super::outbox::Header;

/// Looking for a row may take so long; what the server said has to do without.
const LIMIT: &str = "SET LOCAL statement_timeout = '20s'";
/// More rows than these are not tried.
const ROWS_MAX: u64 = 2_000_000;
/// How much of a value is shown.
const SHOWN_MAX: usize = 100;

/// Whether an error is about values: of their form (22), of constraints (23), of a view's check.
pub(super) fn is_about_data(error: &Error) -> bool {
    error.code().is_some_and(|code| {
        let code = code.code();
        code.starts_with("22")
            || code.starts_with("23")
            || code.starts_with("P0")
            || code == "44000"
    })
}

/// Finds the row: `; the row has the key (id = 7), column 'price'`. Nothing where it cannot.
pub(super) async fn culprit(
    client: &Client,
    merge: &Merge,
    header: &Header,
    rows: &[u8],
) -> Option<String> {
    if header.rows > ROWS_MAX {
        return None;
    }
    client.batch_execute("ROLLBACK").await.ok()?;
    client.batch_execute("BEGIN").await.ok()?;
    client.batch_execute(LIMIT).await.ok()?;
    // What would only be checked at the end of the transaction is checked now.
    client.batch_execute("SET CONSTRAINTS ALL IMMEDIATE").await.ok()?;
    stage(client, merge, rows).await.ok()?;
    if !fails(client, merge, header.rows).await? {
        return None;
    }
    // The least number of rows that fail: the last of them is the one.
    let (mut good, mut bad) = (0, header.rows);
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        match fails(client, merge, middle).await {
            Some(true) => bad = middle,
            Some(false) => good = middle,
            None => return None,
        }
    }
    let row = bad as i64 - 1;
    let found = describe(client, merge, row).await;
    client.batch_execute("ROLLBACK").await.ok()?;
    found
}

/// Whether the first rows fail; `None` where the session did.
async fn fails(client: &Client, merge: &Merge, rows: u64) -> Option<bool> {
    client.batch_execute("SAVEPOINT trial").await.ok()?;
    let last = rows as i64 - 1;
    let mut done = Ok(0);
    if let Some(delete) = &merge.delete_sql {
        done = client.execute(delete.as_str(), &[&0i64, &last]).await;
    }
    if done.is_ok() {
        done = client.execute(merge.insert_sql.as_str(), &[&0i64, &last]).await;
    }
    client.batch_execute("ROLLBACK TO SAVEPOINT trial").await.ok()?;
    match done {
        Ok(_) => Some(false),
        Err(error) if is_about_data(&error) => Some(true),
        Err(_) => None,
    }
}

async fn describe(client: &Client, merge: &Merge, row: i64) -> Option<String> {
    let keys: Vec<usize> = match merge.table.keys.first() {
        Some(key) => (0..merge.targets.len())
            .filter(|&at| key.columns.iter().any(|k| quoted(k) == merge.targets[at].sql))
            .collect(),
        None => Vec::new(),
    };
    let shown: Vec<usize> = match keys.is_empty() {
        true => (0..merge.targets.len().min(8)).collect(),
        false => keys,
    };
    let list: Vec<String> = shown.iter().map(|at| format!("s.c{at}::text")).collect();
    let sql = format!("SELECT {} FROM {STAGE} s WHERE s.n = $1", list.join(", "));
    let values = client.query_one(&sql, &[&row]).await.ok()?;
    let value = |(place, at): (usize, &usize)| {
        let text: Option<String> = values.get(place);
        let text = text.map_or("NULL".to_owned(), |text| shortened(&text));
        format!("{} = {text}", merge.targets[*at].ours)
    };
    let values: Vec<String> = shown.iter().enumerate().map(value).collect();
    let mut text = format!("; the row is the one with {}", values.join(", "));
    if let Some((column, reason)) = bad_column(client, merge, row).await {
        text += &format!("; its column '{column}' cannot be what the database wants: {reason}");
    }
    Some(text)
}

/// The column whose value does not fit its type.
async fn bad_column(client: &Client, merge: &Merge, row: i64) -> Option<(String, String)> {
    for target in &merge.targets {
        client.batch_execute("SAVEPOINT trial").await.ok()?;
        // A cast that is said would cut a text to its length: an assignment does not.
        let limited = target.shown.strip_prefix("character").and_then(|rest| {
            rest.rsplit_once('(')?.1.trim_end_matches([')', ']', '[']).parse::<i32>().ok()
        });
        let sql = match limited {
            Some(length) => format!(
                "SELECT CASE WHEN length(({})::text) > {length} THEN 1 ELSE 0 END FROM {STAGE} s \
                 WHERE s.n = $1",
                target.from
            ),
            None => format!(
                "SELECT CASE WHEN ({})::{} IS NULL THEN 0 ELSE 0 END FROM {STAGE} s WHERE s.n = $1",
                target.from, target.shown
            ),
        };
        let done = client.query_one(&sql, &[&row]).await;
        client.batch_execute("ROLLBACK TO SAVEPOINT trial").await.ok()?;
        match done {
            Err(error) if is_about_data(&error) => {
                return Some((target.ours.clone(), told(&error)));
            }
            Ok(found) if found.get::<_, i32>(0) == 1 => {
                let reason = format!("it is too long for {}", target.shown);
                return Some((target.ours.clone(), reason));
            }
            _ => {}
        }
    }
    None
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("'{}…'", &text[..end]),
        None => format!("'{text}'"),
    }
}
