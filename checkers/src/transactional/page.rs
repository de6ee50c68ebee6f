//! The documentation page `docs/transactions.md`.

use std::fmt::Write as _;

use super::level::{LEVELS, Level};
use super::phenomenon::PHENOMENA;

/// The text before the tables.
const HEAD: &str = include_str!("page.md");

/// Returns the page in Markdown: the format of histories, the phenomena, and the isolation levels.
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    page += "\n## Phenomena\n\nAll instances are counted; the third column defines an instance. A class has no instances of its own, only those of its cases.\n\n";
    page += "| name | definition | instance | implies | source |\n| --- | --- | --- | --- | --- |\n";
    for entry in PHENOMENA {
        let implies: Vec<&str> = entry.implies.iter().map(|implied| implied.name()).collect();
        let _ = writeln!(page, "| `{}` | {} | {} | {} | {} |", entry.name, entry.about, entry.counts, implies.join(", "), entry.source);
    }
    page += "\n## Isolation levels\n\nA level is refuted by the phenomena that it proscribes, and by any refuted level that it implies. `--isolation strongest` checks all levels.\n\n";
    page += "| name | aliases | implies | also proscribes | source |\n| --- | --- | --- | --- | --- |\n";
    for entry in LEVELS.iter().filter(|entry| entry.level.is_judged()) {
        let implies: Vec<&str> = entry.implies.iter().copied().map(Level::name).collect();
        let proscribes: Vec<&str> = entry.proscribes.iter().map(|phenomenon| phenomenon.name()).collect();
        let columns = [entry.aliases.join(", "), implies.join(", "), proscribes.join(", ")];
        let _ = writeln!(page, "| `{}` | {} | {} |", entry.name, columns.join(" | "), entry.source);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_up_to_date() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/transactions.md");
        if std::env::var_os("ELENCHUS_WRITE_DOCS").is_some() {
            std::fs::write(&path, markdown()).expect("written");
        }
        let page = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(page == markdown(), "run this test with ELENCHUS_WRITE_DOCS=1");
    }
}
