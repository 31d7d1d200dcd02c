//! `CAST` and `TRY_CAST` with Flink's results.
//!
//! One function per target type, made where the planner meets a cast. Casts within numbers live
//! in `number`, texts of values in `format`.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, ListArray, MapArray, PrimitiveArray,
    StringBuilder, StructArray, new_null_array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::cast as arrow_cast;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, FieldRef, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, Time32MillisecondType, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use datafusion_common::{Result, ScalarValue, exec_err, plan_err};
use datafusion_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::SessionSettings;
use super::format::{TextStyle, declared_precision, write_value};
use super::number;
use super::time::{self, DAY_MS, DAY_S, Instant, Times};
use super::typing::{is_temporal, map_types, type_name};

/// The metadata key under which a field's declared Flink type stands.
pub const TYPE_METADATA_KEY: &str = "flink.type";

/// A cast to one type.
#[derive(Debug)]
pub struct FlinkCast {
    target: FieldRef,
    lenient: bool,
    settings: SessionSettings,
    signature: Signature,
}

impl PartialEq for FlinkCast {
    fn eq(&self, other: &Self) -> bool {
        self.target == other.target
            && self.lenient == other.lenient
            && self.settings == other.settings
    }
}

impl Eq for FlinkCast {}

impl Hash for FlinkCast {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.target.data_type().hash(state);
        self.lenient.hash(state);
    }
}

impl FlinkCast {
    /// `CAST(.. AS target)`, or `TRY_CAST` if `lenient`.
    pub fn new(target: FieldRef, lenient: bool, settings: SessionSettings) -> FlinkCast {
        let signature = Signature::any(1, Volatility::Immutable);
        FlinkCast { target, lenient, settings, signature }
    }

    /// The type that it casts to, with what is declared of it.
    pub fn target(&self) -> &FieldRef {
        &self.target
    }

    /// Whether what cannot be cast is NULL.
    pub fn lenient(&self) -> bool {
        self.lenient
    }

    fn declared(&self) -> Option<&str> {
        self.target.metadata().get(TYPE_METADATA_KEY).map(String::as_str)
    }

    fn show(&self, arg: &str) -> String {
        let name = type_name(self.target.data_type());
        format!("{}({arg} AS {})", self.name(), self.declared().unwrap_or(&name))
    }
}

