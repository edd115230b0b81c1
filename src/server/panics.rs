//! Turns a panic in a handler into a value, so that it costs one request.
//!
//! Must not hide it: the caller raises an alarm.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The words of a panic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Panicked(pub String);

/// Runs a future; a panic in it ends it with [`Panicked`].
///
/// Unwind safety: what the future borrows is used by other requests after a panic. Locks in
/// this room ignore poison and hold plain values that are whole between any two statements.
pub(super) fn catch<'f, T>(
    future: impl Future<Output = T> + Send + 'f,
) -> impl Future<Output = Result<T, Panicked>> + Send + 'f
where
    T: 'f,
{
    Catch(Box::pin(future))
}

struct Catch<'f, T>(Pin<Box<dyn Future<Output = T> + Send + 'f>>);

impl<T> Future for Catch<'_, T> {
    type Output = Result<T, Panicked>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))) {
            Ok(polled) => polled.map(Ok),
            Err(payload) => Poll::Ready(Err(Panicked(words(payload.as_ref())))),
        }
    }
}

fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without words").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_its_words() {
        let number = 7;
        let caught = catch(async { panic!("seven is {number}") }).await;
        let caught: Result<(), Panicked> = caught;
        assert_eq!(caught, Err(Panicked("seven is 7".into())));
        assert_eq!(catch(async { number }).await, Ok(7));
    }
}
