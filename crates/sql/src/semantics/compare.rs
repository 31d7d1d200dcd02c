//! Comparisons: both sides are brought to one type, by Flink's rules.

use arrow::datatypes::DataType;
use datafusion_common::{DFSchema, Result};
use datafusion_expr::expr::{Between, Case, InList};
use datafusion_expr::{BinaryExpr, Expr, ExprSchemable, Operator};

use super::rewrite::cast_to;
use crate::functions::typing::{common_type, comparison_type, type_name};
use crate::functions::variant::check_ordered;
use crate::functions::{SessionSettings, float};

/// Both sides of an equality over two inputs.
pub(super) fn equal_sides(
    left: Expr,
    left_schema: &DFSchema,
    right: Expr,
    right_schema: &DFSchema,
    settings: &SessionSettings,
) -> Result<(Expr, Expr)> {
    let (lt, rt) = (left.get_type(left_schema)?, right.get_type(right_schema)?);
    if lt == rt {
        return Ok((left, right));
    }
    let common = comparison_type(&lt, &rt)?;
    Ok((
        cast_to(left, &common, left_schema, settings)?,
        cast_to(right, &common, right_schema, settings)?,
    ))
}

/// `left op right` with both sides of one type.
pub(super) fn binary(
    binary: BinaryExpr,
    schema: &DFSchema,
    settings: &SessionSettings,
) -> Result<Expr> {
    let BinaryExpr { left, op, right } = binary;
    let (left, right) = equal_sides(*left, schema, *right, schema, settings)?;
    let ordered = matches!(op, Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq);
    if ordered {
        check_ordered(&left.get_type(schema)?)?;
    }
    if let Some(compared) = float::comparison(op, &left.get_type(schema)?, &left, &right) {
        return Ok(compared);
    }
    Ok(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right))))
}

/// `x BETWEEN a AND b` with all three of one type.
pub(super) fn between(b: Between, schema: &DFSchema, settings: &SessionSettings) -> Result<Expr> {
    let x = b.expr.get_type(schema)?;
    let low = comparison_type(&x, &b.low.get_type(schema)?)?;
    let common = comparison_type(&low, &b.high.get_type(schema)?)?;
    check_ordered(&common)?;
    let cast = |e: Box<Expr>| cast_to(*e, &common, schema, settings).map(Box::new);
    Ok(Expr::Between(Between::new(cast(b.expr)?, b.negated, cast(b.low)?, cast(b.high)?)))
}

/// `x IN (..)` with all of one type.
pub(super) fn in_list(list: InList, schema: &DFSchema, settings: &SessionSettings) -> Result<Expr> {
    let mut common = list.expr.get_type(schema)?;
    for item in &list.list {
        common = comparison_type(&common, &item.get_type(schema)?)?;
    }
    let items = list
        .list
        .into_iter()
        .map(|e| cast_to(e, &common, schema, settings))
        .collect::<Result<Vec<_>>>()?;
    let expr = Box::new(cast_to(*list.expr, &common, schema, settings)?);
    Ok(Expr::InList(InList::new(expr, items, list.negated)))
}

/// `CASE`: the results take their common type, a simple case compares in one type.
pub(super) fn case(mut case: Case, schema: &DFSchema, settings: &SessionSettings) -> Result<Expr> {
    if case.expr.is_none() {
        for (when, _) in &case.when_then_expr {
            let t = when.get_type(schema)?;
            if t != DataType::Boolean && !t.is_null() {
                return datafusion_common::plan_err!(
                    "CASE and IF expect a condition of type BOOLEAN, not {}",
                    type_name(&t)
                );
            }
        }
    }
    if let Some(base) = case.expr.take() {
        let mut common = base.get_type(schema)?;
        for (when, _) in &case.when_then_expr {
            common = comparison_type(&common, &when.get_type(schema)?)?;
        }
        case.expr = Some(Box::new(cast_to(*base, &common, schema, settings)?));
        for (when, _) in &mut case.when_then_expr {
            *when = Box::new(cast_to(std::mem::take(when.as_mut()), &common, schema, settings)?);
        }
    }
    let mut types = Vec::new();
    for (_, then) in &case.when_then_expr {
        types.push(then.get_type(schema)?);
    }
    if let Some(otherwise) = &case.else_expr {
        types.push(otherwise.get_type(schema)?);
    }
    let Some(common) = common_type(&types) else {
        let types: Vec<String> = types.iter().map(type_name).collect();
        return datafusion_common::plan_err!(
            "Illegal mixing of types in CASE or COALESCE statement: {}",
            types.join(", ")
        );
    };
    for (_, then) in &mut case.when_then_expr {
        *then = Box::new(cast_to(std::mem::take(then.as_mut()), &common, schema, settings)?);
    }
    if let Some(otherwise) = case.else_expr.take() {
        case.else_expr = Some(Box::new(cast_to(*otherwise, &common, schema, settings)?));
    }
    Ok(Expr::Case(case))
}
