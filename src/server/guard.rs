//! The stream between socket and hyper: hands hyper whole, checked heads and the bodies that
//! belong to them, keeps the times of reading and writing, and ends connections politely.
//!
//! Must not interpret bodies. Where the end of a body is not known without reading it
//! (chunked), no further head is taken: the answer closes the connection
//! (`Begun::must_close`). Okta, Entra and curl send lengths, so that costs nothing.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::conversation::{Begun, Conversation};
use super::smuggle::{self, Framing, Refusal, is_token_byte};
use crate::observe::crash_halfway;

/// How long a connection may stay open between two requests. Longer than the pause between
/// Okta's calls for one user, so that a reused connection is rarely closed under a POST.
pub(super) const IDLE: Duration = Duration::from_secs(75);
/// How long a client may take no byte of an answer.
const STALLED: Duration = Duration::from_secs(30);
/// How long, at the end, what is still coming in is read and dropped. Closing a socket with
/// unread bytes resets it, and the client would lose the answer that says why (413, 400).
const LINGER: Duration = Duration::from_secs(2);
const READ: usize = 8 << 10;

/// How much a head may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeadLimits {
    /// Bytes.
    pub max: usize,
    /// From its first byte to its last; also from connecting to the first byte.
    pub timeout: Duration,
}

/// Where in the conversation the incoming bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing of the next head has come.
    Between,
    /// Part of a head has come, its first byte then.
    Head { since: Instant },
    /// Bytes of a body are to come.
    Body { left: u64 },
    /// A chunked body, and whatever comes after it.
    Chunked,
    /// A head was refused; nothing more is read for hyper.
    Refused,
    /// The client closed, or was idle for too long.
    Ended,
}

/// The stream itself.
pub(super) struct Guard<S> {
    inner: S,
    limits: HeadLimits,
    conversation: Arc<Conversation>,
    state: State,
    /// Came in and is not sorted yet; in state `Head` the head so far.
    incoming: Vec<u8>,
    /// How far `incoming` was searched for the end of a head.
    searched: usize,
    /// For hyper, from `given` on.
    passed: Vec<u8>,
    given: usize,
    timer: Pin<Box<Sleep>>,
    stalled: Option<Pin<Box<Sleep>>>,
    lingering: Option<Pin<Box<Sleep>>>,
}

impl<S> Guard<S> {
    pub(super) fn new(inner: S, limits: HeadLimits, conversation: Arc<Conversation>) -> Self {
        Self {
            inner,
            limits,
            conversation,
            state: State::Between,
            incoming: Vec::new(),
            searched: 0,
            passed: Vec::new(),
            given: 0,
            timer: Box::pin(sleep_until(Instant::now() + limits.timeout)),
            stalled: None,
            lingering: None,
        }
    }

