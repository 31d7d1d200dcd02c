//! The table in the database that knows which epochs are in it.
//!
//! A row is a run of a sink and the last of its epochs that was committed; it is written in the
//! transaction of the epoch's rows. The run with the highest generation of a sink's name is the one
//! that may write: it takes the name over when it first comes, and an older run that is still
//! alive is refused.

use tokio_postgres::Client;

use super::catalog::PgTable;
use super::client::{Trouble, quoted};

/// So many runs of a sink are remembered: a checkpoint that is older than that is not gone on from.
const RUNS_MAX: i64 = 1024;

/// The table of epochs.
#[derive(Debug, Clone)]
pub(super) struct Epochs {
    /// Its name, as SQL has it.
    sql: String,
    sink: String,
}

/// Whether an epoch has to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Write,
    /// It is in the database.
    Done,
}

impl Epochs {
    /// Finds the table beside the target, or makes it.
    pub async fn open(
        client: &Client,
        target: &PgTable,
        name: &str,
        sink: &str,
    ) -> Result<Self, Trouble> {
        let sql = format!("{}.{}", quoted(&target.schema), quoted(name));
        let found =
            client.query_one("SELECT pg_catalog.to_regclass($1) IS NOT NULL", &[&sql]).await?;
        if !found.get::<_, bool>(0) {
            let create = format!(
                "CREATE TABLE IF NOT EXISTS {sql} (sink text NOT NULL, run text PRIMARY KEY, \
                 generation bigint NOT NULL, epoch bigint NOT NULL, \
                 written_at timestamptz NOT NULL DEFAULT now())"
            );
            if let Err(error) = client.batch_execute(&create).await {
                return Err(match error.code().map(tokio_postgres::error::SqlState::code) {
                    // Another sink makes it at this moment.
                    Some("23505" | "42P07") => Trouble::Away("the table of epochs is made".into()),
                    _ => match Trouble::from(error) {
                        Trouble::Refused(reason) => Trouble::Refused(format!(
                            "the table of epochs cannot be made: {reason} (let somebody who may \
                             run: {create})"
                        )),
                        away => away,
                    },
                });
            }
        }
        Ok(Self { sql, sink: sink.to_owned() })
    }

    /// Begins a transaction in which no other run of the sink can do the same.
    pub async fn begin(&self, client: &Client) -> Result<(), Trouble> {
        client.batch_execute("BEGIN").await?;
        let lock = "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended($1, 4219))";
        client.execute(lock, &[&format!("rialto {} {}", self.sql, self.sink)]).await?;
        Ok(())
    }

    /// Makes a run the one that may write, unless it was before and another came since.
    pub async fn lead(&self, client: &Client, run: &str, led: bool) -> Result<(), Trouble> {
        let sql = format!(
            "SELECT run, generation, written_at::text FROM {} WHERE sink = $1 \
             ORDER BY generation DESC LIMIT 1",
            self.sql
        );
        let first = client.query_opt(&sql, &[&self.sink]).await?;
        let leader: Option<String> = first.as_ref().map(|row| row.get(0));
        if leader.as_deref() == Some(run) {
            return Ok(());
        }
        let sql = format!("SELECT count(*) FROM {} WHERE run = $1 AND generation > 0", self.sql);
        let known: i64 = client.query_one(&sql, &[&run]).await?.get(0);
        if first.is_some() && (led || known > 0) {
            let since: String = first.map(|row| row.get(2)).unwrap_or_default();
            return Err(Trouble::Refused(format!(
                "another run writes as the sink '{}' since {since}: this one is out of date (where \
                 two jobs are to write to the table, give each a 'sink.id' of its own)",
                self.sink
            )));
        }
        let generation: i64 = first.map_or(0, |row| row.get::<_, i64>(1)) + 1;
        let sql = format!(
            "INSERT INTO {} (sink, run, generation, epoch) VALUES ($1, $2, $3, -1)",
            self.sql
        );
        client.execute(&sql, &[&self.sink, &run, &generation]).await?;
        let sql = format!("DELETE FROM {} WHERE sink = $1 AND abs(generation) < $2", self.sql);
        client.execute(&sql, &[&self.sink, &(generation - RUNS_MAX)]).await?;
        Ok(())
    }

    /// Whether an epoch of a run is to be written; if so it is noted that it is. A run that never
    /// led, for which another one writes, has the leader's generation below zero: it is remembered
    /// for as long, and never taken for the leader.
    pub async fn take(&self, client: &Client, run: &str, epoch: u64) -> Result<Turn, Trouble> {
        let epoch = i64::try_from(epoch).unwrap_or(i64::MAX);
        let sql = format!(
            "INSERT INTO {0} AS e (sink, run, generation, epoch) VALUES ($1, $2, \
             (SELECT -COALESCE(max(generation), 0) FROM {0} WHERE sink = $1), $3) \
             ON CONFLICT (run) DO UPDATE SET epoch = EXCLUDED.epoch, written_at = now() \
             WHERE e.epoch < EXCLUDED.epoch",
            self.sql
        );
        Ok(match client.execute(&sql, &[&self.sink, &run, &epoch]).await? {
            0 => Turn::Done,
            _ => Turn::Write,
        })
    }
}
