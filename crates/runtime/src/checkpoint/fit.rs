//! Which parts of a job a checkpoint has: of the same project all, of a changed one some.

use rialto_engine::executor::{CircuitProgress, Restored};

use super::keeper::Identity;
use super::manifest::{Manifest, Node};
use crate::output::JobOutput;

/// For each part of a job the part of the checkpoint that it takes over.
pub(crate) struct Fit {
    nodes: Vec<Option<usize>>,
    sources: Vec<Option<usize>>,
    /// The outputs whose rows are taken over.
    pub views: Vec<Option<usize>>,
    /// The outputs whose sinks go on: also those that write something else from now on.
    pub sinks: Vec<Option<usize>>,
    /// The job is the one that wrote the checkpoint.
    pub exact: bool,
}

/// For each of `now` the first of `then` that it fits and that is not taken.
fn match_up<A, B>(now: &[A], then: &[B], fits: impl Fn(&A, &B) -> bool) -> Vec<Option<usize>> {
    let mut taken = vec![false; then.len()];
    let mut find = |a: &A| {
        let at = then.iter().enumerate().position(|(at, b)| !taken[at] && fits(a, b))?;
        taken[at] = true;
        Some(at)
    };
    now.iter().map(&mut find).collect()
}

fn is_exact(found: &[Option<usize>], then: usize) -> bool {
    found.len() == then && found.iter().enumerate().all(|(at, old)| *old == Some(at))
}

impl Fit {
    pub fn new(kept: &Manifest, now: &Identity, outputs: &[JobOutput]) -> Self {
        let same = |a: &Node, b: &Node| !a.identity.is_empty() && a.identity == b.identity;
        let nodes = match_up(&now.nodes, &kept.nodes, same);
        let sources = match_up(&now.sources, &kept.sources, same);
        let views = match_up(outputs, &kept.outputs, |a, b| {
            a.name == b.name && a.identity == b.identity && a.generation == b.generation
        });
        let mut sinks = views.clone();
        for (at, output) in outputs.iter().enumerate().filter(|(at, _)| views[*at].is_none()) {
            let named = kept.outputs.iter().map(|o| &o.name);
            let free = named.enumerate().filter(|(old, _)| !sinks.contains(&Some(*old)));
            sinks[at] =
                free.into_iter().find(|(_, name)| **name == output.name).map(|(old, _)| old);
        }
        let exact = kept.nodes == now.nodes
            && is_exact(&sources, kept.sources.len())
            && is_exact(&views, kept.outputs.len());
        Self { nodes, sources, views, sinks, exact }
    }

    /// What the circuit goes on from.
    pub fn restored(&self, kept: Restored, now: &Identity) -> Restored {
        if self.exact {
            return kept;
        }
        let Restored { progress, mut shards, .. } = kept;
        let to = |old: usize| self.nodes.iter().position(|found| *found == Some(old));
        shards.iter_mut().for_each(|shard| shard.renumber(to));
        let mut watermarks: Vec<i64> = Vec::with_capacity(self.nodes.len());
        for (at, found) in self.nodes.iter().enumerate() {
            let below = now.inputs[at].iter().map(|&input| watermarks[input]).min();
            watermarks.push(match (found, now.nodes[at].source, below) {
                (Some(old), ..) => progress.watermarks[*old],
                (None, Some(source), _) => self.watermark_of(source, &progress),
                // What only hands on what it reads stands where that stands.
                (None, None, Some(below)) if now.nodes[at].identity.is_empty() => below,
                _ => i64::MIN,
            });
        }
        let readers = self.sources.iter().map(|found| match found {
            Some(old) => progress.readers[*old].clone(),
            None => Vec::new(),
        });
        let readers = readers.collect();
        let anew = self.sources.iter().map(Option::is_none).collect();
        let progress = CircuitProgress { step: progress.step, readers, watermarks };
        Restored { progress, shards, dealt: true, anew }
    }

    /// The watermark of a source that is a node by itself in one of the two jobs only: that of its
    /// readers which hold it back.
    fn watermark_of(&self, source: usize, progress: &CircuitProgress) -> i64 {
        let Some(old) = self.sources[source] else { return i64::MIN };
        let readers = &progress.readers[old];
        let active = readers.iter().filter(|r| !r.ended && !r.idle && !r.beside);
        let all_ended = !readers.is_empty() && readers.iter().all(|r| r.ended);
        let least = active.map(|r| r.watermark).min();
        if all_ended { i64::MAX } else { least.unwrap_or(i64::MIN) }
    }
}
