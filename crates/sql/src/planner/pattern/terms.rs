//! `DEFINE` and `MEASURES`: every reference to rows of a match becomes a column of its own, and
//! the rest of the expression is planned over those columns.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Column, DFSchema, DataFusionError, Result, plan_err};
use datafusion_expr::planner::RelationPlannerContext;
use datafusion_expr::{Expr, ExprSchemable, LogicalPlan};
use sqlparser::ast::{
    self, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Spanned, VisitMut, VisitorMut,
};

use crate::functions::SessionSettings;
use crate::planner::optimize;
use crate::semantics;

use super::{MatchColumn, MatchTerm, refused, variable};

/// How the columns of a term are called; no user's name begins so.
const PREFIX: &str = "$match";

/// The type of a term.
pub(super) fn data_type(term: &MatchTerm) -> Result<DataType> {
    Ok(term.expression.to_field(term.row.as_ref())?.1.data_type().clone())
}

/// The output column of a measure.
pub(super) fn field(term: &MatchTerm, name: &str) -> Result<FieldRef> {
    let field = term.expression.to_field(term.row.as_ref())?.1;
    Ok(Arc::new(field.as_ref().clone().with_name(name).with_nullable(true)))
}

/// Plans the expressions of one `MATCH_RECOGNIZE`.
pub(super) struct Terms<'a> {
    pub input: &'a LogicalPlan,
    pub variables: &'a [String],
    /// The first column of `ORDER BY`.
    pub time: Option<FieldRef>,
    pub settings: &'a SessionSettings,
    pub context: &'a mut dyn RelationPlannerContext,
}

impl Terms<'_> {
    pub fn plan(&mut self, mut expr: ast::Expr) -> Result<MatchTerm> {
        let mut references = References { terms: self, columns: Vec::new(), fields: Vec::new() };
        if let ControlFlow::Break(error) = expr.visit(&mut references) {
            return Err(error);
        }
        let References { columns, fields, .. } = references;
        let fields = fields.into_iter().map(|f| (None, f)).collect();
        let row = DFSchema::new_with_metadata(fields, Default::default())?;
        let expression = self.bind(expr, &row)?;
        Ok(MatchTerm { columns, row: Arc::new(row), expression })
    }

    /// An expression with Flink's types.
    fn bind(&mut self, expr: ast::Expr, schema: &DFSchema) -> Result<Expr> {
        let expr = self.context.sql_to_expr(expr, schema)?;
        let expr = semantics::apply_to_expr(expr, schema, self.settings)?;
        optimize::coerce(expr, schema)
    }

    /// A column of the input by its plain name.
    fn input_column(&self, name: &Ident) -> Result<(Column, FieldRef)> {
        let is_it = |f: &FieldRef| *f.name() == name.value;
        let found: Vec<_> = self.input.schema().iter().filter(|(_, f)| is_it(f)).collect();
        match found.as_slice() {
            [(qualifier, field)] => {
                Ok((Column::new(qualifier.cloned(), &name.value), Arc::clone(field)))
            }
            [] => {
                let message = format!("there is no column `{}` to find a pattern in", name.value);
                Err(refused(message, name.span))
            }
            _ => Err(refused(format!("the column `{}` is ambiguous", name.value), name.span)),
        }
    }
}

/// Where in the rows of a variable a column is read.
#[derive(Debug, Clone, Copy)]
enum Place {
    First(usize),
    Last(usize),
}

/// Replaces references by columns.
struct References<'a, 'b> {
    terms: &'a mut Terms<'b>,
    columns: Vec<MatchColumn>,
    fields: Vec<FieldRef>,
}

impl VisitorMut for References<'_, '_> {
    type Break = DataFusionError;

    fn pre_visit_expr(&mut self, expr: &mut ast::Expr) -> ControlFlow<DataFusionError> {
        match self.replace(expr) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

/// Reads every column of an expression at one place.
struct At<'a, 'b, 'c> {
    references: &'a mut References<'b, 'c>,
    place: Place,
}

impl VisitorMut for At<'_, '_, '_> {
    type Break = DataFusionError;

