//! Expressions that say where they failed: `division by zero in a / b, in INSERT INTO t`.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion_common::{DataFusionError, Result, internal_err};
use datafusion_expr::{ColumnarValue, Expr};
use datafusion_physical_expr::PhysicalExpr;
use rialto_engine::EngineError;
use rialto_engine::expr::Expression;

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
    let mut text = expr.clone().unalias_nested().data.human_display().to_string();
    if let Some((end, _)) = text.char_indices().nth(TEXT_MAX) {
        text.truncate(end);
        text.push('…');
    }
    if let Some(statement) = statement {
        text = format!("{text}, {statement}");
    }
    Arc::new(Traced { inner, text: text.into() })
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
