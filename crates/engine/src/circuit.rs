//! The shape of a computation: nodes and edges, from which every shard builds its own instances.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::source::{Source, SourceInput};
use crate::{Operator, Result};

/// A node of a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub usize);

/// A source of a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub usize);

/// An output of a circuit: what a view or a sink takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OutputId(pub usize);

/// Which shard a row goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Partitioning {
    /// The shard that owns the hash of these columns: equal values meet.
    Hash(Vec<usize>),
    /// All rows meet in the first shard.
    Single,
}

/// Makes one shard's instance of an operator.
pub type MakeOperator = Arc<dyn Fn() -> Result<Box<dyn Operator>> + Send + Sync>;

pub(crate) enum NodeKind {
    Source(SourceId),
    Operator(MakeOperator),
    Exchange(Partitioning),
    Output(OutputId),
}

pub(crate) struct Node {
    pub name: String,
    /// What the node does to what, in a form that another run of the same plan has, too.
    pub identity: String,
    /// Which columns of an operator's key its rows are spread over the shards by, where that is not
    /// the whole key.
    pub route: Option<Vec<usize>>,
    pub kind: NodeKind,
    pub inputs: Vec<NodeId>,
}

/// Puts a circuit together, inputs before the nodes that read them.
#[derive(Default)]
pub struct CircuitBuilder {
    circuit: Circuit,
}

impl CircuitBuilder {
    /// An empty circuit.
    pub fn new() -> Self {
        Self::default()
    }

    fn push(&mut self, name: impl Into<String>, kind: NodeKind, inputs: Vec<NodeId>) -> NodeId {
        let id = NodeId(self.circuit.nodes.len());
        assert!(inputs.iter().all(|input| *input < id), "inputs come before their readers");
        let (name, identity) = (name.into(), String::new());
        self.circuit.nodes.push(Node { name, identity, route: None, kind, inputs });
        id
    }

    /// A table's input.
    pub fn source(
        &mut self,
        name: impl Into<String>,
        source: Box<dyn Source>,
        input: SourceInput,
    ) -> NodeId {
        let id = SourceId(self.circuit.sources.len());
        let name = name.into();
        let identity = String::new();
        self.circuit.sources.push(CircuitSource { name: name.clone(), identity, source, input });
        self.push(name, NodeKind::Source(id), vec![])
    }

    /// An operator; `make` is called once a shard.
    pub fn operator(
        &mut self,
        name: impl Into<String>,
        inputs: Vec<NodeId>,
        make: impl Fn() -> Result<Box<dyn Operator>> + Send + Sync + 'static,
    ) -> NodeId {
        self.push(name, NodeKind::Operator(Arc::new(make)), inputs)
    }

    /// Brings the rows that belong together to one shard.
    pub fn exchange(&mut self, input: NodeId, partitioning: Partitioning) -> NodeId {
        self.push("exchange", NodeKind::Exchange(partitioning), vec![input])
    }

    /// Makes a node's changes an output of the circuit.
    pub fn output(&mut self, name: impl Into<String>, input: NodeId) -> OutputId {
        let id = OutputId(self.circuit.outputs);
        self.circuit.outputs += 1;
        self.push(name, NodeKind::Output(id), vec![input]);
        id
    }

    /// Says what a node is, so that its state can be given to the same node of a later run: nodes
    /// with one identity do the same to the same inputs.
    pub fn identify(&mut self, node: NodeId, identity: impl Into<String>) {
        self.circuit.nodes[node.0].identity = identity.into();
    }

    /// Says by which columns of its key (by position among them) the rows of an operator are spread
    /// over the shards, where that is not the whole key, in order. Needed to deal its state anew.
    pub fn route(&mut self, node: NodeId, columns: Vec<usize>) {
        self.circuit.nodes[node.0].route = Some(columns);
    }

    /// Says what a source reads, apart from the columns: a later run goes on from the positions of
    /// the source of the same identity.
    pub fn identify_source(&mut self, node: NodeId, identity: impl Into<String>) {
        if let NodeKind::Source(source) = self.circuit.nodes[node.0].kind {
            self.circuit.sources[source.0].identity = identity.into();
        }
    }

    /// The finished circuit.
    pub fn build(self) -> Circuit {
        self.circuit
    }
}

/// A finished circuit, ready to be run by an [`crate::Executor`].
#[derive(Default)]
pub struct Circuit {
    pub(crate) nodes: Vec<Node>,
    pub(crate) sources: Vec<CircuitSource>,
    pub(crate) outputs: usize,
}

pub(crate) struct CircuitSource {
    pub name: String,
    /// What it reads, in a form that another run has, too.
    pub identity: String,
    pub source: Box<dyn Source>,
    pub input: SourceInput,
}

/// What is told of a node.
#[derive(Debug, Clone, Copy)]
pub struct NodeInfo<'a> {
    /// Its name, for people.
    pub name: &'a str,
    /// What [`CircuitBuilder::identify`] said.
    pub identity: &'a str,
    /// The source, by number, where the node is one.
    pub source: Option<usize>,
    /// The nodes that it reads.
    pub inputs: &'a [NodeId],
}

impl Circuit {
    /// The nodes, each behind those that it reads.
    pub fn nodes(&self) -> impl Iterator<Item = NodeInfo<'_>> {
        self.nodes.iter().map(|node| NodeInfo {
            name: &node.name,
            identity: &node.identity,
            source: match node.kind {
                NodeKind::Source(source) => Some(source.0),
                _ => None,
            },
            inputs: &node.inputs,
        })
    }

    /// The sources that have a part in each output, by [`OutputId`].
    pub fn sources_of_outputs(&self) -> Vec<Vec<usize>> {
        let mut outputs = vec![Vec::new(); self.outputs];
        let mut above: Vec<BTreeSet<usize>> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let mut sources: BTreeSet<usize> =
                node.inputs.iter().flat_map(|input| &above[input.0]).copied().collect();
            match &node.kind {
                NodeKind::Source(source) => drop(sources.insert(source.0)),
                NodeKind::Output(output) => outputs[output.0] = sources.iter().copied().collect(),
                NodeKind::Operator(_) | NodeKind::Exchange(_) => {}
            }
            above.push(sources);
        }
        outputs
    }

    /// Which sources have an event time, and so a watermark that may hold others back.
    pub fn sources_with_time(&self) -> impl Iterator<Item = bool> {
        self.sources.iter().map(|source| source.input.watermark.is_some())
    }

    /// The name of each source, and what [`CircuitBuilder::identify_source`] said of it.
    pub fn sources(&self) -> impl Iterator<Item = (&str, &str)> {
        self.sources.iter().map(|source| (source.name.as_str(), source.identity.as_str()))
    }
}

impl fmt::Debug for Circuit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (id, node) in self.nodes.iter().enumerate() {
            let inputs: Vec<usize> = node.inputs.iter().map(|i| i.0).collect();
            writeln!(f, "{id}: {} {inputs:?}", node.name)?;
        }
        Ok(())
    }
}