    fn pre_visit_expr(&mut self, expr: &mut ast::Expr) -> ControlFlow<DataFusionError> {
        if let ast::Expr::Function(function) = expr
            && (place_of(&function.name).is_some() || self.references.is_aggregate(&function.name))
        {
            let message = format!("FIRST and LAST take columns of a row, not {expr}");
            return ControlFlow::Break(refused(message, expr.span()));
        }
        match self.references.column(expr, self.place) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

impl References<'_, '_> {
    fn replace(&mut self, expr: &mut ast::Expr) -> Result<()> {
        if let ast::Expr::Subquery(_) | ast::Expr::InSubquery { .. } | ast::Expr::Exists { .. } =
            expr
        {
            let message = "a subquery in MATCH_RECOGNIZE is not supported";
            return Err(refused(message, expr.span()));
        }
        let ast::Expr::Function(function) = &mut *expr else {
            return self.column(expr, Place::Last(0));
        };
        if let Some(place) = place_of(&function.name) {
            return self.placed(expr, place);
        }
        let name = function.name.to_string().to_ascii_uppercase();
        match name.as_str() {
            "MATCH_ROWTIME" => self.time(expr),
            "PREV" | "NEXT" | "CLASSIFIER" | "MATCH_NUMBER" | "MATCH_PROCTIME" => {
                let message = format!("{name} is not supported in MATCH_RECOGNIZE");
                Err(refused(message, expr.span()))
            }
            _ if self.is_aggregate(&function.name) => self.aggregate(expr),
            _ => Ok(()),
        }
    }

    fn is_aggregate(&self, name: &ast::ObjectName) -> bool {
        let provider = self.terms.context.context_provider();
        provider.get_aggregate_meta(&name.to_string()).is_some()
    }

    /// `price`, `A.price`, `A.item.price`.
    fn column(&mut self, expr: &mut ast::Expr, place: Place) -> Result<()> {
        let path: Vec<Ident> = match expr {
            ast::Expr::Identifier(name) => vec![name.clone()],
            ast::Expr::CompoundIdentifier(path) => path.clone(),
            _ => return Ok(()),
        };
        if path[0].value.starts_with(PREFIX) {
            return Ok(());
        }
        let (variable, name, rest) = self.resolve(&path)?;
        let (column, field) = self.terms.input_column(name)?;
        let column = match place {
            Place::First(offset) => MatchColumn::First { variable, column, offset },
            Place::Last(offset) => MatchColumn::Last { variable, column, offset },
        };
        let mut replaced = vec![self.add(column, &field)];
        replaced.extend_from_slice(rest);
        *expr = match replaced.len() {
            1 => ast::Expr::Identifier(replaced.remove(0)),
            _ => ast::Expr::CompoundIdentifier(replaced),
        };
        Ok(())
    }

    /// The variable, the column, and the fields of it that a path names.
    fn resolve<'p>(&self, path: &'p [Ident]) -> Result<(Option<usize>, &'p Ident, &'p [Ident])> {
        match path {
            [column] => Ok((None, column, &[])),
            [first, column, rest @ ..] => match variable(first, self.terms.variables) {
                Ok(at) => Ok((Some(at), column, rest)),
                Err(_) if self.terms.input_column(first).is_ok() => Ok((None, first, &path[1..])),
                Err(error) => Err(error),
            },
            [] => plan_err!("a column without a name"),
        }
    }

    /// The name of the column that a reference is read from.
    fn add(&mut self, column: MatchColumn, field: &Field) -> Ident {
        let at = self.columns.iter().position(|c| *c == column).unwrap_or_else(|| {
            let name = format!("{PREFIX}{}", self.columns.len());
            self.columns.push(column);
            self.fields.push(Arc::new(field.clone().with_name(name).with_nullable(true)));
            self.columns.len() - 1
        });
        Ident::with_quote('`', format!("{PREFIX}{at}"))
    }

    /// `FIRST(x, n)` and `LAST(x, n)`: the columns of `x` at that place.
    fn placed(&mut self, expr: &mut ast::Expr, place: fn(usize) -> Place) -> Result<()> {
        let text = expr.to_string();
        let (mut inner, offset) = match arguments(expr)?.as_slice() {
            [inner] => (inner.clone(), 0),
            [inner, offset] => match offset.to_string().parse::<usize>() {
                Ok(offset) => (inner.clone(), offset),
                Err(_) => {
                    let message =
                        format!("{text}: how many rows to go is a number that is written out");
                    return Err(refused(message, expr.span()));
                }
            },
            _ => {
                let message =
                    format!("{text}: FIRST and LAST take a column and how many rows to go");
                return Err(refused(message, expr.span()));
            }
        };
        let mut at = At { references: self, place: place(offset) };
        if let ControlFlow::Break(error) = inner.visit(&mut at) {
            return Err(error);
        }
        *expr = ast::Expr::Nested(Box::new(inner));
        Ok(())
    }

    fn time(&mut self, expr: &mut ast::Expr) -> Result<()> {
        let field = match arguments(expr)?.as_slice() {
            [] => None,
            [ast::Expr::Identifier(name)] => Some(self.terms.input_column(name)?.1),
            _ => {
                let message = "MATCH_ROWTIME takes no argument, or the time column";
                return Err(refused(message, expr.span()));
            }
        };
        let is_time = |f: &FieldRef| matches!(f.data_type(), DataType::Timestamp(..));
        let field = match field.or_else(|| self.terms.time.clone()) {
            Some(field) if is_time(&field) => field,
            _ => {
                let message = "MATCH_ROWTIME needs an ORDER BY a time column";
                return Err(refused(message, expr.span()));
            }
        };
        let name = self.add(MatchColumn::Time, &field);
        *expr = ast::Expr::Identifier(name);
        Ok(())
    }

    /// An aggregate over the rows of one variable.
    fn aggregate(&mut self, expr: &mut ast::Expr) -> Result<()> {
        let (text, place) = (expr.to_string(), expr.span());
        let mut call = expr.clone();
        let ast::Expr::Function(function) = &mut call else { return Ok(()) };
        if let FunctionArguments::List(list) = &mut function.args {
            for arg in &mut list.args {
                // COUNT(*) counts rows, as any constant does.
                if let FunctionArg::Unnamed(arg @ FunctionArgExpr::Wildcard) = arg {
                    let one = ast::Value::Number("1".into(), false);
                    *arg = FunctionArgExpr::Expr(ast::Expr::value(one));
                } else if let FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(_)) = arg {
                    let message = format!("{text} is not supported; count a column that is set");
                    return Err(refused(message, place));
                }
            }
        }
        let mut rows = OneVariable { references: self, found: None };
        if let ControlFlow::Break(error) = function.args.visit(&mut rows) {
            return Err(error);
        }
        let variable = rows.found.flatten();
        let schema = Arc::clone(self.terms.input.schema());
        let Expr::AggregateFunction(call) = self.terms.bind(call, &schema)? else {
            return Err(refused(format!("{text} is not an aggregate"), place));
        };
        let params = &call.params;
        if params.distinct || params.filter.is_some() || !params.order_by.is_empty() {
            let message = format!(
                "DISTINCT, FILTER and ORDER BY of an aggregate are not supported in \
                 MATCH_RECOGNIZE: {text}"
            );
            return Err(refused(message, place));
        }
        let call = Expr::AggregateFunction(call);
        let (_, field) = call.to_field(schema.as_ref())?;
        let name = self.add(MatchColumn::Aggregate { variable, call }, &field);
        *expr = ast::Expr::Identifier(name);
        Ok(())
    }
}

