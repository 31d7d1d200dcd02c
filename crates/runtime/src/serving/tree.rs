//! An ordered multiset of encoded rows whose versions share what has not changed.
//!
//! A B-tree of counted references: a copy of the tree is a version, made at the cost of one
//! reference. Whoever changes a tree copies the nodes on the way to the row that a version still
//! holds, and changes the others in place; so a step costs what it changed, and readers hold no
//! lock. The rows of a leaf lie in one piece of memory: copying a leaf is copying bytes, and a row
//! costs no allocation of its own.

use std::sync::Arc;

/// Rows of a leaf.
const LEAF_ROWS_MAX: usize = 32;
/// Bytes of a leaf that has more than one row.
const LEAF_BYTES_MAX: usize = 8 << 10;
/// Children of a node.
const CHILDREN_MAX: usize = 64;
/// A leaf with fewer rows is put together with its neighbour, where they have room.
const LEAF_ROWS_MIN: usize = LEAF_ROWS_MAX / 8;

/// How often a row is there, and when it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// How often it is there.
    pub count: i64,
    /// The order in which distinct rows came.
    pub arrival: u64,
}

/// A version of the multiset.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tree {
    root: Arc<Node>,
    rows: i64,
    arrivals: u64,
}

#[derive(Debug, Clone)]
enum Node {
    Leaf(Leaf),
    Inner(Inner),
}

impl Default for Node {
    fn default() -> Self {
        Self::Leaf(Leaf::default())
    }
}

#[derive(Debug, Clone, Default)]
struct Leaf {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    marks: Vec<Mark>,
}

#[derive(Debug, Clone)]
struct Inner {
    /// No row of a child is less than its bound; that of the first child is never looked at.
    bounds: Vec<Arc<[u8]>>,
    children: Vec<Arc<Node>>,
}

/// What a change did to a node.
struct Done {
    count: i64,
    /// What is now behind the node, and its bound.
    split: Option<(Arc<[u8]>, Arc<Node>)>,
}

/// A change on its way down.
struct Put<'a> {
    row: &'a [u8],
    weight: i64,
    arrival: u64,
    copied: usize,
}

impl Tree {
    /// How many rows there are, each as often as it is there.
    pub fn rows(&self) -> u64 {
        self.rows.max(0) as u64
    }

    /// Adds a row, or takes it back; answers how often it is there now, and how many bytes had to
    /// be copied because a version holds them.
    pub fn add(&mut self, row: &[u8], weight: i64) -> (i64, usize) {
        self.arrivals += 1;
        let mut put = Put { row, weight, arrival: self.arrivals, copied: 0 };
        let done = put.down(&mut self.root);
        self.rows += weight;
        if let Some((bound, right)) = done.split {
            let left = std::mem::take(&mut self.root);
            let bounds = vec![Arc::from(&[][..]), bound];
            self.root = Arc::new(Node::Inner(Inner { bounds, children: vec![left, right] }));
        }
        while let Node::Inner(Inner { children, .. }) = &*self.root
            && children.len() == 1
        {
            self.root = Arc::clone(&children[0]);
        }
        (done.count, put.copied)
    }

    /// The rows from a place on: those that are not less than `from`.
    pub fn scan(&self, from: &[u8]) -> Scan {
        let mut way = Vec::new();
        let mut node = Arc::clone(&self.root);
        loop {
            let (at, next) = match &*node {
                Node::Inner(inner) => {
                    let at = inner.child(from);
                    (at, Some(Arc::clone(&inner.children[at])))
                }
                Node::Leaf(leaf) => (leaf.place(from), None),
            };
            way.push((node, at));
            match next {
                Some(next) => node = next,
                None => return Scan { way },
            }
        }
    }
}

