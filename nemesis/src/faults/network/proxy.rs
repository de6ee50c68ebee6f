//! A proxy between clients and a server that loses, cuts, stalls, delays, repeats and alters messages.
//!
//! The agent runs the proxy on the server's node, and the firewall redirects connections to it. It parses protocols only to alter values; a request is what the client
//! sends until the server replies.

mod how;
mod rules;

use elenchus_core::Seed;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use how::{Alter, Cut, End, How, Messages, Protocol};

use crate::fault::{About, Overlap};
use crate::faults::network::reset_connections;
use crate::means::agent;
use crate::means::job::{self, Job};
use crate::means::remote_script::{self, PATH, RemoteScript};
use crate::{Cluster, Fault, Injection, NemesisError, NodeActions, Requirement, Roster, Targets};
use rules::{HOOK, filter, lines};

/// Puts a proxy between clients and the system's port, which loses, cuts, stalls, delays, replays or alters messages. The server sees its own node's address instead of the clients'.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Proxy {
    /// On which nodes.
    pub targets: Targets,
    /// The server's TCP port. Not that of SSH.
    pub port: u16,
    /// Which connections are redirected.
    pub from: From,
    /// How it changes their messages.
    pub how: How,
    /// Whether existing connections are reset, so that they are made again through the proxy. Otherwise they are left alone.
    pub sever: bool,
}

/// The connections that go through a proxy. Those of the node to itself never do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum From {
    /// Those from hosts that are not nodes of the cluster.
    #[default]
    Clients,
    /// Those from the other nodes.
    Nodes,
    /// Both.
    All,
}

const ABOUT: About = About {
    name: "proxy",
    what: "loses replies after their request has arrived, cuts messages in the middle, stalls connections, delays replies, sends requests twice, or alters values in messages that stay well-formed, between clients or nodes and a server",
    how: "the agent runs a proxy on the server's node, to which iptables, else nftables, redirect new connections (REDIRECT); with `sever`, `ss --kill` resets the existing ones",
    needs: "iptables or nftables with NAT; `pkill`; with `sever`, `ss`, `awk` and a kernel with `INET_DIAG_DESTROY`; IP addresses of nodes in the plan",
    verified: "every rule is listed and comes before all others, and the proxy runs and listens; none of the severed connections is left",
    healed: "the rules are deleted and the proxy is killed, with the connections through it; none of them is listed",
    example: "{port: 2379, how: {lose_replies: 0.1}}",
    overlap: Overlap::Exclusive,
    reports_effect: false,
    is_destructive: false,
};

/// The first port of proxies, below the kernel's ephemeral ports.
const FIRST_PORT: u16 = 26_140;

/// The number of ports for proxies.
const PORTS: u32 = 1000;

fn own_port(id: u32) -> u16 {
    FIRST_PORT + (id % PORTS) as u16
}

/// Succeeds if a process listens on a port.
fn is_listening(port: u16) -> String {
    format!("cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -q ':{port:04X} [0-9A-F]*:0000 0A '")
}

impl Fault for Proxy {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn describe(&self, nodes: &str) -> String {
        let whom = match self.from {
            From::Clients => "clients",
            From::Nodes => "other nodes",
            From::All => "all",
        };
        format!("between {whom} and port {} of {nodes}: {}", self.port, self.how.describe())
    }

    fn check(&self, roster: &Roster) -> Result<(), String> {
        match self.port {
            0 => return Err("`port` is missing: set it to the server's TCP port".into()),
            22 => return Err("`port: 22` is the port of SSH, which is needed to heal faults".into()),
            port if (FIRST_PORT..FIRST_PORT + PORTS as u16).contains(&port) => {
                return Err(format!("`port: {port}` is one on which proxies listen ({FIRST_PORT} to {})", FIRST_PORT + PORTS as u16 - 1));
            }
            _ => {}
        }
        if self.from == From::Nodes && roster.count() < 2 {
            return Err("`from: nodes` needs 2 nodes or more".into());
        }
        self.how.check()
    }

