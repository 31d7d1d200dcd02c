//! The objects that a shard's state, or that of the views, is the sum of.

use std::collections::BTreeMap;

use super::store::{CheckpointStore, Result};

/// When objects are merged.
#[derive(Debug, Clone, Copy)]
pub(super) struct MergePolicy {
    /// No more objects than this, so that a restart reads few; by and by some more where each is
    /// larger than all behind it.
    pub objects_max: usize,
    /// Changes of so many bytes are never too many.
    pub changes_min: u64,
}

impl Default for MergePolicy {
    fn default() -> Self {
        Self { objects_max: 128, changes_min: 1 << 20 }
    }
}

/// The objects, oldest first: the first holds all, the others what changed.
#[derive(Debug, Default, Clone)]
pub(super) struct Chain {
    links: Vec<Link>,
}

#[derive(Debug, Clone)]
struct Link {
    object: String,
    bytes: u64,
}

/// Objects behind one another that are to become one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Merge {
    /// The name of that one.
    pub name: String,
    objects: Vec<String>,
    /// They are all there is.
    whole: bool,
}

/// What became of them.
#[derive(Debug)]
pub(super) struct Merged {
    merge: Merge,
    bytes: u64,
}

impl Chain {
    /// The chain of an earlier run.
    pub fn of(objects: &[String], sizes: &BTreeMap<String, u64>) -> Self {
        let link = |object: &String| {
            let bytes = sizes.get(object).copied().unwrap_or_default();
            Link { object: object.clone(), bytes }
        };
        Self { links: objects.iter().map(link).collect() }
    }

    pub fn objects(&self) -> impl Iterator<Item = &String> {
        self.links.iter().map(|link| &link.object)
    }

    /// What has changed since the last link.
    pub fn add(&mut self, object: String, bytes: u64) {
        self.links.push(Link { object, bytes });
    }

    /// What should be merged now, into an object of that name.
    ///
    /// Everything, once reading the changes costs twice as much as the whole; so what is written
    /// for merging grows with what changes, and not with what is kept. Before that, of many changes
    /// those that are no more than all behind them, so that each is merged a few times only.
    pub fn due(&self, policy: MergePolicy, name: String) -> Option<Merge> {
        let sum = |from: usize| self.links[from..].iter().map(|link| link.bytes).sum::<u64>();
        let (count, whole) = (self.links.len(), self.links.first()?.bytes);
        let from = if count > 2 && sum(1) > whole.saturating_mul(2).max(policy.changes_min) {
            0
        } else if count > policy.objects_max {
            (1..count - 1).find(|&from| self.links[from].bytes <= sum(from + 1))?
        } else {
            return None;
        };
        let objects = self.links[from..].iter().map(|link| link.object.clone()).collect();
        Some(Merge { name, objects, whole: from == 0 })
    }

    /// Puts what was merged into the place of what it was merged from; answers whether that is
    /// here.
    pub fn adopt(&mut self, merged: &Merged) -> bool {
        let Merged { merge: Merge { name, objects, .. }, bytes } = merged;
        let Some(from) = self.objects().position(|object| Some(object) == objects.first()) else {
            return false;
        };
        let link = Link { object: name.clone(), bytes: *bytes };
        self.links.splice(from..from + objects.len(), [link]);
        true
    }
}

impl Merge {
    /// Reads the objects and writes the one, unless it is stopped before.
    pub fn run(self, store: &CheckpointStore, stopped: &dyn Fn() -> bool) -> Result<Merged> {
        let bytes = store.merge(&self.name, &self.objects, self.whole, stopped)?;
        Ok(Merged { merge: self, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Links of so many bytes each; the largest of them is the first.
    fn chain(bytes: &[u64]) -> Chain {
        let mut chain = Chain::default();
        bytes.iter().enumerate().for_each(|(n, &bytes)| chain.add(n.to_string(), bytes));
        chain
    }

    fn due(bytes: &[u64]) -> Option<(usize, bool)> {
        let policy = MergePolicy { objects_max: 4, changes_min: 10 };
        let merge = chain(bytes).due(policy, "m".into())?;
        Some((merge.objects[0].parse().unwrap(), merge.whole))
    }

    #[test]
    fn all_is_merged_when_the_changes_are_more_and_else_what_is_not_more_than_the_rest() {
        assert_eq!(due(&[]), None);
        assert_eq!(due(&[100]), None);
        assert_eq!(due(&[5, 9]), None);
        assert_eq!(due(&[5, 5, 6]), Some((0, true)));
        assert_eq!(due(&[50, 60, 50]), Some((0, true)));
        assert_eq!(due(&[50, 60, 40]), None);
        assert_eq!(due(&[100, 5, 5, 5]), None, "there are few");
        assert_eq!(due(&[100, 5, 5, 5, 5]), Some((1, false)));
        assert_eq!(due(&[100, 50, 5, 5, 5]), Some((2, false)));
        assert_eq!(due(&[100, 40, 20, 9, 3]), None, "each is more than all behind it");
    }

    #[test]
    fn bytes_are_written_a_few_times_however_long_it_goes_on() {
        let (policy, whole) = (MergePolicy::default(), 1_000_000_000);
        let mut chain = chain(&[whole]);
        let (mut written, mut changed, mut longest) = (0, 0, 0);
        for n in 1..2000 {
            chain.add(format!("c{n}"), 1 << 20);
            changed += 1 << 20;
            if let Some(merge) = chain.due(policy, format!("m{n}")) {
                let sizes: Vec<u64> = chain.links.iter().map(|link| link.bytes).collect();
                let from = chain.links.len() - merge.objects.len();
                let bytes = if merge.whole { whole } else { sizes[from..].iter().sum() };
                written += bytes;
                assert!(chain.adopt(&Merged { merge, bytes }));
            }
            longest = longest.max(chain.links.len());
        }
        assert!(longest <= 130, "{longest} objects");
        assert!(written < 4 * changed, "{written} written for {changed}");
    }

    #[test]
    fn what_came_meanwhile_stays_behind_what_was_merged() {
        let mut chain = chain(&[100, 5, 5, 5, 5]);
        let policy = MergePolicy { objects_max: 4, changes_min: 10 };
        let merge = chain.due(policy, "m".into()).unwrap();
        chain.add("later".into(), 7);
        let merged = Merged { merge, bytes: 12 };
        assert!(chain.adopt(&merged));
        let objects: Vec<&str> = chain.objects().map(String::as_str).collect();
        assert_eq!(objects, ["0", "m", "later"]);
        assert!(!chain.adopt(&merged), "it is merged already");
    }
}
