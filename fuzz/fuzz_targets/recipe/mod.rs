//! A recipe from bytes.

use elenchus_checkers::simulate::{DefectRate, KeyChoice, Recipe, STORES, Store, Workload};

/// The recipe that the bytes say, of a pair of store and workload that `suits`; none where they are too few.
pub fn recipe(data: &[u8], suits: impl Fn(Store, Workload) -> bool) -> Option<Recipe> {
    let &[pair, processes, keys, values, crash, defect_rate, length, seed @ ..] = data.first_chunk::<15>()?;
    let pairs: Vec<(Store, Workload)> = STORES
        .iter()
        .flat_map(|entry| entry.workloads.iter().map(|&workload| (entry.store, workload)))
        .filter(|&(store, workload)| suits(store, workload))
        .collect();
    let &(store, workload) = pairs.get(usize::from(pair) % pairs.len().max(1))?;
    let suited = Recipe::new(store, workload).with_seed(u64::from_le_bytes(seed));
    Some(Recipe {
        operations: 10 + u64::from(length),
        processes: 1 + u32::from(processes % 8),
        keys: suited.keys + u32::from(keys % 4),
        key_choice: if keys % 8 < 4 { KeyChoice::Uniform } else { KeyChoice::Zipf },
        updates_per_key: suited.updates_per_key.map(|_| 4 + u32::from(values % 32)),
        values: suited.values.map(|_| 1 + u32::from(values % 8)),
        crash: f64::from(crash % 32) / 256.0,
        defect_rate: if defect_rate == 0 { DefectRate::Once } else { DefectRate::Share(f64::from(defect_rate % 64) / 256.0) },
        ..suited
    })
}
