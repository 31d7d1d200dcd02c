//! `JSON_VALUE`, `JSON_QUERY`, `JSON_OBJECT` and their family.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListBuilder, StringBuilder};
use arrow::compute::kernels::zip::zip;
use arrow::datatypes::{DataType, Decimal128Type};
use base64::Engine;
use datafusion_common::{Result, ScalarValue, exec_err, plan_err};

use super::call::{Call, Def, Nulls, Ret, Strs, some};
use super::cast::Caster;
use super::format::{TextStyle, write_value};
use super::json::{Found, Json, Path, quote};
use super::typing::list_of;

/// The functions of this group.
pub(crate) fn defs() -> Vec<Def> {
    use DataType::{Boolean, Utf8};
    vec![
        Def::of("JSON_VALUE", "JSssxsx", Ret::Of(value_type), json_value),
        Def::of("JSON_QUERY", "JSssss", Ret::Of(query_type), json_query),
        Def::new("JSON_EXISTS", "SSs", Boolean, json_exists),
        Def::new("IS_JSON", "Ss", Boolean, is_json).nulls(Nulls::Maybe),
        Def::new("JSON_OBJECT", "SX*", Utf8, json_object).nulls(Nulls::Never),
        Def::new("JSON_ARRAY", "SX*", Utf8, json_array).nulls(Nulls::Never),
        Def::new("JSON_STRING", "X", Utf8, |c| {
            let a = c.array(0);
            c.strings(|i| {
                let i = c.row(0, i);
                Ok((!a.is_null(i)).then(|| to_json(a, i, c).to_json()))
            })
        })
        .nulls(Nulls::Propagate),
        Def::new("JSON", "S", Utf8, |c| {
            let s = c.str(0)?;
            c.strings(|i| {
                let s = some!(s.get(i)).trim();
                if s.is_empty() {
                    return Ok(None);
                }
                match Json::parse(s) {
                    Some(v) => Ok(Some(v.to_json())),
                    None => exec_err!("Invalid JSON string in JSON(value) function: \"{s}\""),
                }
            })
        }),
        Def::new("JSON_QUOTE", "S", Utf8, |c| {
            let s = c.str(0)?;
            c.strings(|i| Ok(s.get(i).map(json_quote)))
        })
        .nulls(Nulls::Propagate),
        Def::new("JSON_UNQUOTE", "S", Utf8, |c| {
            let s = c.str(0)?;
            c.strings(|i| {
                let s = some!(s.get(i));
                Ok(Some(match Json::parse(s) {
                    Some(Json::Text(t)) => t,
                    Some(_) if s.chars().count() >= 2 => {
                        let inner: Vec<char> = s.chars().collect();
                        inner[1..inner.len() - 1].iter().collect()
                    }
                    Some(_) => String::new(),
                    None => s.to_string(),
                }))
            })
        })
        .nulls(Nulls::Propagate),
    ]
}

fn json_quote(s: &str) -> String {
    let mut quoted = String::new();
    quote(&mut quoted, s);
    let mut out = String::new();
    for c in quoted.chars() {
        if c == '/' {
            out.push_str("\\/");
        } else if c as u32 > 127 {
            let mut units = [0u16; 2];
            for u in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{u:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Compiled paths of one call.
#[derive(Default)]
struct Paths(HashMap<String, Rc<Path>>);

impl Paths {
    fn get(&mut self, spec: &str) -> Rc<Path> {
        if let Some(p) = self.0.get(spec) {
            return Rc::clone(p);
        }
        let path = Rc::new(Path::compile(spec));
        self.0.insert(spec.to_string(), Rc::clone(&path));
        path
    }
}

fn text_of<'a>(scalars: &[Option<&'a ScalarValue>], i: usize) -> &'a str {
    match scalars.get(i) {
        Some(Some(ScalarValue::Utf8(Some(s)))) => s.as_str(),
        _ => "",
    }
}

fn value_type(_: &[DataType], scalars: &[Option<&ScalarValue>]) -> Result<DataType> {
    let text = text_of(scalars, 2).trim().to_ascii_uppercase();
    let name = text.split('(').next().unwrap_or("").trim();
    Ok(match name {
        "" | "STRING" | "VARCHAR" | "CHAR" => DataType::Utf8,
        "BOOLEAN" => DataType::Boolean,
        "INT" | "INTEGER" => DataType::Int32,
        "BIGINT" => DataType::Int64,
        "DOUBLE" | "DOUBLE PRECISION" => DataType::Float64,
        other => {
            return plan_err!(
                "JSON_VALUE does not support RETURNING {other}; use VARCHAR, BOOLEAN, INTEGER or \
                 DOUBLE and CAST the result"
            );
        }
    })
}

/// What to answer where there is nothing, or an error.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Behaviour {
    Null,
    Error,
    Default,
    EmptyArray,
    EmptyObject,
}

