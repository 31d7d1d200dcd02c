//! How one built-in function is described, and the one `ScalarUDFImpl` that serves them all.
//!
//! A function is a [`Def`]: a row of a table with its name, the shape of its arguments, its
//! result type and the kernel that evaluates it. [`FlinkFunction`] binds such a row to the
//! session's settings. Kernels see their arguments through [`Call`]: a constant argument stays
//! one value, and a call whose arguments are all constant runs over one row.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, BinaryBuilder, BooleanArray,
    BooleanBuilder, ListArray, MapArray, PrimitiveArray, StringArray, StringBuilder,
};
use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion_common::{Result, ScalarValue, exec_err, plan_err};
use datafusion_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::SessionSettings;
use super::variant::VARIANT;

/// The kernel of a function.
pub(crate) type Eval = fn(&Call) -> Result<ArrayRef>;
/// Result type from argument types and constant arguments.
pub(crate) type Returns = fn(&[DataType], &[Option<&ScalarValue>]) -> Result<DataType>;
/// Argument types that a call is brought to.
pub(crate) type Coerce = fn(&[DataType]) -> Result<Vec<DataType>>;

/// The shape of a function's arguments.
pub(crate) enum Args {
    /// One letter an argument, see [`code_type`]; lower case is optional, `*` repeats the last.
    Codes(&'static str),
    /// Own rule.
    Custom(Coerce),
}

/// The type of a function's result.
pub(crate) enum Ret {
    /// Always this one.
    Is(DataType),
    /// The type of the argument with this index.
    Arg(usize),
    /// Derived.
    Of(Returns),
}

/// Whether the result may be NULL.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nulls {
    /// If an argument may be NULL.
    Propagate,
    /// Always.
    Maybe,
    /// Never.
    Never,
    /// Only if all arguments may be NULL.
    All,
}

/// One built-in function.
pub(crate) struct Def {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    pub args: Args,
    pub ret: Ret,
    pub nulls: Nulls,
    pub volatile: bool,
    /// A new value for every row, although the arguments are constant.
    pub per_row: bool,
    pub eval: Eval,
}

impl Def {
    /// A deterministic function that may answer NULL.
    pub fn new(name: &'static str, codes: &'static str, ret: DataType, eval: Eval) -> Def {
        Def {
            name,
            aliases: &[],
            args: Args::Codes(codes),
            ret: Ret::Is(ret),
            nulls: Nulls::Maybe,
            volatile: false,
            per_row: false,
            eval,
        }
    }

    /// As [`Def::new`], with a derived result type.
    pub fn of(name: &'static str, codes: &'static str, ret: Ret, eval: Eval) -> Def {
        Def {
            name,
            aliases: &[],
            args: Args::Codes(codes),
            ret,
            nulls: Nulls::Maybe,
            volatile: false,
            per_row: false,
            eval,
        }
    }

    /// As [`Def::of`], with an own rule for the arguments.
    pub fn custom(name: &'static str, args: Coerce, ret: Ret, eval: Eval) -> Def {
        Def {
            name,
            aliases: &[],
            args: Args::Custom(args),
            ret,
            nulls: Nulls::Maybe,
            volatile: false,
            per_row: false,
            eval,
        }
    }

    pub fn nulls(self, nulls: Nulls) -> Def {
        Def { nulls, ..self }
    }

    pub fn aliases(self, aliases: &'static [&'static str]) -> Def {
        Def { aliases, ..self }
    }

    pub fn per_row(self) -> Def {
        Def { volatile: true, per_row: true, ..self }
    }

    pub fn volatile(self) -> Def {
        Def { volatile: true, ..self }
    }
}

