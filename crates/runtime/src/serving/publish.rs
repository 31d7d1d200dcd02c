//! The job's side: changes in, a snapshot a step out.

use std::sync::{Arc, RwLock};

use arrow::array::RecordBatch;
use rialto_engine::{Delta, Result};
use rialto_sql::planner::Session;
use tokio::sync::watch;

use super::query::session_of;
use super::shape::in_order_of_arrival;
use super::tree::Tree;
use super::window::{Changed, Window};
use super::{Serving, Shape, Snapshot};
use crate::job::Job;
use crate::output::Target;
use crate::plan::JobPlan;

/// How much of the past can be read.
#[derive(Debug, Clone, Copy)]
pub struct Retain {
    /// Snapshots.
    pub steps: usize,
    /// Changes of steps.
    pub changes: usize,
    /// What the snapshots, and what the changes, may hold beyond the newest snapshot.
    pub bytes: usize,
}

impl Retain {
    /// For readers of a running job.
    pub const SERVED: Self = Self { steps: 256, changes: 4096, bytes: 64 << 20 };
    /// For the job's own use at its end.
    pub const NEWEST: Self = Self { steps: 1, changes: 0, bytes: 0 };
}

/// Takes the changes of a job's views and shows them to readers, step by step.
#[derive(Debug)]
pub struct Publisher {
    serving: Arc<Serving>,
    /// Who waits for changes is told by it, also when it goes.
    tell: watch::Sender<u64>,
    /// The view of each output, where it is one.
    views: Vec<Option<usize>>,
    trees: Vec<Tree>,
    retain: Retain,
    copied: usize,
    changed: Vec<(usize, Delta)>,
    bytes: usize,
    is_changed: bool,
    was_published: bool,
}

impl Publisher {
    /// For the views of a job. `keys`: the key of a view, by its name, where one was declared.
    ///
    /// # Errors
    /// Where a view has a type that cannot be kept in order.
    pub fn new(job: &Job, plan: &JobPlan, session: &Session, retain: Retain) -> Result<Self> {
        let (mut shapes, mut views) = (Vec::new(), Vec::new());
        for (at, output) in job.outputs().iter().enumerate() {
            if !matches!(output.target, Target::Observer) {
                views.push(None);
                continue;
            }
            views.push(Some(shapes.len()));
            let key = plan.key(at, session);
            shapes.push(Arc::new(Shape::new(&output.name, plan.columns(at), key.as_deref())?));
        }
        let trees = vec![Tree::default(); shapes.len()];
        let session = session_of(&shapes, session)?;
        let (tell, steps) = watch::channel(0);
        let window = RwLock::new(Window::new(retain));
        let serving = Serving { shapes, window, steps, session };
        Ok(Self {
            serving: Arc::new(serving),
            tell,
            views,
            trees,
            retain,
            copied: 0,
            changed: Vec::new(),
            bytes: 0,
            is_changed: false,
            was_published: false,
        })
    }

    /// What readers see.
    pub fn serving(&self) -> &Arc<Serving> {
        &self.serving
    }

    /// An output of the job has changed within the step that is being handed on.
    ///
    /// # Errors
    /// Where the rows are not those of the view.
    pub fn changed(&mut self, output: usize, delta: &Delta) -> Result<()> {
        let Some(view) = self.views[output] else { return Ok(()) };
        self.copied += self.serving.shapes[view].apply(&mut self.trees[view], delta)?;
        self.is_changed = true;
        // What was there before the first step is in the first snapshot.
        if self.retain.changes > 0 && self.was_published {
            self.bytes += delta.batch().get_array_memory_size();
            self.changed.push((view, delta.clone()));
        }
        Ok(())
    }

    /// The step has ended: readers see it from now on.
    pub fn ended(&mut self, step: u64) {
        let lock = || self.serving.window.write().unwrap_or_else(|e| e.into_inner());
        if !self.is_changed && self.was_published {
            lock().ended(step);
            return;
        }
        let snapshot = Arc::new(Snapshot { step, trees: self.trees.clone() });
        let deltas = std::mem::take(&mut self.changed);
        let bytes = std::mem::take(&mut self.bytes);
        let copied = std::mem::take(&mut self.copied);
        let gone = lock().publish(snapshot, copied, Changed { step, deltas, bytes });
        drop(gone);
        self.is_changed = false;
        self.was_published = true;
        self.tell.send_replace(step);
    }

    /// The rows of an output now, in the order in which they came.
    ///
    /// # Errors
    /// Where a row was taken back that was not there.
    pub fn read(&self, output: usize) -> Result<Option<RecordBatch>> {
        let Some(view) = self.views[output] else { return Ok(None) };
        in_order_of_arrival(&self.serving.shapes[view], &self.trees[view]).map(Some)
    }
}
