//! A model of your own: a leaderboard, of which reads return the best three scores.
//!
//! `cargo run -p elenchus-checkers --example own_model`

use elenchus_checkers::{History, Model, Operation, Step, Value, check};

/// `submit score`; `top → [score score score]`, best first.
#[derive(Clone)]
struct Leaderboard;

impl Model for Leaderboard {
    type State = Vec<i64>;

    fn initial(&self) -> Vec<i64> {
        Vec::new()
    }

    fn step(&self, best: &Vec<i64>, operation: &Operation<'_>) -> Step<Vec<i64>> {
        match operation.f.as_str() {
            "submit" => {
                let mut best = best.clone();
                best.extend(operation.input.as_int());
                best.sort_unstable_by(|a, b| b.cmp(a));
                best.truncate(3);
                Step::To(best)
            }
            // Without a result, any is possible.
            "top" if operation.output.is_none_or(|output| *output == Value::list(best.iter().copied())) => Step::Same,
            _ => Step::Impossible,
        }
    }

    // Optional, and makes the check faster: reads may be placed wherever they fit.
    fn observes(&self, operation: &Operation<'_>) -> bool {
        operation.f == "top"
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let correct = History::parse(
        "
        0 submit 50
        1 submit 70 ok
        2 top → [70]          # 50 is still pending: it may count or not
        0 ok
        2 top → [70 50]
        ",
    )?;
    check(&Leaderboard, &correct).assert_valid();

    let lossy = History::parse(
        "
        0 submit 50 ok
        1 submit 70 ok
        2 top → [70]          # 50 was acknowledged and is missing
        ",
    )?;
    println!("{}", check(&Leaderboard, &lossy));
    Ok(())
}
