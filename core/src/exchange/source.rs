//! Sources of bytes, with decompression.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

/// A source of bytes.
pub(super) type Source = Box<dyn Read + Send>;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// The path that means standard input.
const STANDARD_INPUT: &str = "-";

/// Opens a file, or standard input if the path is `-`.
pub(super) fn open(path: &Path) -> io::Result<Source> {
    if path == Path::new(STANDARD_INPUT) {
        return Ok(Box::new(io::stdin()));
    }
    Ok(Box::new(File::open(path)?))
}

/// Decompresses gzip and zstd, detected from the first bytes.
pub(super) fn unpack(mut source: Source) -> io::Result<Source> {
    let mut head = Vec::new();
    source.by_ref().take(ZSTD.len() as u64).read_to_end(&mut head)?;
    let (is_gzip, is_zstd) = (head.starts_with(GZIP), head.starts_with(ZSTD));
    let whole = Peeked { head, source };
    Ok(if is_gzip {
        Box::new(MultiGzDecoder::new(io::BufReader::with_capacity(BUFFER, whole)))
    } else if is_zstd {
        Box::new(Zstd::Between(Peeked { head: Vec::new(), source: Box::new(io::BufReader::with_capacity(BUFFER, whole)) }))
    } else {
        Box::new(whole)
    })
}

/// The buffer size for compressed bytes.
const BUFFER: usize = 64 << 10;

/// A source whose first bytes were read already.
struct Peeked {
    head: Vec<u8>,
    source: Source,
}

impl Read for Peeked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.head.is_empty() {
            return self.source.read(buffer);
        }
        let count = self.head.as_slice().read(buffer)?;
        self.head.drain(..count);
        Ok(count)
    }
}

/// A sequence of zstd frames, as parallel compressors write them, including skippable frames.
enum Zstd {
    Between(Peeked),
    Within(Box<StreamingDecoder<Peeked, FrameDecoder>>),
    Over,
}

impl Read for Zstd {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Zstd::Within(frame) = self {
                let count = frame.read(buffer)?;
                if count > 0 || buffer.is_empty() {
                    return Ok(count);
                }
            }
            *self = match std::mem::replace(self, Zstd::Over) {
                Zstd::Within(frame) => {
                    let (source, decoder) = frame.into_parts();
                    let (expected, actual) = (decoder.get_checksum_from_data(), decoder.get_calculated_checksum());
                    if expected.is_some() && expected != actual {
                        return Err(damaged("checksum mismatch"));
                    }
                    Zstd::Between(source)
                }
                Zstd::Between(source) => next_frame(source)?,
                Zstd::Over => return Ok(0),
            };
        }
    }
}

/// Finds the next frame that is not skippable.
fn next_frame(mut source: Peeked) -> io::Result<Zstd> {
    loop {
        let mut magic = Vec::new();
        source.by_ref().take(ZSTD.len() as u64).read_to_end(&mut magic)?;
        match *magic.as_slice() {
            [] => return Ok(Zstd::Over),
            [0x50..=0x5f, 0x2a, 0x4d, 0x18] => {
                let mut length = [0; 4];
                source.read_exact(&mut length)?;
                io::copy(&mut source.by_ref().take(u32::from_le_bytes(length).into()), &mut io::sink())?;
            }
            _ => {
                source.head = magic;
                return Ok(Zstd::Within(Box::new(StreamingDecoder::new(source).map_err(damaged)?)));
            }
        }
    }
}

fn damaged(what: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("damaged zstd data: {what}"))
}
