//! Views that have been bound, so that a view over many others is not bound anew for each of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion_expr::LogicalPlan;

use crate::catalog::{ObjectPath, ViewDef};

use super::Session;

/// The plans of views, as the queries say them. They hold as long as the catalog and the settings
/// are those that they were bound with. Another session begins with none.
#[derive(Debug, Default)]
pub struct BoundViews {
    plans: Arc<Mutex<HashMap<ObjectPath, Bound>>>,
}

#[derive(Debug)]
struct Bound {
    with: Stamp,
    view: ViewDef,
    plan: LogicalPlan,
}

/// What a plan was bound with: the catalog's stamp, the time zone, the current place, the views
/// that are shared.
type Stamp = (u64, &'static str, String, String, Vec<(String, String)>);

impl Clone for BoundViews {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl BoundViews {
    /// The same plans, for a session that differs in its current place, or in what was declared
    /// since.
    pub fn share(&self) -> Self {
        Self { plans: Arc::clone(&self.plans) }
    }

    pub(super) fn get(&self, session: &Session, view: &ViewDef) -> Option<LogicalPlan> {
        let plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        let bound = plans.get(&view.path)?;
        let holds = bound.with == stamp(session) && bound.view == *view;
        holds.then(|| bound.plan.clone())
    }

    pub(super) fn put(&self, session: &Session, view: &ViewDef, plan: &LogicalPlan) {
        let bound = Bound { with: stamp(session), view: view.clone(), plan: plan.clone() };
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        plans.insert(view.path.clone(), bound);
    }
}

fn stamp(session: &Session) -> Stamp {
    let settings = &session.settings;
    let (catalog, database) = (settings.catalog.clone(), settings.database.clone());
    (session.catalog.stamp(), settings.time_zone.name(), catalog, database, session.shares())
}
