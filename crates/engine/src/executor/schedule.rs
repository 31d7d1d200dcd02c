//! In which order a shard runs its nodes, on one thread or on several.
//!
//! Nodes that only hand on to one another are one *task*, which a thread runs from end to end. A
//! task is ready when all that it reads has run; of those that are ready the one is run first that
//! most has to wait for: the step ends when the longest way through the circuit has been gone.

use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::NodeId;

/// What the schedule needs to know of a node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape<'a> {
    /// The nodes that it reads, all of them before it.
    pub inputs: &'a [NodeId],
    /// The shards meet behind it.
    pub meets: bool,
}

/// Nodes that a shard runs without a word from its peers, and the exchanges behind them: the
/// shards meet once a level, not once an exchange.
#[derive(Debug, Default)]
pub(super) struct Level {
    tasks: Vec<Task>,
    /// The exchanges among its nodes.
    pub exchanges: Vec<usize>,
    queue: Mutex<Queue>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct Task {
    nodes: Vec<usize>,
    /// How many edges lead here from other tasks of the level, and where edges lead from here.
    reads: usize,
    readers: Vec<usize>,
    /// How many nodes have to run from here to the end of the longest way.
    height: usize,
    /// Of the edges that lead here: those whose task has not run yet in this step.
    waits: AtomicUsize,
}

#[derive(Debug, Default)]
struct Queue {
    /// Tasks that can be run, by height; of equal ones the later.
    ready: BinaryHeap<(usize, usize)>,
    /// How many have not been run yet.
    left: usize,
    asleep: usize,
}

/// Cuts the nodes, inputs before their readers, into levels: what reads an exchange, however far
/// off, is a level behind it.
pub(super) fn levels(nodes: &[Shape<'_>]) -> Vec<Level> {
    let mut readers = vec![0; nodes.len()];
    nodes.iter().flat_map(|node| node.inputs).for_each(|input| readers[input.0] += 1);
    let mut level_of_output: Vec<usize> = Vec::with_capacity(nodes.len());
    // Of each node the level that it is in, and its task there.
    let mut place: Vec<(usize, usize)> = Vec::with_capacity(nodes.len());
    let mut levels: Vec<Level> = Vec::new();
    for (id, node) in nodes.iter().enumerate() {
        let at = node.inputs.iter().map(|input| level_of_output[input.0]).max().unwrap_or(0);
        if levels.len() <= at {
            levels.resize_with(at + 1, Level::default);
        }
        let level = &mut levels[at];
        let goes_on = match node.inputs {
            [only] if readers[only.0] == 1 && place[only.0].0 == at => Some(place[only.0].1),
            _ => None,
        };
        let task = goes_on.unwrap_or_else(|| {
            level.tasks.push(Task::default());
            level.tasks.len() - 1
        });
        level.tasks[task].nodes.push(id);
        if goes_on.is_none() {
            for from in node.inputs.iter().map(|input| place[input.0]).filter(|p| p.0 == at) {
                level.tasks[from.1].readers.push(task);
                level.tasks[task].reads += 1;
            }
        }
        if node.meets {
            level.exchanges.push(id);
        }
        place.push((at, task));
        level_of_output.push(at + usize::from(node.meets));
    }
    levels.iter_mut().for_each(Level::measure);
    levels
}

impl Level {
    /// A task is behind all that it reads.
    fn measure(&mut self) {
        for at in (0..self.tasks.len()).rev() {
            let task = &self.tasks[at];
            let behind = task.readers.iter().map(|&reader| self.tasks[reader].height).max();
            self.tasks[at].height = behind.unwrap_or(0) + self.tasks[at].nodes.len();
        }
    }

    /// The level's nodes in an order in which one thread can run them.
    pub fn in_order(&self) -> impl Iterator<Item = usize> {
        self.tasks.iter().flat_map(|task| task.nodes.iter().copied())
    }

    /// Makes ready for [`Level::run`].
    pub fn begin(&self) {
        let mut queue = self.queue();
        queue.left = self.tasks.len();
        for (at, task) in self.tasks.iter().enumerate() {
            task.waits.store(task.reads, Ordering::Relaxed);
            if task.reads == 0 {
                queue.ready.push((task.height, at));
            }
        }
    }

    /// Runs nodes as long as there are some, together with all other threads that do the same.
    /// `idle` is called when this one had to wait for others. What `run` does for a node is seen by
    /// whoever runs one of its readers. It must not panic: the others would wait for ever.
    pub fn run(&self, mut run: impl FnMut(usize), mut idle: impl FnMut()) {
        let mut next = self.next(None, &mut idle);
        while let Some(task) = next {
            self.tasks[task].nodes.iter().for_each(|&node| run(node));
            next = self.next(Some(task), &mut idle);
        }
    }

    /// Takes note that a task has been run, and answers the next; none when all have been.
    fn next(&self, done: Option<usize>, idle: &mut impl FnMut()) -> Option<usize> {
        let mut queue = self.queue();
        if let Some(done) = done {
            queue.left -= 1;
            let before = queue.ready.len();
            for &reader in &self.tasks[done].readers {
                let task = &self.tasks[reader];
                // The queue's lock orders what the tasks have written.
                if task.waits.fetch_sub(1, Ordering::Relaxed) == 1 {
                    queue.ready.push((task.height, reader));
                }
            }
            // One of them is this thread's own.
            let more = (queue.ready.len() - before).saturating_sub(1);
            if queue.asleep > 0 && queue.left == 0 {
                self.news.notify_all();
            } else {
                (0..more.min(queue.asleep)).for_each(|_| self.news.notify_one());
            }
        }
        let mut slept = false;
        loop {
            if let Some((_, task)) = queue.ready.pop() {
                drop(queue);
                if slept {
                    idle();
                }
                return Some(task);
            }
            if queue.left == 0 {
                return None;
            }
            slept = true;
            queue.asleep += 1;
            queue = self.news.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.asleep -= 1;
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    /// A node reads those nodes, and the shards meet behind it.
    type Node<'a> = (&'a [usize], bool);

    fn levels_of(nodes: &[Node<'_>]) -> Vec<Level> {
        let inputs: Vec<Vec<NodeId>> =
            nodes.iter().map(|(inputs, _)| inputs.iter().map(|&i| NodeId(i)).collect()).collect();
        let shapes = inputs.iter().zip(nodes);
        let shapes = shapes.map(|(inputs, &(_, meets))| Shape { inputs, meets });
        levels(&shapes.collect::<Vec<_>>())
    }

    #[test]
    fn shards_meet_once_for_exchanges_that_do_not_need_one_another() {
        // Two sources, each exchanged; the first is also read as it is, their join is exchanged.
        let found = levels_of(&[
            (&[], false),
            (&[0], true),
            (&[], false),
            (&[2], true),
            (&[1, 3], false),
            (&[0], false),
            (&[4], true),
            (&[6, 5], false),
        ]);
        let nodes: Vec<Vec<usize>> = found.iter().map(|level| level.in_order().collect()).collect();
        assert_eq!(nodes, [vec![0, 1, 2, 3, 5], vec![4, 6], vec![7]]);
        let exchanges: Vec<&[usize]> = found.iter().map(|l| l.exchanges.as_slice()).collect();
        assert_eq!(exchanges, [&[1, 3][..], &[6], &[]]);
    }

    #[test]
    fn nodes_of_one_reader_are_one_task() {
        // 0 to 2 are a chain, which 3 and 4 read; 5 reads 4 twice.
        let found = levels_of(&[
            (&[], false),
            (&[0], false),
            (&[1], false),
            (&[2], false),
            (&[2], false),
            (&[4, 4], false),
        ]);
        let tasks: Vec<&[usize]> = found[0].tasks.iter().map(|t| t.nodes.as_slice()).collect();
        assert_eq!(tasks, [&[0, 1, 2][..], &[3], &[4], &[5]]);
        let heights: Vec<usize> = found[0].tasks.iter().map(|t| t.height).collect();
        assert_eq!(heights, [5, 1, 2, 1]);
    }

    #[test]
    fn every_node_is_run_once_and_behind_what_it_reads() {
        // Each node reads two of those before it, or is a source.
        let mut state = 7_u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % below
        };
        let inputs: Vec<Vec<usize>> = (0..400)
            .map(|id| match random(8) {
                0 => vec![],
                1..4 if id > 0 => vec![id - 1],
                _ if id > 0 => vec![random(id), random(id)],
                _ => vec![],
            })
            .collect();
        let nodes: Vec<Node<'_>> = inputs.iter().map(|i| (i.as_slice(), false)).collect();
        let [level] = &levels_of(&nodes)[..] else { panic!("nothing is exchanged") };
        for _ in 0..20 {
            let ran: Vec<AtomicU32> = nodes.iter().map(|_| AtomicU32::new(0)).collect();
            let early = AtomicU32::new(0);
            level.begin();
            let run = |node: usize| {
                let is_early = |&input: &usize| ran[input].load(Ordering::Relaxed) != 1;
                early.fetch_add(u32::from(inputs[node].iter().any(is_early)), Ordering::Relaxed);
                ran[node].fetch_add(1, Ordering::Relaxed);
            };
            std::thread::scope(|scope| {
                (0..3).for_each(|_| drop(scope.spawn(|| level.run(run, || ()))));
            });
            assert!(ran.iter().all(|ran| ran.load(Ordering::Relaxed) == 1));
            assert_eq!(early.load(Ordering::Relaxed), 0);
        }
    }
}