/// What an argument letter takes, and the type that it becomes; `None`: not acceptable.
///
/// `S` string, `J` string or VARIANT, `I` INT, `L` BIGINT, `D` DOUBLE, `B` BOOLEAN, `Y` bytes,
/// `E` string or bytes, `N` any number, `T` date or time, `A` array, `M` map, `X` anything.
fn code_type(code: u8, given: &DataType) -> Option<DataType> {
    use DataType as T;
    let string = matches!(given, T::Utf8 | T::Utf8View | T::Null);
    let bytes = matches!(given, T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_));
    let null = given.is_null();
    let number = given.is_numeric();
    let temporal = matches!(given, T::Date32 | T::Time32(_) | T::Time64(_) | T::Timestamp(_, _));
    match code {
        b'S' => string.then_some(T::Utf8),
        b'J' if *given == VARIANT => Some(VARIANT),
        b'J' => string.then_some(T::Utf8),
        b'I' => (given.is_integer() || null).then_some(T::Int32),
        b'L' => (given.is_integer() || null).then_some(T::Int64),
        b'D' => (number || null).then_some(T::Float64),
        b'B' => (matches!(given, T::Boolean) || null).then_some(T::Boolean),
        b'Y' => (bytes || null).then_some(T::Binary),
        b'E' if string => Some(T::Utf8),
        b'E' => bytes.then_some(T::Binary),
        b'N' if null => Some(T::Int32),
        b'N' => number.then(|| given.clone()),
        b'T' if null => Some(T::Timestamp(TimeUnit::Millisecond, None)),
        b'T' => temporal.then(|| given.clone()),
        b'A' => matches!(given, T::List(_)).then(|| given.clone()),
        b'M' => matches!(given, T::Map(_, _)).then(|| given.clone()),
        b'X' => Some(given.clone()),
        _ => None,
    }
}

fn code_name(code: u8) -> &'static str {
    match code {
        b'S' => "STRING",
        b'J' => "STRING or VARIANT",
        b'I' => "INT",
        b'L' => "BIGINT",
        b'D' | b'N' => "a number",
        b'B' => "BOOLEAN",
        b'Y' => "BYTES",
        b'E' => "STRING or BYTES",
        b'T' => "a date or time",
        b'A' => "ARRAY",
        b'M' => "MAP",
        _ => "any type",
    }
}

/// Brings argument types to what the letters ask for.
pub(crate) fn coerce_by_codes(
    name: &str,
    codes: &str,
    given: &[DataType],
) -> Result<Vec<DataType>> {
    let repeats = codes.ends_with('*');
    let letters = codes.trim_end_matches('*').as_bytes();
    let required = letters.iter().filter(|c| c.is_ascii_uppercase()).count();
    let required = if repeats && required == letters.len() { required - 1 } else { required };
    if given.len() < required || (!repeats && given.len() > letters.len()) {
        return plan_err!("{}", usage(name, codes, given));
    }
    let mut types = Vec::with_capacity(given.len());
    for (i, dtype) in given.iter().enumerate() {
        let code = letters.get(i).or(letters.last()).map_or(b'X', u8::to_ascii_uppercase);
        match code_type(code, dtype) {
            Some(t) => types.push(t),
            None => return plan_err!("{}", usage(name, codes, given)),
        }
    }
    Ok(types)
}

fn usage(name: &str, codes: &str, given: &[DataType]) -> String {
    let given: Vec<String> = given.iter().map(super::typing::type_name).collect();
    let mut wanted = Vec::new();
    for c in codes.bytes() {
        match c {
            b'*' => wanted.push("...".to_string()),
            c if c.is_ascii_lowercase() => {
                wanted.push(format!("[{}]", code_name(c.to_ascii_uppercase())));
            }
            c => wanted.push(code_name(c).to_string()),
        }
    }
    format!(
        "{name} does not take arguments of type ({}); it takes {name}({})",
        given.join(", "),
        wanted.join(", ")
    )
}

/// A built-in function bound to the session.
pub struct FlinkFunction {
    def: Def,
    settings: SessionSettings,
    signature: Signature,
    aliases: Vec<String>,
}

impl std::fmt::Debug for FlinkFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlinkFunction").field("name", &self.def.name).finish()
    }
}

impl PartialEq for FlinkFunction {
    fn eq(&self, other: &Self) -> bool {
        self.def.name == other.def.name && self.settings == other.settings
    }
}

impl Eq for FlinkFunction {}

impl Hash for FlinkFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.def.name.hash(state);
        self.settings.time_zone.hash(state);
    }
}

impl FlinkFunction {
    pub(crate) fn new(def: Def, settings: SessionSettings) -> FlinkFunction {
        let volatility = if def.volatile { Volatility::Volatile } else { Volatility::Immutable };
        let takes_none = matches!(def.args, Args::Codes(""));
        let signature = if takes_none {
            Signature::nullary(volatility)
        } else if def_takes_optional_only(&def) {
            Signature::one_of(
                vec![
                    datafusion_expr::TypeSignature::Nullary,
                    datafusion_expr::TypeSignature::UserDefined,
                ],
                volatility,
            )
        } else {
            Signature::user_defined(volatility)
        };
        let mut aliases: Vec<String> = def.aliases.iter().map(|a| a.to_string()).collect();
        aliases.push(def.name.to_ascii_lowercase());
        aliases.extend(def.aliases.iter().map(|a| a.to_ascii_lowercase()));
        FlinkFunction { def, settings, signature, aliases }
    }
}

