//! Flink's data types, from tokens.

use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::cursor::{
    Parsed, eat_word, eat_words, expect, expect_words, expected, expected_error, from_parser_error,
    identifier, refuse, string_literal, token_span, unsigned,
};
use super::dialect::FlinkDialect;
use super::lexer;
use crate::error::{Result, SqlError};
use crate::types::{
    FlinkType, IntervalFields, IntervalUnit, LENGTH_MAX, RowField, TIME_PRECISION_MAX,
    TIMESTAMP_PRECISION_DEFAULT, TypeKind,
};

/// How deep a type may nest.
const TYPE_DEPTH_MAX: usize = 64;

/// All names a type can begin with, for a hint at the nearest.
const TYPE_NAMES: &[&str] = &[
    "ARRAY",
    "BIGINT",
    "BINARY",
    "BITMAP",
    "BOOLEAN",
    "BYTES",
    "CHAR",
    "CHARACTER",
    "DATE",
    "DEC",
    "DECIMAL",
    "DOUBLE",
    "FLOAT",
    "INT",
    "INTEGER",
    "INTERVAL",
    "MAP",
    "MULTISET",
    "NUMERIC",
    "ROW",
    "SMALLINT",
    "STRING",
    "TIME",
    "TIMESTAMP",
    "TIMESTAMP_LTZ",
    "TINYINT",
    "VARBINARY",
    "VARCHAR",
    "VARIANT",
];

impl FlinkType {
    /// Reads a type from its SQL text.
    pub fn parse(text: &str) -> Result<FlinkType> {
        let dialect = FlinkDialect;
        let mut tokens = lexer::tokenize(text)?;
        tokens.retain(|t| !matches!(t.token, Token::Whitespace(_)));
        let mut parser = Parser::new(&dialect).with_tokens_with_locations(tokens);
        let data_type = parse_type(&mut parser).map_err(from_parser_error)?;
        match &parser.peek_token_ref().token {
            Token::EOF => Ok(data_type),
            other => Err(SqlError::new(format!("unexpected '{other}' behind type {data_type}"))),
        }
    }
}

/// A type with its nullability: `INT NOT NULL`, `ARRAY<ROW<a INT>>`.
pub fn parse_type(parser: &mut Parser<'_>) -> Parsed<FlinkType> {
    // `>>` closes two levels at once; what is left of it waits here for the outer one.
    let mut brackets = Brackets::default();
    let data_type = nested_type(parser, &mut brackets)?;
    if brackets.pending > 0 {
        return Err(refuse(
            SqlError::new(format!("one '>' too many behind {data_type}"))
                .with_span(token_span(parser.get_current_token())),
        ));
    }
    Ok(data_type)
}

#[derive(Default)]
struct Brackets {
    depth: usize,
    pending: usize,
}

impl Brackets {
    fn open(&mut self, parser: &mut Parser<'_>) -> Parsed<()> {
        self.depth += 1;
        if self.depth > TYPE_DEPTH_MAX {
            let error = SqlError::new(format!("a type nests at most {TYPE_DEPTH_MAX} levels deep"));
            return Err(refuse(error.with_span(token_span(parser.peek_token_ref()))));
        }
        expect(parser, &Token::Lt)
    }

    fn close(&mut self, parser: &mut Parser<'_>) -> Parsed<()> {
        self.depth -= 1;
        if self.pending > 0 {
            self.pending -= 1;
            return Ok(());
        }
        if parser.consume_token(&Token::ShiftRight) {
            self.pending += 1;
            return Ok(());
        }
        expect(parser, &Token::Gt)
    }
}

fn nested_type(parser: &mut Parser<'_>, brackets: &mut Brackets) -> Parsed<FlinkType> {
    let mut data_type = base_type(parser, brackets)?;
    loop {
        if brackets.pending > 0 {
            return Ok(data_type);
        }
        if eat_words(parser, &["NOT", "NULL"]) {
            data_type.nullable = false;
        } else if eat_word(parser, "NULL") {
            data_type.nullable = true;
        } else if eat_word(parser, "ARRAY") {
            data_type = TypeKind::Array(Box::new(data_type)).into();
        } else if eat_word(parser, "MULTISET") {
            data_type = TypeKind::Multiset(Box::new(data_type)).into();
        } else {
            return Ok(data_type);
        }
    }
}

fn base_type(parser: &mut Parser<'_>, brackets: &mut Brackets) -> Parsed<FlinkType> {
    let token = parser.peek_token_ref();
    let span = token_span(token);
    let name = match &token.token {
        Token::Word(word) => word.value.to_ascii_uppercase(),
        _ => return expected(parser, "a data type"),
    };
    parser.advance_token();
    let kind = match name.as_str() {
        "BOOLEAN" => TypeKind::Boolean,
        "TINYINT" => TypeKind::TinyInt,
        "SMALLINT" => TypeKind::SmallInt,
        "INT" | "INTEGER" => TypeKind::Int,
        "BIGINT" => TypeKind::BigInt,
        "FLOAT" => TypeKind::Float,
        "DOUBLE" => {
            eat_word(parser, "PRECISION");
            TypeKind::Double
        }
        "DATE" => TypeKind::Date,
        "STRING" => TypeKind::String,
        "BYTES" => TypeKind::Bytes,
        "BITMAP" => TypeKind::Bitmap,
        "VARIANT" => TypeKind::Variant,
        "NULL" => TypeKind::Null,
        "INTERVAL" => return interval_type(parser),
        "ARRAY" | "MULTISET" | "MAP" => return collection(parser, brackets, &name),
        "ROW" => return row_type(parser, brackets),
        _ => return parameterized(parser, &name)?.map_err(|e| refuse(e.with_span(span))),
    };
    Ok(kind.into())
}

