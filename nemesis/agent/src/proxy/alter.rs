//! Altering values in messages that stay well-formed.
//!
//! Bytes are replaced in place; none is added, removed or held back. So lengths and framing stay valid, and the result does not depend on
//! how the stream is divided into reads, except for plain bytes, which have no messages. A codec that cannot parse a stream passes the rest
//! of the connection on unchanged.

mod http;
mod json;
mod postgres;
mod redis;

use super::{Alter, Protocol, Side};
use http::Http;
use postgres::Postgres;
use redis::Redis;

/// Alters the messages of one connection.
pub(super) struct Alterer {
    side: Side,
    codec: Codec,
    choice: Choice,
}

enum Codec {
    Http(Http),
    Redis(Redis),
    Postgres(Postgres),
    Bytes,
}

impl Alterer {
    pub(super) fn new(Alter { share, protocol, of }: Alter, random: fastrand::Rng) -> Alterer {
        let codec = match protocol {
            Protocol::Http => Codec::Http(Http::default()),
            Protocol::Redis => Codec::Redis(Redis::default()),
            Protocol::Postgres => Codec::Postgres(Postgres::default()),
            Protocol::Bytes => Codec::Bytes,
        };
        Alterer { side: of, codec, choice: Choice { share, random, target: None } }
    }

    /// Alters bytes that one side sent. `is_first`: the other side was the last to send.
    pub(super) fn alter(&mut self, side: Side, bytes: &mut [u8], is_first: bool) {
        // A codec sees both sides, because parsing one can depend on the other.
        let mut none = Choice::none();
        let choice = if side == self.side { &mut self.choice } else { &mut none };
        match &mut self.codec {
            Codec::Http(http) => http.process(side, bytes, choice),
            Codec::Redis(redis) => redis.process(side, bytes, choice),
            Codec::Postgres(postgres) => postgres.process(side, bytes, choice),
            Codec::Bytes if is_first => {
                choice.begin(bytes.len() as u64);
                let mut at = 0..;
                bytes.iter_mut().zip(&mut at).for_each(|(byte, at)| choice.offer(at, byte, Some(!*byte)));
            }
            Codec::Bytes => {}
        }
    }
}

/// Whether a message is altered, and where.
struct Choice {
    share: f64,
    random: fastrand::Rng,
    /// The offset from which on the first alterable byte is altered.
    target: Option<u64>,
}

impl Choice {
    /// Alters nothing.
    fn none() -> Choice {
        Choice { share: 0.0, random: fastrand::Rng::with_seed(0), target: None }
    }

    /// Decides for a message of this length.
    fn begin(&mut self, length: u64) {
        let is_altered = self.share > 0.0 && self.random.f64() < self.share;
        self.target = is_altered.then(|| self.random.u64(0..length.max(1)));
    }

    /// Offers a byte of the message, and what it can be replaced by.
    fn offer(&mut self, at: u64, byte: &mut u8, other: Option<u8>) {
        if let (Some(target), Some(other)) = (self.target, other)
            && at >= target
        {
            (*byte, self.target) = (other, None);
        }
    }
}

/// The replacement of a letter (its neighbour of the same case) or digit (another one, but not 0, which cannot start a number).
///
/// Base64 stays valid, and text in it stays text, because the highest bit of each byte does not change.
fn replace_char(byte: u8) -> Option<u8> {
    match byte {
        b'a'..=b'z' => Some(((byte - b'a') ^ 1) + b'a'),
        b'A'..=b'Z' => Some(((byte - b'A') ^ 1) + b'A'),
        b'0' => Some(b'1'),
        b'9' => Some(b'8'),
        b'1'..=b'8' => Some(((byte - b'1') ^ 1) + b'1'),
        _ => None,
    }
}

