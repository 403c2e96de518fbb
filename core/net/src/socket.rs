//! A TCP connection that is closed so that its last words arrive.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// Bytes that are read and thrown away at the end, at most.
const LAST: usize = 256 << 10;

/// A socket. A close while unread bytes are in its buffer is a reset, and a reset may overtake what was sent before:
/// a GOAWAY that says why. So what is there is read at the end, without waiting for more.
pub(crate) struct Socket {
    stream: Option<TcpStream>,
    linger: Option<Linger>,
}

/// A drained connection waits, closed on our side, until the peer closes its own: what the peer has sent before it
/// read our last GOAWAY would else be answered by a reset, which takes that GOAWAY out of the peer's hands, and with it
/// the word that those calls may be sent again.
struct Linger {
    asked: Arc<AtomicBool>,
    patience: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Linger {
    /// Ready when the peer has closed, or the patience is over.
    fn poll(&mut self, stream: &mut TcpStream, cx: &mut Context<'_>) -> Poll<()> {
        let patience = self.patience;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        if timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let mut scratch = [0u8; 4096];
        for _ in 0..16 {
            let mut buf = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut *stream).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => {}
                _ => return Poll::Ready(()),
            }
        }
        // Others have their turn before a peer that sends on and on.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Socket {
    pub fn new(stream: TcpStream) -> Self {
        let _ = stream.set_nodelay(true);
        Self { stream: Some(stream), linger: None }
    }

    /// One that waits for the peer's close, so long at most, if that is asked for when it is shut down.
    pub fn lingering(stream: TcpStream, asked: Arc<AtomicBool>, patience: Duration) -> Self {
        let mut socket = Self::new(stream);
        socket.linger = Some(Linger { asked, patience, timer: None });
        socket
    }

    fn stream(self: Pin<&mut Self>) -> io::Result<Pin<&mut TcpStream>> {
        self.get_mut().stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let Some(Ok(stream)) = self.stream.take().map(TcpStream::into_std) else { return };
        let _ = stream.shutdown(Shutdown::Write);
        let (mut scratch, mut read) = ([0u8; 4096], 0);
        while let Ok(n @ 1..) = io::Read::read(&mut &stream, &mut scratch) {
            read += n;
            if read > LAST {
                return;
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = ready!(self.as_mut().stream()?.poll_shutdown(cx));
        let this = self.get_mut();
        match (&mut this.stream, &mut this.linger) {
            (Some(stream), Some(linger)) if shut.is_ok() && linger.asked.load(Ordering::Relaxed) => {
                linger.poll(stream, cx).map(Ok)
            }
            _ => Poll::Ready(shut),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::io::{Read, Write};
    use tokio::io::AsyncWriteExt;

    /// Shuts a socket down; what `peer` does meanwhile, and whether the socket waits for it.
    fn shut(asked: bool, patience: u64, peer: impl FnOnce(&mut std::net::TcpStream)) -> bool {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut other = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let stream = listener.accept().unwrap().0;
        stream.set_nonblocking(true).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let stream = TcpStream::from_std(stream).unwrap();
            let asked = Arc::new(AtomicBool::new(asked));
            let mut socket = Socket::lingering(stream, asked, Duration::from_secs(patience));
            let first = poll_fn(|cx| Poll::Ready(Pin::new(&mut socket).poll_shutdown(cx))).await;
            peer(&mut other);
            socket.shutdown().await.unwrap();
            first.is_pending()
        })
    }

    #[test]
    fn a_drained_connection_waits_for_the_peers_close() {
        let waits = shut(true, 3600, |other| {
            assert_eq!(other.read(&mut [0]).unwrap(), 0, "our side is closed at once");
            // More than one write: the answer to the first would be the reset.
            (0..3).for_each(|_| other.write_all(&[0; 4096]).unwrap());
            other.shutdown(Shutdown::Write).unwrap();
        });
        assert!(waits);
        assert!(!shut(false, 3600, |_| {}), "one that is not drained waits for nobody");
    }

    #[test]
    fn a_peer_that_never_closes_is_not_waited_for_for_ever() {
        shut(true, 0, |_| {});
    }
}
