//! The file's format: a magic number, then frames of `length, crc32(length), crc32(payload), payload`, with little-endian integers.
//!
//! The length has its own checksum, so that a damaged length is not mistaken for a truncated frame. Damage to any single byte is detected, except where a zero
//! byte is all that a sector contains of a frame. Only a file that ends early, or lacks whole sectors, is treated as torn by a crash.

use super::Record;

pub(super) const MAGIC: &[u8; 8] = b"specimen";
const HEADER: usize = 12;

/// The unit in which a disk writes atomically, in bytes.
const SECTOR: usize = 512;

/// The content of a file.
#[derive(Debug, PartialEq)]
pub(super) struct Contents {
    pub(super) records: Vec<Record>,
    /// The length of the valid prefix, in bytes. The rest was torn by a crash before it was acknowledged.
    pub(super) whole: usize,
}

/// The position and the kind of a file's damage.
#[derive(Debug, PartialEq)]
pub(super) struct Damage {
    pub(super) offset: usize,
    pub(super) what: &'static str,
}

/// Appends a record as a frame.
pub(super) fn encode(record: &Record, bytes: &mut Vec<u8>) -> serde_json::Result<()> {
    let payload = serde_json::to_vec(record)?;
    let length = u32::try_from(payload.len()).map_err(serde::ser::Error::custom)?.to_le_bytes();
    bytes.extend(length);
    bytes.extend(crc32fast::hash(&length).to_le_bytes());
    bytes.extend(crc32fast::hash(&payload).to_le_bytes());
    bytes.extend(payload);
    Ok(())
}

/// Decodes a whole file.
pub(super) fn decode(file: &[u8]) -> Result<Contents, Damage> {
    if file.len() < MAGIC.len() && MAGIC.starts_with(file) {
        return Ok(Contents { records: Vec::new(), whole: 0 });
    }
    if !file.starts_with(MAGIC) {
        return Err(Damage { offset: 0, what: "it does not start with the specimen's magic number" });
    }
    let mut records = Vec::new();
    let mut offset = MAGIC.len();
    loop {
        match next(&file[offset..]) {
            Ok(Some((record, length))) => {
                records.push(record);
                offset += length;
            }
            // Records after a torn one were written with it or later, and were not acknowledged either.
            Ok(None) => return Ok(Contents { records, whole: offset }),
            Err(_) if is_torn(file, offset) => return Ok(Contents { records, whole: offset }),
            Err(what) => return Err(Damage { offset, what }),
        }
    }
}

/// Whether a sector that contains part of the frame was never written, while a later one was: the frame's part of it is all zeros.
fn is_torn(file: &[u8], offset: usize) -> bool {
    let length = file[offset..].first_chunk().map_or(0, |length| u32::from_le_bytes(*length) as usize);
    // Without a valid length, only the header is known to belong to the frame.
    let is_length = file[offset..].get(..8).is_some_and(|words| crc32fast::hash(&words[..4]).to_le_bytes() == words[4..]);
    let end = (offset + HEADER + if is_length { length } else { 0 }).min(file.len());
    let borders = (offset / SECTOR + 1..).map(|sector| sector * SECTOR).take_while(|&border| border < end).chain([end]);
    borders.scan(offset, |from, to| Some(&file[std::mem::replace(from, to)..to])).any(|part| part.iter().all(|&byte| byte == 0))
}

/// Decodes the first record and its frame's length; `None` when the bytes end within the frame.
fn next(bytes: &[u8]) -> Result<Option<(Record, usize)>, &'static str> {
    let Some((header, rest)) = bytes.split_at_checked(HEADER) else { return Ok(None) };
    // A file system may extend the file before it writes the data.
    if bytes.iter().all(|&byte| byte == 0) {
        return Ok(None);
    }
    let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    if crc32fast::hash(&header[..4]) != word(4) {
        return Err("the checksum of a record's length does not match");
    }
    let length = word(0) as usize;
    let Some(payload) = rest.get(..length) else { return Ok(None) };
    if crc32fast::hash(payload) != word(8) {
        return Err("the checksum of a record does not match");
    }
    let record = serde_json::from_slice(payload).map_err(|_| "a record with a valid checksum cannot be decoded by this version")?;
    Ok(Some((record, HEADER + length)))
}

