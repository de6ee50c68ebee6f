//! The nodes of a plan, reached.

use elenchus_control::Host;
use elenchus_control::config::HostConfig;
use elenchus_control::lab::{Lab, LabNet};
use elenchus_control::system::{Node, System};

use super::RunError;
use crate::plan::{Resolved, ResolvedNode};

/// The nodes, and the lab they are in, if they are in one. The lab ends when it is dropped.
pub(crate) fn reach(plan: &Resolved, net: Option<&LabNet>) -> Result<(Vec<Node>, Option<Lab>), RunError> {
    let env = |name: &str| std::env::var(name).ok();
    let (Some(net), Some(options)) = (net, &plan.lab) else {
        return Ok((there(&plan.nodes), None));
    };
    let lab = net.start(options)?;
    let mut nodes = Vec::new();
    for made in &lab.nodes {
        let mut host = made.host.clone();
        plan.amend(&mut host, &env)?;
        nodes.push(node(&made.name, &made.address.to_string(), host));
    }
    Ok((nodes, Some(lab)))
}

/// Those of a plan's nodes that are there before it is run.
pub(crate) fn there(nodes: &[ResolvedNode]) -> Vec<Node> {
    nodes.iter().filter_map(|node| Some(self::node(&node.name, node.address.as_ref()?, node.host.clone()?))).collect()
}

pub(crate) fn node(name: &str, address: &str, host: HostConfig) -> Node {
    Node { name: name.to_owned(), address: address.to_owned(), host: Host::new(name, host) }
}

/// The system of a plan, on its nodes.
pub(crate) fn system(plan: &Resolved, nodes: &[Node]) -> Result<Option<System>, RunError> {
    let Some(system) = &plan.system else { return Ok(None) };
    let places: Vec<(String, String)> = nodes.iter().map(|node| (node.name.clone(), node.address.clone())).collect();
    Ok(Some(System::new(system.definition.clone(), &system.options, &system.folder, &places)?))
}