/// Types with a length or a precision; the inner result is an error without a place yet.
fn parameterized(parser: &mut Parser<'_>, name: &str) -> Parsed<Result<FlinkType>> {
    Ok(match name {
        "CHAR" | "CHARACTER" if eat_word(parser, "VARYING") => {
            FlinkType::varchar(parameter(parser)?.unwrap_or(1))
        }
        "CHAR" | "CHARACTER" => FlinkType::char(parameter(parser)?.unwrap_or(1)),
        "VARCHAR" => FlinkType::varchar(parameter(parser)?.unwrap_or(1)),
        "BINARY" if eat_word(parser, "VARYING") => {
            FlinkType::varbinary(parameter(parser)?.unwrap_or(1))
        }
        "BINARY" => FlinkType::binary(parameter(parser)?.unwrap_or(1)),
        "VARBINARY" => FlinkType::varbinary(parameter(parser)?.unwrap_or(1)),
        "DECIMAL" | "DEC" | "NUMERIC" => {
            let (precision, scale) = precision_and_scale(parser)?;
            FlinkType::decimal(precision, scale)
        }
        "TIME" => {
            let precision = parameter(parser)?.unwrap_or(0);
            eat_words(parser, &["WITHOUT", "TIME", "ZONE"]);
            FlinkType::time(precision)
        }
        "TIMESTAMP" => {
            let precision = parameter(parser)?.unwrap_or(TIMESTAMP_PRECISION_DEFAULT.into());
            return timestamp(parser, precision);
        }
        "TIMESTAMP_LTZ" => {
            let precision = parameter(parser)?.unwrap_or(TIMESTAMP_PRECISION_DEFAULT.into());
            FlinkType::timestamp_ltz(precision)
        }
        "RAW" => Err(SqlError::not_supported("the type RAW")
            .with_hint("a RAW value is bytes of a Java class; use BYTES or STRING")),
        _ => Err(unknown_type(name)),
    })
}

fn timestamp(parser: &mut Parser<'_>, precision: u64) -> Parsed<Result<FlinkType>> {
    if eat_words(parser, &["WITH", "LOCAL", "TIME", "ZONE"]) {
        return Ok(FlinkType::timestamp_ltz(precision));
    }
    if eat_words(parser, &["WITH", "TIME", "ZONE"]) {
        return Ok(Err(SqlError::not_supported("TIMESTAMP WITH TIME ZONE")
            .with_hint("use TIMESTAMP_LTZ, a point in time, printed in the session's zone")));
    }
    if eat_word(parser, "WITHOUT") {
        expect_words(parser, &["TIME", "ZONE"])?;
    }
    Ok(FlinkType::timestamp(precision))
}

fn unknown_type(name: &str) -> SqlError {
    let alias = match name {
        "TEXT" | "NVARCHAR" | "CLOB" => Some("STRING"),
        "BOOL" => Some("BOOLEAN"),
        "INT8" | "LONG" => Some("BIGINT"),
        "INT4" => Some("INT"),
        "REAL" | "FLOAT4" => Some("FLOAT"),
        "FLOAT8" => Some("DOUBLE"),
        "BLOB" | "BYTEA" => Some("BYTES"),
        "DATETIME" => Some("TIMESTAMP(3)"),
        "TIMESTAMPTZ" => Some("TIMESTAMP_LTZ(3)"),
        "STRUCT" => Some("ROW<…>"),
        "JSON" | "JSONB" | "UUID" => Some("STRING"),
        _ => crate::catalog::nearest(name, TYPE_NAMES.iter().copied()),
    };
    let error = SqlError::new(format!("unknown type {name}"));
    match alias {
        Some(alias) => error.with_hint(format!("did you mean {alias}?")),
        None => error,
    }
}

fn parameter(parser: &mut Parser<'_>) -> Parsed<Option<u64>> {
    if !parser.consume_token(&Token::LParen) {
        return Ok(None);
    }
    // Flink itself prints VARCHAR(MAX) nowhere, but 2147483647 is STRING.
    let number = if eat_word(parser, "MAX") {
        u64::from(LENGTH_MAX)
    } else {
        unsigned(parser, "a whole number")?
    };
    expect(parser, &Token::RParen)?;
    Ok(Some(number))
}

