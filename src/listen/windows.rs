//! Lets windows of files pass through hyper, which takes bodies as bytes in memory, without their bytes.
//!
//! For each window hyper is given a *stand-in*: as many bytes of [`STAND_IN`], which nobody reads. The window itself waits in
//! a queue that the bodies of a connection share with its [`Socket`](crate::listen::socket::Socket). hyper keeps the
//! stand-in until it can be written, and gives it to the socket, which knows it by its address and has the operating system
//! send the window. No file is mapped for that and nothing is `unsafe`: where a file is cut off, so is the connection, and
//! not the program.
//!
//! **No stand-in reaches a client.** From the moment that a window is handed over until the last of it is sent, every write has
//! to contain the stand-in for exactly what is left of it: that memory, not memory with the same in it. What lies before it is
//! sent first, then the window. What is `STAND_IN` itself is never written at all. So whatever hyper could do to a stand-in
//! but pass it on ends in a write that is refused, and a response of which less came than was announced:
//!
//! - Copies it, as it would where it flattens writes, or for TLS and HTTP/2: the copy is other memory.
//! - Loses it, or a part of it: the next write, of whatever, does not contain it.
//! - Writes it twice, or out of turn: it is not the memory of what is left of the window whose turn it is.
//!
//! What is left is that it writes a copy together with the original. What the client had then would be zeros, too many of them,
//! and not what its digest says. It is asked for nothing of the kind: bodies are [`Bytes`], which hyper moves.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::listen::activity::Activity;
use crate::piece::{WINDOW_BYTES, Window};

/// Stands in for the bytes of windows: the last of it, as many as there are left of the window. So the address of a
/// stand-in, and its length, change with what is left.
static STAND_IN: [u8; WINDOW_BYTES] = [0; WINDOW_BYTES];

/// Most windows that wait at a time: hyper queues no more pieces of a body than that.
const WAITING: usize = 16;

/// The windows of one connection that hyper has, as stand-ins, and that are not sent yet. In the order of their bytes.
#[derive(Debug, Clone)]
pub(in crate::listen) struct Windows {
    waiting: Arc<Mutex<VecDeque<Window>>>,
    activity: Arc<Activity>,
}

/// What is to be written first.
#[derive(Debug)]
pub(in crate::listen) enum Due {
    /// All that was given: there is no window in it.
    Everything,
    /// So many slices, behind which a window comes.
    Before(usize),
    /// This window.
    Window(Window),
}

impl Windows {
    pub(in crate::listen) fn new(activity: Arc<Activity>) -> Self {
        Self { waiting: Arc::default(), activity }
    }

