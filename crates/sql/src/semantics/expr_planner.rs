//! Turns SQL's special expression forms into calls of Flink's functions.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion_common::{Column, DFSchema, Result, ScalarValue, TableReference, plan_err};
use datafusion_expr::expr::{AggregateFunction, ScalarFunction};
use datafusion_expr::planner::{
    ExprPlanner, PlannerResult, RawAggregateExpr, RawBinaryExpr, RawDictionaryExpr,
    RawFieldAccessExpr, RawWindowExpr,
};
use datafusion_expr::sqlparser::ast::BinaryOperator;
use datafusion_expr::{Expr, GetFieldAccess, ScalarUDF, lit};

use crate::functions::operators::{Arith, Concat};
use crate::functions::typing::ArithOp;
use crate::functions::{FunctionRegistry, SessionSettings};

/// Plans field access, subscripts, literals of collections, `EXTRACT` and the like with
/// Flink's functions.
#[derive(Debug, Clone)]
pub struct FlinkExprPlanner {
    functions: FunctionRegistry,
}

impl FlinkExprPlanner {
    /// A planner whose functions are bound to the session.
    pub fn new(settings: &SessionSettings) -> FlinkExprPlanner {
        FlinkExprPlanner { functions: FunctionRegistry::new(settings) }
    }

    fn function(&self, name: &str) -> Result<Arc<ScalarUDF>> {
        match self.functions.scalar(name) {
            Some(f) => Ok(f),
            None => plan_err!("The function {name} does not exist"),
        }
    }

    fn call<T>(&self, name: &str, args: Vec<Expr>) -> Result<PlannerResult<T>> {
        let call = ScalarFunction::new_udf(self.function(name)?, args);
        Ok(PlannerResult::Planned(Expr::ScalarFunction(call)))
    }
}

/// `left op right` as a call that computes as Flink does.
pub(crate) fn arithmetic(op: ArithOp, left: Expr, right: Expr) -> Expr {
    let udf = Arc::new(ScalarUDF::new_from_impl(Arith::new(op)));
    Expr::ScalarFunction(ScalarFunction::new_udf(udf, vec![left, right]))
}

#[expect(deprecated, reason = "the planner still hands `*` over as this")]
fn is_star(expr: &Expr) -> bool {
    matches!(expr, Expr::Wildcard { .. })
}

impl ExprPlanner for FlinkExprPlanner {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        _schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let op = match expr.op {
            BinaryOperator::Plus => ArithOp::Plus,
            BinaryOperator::Minus => ArithOp::Minus,
            BinaryOperator::Multiply => ArithOp::Multiply,
            BinaryOperator::Divide => ArithOp::Divide,
            BinaryOperator::Modulo => ArithOp::Modulo,
            BinaryOperator::StringConcat => {
                let udf = Arc::new(ScalarUDF::new_from_impl(Concat::new()));
                let call = ScalarFunction::new_udf(udf, vec![expr.left, expr.right]);
                return Ok(PlannerResult::Planned(Expr::ScalarFunction(call)));
            }
            _ => return Ok(PlannerResult::Original(expr)),
        };
        Ok(PlannerResult::Planned(arithmetic(op, expr.left, expr.right)))
    }

    /// `COUNT(*)` counts rows: the constant stands for them.
    fn plan_aggregate(&self, expr: RawAggregateExpr) -> Result<PlannerResult<RawAggregateExpr>> {
        let [star] = expr.args.as_slice() else { return Ok(PlannerResult::Original(expr)) };
        if !is_star(star) {
            return Ok(PlannerResult::Original(expr));
        }
        let call = AggregateFunction::new_udf(
            expr.func,
            vec![lit(1_i64)],
            expr.distinct,
            expr.filter,
            expr.order_by,
            expr.null_treatment,
        );
        Ok(PlannerResult::Planned(Expr::AggregateFunction(call)))
    }

    fn plan_window(&self, expr: RawWindowExpr) -> Result<PlannerResult<RawWindowExpr>> {
        match expr.args.as_slice() {
            [star] if is_star(star) => {
                Ok(PlannerResult::Original(RawWindowExpr { args: vec![lit(1_i64)], ..expr }))
            }
            _ => Ok(PlannerResult::Original(expr)),
        }
    }

    fn plan_field_access(
        &self,
        expr: RawFieldAccessExpr,
        _schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        let RawFieldAccessExpr { field_access, expr: base } = expr;
        match field_access {
            GetFieldAccess::NamedStructField { name } => {
                self.call("$FIELD", vec![base, Expr::Literal(name, None)])
            }
            GetFieldAccess::ListIndex { key } => self.call("$ITEM", vec![base, *key]),
            GetFieldAccess::ListRange { .. } => {
                plan_err!("A range subscript a[i:j] is not Flink SQL; use ARRAY_SLICE(a, i, j)")
            }
        }
    }

    fn plan_array_literal(
        &self,
        exprs: Vec<Expr>,
        _schema: &DFSchema,
    ) -> Result<PlannerResult<Vec<Expr>>> {
        self.call("ARRAY", exprs)
    }

    fn plan_position(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        // The planner gives the text before the part that is sought in it.
        self.call("POSITION", args.into_iter().rev().collect())
    }

    fn plan_dictionary_literal(
        &self,
        expr: RawDictionaryExpr,
        _schema: &DFSchema,
    ) -> Result<PlannerResult<RawDictionaryExpr>> {
        let args = expr.keys.into_iter().zip(expr.values).flat_map(|(k, v)| [k, v]).collect();
        self.call("MAP", args)
    }

    fn plan_extract(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        self.call("EXTRACT", args)
    }

    fn plan_substring(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        self.call("SUBSTRING", args)
    }

    fn plan_struct_literal(
        &self,
        args: Vec<Expr>,
        is_named_struct: bool,
    ) -> Result<PlannerResult<Vec<Expr>>> {
        if !is_named_struct {
            return self.call("ROW", args);
        }
        self.call("$NAMED_ROW", args)
    }

    fn plan_overlay(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        self.call("OVERLAY", args)
    }

    fn plan_make_map(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        self.call("MAP", args)
    }

    fn plan_compound_identifier(
        &self,
        field: &Field,
        qualifier: Option<&TableReference>,
        nested_names: &[String],
    ) -> Result<PlannerResult<Vec<Expr>>> {
        let mut expr = Expr::Column(Column::from((qualifier, field)));
        let mut dtype = field.data_type().clone();
        for name in nested_names {
            let found = match &dtype {
                DataType::Struct(fields) => fields.iter().find(|f| f.name() == name).cloned(),
                _ => None,
            };
            let Some(found) = found else {
                return plan_err!("{expr} has no field '{name}'");
            };
            dtype = found.data_type().clone();
            let args = vec![expr, lit(ScalarValue::from(name.as_str()))];
            expr = Expr::ScalarFunction(ScalarFunction::new_udf(self.function("$FIELD")?, args));
        }
        Ok(PlannerResult::Planned(expr))
    }
}
