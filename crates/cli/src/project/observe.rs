//! The views of a running project: watched as they change, or kept until the job ends.

use rialto_runtime::engine::{Delta, Result};
use rialto_runtime::output::Target;
use rialto_runtime::serving::Publisher;
use rialto_runtime::sql::functions::SessionSettings;
use rialto_runtime::{Job, JobPlan, Observer, StepSummary};

use super::progress::Progress;
use crate::args::{Format, Run};
use crate::output::{ChangeWriter, Report, RowsOfView, Stdout, sink_error};

/// Takes the changes of all views of a project.
pub struct Views<'a> {
    outputs: Vec<Output>,
    /// The rows of all views, for readers, and for who prints them at the end; none where nobody
    /// asks.
    publisher: Option<Publisher>,
    progress: Progress,
    report: &'a mut Report,
    stdout: &'a Stdout,
    settings: SessionSettings,
    format: Format,
    rows_max: usize,
    printed: bool,
}

enum Output {
    /// Written by the job itself, or not asked for.
    None,
    /// Printed change by change.
    Watched(ChangeWriter),
    /// Printed when the job ends.
    Kept(String),
}

impl<'a> Views<'a> {
    /// For the outputs of a job.
    pub fn new(
        job: &Job,
        plan: &JobPlan,
        publisher: Option<Publisher>,
        command: &Run,
        settings: &SessionSettings,
        stdout: &'a Stdout,
        report: &'a mut Report,
    ) -> Result<Self> {
        let format = command.output;
        let output = |(at, output): (usize, &rialto_runtime::output::JobOutput)| {
            if !matches!(output.target, Target::Observer) {
                return Ok(Output::None);
            }
            let (name, schema) = (&output.name, plan.columns(at));
            if command.watch.is_empty() {
                return Ok(Output::Kept(name.clone()));
            }
            if !command.watch.contains(name) {
                return Ok(Output::None);
            }
            let key = plan.plan(at).traits.key.clone();
            let writer = ChangeWriter::of_view(name, schema, key, format, settings, stdout);
            Ok(Output::Watched(writer))
        };
        Ok(Self {
            outputs: job.outputs().iter().enumerate().map(output).collect::<Result<_>>()?,
            publisher,
            progress: Progress::new(!command.watch.is_empty()),
            report,
            stdout,
            settings: settings.clone(),
            format,
            rows_max: command.rows,
            printed: false,
        })
    }

    /// Ends the progress line and prints the views that were kept, if the job went well.
    pub fn finish(self, well: bool) -> Result<()> {
        self.progress.finish();
        for (at, mut output) in self.outputs.into_iter().enumerate() {
            if let Output::Watched(writer) = &mut output
                && well
                && self.format == Format::Csv
            {
                writer.finish()?;
            }
            if let Output::Kept(name) = output
                && let Some(publisher) = &self.publisher
                && well
                && let Some(rows) = publisher.read(at)?
            {
                let rows = RowsOfView { name: &name, rows: &rows, max: self.rows_max };
                rows.print(self.format, &self.settings, self.stdout)?;
            }
        }
        Ok(())
    }
}

impl Observer for Views<'_> {
    fn changed(&mut self, output: usize, delta: &Delta, step: u64) -> Result<()> {
        if let Some(publisher) = &mut self.publisher {
            publisher.changed(output, delta)?;
        }
        match &mut self.outputs[output] {
            Output::None | Output::Kept(_) => Ok(()),
            Output::Watched(writer) => {
                self.printed = true;
                writer.write(delta, step)
            }
        }
    }

    fn stepped(&mut self, summary: &StepSummary<'_>) -> Result<()> {
        if let Some(publisher) = &mut self.publisher {
            publisher.ended(summary.step);
        }
        self.report.note(summary)?;
        if std::mem::take(&mut self.printed) {
            self.stdout.flush().map_err(sink_error)?;
        }
        self.progress.stepped(summary);
        Ok(())
    }
}
