//! Aggregate functions as the planner sees them: name, arguments, result type.
//!
//! The engine has its own accumulators; asking one of these for an accumulator is an error.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, ScalarValue, not_impl_err, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ReversedUDAF, Signature, TypeSignature, Volatility,
};

use super::call::coerce_by_codes;
use super::typing::{MAX_PRECISION, list_of, map_of, type_name};
use super::variant::VARIANT;

type Result1 = fn(&[DataType]) -> Result<DataType>;

/// One aggregate function.
struct AggregateDef {
    name: &'static str,
    aliases: &'static [&'static str],
    codes: &'static str,
    ret: Result1,
    nullable: bool,
}

const fn agg(name: &'static str, codes: &'static str, ret: Result1) -> AggregateDef {
    AggregateDef { name, aliases: &[], codes, ret, nullable: true }
}

const fn alias(def: AggregateDef, aliases: &'static [&'static str]) -> AggregateDef {
    AggregateDef { aliases, ..def }
}

const fn not_null(def: AggregateDef) -> AggregateDef {
    AggregateDef { nullable: false, ..def }
}

static AGGREGATES: &[AggregateDef] = &[
    not_null(agg("COUNT", "X*", |_| Ok(DataType::Int64))),
    agg("SUM", "N", sum_type),
    not_null(agg("$SUM0", "N", sum_type)),
    agg("AVG", "N", avg_type),
    agg("MIN", "X", ordered_type),
    agg("MAX", "X", ordered_type),
    agg("STDDEV_POP", "N", avg_type),
    alias(agg("STDDEV_SAMP", "N", avg_type), &["STDDEV"]),
    agg("VAR_POP", "N", avg_type),
    alias(agg("VAR_SAMP", "N", avg_type), &["VARIANCE"]),
    not_null(agg("COLLECT", "X", |t| Ok(map_of(first(t), DataType::Int32)))),
    agg("LISTAGG", "Ss", |_| Ok(DataType::Utf8)),
    agg("ARRAY_AGG", "X", |t| Ok(list_of(first(t)))),
    agg("FIRST_VALUE", "X", |t| Ok(first(t))),
    agg("LAST_VALUE", "X", |t| Ok(first(t))),
    not_null(agg("JSON_OBJECTAGG", "Xxs", |_| Ok(DataType::Utf8))),
    not_null(agg("JSON_ARRAYAGG", "Xs", |_| Ok(DataType::Utf8))),
    agg("PERCENTILE", "NXx", percentile_type),
    not_null(agg("APPROX_COUNT_DISTINCT", "X", |_| Ok(DataType::Int64))),
    agg("SINGLE_VALUE", "X", |t| Ok(first(t))),
];

fn first(types: &[DataType]) -> DataType {
    types.first().cloned().unwrap_or(DataType::Null)
}

fn sum_type(types: &[DataType]) -> Result<DataType> {
    Ok(match first(types) {
        DataType::Decimal128(_, s) => DataType::Decimal128(MAX_PRECISION, s),
        DataType::Null => DataType::Int32,
        other => other,
    })
}

fn avg_type(types: &[DataType]) -> Result<DataType> {
    Ok(match first(types) {
        DataType::Decimal128(_, s) => DataType::Decimal128(MAX_PRECISION, s.max(6)),
        DataType::Null => DataType::Int32,
        other => other,
    })
}

fn ordered_type(types: &[DataType]) -> Result<DataType> {
    match first(types) {
        t @ (DataType::List(_) | DataType::Map(_, _) | DataType::Struct(_) | VARIANT) => {
            plan_err!("MIN and MAX do not support the type {}", type_name(&t))
        }
        t => Ok(t),
    }
}

fn percentile_type(types: &[DataType]) -> Result<DataType> {
    match types.get(1) {
        Some(DataType::List(_)) => Ok(list_of(DataType::Float64)),
        Some(t) if t.is_numeric() => Ok(DataType::Float64),
        other => plan_err!(
            "PERCENTILE takes a percentage as a number or an array of numbers, not {}",
            other.map_or_else(|| "nothing".to_string(), type_name)
        ),
    }
}

/// All aggregate functions.
pub(crate) fn all() -> Vec<Arc<AggregateUDF>> {
    AGGREGATES
        .iter()
        .map(|def| Arc::new(AggregateUDF::new_from_impl(PlannedAggregate::new(def))))
        .collect()
}

/// An aggregate function without an accumulator.
struct PlannedAggregate {
    def: &'static AggregateDef,
    signature: Signature,
    aliases: Vec<String>,
}

impl PlannedAggregate {
    fn new(def: &'static AggregateDef) -> PlannedAggregate {
        let signature = if def.codes == "X*" {
            Signature::one_of(
                vec![TypeSignature::Nullary, TypeSignature::UserDefined],
                Volatility::Immutable,
            )
        } else {
            Signature::user_defined(Volatility::Immutable)
        };
        let mut aliases = vec![def.name.to_ascii_lowercase()];
        for a in def.aliases {
            aliases.push(a.to_string());
            aliases.push(a.to_ascii_lowercase());
        }
        PlannedAggregate { def, signature, aliases }
    }
}

impl std::fmt::Debug for PlannedAggregate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlannedAggregate").field("name", &self.def.name).finish()
    }
}

impl PartialEq for PlannedAggregate {
    fn eq(&self, other: &Self) -> bool {
        self.def.name == other.def.name
    }
}

impl Eq for PlannedAggregate {}

impl Hash for PlannedAggregate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.def.name.hash(state);
    }
}

impl AggregateUDFImpl for PlannedAggregate {
    fn name(&self) -> &str {
        self.def.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        (self.def.ret)(arg_types)
    }

    fn return_field(&self, arg_fields: &[FieldRef]) -> Result<FieldRef> {
        let types: Vec<DataType> = arg_fields.iter().map(|f| f.data_type().clone()).collect();
        let field = Field::new(self.def.name, (self.def.ret)(&types)?, self.def.nullable);
        // What answers one of its values answers it in the type that was declared: the MAX of a
        // TIMESTAMP(0) has no fraction.
        let declared = match (self.def.name, arg_fields) {
            ("MIN" | "MAX" | "FIRST_VALUE" | "LAST_VALUE" | "SINGLE_VALUE", [of, ..]) => {
                of.metadata().clone()
            }
            _ => Default::default(),
        };
        Ok(Arc::new(field.with_metadata(declared)))
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        match self.def.name {
            "COUNT" | "APPROX_COUNT_DISTINCT" => Ok(ScalarValue::Int64(Some(0))),
            _ => ScalarValue::try_from(data_type),
        }
    }

    fn is_nullable(&self) -> bool {
        self.def.nullable
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        coerce_by_codes(self.def.name, self.def.codes, arg_types)
    }

    fn accumulator(&self, _args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        not_impl_err!(
            "{} runs inside the streaming engine and has no DataFusion accumulator",
            self.def.name
        )
    }

    fn state_fields(&self, _args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        not_impl_err!("{} keeps its state in the streaming engine", self.def.name)
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::NotSupported
    }

    fn supports_null_handling_clause(&self) -> bool {
        matches!(self.def.name, "FIRST_VALUE" | "LAST_VALUE" | "ARRAY_AGG")
    }
}