    fn actions(&self, cluster: &Cluster, id: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError> {
        let mut actions = Vec::new();
        for &at in &injection.nodes {
            let Some(node) = cluster.nodes.get(at) else { continue };
            if remote_script::ssh_ports(cluster, at).contains(&self.port) {
                return Err(NemesisError::Refused(format!(
                    "port {} of {} is the port of SSH, which is needed to heal faults",
                    self.port, node.name
                )));
            }
            let own = remote_script::addresses(cluster, [at].into_iter())?;
            let peers = remote_script::addresses(cluster, cluster.others(at))?;
            let (port, seed) = (own_port(id), Seed(injection.seed).stream(&node.name).bits().to_string());
            let (number, settings) = (port.to_string(), self.how.settings().to_string());
            let words: Vec<&str> = ["proxy", "run", &number, &seed].into_iter().chain(settings.split(' ')).collect();
            // If the proxy is killed, new connections reach the server directly.
            let job = Job::new(ABOUT.name, id, format!("{}; {}", agent::order(&words), HOOK.stop_redirecting(id)));
            let lines = lines(self.from, &own, &peers, self.port, port);
            let sever = if self.sever { reset_connections::script(&filter(self.from, &own, &peers, self.port)) } else { String::new() };
            actions.push(NodeActions {
                node: node.name.clone(),
                // Connections are redirected only after the proxy listens.
                inject: format!(
                    ": between\n{PATH}( {start} ) || exit 1\n\
                     tries=0\n\
                     until {listens}; do\n\
                     \x20 tries=$((tries + 1))\n\
                     \x20 if [ $tries -gt 250 ]; then echo 'the proxy does not listen:' >&2; tail -n 3 {log} >&2; exit 1; fi\n\
                     \x20 sleep 0.02\n\
                     done\n( {rules} ) || exit 1\n{sever}",
                    start = job.start(),
                    listens = is_listening(port),
                    log = job.log(),
                    rules = HOOK.apply(id, &lines)
                ),
                verify: format!(
                    ": is-between\n{PATH}( {} ) || exit 1\n{} || {{ echo 'the proxy does not listen' >&2; exit 1; }}\n{}",
                    job.assert_running(),
                    is_listening(port),
                    HOOK.assert_applied(id, &lines)
                ),
                // Connections through the proxy are reset while the kernel still tracks them.
                undo: format!(": not between\n{PATH}( {} )\n( {} ) || exit 1\n{}", HOOK.stop_redirecting(id), job.end(), HOOK.remove(id)),
                verify_undone: format!(": is-not-between\n{PATH}( {} ) || exit 1\n{}", job.assert_gone(), HOOK.assert_removed(id)),
            });
        }
        Ok(actions)
    }

    fn undo_all(&self, cluster: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
        let script = format!(": remove all proxies\n{PATH}( {} )\n{}", job::undo_all(ABOUT.name), HOOK.undo_all());
        Ok(remote_script::everywhere(cluster, &script))
    }

    fn requirements(&self) -> Vec<Requirement> {
        let mut all = vec![Requirement::command(&["pkill"]), agent::requirement(), rules::requirement()];
        if self.sever {
            all.extend([Requirement::command(&["ss"]), Requirement::command(&["awk"])]);
        }
        all.push(Requirement::trial(agent::order(&["proxy", "trial"]), "the agent could not listen for connections on this node"));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> Proxy {
        serde_yaml::from_str(yaml).unwrap()
    }

    fn complaint(yaml: &str) -> String {
        read(yaml).check(&Roster::of(vec!["n1".into()])).unwrap_err()
    }

    #[test]
    fn descriptions_have_the_settings() {
        let proxy = read("{port: 2379, from: all, how: {lose_replies: 0.1, delay: 5ms, cut: {share: 0.2, after: 10}}}");
        assert_eq!(proxy.check(&Roster::of(vec!["n1".into()])), Ok(()));
        assert_eq!(
            proxy.describe("n1"),
            "between all and port 2379 of n1: 10 % of replies lost, 20 % of replies cut after 10 bytes, replies 5ms late"
        );
    }

    #[test]
    fn invalid_settings_are_rejected() {
        assert!(complaint("{}").contains("`port` is missing"));
        assert!(complaint("{port: 22}").contains("SSH"));
        assert!(complaint("{port: 26500}").contains("proxies listen"));
        assert!(complaint("{port: 80, from: nodes}").contains("2 nodes or more"));
        assert!(complaint("{port: 80, how: {}}").contains("no effect is set"));
        assert!(complaint("{port: 80, how: {replay: 2}}").contains("must be from 0 to 1"));
        assert!(complaint("{port: 80, how: {cut: {share: 0}}}").contains("greater than 0"));
    }
}
