//! Avro schemas: read from their JSON, and made of the columns of a table.

use std::collections::HashMap;

use arrow::datatypes::{DataType, Field, TimeUnit};
use serde_json::{Map, Value, json};

/// More parts than this is no schema that somebody wrote.
const NODES_MAX: usize = 100_000;

/// The full name that Flink gives to the record of a table's rows.
const NAMESPACE: &str = "org.apache.flink.avro.generated";
const ROOT_NAME: &str = "record";

/// A part of a schema, by its place.
pub(super) type Id = usize;

/// What the bytes of a value are.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(usize),
    Enum(Vec<String>),
    Array(Id),
    Map(Id),
    Union(Vec<Id>),
    Record(Vec<(String, Id)>),
}

impl Kind {
    /// The word for messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::Long => "long",
            Self::Float => "float",
            Self::Double => "double",
            Self::Bytes => "bytes",
            Self::String => "string",
            Self::Fixed(_) => "fixed",
            Self::Enum(_) => "enum",
            Self::Array(_) => "array",
            Self::Map(_) => "map",
            Self::Union(_) => "union",
            Self::Record(_) => "record",
        }
    }
}

/// What a value means beyond its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Logical {
    None,
    TimeMicros,
    /// A timestamp of either kind; they differ in no bit.
    Timestamp(TimeUnit),
    Decimal {
        scale: i32,
    },
}

/// A part of a schema.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub kind: Kind,
    pub logical: Logical,
}

/// A schema: a record and what it is made of. Parts name one another by place, so that a record may
/// hold itself.
#[derive(Debug, Clone)]
pub(super) struct Schema {
    nodes: Vec<Node>,
    root: Id,
}

impl Schema {
    /// Reads a schema; `named` are texts of schemas whose names it may use.
    pub fn parse(text: &str, named: &[String]) -> Result<Self, String> {
        let mut parser = Parser { nodes: Vec::new(), names: HashMap::new() };
        let mut root = None;
        for text in named.iter().map(String::as_str).chain([text]) {
            let json: Value = serde_json::from_str(text)
                .map_err(|e| format!("the Avro schema is not JSON: {e}"))?;
            root = Some(parser.read(&json, "")?);
        }
        let root = root.ok_or("there is no Avro schema")?;
        Ok(Self { nodes: parser.nodes, root })
    }

    pub fn root(&self) -> Id {
        self.root
    }

    pub fn node(&self, id: Id) -> &Node {
        &self.nodes[id]
    }
}

struct Parser {
    nodes: Vec<Node>,
    names: HashMap<String, Id>,
}

impl Parser {
    fn add(&mut self, kind: Kind, logical: Logical) -> Result<Id, String> {
        if self.nodes.len() >= NODES_MAX {
            return Err(format!("the Avro schema has more than {NODES_MAX} parts"));
        }
        self.nodes.push(Node { kind, logical });
        Ok(self.nodes.len() - 1)
    }

    fn read(&mut self, json: &Value, namespace: &str) -> Result<Id, String> {
        match json {
            Value::String(name) => self.named(name, namespace, None),
            Value::Array(branches) => {
                if branches.is_empty() {
                    return Err("a union of the Avro schema has no branch".into());
                }
                let branches: Result<Vec<Id>, String> =
                    branches.iter().map(|b| self.read(b, namespace)).collect();
                self.add(Kind::Union(branches?), Logical::None)
            }
            Value::Object(object) => self.object(object, namespace),
            other => Err(format!("{other} is no Avro schema")),
        }
    }

    /// A type by its word, or one that was named before.
    fn named(
        &mut self,
        word: &str,
        namespace: &str,
        object: Option<&Map<String, Value>>,
    ) -> Result<Id, String> {
        let Some(kind) = primitive(word) else {
            let full = if word.contains('.') || namespace.is_empty() {
                word.to_owned()
            } else {
                format!("{namespace}.{word}")
            };
            let found = self.names.get(&full).or_else(|| self.names.get(word));
            return found.copied().ok_or(format!("the Avro schema names no type '{word}'"));
        };
        let logical = object.map_or(Logical::None, |object| logical(&kind, object));
        self.add(kind, logical)
    }

