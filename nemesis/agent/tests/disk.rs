//! Random operations on a volume followed by a power failure: the result must be one that an independent model of the durability rules allows.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use elenchus_agent::disk::{Inode, Owner, Volume};
use proptest::prelude::*;
use rustix::fs::RenameFlags;

const DIRECTORIES: [&str; 3] = ["", "d", "e"];
const NAMES: [&str; 3] = ["a", "b", "c"];

/// A name: the index of its directory and its own index.
type Place = (usize, usize);

#[derive(Clone, Debug)]
enum Op {
    Create(Place),
    Write(Place, u64, usize, u8),
    Truncate(Place, u64),
    Sync(Place),
    SyncDirectory(usize),
    Rename(Place, Place),
    Exchange(Place, Place),
    Link(Place, Place),
    Unlink(Place),
    MakeDirectory(Place),
    RemoveDirectory(Place),
    Mode(Place, u32),
}

fn op() -> impl Strategy<Value = Op> {
    let place = || (0..DIRECTORIES.len(), 0..NAMES.len());
    prop_oneof![
        4 => place().prop_map(Op::Create),
        6 => (place(), 0..20_000_u64, 1..9000_usize, 1..=255_u8).prop_map(|(place, at, length, byte)| Op::Write(place, at, length, byte)),
        2 => (place(), 0..20_000_u64).prop_map(|(place, length)| Op::Truncate(place, length)),
        3 => place().prop_map(Op::Sync),
        1 => (0..DIRECTORIES.len()).prop_map(Op::SyncDirectory),
        4 => (place(), place()).prop_map(|(from, to)| Op::Rename(from, to)),
        1 => (place(), place()).prop_map(|(one, other)| Op::Exchange(one, other)),
        2 => (place(), place()).prop_map(|(from, to)| Op::Link(from, to)),
        2 => place().prop_map(Op::Unlink),
        2 => place().prop_map(Op::MakeDirectory),
        1 => place().prop_map(Op::RemoveDirectory),
        1 => (place(), prop_oneof![Just(0o600), Just(0o644)]).prop_map(|(place, mode)| Op::Mode(place, mode)),
    ]
}

/// The number of the file or directory that each name refers to.
type Names = BTreeMap<Place, usize>;

/// The durability rules over whole states: every state of the names so far, and the present and durable contents of each file.
#[derive(Default)]
struct Model {
    states: Vec<(Names, BTreeMap<usize, u32>)>,
    committed: usize,
    touched: BTreeMap<usize, usize>,
    directories: BTreeSet<usize>,
    present: BTreeMap<usize, Vec<u8>>,
    durable: BTreeMap<usize, Vec<u8>>,
    next: usize,
}

impl Model {
    fn new() -> Model {
        // The three initial directories have the first numbers.
        Model { states: vec![Default::default()], next: DIRECTORIES.len(), ..Model::default() }
    }

    fn names(&self) -> &Names {
        &self.states.last().unwrap().0
    }

    fn at(&self, place: Place) -> Option<usize> {
        self.names().get(&place).copied()
    }

    fn file(&self, place: Place) -> Option<usize> {
        self.at(place).filter(|number| !self.directories.contains(number))
    }

    fn change(&mut self, involved: &[usize], change: impl FnOnce(&mut Names, &mut BTreeMap<usize, u32>)) {
        let mut next = self.states.last().unwrap().clone();
        change(&mut next.0, &mut next.1);
        self.states.push(next);
        for &number in involved {
            self.touched.insert(number, self.states.len() - 1);
        }
    }

    fn sync(&mut self, number: usize) {
        self.committed = self.committed.max(self.touched.get(&number).copied().unwrap_or(0));
        if let Some(present) = self.present.get(&number) {
            self.durable.insert(number, present.clone());
        }
    }
}

/// The volume under test and its initial directories.
struct Real {
    volume: Volume,
    directories: Vec<Arc<Inode>>,
}

const OWNER: Owner = Owner { user: 0, group: 0 };

impl Real {
    fn new(path: &Path) -> Real {
        for directory in &DIRECTORIES[1..] {
            std::fs::create_dir(path.join(directory)).unwrap();
        }
        let volume = Volume::new(path).unwrap();
        let root = volume.root().clone();
        let inner = DIRECTORIES[1..].iter().map(|name| volume.find(&root, OsStr::new(name)).unwrap());
        let directories = std::iter::once(root.clone()).chain(inner).collect();
        Real { volume, directories }
    }

    fn place(&self, (directory, name): Place) -> (&Arc<Inode>, &OsStr) {
        (&self.directories[directory], OsStr::new(NAMES[name]))
    }

    fn find(&self, place: Place) -> Arc<Inode> {
        let (parent, name) = self.place(place);
        self.volume.find(parent, name).unwrap()
    }
}

