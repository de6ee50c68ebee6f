//! Builds the agent as a static program, to be embedded in this crate: for the machine type of this build, and for the others whose musl target is installed in the
//! toolchain.
//!
//! A nested cargo does it, as a crate cannot otherwise embed a program built with other settings than its own. It has a target directory of its own, so that neither
//! cargo waits for the other, and needs no network, as this crate depends on the agent's library and so on everything that the agent needs.
//!
//! The nested build is on the critical path of every first build, so it is unoptimized, but for a distribution: the outer profile `dist` (see the root `Cargo.toml`), or
//! `ELENCHUS_AGENT_PROFILE=dist`, selects the profile `agent`, which is small and fast and takes three times as long to build.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR")).join("agent/Cargo.toml");
    for source in ["agent/src", "agent/Cargo.toml", "../Cargo.toml", "build.rs"] {
        println!("cargo::rerun-if-changed={source}");
    }
    println!("cargo::rerun-if-env-changed=ELENCHUS_AGENT_PROFILE");
    let out = PathBuf::from(variable("OUT_DIR"));
    let own = variable("CARGO_CFG_TARGET_ARCH");
    let mut programs = vec![(own.clone(), build_own(&manifest, &out, &own))];
    for other in MACHINES.into_iter().filter(|other| *other != own && is_installed(&musl(other))) {
        // Rust's musl target links without a cross compiler.
        match build(&manifest, &out, &musl(other), &["-Ctarget-feature=+crt-static", "-Clinker=rust-lld", "-Clink-self-contained=yes"]) {
            Ok(built) => programs.push((other.to_owned(), built)),
            Err(why) => println!("cargo::warning=the agent for {other} nodes could not be built: {why}"),
        }
    }
    let rows: Vec<String> = programs
        .iter()
        .map(|(machine, built)| format!("    ({machine:?}, include_bytes!({:?})),\n", built.display().to_string()))
        .collect();
    let table = format!("&[\n{}]\n", rows.concat());
    fs::write(out.join("programs.rs"), table).unwrap_or_else(|error| panic!("{}: {error}", out.display()));
}

/// The machine types that nodes may have, as `uname -m` and Rust name them.
const MACHINES: [&str; 2] = ["x86_64", "aarch64"];

fn musl(machine: &str) -> String {
    format!("{machine}-unknown-linux-musl")
}

/// Builds the program for the machine type of this build, and returns its path.
fn build_own(manifest: &Path, out: &Path, machine: &str) -> PathBuf {
    let (musl, gnu) = (musl(machine), format!("{machine}-unknown-linux-gnu"));
    // Rust's musl target is self-contained; a static glibc needs `libc.a`, which is in Debian's libc6-dev and Fedora's glibc-static.
    let target = if is_installed(&musl) { &musl } else { &gnu };
    let built = build(manifest, out, target, &["-Ctarget-feature=+crt-static"]).or_else(|why| {
        let dynamic = build(manifest, out, target, &[])?;
        println!(
            "cargo::warning=the agent could not be linked statically, so it runs only on nodes whose glibc is not older than this machine's; to fix this, run \
             `rustup target add {musl}` ({why})"
        );
        Ok::<PathBuf, String>(dynamic)
    });
    built.unwrap_or_else(|why| panic!("the agent could not be built: {why}"))
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}

/// Whether a target is installed in the toolchain.
fn is_installed(target: &str) -> bool {
    let output = Command::new(variable("RUSTC")).args(["--print", "target-libdir", "--target", target]).output();
    output.is_ok_and(|output| output.status.success() && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}

/// Whether this is a build for distribution.
fn is_dist() -> bool {
    match env::var("ELENCHUS_AGENT_PROFILE") {
        Ok(profile) => profile == "dist",
        // `OUT_DIR` is `<target>/<profile>/build/<package>/out`, and the environment names only the profile that the outer one inherits from.
        Err(_) => Path::new(&variable("OUT_DIR")).ancestors().nth(3).is_some_and(|profile| profile.ends_with("dist")),
    }
}

/// The settings that make the nested build cheap.
const CHEAP: [&str; 4] = ["opt-level=0", "lto=\"off\"", "codegen-units=256", "incremental=false"];

/// Builds the program, and returns its path, or the last line of cargo's output.
fn build(manifest: &Path, out: &Path, target: &str, flags: &[&str]) -> Result<PathBuf, String> {
    let directory = out.join("agent");
    let mut cargo = Command::new(variable("CARGO"));
    // Settings of the outer cargo, as by clippy or a profiler, must not reach this one, but for the job limit, which CARGO_MAKEFLAGS shares.
    for (name, _) in env::vars() {
        let is_for_cargo = name.starts_with("CARGO_") && !["CARGO_HOME", "CARGO_MAKEFLAGS"].contains(&name.as_str());
        if is_for_cargo || ["RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER", "RUSTDOCFLAGS", "TARGET", "HOST", "OUT_DIR"].contains(&name.as_str()) {
            cargo.env_remove(name);
        }
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    cargo.args(["build", "--quiet", "--offline", "--profile=agent", "--bin=elenchus-agent", "--target", target]);
    cargo.arg("--manifest-path").arg(manifest).arg("--target-dir").arg(&directory);
    if !is_dist() {
        cargo.args(CHEAP.iter().flat_map(|setting| ["--config".to_owned(), format!("profile.agent.{setting}")]));
    }
    let output = cargo.output().map_err(|error| format!("cargo: {error}"))?;
    if output.status.success() {
        Ok(directory.join(target).join("agent").join("elenchus-agent"))
    } else {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("cargo printed nothing").to_owned())
    }
}
