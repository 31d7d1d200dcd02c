//! `rialto price simulate`: what other rules would charge, asked of a running project. Nothing
//! changes by it.

use std::time::Duration;

use clap::{Args, Subcommand};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::args::Answer;
use crate::failure::{Failure, Result, tell};
use crate::output::Stdout;

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// `rialto price …`.
#[derive(Debug, Subcommand)]
pub enum Price {
    /// Say which prices would be others, and what that brings a day, if rules were changed
    Simulate(Simulate),
}

/// `rialto price simulate`.
#[derive(Debug, Args)]
pub struct Simulate {
    /// What is changed: competitor.rate=0.02, margin.is_active=false, stock_age.days=30
    #[arg(value_name = "RULE.FIELD=VALUE", required = true)]
    pub changes: Vec<Change>,
    /// Where the project runs with the pack `pricing`: what `rialto run --serve` says
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub server: String,
    /// A token of the role analyst, where the server needs one [default: $RIALTO_TOKEN]
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// How the answer is printed
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Answer,
}

/// A member of a rule, and what it is to be.
#[derive(Debug, Clone)]
pub struct Change {
    rule: String,
    field: String,
    value: Value,
}

impl std::str::FromStr for Change {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let wrong =
            || format!("'{text}' is not of the form RULE.FIELD=VALUE: competitor.rate=0.02");
        let (place, value) = text.split_once('=').ok_or_else(wrong)?;
        let (rule, field) = place.rsplit_once('.').ok_or_else(wrong)?;
        if rule.is_empty() {
            return Err(wrong());
        }
        if !["is_active", "priority", "days", "rate"].contains(&field) {
            return Err(format!(
                "a rule has no '{field}' to be changed: is_active, priority, days, rate"
            ));
        }
        let value = serde_json::from_str(value.trim())
            .map_err(|_| format!("'{value}' is no number, true, false or null"))?;
        Ok(Self { rule: rule.into(), field: field.into(), value })
    }
}

/// Runs `rialto price`.
pub fn price(command: &Price, stdout: &Stdout) -> Result<()> {
    match command {
        Price::Simulate(command) => simulate(command, stdout),
    }
}

fn simulate(command: &Simulate, stdout: &Stdout) -> Result<()> {
    let server = Server::new(command)?;
    let known = server.ask(Method::GET, "/v1/rules", None)?;
    let body = json!({ "rules": changed(&known, &command.changes)? });
    let found = server.ask(Method::POST, "/v1/rules/simulate", Some(&body))?;
    if command.output == Answer::Json {
        return Ok(stdout.line(&found.to_string())?);
    }
    for warning in found["warnings"].as_array().into_iter().flatten() {
        tell(&format!("note: {warning}\n"));
    }
    Ok(stdout.text(&as_text(&found))?)
}

/// The rules that are named, as they would be.
fn changed(known: &Value, changes: &[Change]) -> Result<Vec<Value>> {
    let mut rules: Vec<Value> = known["rules"].as_array().cloned().unwrap_or_default();
    let ids: Vec<String> =
        rules.iter().filter_map(|r| r["rule_id"].as_str().map(str::to_owned)).collect();
    for change in changes {
        let named = rules.iter_mut().find(|rule| rule["rule_id"] == change.rule.as_str());
        let Some(rule) = named else {
            let hint = format!("there are {}", ids.join(", "));
            return Err(Failure::request(
                format!("there is no rule '{}'", change.rule),
                Some(&hint),
            ));
        };
        rule[&change.field] = change.value.clone();
    }
    let is_named = |rule: &Value| changes.iter().any(|c| rule["rule_id"] == c.rule.as_str());
    // Who changed a rule, and when, is not a part of what it says.
    let plain = |rule: Value| {
        json!({
            "rule_id": rule["rule_id"], "kind": rule["kind"], "is_active": rule["is_active"],
            "priority": rule["priority"], "days": rule["days"], "rate": rule["rate"],
            "note": rule["note"],
        })
    };
    Ok(rules.into_iter().filter(is_named).map(plain).collect())
}

fn as_text(found: &Value) -> String {
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let differ = found["differ"].as_u64().unwrap_or(0);
    let mut out = match differ {
        0 => "no price would be another\n".to_owned(),
        1 => "1 price would be another\n".to_owned(),
        n => format!("{n} prices would be others\n"),
    };
    let rows = found["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !rows.is_empty() {
        let (sku, rule) = ("sku", "rule");
        out += &format!(
            "{sku:<20} {:>10} {:>12} {:>12} {:>14}  {rule}\n",
            "price", "rules now", "then", "margin a day"
        );
    }
    for row in rows {
        out += &format!(
            "{:<20} {:>10} {:>12} {:>12} {:>14}  {}{}\n",
            text(&row["sku"]),
            text(&row["price"]),
            text(&row["now_price"]),
            text(&row["new_price"]),
            text(&row["margin_a_day"]),
            text(&row["reason"]),
            if row["floored"] == true { " (at its floor)" } else { "" },
        );
    }
    for effect in found["effects"].as_array().into_iter().flatten() {
        out += &format!(
            "all together {} {} a day, if as much is sold as now\n",
            text(&effect["margin_a_day"]),
            text(&effect["currency"]),
        );
    }
    out
}

/// A running project.
struct Server {
    client: Client,
    runtime: tokio::runtime::Runtime,
    base: String,
    token: Option<String>,
}

impl Server {
    fn new(command: &Simulate) -> Result<Self> {
        let base = command.server.trim_end_matches('/').to_owned();
        if !base.starts_with("http://") && !base.starts_with("https://") {
            let hint = "write http://host:port";
            return Err(Failure::request(format!("'{base}' is no URL of a server"), Some(hint)));
        }
        let cannot = |e: &dyn std::fmt::Display| Failure::request(e, None);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let client = Client::builder().timeout(PATIENCE).build().map_err(|e| cannot(&e))?;
        let runtime = runtime.map_err(|e| cannot(&e))?;
        let token = command.token.clone().or_else(|| std::env::var("RIALTO_TOKEN").ok());
        Ok(Self { client, runtime, base, token })
    }

    fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body.to_string());
        }
        let answer = self.runtime.block_on(async {
            let answer = request.send().await?;
            Ok::<_, reqwest::Error>((answer.status(), answer.text().await?))
        });
        let (status, text) = answer.map_err(|error| {
            let hint = "start the project with --serve, or name its address with --server";
            Failure::request(format!("{} does not answer: {error}", self.base), Some(hint))
        })?;
        let said: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(said);
        }
        let why = said["detail"].as_str().map_or_else(|| status.to_string(), str::to_owned);
        Err(Failure::request(why, said["hint"].as_str()))
    }
}
