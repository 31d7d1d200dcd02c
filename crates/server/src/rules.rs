//! `/v1/rules`: the rules by which prices are made, what no rule goes beyond, and what another rule
//! would bring.
//!
//! A simulation asks the pack's own views over one snapshot, twice: with the rules as they are, and
//! with the changed ones in their place. So it says what the job would say, and the job never hears
//! of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use rialto_runtime::serving::{Serving, Snapshot};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::access::Caller;
use crate::acts::{self, literal, wrong};
use crate::answer::{Refusal, answer};
use crate::routes::Shared;
use crate::views::{blocking, refused, serving};

const TABLE: &str = "pricing_rule_change";
const FILE: &str = "packs/pricing/sql";
const RULES: &str = "pricing_rule";
/// Rules of one request.
const RULES_MAX: usize = 100;
/// Prices that are listed one by one.
const LISTED_MAX: usize = 500;
/// What the pack says of each price that it would change.
const CHANGES: &str = "SELECT sku, currency, price, new_price, rule, reason, floor_price, floored, \
    is_cooling, unit_cost, units_a_day FROM pricing_change";

/// What a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What was not sold for `days` becomes cheaper by `rate`.
    StockAge,
    /// What is gone in `days` becomes dearer by `rate`.
    Demand,
    /// The lowest competitor, less `rate`.
    Competitor,
    /// What earns less than `rate` of its price becomes dearer.
    Margin,
}

/// A rule as somebody wants it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name; the rule of this name is changed, or there is one more.
    rule_id: String,
    /// What it looks at.
    kind: Kind,
    /// Whether it is heard at all.
    is_active: bool,
    /// The lowest that speaks is heard.
    priority: i32,
    /// Of `stock_age` and `demand`.
    days: Option<i32>,
    /// A share: 0.15 is 15 %.
    rate: f64,
    /// Why it is so.
    note: Option<String>,
}

/// Rules to change or to try.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Those that change; all others stay.
    rules: Vec<Rule>,
}

const FORM: &str = "{\"rules\": [{\"rule_id\", \"kind\", \"is_active\", \"priority\", \"days\", \
    \"rate\", \"note\"}]}";

impl Rule {
    fn check(&self) -> Result<(), Refusal> {
        acts::check_name("the rule", &self.rule_id)?;
        acts::check_note(self.note.as_deref())?;
        let of = |what: String, hint: &str| Err(wrong(format!("{}: {what}", self.rule_id), hint));
        if !(1..=1_000).contains(&self.priority) {
            return of(format!("the priority {} is none", self.priority), "take 1 to 1000");
        }
        let has_days = matches!(self.kind, Kind::StockAge | Kind::Demand);
        match self.days {
            None if has_days => return of("it says no days".into(), "take 1 to 365"),
            Some(_) if !has_days => {
                return of("a rule of this kind has no days".into(), "leave them out, or null");
            }
            Some(days) if !(1..=365).contains(&days) => {
                return of(format!("{days} days are none"), "take 1 to 365");
            }
            _ => {}
        }
        let (least, most) = match self.kind {
            Kind::StockAge | Kind::Demand => (0.0001, 0.9),
            Kind::Competitor => (0.0, 0.5),
            Kind::Margin => (0.0, 0.95),
        };
        // Not in the range, or no number at all.
        if !(least..=most).contains(&self.rate) {
            let hint = format!("it is a share between {least} and {most}: 0.15 is 15 %");
            return of(format!("the rate {} is none", self.rate), &hint);
        }
        let digits = self.rate * 10_000.0;
        if (digits - digits.round()).abs() > 1e-6 {
            return of(format!("the rate {} has more than 4 digits", self.rate), "round it");
        }
        Ok(())
    }

    fn kind_name(&self) -> Value {
        json!(self.kind)
    }

    /// The rule as a row of `VALUES`; nothing of it is text of SQL.
    fn values(&self) -> String {
        let days = self.days.map_or("NULL".to_owned(), |d| d.to_string());
        format!(
            "({}, {}, {}, {}, CAST({days} AS INT), CAST({:.4} AS DECIMAL(9, 4)))",
            literal(&self.rule_id),
            literal(self.kind_name().as_str().unwrap_or_default()),
            if self.is_active { "TRUE" } else { "FALSE" },
            self.priority,
            self.rate,
        )
    }
}

