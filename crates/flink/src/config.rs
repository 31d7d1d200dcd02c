//! `flink.toml`: what a project says about the cluster that it goes to.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

/// The name of the file, beside the project's SQL.
pub const FILE_NAME: &str = "flink.toml";

/// What the file may say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// The name of the Flink job; otherwise the folder's.
    pub name: Option<String>,
    /// The brokers of the topics that tables and views become.
    pub bootstrap_servers: String,
    /// What the names of topics begin with.
    pub topic_prefix: String,
    /// How many partitions the topics have: as many subtasks read one.
    pub partitions: u32,
    /// `SET` statements before all others.
    pub settings: BTreeMap<String, String>,
    /// Options of every table that becomes a topic, such as the client's security.
    pub properties: BTreeMap<String, String>,
    /// Options of those topics from which Flink reads.
    pub source: BTreeMap<String, String>,
    /// For a connector by its name: `same` or `topic`, in place of the table in the docs.
    pub connectors: BTreeMap<String, Treatment>,
    /// For a table by its name: the options it has on Flink, in place of all of its own.
    pub tables: BTreeMap<String, BTreeMap<String, String>>,
    /// What becomes of all tables, whatever else is said: a check keeps away from the real ones.
    #[serde(skip)]
    pub(crate) every_connector: Option<Treatment>,
}

/// What becomes of the tables of a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Treatment {
    /// Flink has the connector under the same name.
    Same,
    /// The table becomes a topic, which the local Rialto fills or empties.
    Topic,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: None,
            bootstrap_servers: "localhost:9092".into(),
            topic_prefix: String::new(),
            partitions: 1,
            settings: BTreeMap::new(),
            properties: BTreeMap::new(),
            source: BTreeMap::new(),
            connectors: BTreeMap::new(),
            tables: BTreeMap::new(),
            every_connector: None,
        }
    }
}

impl Config {
    /// Reads a file; where it is not said which, the one of the project, if it has one.
    pub fn read(project: &Path, file: Option<&Path>) -> Result<Self, String> {
        let own = project.join(FILE_NAME);
        let path = match file {
            Some(file) => file,
            None if own.is_file() => own.as_path(),
            None => return Ok(Self::default()),
        };
        let shown = path.display();
        let text =
            std::fs::read_to_string(path).map_err(|e| format!("cannot read {shown}: {e}"))?;
        let config: Self = toml::from_str(&text).map_err(|e| format!("{shown}: {e}"))?;
        if config.partitions == 0 {
            return Err(format!("{shown}: partitions: a topic has at least one"));
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_and_what_it_does_not_know_is_said() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Config::read(dir.path(), None).unwrap(), Config::default());
        let file = dir.path().join(FILE_NAME);
        std::fs::write(&file, "partitions = 4\n[connectors]\nfilesystem = \"same\"\n").unwrap();
        let config = Config::read(dir.path(), None).unwrap();
        assert_eq!(config.partitions, 4);
        assert_eq!(config.connectors["filesystem"], Treatment::Same);
        std::fs::write(&file, "partition = 4\n").unwrap();
        let error = Config::read(dir.path(), None).unwrap_err();
        assert!(error.contains("flink.toml") && error.contains("partition"), "{error}");
        std::fs::write(&file, "partitions = 0\n").unwrap();
        assert!(Config::read(dir.path(), None).unwrap_err().contains("at least one"));
    }
}