impl Put<'_> {
    fn down(&mut self, node: &mut Arc<Node>) -> Done {
        if Arc::strong_count(node) > 1 {
            self.copied += node.bytes();
        }
        match Arc::make_mut(node) {
            Node::Leaf(leaf) => self.leaf(leaf),
            Node::Inner(inner) => self.inner(inner),
        }
    }

    fn leaf(&self, leaf: &mut Leaf) -> Done {
        let at = leaf.place(self.row);
        if at < leaf.marks.len() && leaf.row(at) == self.row {
            let mark = &mut leaf.marks[at];
            mark.count += self.weight;
            let count = mark.count;
            if count == 0 {
                leaf.remove(at);
            }
            return Done { count, split: None };
        }
        leaf.insert(at, self.row, Mark { count: self.weight, arrival: self.arrival });
        let rows = leaf.marks.len();
        let is_full = rows > LEAF_ROWS_MAX || (leaf.bytes.len() > LEAF_BYTES_MAX && rows > 1);
        // Rows that come in order leave full leaves behind.
        let middle = if at + 1 == rows { at } else { rows / 2 };
        let split = is_full.then(|| {
            let right = leaf.split_off(middle);
            (Arc::from(right.row(0)), Arc::new(Node::Leaf(right)))
        });
        Done { count: self.weight, split }
    }

    fn inner(&mut self, inner: &mut Inner) -> Done {
        let at = inner.child(self.row);
        let done = self.down(&mut inner.children[at]);
        if let Some((bound, node)) = done.split {
            inner.bounds.insert(at + 1, bound);
            inner.children.insert(at + 1, node);
        } else if done.count == 0 {
            inner.tidy(at);
        }
        let children = inner.children.len();
        let split = (children > CHILDREN_MAX).then(|| {
            let middle = if at + 2 >= children { children - 2 } else { children / 2 };
            let bounds = inner.bounds.split_off(middle);
            let children = inner.children.split_off(middle);
            (Arc::clone(&bounds[0]), Arc::new(Node::Inner(Inner { bounds, children })))
        });
        Done { count: done.count, split }
    }
}

impl Node {
    fn bytes(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.bytes.len() + leaf.marks.len() * 20,
            Self::Inner(inner) => inner.children.len() * 32,
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Leaf(leaf) => leaf.marks.is_empty(),
            Self::Inner(inner) => inner.children.is_empty(),
        }
    }
}

impl Inner {
    /// The child that a row belongs to.
    fn child(&self, row: &[u8]) -> usize {
        self.bounds[1..].partition_point(|bound| **bound <= *row)
    }

    /// After a row was taken out of a child: no child is empty, and small ones are put together.
    fn tidy(&mut self, at: usize) {
        if self.children[at].is_empty() {
            // The last child stays, so that there is always one to go to.
            if self.children.len() > 1 {
                self.bounds.remove(at);
                self.children.remove(at);
            }
            return;
        }
        let Some(right) = self.children.get(at + 1) else { return };
        let (Node::Leaf(left), Node::Leaf(right)) = (&*self.children[at], &**right) else { return };
        let rows = left.marks.len() + right.marks.len();
        let bytes = left.bytes.len() + right.bytes.len();
        let is_small = left.marks.len() < LEAF_ROWS_MIN;
        if !is_small || rows > LEAF_ROWS_MAX / 2 || bytes > LEAF_BYTES_MAX / 2 {
            return;
        }
        let mut both = left.clone();
        both.append(right);
        self.children[at] = Arc::new(Node::Leaf(both));
        self.bounds.remove(at + 1);
        self.children.remove(at + 1);
    }
}

