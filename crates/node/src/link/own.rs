//! Frames of the session's own that wait to be written, for one channel only. Of each kind no more is kept than is still
//! news, so that a peer that never reads makes them no more.

use troupe_proto::codec::{Flow, Frame, Pong, encoded_len};

use super::records::Records;

/// Answers to PING that wait, at most: a correct peer causes a handful.
const MOST_PONGS: usize = 256;

/// ACK, WINDOW and PONG, as they will be written.
#[derive(Debug, Default)]
pub(super) struct OwnFrames {
    windows: [Option<u64>; 2],
    /// Tokens, each with the times of the isolates when it came.
    pongs: Vec<(u64, Box<[u8]>)>,
    ack: Option<u64>,
}

impl OwnFrames {
    /// Takes the place of an earlier WINDOW of this flow.
    pub(super) fn push_window(&mut self, flow: Flow, offset: u64) {
        self.windows[flow.index()] = Some(offset);
    }

    /// Takes the place of an earlier ACK.
    pub(super) fn push_ack(&mut self, count: u64) {
        self.ack = Some(count);
    }

    /// Answers a PING; `false`: the peer asks and does not read, so it is not answered.
    pub(super) fn push_pong(&mut self, token: u64, turns: &[u32]) -> bool {
        let takes = self.pongs.len() < MOST_PONGS;
        if takes {
            self.pongs.push((token, turns.iter().flat_map(|turn| turn.to_le_bytes()).collect()));
        }
        takes
    }

    /// Hands all over, into `out`.
    pub(super) fn write(&mut self, out: &mut Records) {
        let Self { windows, pongs, ack } = self;
        let mut put = |frame: Frame<'_>| out.push(&frame, encoded_len(&frame, 0));
        for (flow, window) in Flow::ALL.into_iter().zip(windows) {
            if let Some(offset) = window.take() {
                put(Frame::Window { flow, offset });
            }
        }
        for (token, turns) in pongs.drain(..) {
            put(Frame::Pong(Pong { token, turns: &turns }));
        }
        if let Some(count) = ack.take() {
            put(Frame::Ack { count });
        }
    }
}

#[cfg(test)]
mod tests {
    use troupe_proto::{codec::Decoder, noise::RECORD_HEADER};

    use super::*;

    fn written(own: &mut OwnFrames) -> Vec<String> {
        let mut out = Records::default();
        own.write(&mut out);
        let (buffer, _) = out.parts();
        let plaintext = buffer.get(RECORD_HEADER..).unwrap_or_default();
        Decoder::new(plaintext).map(|decoded| format!("{:?}", decoded.unwrap())).collect()
    }

    #[test]
    fn what_is_no_longer_news_is_not_kept_for_a_peer_that_does_not_read() {
        let mut own = OwnFrames::default();
        for count in 1..=10_000 {
            own.push_ack(count);
            own.push_window(Flow::Messages, count);
            own.push_window(Flow::Replies, count + 1);
        }
        let frames = written(&mut own);
        let last = [
            Frame::Window { flow: Flow::Messages, offset: 10_000 },
            Frame::Window { flow: Flow::Replies, offset: 10_001 },
            Frame::Ack { count: 10_000 },
        ];
        assert_eq!(frames, last.map(|frame| format!("Whole({frame:?})")));
        assert!(written(&mut own).is_empty(), "each once");
    }

    #[test]
    fn a_peer_that_asks_and_does_not_read_is_not_answered_for_ever() {
        let mut own = OwnFrames::default();
        let answered = (0..10_000).filter(|token| own.push_pong(*token, &[])).count();
        assert_eq!(answered, MOST_PONGS);
        assert_eq!(written(&mut own).len(), MOST_PONGS);
        assert!(own.push_pong(1, &[]), "it reads again");
    }

    #[test]
    fn a_pong_carries_the_time_of_each_isolate() {
        let mut own = OwnFrames::default();
        own.push_pong(7, &[1, 0x0203]);
        let frame = Frame::Pong(Pong { token: 7, turns: &[1, 0, 0, 0, 3, 2, 0, 0] });
        assert_eq!(written(&mut own), [format!("Whole({frame:?})")]);
    }
}
