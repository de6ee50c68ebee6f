//! Phenomena of list-append histories, found in the dependency graph of their transactions.

use std::collections::HashMap;

use elenchus_core::{EventIndex, History, Kind, Process, Value};

/// One access.
struct Micro {
    key: i64,
    appends: Option<i64>,
    /// The list that was read, if known.
    reads: Option<Vec<i64>>,
}

/// A transaction that did not fail.
struct Transaction {
    process: Process,
    invoked: EventIndex,
    /// None if its outcome is unknown.
    completed: Option<EventIndex>,
    micros: Vec<Micro>,
}

type Edges = Vec<(usize, usize)>;

/// The transactions of a history and how they depend on each other.
pub(crate) struct Graph {
    transactions: Vec<Transaction>,
    /// By key and element: the transaction that appended it.
    writers: HashMap<(i64, i64), usize>,
    /// The keys and elements that failed transactions appended.
    refused: Vec<(i64, i64)>,
    /// The longest list read under each key.
    orders: HashMap<i64, Vec<i64>>,
    ww: Edges,
    wr: Edges,
    rw: Edges,
    session: Edges,
    real_time: Edges,
}

fn micros(value: &Value, is_told: bool) -> Vec<Micro> {
    let ints = |value: &Value| value.as_list().unwrap_or_default().iter().filter_map(Value::as_int).collect();
    let micro = |micro: &Value| match micro.as_list().expect("a micro-operation") {
        [f, key, value] => Micro {
            key: key.as_int().expect("a key"),
            appends: if f.as_text() == Some("append") { value.as_int() } else { None },
            reads: (f.as_text() == Some("r") && is_told).then(|| ints(value)),
        },
        other => panic!("{other:?}"),
    };
    value.as_list().expect("a transaction").iter().map(micro).collect()
}

impl Graph {
    pub(crate) fn of(history: &History) -> Graph {
        let mut graph = Graph {
            transactions: Vec::new(),
            writers: HashMap::new(),
            refused: Vec::new(),
            orders: HashMap::new(),
            ww: Vec::new(),
            wr: Vec::new(),
            rw: Vec::new(),
            session: Vec::new(),
            real_time: Vec::new(),
        };
        for operation in history.operations().expect("well formed") {
            let micros = micros(operation.output.unwrap_or(operation.input), operation.kind == Kind::Ok);
            let appended = micros.iter().filter_map(|micro| Some((micro.key, micro.appends?)));
            if operation.kind == Kind::Fail {
                graph.refused.extend(appended);
                continue;
            }
            for element in appended {
                assert!(graph.writers.insert(element, graph.transactions.len()).is_none(), "{element:?} is appended twice");
            }
            let completed = if operation.kind == Kind::Ok { operation.completed } else { None };
            graph.transactions.push(Transaction { process: operation.process, invoked: operation.invoked, completed, micros });
        }
        graph.find_orders();
        graph.find_dependencies();
        graph
    }

    fn find_orders(&mut self) {
        for (_, micro) in all(&self.transactions) {
            let read = micro.reads.as_deref().unwrap_or_default();
            let longest = self.orders.entry(micro.key).or_default();
            if read.len() > longest.len() {
                *longest = read.to_vec();
            }
        }
    }

    fn find_dependencies(&mut self) {
        for (&key, order) in &self.orders {
            let writers: Vec<usize> = order.iter().filter_map(|&element| self.writers.get(&(key, element)).copied()).collect();
            self.ww.extend(writers.windows(2).map(|pair| (pair[0], pair[1])).filter(|(one, other)| one != other));
        }
        for (at, micro) in all(&self.transactions) {
            let Some(read) = &micro.reads else { continue };
            let writer = |element: &i64| self.writers.get(&(micro.key, *element)).copied();
            // Its own appends stand at the end, and say nothing of others.
            let outside = read.iter().rposition(|element| writer(element) != Some(at)).map_or(0, |last| last + 1);
            self.wr.extend(read[..outside].last().and_then(writer).map(|from| (from, at)));
            let order = &self.orders[&micro.key];
            let next = order.get(outside..).unwrap_or_default().iter().filter_map(writer).find(|&next| next != at);
            self.rw.extend(next.map(|next| (at, next)));
        }
        for (at, one) in self.transactions.iter().enumerate() {
            for (later, other) in self.transactions.iter().enumerate().skip(at + 1) {
                if one.process == other.process {
                    self.session.push((at, later));
                }
                if one.completed.is_some_and(|completed| completed < other.invoked) {
                    self.real_time.push((at, later));
                }
            }
        }
    }

