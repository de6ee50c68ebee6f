//! Services that correct a machine's clock: stopped while it is to be wrong, and started again.
//!
//! The node's service manager (systemd, OpenRC or System V) finds and stops them; if they were merely paused, a watchdog would restart them.

/// The names of the services in distributions.
const SERVICES: &str = "systemd-timesyncd chronyd chrony ntpd ntp ntpsec openntpd";

/// The file with the services that ran, a line for each.
const LIST: &str = "/run/elenchus/timekeepers";

/// Shell functions for any service manager: `service start chrony`, `runs chrony`.
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

/// Stops the services that run, after writing their names down.
pub(super) fn hold_off() -> String {
    format!(
        "{SERVICE}mkdir -p /run/elenchus\n\
         if [ ! -e {LIST} ]; then\n\
         \x20 for keeper in {SERVICES}; do if runs $keeper; then echo $keeper; fi; done >{LIST}.new && mv {LIST}.new {LIST} || exit 1\n\
         fi\n\
         while read -r keeper; do service stop \"$keeper\" </dev/null >/dev/null || exit 1; done <{LIST}\n"
    )
}

/// Starts the services that were stopped, and deletes the file when they run.
pub(super) fn put_back() -> String {
    format!(
        "{SERVICE}if [ -e {LIST} ]; then\n\
         \x20 while read -r keeper; do runs \"$keeper\" </dev/null || service start \"$keeper\" </dev/null >/dev/null || exit 1; done <{LIST}\n\
         \x20 rm -f {LIST}\n\
         fi\n"
    )
}

/// Fails while the file exists.
pub(super) fn assert_back() -> String {
    format!("if [ -e {LIST} ]; then echo 'these NTP services were not started again:' $(cat {LIST}) >&2; exit 1; fi\n")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Runs a script with a fake service manager that keeps a file for each running service.
    fn sh(folder: &std::path::Path, script: &str) -> bool {
        let path = format!("{}:{}", folder.join("bin").display(), std::env::var("PATH").unwrap());
        let script = script.replace("/run/elenchus", folder.join("run").to_str().unwrap());
        Command::new("sh").arg("-c").arg(script).env("PATH", path).env("UP", folder.join("up")).status().unwrap().success()
    }

    #[test]
    fn only_services_that_ran_are_started_again() {
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
