//! The choice of keys.

use elenchus_core::Rng;

use super::recipe::{KeyChoice, Recipe};

/// The keys in use, each in a slot. A key that has received its maximum number of updates is retired, and a new key takes its slot.
#[derive(Debug)]
pub(super) struct Keys {
    slots: Vec<Slot>,
    /// The cumulative weights of the slots; empty for a uniform distribution.
    weights: Vec<u64>,
    updates_per_key: Option<u32>,
    fresh: u32,
    rng: Rng,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    key: u32,
    updates: u32,
}

impl Keys {
    /// Creates the keys of a recipe.
    pub(super) fn new(recipe: &Recipe) -> Keys {
        let count = recipe.keys.max(1);
        let weights = match recipe.key_choice {
            KeyChoice::Uniform => Vec::new(),
            KeyChoice::Zipf => {
                let weights = (1..=u64::from(count)).map(|rank| (1 << 32) / rank);
                weights.scan(0, |sum, weight| Some(std::mem::replace(sum, *sum + weight) + weight)).collect()
            }
        };
        Keys {
            slots: (0..count).map(|key| Slot { key, updates: 0 }).collect(),
            weights,
            updates_per_key: recipe.updates_per_key,
            fresh: count,
            rng: recipe.seed.stream("simulate keys"),
        }
    }

    /// Draws a slot from the recipe's distribution.
    pub(super) fn choose(&mut self) -> usize {
        match self.weights.last() {
            None => self.rng.below(self.slots.len() as u64) as usize,
            Some(&whole) => {
                let at = self.rng.below(whole);
                self.weights.partition_point(|&sum| sum <= at)
            }
        }
    }

    /// The key in a slot.
    pub(super) fn key(&self, slot: usize) -> u32 {
        self.slots[slot].key
    }

    /// The number of updates of the key in a slot.
    pub(super) fn updates(&self, slot: usize) -> u32 {
        self.slots[slot].updates
    }

    /// Counts an update of the key in a slot. Returns true if it was the last one, so that a new key took the slot.
    pub(super) fn update(&mut self, slot: usize) -> bool {
        let Slot { key, updates } = &mut self.slots[slot];
        *updates += 1;
        let is_last = self.updates_per_key.is_some_and(|most| *updates >= most);
        if is_last {
            (*key, *updates) = (self.fresh, 0);
            self.fresh += 1;
        }
        is_last
    }
}
