//! Takes a job's checkpoints, and gives a job back what an earlier run of it left.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rialto_engine::executor::{Executor, ShardState, Snapshot};
use rialto_engine::state::StateWriter;
use rialto_engine::view::View;
use rialto_engine::{Circuit, Delta, Digest, EngineError, NodeInfo, Result};

use super::fit::Fit;
use super::manifest::{Cut, Cuts, Manifest, Node, OutputState, PendingEpoch};
use super::store::{CheckpointError, CheckpointStore, Found, object_name};
use super::writer::{Taken, Writer};
use super::{CheckpointOptions, Resumed};
use crate::crash::crash_at;
use crate::delivery::Outlet;
use crate::job::{Summary, now_ms};
use crate::operations::{Figures, TakenFigures};
use crate::output::{JobOutput, Target};

/// From which share of the time between two checkpoints to which operators write ahead, each once.
const AHEAD_FROM: f64 = 0.5;
const AHEAD_TO: f64 = 0.95;

/// What a job is, as far as its checkpoints must know.
pub(crate) struct Identity {
    pub nodes: Vec<Node>,
    /// The nodes that each node reads.
    pub inputs: Vec<Vec<usize>>,
    pub sources: Vec<Node>,
    /// What may be of the checkpoint and what may be not has been looked at before.
    pub may_differ: bool,
    pub shards: usize,
    /// There is something to do, also for a job that has come to its end.
    pub has_more: bool,
    /// Where it is noted how the checkpoints go.
    pub figures: Arc<Figures>,
}

impl Identity {
    /// What a job of a circuit is.
    pub fn of(circuit: &Circuit, shards: usize, figures: &Arc<Figures>) -> Self {
        let node = |(name, identity, source): (&str, &str, _)| Node {
            name: name.to_owned(),
            identity: identity.to_owned(),
            source,
        };
        let inputs = |info: NodeInfo<'_>| info.inputs.iter().map(|input| input.0).collect();
        Self {
            nodes: circuit.nodes().map(|n| node((n.name, n.identity, n.source))).collect(),
            inputs: circuit.nodes().map(inputs).collect(),
            sources: circuit.sources().map(|(name, what)| node((name, what, None))).collect(),
            may_differ: false,
            shards: shards.max(1),
            has_more: false,
            figures: Arc::clone(figures),
        }
    }
}

/// A circuit between two steps, and how long it stood still for that.
pub(crate) struct Still {
    snapshot: Snapshot,
    pause: Duration,
}

/// Keeps the checkpoints of one running job.
pub(crate) struct Keeper {
    writer: Writer,
    options: CheckpointOptions,
    identity: Identity,
    /// The last checkpoint that was taken.
    epoch: u64,
    taken: Instant,
    /// How long the last one that became durable took to.
    took: Duration,
    /// How long the next one is waited for, as the figures have it.
    waited_for: Duration,
    /// How often somebody had asked for a checkpoint when the last one was taken.
    asked: u64,
    /// The rows of the outputs that no sink takes.
    views: Vec<Option<View>>,
    /// The digests of the other outputs; none where it is not known what was written before.
    digests: Vec<Option<Digest>>,
    hashes: Vec<u64>,
    cuts: Cuts,
}

impl Keeper {
    /// Begins to keep checkpoints of a job that has not stepped yet. If one was found of an earlier
    /// run that did not come to its end, the job goes on from it.
    pub fn start(
        store: CheckpointStore,
        found: Found,
        options: CheckpointOptions,
        identity: Identity,
        executor: &mut Executor,
        outputs: &mut [JobOutput],
    ) -> std::result::Result<(Self, Resumed), CheckpointError> {
        let view = |output: &JobOutput| match output.target {
            Target::Observer => View::new(output.schema.clone()).map(Some),
            Target::Sink(_) => Ok(None),
        };
        let mut views = outputs.iter().map(view).collect::<Result<Vec<_>>>()?;
        let mut digests = vec![Some(Digest::default()); outputs.len()];
        // To begin anew here would lose what is there, and write to the sinks again.
        if found.manifest.is_none() && !found.broken.is_empty() {
            let all = found.broken.join("; ");
            return Err(CheckpointError::Broken(format!("no checkpoint can be used: {all}")));
        }
        let mut resumed = Resumed { broken: found.broken, ..Resumed::default() };
        let goes_on = |manifest: &Manifest| manifest.goes_on(identity.has_more);
        let unfinished = found.manifest.zip(found.loaded).filter(|(m, _)| goes_on(m));
        let mut epoch = store.epochs()?.first().copied().unwrap_or(0);
        let mut continued = None;
        match unfinished {
            // What is there is of a job that has ended, or of none.
            None => store.clear()?,
            Some((manifest, loaded)) => {
                let fit = Fit::new(&manifest, &identity, outputs);
                if !fit.exact && !identity.may_differ {
                    return Err(CheckpointError::Changed { epoch: manifest.epoch });
                }
                let same = fit.exact && manifest.shards == identity.shards;
                crash_at("restore");
                executor.restore(fit.restored(loaded.circuit, &identity))?;
                for (at, view) in views.iter_mut().enumerate() {
                    let part = fit.views[at].and_then(|old| loaded.views.node(old));
                    if let (Some(view), Some(part)) = (view, part) {
                        view.restore(part, same)?;
                    }
                }
                give_digests(&manifest, &loaded.views, &fit, &mut views, &mut digests)?;
                crash_at("recover");
                recover(outputs, &fit, manifest.epoch, loaded.prepared, loaded.pending)?;
                crash_at("recovered");
                epoch = epoch.max(manifest.epoch);
                resumed.epoch = Some(manifest.epoch);
                resumed.summary = manifest.summary;
                continued = Some(manifest).filter(|_| same);
            }
        }
        let writer = Writer::start(store, options.retained, continued.as_ref());
        let writer = writer.map_err(|e| CheckpointError::Broken(e.to_string()))?;
        let (epoch_before, rows) = (resumed.epoch, resumed.summary.rows);
        identity.figures.keeps(options.interval, epoch_before, rows, now_ms());
        let (hashes, cuts) = (Vec::new(), Cuts::default());
        let keeper = Self {
            writer,
            options,
            identity,
            epoch,
            taken: Instant::now(),
            took: Duration::ZERO,
            waited_for: options.interval,
            asked: 0,
            views,
            digests,
            hashes,
            cuts,
        };
        Ok((keeper, resumed))
    }