impl ScalarUDFImpl for FlinkCast {
    fn name(&self) -> &str {
        if self.lenient { "TRY_CAST" } else { "CAST" }
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        Ok(self.show(&args.first().map(|a| a.to_string()).unwrap_or_default()))
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(self.show(&args.first().map(|a| a.schema_name().to_string()).unwrap_or_default()))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(self.target.data_type().clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let source = match args.arg_fields.first() {
            Some(f) => f,
            None => return plan_err!("CAST needs an argument"),
        };
        let to = self.target.data_type();
        check(source.data_type(), to)?;
        let may_overflow = matches!(to, DataType::Decimal128(_, _));
        let nullable = source.is_nullable() || self.lenient || may_overflow;
        Ok(Arc::new(self.target.as_ref().clone().with_nullable(nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let declared_from =
            args.arg_fields.first().and_then(|f| f.metadata().get(TYPE_METADATA_KEY).cloned());
        let caster = Caster {
            settings: &self.settings,
            lenient: self.lenient,
            from: declared_from.as_deref(),
            to: self.declared(),
        };
        match args.args.first() {
            Some(ColumnarValue::Array(a)) => {
                Ok(ColumnarValue::Array(caster.cast(a, self.target.data_type())?))
            }
            Some(ColumnarValue::Scalar(s)) => {
                let out = caster.cast(&s.to_array()?, self.target.data_type())?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&out, 0)?))
            }
            None => exec_err!("CAST needs an argument"),
        }
    }
}

/// Refuses casts that Flink has not.
pub fn check(from: &DataType, to: &DataType) -> Result<()> {
    use DataType as T;
    let text = |t: &T| matches!(t, T::Utf8 | T::Utf8View);
    let bytes = |t: &T| matches!(t, T::Binary | T::LargeBinary | T::FixedSizeBinary(_));
    let flat = |t: &T| t.is_numeric() || matches!(t, T::Boolean) || text(t);
    let interval = |t: &T| matches!(t, T::Interval(_) | T::Duration(_));
    let ok = match (from, to) {
        (f, t) if f == t => true,
        (T::Null, _) => true,
        (T::LargeUtf8, _) => false,
        (_, t) if text(t) => true,
        (f, t) if flat(f) && flat(t) => true,
        (f, t) if text(f) && (is_temporal(t) || bytes(t) || interval(t)) => true,
        (f, t) if bytes(f) && bytes(t) => true,
        (T::Date32, T::Timestamp(_, _)) | (T::Timestamp(_, _), T::Date32 | T::Time32(_)) => true,
        (T::Time32(_), T::Timestamp(_, _) | T::Time32(_)) => true,
        (T::Timestamp(_, _), T::Timestamp(_, _)) => true,
        (f, t) if interval(f) && interval(t) => true,
        (T::List(a), T::List(b)) => return check(a.data_type(), b.data_type()),
        (T::Map(a, _), T::Map(b, _)) => match (map_types(a), map_types(b)) {
            (Some((ak, av)), Some((bk, bv))) => {
                check(ak.data_type(), bk.data_type())?;
                return check(av.data_type(), bv.data_type());
            }
            _ => false,
        },
        (T::Struct(a), T::Struct(b)) if a.len() == b.len() => {
            for (x, y) in a.iter().zip(b.iter()) {
                check(x.data_type(), y.data_type())?;
            }
            true
        }
        _ => false,
    };
    if ok {
        return Ok(());
    }
    let hint = match (from, to) {
        (f, T::Timestamp(_, _)) if f.is_numeric() => {
            "; use TO_TIMESTAMP_LTZ(n, 0 or 3) for epoch numbers"
        }
        (T::Timestamp(_, _), t) if t.is_numeric() => "; use EXTRACT or UNIX_TIMESTAMP",
        (T::LargeUtf8, _) => {
            "; use JSON_STRING(v) for its JSON, JSON_VALUE(v, '$' RETURNING INTEGER) for a value"
        }
        (_, T::LargeUtf8) => "; use PARSE_JSON(text)",
        (f, t) if f.is_numeric() && interval(t) => "; write n * INTERVAL '1' SECOND",
        (f, t) if interval(f) && t.is_numeric() => "; use TIMESTAMPDIFF(unit, from, to)",
        _ => "",
    };
    plan_err!(
        "Cast function cannot convert value of type {} to type {}{hint}",
        type_name(from),
        type_name(to)
    )
}

/// Whether arrow's own cast gives Flink's result.
pub fn arrow_is_exact(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    let width = |t: &T| t.primitive_width().unwrap_or(0);
    if from == to || from.is_null() {
        return true;
    }
    match (from, to) {
        (f, t) if f.is_signed_integer() && t.is_signed_integer() => width(f) <= width(t),
        (f, T::Float32 | T::Float64) if f.is_signed_integer() => true,
        (T::Float32, T::Float64) => true,
        (T::Timestamp(a, None), T::Timestamp(b, None)) => b >= a,
        (T::Timestamp(a, Some(_)), T::Timestamp(b, Some(_))) => b >= a,
        (T::Date32, T::Timestamp(_, None)) => true,
        _ => false,
    }
}

/// One cast: the session, what to do with bad values, the declared types.
#[derive(Clone, Copy)]
pub struct Caster<'a> {
    /// The session, for its time zone.
    pub settings: &'a SessionSettings,
    /// Whether what cannot be cast is NULL.
    pub lenient: bool,
    /// The declared type that it casts from, where Arrow's says less.
    pub from: Option<&'a str>,
    /// The declared type that it casts to.
    pub to: Option<&'a str>,
}

