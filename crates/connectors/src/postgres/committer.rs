//! Epochs into the database, each in one transaction with its number.

use bytes::Bytes;
use futures_util::SinkExt;
use rialto_engine::{CommitError, Committer};
use tokio_postgres::Client;

use super::client::{Session, Trouble};
use super::diagnose::{culprit, is_about_data};
use super::epochs::{Epochs, Turn};
use super::merge::{Merge, Shape};
use super::options::PgOptions;
use super::outbox::{COPY_END, COPY_START, Header};

/// Rows go out in pieces of so many bytes.
const CHUNK: usize = 256 << 10;

/// Commits what a sink has prepared.
pub(super) struct PgCommitter {
    options: PgOptions,
    shape: Shape,
    /// The sink's name in the database.
    sink: String,
    run: String,
    /// This run has been the one that may write.
    led: bool,
    open: Option<Open>,
}

struct Open {
    session: Session,
    merge: Merge,
    epochs: Epochs,
}

impl PgCommitter {
    pub fn new(options: PgOptions, shape: Shape, sink: String, run: String) -> Self {
        Self { options, shape, sink, run, led: false, open: None }
    }

    /// A session that is alive, as far as one can know.
    fn open(&mut self) -> Result<&Open, Trouble> {
        let open = match self.open.take().filter(|open| !open.session.client.is_closed()) {
            Some(open) => open,
            None => {
                let session = Session::open(&self.options)?;
                let (merge, epochs) = session.run(async {
                    let merge = Merge::plan(&session.client, &self.options, &self.shape).await?;
                    let name = &self.options.epochs_table;
                    let epochs =
                        Epochs::open(&session.client, &merge.table, name, &self.sink).await?;
                    Ok::<_, Trouble>((merge, epochs))
                })?;
                Open { session, merge, epochs }
            }
        };
        Ok(self.open.insert(open))
    }

    /// Takes the sink's name over, and writes what is not in the database.
    fn write(&mut self, kept: &[u8]) -> Result<(), Trouble> {
        let found = Header::read(kept).map_err(|reason| {
            Trouble::Refused(format!("what the checkpoint keeps of an epoch is not ours: {reason}"))
        })?;
        let form = self.shape.form();
        let other = found.as_ref().filter(|(header, _)| header.form != form);
        if let Some((header, _)) = other {
            return Err(Trouble::Refused(format!(
                "the checkpoint keeps rows of other columns ({}) than the table has ({form})",
                header.form
            )));
        }
        let (run, led) = (self.run.clone(), self.led);
        let open = self.open()?;
        let client = &open.session.client;
        let done = open.session.run(async {
            open.epochs.begin(client).await?;
            open.epochs.lead(client, &run, led).await?;
            if let Some((header, rows)) = &found {
                let turn = open.epochs.take(client, &header.run, header.epoch).await?;
                if turn == Turn::Write {
                    apply(client, &open.merge, header, rows).await?;
                }
            }
            client.batch_execute("COMMIT").await.map_err(Failure::from)
        });
        match done {
            Ok(()) => {
                self.led = true;
                Ok(())
            }
            Err(failure) => {
                let trouble = failure.explain(open, found);
                // Whatever the session was in the middle of ends with it.
                self.open = None;
                Err(trouble)
            }
        }
    }
}

/// What went wrong, and whether it may be a row's fault.
enum Failure {
    Trouble(Trouble),
    Data(Trouble),
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        match is_about_data(&error) {
            true => Self::Data(Trouble::from(error)),
            false => Self::Trouble(Trouble::from(error)),
        }
    }
}

impl Failure {
    /// Finds the row that is at fault, where one is.
    fn explain(self, open: &Open, found: Option<(Header, &[u8])>) -> Trouble {
        match (self, found) {
            (Self::Data(trouble), Some((header, rows))) => {
                let found =
                    open.session.run(culprit(&open.session.client, &open.merge, &header, rows));
                let row = found.unwrap_or_default();
                Trouble::Refused(format!("{}{row}", trouble.text()))
            }
            (Self::Data(trouble) | Self::Trouble(trouble), _) => trouble,
        }
    }
}

/// Sends rows to the session's own table.
pub(super) async fn stage(
    client: &Client,
    merge: &Merge,
    rows: &[u8],
) -> Result<(), tokio_postgres::Error> {
    let copy = client.copy_in(&merge.copy).await?;
    let mut copy = std::pin::pin!(copy);
    copy.send(Bytes::from_static(COPY_START)).await?;
    for chunk in rows.chunks(CHUNK) {
        copy.send(Bytes::copy_from_slice(chunk)).await?;
    }
    copy.send(Bytes::copy_from_slice(&COPY_END)).await?;
    copy.as_mut().finish().await?;
    Ok(())
}

async fn apply(
    client: &Client,
    merge: &Merge,
    header: &Header,
    rows: &[u8],
) -> Result<(), Failure> {
    stage(client, merge, rows).await?;
    let all: (i64, i64) = (0, i64::MAX);
    // First what goes: a row that comes may take its place in another unique index.
    if let Some(delete) = merge.delete.as_ref().filter(|_| header.deletes > 0) {
        client.execute(delete, &[&all.0, &all.1]).await?;
    }
    if header.rows > header.deletes {
        client.execute(&merge.insert, &[&all.0, &all.1]).await?;
    }
    Ok(())
}

impl Committer for PgCommitter {
    fn commit(&mut self, _: u64, prepared: &[u8]) -> Result<(), CommitError> {
        if prepared.is_empty() {
            return Ok(());
        }
        let place = self.options.place();
        self.write(prepared).map_err(|trouble| trouble.at(&place))
    }

    fn recover(&mut self, pending: &[(u64, Vec<u8>)]) -> Result<(), CommitError> {
        let place = self.options.place();
        // Also where nothing is pending: an older run that is still alive has to end now.
        self.write(&[]).map_err(|trouble| trouble.at(&place))?;
        pending.iter().try_for_each(|(epoch, prepared)| self.commit(*epoch, prepared))
    }
}
