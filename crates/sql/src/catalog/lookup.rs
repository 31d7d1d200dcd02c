//! Names: what a name of one to three parts means, and which name is nearest to a wrong one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{
    Catalog, CatalogEntry, DEFAULT_CATALOG, DEFAULT_DATABASE, Database, FunctionDef, ModelDef,
    ObjectPath, Relation, TableDef, ViewDef,
};
use crate::error::{Result, SqlError};
use crate::parser::QualifiedName;

impl Default for Catalog {
    fn default() -> Catalog {
        Catalog::new()
    }
}

impl Catalog {
    /// A catalog with `default_catalog.default_database`, which are current.
    pub fn new() -> Catalog {
        let databases = BTreeMap::from([(DEFAULT_DATABASE.to_string(), Database::default())]);
        let entry = CatalogEntry { databases, ..CatalogEntry::default() };
        Catalog {
            current_catalog: DEFAULT_CATALOG.to_string(),
            current_database: DEFAULT_DATABASE.to_string(),
            catalogs: BTreeMap::from([(DEFAULT_CATALOG.to_string(), entry)]),
            permanent: BTreeMap::new(),
            temporary: BTreeMap::new(),
            functions: BTreeMap::new(),
            models: BTreeMap::new(),
        }
    }

    /// The catalog that short names are looked up in.
    pub fn current_catalog(&self) -> &str {
        &self.current_catalog
    }

    /// The database that short names are looked up in.
    pub fn current_database(&self) -> &str {
        &self.current_database
    }

    /// The full name that a name means here.
    pub fn path(&self, name: &QualifiedName) -> Result<ObjectPath> {
        let (catalog, database, object) = match name.parts.as_slice() {
            [object] => (&self.current_catalog, &self.current_database, object),
            [database, object] => (&self.current_catalog, database, object),
            [catalog, database, object] => (catalog, database, object),
            _ => {
                let error = SqlError::new(format!("{name} is not a name of one to three parts"));
                return Err(error.with_span(name.span));
            }
        };
        Ok(ObjectPath {
            catalog: catalog.clone(),
            database: database.clone(),
            object: object.clone(),
        })
    }

    /// The full name of an object to be created; its catalog and database must be there.
    pub(super) fn new_path(&self, name: &QualifiedName) -> Result<ObjectPath> {
        let path = self.path(name)?;
        self.require_database(&path.catalog, &path.database).map_err(|e| e.with_span(name.span))?;
        Ok(path)
    }

    pub(super) fn require_catalog(&self, catalog: &str) -> Result<&CatalogEntry> {
        self.catalogs
            .get(catalog)
            .ok_or_else(|| missing("catalog", catalog, self.catalogs.keys().map(String::as_str)))
    }

    pub(super) fn require_database(&self, catalog: &str, database: &str) -> Result<&Database> {
        let entry = self.require_catalog(catalog)?;
        entry.databases.get(database).ok_or_else(|| {
            missing("database", database, entry.databases.keys().map(String::as_str))
        })
    }

    /// The table or view of a name, if there is one; a temporary one comes first.
    pub fn find_relation(&self, name: &QualifiedName) -> Option<&Relation> {
        let path = self.path(name).ok()?;
        self.relation_at(&path)
    }

    /// The table or view of a full name; a temporary one comes first.
    pub fn relation_at(&self, path: &ObjectPath) -> Option<&Relation> {
        self.declared_at(path).map(Arc::as_ref)
    }

    /// The declaration of the table or view of a full name: another one once it was altered,
    /// replaced, or hidden by a temporary one.
    pub fn declared_at(&self, path: &ObjectPath) -> Option<&Arc<Relation>> {
        self.temporary.get(path).or_else(|| self.permanent.get(path))
    }

    /// The table or view of a name, or an error with the nearest name.
    pub fn relation(&self, name: &QualifiedName) -> Result<&Relation> {
        let path = self.path(name)?;
        self.relation_at(&path).ok_or_else(|| self.missing_relation("table or view", name, &path))
    }

