//! The agent's command line: the commands that fault scripts run. It is not meant to be typed by people.

use std::process::{Command, ExitCode};

use elenchus_agent::change::ClockChange;
use elenchus_agent::clock::{self, Clocks};
use elenchus_agent::disk::Writes;
use elenchus_agent::disk::serve::{self, Mount};
use elenchus_agent::link;
use elenchus_agent::machine::{KernelClock, MachineClock};
use elenchus_agent::power::{self, Action, Identity};
use elenchus_agent::proxy;

const USAGE: &str = "commands: \
                     clock trial | clock begin ID MEMBERS CHANGE… | clock keep ID | clock apply ID | clock verify ID | clock end ID | clock verify-ended ID | \
                     clock end-all | clock read | \
                     disk trial | disk mount DIRECTORY [through] | disk order DIRECTORY ORDER… | disk verify DIRECTORY [ID] | disk verify-gone DIRECTORY [ID] | \
                     disk unmount DIRECTORY | disk calm-all | disk unmount-all | \
                     machine trial|begin|keep|verify|end BOOT_ID [CHANGE…] | machine verify-ended BOOT_ID | \
                     power trial BOOT_ID NAMESPACE | power restart|off BOOT_ID NAMESPACE [orderly] | \
                     link trial | link run SEED SETTINGS… | proxy trial | proxy run PORT SEED SETTINGS…";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match execute(&words.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(said) => {
            print!("{said}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// Executes a command and returns what it prints.
fn execute(words: &[&str]) -> elenchus_agent::Result<String> {
    let clocks = Clocks::default();
    let id = |word: &str| word.parse::<u32>().map_err(|_| format!("`{word}` is not an injection id"));
    let number = |word: &str| word.parse::<u64>().map_err(|_| format!("`{word}` is not a seed"));
    let nothing = |()| String::new();
    match *words {
        ["clock", "trial-child"] => {
            clock::trial_child();
            Ok(String::new())
        }
        ["clock", "trial"] => clock::trial(self_command(&["clock", "trial-child"])?).map(nothing),
        ["clock", "begin", one, members, ref change @ ..] => {
            clocks.begin(id(one)?, members, ClockChange::from_words(change)?).map(|pids| lines(&pids))
        }
        ["clock", "apply", one] => clocks.apply(id(one)?).map(|pids| lines(&pids)),
        ["clock", "keep", one] => {
            self_command(&[])?;
            clocks.keep(id(one)?, || self_command(&["clock", "apply", one]).unwrap_or_else(|_| Command::new("false"))).map(nothing)
        }
        ["clock", "verify", one] => clocks.verify(id(one)?).map(nothing),
        ["clock", "end", one] => clocks.end(id(one)?).map(nothing),
        ["clock", "verify-ended", one] => clocks.verify_ended(id(one)?).map(nothing),
        ["clock", "end-all"] => clocks.end_all().map(nothing),
        ["clock", "read"] => Ok(clocks.readings()?.into_iter().map(|(pid, ahead)| format!("{pid} {ahead}\n")).collect()),
        ["disk", ref order @ ..] => disk(order),
        // The boot identifier is the control node's, whose clock must not be set.
        ["machine", order, boot_id, ref change @ ..] => {
            let clock = MachineClock::new(KernelClock::except_on(boot_id)?, "/run/elenchus/machine-clock");
            let done = match order {
                "trial" => Ok(()),
                "begin" => clock.begin(ClockChange::from_words(change)?),
                "keep" => clock.keep(),
                "verify" => clock.verify(),
                "end" => clock.end(),
                "verify-ended" => clock.verify_ended(),
                _ => Err(format!("`machine {order}` is not a command; {USAGE}")),
            };
            done.map(nothing)
        }
        // The identity is the control node's, which must not go down.
        ["power", order, boot_id, processes, ref kind @ ..] => {
            let control = Identity { boot_id: boot_id.into(), processes: processes.into() };
            let is_orderly = match *kind {
                [] => false,
                ["orderly"] => true,
                _ => return Err(format!("`{}` is not a kind of shutdown; {USAGE}", kind.join(" "))),
            };
            let done = match order {
                "trial" => power::trial(&control),
                "restart" => power::shut_down(Action::Restart, is_orderly, &control),
                "off" => power::shut_down(Action::PowerOff, is_orderly, &control),
                _ => Err(format!("`power {order}` is not a command; {USAGE}")),
            };
            done.map(nothing)
        }
        ["link", "trial"] => link::trial().map(nothing),
        ["link", "run", seed, ref settings @ ..] => link::run(&link::Settings::from_words(settings)?, number(seed)?).map(nothing),
        ["proxy", "trial"] => proxy::trial().map(nothing),
        ["proxy", "run", port, seed, ref settings @ ..] => {
            let port = port.parse().map_err(|_| format!("`{port}` is not a port"))?;
            proxy::run(port, &proxy::Settings::from_words(settings)?, number(seed)?).map(nothing)
        }
        _ => Err(format!("`{}` is not a command; {USAGE}", words.join(" "))),
    }
}

/// Executes a command about a directory that is mounted over.
fn disk(words: &[&str]) -> elenchus_agent::Result<String> {
    let nothing = |()| String::new();
    let next = |order: &str, directory: &str, writes: &[&str]| self_command(&[&["disk", order, directory], writes].concat());
    let mount = |directory: &str, writes: &[&str]| {
        let mount = Mount::of(directory)?;
        mount.mount(Writes::from_words(writes)?, next("keep", directory, writes)?)
    };
    match *words {
        ["trial"] => serve::trial(|directory| mount(directory, &[])).map(nothing),
        ["mount", directory, ref writes @ ..] => mount(directory, writes).map(nothing),
        ["keep", directory, ref writes @ ..] => Mount::of(directory)?.keep(next("carry", directory, writes)?).map(nothing),
        ["carry", directory, ref writes @ ..] => Mount::of(directory)?.carry(Writes::from_words(writes)?).map(nothing),
        ["order", directory, ref order @ ..] => Mount::of(directory)?.order(order),
        ["verify", directory] => Mount::of(directory)?.verify().map(nothing),
        ["verify", directory, id] => Mount::of(directory)?.verify_rule(id, true).map(nothing),
        ["verify-gone", directory] => Mount::of(directory)?.verify_gone().map(nothing),
        ["verify-gone", directory, id] => Mount::of(directory)?.verify_rule(id, false).map(nothing),
        ["unmount", directory] => Mount::of(directory)?.unmount().map(nothing),
        ["calm", directory, id] => Mount::of(directory)?.calm(id).map(nothing),
        ["calm-all"] => serve::all()?.iter().try_for_each(|mount| mount.calm("all")).map(nothing),
        ["unmount-all"] => serve::all()?.iter().try_for_each(Mount::unmount).map(nothing),
        _ => Err(format!("`disk {}` is not a command; {USAGE}", words.join(" "))),
    }
}

fn lines(pids: &[i32]) -> String {
    pids.iter().map(|pid| format!("{pid}\n")).collect()
}

/// This program, with other arguments.
fn self_command(words: &[&str]) -> elenchus_agent::Result<Command> {
    let mut command = Command::new(std::env::current_exe().map_err(|error| format!("the path of this program: {error}"))?);
    command.args(words);
    Ok(command)
}