impl Leaf {
    fn row(&self, at: usize) -> &[u8] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] as usize };
        &self.bytes[start..self.ends[at] as usize]
    }

    /// Where a row is, or where it would be.
    fn place(&self, row: &[u8]) -> usize {
        let (mut low, mut high) = (0, self.marks.len());
        while low < high {
            let middle = (low + high) / 2;
            if self.row(middle) < row {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    fn insert(&mut self, at: usize, row: &[u8], mark: Mark) {
        let start = if at == 0 { 0 } else { self.ends[at - 1] as usize };
        self.bytes.splice(start..start, row.iter().copied());
        self.ends.insert(at, start as u32);
        self.ends[at..].iter_mut().for_each(|end| *end += row.len() as u32);
        self.marks.insert(at, mark);
    }

    fn remove(&mut self, at: usize) {
        let length = self.row(at).len();
        let start = self.ends[at] as usize - length;
        self.bytes.drain(start..start + length);
        self.ends.remove(at);
        self.ends[at..].iter_mut().for_each(|end| *end -= length as u32);
        self.marks.remove(at);
    }

    fn split_off(&mut self, at: usize) -> Self {
        let start = self.ends[at - 1];
        let bytes = self.bytes.split_off(start as usize);
        let ends = self.ends.split_off(at).into_iter().map(|end| end - start).collect();
        Self { bytes, ends, marks: self.marks.split_off(at) }
    }

    fn append(&mut self, other: &Self) {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(&other.bytes);
        self.ends.extend(other.ends.iter().map(|end| end + start));
        self.marks.extend_from_slice(&other.marks);
    }
}

/// Goes over the rows of a version, in order.
#[derive(Debug)]
pub(crate) struct Scan {
    way: Vec<(Arc<Node>, usize)>,
}

impl Scan {
    /// Steps to the next leaf that has a row left; false where there is none.
    fn settle(&mut self) -> bool {
        while let Some((node, at)) = self.way.last() {
            let next = match &**node {
                Node::Leaf(leaf) if *at < leaf.marks.len() => return true,
                Node::Inner(inner) if *at < inner.children.len() => {
                    Some(Arc::clone(&inner.children[*at]))
                }
                _ => None,
            };
            match next {
                Some(child) => self.way.push((child, 0)),
                None => {
                    self.way.pop();
                    if let Some((_, at)) = self.way.last_mut() {
                        *at += 1;
                    }
                }
            }
        }
        false
    }

    /// The next row.
    pub fn next(&mut self) -> Option<(&[u8], Mark)> {
        if !self.settle() {
            return None;
        }
        let (node, at) = self.way.last_mut()?;
        let place = *at;
        *at += 1;
        match &**node {
            Node::Leaf(leaf) => Some((leaf.row(place), leaf.marks[place])),
            Node::Inner(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn all(tree: &Tree, from: &[u8]) -> Vec<(Vec<u8>, i64)> {
        let mut scan = tree.scan(from);
        let mut rows = Vec::new();
        while let Some((row, mark)) = scan.next() {
            rows.push((row.to_vec(), mark.count));
        }
        rows
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn every_version_stays_what_it_was(
            changes in prop::collection::vec((0_u16..900, prop::bool::weighted(0.6)), 1..4000),
            every in 1_usize..700,
        ) {
            let (mut tree, mut model) = (Tree::default(), BTreeMap::<Vec<u8>, i64>::new());
            let mut versions = Vec::new();
            for (at, (key, adds)) in changes.iter().enumerate() {
                // Rows of several lengths, some a prefix of others.
                let row = format!("{key:03}{}", "x".repeat(*key as usize % 5)).into_bytes();
                let count = model.entry(row.clone()).or_default();
                let weight = if *adds || *count == 0 { 1 } else { -*count };
                *count += weight;
                let expected = *count;
                if expected == 0 {
                    model.remove(&row);
                }
                prop_assert_eq!(tree.add(&row, weight).0, expected);
                if at % every == 0 {
                    versions.push((tree.clone(), model.clone()));
                }
            }
            versions.push((tree, model));
            for (tree, model) in versions {
                prop_assert_eq!(tree.rows() as i64, model.values().sum::<i64>());
                prop_assert_eq!(all(&tree, b""), Vec::from_iter(model.clone()));
                let from = b"450".to_vec();
                prop_assert_eq!(all(&tree, &from), Vec::from_iter(model.range(from.clone()..)
                    .map(|(row, count)| (row.clone(), *count))));
            }
        }
    }

    #[test]
    fn a_change_copies_what_it_touches_and_no_more() {
        let mut tree = Tree::default();
        let key = |n: u64| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_be_bytes();
        for n in 0..100_000 {
            tree.add(&key(n), 1);
        }
        let version = tree.clone();
        let (_, copied) = tree.add(&key(500), 1);
        assert!((1..20_000).contains(&copied), "{copied}");
        // What was copied is this version's own.
        assert_eq!(tree.add(&key(500), 1), (3, 0));
        assert_eq!((version.rows(), tree.rows()), (100_000, 100_002));
    }
}
