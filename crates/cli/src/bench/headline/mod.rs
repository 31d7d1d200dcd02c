//! `rialto bench headline`: what decisions bring in the simulated shop.
//!
//! A policy sees events and answers decisions; what is true of the world (stock days, sales that
//! were lost, margin) is read from the world itself, which no table shows. Every policy trades in
//! the same worlds as nobody does, hour by hour, and both throw the same dice.
//!
//! - `policy.rs`: the fields of decisions, who decides, and what is looked at
//! - `trial.rs`: one world and one policy
//! - `report.rs`: means and confidence intervals

mod policy;
mod report;
mod trial;

use std::fmt::Write as _;
use std::path::Path;

use rialto_runtime::connectors::shop::Config;

use super::Scratch;
use crate::args::{Answer, Headline};
use crate::failure::{Failure, Result, tell};
use crate::init::{self, packs};
use crate::output::Stdout;
use policy::{Decides, FIELDS, Field, Policy};
use report::Pair;
use trial::{Length, Outcome};

/// Judges every policy of the fields that are named, or of all.
pub fn headline(command: &Headline, stdout: &Stdout) -> Result<()> {
    let fields = fields(&command.fields)?;
    let scratch = Scratch::new()?;
    if command.output == Answer::Text {
        stdout.line(&format!(
            "{} simulated worlds of {} customers, {} days each behind the warm-up; the change is \
             that of the mean, with its 95 % interval",
            command.seeds, command.customers, command.days
        ))?;
        stdout.line(&report::header())?;
    }
    for field in fields {
        for null in [false, true] {
            judge(command, field, null, &scratch.0, stdout)?;
        }
    }
    Ok(())
}

fn fields(named: &[String]) -> Result<Vec<&'static Field>> {
    if named.is_empty() {
        return Ok(FIELDS.iter().collect());
    }
    let find = |name: &String| {
        FIELDS.iter().find(|field| field.name == name).ok_or_else(|| {
            let known: Vec<&str> = FIELDS.iter().map(|field| field.name).collect();
            let hint = format!("there are {}", known.join(", "));
            Failure::request(format!("nothing is decided in '{name}'"), Some(&hint))
        })
    };
    named.iter().map(find).collect()
}

/// All policies of a field, in its worlds or in its null worlds.
fn judge(
    command: &Headline,
    field: &Field,
    null: bool,
    scratch: &Path,
    stdout: &Stdout,
) -> Result<()> {
    let hide = match (null, field.null) {
        (true, None) => return Ok(()),
        (true, Some(hide)) => Some(hide),
        (false, _) => None,
    };
    let config = |seed: u16| {
        let mut config = Config {
            seed: u64::from(seed),
            customers: command.customers,
            products: command.products,
            days: 0,
            ..Config::default()
        };
        if let Some(hide) = hide {
            hide(&mut config.hidden);
        }
        config
    };
    let length = Length { warm_up: field.warm_up_days, days: command.days };
    let worlds: Vec<(Config, Outcome)> =
        (1..=command.seeds).map(|seed| (config(seed), trial::off(&config(seed), length))).collect();
    for policy in &field.policies {
        let mut pairs = Vec::new();
        for (config, off) in &worlds {
            let folder =
                scratch.join(format!("{}-{null}-{}-{}", field.name, policy.name, config.seed));
            write_project(&folder, field, policy)?;
            let on = trial::on(&folder, policy.view, config, length, stdout)?;
            pairs.push(Pair { off: *off, on });
        }
        let decisions: usize = pairs.iter().map(|pair| pair.on.decisions).sum();
        if decisions == 0 {
            tell(&format!("{}: {} decided nothing in these days\n", field.name, policy.name));
        }
        match command.output {
            Answer::Json => {
                stdout.line(&report::object(field, policy, null, &pairs).to_string())?;
            }
            Answer::Text => {
                for line in report::lines(field, policy, null, &pairs) {
                    stdout.line(&line)?;
                }
            }
        }
        stdout.flush()?;
    }
    Ok(())
}

/// A project of the policy: the event model out of a shop, the packs that are read, and the SQL of
/// a baseline behind them.
fn write_project(folder: &Path, field: &Field, policy: &Policy) -> Result<()> {
    let asked: Vec<String> = match policy.decides {
        Decides::Pack(pack, _) => vec![pack.to_owned()],
        Decides::Sql(_) => field.packs.iter().map(|&pack| pack.to_owned()).collect(),
    };
    let needed = init::with_needed(&asked)?;
    let files = packs::model().into_iter().chain(needed.iter().flat_map(|p| packs::files(p)));
    for file in files {
        init::write(folder, &format!("packs/{}", file.path), &file.bytes)?;
    }
    let tables = init::tables(crate::args::SourceOfRows::Shop, &[])?;
    init::write(folder, "tables/tables.sql", tables.as_bytes())?;
    let mut config = String::from("include = [\"packs/model/sql\", \"tables/tables.sql\"");
    for pack in &needed {
        let _ = write!(config, ", \"packs/{pack}/sql\"");
    }
    if let Decides::Sql(sql) = policy.decides {
        init::write(folder, "policy/policy.sql", sql.as_bytes())?;
        config.push_str(", \"policy/policy.sql\"");
    }
    config.push_str("]\n[variables]\n");
    if let Decides::Pack(_, settings) = policy.decides {
        for (name, value) in settings {
            let _ = writeln!(config, "{name} = \"{value}\"");
        }
    }
    init::write(folder, "rialto.toml", config.as_bytes())
}
