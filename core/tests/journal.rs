//! A journal round-trips, up to a torn or damaged frame.

mod common;

use common::{Expressible, any_event, any_history, cases};
use elenchus_core::exchange::{ReadOptions, events_from};
use elenchus_core::journal::{JournalWriter, read};
use proptest::prelude::*;
use std::io::Cursor;

/// The length of the magic.
const MAGIC: usize = 8;

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn a_journal_round_trips(history in any_history(Expressible::All), split in 0usize..40) {
        let (first, second) = history.events.split_at(split.min(history.events.len()));
        let mut file = Vec::new();
        let mut writer = JournalWriter::new(&mut file, &history.nodes).unwrap();
        writer.append(first).unwrap();
        writer.append(second).unwrap();
        let journal = read(file.as_slice()).unwrap();
        prop_assert_eq!(&journal.history, &history);
        prop_assert_eq!(journal.torn_bytes, 0);
        let streamed = events_from("journal", Cursor::new(file), &ReadOptions::default()).unwrap().into_history().unwrap().0;
        prop_assert_eq!(streamed, history);
    }

    #[test]
    fn a_torn_or_damaged_journal_is_read_up_to_the_damage(
        events in prop::collection::vec(any_event(Expressible::All), 1..20),
        at in any::<prop::sample::Index>(),
        flip in any::<bool>(),
    ) {
        let mut file = Vec::new();
        let mut writer = JournalWriter::new(&mut file, &[]).unwrap();
        for event in &events {
            writer.append(std::slice::from_ref(event)).unwrap();
        }
        let at = MAGIC + at.index(file.len() - MAGIC);
        if flip { file[at] ^= 0x10 } else { file.truncate(at) }
        let found = read(file.as_slice()).unwrap();
        prop_assert!(events.starts_with(&found.history.events));
        let mut streamed = events_from("journal", Cursor::new(file), &ReadOptions::default()).unwrap();
        let mut all = Vec::new();
        for batch in &mut streamed {
            all.extend(batch.unwrap());
        }
        prop_assert_eq!(all, found.history.events);
        prop_assert_eq!(streamed.torn_bytes(), found.torn_bytes);
    }

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(bytes.as_slice());
        let mut with_magic = b"ELENCH01".to_vec();
        with_magic.extend(bytes);
        let _ = read(with_magic.as_slice());
    }
}