fn def_takes_optional_only(def: &Def) -> bool {
    match def.args {
        Args::Codes(codes) => {
            let letters = codes.trim_end_matches('*');
            letters.len() == 1 && codes.ends_with('*')
                || letters.bytes().all(|c| c.is_ascii_lowercase())
        }
        Args::Custom(_) => false,
    }
}

impl ScalarUDFImpl for FlinkFunction {
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
        let none = vec![None; arg_types.len()];
        self.result_type(arg_types, &none)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|f| f.data_type().clone()).collect();
        let dtype = self.result_type(&types, args.scalar_arguments)?;
        let nullable = match self.def.nulls {
            Nulls::Maybe => true,
            Nulls::Never => false,
            Nulls::Propagate => args.arg_fields.iter().any(|f| f.is_nullable()),
            Nulls::All => args.arg_fields.iter().all(|f| f.is_nullable()),
        };
        // A moment that is moved or rounded keeps its declared precision.
        let moment = match self.def.name {
            "TIMESTAMPADD" => args.arg_fields.get(2),
            "FLOOR" | "CEIL" => args.arg_fields.first(),
            _ => None,
        };
        let moment = moment.filter(|f| *f.data_type() == dtype && f.data_type().is_temporal());
        let field = Field::new(self.def.name, dtype, nullable);
        Ok(Arc::new(match moment {
            Some(moment) => field.with_metadata(moment.metadata().clone()),
            None => field,
        }))
    }

    fn is_nullable(&self, _args: &[Expr], _schema: &dyn datafusion_common::ExprSchema) -> bool {
        self.def.nulls != Nulls::Never
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        match self.def.args {
            Args::Codes(codes) => coerce_by_codes(self.def.name, codes, arg_types),
            Args::Custom(rule) => rule(arg_types),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ret = args.return_field.data_type().clone();
        let mut call = Call::new(self.def.name, args, ret, &self.settings)?;
        if self.def.per_row {
            call.rows = call.batch_rows;
            call.constant = false;
        }
        let array = (self.def.eval)(&call)?;
        if array.len() != call.rows {
            return exec_err!(
                "{} answered {} rows for {} (a fault of this program)",
                self.def.name,
                array.len(),
                call.rows
            );
        }
        if call.constant && !self.def.volatile {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
        }
        if call.constant && call.rows == 1 && call.batch_rows != 1 {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
        }
        Ok(ColumnarValue::Array(array))
    }
}

impl FlinkFunction {
    fn result_type(
        &self,
        types: &[DataType],
        scalars: &[Option<&ScalarValue>],
    ) -> Result<DataType> {
        match &self.def.ret {
            Ret::Is(t) => Ok(t.clone()),
            Ret::Arg(i) => match types.get(*i) {
                Some(t) => Ok(t.clone()),
                None => plan_err!("{} needs at least {} arguments", self.def.name, i + 1),
            },
            Ret::Of(f) => f(types, scalars),
        }
    }
}

/// The arguments of one evaluation.
pub(crate) struct Call<'a> {
    /// The function's name, for messages.
    pub name: &'a str,
    /// How many rows to answer.
    pub rows: usize,
    /// How many rows the batch has.
    pub batch_rows: usize,
    /// All arguments are constant, one row is asked.
    pub constant: bool,
    /// The type to answer.
    pub ret: DataType,
    /// The session.
    pub settings: &'a SessionSettings,
    args: Vec<(ArrayRef, bool)>,
    fields: Vec<FieldRef>,
}

/// Leaves the row closure with NULL if there is no value.
macro_rules! some {
    ($e:expr) => {
        match $e {
            Some(v) => v,
            None => return Ok(None),
        }
    };
}
pub(crate) use some;