fn precision_and_scale(parser: &mut Parser<'_>) -> Parsed<(u64, u64)> {
    if !parser.consume_token(&Token::LParen) {
        return Ok((10, 0));
    }
    let precision = unsigned(parser, "the number of digits")?;
    let scale = if parser.consume_token(&Token::Comma) {
        unsigned(parser, "the number of digits behind the point")?
    } else {
        0
    };
    expect(parser, &Token::RParen)?;
    Ok((precision, scale))
}

fn collection(parser: &mut Parser<'_>, brackets: &mut Brackets, name: &str) -> Parsed<FlinkType> {
    brackets.open(parser)?;
    let item = nested_type(parser, brackets)?;
    let kind = match name {
        "ARRAY" => TypeKind::Array(Box::new(item)),
        "MULTISET" => TypeKind::Multiset(Box::new(item)),
        _ => {
            expect(parser, &Token::Comma)?;
            TypeKind::Map(Box::new(item), Box::new(nested_type(parser, brackets)?))
        }
    };
    brackets.close(parser)?;
    Ok(kind.into())
}

/// `ROW<a INT 'comment', …>` or `ROW(a INT, …)`; `ROW<INT, STRING>` names its fields `f0`, `f1`.
fn row_type(parser: &mut Parser<'_>, brackets: &mut Brackets) -> Parsed<FlinkType> {
    let span = token_span(parser.get_current_token());
    let in_parentheses = parser.consume_token(&Token::LParen);
    if !in_parentheses {
        brackets.open(parser)?;
    } else {
        brackets.depth += 1;
    }
    let mut fields = Vec::new();
    loop {
        fields.push(row_field(parser, brackets, fields.len())?);
        if brackets.pending > 0 || !parser.consume_token(&Token::Comma) {
            break;
        }
    }
    if in_parentheses {
        brackets.depth -= 1;
        expect(parser, &Token::RParen)?;
    } else {
        brackets.close(parser)?;
    }
    FlinkType::row(fields).map_err(|e| refuse(e.with_span(span)))
}

fn row_field(parser: &mut Parser<'_>, brackets: &mut Brackets, number: usize) -> Parsed<RowField> {
    let is_type_only = matches!(
        parser.peek_nth_token_ref(1).token,
        Token::Comma | Token::Gt | Token::ShiftRight | Token::RParen | Token::Lt | Token::LParen
    );
    let name =
        if is_type_only { format!("f{number}") } else { identifier(parser, "a field name")?.0 };
    let data_type = nested_type(parser, brackets)?;
    let comment = match &parser.peek_token_ref().token {
        Token::SingleQuotedString(_) if brackets.pending == 0 => {
            Some(string_literal(parser, "a comment")?)
        }
        _ => None,
    };
    Ok(RowField { name, data_type, comment })
}

fn interval_type(parser: &mut Parser<'_>) -> Parsed<FlinkType> {
    let mut fields = IntervalFields::new(IntervalUnit::Day, IntervalUnit::Second);
    let span = token_span(parser.peek_token_ref());
    fields.first = interval_unit(parser)?;
    fields.last = fields.first;
    if let Some(precision) = parameter(parser)? {
        match fields.first {
            IntervalUnit::Second => fields.fraction_precision = digits(parser, precision)?,
            _ => fields.leading_precision = digits(parser, precision)?,
        }
    }
    if eat_word(parser, "TO") {
        fields.last = interval_unit(parser)?;
        if let Some(precision) = parameter(parser)? {
            fields.fraction_precision = digits(parser, precision)?;
        }
    }
    let fits =
        fields.first <= fields.last && fields.first.is_year_month() == fields.last.is_year_month();
    if !fits {
        let text = format!("{} TO {}", fields.first.name(), fields.last.name());
        return Err(refuse(
            SqlError::new(format!("there is no INTERVAL {text}"))
                .with_span(span)
                .with_hint("an interval spans YEAR TO MONTH, or DAY TO SECOND, or a part of these"),
        ));
    }
    Ok(match fields.first.is_year_month() {
        true => TypeKind::IntervalYearMonth(fields),
        false => TypeKind::IntervalDayTime(fields),
    }
    .into())
}

fn digits(parser: &Parser<'_>, precision: u64) -> Parsed<u8> {
    u8::try_from(precision).ok().filter(|p| *p <= TIME_PRECISION_MAX).ok_or_else(|| {
        let error = format!("a precision of {precision} is out of range");
        refuse(
            SqlError::new(error)
                .with_span(token_span(parser.get_current_token()))
                .with_hint(format!("it must lie between 0 and {TIME_PRECISION_MAX}")),
        )
    })
}

/// One of the six units.
fn interval_unit(parser: &mut Parser<'_>) -> Parsed<IntervalUnit> {
    use IntervalUnit::{Day, Hour, Minute, Month, Second, Year};
    let unit = [Year, Month, Day, Hour, Minute, Second]
        .into_iter()
        .find(|unit| eat_word(parser, unit.name()));
    unit.ok_or_else(|| refuse(expected_error(parser, "YEAR, MONTH, DAY, HOUR, MINUTE or SECOND")))
}
