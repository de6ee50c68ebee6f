//! What becomes of what two sides say to each other: decided by a seed and by who speaks.

use std::sync::Arc;
use std::time::Duration;

use super::alter::Alterer;
use super::{Cut, End, Settings, Side};

/// The longest request that is sent again, in bytes.
const LONGEST: usize = 1 << 20;

/// What becomes of some bytes that one side said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    /// How long they wait.
    pub(super) delay: Duration,
    /// How many of them pass.
    pub(super) pass: usize,
    /// What is sent to the server on a connection of its own.
    pub(super) again: Option<Vec<u8>>,
    /// Whether, and how, the connection ends behind them.
    pub(super) end: Option<End>,
}

/// The talk on one connection.
pub(super) struct Talk {
    settings: Arc<Settings>,
    random: fastrand::Rng,
    alterer: Option<Alterer>,
    /// Who spoke last.
    speaker: Option<Side>,
    /// What the client has said since the server spoke; none of it when it is too long.
    request: Option<Vec<u8>>,
    /// How many bytes of this message still pass before it is cut.
    left: Option<u64>,
    is_stalled: bool,
}

impl Talk {
    pub(super) fn new(settings: Arc<Settings>, mut random: fastrand::Rng) -> Talk {
        let alterer = settings.alter.map(|alter| Alterer::new(alter, random.fork()));
        Talk { settings, random, alterer, speaker: None, request: None, left: None, is_stalled: false }
    }

    /// Whether nothing passes any more.
    pub(super) fn is_stalled(&self) -> bool {
        self.is_stalled
    }

    /// What becomes of what one side says now, which is altered where it stands.
    pub(super) fn hear(&mut self, side: Side, bytes: &mut [u8]) -> Step {
        let mut step = Step { pass: bytes.len(), ..Step::default() };
        if self.is_stalled {
            return Step::default();
        }
        if let Some(alterer) = &mut self.alterer {
            alterer.alter(side, bytes, self.speaker != Some(side));
        }
        if self.speaker != Some(side) {
            self.left = None;
            // What a server says unasked is no reply.
            if side == Side::Server && self.speaker.is_some() {
                self.begin_reply(&mut step);
            } else if side == Side::Client {
                self.request = Some(Vec::new());
            }
            if self.speaker.is_some() || side == Side::Client {
                self.begin_cut(side, bytes.len());
            }
            self.speaker = Some(side);
        }
        if side == Side::Client {
            self.request =
                self.request.take().filter(|request| request.len() + bytes.len() <= LONGEST).map(|request| [&request, &*bytes].concat());
        }
        if step.end.is_some() || self.is_stalled {
            return Step { pass: 0, ..step };
        }
        self.cut(&mut step, bytes.len());
        step
    }

    fn begin_reply(&mut self, step: &mut Step) {
        let Settings { lose_replies, stall, replay, delay, .. } = *self.settings;
        step.delay = delay;
        if self.happens(replay) {
            step.again = self.request.take();
        }
        if self.happens(lose_replies) {
            step.end = Some(End::Reset);
        } else if self.happens(stall) {
            self.is_stalled = true;
        }
    }

    fn begin_cut(&mut self, side: Side, length: usize) {
        let Some(Cut { share, after, .. }) = self.settings.cut.filter(|cut| cut.of == side) else { return };
        if self.happens(share) {
            let anywhere = self.random.u64(length.min(2) as u64 / 2..length.max(1) as u64);
            self.left = Some(after.unwrap_or(anywhere));
        }
    }

    fn cut(&mut self, step: &mut Step, length: usize) {
        let (Some(left), Some(cut)) = (self.left, self.settings.cut) else { return };
        if left < length as u64 {
            (step.pass, step.end) = (left as usize, Some(cut.by));
        } else {
            self.left = Some(left - length as u64);
        }
    }

