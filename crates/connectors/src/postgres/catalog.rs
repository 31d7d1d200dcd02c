//! What the database says of a table: its columns and keys.

use tokio_postgres::Client;

use super::client::{Trouble, quoted};
use super::options::TableName;
use crate::options::nearest;

/// A column of a table in the database.
#[derive(Debug, Clone)]
pub(super) struct PgColumn {
    pub name: String,
    /// The type in the words of the database: `numeric(10,2)`.
    pub shown: String,
    /// The name of the type, or of the one that a domain stands on: `int4`, `_text`.
    pub type_name: String,
    /// `b`ase, `e`num, `c`omposite, `r`ange.
    pub kind: char,
    /// The name of the element's type, of an array.
    pub element: Option<String>,
    /// The precision and the like, as the catalog has it; -1 for none.
    pub modifier: i32,
    pub not_null: bool,
    pub has_default: bool,
    /// The database computes it; nothing can be written to it.
    pub generated: bool,
}

/// A unique index over plain columns.
#[derive(Debug, Clone)]
pub(super) struct PgKey {
    pub primary: bool,
    pub columns: Vec<String>,
}

/// A table of the database.
#[derive(Debug, Clone)]
pub(super) struct PgTable {
    pub schema: String,
    pub name: String,
    /// A view knows nothing of keys.
    pub is_view: bool,
    pub columns: Vec<PgColumn>,
    pub keys: Vec<PgKey>,
}

const FIND: &str = "SELECT c.oid, c.relkind::text, n.nspname::text, c.relname::text \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relname::text = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') \
    AND CASE WHEN $2::text IS NULL THEN pg_catalog.pg_table_is_visible(c.oid) \
             ELSE n.nspname::text = $2 END";

const NEAR: &str = "SELECT c.relname::text FROM pg_catalog.pg_class c \
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^(pg_|information_schema)' \
    AND ($1::text IS NULL OR n.nspname::text = $1) ORDER BY 1 LIMIT 1000";

const COLUMNS: &str = "SELECT a.attname::text, \
    pg_catalog.format_type(a.atttypid, a.atttypmod), b.typname::text, b.typtype::text, \
    e.typname::text, CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END, \
    a.attnotnull OR t.typnotnull, a.atthasdef OR a.attidentity <> '', \
    a.attgenerated <> '' OR a.attidentity = 'a' \
    FROM pg_catalog.pg_attribute a \
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
    JOIN pg_catalog.pg_type b ON b.oid = \
      CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END \
    LEFT JOIN pg_catalog.pg_type e ON e.oid = b.typelem AND b.typcategory = 'A' \
    WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

const KEYS: &str = "SELECT i.indisprimary, \
    ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(att, n) \
      JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.att \
      WHERE k.n <= i.indnkeyatts ORDER BY k.n) \
    FROM pg_catalog.pg_index i WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid \
    AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL \
    ORDER BY i.indisprimary DESC, i.indexrelid";

impl PgTable {
    /// Looks a table up: by its name as written, else in small letters, as SQL reads names.
    pub async fn find(client: &Client, name: &TableName) -> Result<Self, Trouble> {
        let small = TableName {
            schema: name.schema.as_ref().map(|s| s.to_lowercase()),
            name: name.name.to_lowercase(),
        };
        for name in [name, &small] {
            if let Some(row) = client.query_opt(FIND, &[&name.name, &name.schema]).await? {
                let oid: u32 = row.get(0);
                let kind: String = row.get(1);
                return Ok(Self {
                    schema: row.get(2),
                    name: row.get(3),
                    is_view: kind == "v" || kind == "m",
                    columns: columns(client, oid).await?,
                    keys: keys(client, oid).await?,
                });
            }
        }
        let rows = client.query(NEAR, &[&name.schema]).await?;
        let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let hint = match nearest(&name.name, &names) {
            Some(near) => format!("did you mean '{near}'?"),
            None => "create it in the database first".into(),
        };
        Err(Trouble::Refused(format!("there is no table '{}' ({hint})", name.shown())))
    }

    /// The name as SQL has it.
    pub fn sql(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.name))
    }

    /// A column by its name as written, else in small letters.
    pub fn column(&self, name: &str) -> Result<&PgColumn, String> {
        let small = name.to_lowercase();
        let found = [name, &small]
            .into_iter()
            .find_map(|n| self.columns.iter().find(|column| column.name == n));
        found.ok_or_else(|| {
            let names: Vec<&str> = self.columns.iter().map(|c| c.name.as_str()).collect();
            let meant = match nearest(name, &names) {
                Some(near) => format!("did you mean '{near}'?"),
                None => format!("it has {}", names.join(", ")),
            };
            format!("the table of the database has no column '{name}' ({meant})")
        })
    }

    /// Whether these columns, in any order, are a key.
    pub fn has_key(&self, columns: &[&str]) -> bool {
        self.keys.iter().any(|key| {
            key.columns.len() == columns.len()
                && columns.iter().all(|c| key.columns.iter().any(|k| k == c))
        })
    }
}

async fn columns(client: &Client, oid: u32) -> Result<Vec<PgColumn>, Trouble> {
    let rows = client.query(COLUMNS, &[&oid]).await?;
    let column = |row: &tokio_postgres::Row| PgColumn {
        name: row.get(0),
        shown: row.get(1),
        type_name: row.get(2),
        kind: row.get::<_, String>(3).chars().next().unwrap_or('b'),
        element: row.get(4),
        modifier: row.get(5),
        not_null: row.get(6),
        has_default: row.get(7),
        generated: row.get(8),
    };
    Ok(rows.iter().map(column).collect())
}

async fn keys(client: &Client, oid: u32) -> Result<Vec<PgKey>, Trouble> {
    let rows = client.query(KEYS, &[&oid]).await?;
    Ok(rows.iter().map(|row| PgKey { primary: row.get(0), columns: row.get(1) }).collect())
}
