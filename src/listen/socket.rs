//! A plain TCP connection that sends windows of files where hyper writes their stand-ins.

use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use tokio::net::TcpStream;

use crate::listen::limits::BUFFER_BYTES;
use crate::listen::tcp::{Tcp, send_slices};
use crate::listen::windows::{Due, Windows};
use crate::piece::Window;

/// What comes next may share a packet with it.
#[cfg(target_os = "linux")]
const MORE: SendFlags = SendFlags::MORE;
#[cfg(not(target_os = "linux"))]
const MORE: SendFlags = SendFlags::empty();

/// A connection without TLS. What it writes is what hyper gives it, but for what the other handle on its [`Windows`] has
/// handed over.
#[derive(Debug)]
pub(in crate::listen) struct Socket {
    stream: TokioIo<Tcp>,
    windows: Windows,
}

impl Socket {
    pub(in crate::listen) fn new(stream: TcpStream, windows: Windows) -> Self {
        Self { stream: TokioIo::new(Tcp::new(stream)), windows }
    }
}

impl Read for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl Write for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.windows.due(slices)? {
            Due::Everything => Pin::new(&mut self.stream).poll_write_vectored(cx, slices),
            Due::Before(place) => {
                let before = slices.get(..place).unwrap_or_default();
                self.stream.inner().poll_send_by(cx, |stream| send_slices(stream, before, MORE))
            }
            Due::Window(window) => {
                let sent = ready!(self.stream.inner().poll_send_by(cx, |stream| send_window(stream, &window)))?;
                self.windows.sent(sent);
                Poll::Ready(Ok(sent))
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Sends what the socket takes of `window`, at least one byte.
///
/// # Errors
/// [`io::ErrorKind::UnexpectedEof`] if the file was cut off.
fn send_window(stream: &TcpStream, window: &Window) -> io::Result<usize> {
    let sent = match send_file(stream, window) {
        Ok(0) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file was cut off while it was sent")),
        // Not from this file system, or not at all: a filter of system calls says so with any of the last ones.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied
            ) =>
        {
            send_copy(stream, window)
        }
        sent => sent,
    };
    sent.inspect_err(|error| {
        if is_of_the_file(error) {
            window.cannot_be_read(error);
        }
    })
}

/// Whether it is the file that failed, and not the connection.
fn is_of_the_file(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof || Errno::from_io_error(error) == Some(Errno::IO)
}

#[cfg(target_os = "linux")]
fn send_file(stream: &TcpStream, window: &Window) -> io::Result<usize> {
    let mut offset = window.offset();
    Ok(rustix::fs::sendfile(stream, window.file(), Some(&mut offset), window.length())?)
}

#[cfg(not(target_os = "linux"))]
fn send_file(_: &TcpStream, _: &Window) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Reads what fits a buffer, and sends it. What the socket does not take is read again.
fn send_copy(stream: &TcpStream, window: &Window) -> io::Result<usize> {
    let mut bytes = vec![0; window.length().min(BUFFER_BYTES)];
    window.file().read_exact_at(&mut bytes, window.offset())?;
    Ok(send(stream, &bytes, SendFlags::NOSIGNAL)?)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::fs::File;
    use std::io::Write as _;
    use std::sync::{Arc, Mutex};

    use bytes::{Buf, Bytes};
    use futures_util::future::{join, poll_fn};
    use futures_util::stream::iter;
    use http::{Request, Response};
    use hyper::body::Incoming;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;
    use crate::listen::Body;
    use crate::listen::activity::Activity;
    use crate::piece::{Piece, WINDOW_BYTES, Watch};

    /// A socket whose client is the other end, and how to hand it windows. Little fits between them.
    async fn connected() -> (Socket, Windows, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpSocket::new_v4().unwrap();
        client.set_recv_buffer_size(4096).unwrap();
        let (client, accepted) = join(client.connect(listener.local_addr().unwrap()), listener.accept()).await;
        let server = accepted.unwrap().0;
        rustix::net::sockopt::set_socket_send_buffer_size(&server, 4096).unwrap();
        let windows = Windows::new(Activity::new());
        (Socket::new(server, windows.clone()), windows, client.unwrap())
    }

    fn file(content: &[u8]) -> Arc<File> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        Arc::new(file)
    }

    fn window(file: &Arc<File>, offset: u64, length: usize) -> Window {
        Window::new(Arc::clone(file), offset, length).unwrap()
    }

    fn content() -> Vec<u8> {
        (0..=250).cycle().take(2 * WINDOW_BYTES).collect()
    }

    async fn write(socket: &mut Socket, queue: &[Bytes]) -> io::Result<usize> {
        let slices: Vec<_> = queue.iter().map(|bytes| IoSlice::new(bytes)).collect();
        poll_fn(|cx| Pin::new(&mut *socket).poll_write_vectored(cx, &slices)).await
    }

    /// Writes as hyper does; returns how often.
    async fn write_all(socket: &mut Socket, mut queue: Vec<Bytes>) -> io::Result<usize> {
        let mut writes = 0;
        while !queue.is_empty() {
            let mut written = write(socket, &queue).await?;
            assert!(written > 0, "nothing is written, and it is no error");
            writes += 1;
            while written > 0 {
                let here = written.min(queue[0].len());
                queue[0].advance(here);
                written -= here;
                if queue[0].is_empty() {
                    queue.remove(0);
                }
            }
        }
        Ok(writes)
    }

