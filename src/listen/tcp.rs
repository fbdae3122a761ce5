//! A TCP connection that is written to by `sendmsg`.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::net::{SendAncillaryBuffer, SendFlags, send, sendmsg};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// Most bytes that are brought together to be sent at once: a head with the manifest of most images.
const JOINED_BYTES: usize = 4096;

/// A connection as the operating system has it. tokio writes by `writev`, which goes through the layer of files before it
/// comes to that of sockets: of a small answer, that is one or two per cent.
#[derive(Debug)]
pub(in crate::listen) struct Tcp(TcpStream);

impl Tcp {
    pub(in crate::listen) const fn new(stream: TcpStream) -> Self {
        Self(stream)
    }

    /// Sends by `send` as soon as the connection takes something.
    ///
    /// # Errors
    /// Those of `send`, but for [`io::ErrorKind::WouldBlock`].
    pub(in crate::listen) fn poll_send_by(
        &self,
        cx: &mut Context<'_>,
        mut send: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match self.0.try_io(Interest::WRITABLE, || send(&self.0)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome),
            }
        }
    }
}

/// Sends `slices`. Few bytes are brought together first: to copy them costs less than to have the operating system read a list.
pub(in crate::listen) fn send_slices(
    stream: &TcpStream,
    slices: &[IoSlice<'_>],
    flags: SendFlags,
) -> io::Result<usize> {
    let flags = SendFlags::NOSIGNAL | flags;
    if let [bytes] = slices {
        return Ok(send(stream, bytes, flags)?);
    }
    let mut joined = [0; JOINED_BYTES];
    Ok(match join(slices, &mut joined) {
        Some(bytes) => send(stream, bytes, flags)?,
        None => sendmsg(stream, slices, &mut SendAncillaryBuffer::default(), flags)?,
    })
}

/// The bytes of `slices` one after the other in `room`, if they fit.
fn join<'a>(slices: &[IoSlice<'_>], room: &'a mut [u8]) -> Option<&'a [u8]> {
    let mut length = 0;
    for slice in slices {
        let end = length + slice.len();
        room.get_mut(length..end)?.copy_from_slice(slice);
        length = end;
    }
    room.get(..length)
}

impl AsyncRead for Tcp {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_send_by(cx, |stream| send_slices(stream, slices, SendFlags::empty()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;

    fn slices<'a>(parts: &[&'a [u8]]) -> Vec<IoSlice<'a>> {
        parts.iter().map(|part| IoSlice::new(part)).collect()
    }

    #[test]
    fn what_fits_is_joined_in_its_order() {
        let mut room = [0; 4];
        assert_eq!(join(&slices(&[b"a", b"", b"bcd"]), &mut room), Some(&b"abcd"[..]));
        assert_eq!(join(&slices(&[b"e"]), &mut room), Some(&b"e"[..]));
        assert_eq!(join(&[], &mut room), Some(&b""[..]));
        assert_eq!(join(&slices(&[b"abc", b"de"]), &mut room), None);
    }

    #[tokio::test]
    async fn one_slice_few_bytes_and_many_arrive_alike() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let long: Vec<u8> = (0..=250).cycle().take(JOINED_BYTES).collect();
        for parts in [&[&b"one"[..]][..], &[b"head", b"body"], &[b"head", &long]] {
            let sent = send_slices(&server, &slices(parts), SendFlags::empty()).unwrap();
            let mut received = vec![0; sent];
            client.read_exact(&mut received).await.unwrap();
            assert_eq!(received, parts.concat());
        }
    }
}