/// Takes the variable off the columns of an aggregate; it must be the same everywhere.
struct OneVariable<'a, 'b, 'c> {
    references: &'a References<'b, 'c>,
    found: Option<Option<usize>>,
}

impl VisitorMut for OneVariable<'_, '_, '_> {
    type Break = DataFusionError;

    fn pre_visit_expr(&mut self, expr: &mut ast::Expr) -> ControlFlow<DataFusionError> {
        let path: Vec<Ident> = match expr {
            ast::Expr::Identifier(name) => vec![name.clone()],
            ast::Expr::CompoundIdentifier(path) => path.clone(),
            _ => return ControlFlow::Continue(()),
        };
        let variable = match self.references.resolve(&path) {
            Ok((variable, ..)) => variable,
            Err(error) => return ControlFlow::Break(error),
        };
        if self.found.is_some_and(|found| found != variable) {
            let message =
                "an aggregate in MATCH_RECOGNIZE is over the rows of one pattern variable";
            return ControlFlow::Break(refused(message, expr.span()));
        }
        self.found = Some(variable);
        let skipped = usize::from(variable.is_some());
        *expr = match &path[skipped..] {
            [column] => ast::Expr::Identifier(column.clone()),
            path => ast::Expr::CompoundIdentifier(path.to_vec()),
        };
        ControlFlow::Continue(())
    }
}

fn place_of(name: &ast::ObjectName) -> Option<fn(usize) -> Place> {
    match name.to_string().to_ascii_uppercase().as_str() {
        "FIRST" => Some(Place::First),
        "LAST" => Some(Place::Last),
        _ => None,
    }
}

/// The plain arguments of a call.
fn arguments(call: &ast::Expr) -> Result<Vec<ast::Expr>> {
    let ast::Expr::Function(function) = call else { return Ok(Vec::new()) };
    let FunctionArguments::List(list) = &function.args else { return Ok(Vec::new()) };
    let plain = list.args.iter().map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr.clone()),
        other => {
            let message = format!("{other} cannot be an argument of {}", function.name);
            Err(refused(message, call.span()))
        }
    });
    plain.collect()
}
