//! The fate of the bytes of a connection: decided by the seed and by which side sends.

use std::sync::Arc;
use std::time::Duration;

use super::alter::Alterer;
use super::{Cut, End, Settings, Side};

/// The longest request that is replayed, in bytes.
const LONGEST: usize = 1 << 20;

/// The fate of bytes that one side sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Action {
    /// How long they are delayed.
    pub(super) delay: Duration,
    /// How many of them are forwarded.
    pub(super) forward: usize,
    /// A request to send on a separate connection.
    pub(super) replay: Option<Vec<u8>>,
    /// How the connection ends after them, if it does.
    pub(super) end: Option<End>,
}

/// The faults of one connection.
pub(super) struct Policy {
    settings: Arc<Settings>,
    random: fastrand::Rng,
    alterer: Option<Alterer>,
    /// The side that sent last.
    last_sender: Option<Side>,
    /// The bytes that the client has sent since the server last did; None when they are too many.
    request: Option<Vec<u8>>,
    /// How many more bytes of this message are forwarded before it is cut off.
    left: Option<u64>,
    is_stalled: bool,
}

impl Policy {
    pub(super) fn new(settings: Arc<Settings>, mut random: fastrand::Rng) -> Policy {
        let alterer = settings.alter.map(|alter| Alterer::new(alter, random.fork()));
        Policy { settings, random, alterer, last_sender: None, request: None, left: None, is_stalled: false }
    }

    /// Whether nothing is forwarded any more.
    pub(super) fn is_stalled(&self) -> bool {
        self.is_stalled
    }

    /// Decides about bytes that one side sent; alters them in place.
    pub(super) fn handle(&mut self, side: Side, bytes: &mut [u8]) -> Action {
        let mut action = Action { forward: bytes.len(), ..Action::default() };
        if self.is_stalled {
            return Action::default();
        }
        if let Some(alterer) = &mut self.alterer {
            alterer.alter(side, bytes, self.last_sender != Some(side));
        }
        if self.last_sender != Some(side) {
            self.left = None;
            // A greeting of the server is not a reply.
            if side == Side::Server && self.last_sender.is_some() {
                self.begin_reply(&mut action);
            } else if side == Side::Client {
                self.request = Some(Vec::new());
            }
            if self.last_sender.is_some() || side == Side::Client {
                self.begin_cut(side, bytes.len());
            }
            self.last_sender = Some(side);
        }
        if side == Side::Client {
            self.request =
                self.request.take().filter(|request| request.len() + bytes.len() <= LONGEST).map(|request| [&request, &*bytes].concat());
        }
        if action.end.is_some() || self.is_stalled {
            return Action { forward: 0, ..action };
        }
        self.cut(&mut action, bytes.len());
        action
    }

