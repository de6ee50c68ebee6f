//! The page about transactions in the documentation.

use std::fmt::Write as _;

use super::level::{LEVELS, Level};
use super::phenomenon::PHENOMENA;

/// What stands before the tables.
const HEAD: &str = include_str!("page.md");

/// The page, in Markdown: what histories of transactions look like, what is found in them, and what that says of isolation levels.
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    page += "\n## Phenomena\n\nInstances are counted, all of them; what is counted is said in the third column. A class has none: what is found is a case of it.\n\n";
    page += "| name | what it is | counted | a case of | source |\n| --- | --- | --- | --- | --- |\n";
    for entry in PHENOMENA {
        let implies: Vec<&str> = entry.implies.iter().map(|implied| implied.name()).collect();
        let _ = writeln!(page, "| `{}` | {} | {} | {} | {} |", entry.name, entry.about, entry.counts, implies.join(", "), entry.source);
    }
    page += "\n## Isolation levels\n\nA level is refuted by the phenomena that it rules out, and with every level that it implies. `--isolation strongest` asks for all.\n\n";
    page += "| name | other names | implies | rules out besides | source |\n| --- | --- | --- | --- | --- |\n";
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
