//! One open HTTP/1.1 connection, driven by the exchange that uses it.
//!
//! There is no task behind it: bytes move only while an exchange polls it. So when an
//! exchange gives up, nothing can leave any more and the count of bytes is final.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Duration,
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::HeaderMap,
};
use hyper_util::rt::TokioIo;

use super::{
    connect::Stream,
    counter::{Counted, Written},
};

type Driver = http1::Connection<TokioIo<Counted<Box<dyn Stream>>>, Full<Bytes>>;

/// An open connection.
pub(super) struct Channel {
    sender: http1::SendRequest<Full<Bytes>>,
    /// `None` once the connection has ended.
    driver: Option<Driver>,
    written: Written,
}

/// Why there is no whole answer.
pub(super) struct Broken {
    /// hyper gave the request back: it never began to leave.
    pub(super) handed_back: bool,
    /// In words.
    pub(super) why: String,
}

/// The body of an answer.
pub(super) enum Gathered {
    /// All of it.
    Whole(Vec<u8>),
    /// More than the limit; the rest was not read.
    TooLong,
}

impl Channel {
    /// Takes a stream over; sends nothing yet.
    pub(super) async fn new(stream: Box<dyn Stream>) -> Result<Self, String> {
        let (counted, written) = Counted::new(stream);
        let (sender, driver) = http1::Builder::new()
            // What old servers and their home-made headers need to be understood at all.
            .ignore_invalid_headers_in_responses(true)
            .allow_spaces_after_header_name_in_responses(true)
            .allow_obsolete_multiline_headers_in_responses(true)
            .handshake(TokioIo::new(counted))
            .await
            .map_err(|error| words(&error))?;
        Ok(Self { sender, driver: Some(driver), written })
    }

    /// Bytes of requests accepted since it was opened.
    pub(super) fn written(&self) -> Written {
        self.written.clone()
    }

    /// Sends a request and waits for the head of the answer.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Broken> {
        let Self { sender, driver, .. } = self;
        if let Err(error) = together(driver, sender.ready()).await {
            return Err(Broken { handed_back: true, why: words(&error) });
        }
        let sent = together(driver, sender.try_send_request(request)).await;
        sent.map_err(|mut error| Broken {
            handed_back: error.take_message().is_some(),
            why: words(error.error()),
        })
    }

    /// Reads the body of an answer.
    pub(super) async fn gather(
        &mut self,
        body: &mut Incoming,
        most: usize,
    ) -> Result<Gathered, Broken> {
        let mut bytes = Vec::new();
        while let Some(frame) = together(&mut self.driver, body.frame()).await {
            let frame = frame.map_err(|error| Broken { handed_back: false, why: words(&error) })?;
            // Trailers say nothing to a mapping.
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if bytes.len() + data.len() > most {
                return Ok(Gathered::TooLong);
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Gathered::Whole(bytes))
    }

    /// Whether another request could be sent: nobody closed it, nothing unasked came.
    ///
    /// Looks at the stream once, without waiting.
    pub(super) fn is_usable(&mut self) -> bool {
        // Whoever uses it next polls it with a waker of their own.
        let mut cx = Context::from_waker(Waker::noop());
        let Some(driver) = &mut self.driver else {
            return false;
        };
        if Pin::new(driver).poll(&mut cx).is_ready() {
            self.driver = None;
            return false;
        }
        matches!(self.sender.poll_ready(&mut cx), Poll::Ready(Ok(())))
    }
}

/// Lets some work and the connection it waits for make progress together.
async fn together<T>(driver: &mut Option<Driver>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(done);
        }
        // What ends the connection reaches the work through hyper's channels.
        if let Some(running) = driver
            && Pin::new(running).poll(cx).is_ready()
        {
            *driver = None;
        }
        work.as_mut().poll(cx)
    })
    .await
}

/// The app's own word on how long it keeps an idle connection: `Keep-Alive: timeout=5`.
pub(super) fn keep_alive(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("keep-alive")?.to_str().ok()?;
    let seconds = text.split(',').find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("timeout").then(|| value.trim().parse().ok())?
    })?;
    Some(Duration::from_secs(seconds))
}

/// An error with its causes, each said once.
fn words(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn keep_alive_is_understood() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("keep-alive", text.parse().unwrap());
            keep_alive(&headers)
        };
        assert_eq!(of("timeout=5, max=100"), Some(Duration::from_secs(5)));
        assert_eq!(of("max=100, Timeout = 7"), Some(Duration::from_secs(7)));
        assert_eq!(of("timeout=soon"), None);
        assert_eq!(of("max=1"), None);
        assert_eq!(keep_alive(&HeaderMap::new()), None);
    }
}
