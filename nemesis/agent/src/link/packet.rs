//! IP packets as bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The length of the IPv6 header and of the fragment extension header.
const HEADER_V6: usize = 40;
const FRAGMENT_V6: usize = 8;

/// The number of the fragment extension header.
const IS_FRAGMENT: u8 = 44;

/// The more-fragments flag of IPv4.
const MORE_V4: u16 = 0x2000;

/// The destination address; None when the bytes are not an IP packet.
pub(super) fn destination(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.first()? >> 4 {
        4 => Some(Ipv4Addr::from(*bytes.get(16..)?.first_chunk::<4>()?).into()),
        6 => Some(Ipv6Addr::from(*bytes.get(24..)?.first_chunk::<16>()?).into()),
        _ => None,
    }
}

/// The offset of the payload.
fn header(bytes: &[u8]) -> usize {
    match bytes.first().map(|byte| (byte >> 4, byte & 15)) {
        Some((4, words)) => usize::from(words) * 4,
        _ => HEADER_V6,
    }
}

/// Flips a bit of the payload, TCP and UDP headers included. Checksums are not updated, so that the receiver detects it. The IP header is
/// left alone, so that the packet arrives.
pub(super) fn flip(bytes: &mut [u8], random: u64) {
    let start = header(bytes);
    let Some(payload) = bytes.get_mut(start..).filter(|payload| !payload.is_empty()) else { return };
    let bit = random % (payload.len() as u64 * 8);
    payload[(bit / 8) as usize] ^= 1 << (bit % 8);
}

/// Fragments a packet into pieces of at most `most` bytes; None when it cannot be fragmented. `number` is the identification of IPv6
/// fragments.
pub(super) fn fragments(bytes: &[u8], most: usize, number: u32) -> Option<Vec<Vec<u8>>> {
    match bytes.first()? >> 4 {
        4 => fragments_v4(bytes, most),
        6 => fragments_v6(bytes, most, number),
        _ => None,
    }
}

fn fragments_v4(bytes: &[u8], most: usize) -> Option<Vec<Vec<u8>>> {
    let start = header(bytes);
    let (head, payload) = bytes.split_at_checked(start)?;
    let flags = u16::from_be_bytes(*head.get(6..)?.first_chunk()?);
    let piece = most.checked_sub(start)? / 8 * 8;
    if piece == 0 {
        return None;
    }
    let count = payload.len().div_ceil(piece);
    let cut = payload.chunks(piece).enumerate().map(|(at, chunk)| {
        let more = if at + 1 < count { MORE_V4 } else { flags & MORE_V4 };
        let offset = (flags & 0x1fff) + (at * piece / 8) as u16;
        let mut fragment = [head, chunk].concat();
        // The kernel fills in length and checksum.
        fragment[6..8].copy_from_slice(&(more | offset).to_be_bytes());
        fragment
    });
    Some(cut.collect())
}

fn fragments_v6(bytes: &[u8], most: usize, number: u32) -> Option<Vec<Vec<u8>>> {
    let (head, payload) = bytes.split_at_checked(HEADER_V6)?;
    let next = head[6];
    // Per-fragment extension headers would have to be repeated: such packets, and fragments, are not fragmented here.
    if [0, 43, IS_FRAGMENT, 60].contains(&next) {
        return None;
    }
    let piece = most.checked_sub(HEADER_V6 + FRAGMENT_V6)? / 8 * 8;
    if piece == 0 {
        return None;
    }
    let count = payload.len().div_ceil(piece);
    let cut = payload.chunks(piece).enumerate().map(|(at, chunk)| {
        let offset = (at * piece) as u16 | u16::from(at + 1 < count);
        let mut fragment = head.to_vec();
        fragment[4..6].copy_from_slice(&((FRAGMENT_V6 + chunk.len()) as u16).to_be_bytes());
        fragment[6] = IS_FRAGMENT;
        fragment.extend([next, 0]);
        fragment.extend(offset.to_be_bytes());
        fragment.extend(number.to_be_bytes());
        fragment.extend(chunk);
        fragment
    });
    Some(cut.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x45, 0, 0, 0, 1, 2, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        bytes.extend(payload);
        bytes
    }

    fn v6(payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x60, 0, 0, 0, 0, 0, 17, 64];
        bytes.extend([Ipv6Addr::LOCALHOST.octets(), "fd00::2".parse::<Ipv6Addr>().unwrap().octets()].concat());
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn destinations_are_parsed() {
        assert_eq!(destination(&v4(b"x")), Some("10.0.0.2".parse().unwrap()));
        assert_eq!(destination(&v6(b"x")), Some("fd00::2".parse().unwrap()));
        assert_eq!(destination(&[0x45, 0]), None);
        assert_eq!(destination(&[]), None);
    }

    #[test]
    fn one_bit_of_the_payload_is_flipped() {
        for packet in [v4(&[0; 9]), v6(&[0; 9])] {
            for random in 0..200 {
                let mut flipped = packet.clone();
                flip(&mut flipped, random);
                let changed: u32 = packet.iter().zip(&flipped).map(|(old, new)| (old ^ new).count_ones()).sum();
                assert_eq!((changed, &flipped[..header(&packet)]), (1, &packet[..header(&packet)]));
            }
        }
        for mut nothing in [v4(b""), vec![0x45], vec![0x4f; 20], Vec::new()] {
            let before = nothing.clone();
            flip(&mut nothing, 5);
            assert_eq!(nothing, before);
        }
    }

    #[test]
    fn fragments_reassemble_to_the_packet() {
        let payload: Vec<u8> = (0..3000_u32).map(|number| number as u8).collect();
        let cut = fragments(&v4(&payload), 1280, 0).unwrap();
        assert_eq!(cut.iter().map(Vec::len).collect::<Vec<_>>(), [1276, 1276, 508]);
        let offsets: Vec<u16> = cut.iter().map(|fragment| u16::from_be_bytes([fragment[6], fragment[7]])).collect();
        assert_eq!(offsets, [MORE_V4, MORE_V4 | 157, 314]);
        assert_eq!(cut.iter().flat_map(|fragment| &fragment[20..]).copied().collect::<Vec<_>>(), payload);
        let cut = fragments(&v6(&payload), 1280, 7).unwrap();
        assert!(cut.iter().all(|fragment| fragment.len() <= 1280 && fragment[6] == IS_FRAGMENT && fragment[40] == 17));
        assert_eq!(cut.iter().flat_map(|fragment| &fragment[48..]).copied().collect::<Vec<_>>(), payload);
        let ends: Vec<u16> = cut.iter().map(|fragment| u16::from_be_bytes([fragment[42], fragment[43]])).collect();
        assert_eq!(ends, [1, 1232 | 1, 2464]);
        assert_eq!(fragments(&v4(&payload), 20, 0), None);
    }

    proptest::proptest! {
        /// No bytes cause a panic.
        #[test]
        fn any_bytes_may_come(mut bytes: Vec<u8>, most in 0_usize..200, random: u64) {
            destination(&bytes);
            fragments(&bytes, most, 1);
            flip(&mut bytes, random);
        }
    }
}