impl<'a> Call<'a> {
    pub(crate) fn new(
        name: &'a str,
        args: ScalarFunctionArgs,
        ret: DataType,
        settings: &'a SessionSettings,
    ) -> Result<Call<'a>> {
        let constant = args.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let batch_rows = args.number_rows;
        let fields = args.arg_fields.clone();
        let rows = if constant { 1 } else { batch_rows };
        let args = args
            .args
            .into_iter()
            .map(|a| match a {
                ColumnarValue::Array(a) => Ok((a, false)),
                ColumnarValue::Scalar(s) => Ok((s.to_array()?, true)),
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Call { name, rows, batch_rows, constant, ret, settings, args, fields })
    }

    /// How many arguments were given.
    pub fn len(&self) -> usize {
        self.args.len()
    }

    /// The argument's array (one row if constant).
    pub fn array(&self, i: usize) -> &ArrayRef {
        &self.args[i].0
    }

    /// Whether the argument is constant.
    pub fn is_constant(&self, i: usize) -> bool {
        self.args[i].1
    }

    /// The row of argument `i`'s array that belongs to output row `row`.
    #[inline]
    pub fn row(&self, i: usize, row: usize) -> usize {
        if self.args[i].1 { 0 } else { row }
    }

    /// The argument as an array with one value a row.
    pub fn full(&self, i: usize) -> Result<ArrayRef> {
        let (array, constant) = &self.args[i];
        if *constant && self.rows != 1 {
            return Ok(ScalarValue::try_from_array(array, 0)?.to_array_of_size(self.rows)?);
        }
        Ok(Arc::clone(array))
    }

    /// Whether the argument can never be NULL.
    pub fn not_null(&self, i: usize) -> bool {
        self.fields.get(i).is_some_and(|f| !f.is_nullable())
    }

    /// The argument's type.
    pub fn dtype(&self, i: usize) -> &DataType {
        self.args[i].0.data_type()
    }

    fn wrong(&self, i: usize, wanted: &str) -> datafusion_common::DataFusionError {
        datafusion_common::DataFusionError::Execution(format!(
            "{}: argument {} is {}, not {wanted}",
            self.name,
            i + 1,
            super::typing::type_name(self.dtype(i))
        ))
    }

    pub fn str(&self, i: usize) -> Result<Strs<'_>> {
        let (array, one) = &self.args[i];
        let array = array.as_string_opt::<i32>().ok_or_else(|| self.wrong(i, "STRING"))?;
        Ok(Strs { array, one: *one })
    }

    /// The texts of a string argument, or the JSON of a VARIANT; read them with [`Strs::of`].
    pub fn json(&self, i: usize) -> Result<StringArray> {
        match self.args[i].0.as_string_opt::<i64>() {
            Some(variants) => Ok(variants.iter().collect()),
            None => Ok(self.str(i)?.array.clone()),
        }
    }

    /// The string argument, or none where it was not given.
    pub fn str_opt(&self, i: usize) -> Result<Option<Strs<'_>>> {
        if i < self.len() { self.str(i).map(Some) } else { Ok(None) }
    }

    pub fn bytes(&self, i: usize) -> Result<Bytes<'_>> {
        let (array, one) = &self.args[i];
        if let Some(array) = array.as_string_opt::<i32>() {
            return Ok(Bytes::Text(Strs { array, one: *one }));
        }
        let array = array.as_binary_opt::<i32>().ok_or_else(|| self.wrong(i, "BYTES"))?;
        Ok(Bytes::Raw(array, *one))
    }

    pub fn prim<T: ArrowPrimitiveType>(&self, i: usize) -> Result<Prims<'_, T>> {
        let (array, one) = &self.args[i];
        let array = array
            .as_primitive_opt::<T>()
            .ok_or_else(|| self.wrong(i, &super::typing::type_name(&T::DATA_TYPE)))?;
        Ok(Prims { array, one: *one })
    }

    pub fn prim_opt<T: ArrowPrimitiveType>(&self, i: usize) -> Result<Option<Prims<'_, T>>> {
        if i < self.len() { self.prim(i).map(Some) } else { Ok(None) }
    }

    pub fn bool(&self, i: usize) -> Result<Bools<'_>> {
        let (array, one) = &self.args[i];
        let array = array.as_boolean_opt().ok_or_else(|| self.wrong(i, "BOOLEAN"))?;
        Ok(Bools { array, one: *one })
    }

    pub fn list(&self, i: usize) -> Result<&ListArray> {
        self.args[i].0.as_list_opt::<i32>().ok_or_else(|| self.wrong(i, "ARRAY"))
    }

    pub fn map(&self, i: usize) -> Result<&MapArray> {
        self.args[i].0.as_map_opt().ok_or_else(|| self.wrong(i, "MAP"))
    }

    /// A column of strings, one call a row.
    pub fn strings<S: AsRef<str>>(
        &self,
        mut f: impl FnMut(usize) -> Result<Option<S>>,
    ) -> Result<ArrayRef> {
        let mut out = StringBuilder::with_capacity(self.rows, self.rows * 16);
        for i in 0..self.rows {
            match f(i)? {
                Some(s) => out.append_value(s),
                None => out.append_null(),
            }
        }
        Ok(Arc::new(out.finish()))
    }

    /// A column of byte strings.
    pub fn binaries<S: AsRef<[u8]>>(
        &self,
        mut f: impl FnMut(usize) -> Result<Option<S>>,
    ) -> Result<ArrayRef> {
        let mut out = BinaryBuilder::new();
        for i in 0..self.rows {
            match f(i)? {
                Some(s) => out.append_value(s),
                None => out.append_null(),
            }
        }
        Ok(Arc::new(out.finish()))
    }

    /// A column of primitive values.
    pub fn prims<T: ArrowPrimitiveType>(
        &self,
        mut f: impl FnMut(usize) -> Result<Option<T::Native>>,
    ) -> Result<ArrayRef> {
        let mut out = PrimitiveArray::<T>::builder(self.rows);
        for i in 0..self.rows {
            out.append_option(f(i)?);
        }
        let array = out.finish();
        if self.ret.is_null() || !PrimitiveArray::<T>::is_compatible(&self.ret) {
            return Ok(Arc::new(array));
        }
        Ok(Arc::new(array.with_data_type(self.ret.clone())))
    }

    /// A column of booleans.
    pub fn bools(&self, mut f: impl FnMut(usize) -> Result<Option<bool>>) -> Result<ArrayRef> {
        let mut out = BooleanBuilder::with_capacity(self.rows);
        for i in 0..self.rows {
            out.append_option(f(i)?);
        }
        Ok(Arc::new(out.finish()))
    }
}

