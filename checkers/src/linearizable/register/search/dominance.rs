//! Dominance between configurations.

use std::cell::Cell;

use super::Entry;
use crate::linearizable::bits::Bits;
use crate::linearizable::multisets::{EMPTY, MultisetId, Multisets};
use crate::linearizable::register::accesses::{ANY, Accesses};
use crate::linearizable::register::beam::Beam;

/// One entry dominates another if it has fewer pending operations, more tokens, and used no more crashed operations.
pub(super) fn dominates<B: Bits>(
    multisets: &Multisets,
    accesses: &Accesses,
    beam: Beam,
    dropped_some: &Cell<bool>,
) -> impl Fn(&Entry<B>, &Entry<B>) -> bool {
    move |one, other| {
        let has_done_more = one.0.is_subset(other.0) && other.1.is_subset(one.1);
        if !has_done_more || !beam.is_rough {
            return has_done_more && used_no_more(multisets, accesses, one.2, other.2);
        }
        let used_fewer = one.3 <= other.3;
        if used_fewer && !dropped_some.get() && !used_no_more(multisets, accesses, one.2, other.2) {
            dropped_some.set(true);
        }
        used_fewer
    }
}

/// Whether the crashed operations that one used can be matched, value by value, with those that the other used: each compare-and-set with
/// an identical one or a plain write, and each plain write with a plain write.
fn used_no_more(multisets: &Multisets, accesses: &Accesses, one: MultisetId, other: MultisetId) -> bool {
    if one == EMPTY || one == other {
        return true;
    }
    let (one, other) = (multisets.pairs(one), multisets.pairs(other));
    let class = |pair: &(u32, u32)| accesses.classes[pair.0 as usize];
    let mut at = 0;
    while at < one.len() {
        let to = class(&one[at]).to;
        let group = one[at..].iter().take_while(|pair| class(pair).to == to).count();
        let mut wanted = 0;
        let mut spare = 0;
        for pair in other.iter().filter(|pair| class(pair).to == to && class(pair).from == ANY) {
            spare += pair.1;
        }
        for pair in &one[at..at + group] {
            if class(pair).from == ANY {
                wanted += pair.1;
            } else {
                let like = other.binary_search_by_key(&pair.0, |pair| pair.0).map_or(0, |found| other[found].1);
                wanted += pair.1.saturating_sub(like);
            }
        }
        if wanted > spare {
            return false;
        }
        at += group;
    }
    true
}