    /// Sorts what came in into heads, which are checked, and bodies.
    fn sort(&mut self) {
        loop {
            match self.state {
                State::Between => {
                    if !self.begin_head() {
                        return;
                    }
                }
                State::Head { since } => match self.find_head_end() {
                    Ok(None) => return,
                    Ok(Some(end)) => match smuggle::check(&self.incoming[..end]) {
                        Ok(framing) => self.pass_head(end, framing, since),
                        Err(refusal) => self.refuse(refusal, since),
                    },
                    Err(refusal) => self.refuse(refusal, since),
                },
                State::Body { left } => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(self.incoming.len());
                    self.passed.extend(self.incoming.drain(..here));
                    // `here` came from a u64 or is smaller.
                    match left - here as u64 {
                        0 => self.await_next(),
                        left => {
                            self.state = State::Body { left };
                            return;
                        }
                    }
                }
                State::Chunked => {
                    self.passed.append(&mut self.incoming);
                    return;
                }
                State::Refused | State::Ended => {
                    self.incoming.clear();
                    return;
                }
            }
        }
    }

    /// From `Between` into `Head`, if something has come; empty lines before a head are
    /// skipped (RFC 9112 section 2.2).
    fn begin_head(&mut self) -> bool {
        while self.incoming.starts_with(b"\r\n") {
            self.incoming.drain(..2);
        }
        match self.incoming.first() {
            None => return false,
            Some(b'\r') if self.incoming.len() == 1 => return false,
            Some(_) => {}
        }
        let now = Instant::now();
        self.state = State::Head { since: now };
        self.searched = 0;
        self.timer.as_mut().reset(now + self.limits.timeout);
        true
    }

    /// The length of the head in `incoming`, when all of it is there.
    fn find_head_end(&mut self) -> Result<Option<usize>, Refusal> {
        // A TLS hello on the clear text port would else be waited for until the time is up.
        if !self.incoming.first().copied().is_some_and(is_token_byte) {
            return Err(Refusal::RequestLine);
        }
        for at in self.searched..self.incoming.len() {
            if self.incoming[at] != b'\n' {
                continue;
            }
            if !self.incoming[..at].ends_with(b"\r") {
                return Err(Refusal::LineEnd);
            }
            if self.incoming[..at].ends_with(b"\r\n\r") {
                let end = at + 1;
                return if end > self.limits.max { Err(Refusal::TooLarge) } else { Ok(Some(end)) };
            }
        }
        self.searched = self.incoming.len();
        if self.searched > self.limits.max {
            return Err(Refusal::TooLarge);
        }
        Ok(None)
    }

    fn pass_head(&mut self, end: usize, framing: Framing, since: Instant) {
        self.passed.extend(self.incoming.drain(..end));
        self.conversation.begin(Begun { at: since, must_close: framing == Framing::Chunked });
        match framing {
            Framing::Chunked => self.state = State::Chunked,
            Framing::Length(0) => self.await_next(),
            Framing::Length(left) => self.state = State::Body { left },
        }
    }

    fn await_next(&mut self) {
        self.state = State::Between;
        self.timer.as_mut().reset(Instant::now() + IDLE);
    }

    fn refuse(&mut self, refusal: Refusal, since: Instant) {
        self.passed.extend_from_slice(refusal.stand_in().as_bytes());
        self.conversation.begin(Begun { at: since, must_close: true });
        self.state = State::Refused;
        self.incoming = Vec::new();
    }

    /// Gives hyper what is there; false when nothing is.
    fn give(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let there = &self.passed[self.given..];
        if there.is_empty() {
            return false;
        }
        let count = there.len().min(buf.remaining());
        buf.put_slice(&there[..count]);
        self.given += count;
        if self.given == self.passed.len() {
            self.passed.clear();
            self.given = 0;
        }
        true
    }

    /// Nothing comes in: is the time over? True when the state has changed.
    fn look_at_the_time(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            let since = match self.state {
                State::Between => None,
                State::Head { since } => Some(since),
                _ => return false,
            };
            if self.timer.as_mut().poll(cx).is_pending() {
                return false;
            }
            match since {
                Some(since) => self.refuse(Refusal::Slow, since),
                // hyper reads ahead while a request is in work, to see the client go.
                None if self.conversation.is_busy() => {
                    self.timer.as_mut().reset(Instant::now() + IDLE);
                    continue;
                }
                None => self.state = State::Ended,
            }
            return true;
        }
    }

    /// Whether the client may still be sending what nobody will read.
    fn is_cut_off(&self) -> bool {
        !matches!(self.state, State::Between | State::Ended)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.give(buf) {
                return Poll::Ready(Ok(()));
            }
            match this.state {
                // Not the end of the stream: hyper would drop the answer.
                State::Refused => return Poll::Pending,
                State::Ended => return Poll::Ready(Ok(())),
                _ => {}
            }
            let mut space = [0; READ];
            let mut read = ReadBuf::new(&mut space);
            match Pin::new(&mut this.inner).poll_read(cx, &mut read)? {
                Poll::Ready(()) if read.filled().is_empty() => this.state = State::Ended,
                Poll::Ready(()) => {
                    this.incoming.extend_from_slice(read.filled());
                    this.sort();
                }
                Poll::Pending if this.look_at_the_time(cx) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Guard<S> {
    /// An error when the client has taken nothing for too long.
    fn watch_stall<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let timer =
            self.stalled.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + STALLED)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client does not read its answer",
        )))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        crash_halfway("answer-half-sent", bytes.len(), |half| {
            let _ = Pin::new(&mut this.inner).poll_write(cx, &bytes[..half]);
        });
        let written = Pin::new(&mut this.inner).poll_write(cx, bytes);
        this.watch_stall(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        crash_halfway("answer-half-sent", parts.iter().map(|part| part.len()).sum(), |half| {
            let whole: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
            let _ = Pin::new(&mut this.inner).poll_write(cx, &whole[..half]);
        });
        let written = Pin::new(&mut this.inner).poll_write_vectored(cx, parts);
        this.watch_stall(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.inner).poll_flush(cx);
        this.watch_stall(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.lingering.is_none() {
            let shut = Pin::new(&mut this.inner).poll_shutdown(cx);
            ready!(this.watch_stall(cx, shut))?;
            this.lingering = Some(Box::pin(sleep_until(Instant::now() + LINGER)));
        }
        if !this.is_cut_off() {
            return Poll::Ready(Ok(()));
        }
        loop {
            if let Some(timer) = &mut this.lingering
                && timer.as_mut().poll(cx).is_ready()
            {
                return Poll::Ready(Ok(()));
            }
            let mut space = [0; READ];
            let mut read = ReadBuf::new(&mut space);
            match ready!(Pin::new(&mut this.inner).poll_read(cx, &mut read)) {
                Ok(()) if !read.filled().is_empty() => {}
                Ok(()) | Err(_) => return Poll::Ready(Ok(())),
            }
        }
    }
}