impl<'a> Caster<'a> {
    /// A caster without declared types.
    pub fn plain(settings: &'a SessionSettings, lenient: bool) -> Caster<'a> {
        Caster { settings, lenient, from: None, to: None }
    }

    /// The array as `to`.
    pub fn cast(&self, array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
        use DataType as T;
        let from = array.data_type().clone();
        if from.is_null() {
            return Ok(new_null_array(to, array.len()));
        }
        let same = from == *to;
        match (&from, to) {
            (T::Utf8View | T::LargeUtf8, _) => self.cast(&arrow_cast(array, &T::Utf8)?, to),
            (_, T::Utf8) => self.to_text(array),
            (_, T::Binary) => self.to_bytes(array),
            (T::Timestamp(_, _) | T::Time32(_), _) if is_temporal(to) => {
                self.to_temporal(array, to)
            }
            (T::Date32, T::Timestamp(_, _)) => self.to_temporal(array, to),
            _ if same => Ok(Arc::clone(array)),
            (T::Utf8, _) => self.parse(array, to),
            (T::Boolean, t) if t.is_numeric() => {
                let ones = arrow_cast(array, &T::Int32)?;
                number::to_number(&ones, t)
            }
            (f, T::Boolean) if f.is_numeric() => {
                let v = number::to_number(array, &T::Float64)?;
                let v = v.as_primitive::<Float64Type>();
                let out: BooleanArray = v.iter().map(|v| v.map(|v| v != 0.0)).collect();
                Ok(Arc::new(out))
            }
            (f, t) if f.is_numeric() && t.is_numeric() => number::to_number(array, t),
            (T::List(_), T::List(f)) => self.list(array.as_list(), f),
            (T::Map(_, _), T::Map(f, sorted)) => self.map(array.as_map(), f, *sorted),
            (T::Struct(_), T::Struct(fields)) => {
                let s = array.as_struct();
                let plain = Caster { from: None, to: None, ..*self };
                let columns = s
                    .columns()
                    .iter()
                    .zip(fields.iter())
                    .map(|(c, f)| plain.cast(c, f.data_type()))
                    .collect::<Result<Vec<_>>>()?;
                let offsets: Vec<i32> = (0..=s.len() as i32).collect();
                let casts: Vec<_> = s.columns().iter().zip(&columns).collect();
                let nulls = self.whole(s.nulls(), &offsets, &casts);
                Ok(Arc::new(StructArray::try_new_with_length(
                    fields.clone(),
                    columns,
                    nulls,
                    s.len(),
                )?))
            }
            (T::Interval(_) | T::Duration(_), t) => self.from_interval(array, t),
            _ => {
                check(&from, to)?;
                Ok(arrow_cast(array, to)?)
            }
        }
    }

    fn list(&self, list: &ListArray, field: &FieldRef) -> Result<ArrayRef> {
        let plain = Caster { from: None, to: None, ..*self };
        let values = plain.cast(list.values(), field.data_type())?;
        let nulls = self.whole(list.nulls(), list.offsets(), &[(list.values(), &values)]);
        Ok(Arc::new(ListArray::try_new(Arc::clone(field), list.offsets().clone(), values, nulls)?))
    }

    /// `TRY_CAST` of a collection is NULL where one of its values cannot be cast.
    fn whole(
        &self,
        nulls: Option<&NullBuffer>,
        offsets: &[i32],
        casts: &[(&ArrayRef, &ArrayRef)],
    ) -> Option<NullBuffer> {
        if !self.lenient {
            return nulls.cloned();
        }
        let fits = |i: usize| casts.iter().all(|(was, is)| is.is_valid(i) || was.is_null(i));
        let row = |w: &[i32]| (w[0] as usize..w[1] as usize).all(fits);
        let whole = NullBuffer::from_iter(offsets.windows(2).map(row));
        NullBuffer::union(nulls, Some(&whole))
    }

    fn map(&self, map: &MapArray, field: &FieldRef, sorted: bool) -> Result<ArrayRef> {
        let DataType::Struct(fields) = field.data_type() else {
            return exec_err!("A MAP's entries must be a ROW");
        };
        let plain = Caster { from: None, to: None, ..*self };
        let columns = vec![
            plain.cast(map.keys(), fields[0].data_type())?,
            plain.cast(map.values(), fields[1].data_type())?,
        ];
        let casts = [(map.keys(), &columns[0]), (map.values(), &columns[1])];
        let nulls = self.whole(map.nulls(), map.offsets(), &casts);
        let entries = StructArray::try_new(fields.clone(), columns, None)?;
        Ok(Arc::new(MapArray::try_new(
            Arc::clone(field),
            map.offsets().clone(),
            entries,
            nulls,
            sorted,
        )?))
    }

    fn to_text(&self, array: &ArrayRef) -> Result<ArrayRef> {
        let length = self.to.and_then(declared_length);
        if matches!(array.data_type(), DataType::Utf8) && length.is_none() {
            return Ok(Arc::clone(array));
        }
        let style = TextStyle {
            zone: self.settings.time_zone,
            print: false,
            precision: self.from.and_then(declared_precision),
        };
        let mut out = StringBuilder::with_capacity(array.len(), array.len() * 12);
        let mut text = String::new();
        for i in 0..array.len() {
            if array.is_null(i) {
                out.append_null();
                continue;
            }
            text.clear();
            write_value(&mut text, array, i, style);
            if let Some((n, pad)) = length {
                fit(&mut text, n, pad);
            }
            out.append_value(&text);
        }
        Ok(Arc::new(out.finish()))
    }

    fn to_bytes(&self, array: &ArrayRef) -> Result<ArrayRef> {
        let bytes = match array.data_type() {
            DataType::Utf8 => BinaryArray::from_iter(
                array.as_string::<i32>().iter().map(|s| s.map(str::as_bytes)),
            ),
            _ => arrow_cast(array, &DataType::Binary)?.as_binary::<i32>().clone(),
        };
        let Some((n, pad)) = self.to.and_then(declared_length) else {
            return Ok(Arc::new(bytes));
        };
        let fitted = bytes.iter().map(|b| {
            b.map(|b| {
                let mut b = b[..b.len().min(n)].to_vec();
                if pad {
                    b.resize(n, 0);
                }
                b
            })
        });
        Ok(Arc::new(BinaryArray::from_iter(fitted)))
    }

    /// Between dates, times and timestamps, by the session's zone where one side is LTZ.
    fn to_temporal(&self, array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
        let tz = self.settings.time_zone;
        let zoned = |t: &DataType| matches!(t, DataType::Timestamp(_, Some(_)));
        let (from_zoned, to_zoned) = (zoned(array.data_type()), zoned(to));
        let times = Times::of(array)?;
        let precision = self.to.and_then(declared_precision);
        let get = |i: usize| {
            let t = times.get(i)?;
            Some(match (from_zoned, to_zoned) {
                (true, false) => time::to_local(tz, t),
                (false, true) => time::to_utc(tz, t),
                _ => t,
            })
        };
        build_temporal(array.len(), to, precision, |i| Ok(get(i)))
    }

    fn parse(&self, array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
        use DataType as T;
        let text = array.as_string::<i32>();
        match to {
            T::Boolean => {
                let mut out = BooleanArray::builder(text.len());
                for s in text {
                    out.append_option(self.read(s, to, parse_bool)?);
                }
                Ok(Arc::new(out.finish()))
            }
            T::Int8 => self.parse_prims::<Int8Type>(array, to, parse_int),
            T::Int16 => self.parse_prims::<Int16Type>(array, to, parse_int),
            T::Int32 => self.parse_prims::<Int32Type>(array, to, parse_int),
            T::Int64 => self.parse_prims::<Int64Type>(array, to, parse_int),
            T::Float32 => self.parse_prims::<Float32Type>(array, to, |s| {
                parse_double(s).map(|_| java_float_text(s).parse().unwrap_or(f32::NAN))
            }),
            T::Float64 => self.parse_prims::<Float64Type>(array, to, parse_double),
            T::Decimal128(p, s) => {
                let mut out = PrimitiveArray::<Decimal128Type>::builder(text.len());
                for v in text {
                    let v = self.read(v, to, |t| number::parse_decimal(t.trim(), *p, *s))?;
                    out.append_option(v.flatten());
                }
                Ok(Arc::new(out.finish().with_data_type(to.clone())))
            }
            T::Date32 => {
                self.parse_prims::<Date32Type>(array, to, |s| time::parse_date(s).map(|d| d as i32))
            }
            T::Time32(TimeUnit::Millisecond) => {
                self.parse_prims::<Time32MillisecondType>(array, to, time::parse_time)
            }
            T::Timestamp(_, zone) => {
                let tz = self.settings.time_zone;
                let precision = self.to.and_then(declared_precision);
                build_temporal(text.len(), to, precision, |i| {
                    let s = text.is_valid(i).then(|| text.value(i));
                    let t = self.read(s, to, time::parse_timestamp)?;
                    Ok(t.map(|t| if zone.is_some() { time::to_utc(tz, t) } else { t }))
                })
            }
            t => {
                check(&T::Utf8, t)?;
                Ok(arrow_cast(array, t)?)
            }
        }
    }

    fn parse_prims<T: ArrowPrimitiveType>(
        &self,
        array: &ArrayRef,
        to: &DataType,
        f: impl Fn(&str) -> Option<T::Native>,
    ) -> Result<ArrayRef> {
        let text = array.as_string::<i32>();
        let mut out = PrimitiveArray::<T>::builder(text.len());
        for s in text {
            out.append_option(self.read(s, to, &f)?);
        }
        Ok(Arc::new(out.finish()))
    }

    /// Reads one text; what cannot be read is NULL for `TRY_CAST`, an error otherwise.
    fn read<V>(
        &self,
        text: Option<&str>,
        to: &DataType,
        f: impl Fn(&str) -> Option<V>,
    ) -> Result<Option<V>> {
        let Some(text) = text else {
            return Ok(None);
        };
        match f(text) {
            Some(v) => Ok(Some(v)),
            None if self.lenient => Ok(None),
            None => exec_err!(
                "CAST: for input string: '{text}': it is not a valid {}; \
                 TRY_CAST answers NULL instead",
                type_name(to)
            ),
        }
    }

    fn from_interval(&self, array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
        if matches!(to, DataType::Interval(_)) {
            return Ok(arrow_cast(array, to)?);
        }
        exec_err!("CAST: an interval is no {}", type_name(to))
    }
}

/// A date, time or timestamp array; `precision` cuts a timestamp's fraction.
pub(crate) fn build_temporal(
    rows: usize,
    to: &DataType,
    precision: Option<u8>,
    mut get: impl FnMut(usize) -> Result<Option<Instant>>,
) -> Result<ArrayRef> {
    match to {
        DataType::Date32 => {
            let mut out = PrimitiveArray::<Date32Type>::builder(rows);
            for i in 0..rows {
                out.append_option(get(i)?.map(|t| t.secs.div_euclid(DAY_S) as i32));
            }
            Ok(Arc::new(out.finish()))
        }
        DataType::Time32(_) => {
            let mut out = PrimitiveArray::<Time32MillisecondType>::builder(rows);
            for i in 0..rows {
                // A TIME has whole seconds unless it is declared otherwise.
                let digits = u32::from(precision.unwrap_or(0).min(3));
                let cut = 10_i64.pow(3 - digits);
                let millis = |t: Instant| t.millis().rem_euclid(DAY_MS) / cut * cut;
                out.append_option(get(i)?.map(|t| millis(t) as i32));
            }
            Ok(Arc::new(out.finish()))
        }
        DataType::Timestamp(unit, _) => {
            let cut = precision.map(|p| 10u32.pow(9 - u32::from(p.min(9))));
            let mut values = Vec::with_capacity(rows);
            for i in 0..rows {
                let t = get(i)?.map(|t| match cut {
                    Some(c) => Instant { nanos: t.nanos / c * c, ..t },
                    None => t,
                });
                values.push(match t {
                    Some(t) => match t.to_unit(*unit) {
                        Some(v) => Some(v),
                        None => {
                            return exec_err!("a moment lies outside of {}", type_name(to));
                        }
                    },
                    None => None,
                });
            }
            let array: ArrayRef = match unit {
                TimeUnit::Second => stamp::<TimestampSecondType>(values),
                TimeUnit::Millisecond => stamp::<TimestampMillisecondType>(values),
                TimeUnit::Microsecond => stamp::<TimestampMicrosecondType>(values),
                TimeUnit::Nanosecond => stamp::<TimestampNanosecondType>(values),
            };
            if array.data_type() == to { Ok(array) } else { Ok(arrow_cast_zone(array, to)?) }
        }
        other => exec_err!("{} is not a date or time", type_name(other)),
    }
}

fn stamp<T: ArrowPrimitiveType<Native = i64>>(values: Vec<Option<i64>>) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::from_iter(values))
}

