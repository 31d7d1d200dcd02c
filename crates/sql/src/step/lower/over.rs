//! `OVER`: window functions whose results are all wanted.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, TimeUnit};
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::expr::WindowFunction as Call;
use datafusion_expr::logical_plan::Window;
use datafusion_expr::{
    Expr, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition,
};
use rialto_engine::operator::Emission;
use rialto_engine::operator::over::{
    Frame, FrameBound, FrameUnits, FunctionKind, Nulls, OverSpec, WindowFunction,
};

use crate::error::{Result, SqlError};

use super::{Lowering, Plan, exchange, physical, rank};
use crate::step::{Role, StepNode, StepPlan, Traits};

impl Lowering {
    /// Calls over one window are computed together; each further window is one more operator.
    pub(super) fn window_functions(&self, window: &Window) -> Result<Plan> {
        // A rank without a bound is a Top-N that keeps all.
        if let [expr] = window.window_expr.as_slice()
            && let Some((function, call)) = rank::rank_function(expr)
        {
            return self.ranked_rows(window, call, function, (1, None));
        }
        let calls = window.window_expr.iter().map(call_of).collect::<Result<Vec<_>>>()?;
        let schema = window.input.schema();
        let mut plan = self.lower(&window.input)?;
        let width = plan.schema.fields().len();
        let mut places = vec![0; calls.len()];
        let mut done = vec![false; calls.len()];
        for first in 0..calls.len() {
            if done[first] {
                continue;
            }
            let same: Vec<usize> = (first..calls.len())
                .filter(|&i| !done[i] && same_window(calls[first], calls[i]))
                .collect();
            let outputs: Vec<(usize, &Call)> = same.iter().map(|&i| (i, calls[i])).collect();
            plan = self.over(plan, width, window, &outputs, schema)?;
            let total = plan.schema.fields().len();
            for (at, &i) in same.iter().enumerate() {
                places[i] = total - same.len() + at;
                done[i] = true;
            }
        }
        Ok(rank::select(plan, (0..width).chain(places).collect()))
    }

    fn over(
        &self,
        input: Plan,
        width: usize,
        window: &Window,
        calls: &[(usize, &Call)],
        schema: &DFSchema,
    ) -> Result<Plan> {
        let params = &calls[0].1.params;
        let (input, partition) = self.append(input, &params.partition_by, schema)?;
        let orders: Vec<Expr> = params.order_by.iter().map(|s| s.expr.clone()).collect();
        let (input, order) = self.append(input, &orders, schema)?;
        let order = rank::sort_columns(&order, &params.order_by);
        let input = exchange(input, &partition);
        let unit = order.first().map(|s| input.schema.field(s.column).data_type().clone());
        let frame = frame(&params.window_frame, unit.as_ref())?;
        let mut functions = Vec::with_capacity(calls.len());
        for (at, call) in calls {
            let output = Arc::clone(window.schema.field(width + at));
            let output = Arc::new(output.as_ref().clone().with_nullable(true));
            functions.push(function(call, schema, output)?);
        }
        let event_time = order
            .first()
            .filter(|s| !s.options.descending && input.traits.roles[s.column].is_event_time())
            .map(|s| s.column);
        let emission = match event_time {
            Some(_) => self.emission,
            None => Emission::Updates,
        };
        let counted = functions.iter().any(|f| f.distinct);
        if counted && emission == Emission::Final && frame.start == FrameBound::UnboundedPreceding {
            return Err(distinct_of_all());
        }
        let mut fields = input.schema.fields().to_vec();
        fields.extend(functions.iter().map(|f| Arc::clone(&f.output)));
        // A row that sees later ones changes when they come, however old it is by then.
        let looks_back = event_time.is_some() && looks_back(&frame, &functions);
        let mut roles = match looks_back || emission == Emission::Final {
            true => input.traits.roles.clone(),
            false => Vec::new(),
        };
        roles.resize(fields.len(), Role::None);
        let traits = Traits {
            insert_only: emission == Emission::Final,
            key: input.traits.key.clone(),
            window: input.traits.window,
            roles,
            partitioning: input.traits.partitioning.clone(),
            restates: false,
        };
        let spec = OverSpec {
            partition,
            order,
            frame,
            functions,
            input_insert_only: input.traits.insert_only,
            event_time,
            emission,
        };
        let node = StepNode::Over(Box::new(spec));
        let schema = super::loose(&Schema::new(fields));
        Ok(Arc::new(StepPlan { node, inputs: vec![input], schema, traits }))
    }
}