fn behaviour(call: &Call, i: usize) -> Result<Behaviour> {
    let Some(text) = call.str_opt(i)?.and_then(|s| s.get(0)) else {
        return Ok(Behaviour::Null);
    };
    let text = text.trim().to_ascii_uppercase().replace('_', " ");
    Ok(match text.as_str() {
        "" | "NULL" => Behaviour::Null,
        "ERROR" => Behaviour::Error,
        "DEFAULT" => Behaviour::Default,
        "EMPTY ARRAY" => Behaviour::EmptyArray,
        "EMPTY OBJECT" => Behaviour::EmptyObject,
        other => return exec_err!("{}: unknown behaviour {other}", call.name),
    })
}

/// What became of a row of `JSON_VALUE`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Value,
    Empty,
    Error,
}

fn json_value(call: &Call) -> Result<ArrayRef> {
    let (json, path) = (call.json(0)?, call.str(1)?);
    let input = Strs::of(&json, call.is_constant(0));
    let (on_empty, on_error) = (behaviour(call, 3)?, behaviour(call, 5)?);
    let mut paths = Paths::default();
    let mut outcomes = Vec::with_capacity(call.rows);
    let texts = call.strings(|i| {
        let (Some(input), Some(path)) = (input.get(i), path.get(i)) else {
            outcomes.push(Outcome::Value);
            return Ok(None);
        };
        let path = paths.get(path);
        let (outcome, value) = match path.find(input) {
            Found::Error(why) if on_error == Behaviour::Error => {
                return exec_err!("JSON_VALUE: {why}");
            }
            Found::Error(_) => (Outcome::Error, None),
            Found::Value(None) => (Outcome::Empty, None),
            Found::Value(Some(v)) if v.is_scalar() => match typed(&v, &call.ret) {
                Some(text) => (Outcome::Value, Some(text)),
                None if on_error == Behaviour::Error => {
                    return exec_err!("JSON_VALUE: '{}' has another type", v.plain());
                }
                None => (Outcome::Error, None),
            },
            Found::Value(Some(_)) if path.lax => (Outcome::Empty, None),
            Found::Value(Some(v)) => {
                if on_error == Behaviour::Error {
                    return exec_err!(
                        "Strict jsonpath mode requires scalar value, and the actual value is: \
                         '{}'",
                        v.to_json()
                    );
                }
                (Outcome::Error, None)
            }
        };
        if outcome == Outcome::Empty && on_empty == Behaviour::Error {
            return exec_err!("Empty result of JSON_VALUE function is not allowed");
        }
        outcomes.push(outcome);
        Ok(value)
    })?;
    let caster = Caster::plain(call.settings, true);
    let mut out = caster.cast(&texts, &call.ret)?;
    let cases = [(Outcome::Empty, on_empty, 4), (Outcome::Error, on_error, 6)];
    for (outcome, what, argument) in cases {
        if what == Behaviour::Default && argument < call.len() && outcomes.contains(&outcome) {
            let default =
                Caster::plain(call.settings, false).cast(&call.full(argument)?, &call.ret)?;
            let mask: arrow::array::BooleanArray =
                outcomes.iter().map(|o| Some(*o == outcome)).collect();
            out = zip(&mask, &default, &out)?;
        }
    }
    Ok(out)
}

/// The scalar's text if it fits the type.
fn typed(value: &Json, to: &DataType) -> Option<String> {
    let text = value.plain();
    let fits = match to {
        DataType::Utf8 => true,
        DataType::Boolean => matches!(value, Json::Bool(_)) || text == "true" || text == "false",
        DataType::Float64 => text.parse::<f64>().is_ok(),
        DataType::Int32 => text.parse::<i32>().is_ok(),
        _ => text.parse::<i64>().is_ok(),
    };
    fits.then_some(text)
}

