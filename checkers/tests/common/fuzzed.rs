//! Histories from bytes.

use elenchus_checkers::linearizable::{LinearizableOptions, check};
use elenchus_checkers::models::*;
use elenchus_core::{Model, Value, Verdict};

use super::{Choice, Vocabulary, history, oracle};

/// The oracle takes exponential time.
const MOST_CHOICES: usize = 14;

/// The engine agrees with the oracle on the history that these bytes describe: the first chooses the model, each four of the others decide
/// what a client does next. The body of the fuzz target `engine_linearizable`.
pub fn engine_agrees_with_oracle(data: &[u8]) {
    let Some((&model, rest)) = data.split_first() else { return };
    let choices: Vec<Choice> = rest
        .chunks_exact(4)
        .take(MOST_CHOICES)
        .map(|bytes| Choice { process: bytes[0] % 4, input: bytes[1], told: bytes[2], fate: bytes[3] })
        .collect();
    match model % 14 {
        0 => agree(&Register::default(), ["write 0", "write 1", "read"], ["nil", "0", "1"], &choices),
        1 => agree(&CasRegister::new(0.into()), ["write 1", "cas 0 1", "cas 1 0", "read"], ["0", "1", "true", "false"], &choices),
        2 => agree(&Mutex, ["acquire", "release"], ["nil"], &choices),
        3 => agree(&OwnedMutex::exclusive(), ["acquire", "release"], ["nil"], &choices),
        4 => agree(&OwnedMutex::reentrant(), ["acquire", "release"], ["nil"], &choices),
        5 => agree(&FencedMutex, ["acquire", "release"], ["0", "1", "2", "3"], &choices),
        6 => agree(&Semaphore::new(3), ["acquire", "acquire 2", "release", "release 2"], ["nil"], &choices),
        7 => agree(&Counter::default(), ["add 2", "increment", "decrement", "read"], ["0", "1", "2", "3"], &choices),
        8 => agree(&FifoQueue, ["enqueue 0", "enqueue 1", "enqueue 2", "dequeue", "dequeue"], ["nil", "0", "1", "2"], &choices),
        9 => agree(&UnorderedQueue, ["enqueue 0", "enqueue 1", "enqueue 2", "dequeue", "dequeue"], ["nil", "0", "1", "2"], &choices),
        10 => agree(&Stack, ["push 0", "push 1", "push 2", "pop", "pop"], ["nil", "0", "1", "2"], &choices),
        11 => agree(&PriorityQueue, ["insert 0", "insert 1", "insert 2", "delete-min", "delete-min"], ["nil", "0", "1", "2"], &choices),
        12 => agree(&Set, ["add 0", "remove 0", "contains 0", "add 1", "contains 1"], ["true", "false"], &choices),
        _ => agree(&Log, ["append 0", "append 1", "read", "read"], ["nil", "0", "1", "0 1", "1 0", "0 0"], &choices),
    }
}

/// Words like `cas 0 1` as a function and its argument.
fn input(words: &'static str) -> (&'static str, Value) {
    let (f, arguments) = words.split_once(' ').unwrap_or((words, "nil"));
    (f, value(arguments))
}

fn value(words: &str) -> Value {
    match words {
        "nil" => Value::Nil,
        "true" => true.into(),
        "false" => false.into(),
        words => match words.split_once(' ') {
            Some((first, second)) => Value::pair(value(first), value(second)),
            None => words.parse::<i64>().map_or(Value::Nil, Value::Int),
        },
    }
}

fn agree<M: Model, const I: usize, const O: usize>(model: &M, inputs: [&'static str; I], outputs: [&str; O], choices: &[Choice]) {
    let is_log = inputs[0].starts_with("append");
    let output = |words: &str| match value(words) {
        single @ Value::Int(_) if is_log => Value::List(vec![single]),
        other => other,
    };
    let vocabulary = Vocabulary { inputs: inputs.map(input).to_vec(), outputs: outputs.map(output).to_vec() };
    let history = history(model, &vocabulary, choices);
    let judgement = check(model, &history, &LinearizableOptions::default()).expect("a well-formed history");
    assert_eq!(judgement.verdict == Verdict::Valid, oracle(model, &history), "{:#?}", history.events);
}
