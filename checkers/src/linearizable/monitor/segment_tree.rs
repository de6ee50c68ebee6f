//! Segment trees over the positions 0 to n - 1: the maximum of a range, and the first zero in a range.

/// Numbers with range-maximum queries. O(log n) each.
pub(super) struct MaxTree {
    leaves: usize,
    /// Node `i` has the maximum of nodes `2 i` and `2 i + 1`; the leaves come last.
    nodes: Vec<u32>,
}

impl MaxTree {
    /// All zero.
    pub(super) fn new(len: usize) -> MaxTree {
        let leaves = len.next_power_of_two();
        MaxTree { leaves, nodes: vec![0; 2 * leaves] }
    }

    /// Builds a tree from numbers. O(n).
    pub(super) fn of(numbers: impl ExactSizeIterator<Item = u32>) -> MaxTree {
        let mut tree = MaxTree::new(numbers.len());
        let leaves = tree.leaves;
        for (leaf, number) in tree.nodes[leaves..].iter_mut().zip(numbers) {
            *leaf = number;
        }
        for node in (1..leaves).rev() {
            tree.nodes[node] = tree.nodes[2 * node].max(tree.nodes[2 * node + 1]);
        }
        tree
    }

    pub(super) fn set(&mut self, at: usize, number: u32) {
        let mut node = self.leaves + at;
        self.nodes[node] = number;
        while node > 1 {
            node /= 2;
            let greatest = self.nodes[2 * node].max(self.nodes[2 * node + 1]);
            if std::mem::replace(&mut self.nodes[node], greatest) == greatest {
                break;
            }
        }
    }

    /// Some position in a range at which the number is above a bound.
    pub(super) fn above(&self, from: usize, to: usize, bound: u32) -> Option<usize> {
        let (mut left, mut right) = (self.leaves + from, self.leaves + to);
        while left < right {
            if left % 2 == 1 {
                if self.nodes[left] > bound {
                    return Some(self.descend(left, bound));
                }
                left += 1;
            }
            if right % 2 == 1 {
                right -= 1;
                if self.nodes[right] > bound {
                    return Some(self.descend(right, bound));
                }
            }
            (left, right) = (left / 2, right / 2);
        }
        None
    }

    /// The maximum of a range and its position; 0 for an empty range.
    pub(super) fn maximum(&self, from: usize, to: usize) -> (usize, u32) {
        let (mut left, mut right) = (self.leaves + from, self.leaves + to.max(from));
        let (mut node, mut greatest) = (left, 0);
        while left < right {
            for (is_whole, other) in [(left % 2 == 1, left), (right % 2 == 1, right - 1)] {
                if is_whole && self.nodes[other] > greatest {
                    (node, greatest) = (other, self.nodes[other]);
                }
            }
            (left, right) = (left.div_ceil(2), right / 2);
        }
        (if greatest == 0 { from } else { self.descend(node, greatest - 1) }, greatest)
    }

    fn descend(&self, mut node: usize, bound: u32) -> usize {
        while node < self.leaves {
            node = if self.nodes[2 * node] > bound { 2 * node } else { 2 * node + 1 };
        }
        node - self.leaves
    }
}

/// Counts with range decrement and first-zero queries. O(log n) each.
pub(super) struct CountTree {
    leaves: usize,
    /// By node: the amount to add to all counts below it.
    below: Vec<i32>,
    /// By node: the minimum below it, without what its ancestors add.
    least: Vec<i32>,
}

impl CountTree {
    /// Builds a tree from counts, none of them negative. O(n).
    pub(super) fn of(counts: impl ExactSizeIterator<Item = i32>) -> CountTree {
        let leaves = counts.len().next_power_of_two();
        let mut least = vec![0; 2 * leaves];
        for (leaf, count) in least[leaves..].iter_mut().zip(counts) {
            *leaf = count;
        }
        for node in (1..leaves).rev() {
            least[node] = least[2 * node].min(least[2 * node + 1]);
        }
        CountTree { leaves, below: vec![0; leaves], least }
    }

    /// Subtracts one from each count from `from` to before `to`.
    pub(super) fn decrease(&mut self, from: usize, to: usize) {
        if from >= to {
            return;
        }
        let (mut left, mut right) = (self.leaves + from, self.leaves + to);
        while left < right {
            if left % 2 == 1 {
                self.decrement(left);
                left += 1;
            }
            if right % 2 == 1 {
                right -= 1;
                self.decrement(right);
            }
            (left, right) = (left / 2, right / 2);
        }
        self.recompute(self.leaves + from);
        self.recompute(self.leaves + to - 1);
    }

    fn decrement(&mut self, node: usize) {
        self.least[node] -= 1;
        if let Some(below) = self.below.get_mut(node) {
            *below -= 1;
        }
    }

    fn recompute(&mut self, mut node: usize) {
        while node > 1 {
            node /= 2;
            self.least[node] = self.least[2 * node].min(self.least[2 * node + 1]) + self.below[node];
        }
    }

    /// The first position at or after `from` at which the count is zero; the number of leaves if there is none.
    pub(super) fn zero(&self, from: usize) -> usize {
        self.zero_below(1, 0, self.leaves, from, 0).unwrap_or(self.leaves)
    }

    fn zero_below(&self, node: usize, start: usize, len: usize, from: usize, above: i32) -> Option<usize> {
        if start + len <= from || self.least[node] + above > 0 {
            return None;
        }
        if node >= self.leaves {
            return Some(start);
        }
        let above = above + self.below[node];
        self.zero_below(2 * node, start, len / 2, from, above)
            .or_else(|| self.zero_below(2 * node + 1, start + len / 2, len / 2, from, above))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_is_above_a_bound() {
        let mut tree = MaxTree::of([3, 9, 4, 1, 7].into_iter());
        assert_eq!(tree.above(0, 5, 8), Some(1));
        assert_eq!(tree.above(2, 5, 4), Some(4));
        assert_eq!(tree.above(2, 4, 4), None);
        assert_eq!(tree.maximum(0, 5), (1, 9));
        assert_eq!(tree.maximum(2, 4), (2, 4));
        assert_eq!(tree.maximum(3, 3), (3, 0));
        tree.set(1, 0);
        assert_eq!(tree.above(0, 5, 8), None);
        assert_eq!(tree.above(0, 0, 0), None);
    }

    #[test]
    fn finds_the_first_zero() {
        let mut counts = CountTree::of([1, 2, 2, 1, 3].into_iter());
        assert_eq!(counts.zero(0), 5);
        counts.decrease(1, 4);
        assert_eq!((counts.zero(0), counts.zero(4)), (3, 5));
        counts.decrease(0, 3);
        assert_eq!((counts.zero(0), counts.zero(1), counts.zero(3)), (0, 1, 3));
        counts.decrease(2, 2);
        assert_eq!(counts.zero(2), 2);
    }
}
