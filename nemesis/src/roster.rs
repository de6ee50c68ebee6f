//! The nodes by name, and their zones.

use std::collections::BTreeMap;

use elenchus_core::suggest;

/// The nodes' names, in the plan's order, and their zones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    /// The nodes.
    pub nodes: Vec<String>,
    /// The nodes of each zone, by position, ascending.
    pub zones: BTreeMap<String, Vec<usize>>,
}

impl Roster {
    /// Nodes in zones.
    ///
    /// # Errors
    /// When a zone is empty or names an unknown node.
    pub fn new(nodes: Vec<String>, zones: &BTreeMap<String, Vec<String>>) -> Result<Roster, String> {
        let mut placed = BTreeMap::new();
        for (zone, members) in zones {
            if members.is_empty() {
                return Err(format!("the zone `{zone}` is empty; name its nodes"));
            }
            placed.insert(zone.clone(), positions(&nodes, members)?);
        }
        Ok(Roster { nodes, zones: placed })
    }

    /// Nodes without zones.
    pub fn of(nodes: Vec<String>) -> Roster {
        Roster { nodes, zones: BTreeMap::new() }
    }

    /// The number of nodes.
    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    /// Returns the nodes of a zone; the error for an unknown zone suggests the nearest name.
    pub fn zone(&self, name: &str) -> Result<&[usize], String> {
        self.zones.get(name).map(Vec::as_slice).ok_or_else(|| {
            let hint = hint(name, self.zones.keys().map(String::as_str));
            let zones: Vec<&str> = self.zones.keys().map(String::as_str).collect();
            match zones.as_slice() {
                [] => format!("there is no zone `{name}`; the plan has no `zones`"),
                zones => format!("there is no zone `{name}`{hint} (zones: {})", zones.join(", ")),
            }
        })
    }

    /// Returns the positions of nodes by name, ascending; the error for an unknown node suggests the nearest name.
    pub fn positions(&self, names: &[String]) -> Result<Vec<usize>, String> {
        positions(&self.nodes, names)
    }

    /// Lists nodes for people: `n1, n2 and n3`.
    pub fn listed(&self, at: &[usize]) -> String {
        let names: Vec<&str> = at.iter().filter_map(|&index| self.nodes.get(index)).map(String::as_str).collect();
        match names.as_slice() {
            [] => "no node".into(),
            [one] => (*one).into(),
            [most @ .., last] => format!("{} and {last}", most.join(", ")),
        }
    }
}

fn positions(nodes: &[String], names: &[String]) -> Result<Vec<usize>, String> {
    let mut found = Vec::new();
    for name in names {
        let at = nodes.iter().position(|node| node == name).ok_or_else(|| {
            let hint = hint(name, nodes.iter().map(String::as_str));
            format!("there is no node `{name}`{hint} (nodes: {})", nodes.join(", "))
        })?;
        found.push(at);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn hint<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    suggest::nearest(word, known).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

/// The largest number of nodes whose rest is still a majority.
pub(crate) fn minority(nodes: usize) -> usize {
    nodes.saturating_sub(1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_must_name_known_nodes() {
        let nodes: Vec<String> = ["n1", "n2", "n3"].map(String::from).to_vec();
        let zones = |zone: &[&str]| BTreeMap::from([("east".to_owned(), zone.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())]);
        let roster = Roster::new(nodes.clone(), &zones(&["n3", "n1"])).unwrap();
        assert_eq!(roster.zone("east"), Ok([0, 2].as_slice()));
        assert!(roster.zone("esat").unwrap_err().contains("did you mean `east`?"));
        assert!(Roster::of(nodes.clone()).zone("east").unwrap_err().contains("no `zones`"));
        assert!(Roster::new(nodes.clone(), &zones(&[])).unwrap_err().contains("empty"));
        assert!(Roster::new(nodes, &zones(&["n4"])).unwrap_err().contains("no node `n4`"));
    }
}
