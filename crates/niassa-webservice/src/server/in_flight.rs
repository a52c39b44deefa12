//! Requests of one connection that are in flight: each from its head until its answer was taken to
//! the last byte, so that a stream of events counts as long as it lasts.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use http_body::{Frame, SizeHint};
use tokio::sync::watch;

/// How many requests of a connection are in flight.
#[derive(Clone, Default)]
pub(super) struct InFlight(watch::Sender<usize>);

/// One of them. It ends when this is dropped.
pub(super) struct Begun(watch::Sender<usize>);

/// The body of an answer; its request is in flight as long as it is there.
struct Counted {
    body: Body,
    _begun: Begun,
}

impl InFlight {
    /// Counts a request.
    pub(super) fn begin(&self) -> Begun {
        self.0.send_modify(|count| *count += 1);
        Begun(self.0.clone())
    }

    /// Waits until nothing was in flight for so long.
    pub(super) async fn silence(&self, lasting: Duration) {
        let mut count = self.0.subscribe();
        loop {
            // The sender is here, so there is no error to wait for.
            drop(count.wait_for(|count| *count == 0).await);
            tokio::select! {
                () = tokio::time::sleep(lasting) => return,
                _ = count.changed() => {}
            }
        }
    }
}

impl Begun {
    /// Counts the request until its answer is sent, too.
    pub(super) fn until_sent(self, response: Response) -> Response {
        response.map(|body| Body::new(Counted { body, _begun: self }))
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
