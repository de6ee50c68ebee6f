//! Node names, numbered in order of first appearance.

use rustc_hash::FxHashMap;

use crate::{Event, NodeIndex};

/// Node names and their positions.
#[derive(Clone, Debug, Default)]
pub(super) struct NodeNames {
    names: Vec<String>,
    positions: FxHashMap<String, u16>,
}

impl NodeNames {
    /// Returns the index of a name, adding it if it is new.
    pub(super) fn index(&mut self, name: &str) -> Result<NodeIndex, String> {
        if let Some(&position) = self.positions.get(name) {
            return Ok(NodeIndex(position));
        }
        let position = u16::try_from(self.names.len()).map_err(|_| "more than 65536 distinct node names".to_owned())?;
        self.names.push(name.to_owned());
        self.positions.insert(name.to_owned(), position);
        Ok(NodeIndex(position))
    }

    /// Returns all names; a [`NodeIndex`] is a position in this list.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Replaces all names.
    pub(super) fn replace(&mut self, names: Vec<String>) {
        self.positions = names.iter().cloned().zip(0..).collect();
        self.names = names;
    }

    /// Merges the names of a later part of the history, and renumbers the nodes of its events accordingly.
    pub(super) fn absorb(&mut self, part: &NodeNames, events: &mut [Event]) -> Result<(), String> {
        let renumbered = part.names.iter().map(|name| self.index(name)).collect::<Result<Vec<_>, _>>()?;
        if renumbered.iter().zip(0..).any(|(node, own)| node.0 != own) {
            for node in events.iter_mut().filter_map(|event| event.node.as_mut()) {
                *node = renumbered[usize::from(node.0)];
            }
        }
        Ok(())
    }
}