    /// The rows of a view that was given back; none where it is empty.
    pub fn rows(&self, output: usize) -> Result<Option<Delta>> {
        let Some(view) = &self.views[output] else { return Ok(None) };
        let rows = Delta::insert_only(view.read(&[])?);
        Ok(Some(rows).filter(|rows| !rows.is_empty()))
    }

    /// Takes in the change of a view, which readers may have seen already.
    pub fn changed(&mut self, output: usize, delta: &Delta) -> Result<()> {
        match &mut self.views[output] {
            Some(view) => view.apply(delta),
            None => Ok(()),
        }
    }

    /// Takes in what a sink is given.
    pub fn wrote(&mut self, output: usize, delta: &Delta) -> Result<()> {
        match self.digests.get_mut(output) {
            Some(Some(digest)) => digest.add_delta(delta, &mut self.hashes),
            _ => Ok(()),
        }
    }

    /// Notes what a step took in.
    pub fn stepped(&mut self, cut: Cut) {
        self.cuts.add(cut);
    }

    /// The digest of all changes of an output.
    fn digest(&self, output: usize) -> Option<Digest> {
        match self.views.get(output).and_then(Option::as_ref) {
            Some(view) => Some(view.digest()),
            None => self.digests.get(output).copied().flatten(),
        }
    }

    /// Whether it is time for the next checkpoint, after so many intervals. `has_backlog`: sources
    /// have more than a step takes.
    pub fn is_due(&mut self, intervals: u32, has_backlog: bool) -> bool {
        let wait = self.options.wait(has_backlog, self.took);
        if wait != self.waited_for {
            self.identity.figures.waits_for(wait);
            self.waited_for = wait;
        }
        !self.writer.is_busy() && self.taken.elapsed() >= wait.saturating_mul(intervals)
    }

    /// How much of the next checkpoint should have been written ahead: nothing in the first half of
    /// the time until it is due, when much of it would be written again.
    pub fn ahead(&self) -> f64 {
        let gone = self.taken.elapsed().as_secs_f64() / self.waited_for.as_secs_f64();
        ((gone - AHEAD_FROM) / (AHEAD_TO - AHEAD_FROM)).clamp(0.0, 1.0)
    }

    /// Whether somebody has asked for one who did not get it yet, and it can be taken. `asked`:
    /// how often somebody has.
    pub fn is_asked(&mut self, asked: u64) -> bool {
        let is_asked = !self.writer.is_busy() && asked > self.asked;
        self.asked = if is_asked { asked } else { self.asked };
        is_asked
    }

    /// Begins a checkpoint: the circuit's part of it, behind which the next step may begin.
    pub fn begin(&mut self, executor: &mut Executor) -> Result<Still> {
        self.taken = Instant::now();
        let snapshot = executor.checkpoint()?;
        Ok(Still { snapshot, pause: self.taken.elapsed() })
    }