    /// The table of a name.
    pub fn table(&self, name: &QualifiedName) -> Result<&TableDef> {
        match self.relation(name)? {
            Relation::Table(table) => Ok(table),
            other => Err(wrong_kind(other, "table", name)),
        }
    }

    /// The view or materialized view of a name.
    pub fn view(&self, name: &QualifiedName) -> Result<&ViewDef> {
        match self.relation(name)? {
            Relation::View(view) => Ok(view),
            other => Err(wrong_kind(other, "view", name)),
        }
    }

    /// The function of a name, if one was created.
    pub fn find_function(&self, name: &QualifiedName) -> Option<&FunctionDef> {
        let system = match name.parts.as_slice() {
            [one] => self.functions.get(&ObjectPath::system(one)),
            _ => None,
        };
        system.or_else(|| self.functions.get(&self.path(name).ok()?))
    }

    /// The model of a name, or an error with the nearest name.
    pub fn model(&self, name: &QualifiedName) -> Result<&ModelDef> {
        let path = self.path(name)?;
        self.models.get(&path).ok_or_else(|| {
            let names = self.models.keys().filter(|p| p.is_beside(&path));
            missing("model", &name.to_string(), names.map(|p| p.object.as_str()))
                .with_span(name.span)
        })
    }

    pub(super) fn missing_relation(
        &self,
        kind: &str,
        name: &QualifiedName,
        path: &ObjectPath,
    ) -> SqlError {
        let names = self
            .temporary
            .keys()
            .chain(self.permanent.keys())
            .filter(|p| p.is_beside(path))
            .map(|p| p.object.as_str());
        let place = self.require_database(&path.catalog, &path.database).err();
        let error = match place {
            Some(error) => error,
            None => missing_named(kind, &name.to_string(), &path.object, names),
        };
        error.with_span(name.span)
    }
}

impl ObjectPath {
    /// The path of a temporary system function, which lies in no database.
    pub(super) fn system(name: &str) -> ObjectPath {
        let none = String::new();
        ObjectPath { catalog: none.clone(), database: none, object: name.to_string() }
    }

    pub(super) fn is_beside(&self, other: &ObjectPath) -> bool {
        self.catalog == other.catalog && self.database == other.database
    }
}

/// "X is a view, not a table".
pub(super) fn wrong_kind(found: &Relation, wanted: &str, name: &QualifiedName) -> SqlError {
    SqlError::new(format!("{name} is a {}, not a {wanted}", found.kind_name())).with_span(name.span)
}

/// "there is no X named Y", with the nearest name.
pub(super) fn missing<'a>(
    kind: &str,
    name: &str,
    names: impl Iterator<Item = &'a str>,
) -> SqlError {
    missing_named(kind, name, name, names)
}

fn missing_named<'a>(
    kind: &str,
    shown: &str,
    wanted: &str,
    names: impl Iterator<Item = &'a str>,
) -> SqlError {
    let error = SqlError::new(format!("there is no {kind} named '{shown}'"));
    match nearest(wanted, names) {
        Some(near) if near.eq_ignore_ascii_case(wanted) => {
            error.with_hint(format!("did you mean '{near}'? Names are case-sensitive"))
        }
        Some(near) => error.with_hint(format!("did you mean '{near}'?")),
        None => error,
    }
}

/// The name nearest to a wrong one, if one is near enough to be meant.
pub fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = wrong.to_lowercase();
    let length = lower.chars().count();
    // A longer name may have more typing errors in it; three edits are never the same word.
    let edits_max = (length / 3).clamp(1, 2);
    names
        .map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), name))
        .filter(|(edits, _)| *edits <= edits_max && *edits < length)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_one_that_can_be_meant() {
        let names = ["orders", "customers", "x"];
        assert_eq!(nearest("oders", names.into_iter()), Some("orders"));
        assert_eq!(nearest("Orders", names.into_iter()), Some("orders"));
        assert_eq!(nearest("clicks", names.into_iter()), None);
        assert_eq!(nearest("y", names.into_iter()), None);
    }
}
