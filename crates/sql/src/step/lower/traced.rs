//! Expressions that say where they failed: `division by zero in a / b, in INSERT INTO t`.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion_common::{DataFusionError, Result, ScalarValue, internal_err};
use datafusion_expr::{ColumnarValue, Expr};
use datafusion_physical_expr::PhysicalExpr;
use rialto_engine::EngineError;
use rialto_engine::expr::Expression;

use crate::functions::cast::FlinkCast;
use crate::types::field_type_name;

/// An expression's text in an error is cut after so many characters.
const TEXT_MAX: usize = 200;

/// An expression that can fail, with its text and the statement that it is from.
struct Traced {
    inner: Expression,
    text: Arc<str>,
}

/// The expression with its place in its errors; one that cannot fail stays what it is.
pub(super) fn traced(inner: Expression, expr: &Expr, statement: Option<&str>) -> Expression {
    if is_plain(expr) {
        return inner;
    }
    let mut text = text_of(expr);
    if let Some((end, _)) = text.char_indices().nth(TEXT_MAX) {
        text.truncate(end);
        text.push('…');
    }
    if let Some(statement) = statement {
        text = format!("{text}, {statement}");
    }
    Arc::new(Traced { inner, text: text.into() })
}

/// The expression as a user would write it.
fn text_of(expr: &Expr) -> String {
    match expr {
        Expr::Alias(alias) => text_of(&alias.expr),
        Expr::Column(column) => column.flat_name(),
        Expr::Literal(ScalarValue::Utf8(Some(text)), _) => {
            format!("'{}'", text.replace('\'', "''"))
        }
        Expr::Literal(value, _) if value.is_null() => "NULL".into(),
        Expr::Literal(value, _) => value.to_string(),
        Expr::Cast(cast) => text_of(&cast.expr),
        Expr::Negative(inner) => format!("-{}", part(inner)),
        Expr::Not(inner) => format!("NOT {}", part(inner)),
        Expr::IsNull(inner) => format!("{} IS NULL", part(inner)),
        Expr::IsNotNull(inner) => format!("{} IS NOT NULL", part(inner)),
        Expr::BinaryExpr(b) => format!("{} {} {}", part(&b.left), b.op, part(&b.right)),
        Expr::ScalarFunction(call) => match (operator(call.func.name()), call.args.as_slice()) {
            (true, [left, right]) => {
                format!("{} {} {}", part(left), call.func.name(), part(right))
            }
            _ => match call.func.inner().downcast_ref::<FlinkCast>() {
                Some(cast) => {
                    let inner = call.args.first().map(text_of).unwrap_or_default();
                    format!("{}({inner} AS {})", call.func.name(), field_type_name(cast.target()))
                }
                None => {
                    let args: Vec<String> = call.args.iter().map(text_of).collect();
                    format!("{}({})", call.func.name(), args.join(", "))
                }
            },
        },
        other => other.to_string(),
    }
}

/// An operand: in parentheses where it is made of operands itself.
fn part(expr: &Expr) -> String {
    let text = text_of(expr);
    let compound = match expr {
        Expr::Alias(alias) => return part(&alias.expr),
        Expr::Cast(cast) => return part(&cast.expr),
        Expr::BinaryExpr(_) | Expr::IsNull(_) | Expr::IsNotNull(_) | Expr::Not(_) => true,
        Expr::ScalarFunction(call) => operator(call.func.name()) && call.args.len() == 2,
        _ => false,
    };
    if compound { format!("({text})") } else { text }
}

/// Whether a function's name is an operator's sign.
fn operator(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_punctuation())
}

fn is_plain(expr: &Expr) -> bool {
    match expr {
        Expr::Alias(alias) => is_plain(&alias.expr),
        Expr::Column(_) | Expr::Literal(..) => true,
        _ => false,
    }
}

impl Traced {
    /// The error with the expression's text; one that has a place already keeps it.
    fn failed(&self, error: DataFusionError) -> DataFusionError {
        match EngineError::from(error) {
            EngineError::Data(text) => {
                DataFusionError::Execution(format!("{text} in {}", self.text))
            }
            other => DataFusionError::External(Box::new(other)),
        }
    }
}

// What is said about the place is no part of what the expression is: equal expressions of two
// statements are one.
impl fmt::Debug for Traced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl fmt::Display for Traced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.inner)
    }
}

impl PartialEq for Traced {
    fn eq(&self, other: &Self) -> bool {
        self.inner.eq(&other.inner)
    }
}

impl Eq for Traced {}

impl Hash for Traced {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl PhysicalExpr for Traced {
    fn data_type(&self, input: &Schema) -> Result<DataType> {
        self.inner.data_type(input)
    }

    fn nullable(&self, input: &Schema) -> Result<bool> {
        self.inner.nullable(input)
    }

    fn return_field(&self, input: &Schema) -> Result<FieldRef> {
        self.inner.return_field(input)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        self.inner.evaluate(batch).map_err(|e| self.failed(e))
    }

    fn children(&self) -> Vec<&Expression> {
        vec![&self.inner]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Expression>) -> Result<Expression> {
        match <[Expression; 1]>::try_from(children) {
            Ok([inner]) => Ok(Arc::new(Self { inner, text: Arc::clone(&self.text) })),
            Err(other) => internal_err!("a traced expression has one child, not {}", other.len()),
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_sql(f)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Int32Array;
    use arrow::datatypes::Field;
    use datafusion_common::DFSchema;
    use datafusion_expr::{col, lit};

    use super::*;
    use crate::step::lower::physical;

    #[test]
    fn an_error_says_which_expression_of_which_statement() {
        let schema = Schema::new(vec![Field::new("q", DataType::Int32, true)]);
        let logical = DFSchema::try_from(schema.clone()).unwrap();
        let expr = (lit(10_i32) / (col("q") - lit(5_i32))).alias("ratio");
        let inner = physical(&expr, &logical).unwrap();
        let expression = traced(inner, &expr, Some("in INSERT INTO t"));
        let batch = |q: i32| {
            let column = Arc::new(Int32Array::from(vec![q]));
            RecordBatch::try_new(Arc::new(schema.clone()), vec![column]).unwrap()
        };
        assert!(expression.evaluate(&batch(4)).is_ok());
        let error = EngineError::from(expression.evaluate(&batch(5)).unwrap_err());
        assert_eq!(error.to_string(), "division by zero in 10 / (q - 5), in INSERT INTO t");
    }

    #[test]
    fn expressions_are_written_as_in_sql() {
        let text = |expr: Expr| text_of(&expr);
        assert_eq!(
            text(col("t.a").eq(lit("it's")).and(col("b").is_null())),
            "(t.a = 'it''s') AND (b IS NULL)"
        );
        assert_eq!(text(-(col("a") + lit(1_i32))), "-(a + 1)");
        assert_eq!(text(lit(ScalarValue::Int32(None)).alias("x")), "NULL");
    }

    #[test]
    fn a_column_stays_what_it_is_for_others_to_see() {
        let schema = Schema::new(vec![Field::new("q", DataType::Int32, true)]);
        let logical = DFSchema::try_from(schema).unwrap();
        let inner = physical(&col("q"), &logical).unwrap();
        assert!(Arc::ptr_eq(&traced(Arc::clone(&inner), &col("q"), None), &inner));
    }
}
