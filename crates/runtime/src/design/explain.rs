//! A query as a graph: the steps that would keep it right, over the views that are there.

use std::collections::HashMap;
use std::sync::Arc;

use rialto_sql::catalog::Relation;
use rialto_sql::parser::{Statement, parse_one};
use rialto_sql::planner::Session;
use rialto_sql::step::{StepPlan, explain_step};
use serde::Serialize;

use super::saved::refused;
use super::{Design, Result, name_of};
use crate::plan::JobPlan;

/// Steps of an answer at most: a graph of more is read by nobody.
const STEPS_MAX: usize = 300;

/// A step of a query.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedStep {
    /// What kind of step: `Scan`, `Aggregate`, `View`.
    pub name: String,
    /// What it does, in the words of `EXPLAIN`.
    pub what: String,
    /// The view that it is; its own steps are not told.
    pub view: Option<String>,
    /// No row is ever taken back.
    pub insert_only: bool,
    /// Columns of which no two rows have equal values.
    pub key: Vec<String>,
    /// What it keeps between the steps of the job.
    pub keeps: Option<String>,
    /// The columns of its rows.
    pub columns: Vec<String>,
    /// The steps that it reads, by their place in the list.
    pub inputs: Vec<usize>,
}

/// A query as steps.
#[derive(Debug, Serialize)]
pub struct Explained {
    /// The last step first; each before those that it reads.
    pub steps: Vec<ExplainedStep>,
    /// Whether there are more than are told.
    pub is_cut: bool,
}

/// A plan of which a view has its rows, by its address.
type Views = HashMap<*const StepPlan, String>;

impl Design {
    /// The steps that would keep a query right, were it saved as a view.
    ///
    /// # Errors
    /// Where it is no `SELECT`, or no view can be made of it.
    pub fn explain(&self, query: &str) -> Result<Explained> {
        let parsed = parse_one(query.trim())?;
        let Statement::Query(query) = &parsed.statement else {
            return Err(refused("only a SELECT can be explained", "write one SELECT"));
        };
        let session = self.snapshot();
        let (views, root) = self.planning(|plan| {
            let views = views_of(&session, plan)?;
            plan.add_query(&session, query)?;
            Ok((views, Arc::clone(plan.plan(plan.len() - 1))))
        })?;
        let mut found = Found::default();
        found.add(&root, &views, true);
        Ok(Explained { steps: found.steps, is_cut: found.is_cut })
    }
}

/// The plans of all materialized views.
fn views_of(session: &Session, plan: &mut JobPlan) -> Result<Views> {
    let mut views = Views::new();
    for relation in session.catalog.relations(None)? {
        let Relation::View(view) = relation else { continue };
        if view.materialized {
            plan.add_view(session, view)?;
            let of_view = Arc::as_ptr(plan.plan(plan.len() - 1));
            views.insert(of_view, name_of(session, &view.path));
        }
    }
    Ok(views)
}

#[derive(Default)]
struct Found {
    steps: Vec<ExplainedStep>,
    places: HashMap<*const StepPlan, usize>,
    is_cut: bool,
}

impl Found {
    /// Adds a step and those below it; answers its place.
    fn add(&mut self, plan: &Arc<StepPlan>, views: &Views, is_root: bool) -> Option<usize> {
        let own = Arc::as_ptr(plan);
        if let Some(&place) = self.places.get(&own) {
            return Some(place);
        }
        if self.steps.len() >= STEPS_MAX {
            self.is_cut = true;
            return None;
        }
        let view = views.get(&own).filter(|_| !is_root || plan.inputs.is_empty()).cloned();
        let name = |&c: &usize| plan.schema.field(c).name().clone();
        let (what, keeps) = match &view {
            Some(view) => (format!("View({view})"), None),
            None => explain_step(plan),
        };
        let kind = if view.is_some() { "View" } else { plan.node.name() };
        let place = self.steps.len();
        self.places.insert(own, place);
        self.steps.push(ExplainedStep {
            name: kind.into(),
            what,
            insert_only: plan.traits.insert_only,
            key: plan.traits.key.iter().flatten().map(name).collect(),
            keeps,
            columns: plan.schema.fields().iter().map(|field| field.name().clone()).collect(),
            inputs: Vec::new(),
            view: view.clone(),
        });
        if view.is_none() {
            let inputs = plan.inputs.iter().filter_map(|input| self.add(input, views, false));
            self.steps[place].inputs = inputs.collect();
        }
        Some(place)
    }
}