fn check_all(rules: &[Rule]) -> Result<(), Refusal> {
    if !(1..=RULES_MAX).contains(&rules.len()) {
        let what = format!("a request changes 1 to {RULES_MAX} rules, not {}", rules.len());
        return Err(wrong(what, FORM));
    }
    for (at, rule) in rules.iter().enumerate() {
        rule.check()?;
        if rules[..at].iter().any(|other| other.rule_id == rule.rule_id) {
            let what = format!("{} is there twice", rule.rule_id);
            return Err(wrong(what, "say what it is to be once"));
        }
    }
    Ok(())
}

/// The rules that hold, and the guards.
#[utoipa::path(get, path = "/v1/rules", tag = "acts", responses(
    (status = 200, description = "step, rules, guards, and warnings of rules"),
    (status = 404, description = "the project does not include the pack `pricing`"),
))]
pub async fn rules(State(shared): State<Arc<Shared>>) -> Result<Response, Refusal> {
    let serving = serving(&shared)?;
    acts::check_views(&serving, &[RULES, "pricing_guard"], "pricing")?;
    let read = move || -> Result<Value, Refusal> {
        let snapshot = serving.snapshot(None).map_err(refused)?;
        let known = known(&serving, &snapshot)?;
        let guards = guards(&serving, &snapshot)?;
        let warnings = warnings(&now_of(&known), &guards);
        Ok(json!({
            "step": snapshot.step(), "rules": known, "guards": guards, "warnings": warnings,
        }))
    };
    Ok(answer(StatusCode::OK, &blocking(read).await??))
}

/// Changes rules.
#[utoipa::path(put, path = "/v1/rules",
    operation_id = "change_rules", tag = "acts", request_body = Rules, responses(
    (status = 200, description = "they are durable, and hold from the job's next step on"),
    (status = 400, description = "a rule is none; nothing was changed"),
))]
pub async fn change(
    State(shared): State<Arc<Shared>>,
    caller: Option<Extension<Caller>>,
    request: Request,
) -> Result<Response, Refusal> {
    let wanted: Rules = acts::body(&shared, request, FORM).await?;
    check_all(&wanted.rules)?;
    let table = acts::table(&shared, TABLE, FILE)?;
    let (actor, at) = (acts::actor(caller.as_ref()), acts::now());
    let row = |rule: &Rule| {
        let mut row = json!(rule);
        row["event_id"] = json!(Uuid::new_v4().to_string());
        row["actor"] = json!(actor);
        row["changed_at"] = json!(at);
        row
    };
    let rows: Vec<Value> = wanted.rules.iter().map(row).collect();
    acts::store(table, rows).await?;
    let ids: Vec<&str> = wanted.rules.iter().map(|r| r.rule_id.as_str()).collect();
    let body = json!({ "changed": ids, "actor": actor, "changed_at": at });
    Ok(answer(StatusCode::OK, &body))
}

