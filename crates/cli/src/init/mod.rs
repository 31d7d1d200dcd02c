//! `rialto init`: a project that runs packs, all of it the user's own files.

mod mapping;
pub mod packs;

use std::fmt::Write;
use std::io::ErrorKind;
use std::path::Path;

use rialto_runtime::sql::parser::{Statement, parse};

use crate::args::{Init, SourceOfRows};
use crate::failure::{Failure, Result};
use crate::output::Stdout;

pub use mapping::Mapping;
use packs::PackFile;

/// How the simulated shop of a new project trades: without end, two minutes in a second.
const SIMULATED: &str = "\
# The simulated shop: a number makes another one; how fast, how long (0: for ever), how large.
SHOP_SEED = \"1\"
SHOP_SPEED = \"120\"
SHOP_DAYS = \"0\"
SHOP_CUSTOMERS = \"500\"
# Days that have passed when it begins, so that there is something to see.
SHOP_HISTORY = \"7\"
# The shop reads here what is decided.
SHOP_DECISIONS = \".rialto/log/shop_inbox\"
";

/// What the packs decide goes to the simulated shop.
const LOOP: &str = "\
-- What is applied goes to the simulated shop, which carries it out. It knows no transfers between
-- places: an order for a store is one of the warehouse.
CREATE TABLE shop_inbox WITH ('connector' = 'log', 'path' = '.rialto/log/shop_inbox')
LIKE model.decision;
INSERT INTO shop_inbox (
  decision_id, decided_at, decision_type, sku, location_id, customer_id, campaign_id, quantity,
  amount, action, status)
SELECT decision_id, decided_at,
  CASE decision_type WHEN 'allocate' THEN 'replenish' ELSE decision_type END,
  sku, location_id, customer_id, campaign_id, quantity, amount, action, status
FROM decision
WHERE status = 'applied';
";

/// The packs of a project that has all of them.
pub fn all_packs() -> Vec<String> {
    packs::names()
}

/// Writes a new project into a folder that is not there yet.
pub fn init(command: &Init, stdout: &Stdout) -> Result<()> {
    if command.list {
        return packs::names()
            .iter()
            .try_for_each(|pack| stdout.line(&format!("{pack:14} {}", packs::about(pack))))
            .map_err(Failure::from);
    }
    let Some(folder) = &command.project else {
        let hint = "rialto init my-shop --pack inventory,pricing; --list shows the packs";
        return Err(Failure::request("which folder is the project to be in?", Some(hint)));
    };
    let Written { packs, mine, files } = write_project(folder, command)?;
    tell(folder, &packs, &mine, files, stdout)?;
    Ok(())
}

/// What a new project was made of.
pub struct Written {
    packs: Vec<String>,
    /// The tables that the user maps.
    mine: Vec<String>,
    files: usize,
}

/// Writes the files of a new project.
pub fn write_project(folder: &Path, command: &Init) -> Result<Written> {
    let packs = with_needed(&command.packs)?;
    let mapped: Vec<(&Mapping, String)> =
        command.map.iter().map(|mapping| Ok((mapping, mapping.sql()?))).collect::<Result<_>>()?;
    let mine: Vec<String> = mapped.iter().map(|(mapping, _)| mapping.table.clone()).collect();
    match std::fs::read_dir(folder).map(|mut entries| entries.next().is_none()) {
        Ok(true) => {}
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Ok(false) => {
            let hint = "name a folder that is empty or not there; nothing is ever written over";
            let message = format!("{} has files already", folder.display());
            return Err(Failure::request(message, Some(hint)));
        }
        Err(e) => return Err(unwritten(folder, &e)),
    }
    write(folder, "rialto.toml", config(&packs, command.from).as_bytes())?;
    write(folder, "README.md", readme(folder, &packs, command.from).as_bytes())?;
    write(folder, ".gitignore", b"/.rialto/\n")?;
    let hears = command.from == SourceOfRows::Shop && packs.iter().any(|p| p == "decisions");
    if hears {
        write(folder, "sql/10_loop.sql", LOOP.as_bytes())?;
    }
    let tables = tables(command.from, &mine)?;
    write(folder, "sources/10_tables.sql", tables.as_bytes())?;
    for (mapping, sql) in &mapped {
        write(folder, &format!("sources/20_{}.sql", mapping.table), sql.as_bytes())?;
    }
    let copied = packs::model().into_iter().chain(packs.iter().flat_map(|p| packs::files(p)));
    let mut files = 0;
    for PackFile { path, bytes } in copied {
        write(folder, &format!("packs/{path}"), &bytes)?;
        files += 1;
    }
    Ok(Written { packs, mine, files })
}

fn tell(
    folder: &Path,
    packs: &[String],
    mine: &[String],
    files: usize,
    stdout: &Stdout,
) -> std::io::Result<()> {
    let shown = folder.display();
    stdout.line(&format!("{shown}: {} and the event model, {files} files", packs.join(", ")))?;
    for table in mine {
        stdout.line(&format!("to fill in: {shown}/sources/20_{table}.sql"))?;
    }
    let lines = [
        format!("rialto check {shown}                        # all of it can be planned"),
        format!("rialto test {shown}                         # the packs' rules hold"),
        format!("rialto run {shown} --serve 127.0.0.1:8080   # keep its views, and answer"),
    ];
    lines.iter().try_for_each(|line| stdout.line(line))
}

