//! `CREATE TABLE … LIKE`: what of the source table the new one takes.

use super::TableDef;
use crate::error::{Result, SqlError};
use crate::parser::{ColumnKind, LikeFeature, LikeOption, LikeStrategy, Options};

/// Merges a new table into a copy of the source.
///
/// Physical columns are always taken. Without options the rule is Flink's:
/// `INCLUDING ALL OVERWRITING OPTIONS`.
pub(super) fn merge(source: &TableDef, new: TableDef, options: &[LikeOption]) -> Result<TableDef> {
    let strategy = |feature: LikeFeature| {
        let said = |f: LikeFeature| options.iter().find(|o| o.feature == f).map(|o| o.strategy);
        said(feature).or(said(LikeFeature::All)).unwrap_or(match feature {
            LikeFeature::Options => LikeStrategy::Overwriting,
            _ => LikeStrategy::Including,
        })
    };
    let mut merged = TableDef { columns: Vec::new(), ..new.clone() };
    merge_columns(source, &new, &strategy, &mut merged)?;

    let watermarks = strategy(LikeFeature::Watermarks);
    merged.watermark = one(source.watermark.clone(), new.watermark, watermarks, "watermark")?;
    let constraints = strategy(LikeFeature::Constraints);
    merged.primary_key =
        one(source.primary_key.clone(), new.primary_key, constraints, "primary key")?;
    let distribution = strategy(LikeFeature::Distribution);
    merged.distribution =
        one(source.distribution.clone(), new.distribution, distribution, "distribution")?;

    let some = |columns: &Vec<String>| (!columns.is_empty()).then(|| columns.clone());
    merged.partitioned_by = one(
        some(&source.partitioned_by),
        some(&new.partitioned_by),
        strategy(LikeFeature::Partitions),
        "partitioning",
    )?
    .unwrap_or_default();
    merged.options = merge_options(&source.options, &new.options, strategy(LikeFeature::Options))?;
    Ok(merged)
}

fn merge_columns(
    source: &TableDef,
    new: &TableDef,
    strategy: &dyn Fn(LikeFeature) -> LikeStrategy,
    merged: &mut TableDef,
) -> Result<()> {
    for column in &source.columns {
        let feature = match column.kind {
            ColumnKind::Physical => None,
            ColumnKind::Computed(_) => Some(LikeFeature::Generated),
            ColumnKind::Metadata { .. } => Some(LikeFeature::Metadata),
        };
        let strategy = feature.map_or(LikeStrategy::Including, strategy);
        if strategy == LikeStrategy::Excluding {
            continue;
        }
        let replaced = new.column(&column.name);
        match replaced {
            None => merged.columns.push(column.clone()),
            Some(own) if strategy == LikeStrategy::Overwriting && same_kind(own, column) => {
                merged.columns.push(own.clone());
            }
            Some(own) => {
                let table = &source.path.object;
                let message = format!("the column '{}' is in the table {table} already", own.name);
                let hint = match feature {
                    Some(LikeFeature::Generated) => "OVERWRITING GENERATED lets the new one win",
                    Some(_) => "OVERWRITING METADATA lets the new one win",
                    None => "leave it out: LIKE takes it over",
                };
                return Err(SqlError::new(message).with_span(own.span).with_hint(hint));
            }
        }
    }
    let own = new.columns.iter().filter(|c| merged.column(&c.name).is_none()).cloned();
    let own: Vec<_> = own.collect();
    merged.columns.extend(own);
    Ok(())
}

fn same_kind(a: &crate::parser::ColumnDef, b: &crate::parser::ColumnDef) -> bool {
    std::mem::discriminant(&a.kind) == std::mem::discriminant(&b.kind)
}

/// What remains of a part that a table can have once.
fn one<T>(
    source: Option<T>,
    new: Option<T>,
    strategy: LikeStrategy,
    what: &str,
) -> Result<Option<T>> {
    match (strategy, source, new) {
        (LikeStrategy::Excluding, _, new) => Ok(new),
        (LikeStrategy::Including, Some(_), Some(_)) => {
            Err(SqlError::new(format!("both tables have a {what}"))
                .with_hint("use EXCLUDING in the LIKE clause to keep the new table's only"))
        }
        (_, source, new) => Ok(new.or(source)),
    }
}

fn merge_options(source: &Options, new: &Options, strategy: LikeStrategy) -> Result<Options> {
    let mut merged = match strategy {
        LikeStrategy::Excluding => Options::new(),
        _ => source.clone(),
    };
    for entry in new.iter() {
        if strategy == LikeStrategy::Including && merged.get(&entry.key).is_some() {
            return Err(SqlError::new(format!("both tables have the option '{}'", entry.key))
                .with_span(entry.span)
                .with_hint("OVERWRITING OPTIONS, which is the default, lets the new one win"));
        }
        merged.set(entry.key.clone(), entry.value.clone(), entry.span);
    }
    Ok(merged)
}
