//! What becomes of each part of a project that was edited.
//!
//! An output whose step plan is the one that wrote the checkpoint goes on, and with it all its
//! operators: they are *reused*. Every other one is *rebuilt*: in a generation of its own, with
//! sources of its own that begin at their start, so that its rows are those that it would have if
//! it had always been there. What nothing asks for any more is *dropped*.
//!
//! An insert into a table that was written before is another matter: what it wrote is out of our
//! hands. Its user has to say whether it begins again ([`ChangedInserts::Rewrite`]) or goes on with
//! what is new to its sources ([`ChangedInserts::Continue`]).

use std::collections::BTreeMap;

use super::manifest::Manifest;

/// A step of an output's plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it is, for people.
    pub name: String,
    /// The same in every run.
    pub identity: String,
}

/// An output of a project, as it is planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// The name of the table or view.
    pub name: String,
    /// Whether it is written to a table.
    pub insert: bool,
    /// What its plan is.
    pub identity: String,
    /// The steps of its plan, inputs first.
    pub steps: Vec<Step>,
}

/// What becomes of a part of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It goes on with its state.
    Reused,
    /// It begins with the first row of its sources.
    Rebuilt,
    /// It begins with the next row of its sources, without state.
    Continued,
    /// It is not there any more.
    Dropped,
}

impl Fate {
    /// Its name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reused => "reused",
            Self::Rebuilt => "rebuilt",
            Self::Continued => "continued",
            Self::Dropped => "dropped",
        }
    }
}

/// What becomes of an insert whose rows are other ones than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangedInserts {
    /// All its rows are written, from the beginning of its sources.
    Rewrite,
    /// The rows are written that come from now on.
    Continue,
}

/// What becomes of an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputChange {
    /// The name of the table or view.
    pub name: String,
    /// Whether it is written to a table; not known of one that is dropped.
    pub insert: bool,
    /// What becomes of it.
    pub fate: Fate,
    /// What it shares its sources and operators with.
    pub generation: u32,
    /// It wrote something else before, and nobody has said what to do.
    pub undecided: bool,
}

/// How a project differs from the one that wrote a checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// The outputs: those of the project in order, then those that are dropped.
    pub outputs: Vec<OutputChange>,
    /// The operators, with the names of the outputs that they are of.
    pub operators: Vec<(Fate, String, Vec<String>)>,
}

impl Change {
    /// Compares a project with the checkpoint that it is to go on from.
    pub fn new(kept: Option<&Manifest>, now: &[Outline], inserts: Option<ChangedInserts>) -> Self {
        let Some(kept) = kept else { return Self::begins(now) };
        let newest = kept.outputs.iter().map(|o| o.generation).max().unwrap_or(0);
        let mut left: Vec<usize> = (0..kept.outputs.len()).collect();
        let mut take = |fits: &dyn Fn(usize) -> bool| {
            let at = left.iter().position(|&old| fits(old))?;
            Some(left.remove(at))
        };
        let same = now.iter().map(|output| {
            take(&|old| {
                let old = &kept.outputs[old];
                old.name == output.name && old.identity == output.identity
            })
        });
        let same: Vec<Option<usize>> = same.collect();
        let mut change = Self::default();
        for (output, same) in now.iter().zip(same) {
            let change_of = |fate, generation, undecided| OutputChange {
                name: output.name.clone(),
                insert: output.insert,
                fate,
                generation,
                undecided,
            };
            if let Some(old) = same {
                let generation = kept.outputs[old].generation;
                change.outputs.push(change_of(Fate::Reused, generation, false));
                continue;
            }
            let before = take(&|old| kept.outputs[old].name == output.name);
            change.outputs.push(match (before, inserts) {
                (Some(old), Some(ChangedInserts::Continue)) if output.insert => {
                    change_of(Fate::Continued, kept.outputs[old].generation, false)
                }
                (Some(_), None) if output.insert => change_of(Fate::Rebuilt, newest + 1, true),
                _ => change_of(Fate::Rebuilt, newest + 1, false),
            });
        }
        change.find_operators(kept, now);
        let dropped = left.into_iter().map(|old| &kept.outputs[old]);
        // What the job itself has to say is no part of the project.
        for old in dropped.filter(|old| !old.identity.is_empty()) {
            let (name, generation) = (old.name.clone(), old.generation);
            let fate = Fate::Dropped;
            change.outputs.push(OutputChange {
                name,
                insert: false,
                fate,
                generation,
                undecided: false,
            });
        }
        change
    }

    /// A project that goes on from nothing.
    fn begins(now: &[Outline]) -> Self {
        let output = |o: &Outline| OutputChange {
            name: o.name.clone(),
            insert: o.insert,
            fate: Fate::Rebuilt,
            generation: 0,
            undecided: false,
        };
        Self { outputs: now.iter().map(output).collect(), operators: Vec::new() }
    }

    fn find_operators(&mut self, kept: &Manifest, now: &[Outline]) {
        type Found = BTreeMap<String, (Fate, String, Vec<String>)>;
        let mut order = Vec::new();
        let mut found: Found = BTreeMap::new();
        for (output, change) in now.iter().zip(&self.outputs) {
            for step in &output.steps {
                let identity = in_generation(change.generation, &step.identity);
                let is_kept = kept.nodes.iter().any(|n| n.identity == identity);
                let fate = if is_kept { Fate::Reused } else { change.fate };
                let of = found.entry(identity.clone()).or_insert_with(|| {
                    order.push(identity);
                    (fate, step.name.clone(), Vec::new())
                });
                if !of.2.contains(&output.name) {
                    of.2.push(output.name.clone());
                }
            }
        }
        let dropped = kept.nodes.iter().filter(|n| !n.identity.is_empty() && n.source.is_none());
        let dropped = dropped.filter(|n| !found.contains_key(&n.identity));
        let dropped = dropped.map(|n| (Fate::Dropped, n.name.clone(), Vec::new()));
        let dropped: Vec<_> = dropped.collect();
        self.operators = order.iter().filter_map(|identity| found.remove(identity)).collect();
        self.operators.extend(dropped);
    }

    /// The generation of each output of the project.
    pub fn generations(&self) -> Vec<u32> {
        let there = self.outputs.iter().filter(|o| o.fate != Fate::Dropped);
        there.map(|o| o.generation).collect()
    }

    /// The tables that get other rows than before, where nobody has said what to do.
    pub fn undecided(&self) -> Vec<String> {
        let undecided = self.outputs.iter().filter(|o| o.undecided);
        undecided.map(|o| o.name.clone()).collect()
    }

    /// Whether anything differs.
    pub fn is_any(&self) -> bool {
        self.outputs.iter().any(|o| o.fate != Fate::Reused)
    }

    /// How many operators have a fate.
    pub fn count(&self, fate: Fate) -> usize {
        self.operators.iter().filter(|(found, ..)| *found == fate).count()
    }
}

/// An identity as the nodes of a generation have it.
fn in_generation(generation: u32, identity: &str) -> String {
    match generation {
        0 => identity.to_owned(),
        generation => format!("{generation}/{identity}"),
    }
}
