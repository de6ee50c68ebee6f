//! Changed time zones.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::{About, Overlap};
use crate::means::remote_script::{self, RemoteScript};
use crate::{Cluster, Fault, Injection, NemesisError, NodeActions, Requirement, Roster, Targets};

/// Changes the time zone of nodes. It affects programs that start afterwards, as by a `kill` or a `restart`, or read it again, unless `$TZ` is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Timezone {
    /// The nodes.
    pub targets: Targets,
    /// The time zone, by its name in `/usr/share/zoneinfo`: `America/New_York`.
    pub zone: String,
}

impl Default for Timezone {
    fn default() -> Timezone {
        Timezone { targets: Targets::One, zone: "Pacific/Kiritimati".into() }
    }
}

const ABOUT: About = About {
    name: "timezone",
    what: "changes the time zone of nodes, for programs that start afterwards or read it again",
    how: "`/etc/localtime` becomes a link to the zone, and `/etc/timezone`, if it exists, its name; copies of both are kept on the node, also over a reboot",
    needs: "the zone in `/usr/share/zoneinfo` (package tzdata); an `/etc/localtime` that can be replaced",
    verified: "a new `date` process shows the time of the zone",
    healed: "both files are restored",
    example: "{zone: America/New_York}",
    overlap: Overlap::Exclusive,
    reports_effect: false,
    is_destructive: false,
};

/// The copies of the files. Not below `/run`, as the change survives a reboot.
const KEPT: &str = "/var/lib/elenchus/timezone";

impl Timezone {
    fn path(&self) -> String {
        format!("/usr/share/zoneinfo/{}", self.zone)
    }

    /// The copies are complete before anything is replaced, and each file is replaced atomically.
    fn inject(&self) -> String {
        format!(
            ": other zone\nset -e\n\
             [ ! -e {KEPT} ] || {{ echo 'the time zone of this node is already changed; run `elenchus heal`' >&2; exit 1; }}\n\
             rm -rf {KEPT}.new\nmkdir -p {KEPT}.new\n\
             for name in localtime timezone; do\n\
             \x20 if [ -e /etc/$name ] || [ -L /etc/$name ]; then cp -a /etc/$name {KEPT}.new/$name; else : >{KEPT}.new/$name.absent; fi\n\
             done\n\
             mv {KEPT}.new {KEPT}\nsync\n\
             ln -sf {path} /etc/localtime.elenchus\nmv -f /etc/localtime.elenchus /etc/localtime\n\
             if [ -e /etc/timezone ]; then echo {zone} >/etc/timezone.elenchus; mv -f /etc/timezone.elenchus /etc/timezone; fi\n",
            path = self.path(),
            zone = self.zone
        )
    }

    fn verify(&self) -> String {
        format!(
            ": is-elsewhere\nunset TZ\n\
             shown=$(date '+%z %Z'); right=$(TZ=:{path} date '+%z %Z')\n\
             [ \"$shown\" = \"$right\" ] || {{ echo \"the node's time zone is '$shown', not '$right'\" >&2; exit 1; }}\n\
             [ \"$(readlink /etc/localtime)\" = {path} ] || {{ echo '/etc/localtime is not the zone' >&2; exit 1; }}\n",
            path = self.path()
        )
    }
}

/// The copies are kept until both files are restored, so that a concurrent undo finds them.
fn undo() -> String {
    format!(
        ": own zone\n\
         if [ -d {KEPT} ]; then\n\
         \x20 for name in localtime timezone; do\n\
         \x20   if [ -e {KEPT}/$name.absent ]; then rm -f /etc/$name\n\
         \x20   elif [ -e {KEPT}/$name ] || [ -L {KEPT}/$name ]; then cp -a {KEPT}/$name /etc/$name.$$ && mv -f /etc/$name.$$ /etc/$name || exit 1\n\
         \x20   fi\n\
         \x20 done\n\
         \x20 mv {KEPT} {KEPT}.$$ 2>/dev/null\n\
         fi\n\
         rm -rf {KEPT}.* /etc/localtime.elenchus /etc/timezone.elenchus\n\
         rmdir /var/lib/elenchus 2>/dev/null\n{}",
        verify_undone()
    )
}

fn verify_undone() -> String {
    format!(": is-own-zone\nif [ -e {KEPT} ]; then echo 'the time zone was not restored' >&2; exit 1; fi\n")
}

impl Fault for Timezone {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn describe(&self, nodes: &str) -> String {
        format!("{nodes} in the time zone {}", self.zone)
    }

    fn check(&self, _: &Roster) -> Result<(), String> {
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_+-/".contains(letter);
        if self.zone.is_empty() || self.zone.starts_with('/') || !self.zone.chars().all(is_plain) {
            return Err(format!("`zone: {}` is not the name of a time zone, like `America/New_York`", self.zone));
        }
        Ok(())
    }

    fn actions(&self, cluster: &Cluster, _id: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError> {
        let nodes = cluster.at(&injection.nodes);
        let actions = nodes.map(|node| NodeActions {
            node: node.name.clone(),
            inject: self.inject(),
            verify: self.verify(),
            undo: undo(),
            verify_undone: verify_undone(),
        });
        Ok(actions.collect())
    }

    fn undo_all(&self, cluster: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
        Ok(remote_script::everywhere(cluster, &undo()))
    }

    fn requirements(&self) -> Vec<Requirement> {
        vec![Requirement::test(
            format!("[ -f {} ]", self.path()),
            format!("the time zone {} is not in /usr/share/zoneinfo; install tzdata, or use another", self.zone),
        )]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_have_plain_names() {
        let check = |zone: &str| Timezone { zone: zone.into(), ..Timezone::default() }.check(&Roster::of(vec!["n1".into()]));
        assert_eq!(check("America/Argentina/Buenos_Aires"), Ok(()));
        assert_eq!(check("Etc/GMT+5"), Ok(()));
        for wrong in ["", "/etc/passwd", "../../x", "x; reboot"] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}
