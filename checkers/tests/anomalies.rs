//! Small histories of registers, and what is said of them.

use elenchus_checkers::build;
use elenchus_core::{CheckSpec, Finding, History, Verdict};

/// The notation of [`History::parse`], with the key after the function: `0 write x 1 ok`, `1 read x → 1`, `2 cas x 1 2 ok`.
fn history(text: &str) -> History {
    let line = |line: &str| match line.split_whitespace().collect::<Vec<_>>()[..] {
        [process, "cas", key, old, new, ref rest @ ..] => format!("{process}/{key} cas [{old} {new}] {}", rest.join(" ")),
        [process, f @ ("read" | "write"), key, ref rest @ ..] => format!("{process}/{key} {f} {}", rest.join(" ")),
        _ => line.to_owned(),
    };
    History::parse(&text.lines().map(line).collect::<Vec<_>>().join("\n")).expect("a history")
}

fn find(spec: &CheckSpec, text: &str) -> Finding {
    build(spec).expect("a checker").check(&history(text))
}

/// The verdict of each checker of a list: all are valid but those named, which are invalid.
fn breaks(text: &str, broken: &[&str]) {
    let all = [
        "linearizable",
        "sequential",
        "causal-memory",
        "causal-convergence",
        "causal",
        "pram",
        "read-your-writes",
        "monotonic-reads",
        "monotonic-writes",
        "writes-follow-reads",
    ];
    for name in all {
        let finding = find(&CheckSpec::new(name), text);
        let expected = if broken.contains(&name) { Verdict::Invalid } else { Verdict::Valid };
        assert_eq!(finding.verdict, expected, "{finding:#?}");
    }
}

/// The argument of the first anomaly.
fn argument(spec: &CheckSpec, text: &str) -> String {
    let finding = find(spec, text);
    assert_eq!(finding.verdict, Verdict::Invalid, "{finding:#?}");
    let anomaly = &finding.anomalies[0];
    format!("{}: {}\n{}", anomaly.name, anomaly.description, anomaly.argument.join("\n"))
}

fn says(checker: &str, text: &str, expected: &str) {
    let found = argument(&CheckSpec::new(checker), text);
    let expected = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    assert_eq!(found, expected, "\n{found}\n");
}

const ALL_ABOVE_SESSIONS: [&str; 6] = ["linearizable", "sequential", "causal-memory", "causal-convergence", "pram", "causal"];