    /// A transaction read an element that a failed transaction appended, or none did.
    pub(crate) fn aborted_read(&self) -> bool {
        self.read_elements().any(|(_, element)| self.refused.contains(&element) || !self.writers.contains_key(&element))
    }

    /// A transaction read an element that another one appended to a list, but not the last one.
    pub(crate) fn intermediate_read(&self) -> bool {
        all(&self.transactions).any(|(at, micro)| {
            let last = micro.reads.as_ref().and_then(|read| read.last()).copied();
            let writer = last.and_then(|last| self.writers.get(&(micro.key, last)).copied());
            writer.filter(|&writer| writer != at).is_some_and(|writer| {
                let theirs = self.transactions[writer].micros.iter().rev();
                theirs.filter(|other| other.key == micro.key).find_map(|other| other.appends) != last
            })
        })
    }

    /// Two reads of a list of which neither is a prefix of the other.
    pub(crate) fn incompatible_order(&self) -> bool {
        all(&self.transactions).any(|(_, micro)| micro.reads.as_ref().is_some_and(|read| !self.orders[&micro.key].starts_with(read)))
    }

    pub(crate) fn g0(&self) -> bool {
        self.has_cycle(&[&self.ww])
    }

    pub(crate) fn g1c(&self) -> bool {
        self.has_cycle(&[&self.ww, &self.wr])
    }

    /// A read saw a transaction, and a later read of the same transaction did not.
    pub(crate) fn goes_back(&self) -> bool {
        self.is_fractured(|first, second| first < second)
    }

    /// A transaction was seen in part.
    pub(crate) fn fractured(&self) -> bool {
        self.is_fractured(|_, _| true)
    }

    fn is_fractured(&self, counts: impl Fn(usize, usize) -> bool) -> bool {
        self.transactions.iter().enumerate().any(|(at, reader)| {
            let reads = || reader.micros.iter().enumerate().filter_map(|(at, micro)| Some((at, micro.key, micro.reads.as_ref()?)));
            reads().any(|(first, key, read)| {
                let seen = read.iter().filter_map(|&element| self.writers.get(&(key, element)).copied()).filter(|&writer| writer != at);
                seen.into_iter().any(|writer| {
                    let wrote = || self.transactions[writer].micros.iter().filter_map(|micro| Some((micro.key, micro.appends?)));
                    reads().any(|(second, key, read)| {
                        counts(first, second) && wrote().any(|(theirs, element)| theirs == key && !read.contains(&element))
                    })
                })
            })
        })
    }

    /// A transaction missed one of its process or one that it depends on by reading: a cycle with one antidependency.
    pub(crate) fn not_causal(&self) -> bool {
        self.has_single(&[&self.wr, &self.session])
    }

    /// The same, with write dependencies.
    pub(crate) fn not_parallel_snapshot(&self) -> bool {
        self.has_single(&[&self.wr, &self.ww, &self.session])
    }

    /// No commit order of which every transaction sees a prefix. (Cerone, Gotsman & Yang: ((SO ∪ WR); RW?) ∪ WW is acyclic.)
    pub(crate) fn not_prefix(&self) -> bool {
        self.has_spaced_cycle(&[&self.wr, &self.session], &self.ww)
    }

    /// The same, and every writer sees the version that it overwrites. (Adya's G-SI: no cycle whose antidependencies are never adjacent.)
    pub(crate) fn not_snapshot(&self) -> bool {
        self.has_spaced_cycle(&[&self.wr, &self.ww], &[])
    }

