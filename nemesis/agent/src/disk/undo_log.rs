//! The undo log of the writes to one file since its last sync: the previous bytes and the previous length.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::dice::Dice;

/// The granularity of the undo log, in bytes.
const PAGE: u64 = 4096;

/// The most bytes that the undo log of a file holds. A file beyond it is synced, as a kernel may write back dirty pages at any time.
pub(crate) const LIMIT: u64 = 256 << 20;

/// The previous contents of a file where they were changed.
#[derive(Debug, Default)]
pub(crate) struct UndoLog {
    /// The length as of the last sync. None: unchanged since.
    length: Option<u64>,
    /// Previous pages by their number, up to that length; the last may be short.
    pages: BTreeMap<u64, Vec<u8>>,
}

/// How writes are torn: which sectors of unsynced writes reached the disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Torn<'a> {
    /// The bytes that a disk writes atomically.
    pub(crate) sector: u64,
    /// Decides for each sector.
    pub(crate) dice: &'a Dice,
}

impl UndoLog {
    /// Whether there is nothing to undo.
    pub(crate) fn is_synced(&self) -> bool {
        self.length.is_none()
    }

    /// Saves the bytes of a range, or the length, before they change. False when the undo log would exceed its limit; nothing is saved
    /// then.
    pub(crate) fn save(&mut self, file: &File, from: u64, to: u64) -> io::Result<bool> {
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

    /// Takes the undo log out while a sync is under way.
    pub(crate) fn take(&mut self) -> UndoLog {
        std::mem::take(self)
    }

    /// Restores the undo log after a failed sync. The older bytes take precedence.
    pub(crate) fn merge_older(&mut self, older: UndoLog) {
        if let Some(length) = older.length {
            self.length = Some(length);
            self.pages.extend(older.pages);
            self.pages.retain(|page, _| page * PAGE < length);
        }
    }

    /// Restores the contents of the last sync, except for the sectors that reached the disk where writes are torn.
    pub(crate) fn undo(&mut self, file: &File, torn: Option<Torn>) -> io::Result<()> {
        let UndoLog { length: Some(length), pages } = self.take() else { return Ok(()) };
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

/// Restores some sectors and leaves others. The last appended sector that is left decides the length, since the length is written with any
/// appended data; appended sectors before it that are restored are zeros. A truncation is undone or left as a whole.
fn tear(file: &File, length: u64, pages: &BTreeMap<u64, Vec<u8>>, Torn { sector, dice }: Torn) -> io::Result<()> {
    let present = file.metadata()?.len();
    let leaves_cut = present < length && dice.happens(0.5);
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
        // Truncated bytes were never overwritten: all of them are restored.
        if dice.happens(0.5) && (start < present || leaves_cut) {
            if present > length && end > length {
                new_length = new_length.max(end.min(present));
            }
            // A sector across the end of the truncated file is restored with the bytes behind the end: no disk writes half a sector.
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

/// Writes the previous bytes of a range within one page.
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
    fn write_append_and_truncation_are_undone() {
        let before: Vec<u8> = (0..10_000).map(|at| at as u8).collect();
        let (file, mut undo_log) = (file(&before), UndoLog::default());
        assert!(undo_log.save(&file, 4000, 4200).unwrap());
        file.write_all_at(&[9; 200], 4000).unwrap();
        assert!(undo_log.save(&file, 100, u64::MAX).unwrap());
        file.set_len(100).unwrap();
        undo_log.save(&file, 5000, 20_000).unwrap();
        file.write_all_at(&[7; 15_000], 5000).unwrap();
        assert!(!undo_log.is_synced());
        undo_log.undo(&file, None).unwrap();
        assert!(read(&file) == before && undo_log.is_synced());
    }

    #[test]
    fn the_older_bytes_take_precedence_after_a_failed_sync() {
        let (file, mut undo_log) = (file(&[1; 5000]), UndoLog::default());
        undo_log.save(&file, 0, 10).unwrap();
        file.write_all_at(&[2; 10], 0).unwrap();
        let older = undo_log.take();
        undo_log.save(&file, 0, 6000).unwrap();
        file.write_all_at(&[3; 6000], 0).unwrap();
        undo_log.merge_older(older);
        undo_log.undo(&file, None).unwrap();
        assert_eq!(read(&file), [1; 5000]);
    }

    #[test]
    fn torn_writes_keep_whole_sectors() {
        for seed in 0..50 {
            let (file, mut undo_log) = (file(&[1; 6000]), UndoLog::default());
            undo_log.save(&file, 0, 20_000).unwrap();
            file.write_all_at(&[2; 20_000], 0).unwrap();
            undo_log.undo(&file, Some(Torn { sector: 512, dice: &Dice::new(seed) })).unwrap();
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
    fn truncations_are_not_torn() {
        let before: Vec<u8> = (0..9000_u32).map(|at| (at / 7) as u8).collect();
        let mut lengths = std::collections::BTreeSet::new();
        for seed in 0..40 {
            let (file, mut undo_log) = (file(&before), UndoLog::default());
            undo_log.save(&file, 1000, u64::MAX).unwrap();
            file.set_len(1000).unwrap();
            undo_log.undo(&file, Some(Torn { sector: 4096, dice: &Dice::new(seed) })).unwrap();
            let after = read(&file);
            assert_eq!(after, before[..after.len()], "seed {seed}");
            lengths.insert(after.len());
        }
        assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [1000, 9000]);
    }
}