/// The same for values that may be binary: control characters that are not whitespace have their lowest bit flipped.
fn replace_byte(byte: u8) -> Option<u8> {
    match byte {
        b'\t' | b'\n' | 0x0b | 0x0c | b'\r' | 0x08 => None,
        0..0x20 => Some(byte ^ 1),
        _ => replace_char(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a dialogue through an alterer in pieces of at most `piece` bytes.
    fn altered(alter: Alter, seed: u64, dialogue: &[(Side, &[u8])], piece: usize) -> Vec<Vec<u8>> {
        let mut alterer = Alterer::new(alter, fastrand::Rng::with_seed(seed));
        let said = dialogue.iter().map(|&(side, bytes)| {
            let mut bytes = bytes.to_vec();
            let mut is_first = true;
            for piece in bytes.chunks_mut(piece) {
                alterer.alter(side, piece, is_first);
                is_first = false;
            }
            bytes
        });
        said.collect()
    }

    /// The messages of a dialogue in turn.
    type Dialogue = [(Side, &'static [u8])];

    const HTTP: &Dialogue = &[
        (Side::Client, b"POST /v3/kv/range HTTP/1.1\r\nHost: n1\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{\"key\":\"Zm9v\"}"),
        (
            Side::Server,
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 76\r\n\r\n\
              {\"header\":{\"revision\":\"12\"},\"kvs\":[{\"key\":\"Zm9v\",\"value\":\"YmFyMQ==\"}],\"n\":1}",
        ),
        (Side::Client, b"HEAD / HTTP/1.1\r\n\r\nGET /x HTTP/1.1\r\n\r\n"),
        (
            Side::Server,
            b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\nHTTP/1.1 200 OK\r\ncontent-type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n\
              8;x=1\r\n{\"a\": [1\r\n5\r\n2, 3]\r\n1\r\n}\r\n0\r\nEnd: 1\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
        ),
    ];

    const REDIS: &Dialogue = &[
        (Side::Client, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n"),
        (Side::Server, b"+OK\r\n:12\r\n*2\r\n$4\r\nabcd\r\n$-1\r\n$0\r\n\r\n-ERR wrong 1\r\n#t\r\n,1.5\r\n%1\r\n$1\r\na\r\n:3\r\n"),
    ];

    const POSTGRES: &Dialogue = &[
        (Side::Client, b"\0\0\0\x08\x04\xd2\x16\x2f"),
        (Side::Server, b"N"),
        (Side::Client, b"\0\0\0\x0d\0\x03\0\0user\0Q\0\0\0\x0dselect 1\0B\0\0\0\x19p\0s\0\0\x01\0\0\0\x01\0\0\0\x031234567"),
        (Side::Server, b"R\0\0\0\x08\0\0\0\0D\0\0\0\x16\0\x03\0\0\0\x03abc\xff\xff\xff\xff\0\0\0\x01tC\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I"),
    ];

    const ALL: [(Protocol, &Dialogue); 3] = [(Protocol::Http, HTTP), (Protocol::Redis, REDIS), (Protocol::Postgres, POSTGRES)];

    /// The positions of the changed bytes.
    fn changes(before: &[(Side, &[u8])], after: &[Vec<u8>]) -> Vec<(usize, usize)> {
        let of_part = |part: usize| {
            let (before, after) = (before[part].1, &after[part]);
            assert_eq!(before.len(), after.len());
            (0..before.len()).filter(move |&at| before[at] != after[at]).map(move |at| (part, at))
        };
        (0..before.len()).flat_map(of_part).collect()
    }

    #[test]
    fn characters_keep_their_class() {
        for byte in 0..=255u8 {
            match replace_char(byte) {
                None => assert!(!byte.is_ascii_alphanumeric()),
                Some(other) => {
                    assert!(other != byte && other != b'0');
                    assert_eq!((other.is_ascii_digit(), other.is_ascii_lowercase()), (byte.is_ascii_digit(), byte.is_ascii_lowercase()));
                }
            }
            assert_ne!(replace_byte(byte), Some(byte));
        }
    }

    /// The bytes of one side that can be altered, found with many seeds.
    fn alterable(protocol: Protocol, of: Side, dialogue: &[(Side, &[u8])]) -> String {
        let mut all = std::collections::BTreeSet::new();
        for seed in 0..2000 {
            all.extend(changes(dialogue, &altered(Alter { share: 1.0, protocol, of }, seed, dialogue, 1000)));
        }
        all.into_iter().map(|(part, at)| char::from(dialogue[part].1[at])).collect()
    }

    #[test]
    fn only_values_are_altered() {
        // In strings every fourth character, so the end of base64 stays canonical.
        assert_eq!(alterable(Protocol::Http, Side::Server, HTTP), "1ZYM11");
        assert_eq!(alterable(Protocol::Http, Side::Client, HTTP), "Z");
        assert_eq!(alterable(Protocol::Redis, Side::Server, REDIS), "1abcdt1a3");
        assert_eq!(alterable(Protocol::Redis, Side::Client, REDIS), "kvalue");
        assert_eq!(alterable(Protocol::Postgres, Side::Server, POSTGRES), "abct");
        assert_eq!(alterable(Protocol::Postgres, Side::Client, POSTGRES), "123");
    }

    #[test]
    fn bodies_without_a_content_type_are_detected() {
        let json: &Dialogue = &[(Side::Client, b"PUT / HTTP/1.1\r\nContent-Length: 12\r\n\r\n {\"key\": 25}")];
        assert_eq!(alterable(Protocol::Http, Side::Client, json), "25");
        let text: &Dialogue = &[(Side::Client, b"PUT / HTTP/1.1\r\nContent-Length: 3\r\n\r\nkey")];
        assert_eq!(alterable(Protocol::Http, Side::Client, text), "key");
    }

    #[test]
    fn any_plain_byte_can_be_altered() {
        let dialogue: &[(Side, &[u8])] = &[(Side::Client, b"ask"), (Side::Server, b"ab")];
        assert_eq!(alterable(Protocol::Bytes, Side::Server, dialogue), "ab");
        let alter = Alter { share: 1.0, protocol: Protocol::Bytes, of: Side::Client };
        assert_eq!(changes(dialogue, &altered(alter, 1, dialogue, 100)).len(), 1);
    }

    #[test]
    fn booleans_are_negated() {
        let alter = |protocol| Alter { share: 1.0, protocol, of: Side::Server };
        let said = altered(alter(Protocol::Redis), 1, &[(Side::Server, b"#t\r\n#f\r\n")], 1);
        assert_eq!(said, [b"#f\r\n#t\r\n"]);
        let row: &[u8] = b"D\0\0\0\x0b\0\x01\0\0\0\x01t";
        assert_eq!(altered(alter(Protocol::Postgres), 1, &[(Side::Server, row)], 100)[0], b"D\0\0\0\x0b\0\x01\0\0\0\x01f");
    }

    #[test]
    fn encrypted_encoded_and_upgraded_streams_are_left_alone() {
        let encoded: &[(Side, &[u8])] = &[
            (Side::Client, b"GET / HTTP/1.1\r\n\r\n"),
            (Side::Server, b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"),
        ];
        let upgraded: &[(Side, &[u8])] = &[
            (Side::Client, b"GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n"),
            (Side::Server, b"HTTP/1.1 101 Switching\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"),
        ];
        let encrypted: &[(Side, &[u8])] =
            &[(Side::Client, b"\0\0\0\x08\x04\xd2\x16\x2f"), (Side::Server, b"S"), (Side::Server, b"D\0\0\0\x0b\0\x01\0\0\0\x01a")];
        for (protocol, dialogue) in [(Protocol::Http, encoded), (Protocol::Http, upgraded), (Protocol::Postgres, encrypted)] {
            assert_eq!(alterable(protocol, Side::Server, dialogue), "", "{protocol:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn pieces_make_no_difference(seed: u64, piece in 1..80usize, share in 0.0..1.0) {
            for (protocol, dialogue) in ALL {
                for of in [Side::Client, Side::Server] {
                    let alter = Alter { share, protocol, of };
                    let whole = altered(alter, seed, dialogue, usize::MAX);
                    proptest::prop_assert_eq!(&altered(alter, seed, dialogue, piece), &whole);
                    changes(dialogue, &whole);
                }
            }
        }

        #[test]
        fn nothing_is_altered_of_a_share_of_nothing(seed: u64, piece in 1..80usize, other: Vec<u8>) {
            for (protocol, dialogue) in ALL.into_iter().chain([(Protocol::Bytes, REDIS), (Protocol::Http, &[(Side::Server, other.as_slice())])]) {
                let said = altered(Alter { share: 0.0, protocol, of: Side::Server }, seed, dialogue, piece);
                proptest::prop_assert!(changes(dialogue, &said).is_empty());
            }
        }

        /// No input causes a panic or changes the number of bytes.
        #[test]
        fn anything_may_be_said(seed: u64, piece in 1..80usize, cut in 0..200usize, noise: Vec<u8>) {
            for (protocol, dialogue) in ALL {
                let corrupted: Vec<(Side, Vec<u8>)> =
                    dialogue.iter().map(|&(side, bytes)| (side, [&bytes[..cut.min(bytes.len())], &noise, &bytes[cut.min(bytes.len())..]].concat())).collect();
                let corrupted: Vec<(Side, &[u8])> = corrupted.iter().map(|(side, bytes)| (*side, bytes.as_slice())).collect();
                for of in [Side::Client, Side::Server] {
                    changes(&corrupted, &altered(Alter { share: 1.0, protocol, of }, seed, &corrupted, piece));
                }
            }
        }
    }
}
