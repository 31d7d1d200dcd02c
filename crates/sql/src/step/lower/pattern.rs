//! `MATCH_RECOGNIZE`: rows of a partition meet in one shard, conditions and measures are bound.

use std::sync::Arc;

use arrow::compute::SortOptions;
use datafusion_common::DFSchema;
use datafusion_expr::{Expr, UserDefinedLogicalNodeCore};
use rialto_engine::operator::SortColumn;
use rialto_engine::operator::match_recognize::{MatchExpression, MatchReference, MatchSpec};
use rialto_engine::operator::over::{FunctionKind, WindowFunction};

use crate::error::{Result, SqlError};
use crate::planner::pattern::{MatchColumn, MatchNode, MatchTerm};

use super::over::kind_of;
use super::{Lowering, Plan, bind, column_of, exchange, loose};
use crate::step::{Role, StepNode, StepPlan, Traits};

impl Lowering {
    pub(super) fn match_recognize(&self, node: &MatchNode) -> Result<Plan> {
        let input = self.lower(&node.input)?;
        self.search(node, input).map_err(|error| error.with_span(node.clauses.place))
    }

    fn search(&self, node: &MatchNode, input: Plan) -> Result<Plan> {
        let schema = node.input.schema();
        let clauses = &node.clauses;
        if !input.traits.insert_only {
            return Err(SqlError::new(
                "MATCH_RECOGNIZE doesn't support consuming update and delete changes",
            )
            .with_hint("find patterns in rows that are never taken back, such as a stream's"));
        }
        let order = clauses
            .order
            .iter()
            .map(|s| {
                let options = SortOptions { descending: !s.asc, nulls_first: s.nulls_first };
                Ok(SortColumn { column: position(&s.expr, schema)?, options })
            })
            .collect::<Result<Vec<SortColumn>>>()?;
        let timed =
            |s: &&SortColumn| !s.options.descending && input.traits.roles[s.column].is_event_time();
        if order.first().filter(timed).is_none() {
            return Err(SqlError::new(
                "ORDER BY of MATCH_RECOGNIZE must begin with a time attribute, ascending",
            )
            .with_hint("order by the column of the table's WATERMARK"));
        }
        let partition = clauses
            .partition
            .iter()
            .map(|c| position(&Expr::Column(c.clone()), schema))
            .collect::<Result<Vec<usize>>>()?;
        let mut define = Vec::with_capacity(clauses.define.len());
        for term in &clauses.define {
            define.push(term.as_ref().map(|t| expression(t, schema)).transpose()?);
        }
        let width = partition.len();
        let output = loose(node.schema().as_arrow());
        let mut measures = Vec::with_capacity(clauses.measures.len());
        let mut roles: Vec<Role> = vec![Role::None; width];
        for (at, (term, _)) in clauses.measures.iter().enumerate() {
            roles.push(role(term));
            measures.push((expression(term, schema)?, Arc::clone(&output.fields()[width + at])));
        }
        let spec = MatchSpec {
            partition: partition.clone(),
            order,
            variables: clauses.variables.clone(),
            pattern: clauses.pattern.clone(),
            define,
            measures,
            skip: clauses.skip.clone(),
            within: clauses.within,
        };
        let input = exchange(input, &partition);
        let traits = Traits {
            insert_only: true,
            key: None,
            window: None,
            roles,
            partitioning: super::partitioning_among(&input, &partition),
            restates: false,
        };
        let node = StepNode::MatchRecognize(Box::new(spec));
        Ok(Arc::new(StepPlan { node, inputs: vec![input], schema: output, traits }))
    }
}

/// `MATCH_ROWTIME()` is an event time, and nothing else is.
fn role(term: &MatchTerm) -> Role {
    match (&term.expression, term.columns.as_slice()) {
        (Expr::Column(_), [MatchColumn::Time]) => Role::Rowtime,
        _ => Role::None,
    }
}

fn position(expr: &Expr, schema: &DFSchema) -> Result<usize> {
    column_of(expr, schema)
        .ok_or_else(|| SqlError::new(format!("MATCH_RECOGNIZE does not find the column {expr}")))
}

fn expression(term: &MatchTerm, schema: &DFSchema) -> Result<MatchExpression> {
    let references = term.columns.iter().map(|c| reference(c, schema)).collect::<Result<_>>()?;
    Ok(MatchExpression { references, expression: bind(&term.expression, &term.row)? })
}

fn reference(column: &MatchColumn, schema: &DFSchema) -> Result<MatchReference> {
    let at = |column: &datafusion_common::Column| position(&Expr::Column(column.clone()), schema);
    Ok(match column {
        MatchColumn::Last { variable, column, offset } => {
            MatchReference::Last { variable: *variable, column: at(column)?, offset: *offset }
        }
        MatchColumn::First { variable, column, offset } => {
            MatchReference::First { variable: *variable, column: at(column)?, offset: *offset }
        }
        MatchColumn::Aggregate { variable, call } => {
            MatchReference::Aggregate { variable: *variable, function: aggregate(call, schema)? }
        }
        MatchColumn::Time => MatchReference::MatchTime,
    })
}

fn aggregate(call: &Expr, schema: &DFSchema) -> Result<WindowFunction> {
    use datafusion_expr::ExprSchemable;
    let Expr::AggregateFunction(function) = call else {
        return Err(SqlError::new(format!("{call} is not an aggregate")));
    };
    let name = function.func.name().to_ascii_uppercase();
    let kind = kind_of(&name, &|_| Ok(1))
        .map_err(|_| SqlError::not_supported(format!("the aggregate {name} in MATCH_RECOGNIZE")))?;
    let argument = match function.params.args.as_slice() {
        // COUNT(*) comes as COUNT(1): a constant that is not null counts every row.
        [Expr::Literal(value, _)] if kind == FunctionKind::Count && !value.is_null() => None,
        [argument] => Some(bind(argument, schema)?),
        _ => return Err(SqlError::not_supported(format!("{call} in MATCH_RECOGNIZE"))),
    };
    let (_, field) = call.to_field(schema)?;
    let output = Arc::new(field.as_ref().clone().with_nullable(true));
    Ok(WindowFunction { kind, argument, distinct: false, filter: None, default: None, output })
}