/// Whether no row sees one that is later than itself.
fn looks_back(frame: &Frame, functions: &[WindowFunction]) -> bool {
    let ahead = matches!(frame.end, FrameBound::Following(_) | FrameBound::UnboundedFollowing);
    let whole = |f: &WindowFunction| {
        matches!(
            f.kind,
            FunctionKind::Lead(_)
                | FunctionKind::Ntile(_)
                | FunctionKind::PercentRank
                | FunctionKind::CumeDist
        )
    };
    !ahead && !functions.iter().any(whole)
}

fn call_of(expr: &Expr) -> Result<&Call> {
    match expr {
        Expr::Alias(alias) => call_of(&alias.expr),
        Expr::WindowFunction(call) => Ok(call),
        other => Err(SqlError::not_supported(format!("the window function {other}"))),
    }
}

fn same_window(a: &Call, b: &Call) -> bool {
    let (a, b) = (&a.params, &b.params);
    a.partition_by == b.partition_by && a.order_by == b.order_by && a.window_frame == b.window_frame
}

fn function(
    call: &Call,
    schema: &DFSchema,
    output: arrow::datatypes::FieldRef,
) -> Result<WindowFunction> {
    let name = match &call.fun {
        WindowFunctionDefinition::AggregateUDF(f) => f.name().to_ascii_uppercase(),
        WindowFunctionDefinition::WindowUDF(f) => f.name().to_ascii_uppercase(),
    };
    let args = &call.params.args;
    let number = |at: usize| -> Result<u64> {
        match args.get(at) {
            None => Ok(1),
            Some(e) => literal(e).ok_or_else(|| {
                SqlError::new(format!("{name} takes a constant that is not negative, not {e}"))
            }),
        }
    };
    let kind = kind_of(&name, &number)?;
    let distinct = call.params.distinct && takes_equal_values_once(kind, &name)?;
    let counts_rows =
        kind == FunctionKind::Count && !distinct && args.iter().all(|e| literal(e).is_some());
    let positional = matches!(
        kind,
        FunctionKind::RowNumber
            | FunctionKind::Rank
            | FunctionKind::DenseRank
            | FunctionKind::Ntile(_)
            | FunctionKind::PercentRank
            | FunctionKind::CumeDist
    );
    let shifts = matches!(kind, FunctionKind::Lag(_) | FunctionKind::Lead(_));
    let bind = |e: &Expr| physical(e, schema);
    Ok(WindowFunction {
        kind,
        argument: match args.first() {
            Some(e) if !counts_rows && !positional => Some(bind(e)?),
            _ => None,
        },
        distinct,
        filter: call.params.filter.as_deref().map(bind).transpose()?,
        default: args.get(2).filter(|_| shifts).map(bind).transpose()?,
        output,
    })
}

fn distinct_of_all() -> SqlError {
    SqlError::not_supported("DISTINCT over all rows before a row, in an append-only result")
        .with_hint("bound the frame, such as ROWS BETWEEN 100 PRECEDING AND CURRENT ROW")
}

/// What `DISTINCT` means for a function: nothing where equal values change nothing.
fn takes_equal_values_once(kind: FunctionKind, name: &str) -> Result<bool> {
    use FunctionKind as K;
    match kind {
        K::Count | K::Sum | K::Avg => Ok(true),
        K::Min | K::Max => Ok(false),
        _ => Err(SqlError::not_supported(format!("{name}(DISTINCT …) in a window"))),
    }
}

