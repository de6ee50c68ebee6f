//! Whoever sets a machine's clock right: held off while it is to be wrong, and put back.
//!
//! They are asked of the node's service manager, systemd, OpenRC or that of System V, and stopped by it: one that was merely paused would be missed by a watchdog.

/// The services that keep the time, as distributions call them.
const SERVICES: &str = "systemd-timesyncd chronyd chrony ntpd ntp ntpsec openntpd";

/// Which of them ran, a line for each.
const LIST: &str = "/run/elenchus/timekeepers";

/// What is done to a service by whichever manager there is: `service start chrony`.
const SERVICE: &str = "service() {\n\
                       \x20 if command -v systemctl >/dev/null; then systemctl \"$1\" \"$2\"\n\
                       \x20 elif command -v rc-service >/dev/null; then rc-service \"$2\" \"$1\"\n\
                       \x20 else \"/etc/init.d/$2\" \"$1\"; fi\n\
                       }\n\
                       runs() {\n\
                       \x20 if command -v systemctl >/dev/null; then systemctl is-active --quiet \"$1\"\n\
                       \x20 elif command -v rc-service >/dev/null; then rc-service \"$1\" status >/dev/null 2>&1\n\
                       \x20 else [ -x \"/etc/init.d/$1\" ] && \"/etc/init.d/$1\" status >/dev/null 2>&1; fi\n\
                       }\n";

/// Stops those that run, and remembers them before.
pub(super) fn hold_off() -> String {
    format!(
        "{SERVICE}mkdir -p /run/elenchus\n\
         if [ ! -e {LIST} ]; then\n\
         \x20 for keeper in {SERVICES}; do if runs $keeper; then echo $keeper; fi; done >{LIST}.new && mv {LIST}.new {LIST} || exit 1\n\
         fi\n\
         while read -r keeper; do service stop \"$keeper\" </dev/null >/dev/null || exit 1; done <{LIST}\n"
    )
}

/// Starts those that were stopped, and forgets them when they run.
pub(super) fn put_back() -> String {
    format!(
        "{SERVICE}if [ -e {LIST} ]; then\n\
         \x20 while read -r keeper; do runs \"$keeper\" </dev/null || service start \"$keeper\" </dev/null >/dev/null || exit 1; done <{LIST}\n\
         \x20 rm -f {LIST}\n\
         fi\n"
    )
}

/// Fails as long as some are to be put back.
pub(super) fn assert_back() -> String {
    format!("if [ -e {LIST} ]; then echo 'not all timekeepers were started again:' $(cat {LIST}) >&2; exit 1; fi\n")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Runs a script where a service manager of our own keeps a file for each service that runs.
    fn sh(folder: &std::path::Path, script: &str) -> bool {
        let path = format!("{}:{}", folder.join("bin").display(), std::env::var("PATH").unwrap());
        let script = script.replace("/run/elenchus", folder.join("run").to_str().unwrap());
        Command::new("sh").arg("-c").arg(script).env("PATH", path).env("UP", folder.join("up")).status().unwrap().success()
    }

    #[test]
    fn only_those_that_ran_are_put_back() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (bin, up) = (folder.path().join("bin"), folder.path().join("up"));
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::create_dir_all(&up).unwrap();
        let manager = bin.join("systemctl");
        let script = "#!/bin/sh\ncase $1 in\nis-active) [ -e \"$UP/$3\" ];;\nstop) rm \"$UP/$2\";;\nstart) : >\"$UP/$2\";;\nesac\n";
        std::fs::write(&manager, script).unwrap();
        std::fs::set_permissions(&manager, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::write(up.join("chrony"), "").unwrap();
        let running = || std::fs::read_dir(&up).unwrap().flatten().map(|entry| entry.file_name()).collect::<Vec<_>>();
        assert!(sh(folder.path(), &hold_off()));
        assert!(running().is_empty() && !sh(folder.path(), &assert_back()));
        assert!(sh(folder.path(), &put_back()) && sh(folder.path(), &put_back()) && sh(folder.path(), &assert_back()));
        assert_eq!(running(), ["chrony"]);
    }
}
