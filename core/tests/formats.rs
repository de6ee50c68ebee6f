//! A history is read the same in every layout, chunk size and number of threads, and malformed input never panics.

mod common;

use std::io::{Cursor, Read, Write};

use common::{Expressible, any_history, cases, with_nodes_as_mentioned};
use elenchus_core::exchange::{self, Format, ReadError, ReadOptions, Skipped, edn, events_from, json, parse};
use elenchus_core::journal::JournalWriter;
use elenchus_core::{Event, History};
use proptest::prelude::*;
use proptest::sample::Index;

fn written(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut bytes).unwrap();
    bytes
}

fn read(bytes: &[u8], options: &ReadOptions) -> Result<(History, Skipped), String> {
    events_from("f", Cursor::new(bytes.to_vec()), options).unwrap().into_history().map_err(|error: ReadError| error.to_string())
}

/// Text layouts of a history.
#[derive(Clone, Copy, Debug)]
enum Layout {
    EdnLines,
    EdnVector,
    EdnTagged,
    EdnCommented,
    EdnPretty,
    JsonLines,
    JsonArray,
    Log,
}

const LAYOUTS: [Layout; 8] = [
    Layout::EdnLines,
    Layout::EdnVector,
    Layout::EdnTagged,
    Layout::EdnCommented,
    Layout::EdnPretty,
    Layout::JsonLines,
    Layout::JsonArray,
    Layout::Log,
];

fn laid_out(history: &History, layout: Layout) -> Vec<u8> {
    let in_edn = String::from_utf8(written(|sink| edn::write(history, sink))).unwrap();
    let in_json = String::from_utf8(written(|sink| json::write(history, sink))).unwrap();
    let lines: Vec<&str> = in_edn.lines().collect();
    match layout {
        Layout::EdnLines => in_edn,
        Layout::EdnVector => format!("[{}]", lines.join(" ")),
        Layout::EdnTagged => format!("[\n{}]\n", lines.iter().map(|line| format!("#jepsen.history.Op{line}\n")).collect::<String>()),
        Layout::EdnCommented => lines.iter().map(|line| format!("{line} ; {{:index\n #_ {{:index 5}} ")).collect(),
        Layout::EdnPretty => in_edn.replace(", ", ",\n "),
        Layout::JsonLines => in_json,
        Layout::JsonArray => format!("[{}]", in_json.lines().collect::<Vec<_>>().join(",\n ")),
        Layout::Log => history.events.iter().map(log_line).collect(),
    }
    .into_bytes()
}

fn log_line(event: &Event) -> String {
    let error = event.error.as_ref().map(|error| format!("\t{}", error.trim().replace(['\n', '\r'], " "))).unwrap_or_default();
    format!("1970 INFO jepsen.util - {}\t:{}\t:f\t{}{error}\nINFO jepsen.core - more\n", event.process, event.kind.as_str(), event.value)
}

fn any_layout() -> impl Strategy<Value = Layout> {
    prop::sample::select(LAYOUTS.to_vec())
}

/// Damage to a text: bytes changed, inserted, removed, duplicated or truncated.
fn any_damage() -> impl Strategy<Value = Vec<(Index, Index, u8, u8)>> {
    let byte = prop_oneof![prop::sample::select(b"{}[]()\"\\#_;:, \n-19.eNn".to_vec()), any::<u8>()];
    prop::collection::vec((any::<Index>(), any::<Index>(), 0u8..5, byte), 0..4)
}

