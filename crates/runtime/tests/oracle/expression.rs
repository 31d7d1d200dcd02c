//! Expressions whose meaning is the same in Flink SQL and in the referee's.

use crate::data::{Kind, time_literal};
use crate::query::{Gen, Scope};
use crate::tape::EPOCH_MS;

impl Gen<'_> {
    /// An expression of a kind over the columns in scope, never a bare literal at depth zero where
    /// there is a column.
    pub fn expression(&mut self, scope: &Scope, kind: Kind, depth: usize) -> String {
        let columns: Vec<String> = scope.of(kind);
        if !columns.is_empty() && (depth == 0 || !self.tape.chance(45)) {
            return self.tape.pick(&columns).clone();
        }
        if depth == 0 {
            return self.literal(kind);
        }
        match (self.tape.below(5), kind) {
            (0, _) => self.literal(kind),
            (1, _) => {
                let condition = self.predicate(scope, depth - 1);
                let yes = self.expression(scope, kind, depth - 1);
                let no = self.expression(scope, kind, depth - 1);
                format!("CASE WHEN {condition} THEN {yes} ELSE {no} END")
            }
            (2, _) => {
                let first = self.expression(scope, kind, depth - 1);
                let second = self.expression(scope, kind, depth - 1);
                format!("COALESCE({first}, {second})")
            }
            (_, Kind::BigInt) => {
                let operator = *self.tape.pick(&["+", "-", "*"]);
                let left = self.expression(scope, kind, depth - 1);
                let right = self.expression(scope, kind, depth - 1);
                format!("({left} {operator} {right})")
            }
            (_, Kind::Text) => {
                let left = self.expression(scope, kind, depth - 1);
                match self.tape.below(2) {
                    0 => format!("UPPER({left})"),
                    _ => {
                        let right = self.expression(scope, kind, depth - 1);
                        format!("({left} || {right})")
                    }
                }
            }
            (_, Kind::Boolean) => format!("({})", self.predicate(scope, depth - 1)),
            (_, Kind::Time) => {
                let when = self.expression(scope, kind, depth - 1);
                format!("({when} + INTERVAL '3' SECOND)")
            }
        }
    }

    fn literal(&mut self, kind: Kind) -> String {
        if self.tape.chance(10) {
            return format!("CAST(NULL AS {})", kind.sql());
        }
        match kind {
            Kind::BigInt => format!("CAST({} AS BIGINT)", self.tape.below(4)),
            Kind::Text => format!("'{}'", self.tape.pick(&["a", "b", "c"])),
            Kind::Boolean => (*self.tape.pick(&["TRUE", "FALSE"])).into(),
            Kind::Time => time_literal(EPOCH_MS + self.tape.below(8) as i64 * 5_000),
        }
    }

    /// A condition over the columns in scope.
    pub fn predicate(&mut self, scope: &Scope, depth: usize) -> String {
        if depth > 0 && self.tape.chance(30) {
            let left = self.predicate(scope, depth - 1);
            return match self.tape.below(3) {
                0 => format!("NOT ({left})"),
                n => {
                    let right = self.predicate(scope, depth - 1);
                    format!("({left} {} {right})", ["AND", "OR"][n - 1])
                }
            };
        }
        let kind = *self.tape.pick(&[Kind::BigInt, Kind::Text, Kind::Boolean, Kind::Time]);
        let kind = if scope.of(kind).is_empty() { scope.any_kind() } else { kind };
        let left = self.expression(scope, kind, depth.saturating_sub(1));
        match (self.tape.below(6), kind) {
            (0, _) => format!("{left} IS NOT NULL"),
            (1, _) => format!("{left} IS NULL"),
            (2 | 3, Kind::Boolean) => left,
            (2, Kind::BigInt) => format!("{left} IN (0, 2, 3)"),
            (2, Kind::Text) => format!("{left} IN ('a', 'c')"),
            (3, Kind::BigInt) => format!("{left} BETWEEN 0 AND 2"),
            (4, _) => {
                let right = self.expression(scope, kind, depth);
                format!("({left} IS NOT DISTINCT FROM {right})")
            }
            (_, Kind::Boolean) => format!("{left} IS NOT TRUE"),
            _ => {
                let operator = *self.tape.pick(&["=", "<>", "<", ">=", ">", "<="]);
                let right = self.expression(scope, kind, depth);
                format!("{left} {operator} {right}")
            }
        }
    }
}
