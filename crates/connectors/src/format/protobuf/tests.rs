//! Messages of both syntaxes, read and written.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Field, Fields, Float64Type, Int32Type, Int64Type, Schema};
use prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, FileDescriptorSet, FileOptions, MessageOptions,
};

use super::*;
use crate::spec::TableSpec;

fn field(name: &str, number: i32, of: Type) -> FieldDescriptorProto {
    FieldDescriptorProto {
        name: Some(name.into()),
        number: Some(number),
        label: Some(Label::Optional.into()),
        r#type: Some(of.into()),
        ..Default::default()
    }
}

fn named(name: &str, number: i32, of: Type, type_name: &str) -> FieldDescriptorProto {
    FieldDescriptorProto { type_name: Some(type_name.into()), ..field(name, number, of) }
}

fn repeated(field: FieldDescriptorProto) -> FieldDescriptorProto {
    FieldDescriptorProto { label: Some(Label::Repeated.into()), ..field }
}

fn message(name: &str, fields: Vec<FieldDescriptorProto>) -> DescriptorProto {
    DescriptorProto { name: Some(name.into()), field: fields, ..Default::default() }
}

fn kind() -> EnumDescriptorProto {
    let value = |name: &str, number| EnumValueDescriptorProto {
        name: Some(name.into()),
        number: Some(number),
        ..Default::default()
    };
    EnumDescriptorProto {
        name: Some("Kind".into()),
        value: vec![value("NONE", 0), value("SALE", 1)],
        ..Default::default()
    }
}