fn damaged(mut text: Vec<u8>, damage: &[(Index, Index, u8, u8)]) -> Vec<u8> {
    for (from, to, kind, byte) in damage {
        if text.is_empty() {
            break;
        }
        let (from, to) = (from.index(text.len()), to.index(text.len()));
        let part = from.min(to)..from.max(to).min(from.min(to) + 40);
        match kind {
            0 => text[from] = *byte,
            1 => text.insert(from, *byte),
            2 => drop(text.drain(part)),
            3 => text.truncate(from),
            _ => {
                let copied = text[part].to_vec();
                text.splice(to..to, copied);
            }
        }
    }
    text
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn edn_round_trips(history in any_history(Expressible::All)) {
        let text = written(|sink| edn::write(&history, sink));
        prop_assert_eq!(parse(&text).unwrap(), with_nodes_as_mentioned(&history));
    }

    #[test]
    fn json_round_trips(history in any_history(Expressible::InJson)) {
        let text = written(|sink| json::write(&history, sink));
        prop_assert_eq!(parse(&text).unwrap(), with_nodes_as_mentioned(&history));
    }

    #[test]
    fn chunks_give_the_same_history_as_the_whole(
        history in any_history(Expressible::InJson), layout in any_layout(), batch_bytes in 1usize..300, threads in 1usize..4,
    ) {
        let text = laid_out(&history, layout);
        let whole = parse(&text).unwrap();
        prop_assert_eq!(whole.events.len(), history.events.len());
        let parts = read(&text, &ReadOptions { batch_bytes, threads, lenient: false }).unwrap();
        prop_assert_eq!(&parts.0, &whole);
        let leniently = read(&text, &ReadOptions { batch_bytes, threads, lenient: true }).unwrap();
        prop_assert_eq!(leniently, (whole, Skipped::default()));
    }

    #[test]
    fn errors_do_not_depend_on_chunks(
        history in any_history(Expressible::InJson), layout in any_layout(), batch_bytes in 1usize..300, damage in any_damage(),
    ) {
        let text = damaged(laid_out(&history, layout), &damage);
        // Damage must not produce the magic of gzip.
        prop_assume!(!text.starts_with(&[0x1f, 0x8b]));
        let whole = parse(&text).map_err(|error| format!("f:{error}"));
        let parts = read(&text, &ReadOptions { batch_bytes, threads: 3, lenient: false });
        prop_assert_eq!(parts.map(|(history, _)| history), whole.clone());
        let in_parts = read(&text, &ReadOptions { batch_bytes, threads: 3, lenient: true }).unwrap();
        let at_once = read(&text, &ReadOptions { batch_bytes: 1 << 20, threads: 1, lenient: true }).unwrap();
        prop_assert_eq!(&in_parts, &at_once);
        match whole {
            Ok(whole) if at_once.1.count == 0 => prop_assert_eq!(at_once.0, whole),
            // A removed quote may merge several events into one. Lenient mode ends an event where another line begins like one, and skips the rest.
            Ok(_) => prop_assert!(!damage.is_empty()),
            // Invalid UTF-8 is replaced and not counted.
            Err(_) => prop_assert!(at_once.1.count > 0 || std::str::from_utf8(&text).is_err()),
        }
    }

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
        if let Ok(events) = events_from("f", Cursor::new(bytes), &ReadOptions::default()) {
            let _ = events.into_history();
        }
    }
}

#[test]
fn compressed_histories_are_decompressed() {
    let text = b"{:process 0, :type :invoke, :f :read, :value nil}\n{:process 0, :type :ok, :f :read, :value 3}\n".as_slice();
    let (first, second) = text.split_at(50);
    let gzip = |text: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = |text: &[u8]| ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest);
    let skippable = [[0x5a, 0x2a, 0x4d, 0x18].as_slice(), &3u32.to_le_bytes(), b"abc"].concat();
    let expected = (parse(text).unwrap(), Skipped::default());
    for bytes in [gzip(text), [gzip(first), gzip(second)].concat(), zstd(text), [zstd(first), skippable, zstd(second)].concat()] {
        assert_eq!(read(&bytes, &ReadOptions::default()).unwrap(), expected);
    }
    for bytes in [gzip(text), zstd(text)] {
        let torn = events_from("f", Cursor::new(bytes[..bytes.len() - 9].to_vec()), &ReadOptions::default())
            .and_then(|events| events.into_history());
        assert!(matches!(torn, Err(ReadError::Io { .. })), "{torn:?}");
    }
    let journal = written(|sink| JournalWriter::new(sink, &[])?.append(&expected.0.events));
    assert_eq!(read(&gzip(&journal), &ReadOptions::default()).unwrap(), expected);
}