fn query_type(_: &[DataType], scalars: &[Option<&ScalarValue>]) -> Result<DataType> {
    let text = text_of(scalars, 2).to_ascii_uppercase().replace(' ', "");
    match text.as_str() {
        "" | "STRING" | "VARCHAR" => Ok(DataType::Utf8),
        t if t.starts_with("VARCHAR(") => Ok(DataType::Utf8),
        t if t.starts_with("ARRAY<STRING") || t.starts_with("ARRAY<VARCHAR") => {
            Ok(list_of(DataType::Utf8))
        }
        other => {
            plan_err!("JSON_QUERY does not support RETURNING {other}; use VARCHAR or ARRAY<STRING>")
        }
    }
}

fn json_query(call: &Call) -> Result<ArrayRef> {
    let (json, path) = (call.json(0)?, call.str(1)?);
    let input = Strs::of(&json, call.is_constant(0));
    let wrapper = match call.str_opt(3)?.and_then(|s| s.get(0)) {
        Some(w) => w.trim().to_ascii_uppercase(),
        None => String::new(),
    };
    let (on_empty, on_error) = (behaviour(call, 4)?, behaviour(call, 5)?);
    let mut paths = Paths::default();
    let mut rows: Vec<Option<Json>> = Vec::with_capacity(call.rows);
    let fallback = |what: Behaviour, why: String| match what {
        Behaviour::Null | Behaviour::Default => Ok(None),
        Behaviour::EmptyArray => Ok(Some(Json::Array(vec![]))),
        Behaviour::EmptyObject => Ok(Some(Json::Object(vec![]))),
        Behaviour::Error => exec_err!("JSON_QUERY: {why}"),
    };
    for i in 0..call.rows {
        let (Some(input), Some(path)) = (input.get(i), path.get(i)) else {
            rows.push(None);
            continue;
        };
        let path = paths.get(path);
        rows.push(match path.find(input) {
            Found::Error(why) => fallback(on_error, why)?,
            Found::Value(None) => {
                fallback(on_empty, "Empty result of JSON_QUERY function is not allowed".into())?
            }
            Found::Value(Some(v)) => {
                let wrap = match wrapper.as_str() {
                    w if w.starts_with("UNCONDITIONAL") => true,
                    w if w.starts_with("CONDITIONAL") => !matches!(v, Json::Array(_)),
                    _ => false,
                };
                let v = if wrap { Json::Array(vec![v]) } else { v };
                match (v.is_scalar(), path.lax) {
                    (false, _) => Some(v),
                    (true, true) => fallback(on_empty, "the result is a scalar".into())?,
                    (true, false) => fallback(
                        on_error,
                        format!(
                            "Strict jsonpath mode requires array or object value, and the \
                             actual value is: '{}'",
                            v.plain()
                        ),
                    )?,
                }
            }
        });
    }
    if matches!(call.ret, DataType::Utf8) {
        return call.strings(|i| Ok(rows[i].as_ref().map(Json::to_json)));
    }
    let mut out = ListBuilder::new(StringBuilder::new());
    for row in rows {
        match row {
            Some(Json::Array(items)) => out.append_value(items.iter().map(|v| match v {
                Json::Null => None,
                v => Some(v.plain()),
            })),
            _ => out.append_null(),
        }
    }
    Ok(Arc::new(out.finish()))
}

fn json_exists(call: &Call) -> Result<ArrayRef> {
    let (input, path) = (call.str(0)?, call.str(1)?);
    let on_error = match call.str_opt(2)?.and_then(|s| s.get(0)) {
        Some(w) => w.trim().to_ascii_uppercase(),
        None => String::new(),
    };
    let mut paths = Paths::default();
    call.bools(|i| {
        let (input, path) = (some!(input.get(i)), some!(path.get(i)));
        match paths.get(path).find(input) {
            Found::Value(v) => Ok(Some(v.is_some())),
            Found::Error(why) => match on_error.as_str() {
                "TRUE" => Ok(Some(true)),
                "UNKNOWN" => Ok(None),
                "ERROR" => exec_err!("JSON_EXISTS: {why}"),
                _ => Ok(Some(false)),
            },
        }
    })
}

fn is_json(call: &Call) -> Result<ArrayRef> {
    let input = call.str(0)?;
    let kind = match call.str_opt(1)?.and_then(|s| s.get(0)) {
        Some(w) => w.trim().to_ascii_uppercase(),
        None => "VALUE".to_string(),
    };
    call.bools(|i| {
        let Some(input) = input.get(i) else {
            return Ok(Some(false));
        };
        let value = Json::parse(input);
        Ok(Some(value.is_some_and(|v| match kind.as_str() {
            "SCALAR" => v.is_scalar(),
            "ARRAY" => matches!(v, Json::Array(_)),
            "OBJECT" => matches!(v, Json::Object(_)),
            _ => true,
        })))
    })
}

