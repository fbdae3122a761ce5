//! What content hands to a connection: bytes, or the window of a file, which the operating system sends without anybody
//! reading it.

use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::Bytes;

/// Longest window, in bytes: so long that sending it costs much more than the system call, and so short that others do
/// not wait for their turn.
pub const WINDOW_BYTES: usize = 128 * 1024;

/// What is sent next.
#[derive(Debug, Clone)]
pub enum Piece {
    /// These bytes.
    Bytes(Bytes),
    /// The bytes of a file.
    Window(Window),
}

/// What a connection takes of its pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing but bytes: they are encrypted, or cut into frames.
    Bytes,
    /// Windows of files as well.
    Windows,
}

/// A part of a file, of one to [`WINDOW_BYTES`] bytes. Whoever makes it has seen that they can be had without waiting; the
/// file is not written there any more.
#[derive(Debug, Clone)]
pub struct Window {
    file: Arc<File>,
    offset: u64,
    length: usize,
    watch: Option<Arc<dyn Watch>>,
}

/// Is told what is wrong with a file by whoever sends it: nobody else reads it.
pub trait Watch: Debug + Send + Sync {
    /// Its bytes could not be read, or are not there.
    fn cannot_be_read(&self, error: &io::Error);
}

impl Window {
    /// The `length` bytes of `file` from `offset` on. Nothing if there are none, or more than fit a window.
    pub fn new(file: Arc<File>, offset: u64, length: usize) -> Option<Self> {
        (1..=WINDOW_BYTES).contains(&length).then_some(Self { file, offset, length, watch: None })
    }

    /// The same, of which `watch` is told if it cannot be read.
    #[must_use]
    pub fn watched(self, watch: Arc<dyn Watch>) -> Self {
        Self { watch: Some(watch), ..self }
    }

    /// Says that it could not be read.
    pub fn cannot_be_read(&self, error: &io::Error) {
        if let Some(watch) = &self.watch {
            watch.cannot_be_read(error);
        }
    }

    /// The file, in which other things may lie before and behind it.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Where in the file it begins.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// How many bytes it has, at least one.
    pub const fn length(&self) -> usize {
        self.length
    }

    /// What is left of it after its first `sent` bytes; nothing if that is all of it.
    pub fn after(self, sent: usize) -> Option<Self> {
        let length = self.length.checked_sub(sent).filter(|left| *left > 0)?;
        Some(Self { offset: self.offset + sent as u64, length, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_a_byte_and_not_too_many() {
        let file = Arc::new(tempfile::tempfile().unwrap());
        for (length, is_one) in [(0, false), (1, true), (WINDOW_BYTES, true), (WINDOW_BYTES + 1, false)] {
            assert_eq!(Window::new(Arc::clone(&file), 7, length).is_some(), is_one, "{length}");
        }
    }

    #[test]
    fn what_is_left_of_a_window_lies_behind_what_was_sent() {
        let window = Window::new(Arc::new(tempfile::tempfile().unwrap()), 7, 10).unwrap();
        let left = window.after(4).unwrap();
        assert_eq!((left.offset(), left.length()), (11, 6));
        assert!(left.after(6).is_none());
    }
}
