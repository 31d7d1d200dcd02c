//! `TYPEOF`: the type that Flink declares for an expression.
//!
//! Here all text is STRING, and elements of an array may always be null. Flink knows the length
//! of a literal and of what is made of literals, and which elements are never null; that is found
//! again from the expression.

use arrow::datatypes::DataType;
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::expr::Case;
use datafusion_expr::{Expr, ExprSchemable};

use super::rewrite::Rewriter;
use crate::functions::cast::{FlinkCast, TYPE_METADATA_KEY};
use crate::functions::operators::Concat;
use crate::functions::typing::type_name;
use crate::types::field_type_name;

/// The functions that answer a bitmap, which here is a byte string.
const BITMAPS: [&str; 6] =
    ["BITMAP_BUILD", "BITMAP_FROM_BYTES", "BITMAP_AND", "BITMAP_OR", "BITMAP_XOR", "BITMAP_ANDNOT"];

/// A text type of Flink with its length.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Text {
    Char(usize),
    Varchar(usize),
}

impl Text {
    fn length(self) -> usize {
        let (Self::Char(length) | Self::Varchar(length)) = self;
        length
    }

    /// `CHAR` where all parts are.
    fn joined(self, other: Self) -> Self {
        let length = self.length() + other.length();
        match (self, other) {
            (Self::Char(_), Self::Char(_)) => Self::Char(length),
            _ => Self::Varchar(length),
        }
    }

    /// What both are.
    fn common(self, other: Self) -> Self {
        match self == other {
            true => self,
            false => Self::Varchar(self.length().max(other.length())),
        }
    }

    /// `CHAR(3)`, `VARCHAR(3)`.
    fn parse(name: &str) -> Option<Self> {
        let (kind, length) = name.strip_suffix(')')?.split_once('(')?;
        let length = length.parse().ok()?;
        match kind {
            "CHAR" => Some(Self::Char(length)),
            "VARCHAR" => Some(Self::Varchar(length)),
            _ => None,
        }
    }

    fn name(self) -> String {
        match self {
            Self::Char(length) => format!("CHAR({length})"),
            Self::Varchar(length) => format!("VARCHAR({length})"),
        }
    }
}

impl Rewriter<'_> {
    /// The declared type of an expression, with `NOT NULL` where it is never null.
    pub(super) fn type_of(&self, expr: &Expr) -> Result<String> {
        let (name, nullable) = self.declared(expr)?;
        Ok(if nullable { name } else { format!("{name} NOT NULL") })
    }

    fn declared(&self, expr: &Expr) -> Result<(String, bool)> {
        if let Some((text, nullable)) = self.text_of(expr)? {
            return Ok((text.name(), nullable));
        }
        if let Expr::ScalarFunction(call) = expr {
            match (call.func.name(), call.args.as_slice()) {
                ("ARRAY", elements @ [_, ..]) => {
                    return Ok((format!("ARRAY<{}>", self.common(elements.iter())?), false));
                }
                ("ROW", fields) => {
                    let named = fields
                        .iter()
                        .enumerate()
                        .map(|(at, field)| Ok(format!("`EXPR${at}` {}", self.type_of(field)?)));
                    let fields = named.collect::<Result<Vec<_>>>()?;
                    return Ok((format!("ROW<{}>", fields.join(", ")), false));
                }
                (name, _) if BITMAPS.contains(&name) => {
                    return Ok(("BITMAP".into(), self.declared_nullable(expr)?));
                }
                ("MAP", entries @ [_, _, ..]) => {
                    let keys = self.common(entries.iter().step_by(2))?;
                    let values = self.common(entries.iter().skip(1).step_by(2))?;
                    return Ok((format!("MAP<{keys}, {values}>"), false));
                }
                _ => {}
            }
        }
        let (_, field) = expr.to_field(self.schema)?;
        let field = field.as_ref().clone().with_nullable(true);
        Ok((field_type_name(&field), self.declared_nullable(expr)?))
    }

    /// The type of elements that have been brought to one type.
    fn common<'e>(&self, elements: impl Iterator<Item = &'e Expr>) -> Result<String> {
        let mut text: Option<Text> = None;
        let (mut all_texts, mut nullable, mut data_type) = (true, false, DataType::Null);
        for element in elements {
            match self.text_of(element)? {
                Some((next, may_be_null)) => {
                    nullable |= may_be_null;
                    text = Some(text.map_or(next, |before| before.common(next)));
                }
                None => all_texts = false,
            }
            data_type = element.get_type(self.schema)?;
            nullable |= self.declared_nullable(element)?;
        }
        let name = match text {
            Some(text) if all_texts => text.name(),
            _ => type_name(&data_type),
        };
        Ok(if nullable { name } else { format!("{name} NOT NULL") })
    }

    /// The length of a text that is made of literals, and whether it may be null.
    fn text_of(&self, expr: &Expr) -> Result<Option<(Text, bool)>> {
        let call = match expr {
            Expr::Literal(ScalarValue::Utf8(Some(text)), _) => {
                return Ok(Some((Text::Char(text.chars().count()), false)));
            }
            Expr::Case(case) => return self.text_of_case(case),
            Expr::Alias(alias) => return self.text_of(&alias.expr),
            Expr::ScalarFunction(call) => call,
            _ => return Ok(None),
        };
        if let Some(cast) = call.func.inner().downcast_ref::<FlinkCast>() {
            let declared = cast.target().metadata().get(TYPE_METADATA_KEY);
            let text = declared.and_then(|name| Text::parse(name));
            return text.map(|t| Ok((t, self.declared_nullable(expr)?))).transpose();
        }
        let Some(first) = call.args.first() else { return Ok(None) };
        if call.func.inner().downcast_ref::<Concat>().is_some() {
            let [left, right] = call.args.as_slice() else { return Ok(None) };
            let (left, right) = (self.text_of(left)?, self.text_of(right)?);
            return Ok(match (left, right) {
                (Some((l, a)), Some((r, b))) => Some((l.joined(r), a || b)),
                _ => None,
            });
        }
        let text = self.text_of(first)?;
        Ok(match call.func.name() {
            "UPPER" | "LOWER" => text,
            "TRIM" | "BTRIM" | "LTRIM" | "RTRIM" => {
                text.map(|(t, nullable)| (Text::Varchar(t.length()), nullable))
            }
            "SUBSTRING" | "SUBSTR" => text.map(|(t, _)| (Text::Varchar(t.length()), true)),
            _ => None,
        })
    }

    /// Of all branches that are not NULL.
    fn text_of_case(&self, case: &Case) -> Result<Option<(Text, bool)>> {
        let (mut text, mut nullable): (Option<Text>, bool) = (None, case.else_expr.is_none());
        let branches = case.when_then_expr.iter().map(|(_, then)| then);
        for branch in branches.chain(&case.else_expr) {
            if matches!(branch.as_ref(), Expr::Literal(value, _) if value.is_null()) {
                nullable = true;
                continue;
            }
            let Some((next, may_be_null)) = self.text_of(branch)? else { return Ok(None) };
            text = Some(text.map_or(next, |before| before.common(next)));
            nullable |= may_be_null;
        }
        Ok(text.map(|text| (text, nullable)))
    }
}