    /// Answers requests on `socket` with `window`, by a hyper that is set up as `http` says.
    async fn serve(http: &http1::Builder, socket: Socket, windows: Windows, window: Window) -> hyper::Result<()> {
        let service = service_fn(async |_: Request<Incoming>| {
            let (piece, length) = (Piece::Window(window.clone()), window.length() as u64);
            let body = Body::stream(|_| Box::pin(iter([Ok(piece)])), length);
            Ok::<_, Infallible>(Response::new(body.through(Some(windows.clone()))))
        });
        http.serve_connection(socket, service).await
    }

    /// Asks once, and returns what comes until the connection ends.
    async fn ask(mut client: TcpStream) -> String {
        client.write_all(b"GET / HTTP/1.1\r\nhost: m\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        // Cut connections may end in a reset; what came before it counts.
        while let Ok(1..) = client.read_buf(&mut answer).await {}
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test]
    async fn windows_are_sent_in_their_place_as_the_client_takes_them() {
        let (mut socket, windows, mut client) = connected().await;
        let (content, length) = (content(), WINDOW_BYTES + 1234);
        let file = file(&content);
        let queue = vec![
            Bytes::from_static(b"head"),
            windows.hand_over(window(&file, 0, WINDOW_BYTES)).unwrap(),
            windows.hand_over(window(&file, WINDOW_BYTES as u64, length - WINDOW_BYTES)).unwrap(),
            Bytes::from_static(b"tail"),
        ];
        let mut taken = vec![0; 4 + length + 4];
        let (writes, read) = join(write_all(&mut socket, queue), client.read_exact(&mut taken)).await;
        read.unwrap();
        assert!(writes.unwrap() > 4, "in several parts");
        assert!(taken == [b"head", &content[..length], b"tail"].concat());
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_sent_is_copied() {
        let (mut socket, windows, mut client) = connected().await;
        // The kernel sends nothing from this file, and reads it.
        let file = Arc::new(File::open("/proc/self/cmdline").unwrap());
        let stand_in = windows.hand_over(window(&file, 2, 5)).unwrap();
        write_all(&mut socket, vec![stand_in]).await.unwrap();
        let mut taken = [0; 5];
        client.read_exact(&mut taken).await.unwrap();
        assert_eq!(taken, std::fs::read("/proc/self/cmdline").unwrap()[2..7]);
    }

    #[tokio::test]
    async fn a_file_that_is_cut_off_is_an_error() {
        let (mut socket, windows, mut client) = connected().await;
        let file = file(b"abc");
        let stand_in = windows.hand_over(window(&file, 1, 10)).unwrap();
        let error = write_all(&mut socket, vec![stand_in]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        let mut taken = [0; 2];
        client.read_exact(&mut taken).await.unwrap();
        assert_eq!(&taken, b"bc");
    }

    /// Remembers what it was told.
    #[derive(Debug, Default)]
    struct Told(Mutex<Vec<io::ErrorKind>>);

    impl Watch for Told {
        fn cannot_be_read(&self, error: &io::Error) {
            self.0.lock().unwrap().push(error.kind());
        }
    }

    /// What the watch of the first bytes of `file` is told when they are sent.
    async fn told_of(file: &Arc<File>) -> Vec<io::ErrorKind> {
        let (mut socket, windows, _client) = connected().await;
        let told = Arc::new(Told::default());
        let stand_in = windows.hand_over(window(file, 0, 10).watched(Arc::clone(&told) as _)).unwrap();
        write_all(&mut socket, vec![stand_in]).await.unwrap_err();
        std::mem::take(&mut told.0.lock().unwrap())
    }

    #[tokio::test]
    async fn of_a_file_that_is_cut_off_its_watch_is_told() {
        assert_eq!(told_of(&file(b"abc")).await, [io::ErrorKind::UnexpectedEof]);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn of_a_file_that_cannot_be_read_its_watch_is_told() {
        // No process has memory at the address 0: that is an input/output error, as a bad sector is.
        let file = Arc::new(File::open("/proc/self/mem").unwrap());
        assert_eq!(told_of(&file).await.len(), 1);
    }

    #[tokio::test]
    async fn of_a_client_that_leaves_the_watch_of_a_file_is_told_nothing() {
        let (mut socket, windows, client) = connected().await;
        let (content, told) = (content(), Arc::new(Told::default()));
        let window = window(&file(&content), 0, WINDOW_BYTES).watched(Arc::clone(&told) as _);
        let stand_in = windows.hand_over(window).unwrap();
        client.set_zero_linger().unwrap();
        drop(client);
        write_all(&mut socket, vec![stand_in]).await.unwrap_err();
        assert!(told.0.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn hyper_passes_windows_on() {
        let (socket, windows, client) = connected().await;
        let http = http1::Builder::new();
        let serving = serve(&http, socket, windows, window(&file(b"the content of a file"), 4, 7));
        let (served, answer) = join(serving, ask(client)).await;
        served.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\ncontent"), "{answer}");
    }

    #[tokio::test]
    async fn nothing_of_a_stand_in_is_sent_by_a_hyper_that_copies_it() {
        let (socket, windows, client) = connected().await;
        let mut http = http1::Builder::new();
        http.writev(false);
        let (served, answer) = join(serve(&http, socket, windows, window(&file(b"content"), 0, 7)), ask(client)).await;
        assert!(served.is_err());
        assert!(!answer.contains('\0'), "{answer}");
        assert!(answer.is_empty() || answer.ends_with("\r\n\r\n"), "{answer}");
    }

    #[tokio::test]
    async fn a_response_is_cut_where_its_file_is() {
        let (socket, windows, client) = connected().await;
        let http = http1::Builder::new();
        let (served, answer) = join(serve(&http, socket, windows, window(&file(b"abc"), 0, 10)), ask(client)).await;
        assert!(served.is_err());
        assert!(answer.ends_with("\r\n\r\nabc"), "{answer}");
    }
}