    fn object(&mut self, object: &Map<String, Value>, namespace: &str) -> Result<Id, String> {
        let part = |name: &str| {
            object.get(name).ok_or_else(|| format!("a part of the Avro schema has no '{name}'"))
        };
        let kind = match part("type")? {
            Value::String(word) => word.as_str(),
            inner => return self.read(inner, namespace),
        };
        match kind {
            "array" => {
                let items = self.read(part("items")?, namespace)?;
                self.add(Kind::Array(items), Logical::None)
            }
            "map" => {
                let values = self.read(part("values")?, namespace)?;
                self.add(Kind::Map(values), Logical::None)
            }
            "fixed" => {
                let size = part("size")?.as_u64().and_then(|s| u32::try_from(s).ok());
                let kind = Kind::Fixed(size.ok_or("a 'size' of the Avro schema is none")? as usize);
                let logical = logical(&kind, object);
                let id = self.add(kind, logical)?;
                self.name(object, namespace, id)?;
                Ok(id)
            }
            "enum" => {
                let symbols = part("symbols")?.as_array().ok_or("'symbols' are no list")?;
                let symbols = symbols.iter().map(|s| s.as_str().map(str::to_owned));
                let symbols: Option<Vec<String>> = symbols.collect();
                let symbols = symbols.ok_or("a symbol of an enum is not a string")?;
                let id = self.add(Kind::Enum(symbols), Logical::None)?;
                self.name(object, namespace, id)?;
                Ok(id)
            }
            "record" | "error" => {
                let id = self.add(Kind::Record(Vec::new()), Logical::None)?;
                let namespace = self.name(object, namespace, id)?;
                let list = part("fields")?.as_array().ok_or("'fields' are no list")?;
                let mut fields: Vec<(String, Id)> = Vec::with_capacity(list.len());
                for field in list {
                    let name = field.get("name").and_then(Value::as_str);
                    let name = name.ok_or("a field of the Avro schema has no name")?;
                    if fields.iter().any(|(other, _)| other == name) {
                        return Err(format!("the Avro schema has two fields '{name}' in a record"));
                    }
                    let field_type = field.get("type");
                    let field_type = field_type.ok_or(format!("field '{name}' has no type"))?;
                    fields.push((name.to_owned(), self.read(field_type, &namespace)?));
                }
                self.nodes[id].kind = Kind::Record(fields);
                Ok(id)
            }
            word => self.named(word, namespace, Some(object)),
        }
    }

    /// Gives a type its name; answers the namespace of what is inside of it.
    fn name(
        &mut self,
        object: &Map<String, Value>,
        namespace: &str,
        id: Id,
    ) -> Result<String, String> {
        let name = object.get("name").and_then(Value::as_str);
        let name = name.ok_or("a named type of the Avro schema has no name")?;
        let own = object.get("namespace").and_then(Value::as_str).unwrap_or(namespace);
        let full = match name.contains('.') || own.is_empty() {
            true => name.to_owned(),
            false => format!("{own}.{name}"),
        };
        let inside = full.rsplit_once('.').map_or("", |(inside, _)| inside).to_owned();
        if self.names.insert(full.clone(), id).is_some() {
            return Err(format!("the Avro schema has two types '{full}'"));
        }
        Ok(inside)
    }
}

fn primitive(word: &str) -> Option<Kind> {
    Some(match word {
        "null" => Kind::Null,
        "boolean" => Kind::Boolean,
        "int" => Kind::Int,
        "long" => Kind::Long,
        "float" => Kind::Float,
        "double" => Kind::Double,
        "bytes" => Kind::Bytes,
        "string" => Kind::String,
        _ => return None,
    })
}

/// The logical type, where it is one that we read differently; others are as if not there.
fn logical(kind: &Kind, object: &Map<String, Value>) -> Logical {
    let number = |name: &str| object.get(name).and_then(Value::as_i64);
    match (kind, object.get("logicalType").and_then(Value::as_str).unwrap_or_default()) {
        (Kind::Long, "time-micros") => Logical::TimeMicros,
        (Kind::Long, "timestamp-millis" | "local-timestamp-millis") => {
            Logical::Timestamp(TimeUnit::Millisecond)
        }
        (Kind::Long, "timestamp-micros" | "local-timestamp-micros") => {
            Logical::Timestamp(TimeUnit::Microsecond)
        }
        (Kind::Long, "timestamp-nanos" | "local-timestamp-nanos") => {
            Logical::Timestamp(TimeUnit::Nanosecond)
        }
        (Kind::Bytes | Kind::Fixed(_), "decimal") => {
            let scale = number("scale").unwrap_or(0);
            match i32::try_from(scale).ok().filter(|s| (0..=1000).contains(s)) {
                Some(scale) => Logical::Decimal { scale },
                None => Logical::None,
            }
        }
        _ => Logical::None,
    }
}

/// A column that has no form in Avro.
#[derive(Debug)]
pub(super) struct NoForm {
    pub column: String,
    pub reason: String,
}

