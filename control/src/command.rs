//! Commands for a node, and their output.

use std::time::Duration;

/// The default time-out of a command.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// A command for a node's shell. Arguments are quoted: they reach the program unchanged.
///
/// ```
/// use elenchus_control::Command;
///
/// let command = Command::new("touch").arg("a b; reboot").dir("/tmp");
/// assert_eq!(command.render(), "cd /tmp || exit; exec touch 'a b; reboot'");
/// ```
#[derive(Clone, Debug)]
pub struct Command {
    text: String,
    is_script: bool,
    dir: Option<String>,
    env: Vec<(String, String)>,
    pub(crate) stdin: Vec<u8>,
    pub(crate) timeout: Duration,
    pub(crate) privileged: bool,
}

impl Command {
    /// A program, looked up in the node's PATH.
    pub fn new(program: &str) -> Command {
        Command {
            text: quote(program),
            is_script: false,
            dir: None,
            env: Vec::new(),
            stdin: Vec::new(),
            timeout: DEFAULT_TIMEOUT,
            privileged: true,
        }
    }

    /// A script for `sh`, passed on unchanged.
    pub fn sh(script: &str) -> Command {
        Command { text: script.to_owned(), is_script: true, ..Command::new("sh") }
    }

    /// Adds an argument. It reaches the program unchanged, except that NUL bytes are dropped, which no argument can contain. For a script, it is appended as
    /// a quoted word.
    pub fn arg(mut self, arg: impl AsRef<str>) -> Command {
        self.text.push(' ');
        self.text.push_str(&quote(arg.as_ref()));
        self
    }

    /// Adds arguments.
    pub fn args<A: AsRef<str>>(self, args: impl IntoIterator<Item = A>) -> Command {
        args.into_iter().fold(self, Command::arg)
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Command {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the working directory.
    pub fn dir(mut self, dir: &str) -> Command {
        self.dir = Some(dir.to_owned());
        self
    }

    /// Sets the content of standard input, which is empty by default.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Command {
        self.stdin = bytes.into();
        self
    }

    /// Sets the time-out; [`DEFAULT_TIMEOUT`] by default.
    pub fn timeout(mut self, timeout: Duration) -> Command {
        self.timeout = timeout;
        self
    }

    /// Sets whether it runs as root; true by default.
    pub fn sudo(mut self, privileged: bool) -> Command {
        self.privileged = privileged;
        self
    }

    /// The line for a POSIX shell.
    pub fn render(&self) -> String {
        let mut line = String::new();
        if let Some(dir) = &self.dir {
            // A script has several commands: after a failed `cd`, none of them may run.
            line.push_str(&format!("cd {} || exit; ", quote(dir)));
        }
        for (name, value) in &self.env {
            line.push_str(&format!("export {name}={}; ", quote(value)));
        }
        if !self.is_script {
            line.push_str("exec ");
        }
        line.push_str(&self.text);
        line
    }
}

/// Quotes a text as one word of a POSIX shell.
pub fn quote(text: &str) -> String {
    let text = text.replace('\0', "");
    shlex::try_quote(&text).map_or_else(|_| "''".to_owned(), |quoted| quoted.into_owned())
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this status; 0 is success.
    Code(u32),
    /// A signal killed it, named without `SIG`.
    Signal(String),
}

impl Exit {
    /// Whether the exit status is 0.
    pub fn is_success(&self) -> bool {
        *self == Exit::Code(0)
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Exit::Code(code) => write!(out, "exit status {code}"),
            Exit::Signal(signal) => write!(out, "killed by SIG{signal}"),
        }
    }
}

/// The result of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// How it ended.
    pub status: Exit,
}

impl Output {
    /// Standard output as text, trimmed.
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim().to_owned()
    }

    /// The end of its output, at most about 1000 characters: of standard error, or of standard output if standard error is blank.
    pub fn tail(&self) -> String {
        let stream = if self.stderr.iter().any(|byte| !byte.is_ascii_whitespace()) { &self.stderr } else { &self.stdout };
        let text = String::from_utf8_lossy(stream);
        let text = text.trim();
        let skipped = text.char_indices().rev().nth(1000).map_or(0, |(at, _)| at);
        text[skipped..].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_shell_passes_every_argument_unchanged(args in prop::collection::vec("\\PC{0,12}|[ '\"$`\\\\\n!*;&|<>(){}#~]{0,12}", 1..5)) {
            let command = Command::new("printf").arg("%s\\0").args(&args);
            let out = std::process::Command::new("/bin/sh").arg("-c").arg(command.render()).output().unwrap();
            let expected: String = args.iter().map(|arg| format!("{arg}\0")).collect();
            prop_assert_eq!(String::from_utf8(out.stdout).unwrap(), expected);
        }
    }
}
