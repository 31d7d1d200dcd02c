//! What a temporal join is told by the planner.

use arrow::datatypes::{DataType, SchemaRef};

use crate::expr::Expression;
use crate::operator::Emission;
use crate::{EngineError, Result};

/// Which time decides the version that a row meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemporalTime {
    /// `FOR SYSTEM_TIME AS OF` the probe row's event time: the version with the greatest time that
    /// is not after it.
    Event {
        /// The event time of the probe input.
        probe_time: usize,
        /// From when on a row of the versioned input is valid.
        version_time: usize,
    },
    /// `FOR SYSTEM_TIME AS OF` the processing time: the version there is when the row comes. A
    /// later version changes nothing about it.
    Processing,
}

/// A temporal join; see the module documentation for what it does.
#[derive(Debug, Clone)]
pub struct TemporalJoinSpec {
    /// Whether a probe row without a version is emitted beside nulls (`LEFT JOIN`).
    pub keep_unmatched: bool,
    /// The key columns of the probe input.
    pub probe_keys: Vec<usize>,
    /// The key columns of the versioned input, of the same types. They hold its primary key, so
    /// that a key has one version at a time.
    pub version_keys: Vec<usize>,
    /// A further condition over the probe columns followed by those of the version.
    pub filter: Option<Expression>,
    /// The columns of the probe input.
    pub probe_schema: SchemaRef,
    /// The columns of the versioned input.
    pub version_schema: SchemaRef,
    /// The columns of the output, after `output` has chosen them.
    pub output_schema: SchemaRef,
    /// The columns to emit, out of the probe columns followed by the version's; `None` for all.
    pub output: Option<Vec<usize>>,
    /// Whether the probe input never takes a row back.
    pub probe_insert_only: bool,
    /// Which time decides.
    pub time: TemporalTime,
    /// Whether a row is answered at once and corrected, or only when its version is final.
    pub emission: Emission,
}

impl TemporalJoinSpec {
    /// The side (0 probe, 1 version) and column there of a column of probe ++ version.
    pub(super) fn locate(&self, column: usize) -> Result<(usize, usize)> {
        let probe = self.probe_schema.fields().len();
        let version = self.version_schema.fields().len();
        match column {
            c if c < probe => Ok((0, c)),
            c if c < probe + version => Ok((1, c - probe)),
            c => Err(invalid(format!("column {c} of {}", probe + version))),
        }
    }

    pub(super) fn output_columns(&self) -> Vec<usize> {
        let all = self.probe_schema.fields().len() + self.version_schema.fields().len();
        self.output.clone().unwrap_or_else(|| (0..all).collect())
    }

    pub(super) fn validate(&self) -> Result<()> {
        let data_type = |schema: &SchemaRef, column: usize| {
            let field = schema.fields().get(column).map(|f| f.data_type().clone());
            field.ok_or_else(|| invalid(format!("a column {column} that is not there")))
        };
        if self.probe_keys.len() != self.version_keys.len() || self.probe_keys.is_empty() {
            return Err(invalid(format!(
                "{} probe keys and {} version keys",
                self.probe_keys.len(),
                self.version_keys.len()
            )));
        }
        for (&p, &v) in self.probe_keys.iter().zip(&self.version_keys) {
            let (p, v) = (data_type(&self.probe_schema, p)?, data_type(&self.version_schema, v)?);
            if p != v {
                return Err(invalid(format!("a key of {p} against one of {v}")));
            }
        }
        let output = self.output_schema.fields().len();
        if self.output_columns().len() != output {
            return Err(invalid(format!("another number of columns than the output's {output}")));
        }
        match self.time {
            TemporalTime::Event { probe_time, version_time } => {
                let probe = data_type(&self.probe_schema, probe_time)?;
                let version = data_type(&self.version_schema, version_time)?;
                for time in [probe, version] {
                    if !matches!(time, DataType::Timestamp(..)) {
                        return Err(invalid(format!("an event time of type {time}")));
                    }
                }
                Ok(())
            }
            TemporalTime::Processing if !self.probe_insert_only => {
                Err(invalid("a processing-time probe input that takes rows back".into()))
            }
            TemporalTime::Processing => Ok(()),
        }
    }
}

fn invalid(text: String) -> EngineError {
    EngineError::Internal(format!("a temporal join was planned with {text}"))
}