    fn happens(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.random.f64() < probability
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::{Alter, Protocol};

    fn talk(settings: Settings) -> Talk {
        Talk::new(Arc::new(settings), fastrand::Rng::with_seed(7))
    }

    impl Talk {
        fn said(&mut self, side: Side, bytes: &[u8]) -> Step {
            self.hear(side, &mut bytes.to_vec())
        }
    }

    fn pass(pass: usize) -> Step {
        Step { pass, ..Step::default() }
    }

    #[test]
    fn all_passes_when_nothing_is_set() {
        let mut talk = talk(Settings::default());
        for (side, bytes) in [(Side::Server, &b"hello"[..]), (Side::Client, b"ask"), (Side::Server, b"answer"), (Side::Server, b"s")] {
            assert_eq!(talk.said(side, bytes), pass(bytes.len()));
        }
    }

    #[test]
    fn replies_are_lost_and_greetings_are_not() {
        let mut talk = talk(Settings { lose_replies: 1.0, delay: Duration::from_secs(1), ..Settings::default() });
        assert_eq!(talk.said(Side::Server, b"hello"), pass(5));
        assert_eq!(talk.said(Side::Client, b"ask"), pass(3));
        assert_eq!(talk.said(Side::Server, b"answer"), Step { delay: Duration::from_secs(1), end: Some(End::Reset), ..Step::default() });
    }

    #[test]
    fn a_whole_request_is_sent_again() {
        let mut talk = talk(Settings { replay: 1.0, ..Settings::default() });
        for round in [b"one", b"two"] {
            talk.said(Side::Client, &round[..1]);
            talk.said(Side::Client, &round[1..]);
            assert_eq!(talk.said(Side::Server, b"answer"), Step { again: Some(round.to_vec()), ..pass(6) });
            assert_eq!(talk.said(Side::Server, b"s"), pass(1), "once");
        }
        talk.said(Side::Client, &vec![0; LONGEST]);
        talk.said(Side::Client, b"x");
        assert_eq!(talk.said(Side::Server, b"answer"), pass(6), "it is too long");
    }

    #[test]
    fn messages_break_off_where_they_are_to() {
        let cut = |of, after| Settings { cut: Some(Cut { share: 1.0, of, after, by: End::Close }), ..Settings::default() };
        let mut of_replies = talk(cut(Side::Server, Some(7)));
        assert_eq!(of_replies.said(Side::Client, b"a long request"), pass(14));
        assert_eq!(of_replies.said(Side::Server, b"short"), pass(5));
        assert_eq!(of_replies.said(Side::Client, b"ask"), pass(3));
        assert_eq!(of_replies.said(Side::Server, b"12345"), pass(5));
        assert_eq!(of_replies.said(Side::Server, b"67890"), Step { end: Some(End::Close), ..pass(2) });
        assert_eq!(talk(cut(Side::Client, Some(0))).said(Side::Client, b"ask"), Step { end: Some(End::Close), ..pass(0) });
        for length in 1..50 {
            let step = talk(cut(Side::Client, None)).said(Side::Client, &vec![0; length]);
            assert!(step.end.is_some() && step.pass < length && (step.pass > 0 || length == 1), "{step:?} of {length}");
        }
    }

    #[test]
    fn nothing_passes_once_it_stalls() {
        let mut talk = talk(Settings { stall: 1.0, ..Settings::default() });
        assert_eq!(talk.said(Side::Client, b"ask"), pass(3));
        for side in [Side::Server, Side::Client, Side::Server] {
            assert_eq!(talk.said(side, b"x"), Step::default());
        }
    }

    #[test]
    fn a_share_of_replies_is_a_share() {
        let settings = Arc::new(Settings { lose_replies: 0.3, ..Settings::default() });
        let mut random = fastrand::Rng::with_seed(1);
        let is_lost = |_| {
            let mut talk = Talk::new(Arc::clone(&settings), random.fork());
            talk.said(Side::Client, b"ask");
            talk.said(Side::Server, b"answer").end.is_some()
        };
        let lost = (0..10_000).map(is_lost).filter(|&lost| lost).count();
        assert!((2500..3500).contains(&lost), "{lost}");
    }

    #[test]
    fn what_is_altered_is_altered_where_it_stands() {
        let alter = Alter { share: 1.0, protocol: Protocol::Bytes, of: Side::Server };
        let mut talk = talk(Settings { alter: Some(alter), ..Settings::default() });
        let (mut asked, mut answered) = (*b"ask", *b"answer");
        assert_eq!((talk.hear(Side::Client, &mut asked), talk.hear(Side::Server, &mut answered)), (pass(3), pass(6)));
        assert_eq!(asked, *b"ask");
        assert_eq!(answered.iter().zip(b"answer").filter(|(is, was)| is != was).count(), 1);
    }
}
