//! Descriptors, and which field of a message becomes which column.

use arrow::datatypes::{DataType, FieldRef};
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};

use crate::error::{ConnectorError, Result};
use crate::options::{Options, nearest};

/// A file of descriptors is not larger.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// A field that a column is made of, and the fields within it: those of a message in the order of
/// the ROW's, for a map its key and its value.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub field: FieldDescriptor,
    pub inner: Vec<Shape>,
}

/// The message that the options name.
pub(super) fn find_message(
    options: &Options<'_>,
    option: &str,
    file: &str,
) -> Result<MessageDescriptor> {
    let (name, path) = (options.required(option)?, options.required(file)?);
    let failed = |detail: String| {
        ConnectorError::new(format!("'{file}' of table '{}' cannot be used", options.table()))
            .detail(format!("{path}: {detail}"))
            .hint("write it with 'protoc --include_imports --descriptor_set_out=FILE x.proto'")
    };
    let size = std::fs::metadata(path).map_err(|e| failed(e.to_string()))?.len();
    if size > FILE_BYTES_MAX {
        return Err(failed(format!("it has {size} bytes")));
    }
    let bytes = std::fs::read(path).map_err(|e| failed(e.to_string()))?;
    let pool = DescriptorPool::decode(bytes.as_slice()).map_err(|e| failed(e.to_string()))?;
    if let Some(message) = pool.get_message_by_name(&name.replace('$', ".")) {
        return Ok(message);
    }
    if let Some(message) = pool.all_messages().find(|message| is_java_name(message, name)) {
        return Ok(message);
    }
    let known: Vec<String> = pool
        .all_messages()
        .filter(|m| !m.is_map_entry())
        .map(|m| m.full_name().to_owned())
        .collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let error = options.bad(option, name, &format!("a message of {path}"));
    Err(match nearest(name, &known) {
        Some(near) => error.hint(format!("did you mean '{near}'?")),
        None => error.hint(format!("it has {}", known[..known.len().min(20)].join(", "))),
    })
}

/// Whether `name` is the Java class of a message: `java.package.Message`, `….Outer$Message`.
fn is_java_name(message: &MessageDescriptor, name: &str) -> bool {
    let file = message.parent_file_descriptor_proto();
    let java = file.options.as_ref().and_then(|o| o.java_package.as_deref());
    let package = java.unwrap_or(message.package_name());
    let class = match package.is_empty() {
        true => Some(name),
        false => name.strip_prefix(package).and_then(|rest| rest.strip_prefix('.')),
    };
    let own = message.full_name().strip_prefix(message.package_name());
    let own = own.unwrap_or_default().trim_start_matches('.').replace('.', "$");
    // All messages of a file may be within one class, whose name is not known here.
    class.is_some_and(|class| {
        class == own || class.split_once('$').is_some_and(|(_, inner)| inner == own)
    })
}

/// The fields of a message for the columns of a table, by their names.
pub(super) fn shapes<'f>(
    options: &Options<'_>,
    message: &MessageDescriptor,
    columns: impl IntoIterator<Item = &'f FieldRef>,
) -> Result<Vec<Shape>> {
    let mut shapes = Vec::new();
    for column in columns {
        shapes.push(member(message, column).map_err(|reason| {
            let (name, table) = (column.name(), options.table());
            ConnectorError::new(format!("column '{name}' of table '{table}' fits no field"))
                .detail(reason)
        })?);
    }
    Ok(shapes)
}

fn member(message: &MessageDescriptor, column: &FieldRef) -> Result<Shape, String> {
    let Some(field) = message.get_field_by_name(column.name()) else {
        let fields: Vec<String> = message.fields().map(|f| f.name().to_owned()).collect();
        let known: Vec<&str> = fields.iter().map(String::as_str).collect();
        let near = nearest(column.name(), &known);
        let near = near.map_or(String::new(), |near| format!(" (did you mean '{near}'?)"));
        let message = message.full_name();
        return Err(format!("the message {message} has no field '{}'{near}", column.name()));
    };
    let inner = match column.data_type() {
        DataType::List(element) if field.is_list() => fit(&field, element.data_type())?,
        DataType::Map(entries, _) if field.is_map() => {
            let (Kind::Message(entry), DataType::Struct(parts)) =
                (field.kind(), entries.data_type())
            else {
                return Err("it is no map".into());
            };
            let [of_key, of_value] = parts.as_ref() else { return Err("it is no map".into()) };
            let (key, value) = (entry.map_entry_key_field(), entry.map_entry_value_field());
            let key_inner = fit(&key, of_key.data_type())?;
            let value_inner = fit(&value, of_value.data_type())?;
            vec![Shape { field: key, inner: key_inner }, Shape { field: value, inner: value_inner }]
        }
        _ if field.is_list() => return Err(format!("'{}' is repeated: an ARRAY", field.name())),
        _ if field.is_map() => return Err(format!("'{}' is a map: a MAP", field.name())),
        other => fit(&field, other)?,
    };
    Ok(Shape { field, inner })
}

/// Whether one value of a field goes into a type; answers the shapes within it.
fn fit(field: &FieldDescriptor, data_type: &DataType) -> Result<Vec<Shape>, String> {
    let fits = match (field.kind(), data_type) {
        (Kind::Message(message), DataType::Struct(fields)) => {
            return fields.iter().map(|f| member(&message, f)).collect();
        }
        (Kind::Bool, DataType::Boolean)
        | (Kind::Float, DataType::Float32)
        | (Kind::Double, DataType::Float64)
        | (Kind::String, DataType::Utf8)
        | (Kind::Bytes, DataType::Binary) => true,
        (Kind::Int32 | Kind::Sint32 | Kind::Sfixed32, DataType::Int32 | DataType::Int64) => true,
        (Kind::Uint32 | Kind::Fixed32, DataType::Int32 | DataType::Int64) => true,
        (
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 | Kind::Uint64 | Kind::Fixed64,
            DataType::Int64,
        ) => true,
        (
            Kind::Enum(_),
            DataType::Utf8 | DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64,
        ) => true,
        _ => false,
    };
    match fits {
        true => Ok(Vec::new()),
        false => Err(format!(
            "the field '{}' is {}, which is no {data_type}",
            field.full_name(),
            word(&field.kind())
        )),
    }
}

/// A type as it is written in a `.proto` file, and the column for it.
fn word(kind: &Kind) -> String {
    let (name, column) = match kind {
        Kind::Message(message) => return format!("a message {} (a ROW)", message.full_name()),
        Kind::Enum(of) => return format!("an enum {} (a STRING or an INT)", of.full_name()),
        Kind::Double => ("double", "DOUBLE"),
        Kind::Float => ("float", "FLOAT"),
        Kind::Int32 => ("int32", "INT"),
        Kind::Int64 => ("int64", "BIGINT"),
        Kind::Uint32 => ("uint32", "INT or BIGINT"),
        Kind::Uint64 => ("uint64", "BIGINT"),
        Kind::Sint32 => ("sint32", "INT"),
        Kind::Sint64 => ("sint64", "BIGINT"),
        Kind::Fixed32 => ("fixed32", "INT or BIGINT"),
        Kind::Fixed64 => ("fixed64", "BIGINT"),
        Kind::Sfixed32 => ("sfixed32", "INT"),
        Kind::Sfixed64 => ("sfixed64", "BIGINT"),
        Kind::Bool => ("bool", "BOOLEAN"),
        Kind::String => ("string", "STRING"),
        Kind::Bytes => ("bytes", "BYTES"),
    };
    format!("{name} ({column})")
}
