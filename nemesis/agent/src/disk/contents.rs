//! What undoes the writes to one file that were not synced: its bytes as they were when it was synced last, and its length.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::dice::Dice;

/// The pieces in which former bytes are kept.
const PAGE: u64 = 4096;

/// The most former bytes that are kept of a file. Beyond it the file counts as synced: a kernel too writes back what is too much, whenever it likes.
pub(crate) const LIMIT: u64 = 256 << 20;

/// The former contents of one file, as far as they were changed.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// The length when it was synced last. Absent, the file is as it was then.
    length: Option<u64>,
    /// Pages of that length as they were, by number. The last may be short.
    pages: BTreeMap<u64, Vec<u8>>,
}

/// How much of what was not synced reached the disk all the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Torn<'a> {
    /// The bytes that a disk writes whole or not at all.
    pub(crate) sector: u64,
    /// Decides of each sector.
    pub(crate) dice: &'a Dice,
}

impl Contents {
    /// Whether nothing is to be undone.
    pub(crate) fn is_synced(&self) -> bool {
        self.length.is_none()
    }

    /// To be called before the bytes of a range change, or the length does. Tells whether they were kept; they are not when it would be too many.
    pub(crate) fn keep(&mut self, file: &File, from: u64, to: u64) -> io::Result<bool> {
        let length = match self.length {
            Some(length) => length,
            None => *self.length.insert(file.metadata()?.len()),
        };
        let to = to.min(length);
        if to <= from {
            return Ok(true);
        }
        if (self.pages.len() as u64) * PAGE + (to - from) > LIMIT {
            return Ok(false);
        }
        let vacant: Vec<u64> = (from / PAGE..to.div_ceil(PAGE)).filter(|page| !self.pages.contains_key(page)).collect();
        for run in vacant.chunk_by(|one, next| one + 1 == *next) {
            let (start, end) = (run[0] * PAGE, ((run[run.len() - 1] + 1) * PAGE).min(length));
            let mut bytes = vec![0; (end - start) as usize];
            file.read_exact_at(&mut bytes, start)?;
            self.pages.extend(run.iter().copied().zip(bytes.chunks(PAGE as usize).map(<[u8]>::to_vec)));
        }
        Ok(true)
    }

    /// What is to be undone, taken out while a sync is under way.
    pub(crate) fn take(&mut self) -> Contents {
        std::mem::take(self)
    }

    /// The sync failed: what was taken out is to be undone after all. What is older wins.
    pub(crate) fn put_back(&mut self, older: Contents) {
        if let Some(length) = older.length {
            self.length = Some(length);
            self.pages.extend(older.pages);
            self.pages.retain(|page, _| page * PAGE < length);
        }
    }

    /// Undoes it: the file is as it was synced last, but for the sectors that are kept where writes are torn.
    pub(crate) fn undo(&mut self, file: &File, torn: Option<Torn>) -> io::Result<()> {
        let Contents { length: Some(length), pages } = self.take() else { return Ok(()) };
        match torn {
            None => {
                for (page, bytes) in pages {
                    file.write_all_at(&bytes, page * PAGE)?;
                }
                file.set_len(length)
            }
            Some(torn) => tear(file, length, &pages, torn),
        }
    }
}

/// Undoes some sectors and leaves others. Of what was appended the last sector that is left decides the length, and those before it that are not left are zeros:
/// a length is written when any piece of what was appended is. That an end was cut off is undone or left as a whole.
fn tear(file: &File, length: u64, pages: &BTreeMap<u64, Vec<u8>>, Torn { sector, dice }: Torn) -> io::Result<()> {
    let present = file.metadata()?.len();
    let leaves_cut = present < length && dice.says(0.5);
    let mut new_length = if leaves_cut { present } else { length };
    let per_page = PAGE / sector;
    let in_pages = pages.keys().flat_map(|page| page * per_page..(page + 1) * per_page);
    let appended = (length / sector..present.div_ceil(sector)).filter(|_| present > length);
    let mut sectors: Vec<u64> = in_pages.chain(appended).collect();
    sectors.retain(|number| number * sector < present.max(length));
    sectors.sort_unstable();
    sectors.dedup();
    for number in sectors {
        let (start, end) = (number * sector, (number + 1) * sector);
        // What was cut off and is put back was never overwritten: all of it is there again.
        if dice.says(0.5) && (start < present || leaves_cut) {
            if present > length && end > length {
                new_length = new_length.max(end.min(present));
            }
            // A sector across the end that was cut off is put back with what is beyond it: no disk writes half of one.
            if present < length && end > present && !leaves_cut {
                restore(file, pages, start, end.min(length))?;
            }
            continue;
        }
        restore(file, pages, start, end.min(length))?;
        if end > length.max(start) && present > length {
            let zeros = vec![0; end.min(present).saturating_sub(start.max(length)) as usize];
            file.write_all_at(&zeros, start.max(length))?;
        }
    }
    file.set_len(new_length)
}

