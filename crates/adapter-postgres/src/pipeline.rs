//! Several statements on their way at once: a connection sends each when it is first polled, and
//! the server answers them in order.

use std::future::poll_fn;
use std::task::Poll;

use futures::future::BoxFuture;

/// Sends all of them, in order and in one go, and waits for the answers. Where one cannot be sent,
/// those after it are not: no transaction is ended of which a part is missing.
pub(crate) async fn in_order<T, E>(mut futures: Vec<BoxFuture<'_, Result<T, E>>>) -> Vec<Result<T, E>> {
    let mut answers: Vec<Option<Result<T, E>>> = Vec::with_capacity(futures.len());
    poll_fn(move |context| {
        for (future, answer) in futures.iter_mut().zip(&mut answers) {
            if answer.is_none()
                && let Poll::Ready(found) = future.as_mut().poll(context)
            {
                *answer = Some(found);
            }
        }
        while answers.len() < futures.len() {
            match futures[answers.len()].as_mut().poll(context) {
                Poll::Pending => answers.push(None),
                Poll::Ready(Ok(found)) => answers.push(Some(Ok(found))),
                Poll::Ready(Err(unsent)) => {
                    answers.push(Some(Err(unsent)));
                    futures.truncate(answers.len());
                }
            }
        }
        if answers.iter().any(Option::is_none) {
            return Poll::Pending;
        }
        Poll::Ready(answers.iter_mut().filter_map(Option::take).collect())
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Sends at once and answers when it is polled again, as a statement does.
    fn statement<'a>(sent: &'a Mutex<Vec<u8>>, name: u8) -> BoxFuture<'a, Result<u8, &'static str>> {
        Box::pin(async move {
            sent.lock().unwrap().push(name);
            tokio::task::yield_now().await;
            Ok(name)
        })
    }

    #[tokio::test]
    async fn all_are_sent_in_order_and_answered_in_order() {
        let sent = Mutex::default();
        let answers = in_order((0..50).map(|name| statement(&sent, name)).collect()).await;
        assert_eq!(answers, (0..50).map(Ok).collect::<Vec<_>>());
        assert_eq!(*sent.lock().unwrap(), (0..50).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn nothing_is_sent_after_what_cannot_be_sent() {
        let sent = Mutex::default();
        let unsent: BoxFuture<'_, Result<u8, &str>> = Box::pin(async { Err("too large") });
        let answers = in_order(vec![statement(&sent, 0), unsent, statement(&sent, 2)]).await;
        assert_eq!(answers, [Ok(0), Err("too large")]);
        assert_eq!(*sent.lock().unwrap(), [0]);
    }
}