/// A string argument.
#[derive(Clone, Copy)]
pub(crate) struct Strs<'a> {
    array: &'a StringArray,
    one: bool,
}

impl<'a> Strs<'a> {
    /// The strings of an array that holds one value for all rows, or one a row.
    pub fn of(array: &'a StringArray, one: bool) -> Strs<'a> {
        Strs { array, one }
    }

    #[inline]
    pub fn get(&self, row: usize) -> Option<&'a str> {
        let i = if self.one { 0 } else { row };
        self.array.is_valid(i).then(|| self.array.value(i))
    }

    /// The value of a constant argument, if it is one and not NULL.
    pub fn constant(&self) -> Option<&'a str> {
        if self.one { self.get(0) } else { None }
    }
}

/// A bytes argument, or a string's bytes.
#[derive(Clone, Copy)]
pub(crate) enum Bytes<'a> {
    Text(Strs<'a>),
    Raw(&'a BinaryArray, bool),
}

impl<'a> Bytes<'a> {
    #[inline]
    pub fn get(&self, row: usize) -> Option<&'a [u8]> {
        match self {
            Bytes::Text(s) => s.get(row).map(str::as_bytes),
            Bytes::Raw(array, one) => {
                let i = if *one { 0 } else { row };
                array.is_valid(i).then(|| array.value(i))
            }
        }
    }
}

/// A primitive argument.
pub(crate) struct Prims<'a, T: ArrowPrimitiveType> {
    array: &'a PrimitiveArray<T>,
    one: bool,
}

impl<T: ArrowPrimitiveType> Prims<'_, T> {
    #[inline]
    pub fn get(&self, row: usize) -> Option<T::Native> {
        let i = if self.one { 0 } else { row };
        self.array.is_valid(i).then(|| self.array.value(i))
    }
}

/// A boolean argument.
pub(crate) struct Bools<'a> {
    array: &'a BooleanArray,
    one: bool,
}

impl Bools<'_> {
    #[inline]
    pub fn get(&self, row: usize) -> Option<bool> {
        let i = if self.one { 0 } else { row };
        self.array.is_valid(i).then(|| self.array.value(i))
    }
}
