//! Requirements of tests on the machine: a test whose requirements are not met is skipped, with the reason.

use elenchus_control::Command;

use crate::scene::Scene;

/// The tools that tests need on the nodes, by the beginning of their names. A path of a device must be one that the nodes' root can open.
const NEEDS: &[(&str, &str)] = &[
    ("", "awk ip pgrep pkill sed setsid"),
    ("network::", "iptables ip6tables"),
    ("network::link_rates", "tc"),
    ("network::nftables", "nft"),
    ("network::one_way", "nft"),
    ("links::", "iptables ip6tables tc"),
    ("proxies::", "iptables ip6tables"),
    ("proxies::nftables", "nft"),
    ("mounted::", "/dev/fuse"),
    ("postgres::commits", "/dev/fuse"),
    ("scenarios::", "iptables ip6tables tc"),
    ("scenarios::send_only", "nft"),
    ("members::", "etcd etcdctl"),
    ("busybox::", "busybox iptables ip6tables tc"),
    ("machines::", "iptables ip6tables tc"),
    ("controller::", "iptables ip6tables tc /dev/fuse"),
];

/// Why a test cannot run here, if it cannot.
pub(crate) async fn missing(scene: &Scene, test: &str) -> Option<String> {
    for (_, needs) in NEEDS.iter().filter(|(prefix, _)| test.starts_with(prefix)) {
        for need in needs.split(' ') {
            if need == FUSE {
                if lacks_fuse(scene).await {
                    return Some(NO_FUSE.to_owned());
                }
            } else if !succeeds(scene, &format!("PATH=$PATH:/usr/sbin:/sbin; command -v {need} >/dev/null")).await {
                return Some(format!("`{need}` is not installed"));
            }
        }
    }
    None
}

const FUSE: &str = "/dev/fuse";

/// Why FUSE tests are skipped.
pub(crate) const NO_FUSE: &str = "this user cannot open /dev/fuse; run as root, or load the module `fuse` and `chmod 666 /dev/fuse`";

/// Whether the nodes' root cannot open /dev/fuse. In a lab without root it is this machine's ordinary user.
pub(crate) async fn lacks_fuse(scene: &Scene) -> bool {
    !succeeds(scene, &format!("(exec 3<>{FUSE}) 2>/dev/null")).await
}

async fn succeeds(scene: &Scene, script: &str) -> bool {
    scene.cluster.nodes[0].host.output(Command::sh(script)).await.unwrap().status.is_success()
}
