//! An origin that answers as the test says: whole, cut, wrong, endless, or piece by piece.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bonafide::content::{Origin, OriginBody};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use tokio::sync::{mpsc, oneshot};

/// Where the test puts in the pieces of a body, in its own time.
pub(crate) type Tap = mpsc::Sender<io::Result<Bytes>>;

/// Answers each fetch with the next of its answers.
pub(crate) struct FakeOrigin {
    answers: Mutex<VecDeque<Answer>>,
    fetches: Mutex<Vec<u64>>,
    blamed: AtomicU32,
}

/// One answer.
pub(crate) enum Answer {
    /// These pieces, in a body announced as so long.
    Body(Option<u64>, Vec<io::Result<Bytes>>),
    /// Pieces that come through a tap.
    Tapped(Option<u64>, mpsc::Receiver<io::Result<Bytes>>),
    /// Zeros without end.
    Endless,
    /// No body, once the test says so.
    Refused(oneshot::Receiver<io::Error>),
    /// No body.
    Error(io::Error),
    /// A bug.
    Panic,
}

impl FakeOrigin {
    pub(crate) fn new(answers: impl IntoIterator<Item = Answer>) -> Arc<Self> {
        let answers = Mutex::new(answers.into_iter().collect());
        Arc::new(Self { answers, fetches: Mutex::default(), blamed: AtomicU32::default() })
    }

    /// Delivers `content` once.
    pub(crate) fn whole(content: &[u8]) -> Arc<Self> {
        Self::new([body(content.len(), &[content])])
    }

    /// The answer, and the tap that fills it.
    pub(crate) fn tapped(total: Option<u64>) -> (Arc<Self>, Tap) {
        let (tap, pieces) = mpsc::channel(64);
        (Self::new([Answer::Tapped(total, pieces)]), tap)
    }

    /// The offsets of all fetches so far.
    pub(crate) fn fetches(&self) -> Vec<u64> {
        self.fetches.lock().unwrap().clone()
    }

    /// How often it was told that its bytes are wrong.
    pub(crate) fn blamed(&self) -> u32 {
        self.blamed.load(Ordering::Relaxed)
    }
}

/// A body of these pieces that ends without an error.
pub(crate) fn body(total: usize, pieces: &[&[u8]]) -> Answer {
    Answer::Body(Some(total as u64), pieces.iter().map(|piece| Ok(Bytes::copy_from_slice(piece))).collect())
}

/// A body that is cut after `piece`.
pub(crate) fn cut(total: usize, piece: &[u8]) -> Answer {
    let error = io::Error::new(io::ErrorKind::ConnectionReset, "cut");
    Answer::Body(Some(total as u64), vec![Ok(Bytes::copy_from_slice(piece)), Err(error)])
}

#[async_trait]
impl Origin for FakeOrigin {
    fn name(&self) -> String {
        "example.com/app".to_owned()
    }

    async fn fetch(&self, from: u64) -> io::Result<OriginBody> {
        self.fetches.lock().unwrap().push(from);
        let answer = self.answers.lock().unwrap().pop_front();
        let (total, bytes) = match answer.unwrap_or_else(|| Answer::Error(io::Error::other("asked once too often"))) {
            Answer::Body(total, pieces) => (total, stream::iter(pieces).boxed()),
            Answer::Tapped(total, pieces) => {
                (total, stream::unfold(pieces, async |mut pieces| Some((pieces.recv().await?, pieces))).boxed())
            }
            Answer::Endless => (None, stream::repeat_with(|| Ok(Bytes::from_static(&[0; 4096]))).boxed()),
            Answer::Refused(error) => return Err(error.await.unwrap()),
            Answer::Error(error) => return Err(error),
            Answer::Panic => panic!("the origin has a bug"),
        };
        Ok(OriginBody { total, bytes })
    }

    fn was_wrong(&self) {
        self.blamed.fetch_add(1, Ordering::Relaxed);
    }
}
