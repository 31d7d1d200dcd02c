//! Views that have been bound, so that a view over many others is not bound anew for each of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion_expr::LogicalPlan;

use crate::catalog::{Catalog, ObjectPath, Relation, ViewDef};

use super::Session;

/// The plans of views, as the queries say them. A plan holds as long as the settings are those that
/// it was bound with, and what it reads is declared as it was: a view that is dropped leaves alone
/// all that does not read it. Another session begins with none.
#[derive(Debug, Default)]
pub struct BoundViews {
    plans: Arc<Mutex<HashMap<ObjectPath, Bound>>>,
}

#[derive(Debug)]
struct Bound {
    with: Stamp,
    view: ViewDef,
    reads: Reads,
    plan: LogicalPlan,
}

/// What a plan was bound with: the time zone, the current place, the views that are shared.
type Stamp = (&'static str, String, String, Vec<(String, String)>);

/// The declarations that a plan was made of: tables and views, and what those views read.
#[derive(Debug, Clone, Default)]
pub struct Reads(Vec<Arc<Relation>>);

impl Reads {
    /// Whether all of them are in a catalog as they were: the very declarations, not equal ones, so
    /// that nothing has to be compared.
    pub fn are_in(&self, catalog: &Catalog) -> bool {
        let is_in = |read: &Arc<Relation>| {
            catalog.declared_at(read.path()).is_some_and(|now| Arc::ptr_eq(now, read))
        };
        self.0.iter().all(is_in)
    }

    pub(super) fn add(&mut self, read: &Arc<Relation>) {
        if !self.0.iter().any(|known| Arc::ptr_eq(known, read)) {
            self.0.push(Arc::clone(read));
        }
    }

    pub(super) fn extend(&mut self, others: &Reads) {
        others.0.iter().for_each(|read| self.add(read));
    }
}

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

    pub(super) fn get(&self, session: &Session, view: &ViewDef) -> Option<(LogicalPlan, Reads)> {
        let plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        let bound = plans.get(&view.path)?;
        let holds = bound.with == stamp(session)
            && bound.reads.are_in(&session.catalog)
            && bound.view == *view;
        holds.then(|| (bound.plan.clone(), bound.reads.clone()))
    }

    pub(super) fn put(&self, session: &Session, view: &ViewDef, plan: &LogicalPlan, reads: &Reads) {
        let (with, reads) = (stamp(session), reads.clone());
        let bound = Bound { with, view: view.clone(), reads, plan: plan.clone() };
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        plans.insert(view.path.clone(), bound);
    }
}

fn stamp(session: &Session) -> Stamp {
    let settings = &session.settings;
    let (catalog, database) = (settings.catalog.clone(), settings.database.clone());
    (settings.time_zone.name(), catalog, database, session.shares())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parser::parse;
    use crate::planner::Planner;

    const SHOP: &str = "CREATE TABLE sale (sku STRING, pieces INT) WITH ('connector' = 'http');\n\
        CREATE TABLE visit (sku STRING) WITH ('connector' = 'http');\n\
        CREATE VIEW sold AS SELECT sku, pieces FROM sale;\n\
        CREATE MATERIALIZED VIEW by_sku AS SELECT sku, SUM(pieces) AS n FROM sold GROUP BY sku;\n\
        CREATE MATERIALIZED VIEW seen AS SELECT sku, COUNT(*) AS n FROM visit GROUP BY sku;";

    fn said(session: &mut Session, text: &str) {
        for parsed in parse(text).unwrap() {
            session.catalog.apply(&parsed.statement).unwrap();
        }
    }

    fn shop() -> Session {
        let mut session = Session::default();
        said(&mut session, SHOP);
        session
    }

    fn view<'s>(session: &'s Session, name: &str) -> &'s ViewDef {
        let relations = session.catalog.relations(None).unwrap();
        let found = relations.into_iter().find(|one| one.path().object == name);
        let Some(Relation::View(view)) = found else { panic!("no view {name}") };
        view
    }

    fn columns(session: &Session, name: &str) -> Vec<String> {
        let columns = Planner::new(session).columns_of_view(view(session, name)).unwrap();
        columns.into_iter().map(|(name, of)| format!("{name} {}", of.summary())).collect()
    }

    fn is_bound(session: &Session, name: &str) -> bool {
        session.bound.get(session, view(session, name)).is_some()
    }

    #[test]
    fn a_drop_leaves_alone_what_does_not_read_it() {
        let mut session = shop();
        said(&mut session, "CREATE MATERIALIZED VIEW top AS SELECT * FROM by_sku WHERE n > 3;");
        for name in ["by_sku", "seen", "top"] {
            columns(&session, name);
        }
        said(&mut session, "DROP MATERIALIZED VIEW top;");
        assert!(is_bound(&session, "by_sku") && is_bound(&session, "seen"));
        // A copy that shares what is bound finds it too.
        let mut copy = session.clone();
        copy.bound = session.bound.share();
        assert!(is_bound(&copy, "by_sku"));
        // What is below a view below counts as well, and only there.
        said(&mut copy, "ALTER TABLE sale MODIFY pieces BIGINT;");
        assert!(!is_bound(&copy, "by_sku") && is_bound(&copy, "seen"));
        assert!(is_bound(&session, "by_sku"));
    }

    #[test]
    fn what_is_declared_anew_is_bound_anew() {
        let mut session = shop();
        assert_eq!(columns(&session, "by_sku"), ["sku STRING", "n INT"]);
        said(
            &mut session,
            "DROP TABLE sale;\n\
             CREATE TABLE sale (sku INT, pieces BIGINT) WITH ('connector' = 'http');",
        );
        assert_eq!(columns(&session, "by_sku"), ["sku INT", "n BIGINT"]);
        // A temporary table hides the other until it is dropped.
        said(
            &mut session,
            "CREATE TEMPORARY TABLE sale (sku STRING, pieces DOUBLE) WITH ('connector' = 'http');",
        );
        assert_eq!(columns(&session, "by_sku"), ["sku STRING", "n DOUBLE"]);
        said(&mut session, "DROP TEMPORARY TABLE sale;");
        assert_eq!(columns(&session, "by_sku"), ["sku INT", "n BIGINT"]);
        said(&mut session, "ALTER VIEW sold AS SELECT sku, 1.5 AS pieces FROM sale;");
        assert_eq!(columns(&session, "by_sku")[0], "sku INT");
        assert!(columns(&session, "by_sku")[1].contains("DECIMAL"));
    }

    #[test]
    fn what_was_only_tried_leaves_nothing() {
        let session = shop();
        let tried = |table: &str| {
            let mut copy = session.clone();
            copy.bound = session.bound.share();
            said(&mut copy, &format!("CREATE TABLE till ({table}) WITH ('connector' = 'http');"));
            said(&mut copy, "CREATE VIEW till_rows AS SELECT * FROM till;");
            columns(&copy, "till_rows")
        };
        assert_eq!(tried("id INT"), ["id INT"]);
        assert_eq!(tried("id STRING, pieces INT"), ["id STRING", "pieces INT"]);
    }
}