/// Writes the former bytes of a range within one page.
fn restore(file: &File, pages: &BTreeMap<u64, Vec<u8>>, start: u64, end: u64) -> io::Result<()> {
    let Some(bytes) = pages.get(&(start / PAGE)) else { return Ok(()) };
    let (from, to) = ((start % PAGE) as usize, (start % PAGE + end.saturating_sub(start)) as usize);
    bytes.get(from..to.min(bytes.len())).map_or(Ok(()), |bytes| file.write_all_at(bytes, start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> File {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(bytes, 0).unwrap();
        file
    }

    fn read(file: &File) -> Vec<u8> {
        let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
        file.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    }

    #[test]
    fn a_write_an_append_and_a_cut_are_undone() {
        let before: Vec<u8> = (0..10_000).map(|at| at as u8).collect();
        let (file, mut contents) = (file(&before), Contents::default());
        assert!(contents.keep(&file, 4000, 4200).unwrap());
        file.write_all_at(&[9; 200], 4000).unwrap();
        assert!(contents.keep(&file, 100, u64::MAX).unwrap());
        file.set_len(100).unwrap();
        contents.keep(&file, 5000, 20_000).unwrap();
        file.write_all_at(&[7; 15_000], 5000).unwrap();
        assert!(!contents.is_synced());
        contents.undo(&file, None).unwrap();
        assert!(read(&file) == before && contents.is_synced());
    }

    #[test]
    fn after_a_failed_sync_the_older_bytes_count() {
        let (file, mut contents) = (file(&[1; 5000]), Contents::default());
        contents.keep(&file, 0, 10).unwrap();
        file.write_all_at(&[2; 10], 0).unwrap();
        let older = contents.take();
        contents.keep(&file, 0, 6000).unwrap();
        file.write_all_at(&[3; 6000], 0).unwrap();
        contents.put_back(older);
        contents.undo(&file, None).unwrap();
        assert_eq!(read(&file), [1; 5000]);
    }

    #[test]
    fn torn_writes_keep_whole_sectors() {
        for seed in 0..50 {
            let (file, mut contents) = (file(&[1; 6000]), Contents::default());
            contents.keep(&file, 0, 20_000).unwrap();
            file.write_all_at(&[2; 20_000], 0).unwrap();
            contents.undo(&file, Some(Torn { sector: 512, dice: &Dice::new(seed) })).unwrap();
            let after = read(&file);
            assert!(
                after.len() >= 6000 && (after.len() == 6000 || after.len() == 20_000 || after.len().is_multiple_of(512)),
                "{}",
                after.len()
            );
            for (number, sector) in after.chunks(512).enumerate() {
                let is_old = |(at, &byte): (usize, &u8)| byte == u8::from(number * 512 + at < 6000);
                assert!(sector.iter().all(|&byte| byte == 2) || sector.iter().enumerate().all(is_old), "sector {number} of seed {seed}");
            }
            assert!(after.contains(&2) && after.contains(&1));
        }
    }

    #[test]
    fn a_torn_cut_is_whole_or_not_at_all() {
        let before: Vec<u8> = (0..9000_u32).map(|at| (at / 7) as u8).collect();
        let mut lengths = std::collections::BTreeSet::new();
        for seed in 0..40 {
            let (file, mut contents) = (file(&before), Contents::default());
            contents.keep(&file, 1000, u64::MAX).unwrap();
            file.set_len(1000).unwrap();
            contents.undo(&file, Some(Torn { sector: 4096, dice: &Dice::new(seed) })).unwrap();
            let after = read(&file);
            assert_eq!(after, before[..after.len()], "seed {seed}");
            lengths.insert(after.len());
        }
        assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [1000, 9000]);
    }
}