    fn begin_reply(&mut self, action: &mut Action) {
        let Settings { lose_replies, stall, replay, delay, .. } = *self.settings;
        action.delay = delay;
        if self.happens(replay) {
            action.replay = self.request.take();
        }
        if self.happens(lose_replies) {
            action.end = Some(End::Reset);
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

    fn cut(&mut self, action: &mut Action, length: usize) {
        let (Some(left), Some(cut)) = (self.left, self.settings.cut) else { return };
        if left < length as u64 {
            (action.forward, action.end) = (left as usize, Some(cut.by));
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

    fn policy(settings: Settings) -> Policy {
        Policy::new(Arc::new(settings), fastrand::Rng::with_seed(7))
    }

    impl Policy {
        fn sent(&mut self, side: Side, bytes: &[u8]) -> Action {
            self.handle(side, &mut bytes.to_vec())
        }
    }

    fn forwarded(count: usize) -> Action {
        Action { forward: count, ..Action::default() }
    }

    #[test]
    fn default_settings_forward_everything() {
        let mut policy = policy(Settings::default());
        for (side, bytes) in [(Side::Server, &b"hello"[..]), (Side::Client, b"ask"), (Side::Server, b"answer"), (Side::Server, b"s")] {
            assert_eq!(policy.sent(side, bytes), forwarded(bytes.len()));
        }
    }

    #[test]
    fn replies_are_lost_but_greetings_are_not() {
        let mut policy = policy(Settings { lose_replies: 1.0, delay: Duration::from_secs(1), ..Settings::default() });
        assert_eq!(policy.sent(Side::Server, b"hello"), forwarded(5));
        assert_eq!(policy.sent(Side::Client, b"ask"), forwarded(3));
        assert_eq!(
            policy.sent(Side::Server, b"answer"),
            Action { delay: Duration::from_secs(1), end: Some(End::Reset), ..Action::default() }
        );
    }

    #[test]
    fn requests_are_replayed_whole() {
        let mut policy = policy(Settings { replay: 1.0, ..Settings::default() });
        for round in [b"one", b"two"] {
            policy.sent(Side::Client, &round[..1]);
            policy.sent(Side::Client, &round[1..]);
            assert_eq!(policy.sent(Side::Server, b"answer"), Action { replay: Some(round.to_vec()), ..forwarded(6) });
            assert_eq!(policy.sent(Side::Server, b"s"), forwarded(1), "once");
        }
        policy.sent(Side::Client, &vec![0; LONGEST]);
        policy.sent(Side::Client, b"x");
        assert_eq!(policy.sent(Side::Server, b"answer"), forwarded(6), "it is too long");
    }

    #[test]
    fn messages_are_cut_off_at_the_limit() {
        let cut = |of, after| Settings { cut: Some(Cut { share: 1.0, of, after, by: End::Close }), ..Settings::default() };
        let mut of_replies = policy(cut(Side::Server, Some(7)));
        assert_eq!(of_replies.sent(Side::Client, b"a long request"), forwarded(14));
        assert_eq!(of_replies.sent(Side::Server, b"short"), forwarded(5));
        assert_eq!(of_replies.sent(Side::Client, b"ask"), forwarded(3));
        assert_eq!(of_replies.sent(Side::Server, b"12345"), forwarded(5));
        assert_eq!(of_replies.sent(Side::Server, b"67890"), Action { end: Some(End::Close), ..forwarded(2) });
        assert_eq!(policy(cut(Side::Client, Some(0))).sent(Side::Client, b"ask"), Action { end: Some(End::Close), ..forwarded(0) });
        for length in 1..50 {
            let action = policy(cut(Side::Client, None)).sent(Side::Client, &vec![0; length]);
            assert!(action.end.is_some() && action.forward < length && (action.forward > 0 || length == 1), "{action:?} of {length}");
        }
    }

    #[test]
    fn a_stalled_connection_forwards_nothing() {
        let mut policy = policy(Settings { stall: 1.0, ..Settings::default() });
        assert_eq!(policy.sent(Side::Client, b"ask"), forwarded(3));
        for side in [Side::Server, Side::Client, Side::Server] {
            assert_eq!(policy.sent(side, b"x"), Action::default());
        }
    }

    #[test]
    fn the_fraction_of_lost_replies_matches() {
        let settings = Arc::new(Settings { lose_replies: 0.3, ..Settings::default() });
        let mut random = fastrand::Rng::with_seed(1);
        let is_lost = |_| {
            let mut policy = Policy::new(Arc::clone(&settings), random.fork());
            policy.sent(Side::Client, b"ask");
            policy.sent(Side::Server, b"answer").end.is_some()
        };
        let lost = (0..10_000).map(is_lost).filter(|&lost| lost).count();
        assert!((2500..3500).contains(&lost), "{lost}");
    }

    #[test]
    fn values_are_altered_in_place() {
        let alter = Alter { share: 1.0, protocol: Protocol::Bytes, of: Side::Server };
        let mut policy = policy(Settings { alter: Some(alter), ..Settings::default() });
        let (mut asked, mut answered) = (*b"ask", *b"answer");
        assert_eq!((policy.handle(Side::Client, &mut asked), policy.handle(Side::Server, &mut answered)), (forwarded(3), forwarded(6)));
        assert_eq!(asked, *b"ask");
        assert_eq!(answered.iter().zip(b"answer").filter(|(is, was)| is != was).count(), 1);
    }
}
