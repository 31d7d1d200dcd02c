//! What may be asked, and what a session says beside: settings and transactions.

use std::time::Duration;

use datafusion::common::ParamValues;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{self, Statement};
use pgwire::error::{ErrorInfo, PgWireError};

use super::tables::VERSION;

/// How long a statement may take, unless the session says less.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What a statement is to us.
#[derive(Debug, Clone)]
pub enum Kind {
    /// It is planned and answered.
    Query,
    /// It is noted, and changes nothing that we have.
    Said(&'static str),
    /// A setting of the session: its name and value.
    Set(String, String),
    /// Asks for a setting.
    Show(String),
    /// Begins a transaction: each statement still reads the newest snapshot.
    Begin,
    /// Ends one.
    End(&'static str),
}

/// An error as clients know it: severity, code, message.
pub fn error(code: &str, message: impl Into<String>) -> PgWireError {
    let info = ErrorInfo::new("ERROR".into(), code.into(), message.into());
    PgWireError::UserError(Box::new(info))
}

/// DataFusion's error as clients know it.
pub fn failed(found: &DataFusionError) -> PgWireError {
    let code = match found.find_root() {
        DataFusionError::ResourcesExhausted(_) => "53200",
        DataFusionError::SchemaError(..) => "42703",
        DataFusionError::NotImplemented(_) => "0A000",
        DataFusionError::SQL(..) => "42601",
        DataFusionError::Plan(message) if message.contains("not found") => "42P01",
        DataFusionError::Plan(_) => "42000",
        DataFusionError::Internal(_) => "XX000",
        _ => "22000",
    };
    error(code, found.strip_backtrace())
}

/// What a statement is; an error says why it is refused.
pub fn kind_of(statement: &Statement) -> Result<Kind, PgWireError> {
    Ok(match statement {
        Statement::Query(_) | Statement::Explain { .. } => Kind::Query,
        Statement::Set(set) => set_of(set),
        Statement::Reset(_) => Kind::Said("RESET"),
        Statement::ShowVariable { variable } => {
            let words: Vec<String> =
                variable.iter().map(|word| word.value.to_lowercase()).collect();
            Kind::Show(match words.join(" ").as_str() {
                "transaction isolation level" => "transaction_isolation".into(),
                "time zone" => "timezone".into(),
                _ => words.join("."),
            })
        }
        Statement::StartTransaction { .. } => Kind::Begin,
        Statement::Commit { .. } => Kind::End("COMMIT"),
        Statement::Rollback { .. } => Kind::End("ROLLBACK"),
        Statement::Discard { .. } => Kind::Said("DISCARD ALL"),
        Statement::Deallocate { .. } => Kind::Said("DEALLOCATE"),
        Statement::Close { .. } => Kind::Said("CLOSE CURSOR"),
        Statement::UNLISTEN { .. } => Kind::Said("UNLISTEN"),
        Statement::LISTEN { .. } | Statement::NOTIFY { .. } => {
            let hint = "subscribe to GET /v1/views/{name}/changes";
            return Err(error("0A000", format!("LISTEN and NOTIFY are not supported: {hint}")));
        }
        other => {
            let text = other.to_string();
            let word = text.split_whitespace().next().unwrap_or_default().to_uppercase();
            let message = format!(
                "cannot execute {word}: views are read only here; their rows come from the \
                 project's SQL"
            );
            return Err(error("25006", message));
        }
    })
}

fn set_of(set: &ast::Set) -> Kind {
    let plain = |value: &ast::Expr| value.to_string().trim_matches('\'').to_owned();
    match set {
        ast::Set::SingleAssignment { variable, values, .. } => {
            let values: Vec<String> = values.iter().map(plain).collect();
            Kind::Set(variable.to_string().to_lowercase(), values.join(", "))
        }
        ast::Set::SetTimeZone { value, .. } => Kind::Set("timezone".into(), plain(value)),
        // Roles, names, transactions: there is nothing that they would change.
        _ => Kind::Said("SET"),
    }
}

/// What a session says of a setting that it was not given.
pub fn setting(name: &str) -> Option<&'static str> {
    Some(match name {
        "server_version" => VERSION,
        "server_version_num" => "160006",
        "server_encoding" | "client_encoding" => "UTF8",
        "timezone" => "UTC",
        "datestyle" => "ISO, MDY",
        "intervalstyle" => "postgres",
        "integer_datetimes" | "standard_conforming_strings" => "on",
        "transaction_read_only" | "default_transaction_read_only" => "on",
        "transaction_isolation" | "default_transaction_isolation" => "read committed",
        "search_path" => "\"$user\", public",
        "max_identifier_length" => "63",
        "statement_timeout" => "30s",
        "is_superuser" | "in_hot_standby" => "off",
        "application_name" => "",
        "extra_float_digits" => "1",
        "bytea_output" => "hex",
        "lc_messages" | "lc_collate" | "lc_ctype" | "lc_monetary" => "C",
        _ => return None,
    })
}

/// How long a statement may take, as a session set it: milliseconds, or with a unit; 0: the most.
pub fn patience(said: Option<&String>) -> Duration {
    let Some(said) = said else { return PATIENCE };
    let text = said.trim();
    let digits = text.trim_end_matches(|c: char| c.is_alphabetic());
    let number: u64 = digits.trim().parse().unwrap_or(0);
    let millis = match text[digits.len()..].trim() {
        "s" => number.saturating_mul(1000),
        "min" => number.saturating_mul(60_000),
        _ => number,
    };
    if millis == 0 { PATIENCE } else { Duration::from_millis(millis).min(PATIENCE) }
}

/// The plan of a query, which reads and nothing else.
pub async fn plan(
    state: &SessionState,
    statement: &Statement,
    parameters: Option<ParamValues>,
) -> Result<LogicalPlan, DataFusionError> {
    let parsed = Parsed::Statement(Box::new(statement.clone()));
    let plan = state.statement_to_plan(parsed).await?;
    let reads =
        SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    reads.verify_plan(&plan)?;
    match parameters {
        Some(values) => plan.replace_params_with_values(&values),
        None => Ok(plan),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_may_be_less_patient_but_not_more() {
        let of = |text: &str| patience(Some(&text.to_owned())).as_millis();
        assert_eq!(
            [of("50"), of("2s"), of("50ms"), of("1min"), of("0")],
            [50, 2000, 50, 30_000, 30_000]
        );
        assert_eq!(patience(None), PATIENCE);
    }
}