/// The first argument of `JSON_OBJECT` and `JSON_ARRAY`: `NULL` or `ABSENT`, then behind a
/// colon one `r` for each argument that is JSON already, `v` for each that is not.
fn on_null(call: &Call) -> Result<(bool, String)> {
    let text = call.str(0)?.get(0).unwrap_or("NULL").to_string();
    let (mode, raw) = text.split_once(':').unwrap_or((&text, ""));
    Ok((mode.eq_ignore_ascii_case("ABSENT"), raw.to_string()))
}

fn argument(call: &Call, i: usize, row: usize, raw: &str) -> Json {
    let array = call.array(i);
    let row = call.row(i, row);
    if raw.as_bytes().get(i - 1) == Some(&b'r') && array.is_valid(row) {
        if let Some(text) = array.as_string_opt::<i32>() {
            return Json::parse(text.value(row)).unwrap_or(Json::Null);
        }
    }
    to_json(array, row, call)
}

fn json_object(call: &Call) -> Result<ArrayRef> {
    let (absent, raw) = on_null(call)?;
    if call.len() % 2 == 0 {
        return exec_err!("JSON_OBJECT takes pairs of a key and a value");
    }
    call.strings(|row| {
        let mut fields: Vec<(String, Json)> = Vec::new();
        for i in (1..call.len()).step_by(2) {
            let Some(key) = call.str(i)?.get(row) else {
                return exec_err!("JSON_OBJECT: a key must not be NULL");
            };
            let value = argument(call, i + 1, row, &raw);
            if absent && value == Json::Null {
                continue;
            }
            match fields.iter_mut().find(|(k, _)| k == key) {
                Some(field) => field.1 = value,
                None => fields.push((key.to_string(), value)),
            }
        }
        Ok(Some(Json::Object(fields).to_json()))
    })
}

fn json_array(call: &Call) -> Result<ArrayRef> {
    let (absent, raw) = on_null(call)?;
    call.strings(|row| {
        let items = (1..call.len())
            .map(|i| argument(call, i, row, &raw))
            .filter(|v| !absent || *v != Json::Null)
            .collect();
        Ok(Some(Json::Array(items).to_json()))
    })
}

/// A value as JSON.
fn to_json(array: &ArrayRef, row: usize, call: &Call) -> Json {
    use DataType as T;
    if array.is_null(row) || array.data_type().is_null() {
        return Json::Null;
    }
    let text = || {
        let mut out = String::new();
        let style = TextStyle { zone: call.settings.time_zone, print: false, precision: None };
        write_value(&mut out, array, row, style);
        out
    };
    match array.data_type() {
        T::Boolean => Json::Bool(array.as_boolean().value(row)),
        T::Float32 | T::Float64 => match text().as_str() {
            special @ ("NaN" | "Infinity" | "-Infinity") => Json::Text(special.to_string()),
            number => Json::Number(number.to_string()),
        },
        T::Decimal128(_, s) => {
            let mut out = String::new();
            let v = array.as_primitive::<Decimal128Type>().value(row);
            super::format::write_decimal(&mut out, v, *s);
            Json::Number(out)
        }
        t if t.is_numeric() => Json::Number(text()),
        T::Binary => {
            let bytes = array.as_binary::<i32>().value(row);
            Json::Text(base64::engine::general_purpose::STANDARD.encode(bytes))
        }
        T::LargeUtf8 => Json::Raw(array.as_string::<i64>().value(row).to_string()),
        T::List(_) => {
            let items = array.as_list::<i32>().value(row);
            Json::Array((0..items.len()).map(|i| to_json(&items, i, call)).collect())
        }
        T::Map(_, _) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            let field = |i| (to_json(keys, i, call).plain(), to_json(values, i, call));
            Json::Object((0..entries.len()).map(field).collect())
        }
        T::Struct(fields) => {
            let columns = array.as_struct().columns();
            let field = |(f, c): (&arrow::datatypes::FieldRef, &ArrayRef)| {
                (f.name().clone(), to_json(c, row, call))
            };
            Json::Object(fields.iter().zip(columns).map(field).collect())
        }
        T::Timestamp(_, None) => Json::Text(text().replacen(' ', "T", 1)),
        _ => Json::Text(text()),
    }
}
