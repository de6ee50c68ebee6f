//! The report in a real browser: on small and large screens, in light and dark, and printed.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Write skew: a picture of transactions.
const SKEW: &str = r#"{:process 0, :type :invoke, :f :txn, :value [[:r :x nil] [:append :y 1]], :time 1000000}
{:process 1, :type :invoke, :f :txn, :value [[:r :y nil] [:append :x 1]], :time 2000000}
{:process 0, :type :ok, :f :txn, :value [[:r :x []] [:append :y 1]], :time 3000000}
{:process 1, :type :ok, :f :txn, :value [[:r :y []] [:append :x 1]], :time 4000000}
"#;

/// A stale read after overlapping writes: a picture of lanes.
const STALE: &str = r#"{:process 0, :type :invoke, :f :write, :value 1, :time 1000000}
{:process 0, :type :ok, :f :write, :value 1, :time 2000000}
{:process 1, :type :invoke, :f :write, :value 2, :time 3000000}
{:process 2, :type :invoke, :f :write, :value 3, :time 4000000}
{:process 2, :type :ok, :f :write, :value 3, :time 5000000}
{:process 1, :type :ok, :f :write, :value 2, :time 6000000}
{:process 3, :type :invoke, :f :read, :value nil, :time 7000000}
{:process 3, :type :ok, :f :read, :value 1, :time 8000000}
"#;

/// A script that measures the page when it is laid out: by how much it is wider than the window, the numbers of pictures and of invisible ones, the contrast
/// of its text, and whether it is dark.
const MEASURE: &str = r#"<script>addEventListener('load', () => {
  const channels = color => color.match(/[\d.]+/g).slice(0, 3).map(Number);
  const luminance = color => channels(color).map(c => c / 255).map(c => c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const style = getComputedStyle(document.body);
  const [light, dark] = [luminance(style.color), luminance(style.backgroundColor)].sort((a, b) => b - a);
  const pictures = [...document.querySelectorAll('.picture svg')];
  const hidden = pictures.filter(svg => svg.getBoundingClientRect().width < 50 || svg.getBoundingClientRect().height < 10);
  document.title = [document.documentElement.scrollWidth - innerWidth, pictures.length, hidden.length,
    ((light + .05) / (dark + .05)).toFixed(1), matchMedia('(prefers-color-scheme: dark)').matches].join(' ');
})</script>"#;

fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = ["chromium", "chromium-browser", "google-chrome"]
        .iter()
        .find_map(|name| std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file()));
    if found.is_none() {
        println!("skipped: chromium is not installed");
    }
    found
}

/// A report of a history, with a script that measures it.
fn report(history: &str, words: &[&str]) -> TempDir {
    let desk = tempfile::tempdir().unwrap();
    std::fs::write(desk.path().join("history.edn"), history).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_elenchus"));
    let output = command.current_dir(desk.path()).args(["check", "history.edn", "--report", "."]).args(words).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let page = std::fs::read_to_string(desk.path().join("report.html")).unwrap();
    assert!(!page.contains("<script"), "the page has no script of its own");
    std::fs::write(desk.path().join("measured.html"), page.replace("</body>", &format!("{MEASURE}</body>"))).unwrap();
    desk
}

fn browse(browser: &Path, desk: &Path, words: &[&str]) -> String {
    let mut command = Command::new(browser);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]);
    command.args(["--disable-component-update", "--disable-sync", "--hide-scrollbars"]);
    command.arg(format!("--user-data-dir={}", desk.join("profile").display())).args(words);
    let output = command.arg(format!("file://{}", desk.join("measured.html").display())).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The measurements of the script.
fn measured(browser: &Path, desk: &Path, words: &[&str]) -> Vec<String> {
    let page = browse(browser, desk, &[&["--dump-dom"], words].concat());
    let title = page.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>")).map(|(title, _)| title.to_owned());
    title.unwrap_or_else(|| panic!("no page came back: {page}")).split(' ').map(str::to_owned).collect()
}

#[test]
fn it_fits_every_screen_and_is_legible() {
    let Some(browser) = chromium() else { return };
    for (history, words) in [(SKEW, ["--checker", "list-append"]), (STALE, ["--model", "register"])] {
        let desk = report(history, &words);
        for (size, is_dark) in [("--window-size=1280,900", false), ("--window-size=1280,900", true), ("--window-size=500,900", false)] {
            let scheme = if is_dark { "--blink-settings=preferredColorScheme=0" } else { "--blink-settings=preferredColorScheme=1" };
            let found = measured(&browser, desk.path(), &[size, scheme]);
            let [over, pictures, hidden, contrast, dark] = found.as_slice() else { panic!("{found:?}") };
            let number = |word: &str| word.parse::<f64>().unwrap_or_else(|_| panic!("{found:?}"));
            assert!(number(over) <= 0.0, "{size}: the page is {over} pixels wider than the window");
            assert!(number(pictures) >= 4.0 && number(hidden) == 0.0, "{size}: {hidden} of {pictures} pictures cannot be seen");
            assert!(number(contrast) >= 7.0, "{size}: the contrast of the text is {contrast}");
            assert_eq!(dark == "true", is_dark, "{found:?}");
        }
    }
}

#[test]
fn it_can_be_printed() {
    let Some(browser) = chromium() else { return };
    let desk = report(STALE, &["--model", "register"]);
    let paper = desk.path().join("report.pdf");
    browse(&browser, desk.path(), &[&format!("--print-to-pdf={}", paper.display())]);
    let bytes = std::fs::read(&paper).unwrap();
    assert!(bytes.starts_with(b"%PDF") && bytes.len() > 10_000, "{} bytes", bytes.len());
}