/// Relabels a timestamp array with a zone; the values are moments already.
fn arrow_cast_zone(array: ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let data = array.to_data().into_builder().data_type(to.clone()).build()?;
    Ok(arrow::array::make_array(data))
}

/// Length of `CHAR(n)`, `VARCHAR(n)`, `BINARY(n)`, `VARBINARY(n)`, and whether to pad.
fn declared_length(declared: &str) -> Option<(usize, bool)> {
    let (name, rest) = declared.split_once('(')?;
    let n = rest.split_once(')')?.0.trim().parse().ok()?;
    match name.trim() {
        "CHAR" | "BINARY" => Some((n, true)),
        "VARCHAR" | "VARBINARY" => Some((n, false)),
        _ => None,
    }
}

fn fit(text: &mut String, n: usize, pad: bool) {
    if let Some((at, _)) = text.char_indices().nth(n) {
        text.truncate(at);
    } else if pad {
        let missing = n - text.chars().count();
        text.extend(std::iter::repeat_n(' ', missing));
    }
}

fn parse_bool(s: &str) -> Option<bool> {
    match s.trim().to_ascii_lowercase().as_str() {
        "t" | "true" | "y" | "yes" | "1" => Some(true),
        "f" | "false" | "n" | "no" | "0" => Some(false),
        _ => None,
    }
}

/// An integer; a well-formed fraction is dropped.
fn parse_int<T: std::str::FromStr>(s: &str) -> Option<T> {
    let s = s.trim();
    let whole = match s.split_once('.') {
        Some((w, f)) if f.bytes().all(|b| b.is_ascii_digit()) => w,
        Some(_) => return None,
        None => s,
    };
    match whole {
        "" | "-" | "+" => {
            let fraction_only = s.len() > whole.len() + 1;
            if fraction_only { "0".parse().ok() } else { None }
        }
        w => w.parse().ok(),
    }
}

fn java_float_text(s: &str) -> &str {
    s.trim().trim_end_matches(['d', 'D', 'f', 'F'])
}

/// A double as Java's `Double.parseDouble` reads it.
fn parse_double(s: &str) -> Option<f64> {
    let t = s.trim();
    match t.trim_start_matches(['+', '-']) {
        "NaN" => return Some(f64::NAN),
        "Infinity" => {
            return Some(if t.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY });
        }
        _ => {}
    }
    let t = java_float_text(t);
    let plain = t.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    if !plain || t.is_empty() { None } else { t.parse().ok() }
}