/// Applies an operation to both and compares whether it succeeds.
fn step(op: &Op, real: &Real, model: &mut Model) {
    let volume = &real.volume;
    let open = |inode: &Arc<Inode>| inode.open(true).unwrap();
    match op {
        Op::Create(place) => {
            let (parent, name) = real.place(*place);
            let made = volume.create(parent, name, 0o640, OWNER, true);
            assert_eq!(made.is_ok(), model.at(*place).is_none(), "{op:?}");
            if made.is_ok() {
                let number = model.next;
                model.next += 1;
                model.present.insert(number, Vec::new());
                model.durable.insert(number, Vec::new());
                model.change(&[place.0, number], |names, modes| {
                    names.insert(*place, number);
                    modes.insert(number, 0o640);
                });
            }
        }
        Op::Write(place, at, length, byte) => {
            let Some(number) = model.file(*place) else { return };
            let inode = real.find(*place);
            volume.write(&inode, &open(&inode), *at, &vec![*byte; *length]).unwrap();
            let bytes = model.present.get_mut(&number).unwrap();
            let end = *at as usize + length;
            bytes.resize(bytes.len().max(end), 0);
            bytes[*at as usize..end].fill(*byte);
        }
        Op::Truncate(place, length) => {
            let Some(number) = model.file(*place) else { return };
            let inode = real.find(*place);
            volume.set_length(&inode, &open(&inode), *length).unwrap();
            model.present.get_mut(&number).unwrap().resize(*length as usize, 0);
        }
        Op::Sync(place) => {
            let Some(number) = model.file(*place) else { return };
            let inode = real.find(*place);
            volume.sync(&inode, &open(&inode), true).unwrap();
            model.sync(number);
        }
        Op::SyncDirectory(directory) => {
            volume.sync_directory(&real.directories[*directory]).unwrap();
            model.sync(*directory);
        }
        Op::Rename(from, to) => {
            let done = volume.rename(real.place(*from), real.place(*to), RenameFlags::empty());
            let (what, there) = (model.at(*from), model.at(*to));
            let kinds = |number: &usize| model.directories.contains(number);
            let may = what.is_some_and(|what| there.is_none_or(|there| kinds(&what) == kinds(&there)));
            assert_eq!(done.is_ok(), may, "{op:?}: {done:?}");
            let Some(what) = what.filter(|&what| may && there != Some(what)) else { return };
            let involved: Vec<usize> = [from.0, to.0, what].into_iter().chain(there).collect();
            model.change(&involved, |names, _| {
                names.remove(from);
                names.insert(*to, what);
            });
        }
        Op::Exchange(one, other) => {
            let done = volume.rename(real.place(*one), real.place(*other), RenameFlags::EXCHANGE);
            let (first, second) = (model.at(*one), model.at(*other));
            let (Some(first), Some(second)) = (first, second) else { return assert!(done.is_err(), "{op:?}") };
            done.unwrap();
            model.change(&[one.0, other.0, first, second], |names, _| {
                names.insert(*one, second);
                names.insert(*other, first);
            });
        }
        Op::Link(from, to) => {
            let Some(number) = model.file(*from) else { return };
            let (parent, name) = real.place(*to);
            let done = volume.link(&real.find(*from), parent, name);
            assert_eq!(done.is_ok(), model.at(*to).is_none(), "{op:?}");
            if done.is_ok() {
                model.change(&[to.0, number], |names, _| {
                    names.insert(*to, number);
                });
            }
        }
        Op::Unlink(place) => {
            let (parent, name) = real.place(*place);
            assert_eq!(volume.unlink(parent, name).is_ok(), model.file(*place).is_some(), "{op:?}");
            if let Some(number) = model.file(*place) {
                model.change(&[place.0, number], |names, _| {
                    names.remove(place);
                });
            }
        }
        Op::MakeDirectory(place) => {
            let (parent, name) = real.place(*place);
            let made = volume.make_directory(parent, name, 0o750, OWNER);
            assert_eq!(made.is_ok(), model.at(*place).is_none(), "{op:?}");
            if made.is_ok() {
                let number = model.next;
                model.next += 1;
                model.directories.insert(number);
                model.change(&[place.0, number], |names, modes| {
                    names.insert(*place, number);
                    modes.insert(number, 0o750);
                });
            }
        }
        Op::RemoveDirectory(place) => {
            let (parent, name) = real.place(*place);
            let number = model.at(*place).filter(|number| model.directories.contains(number));
            assert_eq!(volume.remove_directory(parent, name).is_ok(), number.is_some(), "{op:?}");
            if let Some(number) = number {
                model.change(&[place.0, number], |names, _| {
                    names.remove(place);
                });
            }
        }
        Op::Mode(place, mode) => {
            let Some(number) = model.at(*place) else { return };
            volume.set_mode(&real.find(*place), *mode).unwrap();
            model.change(&[number], |_, modes| {
                modes.insert(number, *mode);
            });
        }
    }
}

