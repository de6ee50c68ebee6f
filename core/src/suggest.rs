//! Suggestions for misspelt words.

/// Returns the candidate nearest to `word`, if it is a plausible correction: its edit distance (Damerau–Levenshtein) is at most a third of the
/// length of `word`, or it begins with `word`.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let budget = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= budget || (word.len() >= 3 && candidate.starts_with(word)))
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn suggests_near_words_only() {
        let words = ["register", "set", "queue", "partition"];
        assert_eq!(nearest("regsiter", words), Some("register"));
        assert_eq!(nearest("partitions", words), Some("partition"));
        assert_eq!(nearest("part", words), Some("partition"));
        assert_eq!(nearest("banana", words), None);
    }
}
