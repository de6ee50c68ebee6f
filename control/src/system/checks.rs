//! Checks of a definition before it is used.

use std::collections::BTreeMap;

use super::{Definition, LogPatterns, SystemError};

/// Parses a file mode written in octal.
pub(super) fn octal(definition: &Definition, mode: &str) -> Result<u32, SystemError> {
    u32::from_str_radix(mode, 8)
        .ok()
        .filter(|mode| *mode <= 0o7777)
        .ok_or_else(|| wrong(definition, format!("`{mode}` is not a file mode; write it in octal, such as \"0644\"")))
}

fn wrong(definition: &Definition, message: String) -> SystemError {
    SystemError::Definition { system: definition.name.clone(), message }
}

/// Checks the constraints that the types do not express.
pub(super) fn definition(definition: &Definition) -> Result<(), SystemError> {
    let is_plain =
        |text: &str| !text.is_empty() && text.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-');
    if !is_plain(&definition.name) {
        return Err(wrong(definition, "the name must consist of lower-case letters, digits and `-`".into()));
    }
    let signal = definition.stop.signal.as_str();
    if signal.is_empty() || !signal.chars().all(|char| char.is_ascii_alphanumeric()) || signal.starts_with("SIG") {
        return Err(wrong(definition, format!("stop.signal is `{signal}`; expected a signal without `SIG`, such as TERM or INT")));
    }
    if definition.start.command.trim().is_empty() {
        return Err(wrong(definition, "start.command is empty; expected the command line that runs the system in the foreground".into()));
    }
    if let Some(name) =
        definition.start.environment.keys().find(|name| !name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_'))
    {
        return Err(wrong(definition, format!("start.environment: `{name}` is not a valid variable name")));
    }
    for mode in definition.upload.iter().map(|upload| &upload.mode).chain(definition.files.iter().map(|file| &file.mode)) {
        octal(definition, mode)?;
    }
    LogPatterns::new(definition).map(drop)
}

/// The definition's options, with the values that the plan sets.
pub(super) fn options(definition: &Definition, set: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, SystemError> {
    let mut options = definition.options.clone();
    for (name, value) in set {
        if options.insert(name.clone(), value.clone()).is_none() {
            let nearest = elenchus_core::suggest::nearest(name, definition.options.keys().map(String::as_str));
            let hint = nearest.map(|word| format!("; did you mean `{word}`?")).unwrap_or_default();
            let known: Vec<&str> = definition.options.keys().map(String::as_str).collect();
            return Err(wrong(definition, format!("there is no option `{name}`{hint} (options: {})", known.join(", "))));
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::System;
    use super::*;

    fn nodes() -> Vec<(String, String)> {
        (1..=5).map(|number| (format!("n{number}"), format!("10.0.0.{number}"))).collect()
    }

    fn rejection(yaml: &str, set: &[(&str, &str)]) -> String {
        let definition: Definition = serde_yaml::from_str(yaml).unwrap();
        let set = set.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        System::new(definition, &set, Path::new("."), &nodes()).expect_err(yaml).to_string()
    }

    #[test]
    fn the_shipped_definitions_are_valid() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systems");
        for name in ["etcd", "specimen"] {
            let text = std::fs::read_to_string(folder.join(format!("{name}.yaml"))).unwrap();
            let definition: Definition = serde_yaml::from_str(&text).unwrap();
            assert_eq!(definition.name, name);
            let system = System::new(definition, &BTreeMap::new(), &folder, &nodes()).unwrap();
            let command = &system.on("n2").unwrap().daemon.command;
            assert!(command.contains("n5=") && command.contains("10.0.0.5"), "{command}");
        }
    }

    #[test]
    fn invalid_definitions_are_rejected_with_an_explanation() {
        let start = "start: {command: sleep 1}";
        assert!(rejection(&format!("name: x\noptions: {{defect: none}}\n{start}"), &[("defct", "a")]).contains("did you mean `defect`?"));
        assert!(rejection(&format!("name: X Y\n{start}"), &[]).contains("lower-case"));
        assert!(rejection(&format!("name: x\ndata: [/]\n{start}"), &[]).contains("data[0] is `/`"));
        assert!(
            rejection(&format!("name: x\noptions: {{d: \"\"}}\ndata: ['/srv/{{{{ options.d }}}}']\n{start}"), &[])
                .contains("two folders deep")
        );
        assert!(rejection(&format!("name: x\nfiles: [{{path: /a/b, mode: rw, content: ''}}]\n{start}"), &[]).contains("octal"));
        assert!(rejection(&format!("name: x\nstop: {{signal: SIGTERM}}\n{start}"), &[]).contains("TERM"));
        assert!(
            rejection(&format!("name: x\nlog_patterns: [{{name: a, pattern: '('}}]\n{start}"), &[]).contains("log_patterns[0].pattern")
        );
    }
}
