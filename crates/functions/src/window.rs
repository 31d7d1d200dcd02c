//! Window functions as the planner sees them: name, arguments, result type.
//!
//! The engine computes them; asking one of these for an evaluator is an error. `FIRST_VALUE` and
//! `LAST_VALUE` are aggregates and need no entry here.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, not_impl_err};
use datafusion_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion_expr::{
    PartitionEvaluator, Signature, TypeSignature, Volatility, WindowUDF, WindowUDFImpl,
};

/// Name, numbers of arguments, and the result's type; none: that of the first argument.
type Definition = (&'static str, &'static [usize], Option<DataType>);

const FUNCTIONS: &[Definition] = &[
    ("ROW_NUMBER", &[0], Some(DataType::Int64)),
    ("RANK", &[0], Some(DataType::Int64)),
    ("DENSE_RANK", &[0], Some(DataType::Int64)),
    ("NTILE", &[1], Some(DataType::Int64)),
    ("PERCENT_RANK", &[0], Some(DataType::Float64)),
    ("CUME_DIST", &[0], Some(DataType::Float64)),
    ("LAG", &[1, 2, 3], None),
    ("LEAD", &[1, 2, 3], None),
];

/// All window functions.
pub(crate) fn all() -> Vec<Arc<WindowUDF>> {
    let planned = |definition| Arc::new(WindowUDF::new_from_impl(Planned::new(definition)));
    FUNCTIONS.iter().map(planned).collect()
}

#[derive(Debug)]
struct Planned {
    definition: &'static Definition,
    signature: Signature,
}

impl Planned {
    fn new(definition: &'static Definition) -> Self {
        let counts = definition.1.iter().map(|&n| match n {
            0 => TypeSignature::Nullary,
            n => TypeSignature::Any(n),
        });
        let signature = Signature::one_of(counts.collect(), Volatility::Immutable);
        Self { definition, signature }
    }
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        self.definition.0 == other.definition.0
    }
}

impl Eq for Planned {}

impl Hash for Planned {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.definition.0.hash(state);
    }
}

impl WindowUDFImpl for Planned {
    fn name(&self) -> &str {
        self.definition.0
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn partition_evaluator(
        &self,
        _: PartitionEvaluatorArgs<'_>,
    ) -> Result<Box<dyn PartitionEvaluator>> {
        not_impl_err!("{} is computed by the engine", self.name())
    }

    fn field(&self, arguments: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        let first = || arguments.get_input_field(0).map(|f| f.data_type().clone());
        let data_type = self.definition.2.clone().or_else(first).unwrap_or(DataType::Null);
        let nullable = self.definition.2.is_none();
        Ok(Arc::new(Field::new(arguments.name(), data_type, nullable)))
    }
}
