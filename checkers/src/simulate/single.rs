//! Clients of single objects.

mod defective;
mod followers;
mod masters;
mod served;

use elenchus_core::{Event, Kind, Nanos, Process, Rng, Value};
use rustc_hash::FxHashMap;

use super::agenda::{Agenda, delay};
use super::fate::{Effect, Fate, Fates, Lot};
use super::keys::Keys;
use super::objects::{Asker, Object, Reply, Request, Rumour};
use super::recipe::Recipe;
use super::source::Source;
use super::truth::Truth;
use served::Served;

/// How often an operation that finds the object busy tries again before it is refused.
const TRIES: u32 = 8;
/// A late effect comes up to so many latencies after its operation was asked for.
const LATE: u64 = 200;

/// A simulation of single objects.
pub(super) struct Single<O> {
    recipe: Recipe,
    agenda: Agenda<Turn>,
    seats: Vec<Seat>,
    keys: Keys,
    rumours: Vec<Rumour>,
    objects: FxHashMap<u32, Shelf<O>>,
    /// Operations that take effect after their process was told that nobody knows.
    late: FxHashMap<u64, (Asked, u32)>,
    fates: Fates,
    lot: Lot,
    truth: Truth,
    times: Rng,
    requests: Rng,
    store: Rng,
    written: i64,
    asked: u64,
    events: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    /// The process in a seat asks.
    Ask(u32),
    /// Its operation takes effect.
    Act(u32),
    /// It is told.
    Tell(u32),
    /// A late operation takes effect.
    Late(u64),
}

/// Where one process sits after another.
struct Seat {
    process: u32,
    asked: Option<Asked>,
    fate: Fate,
    tries: u32,
    reply: Reply,
    /// What the process must ask before it asks anything else, the last first. Each keeps its object open.
    owes: Vec<Asked>,
}

/// An operation under way.
#[derive(Clone)]
struct Asked {
    request: Request,
    /// Where its key was when it was chosen.
    slot: usize,
    key: u32,
    /// The index of its invocation.
    event: u64,
}

/// An object with the number of operations that may still reach it.
struct Shelf<O> {
    object: Served<O>,
    open: u32,
    is_retired: bool,
}

impl<O: Object> Shelf<O> {
    fn new(recipe: &Recipe) -> Shelf<O> {
        Shelf { object: Served::new(recipe), open: 0, is_retired: false }
    }
}

impl<O: Object> Single<O> {
    pub(super) fn new(recipe: Recipe) -> Single<O> {
        let mut times = recipe.seed.stream("simulate times");
        let mut agenda = Agenda::new();
        for seat in 0..recipe.processes {
            agenda.after(delay(&mut times, recipe.pause.0), Turn::Ask(seat));
        }
        let idle = |process| Seat { process, asked: None, fate: Fate::Answered, tries: 0, reply: Reply::Done, owes: Vec::new() };
        Single {
            agenda,
            seats: (0..recipe.processes).map(idle).collect(),
            keys: Keys::new(&recipe),
            rumours: vec![Rumour::default(); recipe.keys as usize],
            objects: FxHashMap::default(),
            late: FxHashMap::default(),
            fates: Fates::new(&recipe),
            lot: Lot::new(&recipe),
            truth: Truth::default(),
            times,
            requests: recipe.seed.stream("simulate requests"),
            store: recipe.seed.stream("simulate store"),
            written: 1,
            asked: 0,
            events: 0,
            recipe,
        }
    }

    /// What the process in a seat asks.
    fn request(&mut self, at: usize) -> Asked {
        let owes = &mut self.seats[at].owes;
        let slot = owes.last().map_or_else(|| self.keys.choose(), |owed| owed.slot);
        let mut asker =
            Asker { recipe: &self.recipe, rng: &mut self.requests, rumour: &mut self.rumours[slot], written: &mut self.written };
        let (request, key) = match owes.last() {
            None => (O::ask(&mut asker), self.keys.key(slot)),
            Some(owed) => match O::digress(&mut asker, owes.len()) {
                Some(request) => (request, owed.key),
                None => (owed.request.clone(), owed.key),
            },
        };
        let is_owed = owes.last().is_some_and(|owed| owed.request.f == request.f);
        if is_owed {
            owes.pop();
        } else {
            self.objects.entry(key).or_insert_with(|| Shelf::new(&self.recipe)).open += 1;
        }
        Asked { request, slot, key, event: self.events }
    }

    fn ask(&mut self, seat: u32) -> Option<Event> {
        let at = seat as usize;
        if self.asked == self.recipe.operations {
            return None;
        }
        self.asked += 1;
        let asked = self.request(at);
        let fate = self.fates.draw();
        let shelf = self.objects.get_mut(&asked.key)?;
        let fate = match (fate, shelf.object.settles(&asked.request)) {
            (Fate::Crashed(Effect::Never), Some(true)) => Fate::Crashed(Effect::Now),
            (Fate::Crashed(_), Some(false)) => Fate::Crashed(Effect::Never),
            // Who is refused the release of what he holds would hold it for ever.
            (Fate::Refused, Some(true)) => Fate::Answered,
            (fate, _) => fate,
        };
        if !asked.request.observes() && self.keys.key(asked.slot) == asked.key && self.keys.update(asked.slot) {
            shelf.is_retired = true;
            self.rumours[asked.slot] = Rumour::default();
        }
        let half = self.recipe.latency.0 / 2;
        self.agenda.after(delay(&mut self.times, half), Turn::Act(seat));
        let event = self.event(at, Kind::Invoke, &asked, asked.request.value.clone());
        let place = &mut self.seats[at];
        (place.fate, place.tries, place.asked) = (fate, TRIES, Some(asked));
        Some(event)
    }

