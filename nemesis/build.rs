//! Builds the helper as a static program, to be carried inside this crate: for machines of this kind, and for those of the other kinds whose target for musl is
//! installed in the toolchain.
//!
//! By a cargo of its own: only so can a crate hold a program that is built otherwise than itself. Its folder is its own too, so that neither cargo waits for the
//! other, and it needs no network, as this crate depends on the helper's library and with it on all that the helper needs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR")).join("agent/Cargo.toml");
    for source in ["agent/src", "agent/Cargo.toml", "build.rs"] {
        println!("cargo::rerun-if-changed={source}");
    }
    let out = PathBuf::from(variable("OUT_DIR"));
    let own = variable("CARGO_CFG_TARGET_ARCH");
    let mut programs = vec![(own.clone(), build_own(&manifest, &out, &own))];
    for other in MACHINES.into_iter().filter(|other| *other != own && is_installed(&musl(other))) {
        // What Rust brings for musl links without a compiler for that machine.
        match build(&manifest, &out, &musl(other), &["-Ctarget-feature=+crt-static", "-Clinker=rust-lld", "-Clink-self-contained=yes"]) {
            Ok(built) => programs.push((other.to_owned(), built)),
            Err(why) => println!("cargo::warning=the helper for nodes of the kind {other} could not be built: {why}"),
        }
    }
    let rows: Vec<String> = programs
        .iter()
        .map(|(machine, built)| format!("    ({machine:?}, include_bytes!({:?})),\n", built.display().to_string()))
        .collect();
    let table = format!("&[\n{}]\n", rows.concat());
    fs::write(out.join("programs.rs"), table).unwrap_or_else(|error| panic!("{}: {error}", out.display()));
}

/// The kinds of machines that nodes may be, as `uname -m` and Rust say it.
const MACHINES: [&str; 2] = ["x86_64", "aarch64"];

fn musl(machine: &str) -> String {
    format!("{machine}-unknown-linux-musl")
}

/// Builds the program for machines of the kind that this crate is built for, and returns where it is.
fn build_own(manifest: &Path, out: &Path, machine: &str) -> PathBuf {
    let (musl, gnu) = (musl(machine), format!("{machine}-unknown-linux-gnu"));
    // Rust's musl brings all it needs; for a static glibc the machine must have `libc.a`, as Debian's libc6-dev and Fedora's glibc-static bring it.
    let target = if is_installed(&musl) { &musl } else { &gnu };
    let built = build(manifest, out, target, &["-Ctarget-feature=+crt-static"]).or_else(|why| {
        let dynamic = build(manifest, out, target, &[])?;
        println!(
            "cargo::warning=the helper for nodes could not be linked statically, so that it runs only on nodes whose glibc is not older than this machine's; \
             `rustup target add {musl}` mends this ({why})"
        );
        Ok::<PathBuf, String>(dynamic)
    });
    built.unwrap_or_else(|why| panic!("the helper for nodes could not be built: {why}"))
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}

/// Whether Rust's libraries for a target are there.
fn is_installed(target: &str) -> bool {
    let output = Command::new(variable("RUSTC")).args(["--print", "target-libdir", "--target", target]).output();
    output.is_ok_and(|output| output.status.success() && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}

/// Builds the program, and returns where it is, or what cargo said last.
fn build(manifest: &Path, out: &Path, target: &str, flags: &[&str]) -> Result<PathBuf, String> {
    let folder = out.join("agent");
    let mut cargo = Command::new(variable("CARGO"));
    // What the outer cargo was told, as by clippy or by a profiler, is not for this one. The number of jobs is: it is shared by CARGO_MAKEFLAGS.
    for (name, _) in env::vars() {
        let is_for_cargo = name.starts_with("CARGO_") && !["CARGO_HOME", "CARGO_MAKEFLAGS"].contains(&name.as_str());
        if is_for_cargo || ["RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER", "RUSTDOCFLAGS", "TARGET", "HOST", "OUT_DIR"].contains(&name.as_str()) {
            cargo.env_remove(name);
        }
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    cargo.args(["build", "--quiet", "--offline", "--profile=agent", "--bin=elenchus-agent", "--target", target]);
    cargo.arg("--manifest-path").arg(manifest).arg("--target-dir").arg(&folder);
    let output = cargo.output().map_err(|error| format!("cargo: {error}"))?;
    if output.status.success() {
        Ok(folder.join(target).join("agent").join("elenchus-agent"))
    } else {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("cargo said nothing").to_owned())
    }
}
