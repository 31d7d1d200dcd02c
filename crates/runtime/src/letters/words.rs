//! A letter as JSON, and a record put right: what commands and the server share.

use serde_json::{Value, json};

use super::Letter;

impl Letter {
    /// All but its record, as JSON.
    pub fn described(&self) -> Value {
        json!({
            "id": self.id, "table": self.table, "status": self.status.name(),
            "earlier_run": self.is_earlier, "attempts": self.attempts,
            "refused_ms": self.first_ms, "last_ms": self.last_ms, "bytes": self.size,
            "position": self.position, "reason": self.reason,
        })
    }
}

/// A record of JSON with some of its members replaced; `null` is a value like others.
///
/// # Errors
/// Where the record or the edit is no object of JSON.
pub fn edited(record: &[u8], edit: &[u8]) -> Result<Vec<u8>, String> {
    let edit: Value = serde_json::from_slice(edit).map_err(|e| format!("the edit: {e}"))?;
    let Value::Object(edit) = edit else { return Err("the edit is no object of JSON".into()) };
    let record: Value = serde_json::from_slice(record).map_err(|e| format!("its record: {e}"))?;
    let Value::Object(mut record) = record else {
        return Err("its record is no object of JSON".into());
    };
    record.extend(edit);
    Ok(Value::Object(record).to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_replaces_members() {
        let record = edited(br#"{"id":1,"price":"much","at":null}"#, br#"{"price":3,"new":null}"#);
        assert_eq!(record.unwrap(), br#"{"id":1,"price":3,"at":null,"new":null}"#);
        assert!(edited(b"id,price", b"{}").unwrap_err().contains("its record"));
        assert!(edited(b"{}", b"3").unwrap_err().contains("no object"));
    }
}
