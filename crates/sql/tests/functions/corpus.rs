//! Compares with the recorded answers of the SQL corpus where this small harness can run a
//! query: projections and filters over `VALUES`. Set `RIALTO_SLT` to a folder of `.slt` files.

use std::fmt::Write;
use std::path::Path;

use arrow::array::Array;

use crate::harness::{plan, run, utc};
use rialto_sql::functions::SessionSettings;
use rialto_sql::functions::cast::TYPE_METADATA_KEY;
use rialto_sql::functions::format_field_value;

fn answer(sql: &str, settings: &SessionSettings) -> Result<Vec<String>, String> {
    let work = || {
        let plan = plan(sql, settings)?;
        let batch = run(&plan)?;
        let mut rows = Vec::new();
        for row in 0..batch.num_rows() {
            let mut cells = Vec::new();
            for (column, field) in batch.columns().iter().zip(plan.schema().fields()) {
                let declared = field.metadata().get(TYPE_METADATA_KEY).map(String::as_str);
                let missing = column.is_null(row) || column.data_type().is_null();
                let text = format_field_value(column, row, declared, settings);
                cells.push(match text.as_str() {
                    _ if missing => "NULL".to_string(),
                    "" => "(empty)".to_string(),
                    _ => text,
                });
            }
            rows.push(cells.join("\t"));
        }
        datafusion_common::Result::Ok(rows)
    };
    work().map_err(|e: datafusion_common::DataFusionError| e.strip_backtrace())
}

fn check_file(path: &Path, report: &mut String) -> (usize, usize) {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let (mut good, mut bad) = (0, 0);
    let mut settings = utc();
    for block in text.split("\n\n") {
        let block: String =
            block.lines().filter(|l| !l.starts_with('#')).collect::<Vec<_>>().join("\n");
        let block = block.trim();
        if let Some(zone) = block.split("'table.local-time-zone' = '").nth(1) {
            let zone = zone.split('\'').next().and_then(|z| z.parse().ok());
            settings.time_zone = zone.unwrap_or(chrono_tz::UTC);
        }
        if block.contains("RESET") {
            settings.time_zone = chrono_tz::UTC;
        }
        if let Some(sql) = block.strip_prefix("query error") {
            let sql = sql.split_once('\n').map_or("", |s| s.1);
            match answer(sql, &settings) {
                Err(_) => good += 1,
                Ok(rows) => {
                    bad += 1;
                    let _ = write!(report, "\n{sql}\n  should fail but is {rows:?}\n");
                }
            }
            continue;
        }
        let Some((_, rest)) = block.split_once('\n').filter(|(h, _)| h.starts_with("query "))
        else {
            continue;
        };
        let Some((sql, expected)) = rest.split_once("\n----") else {
            continue;
        };
        let mut expected: Vec<String> =
            expected.trim_matches('\n').lines().map(String::from).collect();
        expected.sort();
        match answer(sql, &settings) {
            Ok(mut rows) => {
                rows.sort();
                if rows == expected {
                    good += 1;
                } else {
                    bad += 1;
                    let _ = write!(report, "\n{sql}\n");
                    for (e, r) in expected.iter().zip(&rows).filter(|(e, r)| e != r) {
                        let _ = write!(report, "  flink {e}\n  ours  {r}\n");
                    }
                    if expected.len() != rows.len() {
                        let _ = writeln!(report, "  {} rows, not {}", rows.len(), expected.len());
                    }
                }
            }
            Err(e) => {
                bad += 1;
                let _ = write!(report, "\n{sql}\n  fails {e}\n");
            }
        }
    }
    (good, bad)
}

#[test]
fn recorded_answers() {
    let Ok(folder) = std::env::var("RIALTO_SLT") else {
        return;
    };
    let mut report = String::new();
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .map(|d| d.filter_map(|f| f.ok().map(|f| f.path())).collect())
        .unwrap_or_default();
    files.sort();
    assert!(!files.is_empty(), "{folder} has no files");
    for file in files {
        let mut own = String::new();
        let (good, bad) = check_file(&file, &mut own);
        let _ = write!(report, "\n=== {} {good} good, {bad} bad\n{own}", file.display());
    }
    println!("{report}");
}
