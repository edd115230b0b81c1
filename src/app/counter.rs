//! Counts the bytes of requests that the connection accepted. Changes nothing on the way.
//!
//! It sits above TLS: what TLS accepted counts as sent though it may still be in a buffer.
//! So the count errs towards "in doubt", never towards "not sent".

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::observe::{crash_halfway, crash_point};

/// The number of bytes accepted since the connection was opened.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written(Arc<AtomicU64>);

impl Written {
    pub(crate) fn so_far(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// A stream whose accepted bytes are counted.
pub(crate) struct Counted<S> {
    stream: S,
    written: Written,
}

impl<S> Counted<S> {
    pub(crate) fn new(stream: S) -> (Self, Written) {
        let written = Written::default();
        (Self { stream, written: written.clone() }, written)
    }

    fn note(&self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(count)) = &result {
            // A usize has at most 64 bits.
            self.written.0.fetch_add(*count as u64, Ordering::AcqRel);
            // A call is small: it leaves whole, or not at all.
            crash_point("call-sent");
        }
        result
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        crash_halfway("call-half-sent", buf.len(), |half| {
            let _ = Pin::new(&mut self.stream).poll_write(cx, &buf[..half]);
        });
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        crash_halfway("call-half-sent", bufs.iter().map(|part| part.len()).sum(), |half| {
            let whole: Vec<u8> = bufs.iter().flat_map(|part| part.iter().copied()).collect();
            let _ = Pin::new(&mut self.stream).poll_write(cx, &whole[..half]);
        });
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn accepted_bytes_count_and_read_ones_do_not() {
        let (near, mut far) = tokio::io::duplex(8);
        let (mut counted, written) = Counted::new(near);
        counted.write_all(b"abc").await.unwrap();
        assert_eq!(written.so_far(), 3);
        far.write_all(b"12345").await.unwrap();
        let mut some = [0; 5];
        counted.read_exact(&mut some).await.unwrap();
        assert_eq!(written.so_far(), 3);
        // Five more fit; the sixth is not accepted.
        assert_eq!(counted.write(b"defghi").await.unwrap(), 5);
        assert_eq!(written.so_far(), 8);
        drop(far);
        assert!(counted.write(b"x").await.is_err());
        assert_eq!(written.so_far(), 8);
    }
}
