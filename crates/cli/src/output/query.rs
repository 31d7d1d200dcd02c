//! The result of a query while its job runs.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use rialto_runtime::engine::{Delta, Result};
use rialto_runtime::sql::functions::SessionSettings;
use rialto_runtime::sql::step::Order;
use rialto_runtime::view::View;
use rialto_runtime::{JobPlan, Observer, StepSummary};

use super::report::Report;
use super::rows::{ChangeWriter, RowWriter, print_rows, shown};
use super::stdout::{Stdout, sink_error};
use crate::args::Format;

/// Takes the changes of a query and prints what was asked for.
pub struct QueryOutput<'a> {
    mode: Mode,
    format: Format,
    settings: SessionSettings,
    stdout: &'a Stdout,
    report: &'a mut Report,
    printed: bool,
}

enum Mode {
    /// Every change, as it comes.
    Changes(ChangeWriter),
    /// Rows that stay, as they come.
    Stream(RowWriter),
    /// Rows that stay, shown together under these columns.
    Append(SchemaRef, Vec<RecordBatch>),
    /// Rows that come and go, or that have an order.
    Keep(View, Order),
}

impl<'a> QueryOutput<'a> {
    /// For the one output of a query's job.
    pub fn new(
        plan: &JobPlan,
        (format, changelog): (Format, bool),
        settings: &SessionSettings,
        stdout: &'a Stdout,
        report: &'a mut Report,
    ) -> Result<Self> {
        let schema = plan.columns(0);
        let traits = &plan.plan(0).traits;
        let order = plan.order(0);
        let mode = if changelog {
            let key = traits.key.clone();
            Mode::Changes(ChangeWriter::of_query(schema, key, format, settings, stdout))
        } else if !traits.insert_only || !order.is_empty() {
            Mode::Keep(plan.view(0)?, order.clone())
        } else if format == Format::Table {
            Mode::Append(schema.clone(), Vec::new())
        } else {
            Mode::Stream(RowWriter::new(schema, format, stdout))
        };
        let settings = settings.clone();
        Ok(Self { mode, format, settings, stdout, report, printed: false })
    }

    /// Prints what has not been printed yet.
    pub fn finish(self) -> Result<()> {
        let batch = match self.mode {
            Mode::Changes(mut writer) => return writer.finish(),
            Mode::Stream(mut writer) => return writer.finish(),
            Mode::Append(schema, batches) => {
                let batches: Result<Vec<RecordBatch>> =
                    batches.into_iter().map(|batch| shown(batch, &schema)).collect();
                concat_batches(&schema, &batches?)?
            }
            Mode::Keep(view, order) => view.read(&order)?,
        };
        print_rows(&batch, self.format, &self.settings, self.stdout)
    }
}

impl Observer for QueryOutput<'_> {
    fn changed(&mut self, _: usize, delta: &Delta, step: u64) -> Result<()> {
        match &mut self.mode {
            Mode::Changes(writer) => {
                self.printed = true;
                writer.write(delta, step)
            }
            Mode::Stream(writer) => {
                self.printed = true;
                writer.write(&added(delta)?)
            }
            Mode::Append(_, batches) => {
                batches.push(added(delta)?);
                Ok(())
            }
            Mode::Keep(view, _) => view.apply(delta),
        }
    }

    fn stepped(&mut self, summary: &StepSummary<'_>) -> Result<()> {
        self.report.note(summary)?;
        if std::mem::take(&mut self.printed) {
            self.stdout.flush().map_err(sink_error)?;
        }
        Ok(())
    }
}

/// The rows of a delta that takes nothing back, each as often as it came.
fn added(delta: &Delta) -> Result<RecordBatch> {
    let Some(weights) = delta.weights() else { return Ok(delta.batch().clone()) };
    let rows = weights.iter().enumerate();
    let rows = rows.flat_map(|(row, &n)| (0..n).map(move |_| row as u32));
    let indices = arrow::array::UInt32Array::from_iter_values(rows);
    Ok(delta.take(&indices)?.batch().clone())
}
