//! The packs that are in the binary: SQL, fixtures, and a page of documentation each.

use std::borrow::Cow;
use std::collections::BTreeSet;

use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../../packs"]
struct Packs;

#[derive(RustEmbed)]
#[folder = "../../docs/packs"]
struct Pages;

/// The event model is what packs stand on; it is no pack.
const MODEL: &str = "model";

/// One file of the binary: its path below the folder of packs, and what it says.
pub struct PackFile {
    /// `inventory/sql/10_position.sql`.
    pub path: String,
    /// Its bytes.
    pub bytes: Cow<'static, [u8]>,
}

/// Something in a pack's SQL that a project may set: `${LOW_STOCK:-10}`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Parameter {
    /// `LOW_STOCK`.
    pub name: String,
    /// What it is where nobody sets it.
    pub default: String,
}

/// The packs by name.
pub fn names() -> Vec<String> {
    let folders: BTreeSet<String> =
        Packs::iter().filter_map(|path| Some(path.split_once('/')?.0.to_string())).collect();
    folders.into_iter().filter(|name| name != MODEL).collect()
}

/// What a pack is for: the first paragraph of prose on its page, or else its title.
pub fn about(pack: &str) -> String {
    let page = page(pack).unwrap_or_default();
    let title = page.lines().next().unwrap_or_default();
    if let Some((_, about)) = title.split_once(": ") {
        return sentence(about);
    }
    let mut lines = page.lines().skip(1);
    let first = lines.find(|line| line.starts_with(|c: char| c.is_alphabetic()));
    let first = first.unwrap_or_default();
    sentence(first.split_once(". ").map_or(first, |(sentence, _)| sentence))
}

/// A capital first, no full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

/// A pack's page of documentation.
pub fn page(pack: &str) -> Option<String> {
    text(Pages::get(&format!("{pack}.md"))?.data)
}

/// Packs whose views this one reads, by what its own project includes.
pub fn needs(pack: &str) -> Vec<String> {
    let Some(project) = Packs::get(&format!("{pack}/rialto.toml")).and_then(|f| text(f.data))
    else {
        return Vec::new();
    };
    let quoted = project.split('"').skip(1).step_by(2);
    let packs = quoted.filter_map(|place| place.strip_prefix("../")?.strip_suffix("/sql"));
    packs.filter(|name| *name != MODEL).map(str::to_string).collect()
}

/// Whether a pack hears of others, and so stands behind them.
pub fn is_behind(pack: &str) -> bool {
    !in_front(pack, &names()).is_empty()
}

/// Files of a pack beside its `sql/` that go in front of it: those of its own project, and
/// `from_OTHER.sql` for the other packs that it hears of.
pub fn in_front(pack: &str, others: &[String]) -> Vec<String> {
    let project = Packs::get(&format!("{pack}/rialto.toml")).and_then(|f| text(f.data));
    let project = project.unwrap_or_default();
    let own = project.split('"').skip(1).step_by(2);
    let own = own.filter(|place| !place.contains('/') && place.ends_with(".sql"));
    let from = others.iter().map(|other| format!("from_{other}.sql"));
    let from = from.filter(|file| Packs::get(&format!("{pack}/{file}")).is_some());
    own.map(str::to_string).chain(from).collect()
}

/// All files of a pack, and its page as its README.
pub fn files(pack: &str) -> Vec<PackFile> {
    let mut files = below(pack);
    if let Some(page) = page(pack) {
        let bytes = Cow::Owned(page.into_bytes());
        files.push(PackFile { path: format!("{pack}/README.md"), bytes });
    }
    files
}

/// The event model.
pub fn model() -> Vec<PackFile> {
    below(MODEL)
}

/// The declarations of all tables of the model: where their rows come from.
pub fn tables(from: &str) -> Option<String> {
    text(Packs::get(&format!("{MODEL}/from_{from}.sql"))?.data)
}

/// What a pack's SQL lets a project set, by name.
pub fn parameters(pack: &str) -> BTreeSet<Parameter> {
    let sql = below(pack).into_iter().filter(|file| file.path.ends_with(".sql"));
    sql.filter_map(|file| text(file.bytes)).flat_map(|sql| parameters_of(&sql)).collect()
}

fn parameters_of(sql: &str) -> Vec<Parameter> {
    let asked = sql.split("${").skip(1).filter_map(|rest| rest.split_once('}'));
    let said = asked.filter_map(|(inside, _)| inside.split_once(":-"));
    said.map(|(name, default)| Parameter { name: name.into(), default: default.into() }).collect()
}

fn below(folder: &str) -> Vec<PackFile> {
    let prefix = format!("{folder}/");
    Packs::iter()
        .filter(|path| path.starts_with(&prefix))
        .filter_map(|path| {
            let bytes = Packs::get(&path)?.data;
            Some(PackFile { path: path.into_owned(), bytes })
        })
        .collect()
}

fn text(bytes: Cow<'static, [u8]>) -> Option<String> {
    String::from_utf8(bytes.into_owned()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pack_has_a_page_fixtures_and_what_it_needs() {
        let all = names();
        assert!(all.len() >= 10, "{all:?}");
        for pack in &all {
            assert!(!about(pack).is_empty(), "{pack} does not say what it is for");
            let files = files(pack);
            let has = |end: &str| files.iter().any(|file| file.path.ends_with(end));
            assert!(has("README.md") && has(".sql") && has(".yaml"), "{pack} is not whole");
            assert!(needs(pack).iter().all(|needed| all.contains(needed)), "{pack}");
        }
        assert_eq!(needs("pricing"), ["inventory"]);
        let others = ["sales".to_string(), "pricing".to_string()];
        assert_eq!(in_front("decisions", &others), ["journal.sql", "from_pricing.sql"]);
        assert!(is_behind("decisions") && is_behind("delivery") && !is_behind("pricing"));
    }

    #[test]
    fn parameters_are_found_with_their_defaults() {
        let sql = "WHERE a < ${LOW:-5} AND d > INTERVAL '${DAYS:-30}' DAY AND x = '${NONE}'";
        let found = parameters_of(sql).into_iter().map(|p| (p.name, p.default));
        let expected = [("LOW", "5"), ("DAYS", "30")].map(|(n, d)| (n.into(), d.into()));
        assert_eq!(found.collect::<Vec<(String, String)>>(), expected);
        assert!(parameters("inventory").iter().any(|p| p.name == "LOW_STOCK"));
    }
}