    /// Takes a checkpoint, once the outputs of all steps until it have been taken in, and has it
    /// written beside the job.
    pub fn take(
        &mut self,
        still: Still,
        outputs: &mut [JobOutput],
        summary: Summary,
        finished: bool,
        clock_ms: i64,
    ) -> Result<()> {
        let Still { snapshot, pause } = still;
        self.epoch += 1;
        let mut views = Vec::new();
        for (at, view) in self.views.iter_mut().enumerate() {
            if let Some(view) = view {
                let mut writer = StateWriter::new();
                view.checkpoint(&mut writer)?;
                let written = writer.finish();
                if !written.is_empty() {
                    views.push((at, written));
                }
            }
        }
        let (mut prepared, mut states) = (Vec::new(), Vec::new());
        for output in outputs.iter_mut() {
            let at = states.len();
            let mut state = OutputState {
                name: output.name.clone(),
                identity: output.identity.clone(),
                generation: output.generation,
                digest: self.digest(at).filter(|_| output.output.is_some()),
                ..OutputState::default()
            };
            if let Target::Sink(outlet) = &mut output.target {
                state = prepare(outlet, state, at, self.epoch, &mut prepared)?;
            }
            states.push(state);
        }
        let Identity { nodes, sources, shards, .. } = &self.identity;
        let changed = snapshot.shards.iter().flatten().chain(&views).flat_map(|(_, t)| t);
        let changed_bytes = changed.map(|table| table.entries.len() as u64).sum();
        let manifest = Manifest {
            epoch: self.epoch,
            rialto: env!("CARGO_PKG_VERSION").into(),
            taken_ms: clock_ms,
            pause_us: u64::try_from(pause.as_micros()).unwrap_or(u64::MAX),
            changed_bytes,
            finished,
            shards: *shards,
            nodes: nodes.clone(),
            sources: sources.clone(),
            progress: snapshot.progress,
            summary,
            state: Vec::new(),
            views: Vec::new(),
            outputs: states,
            cuts: std::mem::take(&mut self.cuts),
        };
        self.identity.figures.taken(TakenFigures {
            epoch: self.epoch,
            taken_ms: clock_ms,
            pause_us: manifest.pause_us,
            changed_bytes,
            asked: self.asked,
        });
        crash_at("taken");
        let taken = Taken { manifest, shards: snapshot.shards, views, prepared };
        Ok(self.writer.write(taken)?)
    }

    /// Lets the sinks make visible what a checkpoint that has become durable promises; `wait` for
    /// the one that is being written.
    pub fn settle(&mut self, outputs: &mut [JobOutput], wait: bool) -> Result<()> {
        if let Some(epoch) = self.writer.take_done(wait)? {
            self.took = self.taken.elapsed();
            self.identity.figures.durable(now_ms());
            tracing::debug!(epoch, "the checkpoint is durable");
            for output in outputs {
                if let Target::Sink(outlet) = &mut output.target {
                    crash_at("commit");
                    outlet.promise(epoch)?;
                }
            }
            crash_at("committed");
        }
        Ok(())
    }
}

/// Has the digests of the outputs go on from those of a checkpoint.
fn give_digests(
    manifest: &Manifest,
    rows: &ShardState,
    fit: &Fit,
    views: &mut [Option<View>],
    digests: &mut [Option<Digest>],
) -> Result<()> {
    for (at, old) in fit.views.iter().enumerate() {
        let Some(old) = *old else { continue };
        let kept = manifest.outputs[old].digest;
        digests[at] = kept;
        if let Some(view) = &mut views[at] {
            // Without one it begins with the rows that there are.
            let rows = || rows.node(old).map_or(Ok(Digest::default()), View::digest_of);
            view.set_digest(kept.map_or_else(rows, Ok)?);
        }
    }
    Ok(())
}

/// Has the sinks go on from a checkpoint.
fn recover(
    outputs: &mut [JobOutput],
    fit: &Fit,
    epoch: u64,
    mut prepared: Vec<Option<Vec<u8>>>,
    mut pending: Vec<Vec<(u64, String, Vec<u8>)>>,
) -> Result<()> {
    for (output, old) in outputs.iter_mut().zip(&fit.sinks) {
        let (Target::Sink(outlet), Some(old)) = (&mut output.target, *old) else { continue };
        match prepared[old].take() {
            _ if outlet.delivers() => outlet.recover_pending(std::mem::take(&mut pending[old]))?,
            Some(prepared) => outlet.recover(epoch, &prepared)?,
            None => {}
        }
    }
    Ok(())
}

/// Has an outlet make an epoch ready, and says in the state of its output where what it prepared is
/// to be kept.
fn prepare(
    outlet: &mut Outlet,
    mut state: OutputState,
    output: usize,
    epoch: u64,
    objects: &mut Vec<(String, Arc<Vec<u8>>)>,
) -> Result<OutputState> {
    let prepared = outlet.prepare(epoch)?;
    if let Some(bytes) = prepared {
        let name = object_name(epoch, &format!("sink-{output}"));
        outlet.kept_as(epoch, &name);
        if !outlet.delivers() {
            state.prepared = Some(name.clone());
        }
        objects.push((name, bytes));
    }
    let named = outlet.pending().filter_map(|p| {
        p.object.as_ref().map(|object| PendingEpoch { epoch: p.epoch, object: object.clone() })
    });
    state.pending.extend(named);
    Ok(state)
}

impl From<CheckpointError> for EngineError {
    fn from(error: CheckpointError) -> Self {
        Self::sink("checkpoints", error)
    }
}
