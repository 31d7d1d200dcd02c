//! One expression at a time: literals, arithmetic, casts, functions, subqueries.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{DFSchema, DFSchemaRef, Result, ScalarValue};
use datafusion_expr::expr::{
    AggregateFunction, Case, Exists, InSubquery, Like, ScalarFunction, SetComparison,
};
use datafusion_expr::logical_plan::Subquery;
use datafusion_expr::type_coercion::binary::type_union_resolution;
use datafusion_expr::{BinaryExpr, Cast, Expr, ExprSchemable, Operator, ScalarUDF, lit};

use super::{Semantics, compare};
use crate::functions::cast::{Caster, FlinkCast, TYPE_METADATA_KEY, arrow_is_exact, check};
use crate::functions::operators::{Arith, Concat};
use crate::functions::typing::{ArithOp, common_number};
use crate::functions::{FlinkFunction, FunctionRegistry, SessionSettings};

/// Rewrites the expressions of one plan node.
pub(super) struct Rewriter<'a> {
    pub semantics: &'a Semantics<'a>,
    pub schema: &'a DFSchema,
    pub outer: &'a [DFSchemaRef],
}

impl Rewriter<'_> {
    /// The whole expression, from its leaves up.
    pub(super) fn expr(&self, expr: Expr) -> Result<Expr> {
        Ok(expr.transform_up(|e| self.node(e).map(Transformed::yes))?.data)
    }

    fn settings(&self) -> &SessionSettings {
        self.semantics.settings
    }

    fn node(&self, expr: Expr) -> Result<Expr> {
        match expr {
            Expr::Literal(value, None) => Ok(Expr::Literal(literal(value), None)),
            Expr::OuterReferenceColumn(field, column) => {
                let found = self
                    .outer
                    .iter()
                    .rev()
                    .find_map(|s| s.qualified_field_from_column(&column).ok());
                let field = found.map_or(field, |(_, f)| Arc::clone(f));
                Ok(Expr::OuterReferenceColumn(field, column))
            }
            Expr::BinaryExpr(b) => self.binary(b),
            Expr::Between(b) => compare::between(b, self.schema, self.settings()),
            Expr::InList(l) => compare::in_list(l, self.schema, self.settings()),
            Expr::Case(c) => compare::case(c, self.schema, self.settings()),
            Expr::Like(like) => self.like(like, "$LIKE"),
            Expr::SimilarTo(like) => self.like(like, "$SIMILAR"),
            Expr::Cast(c) => cast_field(*c.expr, &c.field, false, self.schema, self.settings()),
            Expr::TryCast(c) => cast_field(*c.expr, &c.field, true, self.schema, self.settings()),
            Expr::ScalarFunction(call) => self.call(call),
            Expr::AggregateFunction(call) => self.aggregate(call),
            Expr::Negative(inner) => match *inner {
                Expr::Literal(v, None) => Ok(match v.arithmetic_negate() {
                    Ok(n) => Expr::Literal(literal(n), None),
                    Err(_) => Expr::Negative(Box::new(Expr::Literal(v, None))),
                }),
                inner => Ok(Expr::Negative(Box::new(inner))),
            },
            Expr::ScalarSubquery(s) => Ok(Expr::ScalarSubquery(self.subquery(s)?)),
            Expr::Exists(e) => Ok(Expr::Exists(Exists {
                subquery: self.subquery(e.subquery)?,
                negated: e.negated,
            })),
            Expr::InSubquery(e) => {
                let subquery = self.subquery(e.subquery)?;
                Ok(Expr::InSubquery(InSubquery { subquery, ..e }))
            }
            Expr::SetComparison(e) => {
                let subquery = self.subquery(e.subquery)?;
                Ok(Expr::SetComparison(SetComparison { subquery, ..e }))
            }
            other => Ok(other),
        }
    }

    fn subquery(&self, subquery: Subquery) -> Result<Subquery> {
        let mut outer = self.outer.to_vec();
        outer.push(Arc::new(self.schema.clone()));
        let plan = self.semantics.plan(Arc::unwrap_or_clone(subquery.subquery), &outer)?;
        let outer_ref_columns = subquery
            .outer_ref_columns
            .into_iter()
            .map(|e| Rewriter { outer: &outer, ..*self }.expr(e))
            .collect::<Result<Vec<_>>>()?;
        Ok(Subquery { subquery: Arc::new(plan), outer_ref_columns, spans: subquery.spans })
    }

    fn binary(&self, b: BinaryExpr) -> Result<Expr> {
        let op = match b.op {
            Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom => {
                return compare::binary(b, self.schema, self.settings());
            }
            Operator::Plus => ArithOp::Plus,
            Operator::Minus => ArithOp::Minus,
            Operator::Multiply => ArithOp::Multiply,
            Operator::Divide => ArithOp::Divide,
            Operator::Modulo => ArithOp::Modulo,
            Operator::StringConcat => {
                let udf = Arc::new(ScalarUDF::new_from_impl(Concat::new()));
                let call = ScalarFunction::new_udf(udf, vec![*b.left, *b.right]);
                return Ok(Expr::ScalarFunction(call));
            }
            _ => return Ok(Expr::BinaryExpr(b)),
        };
        let (left, right) = (b.left.get_type(self.schema)?, b.right.get_type(self.schema)?);
        if native(op, &left, &right) && left == right
            || matches!(left, DataType::Timestamp(_, _) | DataType::Date32)
                && matches!(right, DataType::Interval(_))
                && !self.has_declared_type(&b.left)?
        {
            return Ok(Expr::BinaryExpr(b));
        }
        self.arithmetic(op, *b.left, *b.right)
    }

    /// Whether Arrow's type does not say all of what Flink declares for an expression.
    fn has_declared_type(&self, expr: &Expr) -> Result<bool> {
        Ok(expr.to_field(self.schema)?.1.metadata().contains_key(TYPE_METADATA_KEY))
    }

    /// Arithmetic that arrow does as Flink does becomes a plain operator.
    fn arithmetic(&self, op: ArithOp, left: Expr, right: Expr) -> Result<Expr> {
        let (lt, rt) = (left.get_type(self.schema)?, right.get_type(self.schema)?);
        crate::functions::typing::arith_result(op, &lt, &rt)?;
        let plain = |l: Expr, r: Expr| {
            let op = match op {
                ArithOp::Plus => Operator::Plus,
                ArithOp::Minus => Operator::Minus,
                ArithOp::Multiply => Operator::Multiply,
                ArithOp::Divide => Operator::Divide,
                ArithOp::Modulo => Operator::Modulo,
            };
            Expr::BinaryExpr(BinaryExpr::new(Box::new(l), op, Box::new(r)))
        };
        if native(op, &lt, &rt) {
            if let Some(common) = common_number(&lt, &rt) {
                let l = cast_to(left, &common, self.schema, self.settings())?;
                let r = cast_to(right, &common, self.schema, self.settings())?;
                return Ok(plain(l, r));
            }
        }
        let moment = |t: &DataType| matches!(t, DataType::Timestamp(_, _) | DataType::Date32);
        let interval = |t: &DataType| matches!(t, DataType::Interval(_));
        let (moment, interval) = match op {
            ArithOp::Plus | ArithOp::Minus if moment(&lt) && interval(&rt) => (left, right),
            ArithOp::Plus if interval(&lt) && moment(&rt) => (right, left),
            _ => return Ok(super::expr_planner::arithmetic(op, left, right)),
        };
        // The sum has the moment's own precision.
        let (_, declared) = moment.to_field(self.schema)?;
        let sum = plain(moment, interval);
        if declared.metadata().contains_key(TYPE_METADATA_KEY) {
            return cast_field(sum, &declared, false, self.schema, self.settings());
        }
        Ok(sum)
    }

    fn like(&self, like: Like, function: &'static str) -> Result<Expr> {
        let plain = match like.pattern.as_ref() {
            Expr::Literal(ScalarValue::Utf8(Some(p)), _) => !p.contains('\\'),
            _ => false,
        };
        if function == "$LIKE" && plain && like.escape_char.is_none() {
            return Ok(Expr::Like(like));
        }
        let Some(udf) = crate::functions::scalar_function(function, self.settings()) else {
            return Ok(Expr::Like(like));
        };
        let mut args = vec![*like.expr, *like.pattern];
        if let Some(c) = like.escape_char {
            args.push(lit(c.to_string()));
        }
        let call = Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(udf), args));
        Ok(if like.negated { Expr::Not(Box::new(call)) } else { call })
    }

    fn call(&self, call: ScalarFunction) -> Result<Expr> {
        let inner = call.func.inner();
        if let Some(arith) = inner.downcast_ref::<Arith>() {
            let mut args = call.args.into_iter();
            if let (Some(l), Some(r)) = (args.next(), args.next()) {
                return self.arithmetic(arith.op(), l, r);
            }
            return datafusion_common::plan_err!("An operator takes two arguments");
        }
        if let Some(cast) = inner.downcast_ref::<FlinkCast>() {
            let (target, lenient) = (Arc::clone(cast.target()), cast.lenient());
            let Some(arg) = call.args.into_iter().next() else {
                return datafusion_common::plan_err!("CAST takes a value");
            };
            return cast_field(arg, &target, lenient, self.schema, self.settings());
        }
        if inner.downcast_ref::<FlinkFunction>().is_none() {
            return Ok(Expr::ScalarFunction(call));
        }
        match (call.func.name(), call.args.len()) {
            // Later rules may prove more of a value than its type says.
            ("TYPEOF", _) if !call.args.is_empty() => {
                let text = self.type_of(&call.args[0])?;
                return Ok(lit(text));
            }
            ("IF", 3) => return self.conditional(call.args),
            ("NULLIF", 2) => return self.null_if(call.args),
            ("COALESCE", n) if n > 0 && lazy(&call.args[1..]) => return self.coalesce(call.args),
            ("IFNULL", 2) if lazy(&call.args[1..]) => return self.coalesce(call.args),
            ("JSON_OBJECT" | "JSON_ARRAY", _) => return self.with_argument_types(mark_json(call)),
            _ => {}
        }
        self.with_argument_types(call)
    }

    /// Whether Flink declares a value nullable: arithmetic whose overflow is NULL is not for that.
    pub(super) fn declared_nullable(&self, expr: &Expr) -> Result<bool> {
        let Expr::ScalarFunction(call) = expr else { return expr.nullable(self.schema) };
        let inner = call.func.inner();
        let strict = inner.downcast_ref::<Arith>().is_some()
            || inner.downcast_ref::<FlinkCast>().is_some_and(|c| !c.lenient())
            || matches!(call.func.name(), "ROUND" | "TRUNCATE" | "TIMESTAMPDIFF" | "TIMESTAMPADD")
            || call.func.name().starts_with("BITMAP_");
        if matches!(call.func.name(), "ARRAY" | "MAP" | "ROW") {
            return Ok(false);
        }
        if !strict {
            return expr.nullable(self.schema);
        }
        for arg in &call.args {
            if self.declared_nullable(arg)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The JSON aggregates join texts that are JSON already; a null is left out, or is the text
    /// `null`.
    fn aggregate(&self, mut call: AggregateFunction) -> Result<Expr> {
        let absent = match (call.func.name(), call.params.args.last()) {
            (
                "JSON_ARRAYAGG" | "JSON_OBJECTAGG",
                Some(Expr::Literal(ScalarValue::Utf8(Some(mode)), _)),
            ) => mode.eq_ignore_ascii_case("ABSENT"),
            _ => return Ok(Expr::AggregateFunction(call)),
        };
        call.params.args.pop();
        let functions = FunctionRegistry::new(self.settings());
        let invoke = |name: &str, args: Vec<Expr>| match functions.scalar(name) {
            Some(f) => self.call(ScalarFunction::new_udf(f, args)),
            None => datafusion_common::plan_err!("The function {name} does not exist"),
        };
        let text = |value: Expr| match is_json(&value) {
            true => Ok(value),
            false => invoke("JSON_STRING", vec![value]),
        };
        let mut args = call.params.args.drain(..).map(text).collect::<Result<Vec<_>>>()?;
        let Some(mut json) = args.pop() else {
            return datafusion_common::plan_err!("A JSON aggregate takes a value");
        };
        if !absent {
            json = invoke("COALESCE", vec![json, lit("null")])?;
        }
        if let Some(key) = args.pop() {
            json = invoke("CONCAT", vec![key, lit(":"), json])?;
        }
        call.params.args.push(json);
        Ok(Expr::AggregateFunction(call))
    }

    /// Brings the arguments to the function's types with Flink's casts.
    fn with_argument_types(&self, call: ScalarFunction) -> Result<Expr> {
        let given =
            call.args.iter().map(|a| a.get_type(self.schema)).collect::<Result<Vec<_>>>()?;
        if given.is_empty() {
            return Ok(Expr::ScalarFunction(call));
        }
        let wanted = call.func.coerce_types(&given)?;
        let mut args = Vec::with_capacity(given.len());
        for ((arg, from), to) in call.args.into_iter().zip(given).zip(wanted) {
            args.push(if from == to {
                arg
            } else {
                cast_to(arg, &to, self.schema, self.settings())?
            });
        }
        Ok(Expr::ScalarFunction(ScalarFunction::new_udf(call.func, args)))
    }

    fn conditional(&self, args: Vec<Expr>) -> Result<Expr> {
        let mut args = args.into_iter().map(Box::new);
        let (Some(c), Some(a), b) = (args.next(), args.next(), args.next()) else {
            return datafusion_common::plan_err!("IF takes a condition and two values");
        };
        compare::case(Case::new(None, vec![(c, a)], b), self.schema, self.settings())
    }

    fn null_if(&self, args: Vec<Expr>) -> Result<Expr> {
        let mut args = args.into_iter();
        let (Some(a), Some(b)) = (args.next(), args.next()) else {
            return datafusion_common::plan_err!("NULLIF takes two values");
        };
        let null = Box::new(lit(ScalarValue::try_from(a.get_type(self.schema)?)?));
        let equal = BinaryExpr::new(Box::new(a.clone()), Operator::Eq, Box::new(b));
        let equal = compare::binary(equal, self.schema, self.settings())?;
        Ok(Expr::Case(Case::new(None, vec![(Box::new(equal), null)], Some(Box::new(a)))))
    }

    fn coalesce(&self, mut args: Vec<Expr>) -> Result<Expr> {
        let last = args.pop().map(Box::new);
        let branches = args
            .into_iter()
            .map(|a| (Box::new(Expr::IsNotNull(Box::new(a.clone()))), Box::new(a)))
            .collect();
        compare::case(Case::new(None, branches, last), self.schema, self.settings())
    }
}

/// Tells a JSON constructor which of its arguments are JSON already: the results of other
/// constructors go in as they are, every other string is quoted.
fn mark_json(mut call: ScalarFunction) -> ScalarFunction {
    let marks: String =
        call.args[1..].iter().map(|arg| if is_json(arg) { 'r' } else { 'v' }).collect();
    if let Some(Expr::Literal(ScalarValue::Utf8(Some(mode)), _)) = call.args.first_mut() {
        if !mode.contains(':') && marks.contains('r') {
            *mode = format!("{mode}:{marks}");
        }
    }
    call
}

/// Whether an expression's text is JSON, to go into other JSON as it is.
fn is_json(expr: &Expr) -> bool {
    let constructor = |name: &str| matches!(name, "JSON_OBJECT" | "JSON_ARRAY" | "JSON");
    matches!(expr, Expr::ScalarFunction(f) if constructor(f.func.name()))
}

/// Whether an argument may fail or cost, so that it must run only where it is asked for.
fn lazy(args: &[Expr]) -> bool {
    let simple = |e: &Expr| matches!(e, Expr::Column(_) | Expr::Literal(_, _) | Expr::Cast(_));
    !args.is_empty() && !args.iter().all(simple)
}

/// Whether arrow's arithmetic on these types is Flink's: integers and floats, one result type.
fn native(op: ArithOp, left: &DataType, right: &DataType) -> bool {
    let exact = |t: &DataType| t.is_signed_integer();
    let float = |t: &DataType| matches!(t, DataType::Float32 | DataType::Float64);
    let both = (exact(left) || float(left)) && (exact(right) || float(right));
    let rem_keeps = op != ArithOp::Modulo
        || !exact(left)
        || !exact(right)
        || common_number(left, right).as_ref() == Some(right);
    both && rem_keeps
}

/// A literal with Flink's type: integers are INT where they fit.
fn literal(value: ScalarValue) -> ScalarValue {
    match value {
        ScalarValue::Int64(Some(v)) => match i32::try_from(v) {
            Ok(v) => ScalarValue::Int32(Some(v)),
            Err(_) => ScalarValue::Int64(Some(v)),
        },
        ScalarValue::UInt64(Some(v)) => ScalarValue::Decimal128(Some(i128::from(v)), 20, 0),
        // A fraction alone, 0.5, has its zero counted.
        ScalarValue::Decimal128(v, p, s) if s > 0 && p == s.unsigned_abs() && p < 38 => {
            ScalarValue::Decimal128(v, p + 1, s)
        }
        ScalarValue::Utf8View(v) | ScalarValue::LargeUtf8(v) => ScalarValue::Utf8(v),
        other => other,
    }
}

/// `VALUES` of mixed types comes with casts that the SQL planner put in: they go again, so that
/// Flink's rules find the common type.
pub(super) fn without_inferred_casts(rows: &mut [Vec<Expr>], schema: &DFSchema) -> Result<()> {
    let empty = DFSchema::empty();
    for (i, field) in schema.fields().iter().enumerate() {
        let wrapped = |e: &Expr| match e {
            Expr::Cast(c) if c.field.data_type() == field.data_type() => Some((*c.expr).clone()),
            _ => None,
        };
        let mut types = Vec::with_capacity(rows.len());
        for row in rows.iter() {
            types.push(wrapped(&row[i]).unwrap_or_else(|| row[i].clone()).get_type(&empty)?);
        }
        let mixed = types.windows(2).any(|p| p[0] != p[1]);
        if !mixed || type_union_resolution(&types).as_ref() != Some(field.data_type()) {
            continue;
        }
        for row in rows.iter_mut() {
            if let Some(inner) = wrapped(&row[i]) {
                row[i] = inner;
            }
        }
    }
    Ok(())
}

/// The expression as that type, with Flink's cast.
pub(super) fn cast_to(
    expr: Expr,
    to: &DataType,
    schema: &DFSchema,
    settings: &SessionSettings,
) -> Result<Expr> {
    let field = Arc::new(arrow::datatypes::Field::new("", to.clone(), true));
    cast_field(expr, &field, false, schema, settings)
}

fn cast_field(
    expr: Expr,
    target: &FieldRef,
    lenient: bool,
    schema: &DFSchema,
    settings: &SessionSettings,
) -> Result<Expr> {
    let from = expr.get_type(schema)?;
    let to = target.data_type();
    let declared = target.metadata().contains_key(TYPE_METADATA_KEY);
    if from == *to && !declared {
        return Ok(expr);
    }
    if let Expr::Literal(value, None) = &expr {
        if (!declared || value.is_null()) && foldable(&from, to) {
            check(&from, to)?;
            let array = Caster::plain(settings, lenient).cast(&value.to_array()?, to)?;
            return Ok(Expr::Literal(ScalarValue::try_from_array(&array, 0)?, None));
        }
    }
    if arrow_is_exact(&from, to) && !declared && !lenient {
        return Ok(Expr::Cast(Cast::new(Box::new(expr), to.clone())));
    }
    check(&from, to)?;
    let cast = FlinkCast::new(Arc::clone(target), lenient, settings.clone());
    let udf = Arc::new(ScalarUDF::new_from_impl(cast));
    Ok(Expr::ScalarFunction(ScalarFunction::new_udf(udf, vec![expr])))
}

/// Literal casts that cannot fail and that a later reader of the plan should not have to see.
fn foldable(from: &DataType, to: &DataType) -> bool {
    let time = |t: &DataType| matches!(t, DataType::Date32 | DataType::Timestamp(_, None));
    from.is_null()
        || from.is_numeric() && to.is_numeric()
        || matches!(from, DataType::Utf8) && time(to)
}