fn above_sessions_and(also: &[&'static str]) -> Vec<&'static str> {
    ALL_ABOVE_SESSIONS.iter().chain(also).copied().collect()
}

#[test]
fn a_stale_read_of_another_session_is_sequential() {
    breaks("0 write x 1 ok \n 1 read x → nil", &["linearizable"]);
}

const DEKKER: &str = "
    0 write x 1 ok
    0 read y → nil
    1 write y 2 ok
    1 read x → nil";

#[test]
fn store_buffering_is_causal() {
    breaks(DEKKER, &["linearizable", "sequential"]);
    says(
        "sequential",
        DEKKER,
        r##"
         not-sequential: No total order of these operations respects every session and has every read return the latest write.
         #2 (process 0: read → nil on "y") still returned the initial value, so it precedes #4 (process 1: write 2 on "y").
         #6 (process 1: read → nil on "x") still returned the initial value, so it precedes #0 (process 0: write 1 on "x").
         But #4 (process 1: write 2 on "y"), then in its session #6 (process 1: read → nil on "x"), which precedes #0 (process 0: write 1 on "x"), then in its session #2 (process 0: read → nil on "y"): the first and the last of them would each have to precede the other."##,
    );
}

const FORGETS_OWN_WRITE: &str = "
    0 write x 1 ok
    0 read x → nil";

#[test]
fn read_your_writes() {
    breaks(FORGETS_OWN_WRITE, &above_sessions_and(&["read-your-writes"]));
    says(
        "read-your-writes",
        FORGETS_OWN_WRITE,
        r##"
         read-your-writes: A session read an older value than one that it had written.
         #2 (process 0: read → nil on "x") follows #0 (process 0: write 1 on "x") in its session.
         But it returned the initial value."##,
    );
    breaks("0 write x 1 ok \n 0 write x 2 ok \n 0 read x → 1", &above_sessions_and(&["read-your-writes"]));
}

const GOES_BACK: &str = "
    0 write x 1 ok
    1 write x 2 ok
    2 read x → 1
    2 read x → 2
    2 read x → 1";

#[test]
fn monotonic_reads() {
    breaks(GOES_BACK, &["linearizable", "sequential", "causal-memory", "causal-convergence", "pram", "monotonic-reads"]);
    says(
        "monotonic-reads",
        GOES_BACK,
        r##"
         monotonic-reads: A session read an older value than one that it had read before.
         #8 (process 2: read → 1 on "x") follows #6 (process 2: read → 2 on "x") in its session, which returned the value of #2 (process 1: write 2 on "x"). It returned the value of #0 (process 0: write 1 on "x"), which must therefore be newer.
         #6 (process 2: read → 2 on "x") follows #4 (process 2: read → 1 on "x") in its session, which returned the value of #0 (process 0: write 1 on "x"). It returned the value of #2 (process 1: write 2 on "x"), which must therefore be newer.
         So each of these versions would have to be newer than the others."##,
    );
    breaks("0 write x 1 ok \n 1 read x → 1 \n 1 read x → nil", &above_sessions_and(&["monotonic-reads"]));
    // The session goes back. No other process could tell which of the two is newer.
    breaks("0 write x 1 ok \n 0 write x 2 ok \n 1 read x → 2 \n 1 read x → 1", &above_sessions_and(&["monotonic-reads"]));
}

const OUT_OF_ORDER: &str = "
    0 write x 1 ok
    0 write y 2 ok
    1 read y → 2
    1 read x → nil";

#[test]
fn monotonic_writes() {
    breaks(OUT_OF_ORDER, &above_sessions_and(&["monotonic-writes"]));
    says(
        "monotonic-writes",
        OUT_OF_ORDER,
        r##"
         monotonic-writes: A session read a later write of another session, and then missed an earlier one.
         #6 (process 1: read → nil on "x") follows #4 (process 1: read → 2 on "y") in its session, which returned the value of #2 (process 0: write 2 on "y"), and that follows #0 (process 0: write 1 on "x").
         But it returned the initial value."##,
    );
}

const ANSWER_WITHOUT_QUESTION: &str = "
    0 write x 1 ok
    1 read x → 1
    1 write y 2 ok
    2 read y → 2
    2 read x → nil";

#[test]
fn writes_follow_reads() {
    let broken = ["linearizable", "sequential", "causal-memory", "causal-convergence", "causal", "writes-follow-reads"];
    breaks(ANSWER_WITHOUT_QUESTION, &broken);
    says(
        "writes-follow-reads",
        ANSWER_WITHOUT_QUESTION,
        r##"
         writes-follow-reads: A session read a write, and then missed a version that the writer had read before it.
         #8 (process 2: read → nil on "x") follows #6 (process 2: read → 2 on "y") in its session, which returned the value of #4 (process 1: write 2 on "y"), and that follows #2 (process 1: read → 1 on "x"), which returned the value of #0 (process 0: write 1 on "x").
         But it returned the initial value."##,
    );
    says(
        "causal",
        ANSWER_WITHOUT_QUESTION,
        r##"
         causality-violation: A session read a value that was causally overwritten.
         #0 (process 0: write 1 on "x"), read by #2 (process 1: read → 1 on "x"), then in its session #4 (process 1: write 2 on "y"), read by #6 (process 2: read → 2 on "y"), then in its session #8 (process 2: read → nil on "x"). But the last of them returned the initial value."##,
    );
}

const OPPOSITE_ORDERS: &str = "
    0 write x 1 ok
    1 write x 2 ok
    2 read x → 1
    2 read x → 2
    3 read x → 2
    3 read x → 1";

#[test]
fn opposite_orders_are_causal_memory_but_do_not_converge() {
    breaks(OPPOSITE_ORDERS, &["linearizable", "sequential", "causal-convergence"]);
    says(
        "causal-convergence",
        OPPOSITE_ORDERS,
        r##"
         not-convergent: No single order of these writes explains the reads of all sessions.
         #2 (process 1: write 2 on "x"), read by #8 (process 3: read → 2 on "x"), then in its session #10 (process 3: read → 1 on "x"). The last of them returned the value of #0 (process 0: write 1 on "x"), so #2 (process 1: write 2 on "x") precedes #0 (process 0: write 1 on "x").
         #0 (process 0: write 1 on "x"), read by #4 (process 2: read → 1 on "x"), then in its session #6 (process 2: read → 2 on "x"). The last of them returned the value of #2 (process 1: write 2 on "x"), so #0 (process 0: write 1 on "x") precedes #2 (process 1: write 2 on "x").
         But #0 (process 0: write 1 on "x"), which precedes #2 (process 1: write 2 on "x"): the first and the last of them would each have to precede the other."##,
    );
}

const LATE_ARRIVAL: &str = "
    0 write x 1 ok
    1 write z 9 ok
    1 write x 7 ok
    1 write y 5 ok
    2 read x → 1
    2 read z → nil
    2 read y → 5
    2 read x → 1";

/// A store in which the last writer wins takes a late write for older than what was already seen. No view of one session does.
#[test]
fn last_writer_wins_converges_but_has_no_views() {
    breaks(LATE_ARRIVAL, &["linearizable", "sequential", "causal-memory", "pram"]);
    says(
        "pram",
        LATE_ARRIVAL,
        r##"
         not-pram: No order of these writes respects the sessions that wrote them and explains the reads of one session.
         #4 (process 1: write 7 on "x"), then in its session #6 (process 1: write 5 on "y"), read by #12 (process 2: read → 5 on "y"), then in its session #14 (process 2: read → 1 on "x"). The last of them returned the value of #0 (process 0: write 1 on "x"), so #4 (process 1: write 7 on "x") precedes #0 (process 0: write 1 on "x").
         #2 (process 1: write 9 on "z"), then in its session #4 (process 1: write 7 on "x"), which precedes #0 (process 0: write 1 on "x"), read by #8 (process 2: read → 1 on "x"), then in its session #10 (process 2: read → nil on "z"). But the last of them returned the initial value."##,
    );
}

#[test]
fn own_future() {
    let text = "0 read x → 1 \n 0 write x 1 ok";
    breaks(text, &ALL_ABOVE_SESSIONS);
    says(
        "causal",
        text,
        r##"
         causality-violation: A session read a value that was causally overwritten.
         #0 (process 0: read → 1 on "x"), then in its session #2 (process 0: write 1 on "x"). But the first of them returned the value that the last one wrote."##,
    );
    says(
        "regular-register",
        text,
        r##"
         future-read: A read returned a value that was written only later.
         #0 (process 0: read → 1 on "x") completed before #2 (process 0: write 1 on "x") began."##,
    );
}

#[test]
fn thin_air() {
    let text = "0 write x 1 ok \n 1 read x → 7";
    for name in ["sequential", "causal", "pram", "monotonic-reads", "regular-register", "safe-register", "k-atomic", "eventual"] {
        assert_eq!(find(&CheckSpec::new(name), text).anomalies[0].name, "thin-air-read", "{name}");
    }
    says(
        "eventual",
        text,
        r##"
         thin-air-read: An operation read a value that no operation wrote.
         No operation that may have taken effect wrote the value that #2 (process 1: read → 7 on "x") read."##,
    );
    // A failed write did not happen; a crashed one may have.
    assert_eq!(find(&CheckSpec::new("causal"), "0 write x 1 \n 0 fail \n 1 read x → 1").verdict, Verdict::Invalid);
    assert_eq!(find(&CheckSpec::new("causal"), "0 write x 1 \n 0 info \n 1 read x → 1").verdict, Verdict::Valid);
}

const INVERSION: &str = "
    0 write x 1
    1 read x → 1
    2 read x → nil
    0 ok";

#[test]
fn regular_and_safe() {
    breaks(INVERSION, &["linearizable"]);
    let verdict = |name, text| find(&CheckSpec::new(name), text).verdict;
    assert_eq!(verdict("regular-register", INVERSION), Verdict::Valid);
    let stale = "0 write x 1 ok \n 0 write x 2 ok \n 1 read x → 1";
    assert_eq!(verdict("safe-register", stale), Verdict::Invalid);
    says(
        "regular-register",
        stale,
        r##"
         stale-read: A read returned a value that had been overwritten before the read began.
         #0 (process 0: write 1 on "x") completed before #2 (process 0: write 2 on "x") began, and that completed before #4 (process 1: read → 1 on "x") began."##,
    );
    let garbled = "0 write x 1 ok \n 0 write x 2 ok \n 0 write x 3 \n 1 read x → 77 \n 0 ok";
    assert_eq!(verdict("regular-register", garbled), Verdict::Invalid);
    assert_eq!(verdict("safe-register", garbled), Verdict::Valid);
}

const TWO_BEHIND: &str = "
    0 write x 1 ok
    0 write x 2 ok
    0 write x 3 ok
    1 read x → 1";

#[test]
fn staleness() {
    assert_eq!(find(&CheckSpec::new("k-atomic").with("k", 3), TWO_BEHIND).verdict, Verdict::Valid);
    says(
        "k-atomic",
        TWO_BEHIND,
        r##"
         stale-read: A read was stale by at least 2 versions and 3.000 ms.
         The value of #0 (process 0: write 1 on "x") was visible when it returned.
         #2 (process 0: write 2 on "x") began later and returned before the read began.
         #4 (process 0: write 3 on "x") began later and returned before the read began.
         But #6 (process 1: read → 1 on "x") still returned the first of these values."##,
    );
    let finding = find(&CheckSpec::new("bounded-staleness"), TWO_BEHIND);
    assert_eq!(finding.verdict, Verdict::Valid);
    assert_eq!(finding.details["worst_versions"], 2);
    // The version it returned was overwritten at 3 ms; it began at 6 ms.
    assert_eq!(finding.details["worst_age_ns"], 3_000_000);
    assert_eq!(finding.details["reads_by_versions"]["2"], 1);
    let bounded = |option, bound: f64| find(&CheckSpec::new("bounded-staleness").with(option, bound), TWO_BEHIND).verdict;
    assert_eq!(find(&CheckSpec::new("bounded-staleness").with("versions", 1), TWO_BEHIND).verdict, Verdict::Invalid);
    assert_eq!(find(&CheckSpec::new("bounded-staleness").with("versions", 2), TWO_BEHIND).verdict, Verdict::Valid);
    assert_eq!(bounded("age", 0.002), Verdict::Invalid);
    assert_eq!(bounded("age", 0.004), Verdict::Valid);
}

#[test]
fn eventual() {
    let verdict = |spec: CheckSpec, text| find(&spec, text).verdict;
    let apart = "0 write x 1 ok \n 1 read x → nil \n 2 read x → 1";
    assert_eq!(verdict(CheckSpec::new("eventual"), apart), Verdict::Unknown);
    assert_eq!(verdict(CheckSpec::new("eventual").with("within", 1), apart), Verdict::Unknown);
    assert_eq!(verdict(CheckSpec::new("eventual").with("within", 0.0001), apart), Verdict::Invalid);
    let converged = "0 write x 1 ok \n 1 read x → nil \n 2 read x → 1 \n 1 read x → 1";
    assert_eq!(verdict(CheckSpec::new("eventual"), converged), Verdict::Valid);
    assert_eq!(find(&CheckSpec::new("eventual"), converged).details["slowest_convergence_ns"], 3_000_000);
    assert_eq!(verdict(CheckSpec::new("eventual"), "0 write x 1 ok"), Verdict::Unknown);
    // The crashed write may take effect between the two reads.
    let excused = "3 write x 2 \n 3 info \n 0 write x 1 ok \n 1 read x → 1 \n 2 read x → 2";
    assert_eq!(verdict(CheckSpec::new("eventual").with("within", 0.0001), excused), Verdict::Unknown);
}

#[test]
fn strongest() {
    let finding = find(&CheckSpec::new("strongest"), OPPOSITE_ORDERS);
    assert_eq!(finding.verdict, Verdict::Valid);
    assert_eq!(finding.details["strongest"], serde_json::json!(["causal-memory", "k-atomic"]));
    assert_eq!(finding.details["ruled_out"], serde_json::json!(["causal-convergence", "safe-register"]));
    assert_eq!(finding.summary, "holds: causal-memory, k-atomic; violated: causal-convergence, safe-register; undecided: eventual");
    let rules_out: Vec<&str> = finding.anomalies.iter().map(|anomaly| anomaly.name.as_str()).collect();
    assert_eq!(rules_out, ["not-convergent", "stale-read"]);
    assert_eq!(find(&CheckSpec::new("strongest").with("at-least", "causal"), OPPOSITE_ORDERS).verdict, Verdict::Valid);
    assert_eq!(find(&CheckSpec::new("strongest").with("at-least", "sequential"), OPPOSITE_ORDERS).verdict, Verdict::Invalid);
    let atomic = find(&CheckSpec::new("strongest"), "0 write x 1 ok \n 1 read x → 1");
    assert_eq!(atomic.summary, "holds: linearizable");
    let nothing = find(&CheckSpec::new("strongest"), "0 read x → 3");
    assert_eq!(nothing.verdict, Verdict::Invalid, "{nothing:#?}");
}

#[test]
fn unknown_verdicts_state_the_reason() {
    let finding = find(&CheckSpec::new("causal"), "0 write x 1 \n 0 write x 2");
    assert_eq!(finding.verdict, Verdict::Unknown);
    let repeated = "0 write x 1 ok \n 1 write x 1 ok \n 2 write x 2 ok \n 0 read x → 2 \n 0 read x → 1 \n 1 read x → 1 \n 1 read x → 2";
    let finding = find(&CheckSpec::new("causal-convergence"), repeated);
    assert_eq!(
        finding.summary,
        "undecided: 2 operations read a value that several operations wrote, so its source is ambiguous; use a unique value for every write"
    );
}
