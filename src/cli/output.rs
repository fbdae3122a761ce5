//! Standard output and standard error, as commands write to them.

use std::io::{self, ErrorKind, StderrLock, StdoutLock, Write};

/// A place to write to whose reader may leave when it has read enough, as `head` and pagers do. What it does not read is
/// written nowhere: the command goes on, and its exit code says what it found out. Any other failure is one.
#[derive(Debug)]
pub(in crate::cli) struct Output<W> {
    to: W,
    is_left: bool,
}

/// Where what was found out goes.
pub(in crate::cli) fn stdout() -> Output<StdoutLock<'static>> {
    Output { to: io::stdout().lock(), is_left: false }
}

/// Where everything else goes.
pub(in crate::cli) fn stderr() -> Output<StderrLock<'static>> {
    Output { to: io::stderr().lock(), is_left: false }
}

impl<W: Write> Output<W> {
    fn unless_left<T>(&mut self, left: T, write: impl FnOnce(&mut W) -> io::Result<T>) -> io::Result<T> {
        if self.is_left {
            return Ok(left);
        }
        match write(&mut self.to) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.is_left = true;
                Ok(left)
            }
            written => written,
        }
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unless_left(bytes.len(), |to| to.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unless_left((), Write::flush)
    }
}