    fn act(&mut self, seat: u32) {
        let at = seat as usize;
        let half = self.recipe.latency.0 / 2;
        let Seat { process, fate, .. } = self.seats[at];
        let Some(asked) = self.seats[at].asked.take() else { return };
        let reply = match fate {
            Fate::Refused | Fate::Crashed(Effect::Never) => Reply::Refused,
            Fate::Crashed(Effect::Later) => {
                self.late.insert(asked.event, (asked.clone(), process));
                let wait = 1 + self.times.below(LATE.saturating_mul(self.recipe.latency.0));
                self.agenda.after(wait, Turn::Late(asked.event));
                Reply::Refused
            }
            Fate::Answered | Fate::Crashed(Effect::Now) => self.carry_out(&asked, at, process),
        };
        let place = &mut self.seats[at];
        place.asked = Some(asked);
        if reply == Reply::Busy && place.tries > 0 {
            place.tries -= 1;
            self.agenda.after(1 + delay(&mut self.times, half), Turn::Act(seat));
            return;
        }
        place.reply = reply;
        self.agenda.after(delay(&mut self.times, half), Turn::Tell(seat));
    }

    /// Lets the store carry an operation out.
    fn carry_out(&mut self, asked: &Asked, seat: usize, process: u32) -> Reply {
        let Some(shelf) = self.objects.get_mut(&asked.key) else { return Reply::Refused };
        let strikes = self.lot.strikes(self.asked);
        let (reply, erred) = shelf.object.serve(seat, process, &asked.request, strikes, &mut self.store);
        if erred {
            self.lot.struck();
            self.truth.defects.push(asked.event);
        }
        reply
    }

    fn tell(&mut self, seat: u32) -> Option<Event> {
        let at = seat as usize;
        self.agenda.after(delay(&mut self.times, self.recipe.pause.0), Turn::Ask(seat));
        let asked = self.seats[at].asked.take()?;
        let reply = std::mem::replace(&mut self.seats[at].reply, Reply::Done);
        let fate = self.seats[at].fate;
        let (kind, value) = match (fate, reply) {
            (Fate::Crashed(_), _) => (Kind::Info, asked.request.value.clone()),
            (_, Reply::Told(value)) => (Kind::Ok, value),
            (_, Reply::Done) => (Kind::Ok, asked.request.value.clone()),
            (_, Reply::Refused | Reply::Busy) => (Kind::Fail, asked.request.value.clone()),
        };
        let event = self.event(at, kind, &asked, value);
        let owed = if kind == Kind::Ok { O::owes(&asked.request) } else { None };
        if kind == Kind::Info {
            self.seats[at].process += self.recipe.processes;
            for owed in std::mem::take(&mut self.seats[at].owes) {
                self.leave(owed.key);
            }
        }
        match owed {
            Some(request) => self.seats[at].owes.push(Asked { request, ..asked }),
            None if fate == Fate::Crashed(Effect::Later) => {}
            None => self.leave(asked.key),
        }
        Some(event)
    }

    /// An operation is over: the last of a retired object takes it away.
    fn leave(&mut self, key: u32) {
        if let Some(shelf) = self.objects.get_mut(&key) {
            shelf.open -= 1;
            if shelf.is_retired && shelf.open == 0 {
                self.objects.remove(&key);
            }
        }
    }

    fn event(&mut self, seat: usize, kind: Kind, asked: &Asked, value: Value) -> Event {
        self.events += 1;
        let has_keys = self.recipe.keys > 1 || self.recipe.updates_per_key.is_some();
        Event {
            time: Nanos(self.agenda.now()),
            process: Process::Client(self.seats[seat].process),
            kind,
            f: asked.request.f,
            key: has_keys.then_some(Value::Int(asked.key.into())),
            value,
            error: None,
            node: None,
        }
    }
}

impl<O: Object> Iterator for Single<O> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        loop {
            let event = match self.agenda.next()? {
                Turn::Ask(seat) => self.ask(seat),
                Turn::Act(seat) => {
                    self.act(seat);
                    None
                }
                Turn::Tell(seat) => self.tell(seat),
                Turn::Late(event) => {
                    if let Some((asked, process)) = self.late.remove(&event) {
                        self.carry_out(&asked, process as usize % self.seats.len(), process);
                        self.leave(asked.key);
                    }
                    None
                }
            };
            if event.is_some() {
                return event;
            }
        }
    }
}

impl<O: Object> Source for Single<O> {
    fn truth(&self) -> &Truth {
        &self.truth
    }
}
