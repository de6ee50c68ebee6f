//! The nodes of a plan, as the control node reaches them.

use elenchus_control::Host;
use elenchus_control::lab::{Lab, LabNet};
use elenchus_control::system::Node;

use super::error::RunError;
use crate::events::{Events, RunEvent};
use crate::plan::{Resolved, ResolvedNode};

/// Starts the plan's lab, if it has one, and returns the nodes. The lab ends when it is dropped.
pub(crate) fn reach(plan: &Resolved, net: Option<&LabNet>, events: &Events) -> Result<(Vec<Node>, Option<Lab>), RunError> {
    let env = |name: &str| std::env::var(name).ok();
    let (Some(net), Some(options)) = (net, &plan.lab) else {
        return Ok((existing(&plan.nodes), None));
    };
    let lab = net.start(options)?;
    let mut nodes = Vec::new();
    for (started, planned) in lab.nodes.iter().zip(&plan.nodes) {
        let mut host = started.host.clone();
        plan.ssh.amend(&mut host, &env).map_err(crate::plan::PlanError::plain)?;
        let address = started.address.to_string();
        assert_eq!(address, planned.address, "the system was configured with the lab's addresses");
        events.emit(RunEvent::NodeStarted { node: started.name.clone(), address: address.clone() });
        nodes.push(Node { name: started.name.clone(), address, host: Host::new(&started.name, host) });
    }
    Ok((nodes, Some(lab)))
}

/// Those of a plan's nodes that exist before the run: all but a lab's.
pub(crate) fn existing(nodes: &[ResolvedNode]) -> Vec<Node> {
    let node = |node: &ResolvedNode| {
        let host = Host::new(&node.name, node.host.clone()?);
        Some(Node { name: node.name.clone(), address: node.address.clone(), host })
    };
    nodes.iter().filter_map(node).collect()
}