#[test]
fn malformed_events_are_skipped_and_counted() {
    let lenient = ReadOptions { lenient: true, ..ReadOptions::default() };
    let lines = "{:process 0, :type :invoke, :f :read, :value nil}\n\
                 {:process 0, :type :ok, :f :read, :val\n\
                 nonsense\n\
                 {:process 1, :type :okay, :f :read, :value \"{:process\"}\n\
                 {:process 2, :type :ok, :f :read, :value 4}\n";
    let (history, skipped) = read(lines.as_bytes(), &lenient).unwrap();
    assert_eq!(history.events.iter().map(ToString::to_string).collect::<Vec<_>>(), ["0 invoke read nil", "2 ok read 4"]);
    let shown: Vec<String> = skipped.first.iter().map(ToString::to_string).collect();
    assert_eq!(shown[0], "4:1: the text ends inside a map; expected `}`");
    assert!(shown.contains(&"4:20: unknown event type `okay`; expected :invoke, :ok, :fail or :info".to_owned()), "{shown:?}");
    assert_eq!(skipped.count as usize, shown.len());

    let json = "{\"process\":0,\"type\":\"invoke\"}\n{\"process\":0,\"ty\n{\"process\":0,\"type\":\"ok\"}\n";
    let (history, skipped) = read(json.as_bytes(), &lenient).unwrap();
    assert_eq!((history.events.len(), skipped.count), (2, 1));
    assert_eq!(skipped.first[0].to_string(), "2:14: unterminated string; expected a closing `\"`");

    let log = "INFO  jepsen.util - 0\t:invoke\t:read\tnil\nINFO  jepsen.util - 0\t:oops\t:read\t[1\nINFO  jepsen.util - 0\t:ok\t:read\t1\n";
    let (history, skipped) = read(log.as_bytes(), &lenient).unwrap();
    assert_eq!((history.events.len(), skipped.count), (2, 1));
}

#[test]
fn the_nesting_depth_is_limited() {
    let nested = |open: &str, close: &str, depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
    let edn = |value: String| parse(format!("{{:process 0 :type :ok :value {value}}}").as_bytes());
    let json = |value: String| parse(format!("{{\"process\": 0, \"type\": \"ok\", \"value\": {value}}}").as_bytes());
    assert!(edn(nested("[", "]", 64)).is_ok() && json(nested("[", "]", 64)).is_ok());
    for deep in [
        edn(nested("[", "]", 65)),
        edn(nested("{1 ", "}", 100_000)),
        edn(nested("#{", "}", 100_000)),
        edn(nested("#_", "", 100_000)),
        edn(nested("^", "", 100_000)),
        json(nested("[", "]", 65)),
        json(nested("{\"a\":", "}", 100_000)),
    ] {
        assert!(deep.unwrap_err().message.starts_with("data is nested deeper than 64 levels"));
    }
}

/// An endless history; counts the bytes read from it.
struct Endless(usize);

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let line = b"{:process 0, :type :invoke, :f :read, :value nil}\n";
        let count = (&line[self.0 % line.len()..]).read(buffer)?;
        self.0 += count;
        Ok(count)
    }
}

#[test]
fn an_endless_history_is_read_in_bounded_memory() {
    let events = events_from("endless", Endless(0), &ReadOptions { batch_bytes: 10_000, threads: 2, lenient: false }).unwrap();
    assert_eq!(events.format(), Format::Edn);
    let taken: usize = events.take(20).map(|batch| batch.unwrap().len()).sum();
    assert!((2_000..20_000).contains(&taken), "{taken}");
}

#[test]
fn an_event_longer_than_many_chunks_is_read() {
    let long = format!("{{:process 0 :type :ok :f :read :value [{}]}}\n", "1 ".repeat(50_000));
    let text = long.repeat(3);
    let (history, _) = read(text.as_bytes(), &ReadOptions { batch_bytes: 500, threads: 2, lenient: false }).unwrap();
    assert_eq!(history, parse(text.as_bytes()).unwrap());
    assert_eq!(history.events.len(), 3);
}

#[test]
fn leading_blanks_do_not_hide_the_format() {
    let blanks = " \n".repeat(2000);
    for event in ["[{:process 0, :type :invoke, :f :read}]", "[{\"process\": 0, \"type\": \"invoke\", \"f\": \"read\"}]"] {
        let options = ReadOptions { threads: 1, batch_bytes: 64, ..ReadOptions::default() };
        let (history, _) = read(format!("{blanks}{event}").as_bytes(), &options).unwrap();
        assert_eq!(history.events.len(), 1, "{event}");
    }
}

#[test]
fn errors_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.txt");
    assert!(exchange::read(&path).unwrap_err().to_string().starts_with(&format!("{}: ", path.display())));
    std::fs::write(&path, "\u{feff}{:process 0\n :type :okay}").unwrap();
    let message = exchange::read(&path).unwrap_err().to_string();
    assert_eq!(message, format!("{}:2:8: unknown event type `okay`; expected :invoke, :ok, :fail or :info", path.display()));
}