    /// What to give to hyper in place of `window`.
    ///
    /// # Errors
    /// [`io::ErrorKind::QuotaExceeded`] if too many wait already.
    pub(in crate::listen) fn hand_over(&self, window: Window) -> io::Result<Bytes> {
        let stand_in = Bytes::from_static(stand_in(window.length()));
        let mut waiting = self.lock();
        if waiting.len() >= WAITING {
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, "too many windows wait to be sent"));
        }
        waiting.push_back(window);
        Ok(stand_in)
    }

    /// What is due first of a write of `slices`.
    ///
    /// # Errors
    /// If there is a window that waits and no stand-in for what is left of it, or the other way round.
    pub(in crate::listen) fn due(&self, slices: &[IoSlice<'_>]) -> io::Result<Due> {
        let place = slices.iter().position(|slice| stands_in(slice));
        match (self.lock().front(), place.and_then(|place| Some((place, slices.get(place)?)))) {
            (None, None) => Ok(Due::Everything),
            (Some(window), Some((place, slice))) if is_same(slice, stand_in(window.length())) => {
                Ok(if place == 0 { Due::Window(window.clone()) } else { Due::Before(place) })
            }
            (None | Some(_), Some(_)) | (Some(_), None) => Err(io::Error::other("windows and writes are out of step")),
        }
    }

    /// So many bytes of the window that was due are sent. The client took them: a window is long, and who takes it slowly has
    /// not stalled.
    pub(in crate::listen) fn sent(&self, bytes: usize) {
        let mut waiting = self.lock();
        if let Some(left) = waiting.pop_front().and_then(|window| window.after(bytes)) {
            waiting.push_front(left);
        }
        self.activity.touch();
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Window>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last `length` bytes of the region.
fn stand_in(length: usize) -> &'static [u8] {
    STAND_IN.get(WINDOW_BYTES.saturating_sub(length)..).unwrap_or_default()
}

/// Whether `slice` lies in the region. What is empty lies nowhere.
fn stands_in(slice: &[u8]) -> bool {
    !slice.is_empty() && STAND_IN.as_ptr_range().contains(&slice.as_ptr())
}

/// Whether both are the same memory, whatever is in it.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.as_ptr_range() == other.as_ptr_range()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::listen::Limits;
    use crate::listen::activity::State;

    fn windows() -> Windows {
        Windows::new(Activity::new())
    }

    fn window(offset: u64, length: usize) -> Window {
        Window::new(Arc::new(tempfile::tempfile().unwrap()), offset, length).unwrap()
    }

    /// The window that is due of a write of `slices`, as its offset and length.
    fn due(windows: &Windows, slices: &[&[u8]]) -> Option<(u64, usize)> {
        let slices: Vec<_> = slices.iter().map(|slice| IoSlice::new(slice)).collect();
        match windows.due(&slices) {
            Ok(Due::Window(window)) => Some((window.offset(), window.length())),
            Ok(Due::Everything | Due::Before(_)) | Err(_) => None,
        }
    }

    fn is_refused(windows: &Windows, slices: &[&[u8]]) -> bool {
        let slices: Vec<_> = slices.iter().map(|slice| IoSlice::new(slice)).collect();
        windows.due(&slices).is_err()
    }

    #[test]
    fn windows_are_due_in_turn_and_behind_what_comes_before_them() {
        let windows = windows();
        assert!(matches!(windows.due(&[IoSlice::new(b"head")]), Ok(Due::Everything)));
        let (first, second) =
            (windows.hand_over(window(7, 100)).unwrap(), windows.hand_over(window(0, WINDOW_BYTES)).unwrap());
        let slices = [b"head", b"more", &first[..], &second].map(IoSlice::new);
        assert!(matches!(windows.due(&slices), Ok(Due::Before(2))));
        assert_eq!(due(&windows, &[&first, &second]), Some((7, 100)));
        windows.sent(30);
        assert_eq!(due(&windows, &[&first[30..], &second]), Some((37, 70)));
        windows.sent(70);
        assert_eq!(due(&windows, &[&second, b"tail"]), Some((0, WINDOW_BYTES)));
        windows.sent(WINDOW_BYTES);
        assert!(matches!(windows.due(&[IoSlice::new(b"tail")]), Ok(Due::Everything)));
    }

    #[test]
    fn a_stand_in_that_was_copied_or_lost_is_not_written() {
        let windows = windows();
        let stand_in = windows.hand_over(window(0, 100)).unwrap();
        let copy = stand_in.to_vec();
        assert!(is_refused(&windows, &[&copy]), "a copy");
        assert!(is_refused(&windows, &[b"head", &copy]), "a copy behind a head");
        assert!(is_refused(&windows, &[b"the next response"]), "lost");
        assert!(is_refused(&windows, &[]), "lost, with nothing else");
    }

    #[test]
    fn a_stand_in_that_is_not_what_is_left_is_not_written() {
        let windows = windows();
        let (first, second) = (windows.hand_over(window(0, 100)).unwrap(), windows.hand_over(window(0, 90)).unwrap());
        assert!(is_refused(&windows, &[&second]), "not in turn");
        assert!(is_refused(&windows, &[&first[..99]]), "cut off");
        assert!(is_refused(&windows, &[&first[1..]]), "too far");
        assert!(is_refused(&windows, &[&STAND_IN[..100]]), "of another place");
        windows.sent(10);
        assert!(is_refused(&windows, &[&first]), "not far enough");
    }

    #[test]
    fn a_stand_in_is_not_written_twice() {
        let windows = windows();
        let stand_in = windows.hand_over(window(0, 100)).unwrap();
        windows.sent(100);
        assert!(is_refused(&windows, &[&stand_in]));
        assert!(is_refused(&windows, &[b"head", &stand_in]));
    }

    #[test]
    fn a_client_that_takes_a_window_slowly_has_not_stalled() {
        let (activity, _turn) = Activity::stalled();
        let windows = Windows::new(Arc::clone(&activity));
        windows.hand_over(window(0, 100)).unwrap();
        assert_eq!(activity.state(&Limits::STANDARD), State::Stalled);
        windows.sent(1);
        assert!(matches!(activity.state(&Limits::STANDARD), State::Busy(_)));
    }

    #[test]
    fn what_is_empty_stands_in_for_nothing() {
        assert!(matches!(windows().due(&[IoSlice::new(&STAND_IN[..0])]), Ok(Due::Everything)));
    }

    #[test]
    fn only_so_many_windows_wait() {
        let windows = windows();
        for _ in 0..WAITING {
            windows.hand_over(window(0, 1)).unwrap();
        }
        assert_eq!(windows.hand_over(window(0, 1)).unwrap_err().kind(), io::ErrorKind::QuotaExceeded);
    }
}