/// The contents of the directory below: the inode number, the mode and, for files, the contents of each name.
type Found = BTreeMap<Place, (u64, u32, Option<Vec<u8>>)>;

fn found(path: &Path) -> Found {
    let mut found = BTreeMap::new();
    for (at, directory) in DIRECTORIES.iter().enumerate() {
        for entry in std::fs::read_dir(path.join(directory)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let Some(number) = NAMES.iter().position(|known| *known == name) else {
                assert!(at == 0 && (DIRECTORIES.contains(&name.as_str()) || name == ".elenchus-disk"), "{name} is left behind");
                continue;
            };
            let stat = entry.metadata().unwrap();
            let bytes = stat.is_file().then(|| std::fs::read(entry.path()).unwrap());
            found.insert((at, number), (stat.ino(), stat.mode() & 0o777, bytes));
        }
    }
    found
}

/// Whether names, modes and hard links match the model's.
fn has_names(found: &Found, (names, modes): &(Names, BTreeMap<usize, u32>)) -> bool {
    let pairs: BTreeSet<(usize, u64)> = names.iter().filter_map(|(place, number)| Some((*number, found.get(place)?.0))).collect();
    let (numbers, inodes): (BTreeSet<usize>, BTreeSet<u64>) = pairs.iter().copied().unzip();
    names.keys().eq(found.keys())
        && pairs.len() == numbers.len()
        && pairs.len() == inodes.len()
        && names.iter().all(|(place, number)| found[place].1 == modes[number])
}

/// Executes operations and a power failure; returns the model and what was found before and after the failure.
fn run(ops: &[Op], seed: u64, torn: Option<u64>) -> (Model, Found, Found) {
    let folder = tempfile::tempdir().unwrap();
    let real = Real::new(folder.path());
    let mut model = Model::new();
    for op in ops {
        step(op, &real, &mut model);
    }
    let before = found(folder.path());
    real.volume.fail(seed, torn).1.unwrap();
    let after = found(folder.path());
    assert_eq!(
        std::fs::read_dir(folder.path().join(".elenchus-disk")).unwrap().count(),
        0,
        "removed files are left in the hidden directory"
    );
    real.volume.end();
    assert!(!folder.path().join(".elenchus-disk").exists());
    (model, before, after)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn exactly_what_was_synced_survives(ops in proptest::collection::vec(op(), 0..60)) {
        let (model, before, after) = run(&ops, 1, None);
        prop_assert!(has_names(&before, model.states.last().unwrap()));
        for (place, number) in model.names() {
            prop_assert!(before[place].2.as_ref() == model.present.get(number), "the present contents of {place:?}");
        }
        let state = &model.states[model.committed];
        prop_assert!(has_names(&after, state), "{:?} is not {:?}", after.keys().collect::<Vec<_>>(), state);
        for (place, number) in &state.0 {
            prop_assert!(after[place].2.as_ref() == model.durable.get(number), "the durable contents of {place:?}");
        }
    }

    #[test]
    fn torn_writes_consist_of_old_and_new_sectors(ops in proptest::collection::vec(op(), 0..60), seed: u64, large: bool) {
        let sector = if large { 4096 } else { 512 };
        let (model, _, after) = run(&ops, seed, Some(sector as u64));
        let states: Vec<_> = model.states[model.committed..].iter().filter(|state| has_names(&after, state)).collect();
        prop_assert!(!states.is_empty(), "the names match no state since the last sync");
        // Several states can have the same names: the contents must match at least one of them.
        let wrong: Vec<_> = states.iter().filter_map(|(names, _)| wrongly_torn(&model, &after, names, sector)).collect();
        prop_assert!(wrong.len() < states.len(), "{wrong:?}");
    }
}

/// Describes a file that does not consist of old and new sectors, given these names; None if all do.
fn wrongly_torn(model: &Model, after: &Found, names: &Names, sector: usize) -> Option<String> {
    names.iter().find_map(|(place, number)| {
        let bytes = after[place].2.as_ref()?;
        let (old, new) = (&model.durable[number], &model.present[number]);
        if !(old.len().min(new.len())..=old.len().max(new.len())).contains(&bytes.len()) {
            return Some(format!("{} bytes instead of between {} and {} at {place:?}", bytes.len(), old.len(), new.len()));
        }
        let wrong = bytes.chunks(sector).enumerate().find(|(at, piece)| {
            // Both read as zeros beyond their end.
            let same = |whole: &[u8]| piece.iter().enumerate().all(|(i, byte)| *byte == whole.get(at * sector + i).copied().unwrap_or(0));
            !same(old) && !same(new)
        });
        wrong.map(|(at, _)| format!("sector {at} of {place:?}"))
    })
}