/// The schema of a table's rows, as Flink derives it. With `legacy`, a TIMESTAMP is an Avro
/// timestamp, which is an instant; without, it is a local timestamp, and TIMESTAMP_LTZ an instant.
pub(super) fn derive(fields: &[Field], legacy: bool) -> Result<Value, NoForm> {
    let deriving = Deriving { legacy };
    let mut record = deriving.record(fields.iter(), ROOT_NAME)?;
    if let Value::Object(object) = &mut record {
        object.insert("namespace".into(), json!(NAMESPACE));
    }
    Ok(record)
}

struct Deriving {
    legacy: bool,
}

impl Deriving {
    fn record<'f>(
        &self,
        fields: impl Iterator<Item = &'f Field>,
        name: &str,
    ) -> Result<Value, NoForm> {
        let mut members = Vec::new();
        for field in fields {
            let no_form = |reason| NoForm { column: field.name().clone(), reason };
            if !is_name(field.name()) {
                return Err(no_form(
                    "names in Avro are letters, digits and '_', and do not begin with a digit"
                        .into(),
                ));
            }
            let inner = format!("{name}_{}", field.name());
            let of_type = self.nullable(field, &inner).map_err(no_form)?;
            let mut member = json!({ "name": field.name(), "type": of_type });
            if let (true, Value::Object(member)) = (field.is_nullable(), &mut member) {
                member.insert("default".into(), Value::Null);
            }
            members.push(member);
        }
        Ok(json!({ "type": "record", "name": name, "fields": members }))
    }

    fn nullable(&self, field: &Field, name: &str) -> Result<Value, String> {
        let of_type = self.plain(field.data_type(), name)?;
        let is_null = of_type == "null";
        Ok(if field.is_nullable() && !is_null { json!(["null", of_type]) } else { of_type })
    }

    fn plain(&self, data_type: &DataType, name: &str) -> Result<Value, String> {
        Ok(match data_type {
            DataType::Null => json!("null"),
            DataType::Boolean => json!("boolean"),
            DataType::Int8 | DataType::Int16 | DataType::Int32 => json!("int"),
            DataType::Int64 => json!("long"),
            DataType::Float32 => json!("float"),
            DataType::Float64 => json!("double"),
            DataType::Utf8 => json!("string"),
            DataType::Binary => json!("bytes"),
            DataType::Decimal128(precision, scale) => json!({
                "type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale,
            }),
            DataType::Date32 => json!({ "type": "int", "logicalType": "date" }),
            DataType::Time32(TimeUnit::Millisecond) => {
                json!({ "type": "int", "logicalType": "time-millis" })
            }
            DataType::Timestamp(unit, zone) => {
                json!({ "type": "long", "logicalType": self.timestamp(*unit, zone.is_some())? })
            }
            DataType::List(element) => {
                json!({ "type": "array", "items": self.nullable(element, name)? })
            }
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(parts) if parts.len() == 2 => {
                    if parts[0].data_type() != &DataType::Utf8 {
                        return Err("keys of a map in Avro are strings".into());
                    }
                    json!({ "type": "map", "values": self.nullable(&parts[1], name)? })
                }
                other => return Err(format!("its entries are {other}")),
            },
            DataType::Struct(fields) => self
                .record(fields.iter().map(AsRef::as_ref), name)
                .map_err(|e| format!("field '{}': {}", e.column, e.reason))?,
            other => return Err(format!("there is no {other} in Avro")),
        })
    }

    fn timestamp(&self, unit: TimeUnit, zoned: bool) -> Result<&'static str, String> {
        let option = "'timestamp_mapping.legacy' = 'false'";
        match (unit, zoned, self.legacy) {
            (TimeUnit::Nanosecond, ..) => {
                Err("timestamps in Avro have at most 6 digits of a second: use (6) or (3)".into())
            }
            (TimeUnit::Microsecond, false, true) => Err(format!(
                "a TIMESTAMP has at most 3 digits of a second, unless the format has {option}"
            )),
            (_, true, true) => {
                Err(format!("a TIMESTAMP_LTZ has no Avro type, unless the format has {option}"))
            }
            (TimeUnit::Second | TimeUnit::Millisecond, false, true) => Ok("timestamp-millis"),
            (TimeUnit::Second | TimeUnit::Millisecond, false, false) => {
                Ok("local-timestamp-millis")
            }
            (TimeUnit::Second | TimeUnit::Millisecond, true, false) => Ok("timestamp-millis"),
            (TimeUnit::Microsecond, false, false) => Ok("local-timestamp-micros"),
            (TimeUnit::Microsecond, true, false) => Ok("timestamp-micros"),
        }
    }
}

fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