/// What the prices would be with other rules.
#[utoipa::path(post, path = "/v1/rules/simulate", tag = "acts", request_body = Rules, responses(
    (status = 200, description = "prices that would become others, and what that brings a day"),
    (status = 400, description = "a rule is none"),
))]
pub async fn simulate(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Refusal> {
    let wanted: Rules = acts::body(&shared, request, FORM).await?;
    check_all(&wanted.rules)?;
    let serving = serving(&shared)?;
    acts::check_views(&serving, &[RULES, "pricing_guard", "pricing_basis"], "pricing")?;
    let _turn = shared.query()?;
    let work = move || simulated(&serving, wanted.rules);
    Ok(answer(StatusCode::OK, &blocking(work).await??))
}

fn known(serving: &Serving, snapshot: &Arc<Snapshot>) -> Result<Vec<Value>, Refusal> {
    let question = format!("SELECT * FROM {RULES} ORDER BY priority, rule_id");
    acts::rows(serving, snapshot, &question, &[])
}

fn guards(serving: &Serving, snapshot: &Arc<Snapshot>) -> Result<Value, Refusal> {
    let rows = acts::rows(serving, snapshot, "SELECT guard, `value` FROM pricing_guard", &[])?;
    let named = |row: &Value| Some((row["guard"].as_str()?.to_owned(), row["value"].clone()));
    Ok(Value::Object(rows.iter().filter_map(named).collect()))
}

/// The rules that can be read as such; one of a kind that the pack does not know is never heard.
fn now_of(known: &[Value]) -> Vec<Rule> {
    let fields = ["rule_id", "kind", "is_active", "priority", "days", "rate"];
    let read = |row: &Value| {
        let row: serde_json::Map<_, _> =
            fields.iter().map(|f| ((*f).to_owned(), row[*f].clone())).collect();
        serde_json::from_value(Value::Object(row)).ok()
    };
    known.iter().filter_map(read).collect()
}

/// What somebody should know of rules that are right by themselves.
fn warnings(rules: &[Rule], guards: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    let max_step = guards["max_step"].as_f64().unwrap_or(f64::INFINITY);
    let active: Vec<&Rule> = rules.iter().filter(|r| r.is_active).collect();
    for (at, rule) in active.iter().enumerate() {
        let moves = matches!(rule.kind, Kind::StockAge | Kind::Demand);
        if moves && rule.rate > max_step {
            found.push(json!({ "rule_id": rule.rule_id, "what": "beyond_step", "step": max_step }));
        }
        if let Some(other) = active[..at].iter().find(|o| o.priority == rule.priority) {
            let with = &other.rule_id;
            found.push(json!({ "rule_id": rule.rule_id, "what": "same_priority", "with": with }));
        }
    }
    found
}

/// The rules as a query that stands for the view.
fn stand_in(rules: &[Rule]) -> String {
    let values: Vec<String> = rules.iter().map(Rule::values).collect();
    format!(
        "SELECT CAST(rule_id AS STRING) AS rule_id, CAST(kind AS STRING) AS kind, is_active, \
         priority, days, rate, CAST(NULL AS STRING) AS note, CAST(NULL AS STRING) AS actor, \
         CAST(NULL AS TIMESTAMP_LTZ(3)) AS changed_at \
         FROM (VALUES {}) AS r (rule_id, kind, is_active, priority, days, rate)",
        values.join(", ")
    )
}

fn simulated(serving: &Serving, wanted: Vec<Rule>) -> Result<Value, Refusal> {
    let snapshot = serving.snapshot(None).map_err(refused)?;
    let mut rules = now_of(&known(serving, &snapshot)?);
    for rule in wanted {
        rules.retain(|r| r.rule_id != rule.rule_id);
        rules.push(rule);
    }
    let guards = guards(serving, &snapshot)?;
    let now = acts::rows(serving, &snapshot, CHANGES, &[])?;
    let then = acts::rows(serving, &snapshot, CHANGES, &[(RULES, stand_in(&rules))])?;
    let warnings = warnings(&rules, &guards);
    let mut found = compared(now, then);
    found["step"] = json!(snapshot.step());
    found["guards"] = guards;
    found["warnings"] = json!(warnings);
    Ok(found)
}

/// The prices that differ, the largest effect first, and what all of them bring together.
fn compared(now: Vec<Value>, then: Vec<Value>) -> Value {
    let counts = (now.len(), then.len());
    let by_sku = |rows: Vec<Value>| -> BTreeMap<String, Value> {
        let keyed = |row: Value| (row["sku"].as_str().unwrap_or_default().to_owned(), row);
        rows.into_iter().map(keyed).collect()
    };
    let (now, then) = (by_sku(now), by_sku(then));
    let mut effects: BTreeMap<String, f64> = BTreeMap::new();
    let mut listed: Vec<(f64, Value)> = Vec::new();
    let skus = now.keys().chain(then.keys().filter(|sku| !now.contains_key(*sku)));
    for sku in skus {
        let (before, after) = (now.get(sku), then.get(sku));
        let Some(either) = after.or(before) else { continue };
        let price = either["price"].as_f64().unwrap_or_default();
        let of = |row: Option<&Value>| row.and_then(|r| r["new_price"].as_f64()).unwrap_or(price);
        let (was, becomes) = (of(before), of(after));
        if was == becomes {
            continue;
        }
        // As many as are sold today: nobody knows how many it would be.
        let effect = (becomes - was) * either["units_a_day"].as_f64().unwrap_or_default();
        let currency = either["currency"].as_str().unwrap_or_default();
        *effects.entry(currency.to_owned()).or_default() += effect;
        let member = |row: Option<&Value>, name: &str| row.map_or(Value::Null, |r| r[name].clone());
        let row = json!({
            "sku": sku, "currency": either["currency"], "price": either["price"],
            "now_price": was, "now_rule": member(before, "rule"),
            "new_price": becomes, "rule": member(after, "rule"), "reason": member(after, "reason"),
            "floored": member(after, "floored"), "is_cooling": either["is_cooling"],
            "floor_price": either["floor_price"], "unit_cost": either["unit_cost"],
            "units_a_day": either["units_a_day"], "margin_a_day": rounded(effect),
        });
        listed.push((effect.abs(), row));
    }
    listed.sort_by(|a, b| b.0.total_cmp(&a.0));
    let differ = listed.len();
    let rows: Vec<Value> = listed.into_iter().take(LISTED_MAX).map(|(_, row)| row).collect();
    let effects: Vec<Value> = effects
        .into_iter()
        .map(|(currency, a_day)| json!({ "currency": currency, "margin_a_day": rounded(a_day) }))
        .collect();
    json!({
        "now_changes": counts.0, "changes": counts.1, "differ": differ, "rows": rows,
        "effects": effects,
    })
}

/// Without the digits that only a binary number has.
fn rounded(value: f64) -> f64 {
    // Nothing is not less than nothing.
    (value * 10_000.0).round() / 10_000.0 + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(kind: Kind, days: Option<i32>, rate: f64) -> Rule {
        let note = None;
        Rule { rule_id: "r".into(), kind, is_active: true, priority: 1, days, rate, note }
    }

    #[test]
    fn a_rule_that_is_none_is_refused() {
        assert!(rule(Kind::StockAge, Some(14), 0.15).check().is_ok());
        assert!(rule(Kind::Competitor, None, 0.0).check().is_ok());
        for wrong in [
            rule(Kind::StockAge, None, 0.15),
            rule(Kind::StockAge, Some(0), 0.15),
            rule(Kind::StockAge, Some(14), 0.0),
            rule(Kind::Demand, Some(2), 1.0),
            rule(Kind::Competitor, Some(2), 0.1),
            rule(Kind::Competitor, None, -0.1),
            rule(Kind::Margin, None, 1.0),
            rule(Kind::Margin, None, 0.123_456),
            rule(Kind::Margin, None, f64::NAN),
            Rule { priority: 0, ..rule(Kind::Margin, None, 0.3) },
            Rule { rule_id: "a'b".into(), ..rule(Kind::Margin, None, 0.3) },
        ] {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
        let twice = [rule(Kind::Margin, None, 0.3), rule(Kind::Margin, None, 0.2)];
        assert!(check_all(&twice).is_err() && check_all(&[]).is_err());
    }

    #[test]
    fn prices_are_compared_with_what_they_would_be_anyway() {
        let row = |sku: &str, new: f64, units: f64| {
            json!({
                "sku": sku, "currency": "EUR", "price": 5.0, "new_price": new, "rule": "r",
                "units_a_day": units,
            })
        };
        let now = vec![row("same", 4.5, 1.0), row("less", 4.5, 2.0), row("stays", 4.0, 3.0)];
        let then = vec![row("same", 4.5, 1.0), row("less", 4.0, 2.0), row("more", 6.0, 0.5)];
        let found = compared(now, then);
        assert_eq!(found["differ"], 3);
        let of = |sku: &str| {
            let rows = found["rows"].as_array().unwrap();
            rows.iter().find(|r| r["sku"] == sku).unwrap().clone()
        };
        // One that would have changed, and now keeps its price.
        assert_eq!(
            (of("stays")["new_price"].as_f64(), &of("stays")["rule"]),
            (Some(5.0), &json!(null))
        );
        assert_eq!(of("less")["margin_a_day"], -1.0);
        assert_eq!(found["effects"], json!([{ "currency": "EUR", "margin_a_day": 2.5 }]));
    }

    #[test]
    fn guards_are_set_beside_rules() {
        let rules = [
            rule(Kind::StockAge, Some(14), 0.5),
            Rule { rule_id: "s".into(), ..rule(Kind::Margin, None, 0.3) },
        ];
        let found = warnings(&rules, &json!({ "max_step": 0.2 }));
        assert_eq!(found[0]["what"], "beyond_step");
        assert_eq!(found[1]["what"], "same_priority");
        assert_eq!(found.len(), 2);
    }
}