/// A set of descriptors: `shop.Poison` and `shop.Order` of the third syntax, `old.Thing` of the
/// second.
pub(in crate::format) fn descriptors() -> Vec<u8> {
    let poison = vec![
        field("id", 1, Type::Int64),
        field("name", 2, Type::String),
        named("kind", 3, Type::Enum, ".shop.Kind"),
    ];
    let mut entry =
        message("CountsEntry", vec![field("key", 1, Type::String), field("value", 2, Type::Int64)]);
    entry.options = Some(MessageOptions { map_entry: Some(true), ..Default::default() });
    let item = vec![field("sku", 1, Type::String), field("price", 2, Type::Double)];
    let mut note = field("note", 8, Type::String);
    (note.proto3_optional, note.oneof_index) = (Some(true), Some(0));
    let mut order = message(
        "Order",
        vec![
            field("id", 1, Type::Int64),
            named("kind", 2, Type::Enum, ".shop.Kind"),
            repeated(named("items", 3, Type::Message, ".shop.Order.Item")),
            repeated(named("counts", 4, Type::Message, ".shop.Order.CountsEntry")),
            named("first", 5, Type::Message, ".shop.Order.Item"),
            field("data", 6, Type::Bytes),
            field("big", 7, Type::Uint32),
            note,
            repeated(field("tags", 9, Type::String)),
        ],
    );
    order.nested_type = vec![entry, message("Item", item)];
    order.oneof_decl = vec![prost_reflect::prost_types::OneofDescriptorProto {
        name: Some("_note".into()),
        ..Default::default()
    }];
    let shop = FileDescriptorProto {
        name: Some("shop.proto".into()),
        package: Some("shop".into()),
        syntax: Some("proto3".into()),
        message_type: vec![message("Poison", poison), order],
        enum_type: vec![kind()],
        options: Some(FileOptions {
            java_package: Some("com.example.shop".into()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let mut size = field("size", 2, Type::Int32);
    size.default_value = Some("42".into());
    let old = FileDescriptorProto {
        name: Some("old.proto".into()),
        package: Some("old".into()),
        syntax: Some("proto2".into()),
        message_type: vec![message("Thing", vec![field("id", 1, Type::Int64), size])],
        ..Default::default()
    };
    FileDescriptorSet { file: vec![shop, old] }.encode_to_vec()
}

struct Table {
    spec: TableSpec,
    _folder: tempfile::TempDir,
}

fn table(message: &str, fields: Vec<Field>, more: &[(&str, &str)]) -> Table {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.desc");
    std::fs::write(&path, descriptors()).unwrap();
    let path = path.to_string_lossy().into_owned();
    let mut spec = TableSpec::new("t", Arc::new(Schema::new(fields)), more.iter().copied());
    spec.options.push((DESCRIPTORS.into(), path));
    spec.options.push((MESSAGE.into(), message.into()));
    Table { spec, _folder: folder }
}

fn nullable(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}

fn item() -> DataType {
    DataType::Struct(Fields::from(vec![
        nullable("price", DataType::Float64),
        nullable("sku", DataType::Utf8),
    ]))
}

fn order_columns() -> Vec<Field> {
    let entries = Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Int64, true),
    ]);
    let entries = Field::new("entries", DataType::Struct(entries), false);
    vec![
        nullable("id", DataType::Int64),
        nullable("kind", DataType::Utf8),
        nullable("items", DataType::List(Arc::new(nullable("item", item())))),
        nullable("counts", DataType::Map(Arc::new(entries), false)),
        nullable("first", item()),
        nullable("data", DataType::Binary),
        nullable("big", DataType::Int64),
        nullable("note", DataType::Utf8),
        nullable("tags", DataType::List(Arc::new(nullable("item", DataType::Utf8)))),
    ]
}

fn decode(table: &Table, records: &[&[u8]]) -> RecordBatch {
    let columns = ReadColumns::all(&table.spec.schema);
    let mut decoder = (FORMAT.decoder)(&Options::new(&table.spec), columns).unwrap();
    for record in records {
        decoder.decode_record(record).unwrap();
    }
    decoder.finish().unwrap()
}

fn encode(table: &Table, batch: &RecordBatch) -> rialto_engine::Result<Vec<u8>> {
    let schema = table.spec.schema.clone();
    let mut encoder = (FORMAT.encoder)(&Options::new(&table.spec), schema).unwrap();
    let mut out = Vec::new();
    encoder.encode(batch, 0..batch.num_rows(), &mut out)?;
    Ok(out)
}

/// `id` 5, SALE, items (a, 1.5) and (b, 0), counts x: 2, first (c), data ff, big 2^32 - 1, note "",
/// tags t.
const ORDER: &[u8] = b"\x08\x05\x10\x01\x1a\x0c\x0a\x01a\x11\0\0\0\0\0\0\xf8\x3f\x1a\x03\x0a\x01b\
    \x22\x05\x0a\x01x\x10\x02\x2a\x03\x0a\x01c\x32\x01\xff\x38\xff\xff\xff\xff\x0f\x42\x00\x4a\x01t";

#[test]
fn a_message_is_read_into_its_columns_and_written_again() {
    let table = table("shop.Order", order_columns(), &[]);
    let batch = decode(&table, &[ORDER]);
    assert_eq!(batch.column(0).as_primitive::<Int64Type>().value(0), 5);
    assert_eq!(batch.column(1).as_string::<i32>().value(0), "SALE");
    let items = batch.column(2).as_list::<i32>().value(0);
    let prices = items.as_struct().column(0).as_primitive::<Float64Type>();
    assert_eq!((prices.value(0), prices.value(1)), (1.5, 0.0));
    assert_eq!(items.as_struct().column(1).as_string::<i32>().value(1), "b");
    let counts = batch.column(3).as_map();
    assert_eq!(counts.keys().as_string::<i32>().value(0), "x");
    assert_eq!(counts.values().as_primitive::<Int64Type>().value(0), 2);
    assert_eq!(batch.column(5).as_binary::<i32>().value(0), b"\xff");
    assert_eq!(batch.column(6).as_primitive::<Int64Type>().value(0), i64::from(u32::MAX));
    assert_eq!(batch.column(7).as_string::<i32>().value(0), "");
    let mut expected = ORDER.to_vec();
    expected.push(b'\n');
    assert_eq!(encode(&table, &batch).unwrap(), expected);
}

#[test]
fn what_is_absent_is_null_where_the_syntax_can_tell() {
    let all = table("shop.Order", order_columns(), &[]);
    let batch = decode(&all, &[b""]);
    let nulls: Vec<bool> = batch.columns().iter().map(|c| c.is_null(0)).collect();
    assert_eq!(nulls, [false, false, true, true, true, false, false, true, true]);
    assert_eq!(batch.column(1).as_string::<i32>().value(0), "NONE");
    let defaults = ("protobuf.read-default-values", "true");
    let batch = decode(&table("shop.Order", order_columns(), &[defaults]), &[b""]);
    assert!(batch.columns().iter().all(|c| c.is_valid(0)));
    assert_eq!(batch.column(2).as_list::<i32>().value(0).len(), 0);
    let thing = || vec![nullable("id", DataType::Int64), nullable("size", DataType::Int32)];
    let batch = decode(&table("old.Thing", thing(), &[]), &[b"\x08\x01"]);
    assert!(batch.column(1).is_null(0));
    let batch = decode(&table("old.Thing", thing(), &[defaults]), &[b"\x08\x01"]);
    assert_eq!(batch.column(1).as_primitive::<Int32Type>().value(0), 42);
}

#[test]
fn nulls_within_arrays_have_a_text_and_enums_are_checked() {
    let tags = || {
        vec![
            nullable("kind", DataType::Utf8),
            nullable("tags", DataType::List(Arc::new(nullable("item", DataType::Utf8)))),
        ]
    };
    let literal = ("protobuf.write-null-string-literal", "N/A");
    let table = table("shop.Order", tags(), &[literal]);
    let texts = arrow::array::StringArray::from(vec![Some("a"), None]);
    let element = Arc::new(nullable("item", DataType::Utf8));
    let ends = arrow::buffer::OffsetBuffer::new(vec![0, 2].into());
    let list = arrow::array::ListArray::new(element, ends, Arc::new(texts), None);
    let of = |kind: &str| {
        let kinds = arrow::array::StringArray::from(vec![kind]);
        let columns: Vec<arrow::array::ArrayRef> = vec![Arc::new(kinds), Arc::new(list.clone())];
        RecordBatch::try_new(table.spec.schema.clone(), columns).unwrap()
    };
    assert_eq!(encode(&table, &of("SALE")).unwrap(), b"\x10\x01\x4a\x01a\x4a\x03N/A\n");
    let error = encode(&table, &of("GIFT")).unwrap_err().to_string();
    assert!(error.contains("the enum shop.Kind has no 'GIFT'"), "{error}");
}

#[test]
fn messages_are_found_by_the_names_of_their_classes() {
    for name in [
        "shop.Order.Item",
        "shop.Order$Item",
        "com.example.shop.Order$Item",
        "com.example.shop.ShopProto$Order$Item",
    ] {
        let table = table(name, vec![nullable("sku", DataType::Utf8)], &[]);
        assert_eq!(decode(&table, &[b"\x0a\x01s"]).column(0).as_string::<i32>().value(0), "s");
    }
}

#[test]
fn what_does_not_fit_is_said_before_a_message_comes() {
    let refused = |table: &Table| {
        let columns = ReadColumns::all(&table.spec.schema);
        let made = (FORMAT.decoder)(&Options::new(&table.spec), columns);
        made.err().unwrap().to_string()
    };
    let unknown = refused(&table("shop.Ordr", vec![], &[]));
    assert!(unknown.contains("did you mean 'shop.Order'"), "{unknown}");
    let column = refused(&table("shop.Poison", vec![nullable("nam", DataType::Utf8)], &[]));
    assert!(column.contains("no field 'nam'") && column.contains("'name'"), "{column}");
    let kind = refused(&table("shop.Poison", vec![nullable("id", DataType::Utf8)], &[]));
    assert!(kind.contains("int64 (BIGINT)"), "{kind}");
    let list = refused(&table("shop.Order", vec![nullable("tags", DataType::Utf8)], &[]));
    assert!(list.contains("is repeated: an ARRAY"), "{list}");
    let mut broken = table("shop.Poison", vec![], &[]);
    broken.spec.options[0].1 = "/nowhere/x.desc".into();
    assert!(refused(&broken).contains("/nowhere/x.desc"));
    let missing = TableSpec::new("t", broken.spec.schema.clone(), [(MESSAGE, "shop.Poison")]);
    let error = (FORMAT.validate)(&missing, &Options::new(&missing)).unwrap_err().to_string();
    assert!(error.contains(DESCRIPTORS) && error.contains("protoc"), "{error}");
}

#[test]
fn errors_are_passed_over_where_that_was_asked_for() {
    let ignoring = ("protobuf.ignore-parse-errors", "true");
    let table = table("shop.Poison", vec![nullable("id", DataType::Int64)], &[ignoring]);
    let columns = ReadColumns::all(&table.spec.schema);
    let mut decoder = (FORMAT.decoder)(&Options::new(&table.spec), columns).unwrap();
    decoder.decode_record(b"\x0f\x00").unwrap();
    decoder.decode_record(b"\x08\x07").unwrap();
    assert_eq!((decoder.rows(), decoder.ignored()), (1, 1));
}
