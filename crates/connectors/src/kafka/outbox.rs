//! Records as bytes: what a sink keeps of an epoch until the epoch is seen to be committed.

/// What a record is made of, apart from its topic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// `None` leaves the choice to the client.
    pub partition: Option<i32>,
    /// Milliseconds of the epoch; `None` is the time of sending.
    pub timestamp: Option<i64>,
    pub key: Option<&'a [u8]>,
    /// `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Headers in the form that [`put_headers`] writes.
    pub headers: Option<&'a [u8]>,
}

/// The first bytes of an outbox: its kind and version.
const MAGIC: &[u8; 8] = b"RIALTOK1";

/// The records of an epoch, in the order in which they were written.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    count: u64,
}

impl Outbox {
    pub fn push(&mut self, record: &Record<'_>) {
        self.count += 1;
        let parts = [record.key, record.value, record.headers];
        let mut flags = 0u8;
        for (bit, part) in parts.iter().enumerate() {
            flags |= u8::from(part.is_some()) << bit;
        }
        flags |= u8::from(record.partition.is_some()) << 3;
        flags |= u8::from(record.timestamp.is_some()) << 4;
        self.bytes.push(flags);
        if let Some(partition) = record.partition {
            self.bytes.extend_from_slice(&partition.to_le_bytes());
        }
        if let Some(timestamp) = record.timestamp {
            self.bytes.extend_from_slice(&timestamp.to_le_bytes());
        }
        parts.into_iter().flatten().for_each(|part| put_bytes(&mut self.bytes, part));
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The records, for whoever trusts them: those that [`push`](Self::push) took.
    pub fn records(&self) -> Records<'_> {
        Records { rest: &self.bytes }
    }

    /// Everything as bytes that [`decode`](Self::decode) reads, `run` and `seen` before it.
    pub fn encode(&self, run: &str, seen: Option<&str>) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len() + 64);
        out.extend_from_slice(MAGIC);
        put_bytes(&mut out, run.as_bytes());
        out.push(seen.is_some().into());
        put_bytes(&mut out, seen.unwrap_or_default().as_bytes());
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&self.bytes);
        out
    }

    /// The run, what the run had seen of the marks before, and the records.
    pub fn decode(bytes: &[u8]) -> Result<(String, Option<String>, Self), String> {
        let broken = || "what was kept of the sink is broken".to_owned();
        let mut rest = bytes.strip_prefix(MAGIC).ok_or_else(|| {
            "what was kept of the sink was not written by this connector".to_owned()
        })?;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| broken());
        let run = text(take_bytes(&mut rest).ok_or_else(broken)?)?;
        let [has_seen] = take(&mut rest).ok_or_else(broken)?;
        let seen = text(take_bytes(&mut rest).ok_or_else(broken)?)?;
        let count = u64::from_le_bytes(take(&mut rest).ok_or_else(broken)?);
        let outbox = Self { bytes: rest.to_vec(), count };
        let mut records = outbox.records();
        let found = records.by_ref().count();
        if found as u64 != count || !records.rest.is_empty() {
            return Err(broken());
        }
        Ok((run, (has_seen != 0).then_some(seen), outbox))
    }
}

/// Walks over the records of an outbox.
pub(super) struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let [flags] = take(&mut self.rest)?;
        let has = |bit: u8| flags & (1 << bit) != 0;
        let mut record = Record::default();
        if has(3) {
            record.partition = Some(i32::from_le_bytes(take(&mut self.rest)?));
        }
        if has(4) {
            record.timestamp = Some(i64::from_le_bytes(take(&mut self.rest)?));
        }
        for (bit, part) in
            [&mut record.key, &mut record.value, &mut record.headers].into_iter().enumerate()
        {
            if has(bit as u8) {
                *part = Some(take_bytes(&mut self.rest)?);
            }
        }
        Some(record)
    }
}

/// Appends a header.
pub(super) fn put_header(out: &mut Vec<u8>, name: &str, value: Option<&[u8]>) {
    put_bytes(out, name.as_bytes());
    out.push(value.is_some().into());
    put_bytes(out, value.unwrap_or_default());
}

/// The headers that [`put_header`] wrote.
pub(super) fn headers(mut bytes: &[u8]) -> Vec<(&str, Option<&[u8]>)> {
    let mut headers = Vec::new();
    while let Some(name) = take_bytes(&mut bytes) {
        let Some([some]) = take(&mut bytes) else { break };
        let Some(value) = take_bytes(&mut bytes) else { break };
        let name = std::str::from_utf8(name).unwrap_or_default();
        headers.push((name, (some != 0).then_some(value)));
    }
    headers
}

/// Appends bytes after their length.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    // A message is far smaller than 4 GiB: brokers take none of that size.
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Takes so many bytes.
pub(super) fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

/// Takes the bytes that [`put_bytes`] put.
pub(super) fn take_bytes<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let mut after = *rest;
    let len = u32::from_le_bytes(take(&mut after)?) as usize;
    let (bytes, tail) = after.split_at_checked(len)?;
    *rest = tail;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_as_they_went() {
        let mut named = Vec::new();
        put_header(&mut named, "trace", Some(b"\xff"));
        put_header(&mut named, "none", None);
        let records = [
            Record { key: Some(b"k"), value: Some(b""), ..Record::default() },
            Record { key: Some(b"k"), value: None, partition: Some(3), ..Record::default() },
            Record {
                value: Some(b"v"),
                timestamp: Some(-5),
                headers: Some(&named),
                ..Record::default()
            },
        ];
        let mut outbox = Outbox::default();
        records.iter().for_each(|record| outbox.push(record));
        let bytes = outbox.encode("run", Some("before/3"));
        let (run, seen, back) = Outbox::decode(&bytes).unwrap();
        assert_eq!((run.as_str(), seen.as_deref()), ("run", Some("before/3")));
        assert_eq!(back.records().collect::<Vec<_>>(), records);
        assert_eq!(headers(&named), [("trace", Some(&b"\xff"[..])), ("none", None)]);
        for cut in 0..bytes.len() {
            assert!(Outbox::decode(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }
}