/// The packs that were asked for, each behind what it needs.
pub fn with_needed(asked: &[String]) -> Result<Vec<String>> {
    fn add(pack: &str, all: &mut Vec<String>) {
        if all.iter().any(|known| known == pack) {
            return;
        }
        packs::needs(pack).iter().for_each(|needed| add(needed, all));
        all.push(pack.to_string());
    }
    let known = packs::names();
    if asked.is_empty() {
        let hint = format!("--pack with some of: {}", known.join(", "));
        return Err(Failure::request("no pack is named", Some(&hint)));
    }
    let mut all = Vec::new();
    for pack in asked {
        if !known.contains(pack) {
            let all = known.iter().map(String::as_str);
            let near = rialto_runtime::sql::catalog::nearest(pack, all);
            let hint = match near {
                Some(near) => format!("did you mean {near}?"),
                None => format!("there are {}", known.join(", ")),
            };
            return Err(Failure::request(format!("there is no pack '{pack}'"), Some(&hint)));
        }
        add(pack, &mut all);
    }
    // Those that hear of others come last.
    all.sort_by_key(|pack| packs::is_behind(pack));
    Ok(all)
}

/// `rialto.toml`: what is included in which order, and all that the packs let one set.
fn config(packs: &[String], from: SourceOfRows) -> String {
    let mut text = String::from(
        "# What this shop runs, in this order: the event model, where its rows come from, packs.\n\
         include = [\n  \"packs/model/sql\", \"sources\",\n",
    );
    for (at, pack) in packs.iter().enumerate() {
        for file in packs::in_front(pack, &packs[..at]) {
            let _ = writeln!(text, "  \"packs/{pack}/{file}\",");
        }
        let _ = writeln!(text, "  \"packs/{pack}/sql\",");
    }
    if from == SourceOfRows::Shop && packs.iter().any(|pack| pack == "delivery") {
        text.push_str("  \"packs/delivery/to_decision.sql\",\n");
    }
    text.push_str(
        "]\n\n# Rules of the packs with their defaults: take the mark away to set one.\n",
    );
    text.push_str("[variables]\n");
    if from == SourceOfRows::Shop {
        text.push_str(SIMULATED);
    }
    for pack in packs {
        let parameters = packs::parameters(pack);
        if !parameters.is_empty() {
            let _ = writeln!(text, "\n# {pack}: packs/{pack}/README.md");
        }
        for parameter in parameters {
            let default = parameter.default.replace('\\', "\\\\").replace('"', "\\\"");
            let _ = writeln!(text, "# {} = \"{default}\"", parameter.name);
        }
    }
    text
}

/// The tables of the model, but those that the user maps.
pub fn tables(from: SourceOfRows, mine: &[String]) -> Result<String> {
    let all = packs::tables(from.name()).unwrap_or_default();
    let parsed = parse(&all).map_err(|e| Failure::sql(&e, &all, "the event model"))?;
    let mut text = String::from(
        "-- Where rows come from. To give a table rows of your own, delete it here and say in a \
         file\n-- of this folder what it is: docs/mapping.md.\n",
    );
    for statement in &parsed {
        let Statement::CreateTable(table) = &statement.statement else { continue };
        if !mine.iter().any(|name| name == table.name.object()) {
            let _ = writeln!(text, "{};", statement.text);
        }
    }
    // Decisions come back by a log, wherever the other tables come from.
    if from != SourceOfRows::Log {
        text.push_str("CREATE TABLE decision WITH ('connector' = 'log') LIKE model.decision;\n");
        text.push_str("CREATE TABLE outcome WITH ('connector' = 'log') LIKE model.outcome;\n");
    }
    Ok(text)
}

/// The project's own page.
fn readme(folder: &Path, packs: &[String], from: SourceOfRows) -> String {
    let name = folder.file_name().map_or("shop".into(), |name| name.to_string_lossy());
    let mut text = format!(
        "# {name}\n\nA Rialto project on the event model, with these packs:\n\n\
         | pack | |\n| --- | --- |\n"
    );
    for pack in packs {
        let _ = writeln!(text, "| [{pack}](packs/{pack}/README.md) | {} |", packs::about(pack));
    }
    let rows = match from {
        SourceOfRows::Shop => "a simulated shop: nothing in it was ever sold",
        SourceOfRows::Http => "`POST /v1/events/TABLE`, from this machine (docs/ingest.md)",
        SourceOfRows::Log => "embedded logs below `.rialto/log`",
    };
    let _ = write!(
        text,
        "\nRows come from {rows}; `sources/` says so, and is where your own are mapped onto the \
         model. `rialto.toml` lists every rule that can be set without editing SQL; the SQL in \
         `packs/` is yours to edit.\n\n\
         ```\n\
         rialto check .\n\
         rialto test .\n\
         rialto run . --serve 127.0.0.1:8080 --postgres 127.0.0.1:5433 --state .rialto/state\n\
         ```\n"
    );
    text
}

/// Writes a file of a project, and the folders around it.
pub fn write(folder: &Path, path: &str, bytes: &[u8]) -> Result<()> {
    let path = folder.join(path);
    let parent = path.parent().unwrap_or(folder);
    std::fs::create_dir_all(parent).map_err(|e| unwritten(parent, &e))?;
    std::fs::write(&path, bytes).map_err(|e| unwritten(&path, &e))
}

fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    Failure::request(format!("cannot write {}: {error}", path.display()), None)
}
