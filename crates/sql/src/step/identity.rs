//! What a step is, in short: the same in every run, wherever the text stands that it came from.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::{StepNode, StepPlan};

/// The identities of plans. Those of one table are asked for plans that live as long as it does.
#[derive(Debug, Default)]
pub struct Identities {
    known: HashMap<*const StepPlan, String>,
}

impl Identities {
    /// What a plan is: a hash of what it does, of its columns, and of what its inputs are. State
    /// is given to a step of the same identity alone.
    pub fn of(&mut self, plan: &Arc<StepPlan>) -> String {
        if let Some(known) = self.known.get(&Arc::as_ptr(plan)) {
            return known.clone();
        }
        // The hasher of no keys gives the same in every process.
        let mut hasher = DefaultHasher::new();
        saying(plan).hash(&mut hasher);
        plan.inputs.iter().for_each(|input| self.of(input).hash(&mut hasher));
        let identity = format!("{:016x}", hasher.finish());
        self.known.insert(Arc::as_ptr(plan), identity.clone());
        identity
    }
}

/// What a plan does, in a form in which two plans are equal that do the same to equal inputs. No
/// place in the text is part of it: a comment above a query does not make another query of it.
pub(super) fn saying(plan: &StepPlan) -> String {
    let fields = plan.schema.fields();
    match &plan.node {
        StepNode::Scan { table, columns } => {
            format!("Scan {} {columns:?} {fields:?}", table.show_create())
        }
        StepNode::LookupJoin { spec, .. } => format!("LookupJoin {spec:?} {fields:?}"),
        node => format!("{node:?} {fields:?}"),
    }
}

/// The steps that a plan consists of, inputs first, each once.
pub fn steps(plan: &Arc<StepPlan>) -> Vec<Arc<StepPlan>> {
    fn visit(plan: &Arc<StepPlan>, found: &mut Vec<Arc<StepPlan>>) {
        if found.iter().any(|known| Arc::ptr_eq(known, plan)) {
            return;
        }
        plan.inputs.iter().for_each(|input| visit(input, found));
        found.push(Arc::clone(plan));
    }
    let mut found = Vec::new();
    visit(plan, &mut found);
    found
}
