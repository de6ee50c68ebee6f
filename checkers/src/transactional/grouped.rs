//! Lists of numbers by group, in compressed sparse row form.

use super::elements::NONE;

/// The members of each group in the order in which they were added, without consecutive duplicates.
#[derive(Debug, Default)]
pub(crate) struct Grouped {
    starts: Vec<u32>,
    members: Vec<u32>,
}

impl Grouped {
    /// Groups the (group, member) pairs that `each` adds. `each` is called twice and must add the same pairs both times. Linear.
    pub(crate) fn new(groups: usize, each: impl Fn(&mut dyn FnMut(u32, u32))) -> Grouped {
        let mut last = vec![NONE; groups];
        let mut starts = vec![0; groups + 1];
        each(&mut |group, member| {
            if std::mem::replace(&mut last[group as usize], member) != member {
                starts[group as usize + 1] += 1;
            }
        });
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        let mut members = vec![0; starts.last().copied().unwrap_or(0) as usize];
        last.fill(NONE);
        each(&mut |group, member| {
            if std::mem::replace(&mut last[group as usize], member) != member {
                members[next[group as usize] as usize] = member;
                next[group as usize] += 1;
            }
        });
        Grouped { starts, members }
    }

    /// The members of a group.
    pub(crate) fn of(&self, group: u32) -> &[u32] {
        match self.starts.get(group as usize..group as usize + 2) {
            Some(&[from, to]) => &self.members[from as usize..to as usize],
            _ => &[],
        }
    }

    /// The number of groups.
    pub(crate) fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// Returns whether all groups are empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}