#[cfg(test)]
mod tests {
    use openraft::{CommittedLeaderId, EntryPayload, LogId, Vote};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::raft::{Change, Entry};

    fn record() -> impl Strategy<Value = Record> {
        let entry = |index, value: u8| Entry {
            log_id: LogId::new(CommittedLeaderId::new(3, 1), index),
            payload: EntryPayload::Normal(Change::Put { key: "k".into(), value: json!({ "v": value }) }),
        };
        prop_oneof![
            any::<u8>().prop_map(|term| Record::Vote(Vote::new(term.into(), 2))),
            (any::<u32>(), prop::collection::vec(any::<u8>(), 1..4))
                .prop_map(move |(index, values)| Record::Entries(values.into_iter().map(|value| entry(index.into(), value)).collect())),
            any::<u32>().prop_map(|since| Record::Truncate { since: since.into() }),
            any::<u32>().prop_map(|index| Record::Committed(LogId::new(CommittedLeaderId::new(3, 1), index.into()))),
        ]
    }

    /// An encoded file, and the end of each of its frames.
    fn file(records: &[Record]) -> (Vec<u8>, Vec<usize>) {
        let mut bytes = MAGIC.to_vec();
        let ends = records
            .iter()
            .map(|record| {
                encode(record, &mut bytes).unwrap();
                bytes.len()
            })
            .collect();
        (bytes, ends)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn a_truncated_file_keeps_its_complete_frames(records in prop::collection::vec(record(), 0..6)) {
            let (bytes, ends) = file(&records);
            for cut in 0..=bytes.len() {
                let contents = decode(&bytes[..cut]).unwrap();
                let whole = ends.iter().filter(|&&end| end <= cut).count();
                prop_assert_eq!(&contents.records[..], &records[..whole]);
                prop_assert_eq!(contents.whole, if cut < MAGIC.len() { 0 } else { ends[..whole].last().copied().unwrap_or(MAGIC.len()) });
            }
        }

        #[test]
        fn any_damaged_byte_is_detected(records in prop::collection::vec(record(), 1..5), flip in 1..=255u8) {
            let (bytes, _) = file(&records);
            for at in 0..bytes.len() {
                let mut damaged = bytes.clone();
                damaged[at] ^= flip;
                // Where a zero byte is all that a sector has of a frame, the damage looks like a torn write.
                prop_assert!(decode(&damaged).is_err() || damaged[at] == 0, "byte {} of {}", at, bytes.len());
            }
        }

        #[test]
        fn records_with_missing_sectors_and_all_later_ones_are_discarded(
            records in prop::collection::vec(record(), 1..40),
            durable in any::<prop::sample::Index>(),
            arrived in prop::collection::vec(any::<bool>(), 64),
        ) {
            let (bytes, ends) = file(&records);
            let durable = durable.index(records.len());
            let synced = if durable == 0 { MAGIC.len() } else { ends[durable - 1] };
            let mut torn = bytes.clone();
            for (at, byte) in torn.iter_mut().enumerate().skip(synced) {
                *byte = if arrived[at / SECTOR % arrived.len()] { *byte } else { 0 };
            }
            let contents = decode(&torn).unwrap();
            let whole = ends.iter().take_while(|&&end| torn[..end] == bytes[..end]).count();
            prop_assert!(whole >= durable);
            prop_assert_eq!(&contents.records[..], &records[..whole]);
            prop_assert_eq!(contents.whole, if whole == 0 { MAGIC.len() } else { ends[whole - 1] });
        }

        #[test]
        fn trailing_zeros_are_discarded(records in prop::collection::vec(record(), 0..4), zeros in 0..40usize) {
            let (mut bytes, _) = file(&records);
            let whole = bytes.len();
            bytes.resize(whole + zeros, 0);
            prop_assert_eq!(decode(&bytes), Ok(Contents { records, whole }));
        }
    }
}