    pub(crate) fn not_session_snapshot(&self) -> bool {
        self.has_spaced_cycle(&[&self.wr, &self.ww, &self.session], &[])
    }

    pub(crate) fn not_strong_snapshot(&self) -> bool {
        self.has_spaced_cycle(&[&self.wr, &self.ww, &self.real_time], &[])
    }

    /// A reader, alone among those that only read, is in a cycle; or updates are.
    pub(crate) fn not_update_serializable(&self) -> bool {
        let updates = |at: usize| self.transactions[at].micros.iter().any(|micro| micro.appends.is_some());
        let readers = (0..self.transactions.len()).filter(|&at| !updates(at));
        readers.into_iter().any(|reader| {
            let all = self.ww.iter().chain(&self.wr).chain(&self.rw).copied();
            let kept: Edges = all.filter(|&(from, to)| [from, to].iter().all(|&at| at == reader || updates(at))).collect();
            self.has_cycle(&[&kept])
        })
    }

    pub(crate) fn not_serializable(&self) -> bool {
        self.has_cycle(&[&self.ww, &self.wr, &self.rw])
    }

    pub(crate) fn not_session_serializable(&self) -> bool {
        self.has_cycle(&[&self.ww, &self.wr, &self.rw, &self.session])
    }

    pub(crate) fn not_strict_serializable(&self) -> bool {
        self.has_cycle(&[&self.ww, &self.wr, &self.rw, &self.real_time])
    }

    fn read_elements(&self) -> impl Iterator<Item = (usize, (i64, i64))> + '_ {
        all(&self.transactions).flat_map(|(at, micro)| micro.reads.iter().flatten().map(move |&element| (at, (micro.key, element))))
    }

    fn has_cycle(&self, edges: &[&[(usize, usize)]]) -> bool {
        !is_acyclic(self.transactions.len(), &edges.concat())
    }

    /// Whether an antidependency closes a path of these.
    fn has_single(&self, dependencies: &[&[(usize, usize)]]) -> bool {
        let count = self.transactions.len();
        let mut next = vec![Vec::new(); count];
        for &(from, to) in dependencies.iter().copied().flatten() {
            next[from].push(to);
        }
        self.rw.iter().any(|&(from, to)| {
            let (mut seen, mut open) = (vec![false; count], vec![to]);
            while let Some(at) = open.pop() {
                if !std::mem::replace(&mut seen[at], true) {
                    open.extend(&next[at]);
                }
            }
            seen[from]
        })
    }

    /// Whether there is a cycle of steps, each of which is plain, or a dependency, perhaps followed by an antidependency.
    fn has_spaced_cycle(&self, dependencies: &[&[(usize, usize)]], plain: &[(usize, usize)]) -> bool {
        let count = self.transactions.len();
        let mut edges: Edges = plain.to_vec();
        for &(from, to) in dependencies.iter().copied().flatten() {
            edges.extend([(from, to), (from, count + to)]);
        }
        edges.extend(self.rw.iter().map(|&(from, to)| (count + from, to)));
        !is_acyclic(2 * count, &edges)
    }
}

fn all(transactions: &[Transaction]) -> impl Iterator<Item = (usize, &Micro)> {
    transactions.iter().enumerate().flat_map(|(at, transaction)| transaction.micros.iter().map(move |micro| (at, micro)))
}

/// Whether all nodes can be taken away, each when nothing leads to it any more.
fn is_acyclic(count: usize, edges: &[(usize, usize)]) -> bool {
    let (mut next, mut incoming) = (vec![Vec::new(); count], vec![0; count]);
    for &(from, to) in edges {
        next[from].push(to);
        incoming[to] += 1;
    }
    let mut free: Vec<usize> = (0..count).filter(|&at| incoming[at] == 0).collect();
    let mut taken = 0;
    while let Some(at) = free.pop() {
        taken += 1;
        for &to in &next[at] {
            incoming[to] -= 1;
            if incoming[to] == 0 {
                free.push(to);
            }
        }
    }
    taken == count
}
