//! The check of witnesses against witnesses that are none.

use elenchus_checkers::linearizable::{LinearizableOptions, Linearization, Witness, WitnessError, check, states, verify_witness};
use elenchus_checkers::models::Register;
use elenchus_core::{EventIndex, History, Verdict};

/// `write 1` (0 to 1), `write 2` (2 to 4) while a `read → 1` (3 to 5) runs, a failed `write 3` (6) and a crashed `write 4` (8).
fn history() -> History {
    let text = "
        0 write 1 ok
        0 write 2
        1 read
        0 ok
        1 ok 1
        2 write 3 fail
        2 write 4 info
    ";
    History::parse(text).expect("a history")
}

fn verify(order: &[u32]) -> Result<(), WitnessError> {
    let order = order.iter().copied().map(EventIndex).collect();
    verify_witness(&Register::default(), &history(), &Witness { objects: vec![Linearization { key: None, order }] })
}

#[test]
fn only_linearizations_verify() {
    assert_eq!(verify(&[0, 3, 2]), Ok(()));
    assert_eq!(verify(&[0, 3, 2, 8]), Ok(()));
    assert_eq!(verify(&[0, 2]), Err(WitnessError::Missing(EventIndex(3))));
    assert_eq!(verify(&[0, 3, 2, 2]), Err(WitnessError::NotAnOperation(EventIndex(2))));
    assert_eq!(verify(&[0, 3, 2, 6]), Err(WitnessError::NotAnOperation(EventIndex(6))));
    assert_eq!(verify(&[0, 3, 2, 4]), Err(WitnessError::NotAnOperation(EventIndex(4))));
    assert_eq!(verify(&[2, 0, 3]), Err(WitnessError::RealTimeOrder { earlier: EventIndex(0), later: EventIndex(2) }));
    assert_eq!(verify(&[0, 2, 3]), Err(WitnessError::Impossible { operation: EventIndex(3), state: "2".to_owned() }));
    assert_eq!(verify(&[0, 8, 3, 2]), Err(WitnessError::RealTimeOrder { earlier: EventIndex(2), later: EventIndex(8) }));
}

#[test]
fn a_witness_tells_the_states() {
    let judgement =
        check(&Register::default(), &history(), &LinearizableOptions { witness: true, ..LinearizableOptions::default() }).expect("judged");
    assert_eq!(judgement.verdict, Verdict::Valid);
    let witness = judgement.witness.expect("asked for");
    assert_eq!(witness.objects[0].order, [0, 3, 2].map(EventIndex));
    assert_eq!(states(&Register::default(), &history(), &witness.objects[0]), Ok(["1", "1", "2"].map(str::to_owned).to_vec()));
}

#[test]
fn no_witness_unless_asked_for() {
    assert_eq!(check(&Register::default(), &history(), &LinearizableOptions::default()).expect("judged").witness, None);
}
