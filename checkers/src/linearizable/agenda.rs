//! What is still to be extended, the cheapest first.

/// Items by their cost; of those that cost the same, the last first.
pub(crate) struct Agenda<T> {
    /// By cost.
    levels: Vec<Vec<T>>,
    /// None costs less.
    lowest: usize,
    len: usize,
}

impl<T> Agenda<T> {
    pub(crate) fn new() -> Agenda<T> {
        Agenda { levels: Vec::new(), lowest: 0, len: 0 }
    }

    pub(crate) fn push(&mut self, cost: u32, item: T) {
        let cost = cost as usize;
        if self.levels.len() <= cost {
            self.levels.resize_with(cost + 1, Vec::new);
        }
        self.lowest = if self.len == 0 { cost } else { self.lowest.min(cost) };
        self.len += 1;
        self.levels[cost].push(item);
    }

    /// Takes out the cheapest.
    pub(crate) fn pop(&mut self) -> Option<T> {
        if self.len == 0 {
            return None;
        }
        while self.levels[self.lowest].is_empty() {
            self.lowest += 1;
        }
        self.len -= 1;
        self.levels[self.lowest].pop()
    }

    pub(crate) fn clear(&mut self) {
        if self.len > 0 {
            self.levels[self.lowest..].iter_mut().for_each(Vec::clear);
        }
        self.len = 0;
    }

    /// Roughly the bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.levels.iter().map(|level| level.capacity() * size_of::<T>() + size_of::<Vec<T>>()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheapest_comes_first() {
        let mut agenda = Agenda::new();
        for (cost, item) in [(5, 'a'), (2, 'b'), (5, 'c')] {
            agenda.push(cost, item);
        }
        assert_eq!(agenda.pop(), Some('b'));
        agenda.push(0, 'd');
        assert_eq!([agenda.pop(), agenda.pop()], [Some('d'), Some('c')]);
        agenda.clear();
        assert_eq!(agenda.pop(), None);
        agenda.push(7, 'e');
        assert_eq!([agenda.pop(), agenda.pop()], [Some('e'), None]);
    }
}