pub(super) fn kind_of(name: &str, number: &dyn Fn(usize) -> Result<u64>) -> Result<FunctionKind> {
    use FunctionKind as K;
    Ok(match name {
        "COUNT" => K::Count,
        "SUM" => K::Sum,
        "AVG" => K::Avg,
        "MIN" => K::Min,
        "MAX" => K::Max,
        "FIRST_VALUE" => K::First(Nulls::Ignore),
        "LAST_VALUE" => K::Last(Nulls::Ignore),
        "VAR_POP" => K::Variance { sample: false, root: false },
        "VAR_SAMP" | "VARIANCE" => K::Variance { sample: true, root: false },
        "STDDEV_POP" => K::Variance { sample: false, root: true },
        "STDDEV_SAMP" | "STDDEV" => K::Variance { sample: true, root: true },
        "LAG" => K::Lag(number(1)?),
        "LEAD" => K::Lead(number(1)?),
        "ROW_NUMBER" => K::RowNumber,
        "RANK" => K::Rank,
        "DENSE_RANK" => K::DenseRank,
        "NTILE" => K::Ntile(number(0)?),
        "PERCENT_RANK" => K::PercentRank,
        "CUME_DIST" => K::CumeDist,
        other => return Err(SqlError::not_supported(format!("the window function {other}"))),
    })
}

fn literal(expr: &Expr) -> Option<u64> {
    match expr {
        Expr::Cast(cast) => literal(&cast.expr),
        Expr::Literal(value, _) => match value.cast_to(&DataType::UInt64) {
            Ok(ScalarValue::UInt64(n)) => n,
            _ => None,
        },
        _ => None,
    }
}

fn frame(frame: &WindowFrame, order: Option<&DataType>) -> Result<Frame> {
    let units = match frame.units {
        WindowFrameUnits::Rows => FrameUnits::Rows,
        WindowFrameUnits::Range => FrameUnits::Range,
        WindowFrameUnits::Groups => return Err(SqlError::not_supported("GROUPS frames")),
    };
    let start = bound(&frame.start_bound, units, order, true)?;
    let end = bound(&frame.end_bound, units, order, false)?;
    Ok(Frame { units, start, end })
}

fn bound(
    bound: &WindowFrameBound,
    units: FrameUnits,
    order: Option<&DataType>,
    starts: bool,
) -> Result<FrameBound> {
    let amount = |value: &ScalarValue| distance(value, units, order);
    Ok(match bound {
        WindowFrameBound::CurrentRow => FrameBound::CurrentRow,
        WindowFrameBound::Preceding(v) if v.is_null() => FrameBound::UnboundedPreceding,
        WindowFrameBound::Following(v) if v.is_null() && !starts => FrameBound::UnboundedFollowing,
        WindowFrameBound::Preceding(v) => FrameBound::Preceding(amount(v)?),
        WindowFrameBound::Following(v) => FrameBound::Following(amount(v)?),
    })
}

/// A frame's distance in rows, or in the units of the order column.
fn distance(value: &ScalarValue, units: FrameUnits, order: Option<&DataType>) -> Result<u64> {
    let wrong = || SqlError::new(format!("a frame cannot reach {value} far"));
    if let (FrameUnits::Range, Some(DataType::Timestamp(unit, _))) = (units, order) {
        let nanos = match value {
            ScalarValue::IntervalMonthDayNano(Some(i)) if i.months == 0 => {
                i128::from(i.days) * 86_400_000_000_000 + i128::from(i.nanoseconds)
            }
            ScalarValue::IntervalDayTime(Some(i)) => {
                i128::from(i.days) * 86_400_000_000_000 + i128::from(i.milliseconds) * 1_000_000
            }
            ScalarValue::Utf8(Some(text)) => {
                let kind = DataType::Interval(arrow::datatypes::IntervalUnit::MonthDayNano);
                let interval = ScalarValue::Utf8(Some(text.clone())).cast_to(&kind)?;
                return distance(&interval, units, order);
            }
            _ => return Err(wrong()),
        };
        let scale = match unit {
            TimeUnit::Second => 1_000_000_000,
            TimeUnit::Millisecond => 1_000_000,
            TimeUnit::Microsecond => 1_000,
            TimeUnit::Nanosecond => 1,
        };
        return u64::try_from(nanos / scale).map_err(|_| wrong());
    }
    match value.cast_to(&DataType::UInt64) {
        Ok(ScalarValue::UInt64(Some(n))) => Ok(n),
        _ => Err(wrong()),
    }
}
