//! A priority queue for small integer costs.

/// Items in buckets by cost. Returns the cheapest first; among equal costs, the last pushed first.
pub(crate) struct BucketQueue<T> {
    /// Items by cost.
    levels: Vec<Vec<T>>,
    /// A lower bound: all buckets below are empty.
    lowest: usize,
    len: usize,
}

impl<T> BucketQueue<T> {
    pub(crate) fn new() -> BucketQueue<T> {
        BucketQueue { levels: Vec::new(), lowest: 0, len: 0 }
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

    /// Removes and returns the cheapest item.
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

    /// The approximate number of bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.levels.iter().map(|level| level.capacity() * size_of::<T>() + size_of::<Vec<T>>()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pops_the_cheapest_first() {
        let mut queue = BucketQueue::new();
        for (cost, item) in [(5, 'a'), (2, 'b'), (5, 'c')] {
            queue.push(cost, item);
        }
        assert_eq!(queue.pop(), Some('b'));
        queue.push(0, 'd');
        assert_eq!([queue.pop(), queue.pop()], [Some('d'), Some('c')]);
        queue.clear();
        assert_eq!(queue.pop(), None);
        queue.push(7, 'e');
        assert_eq!([queue.pop(), queue.pop()], [Some('e'), None]);
    }
}
