//! Group commit: requests that came in while the last commits ran are written in one transaction.
//!
//! There is no timer: a lone request is written at once, and the busier it gets the larger the
//! batches become. A database with many writers gets a few batches at a time, so that one is written
//! while another waits for the disk. The requests of a batch know nothing of each other: if the batch
//! cannot be written, each is written alone, so that one bad request fails by itself.

use std::collections::{HashSet, VecDeque};
use std::num::NonZeroUsize;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::error::{MetaDbError, Result};

/// Requests that wait for the writer before those who send must wait themselves.
const QUEUE: usize = 1_024;
/// Most requests of one transaction.
const BATCH: usize = 256;
/// From so many bytes on a batch takes no further request.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// What can be written many at a time.
pub(crate) trait Batched: Send + Sync + 'static {
    /// One request.
    type Request: Send + Sync + 'static;
    /// What one request comes to.
    type Answer: Send + 'static;
    /// What only one request of a batch may have.
    type Key: Eq + std::hash::Hash + Send;

    /// What is being done, for errors.
    const OPERATION: &'static str;

    /// Returns about how many bytes a request takes.
    fn bytes(request: &Self::Request) -> usize;

    /// Returns what no other request of the same batch may have: those are written after it.
    fn key(request: &Self::Request) -> Option<Self::Key>;

    /// Returns once a batch may begin. What comes in meanwhile is part of it.
    fn turn(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Writes all requests in one transaction and answers in their order.
    fn write(
        &self,
        requests: &[&Self::Request],
    ) -> impl Future<Output = Result<Vec<Self::Answer>>> + Send;
}

/// The front of the task that writes. Cloning shares it; the task ends with the last clone.
pub(crate) struct Writer<B: Batched> {
    queue: mpsc::Sender<Waiting<B>>,
}

impl<B: Batched> Clone for Writer<B> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

/// A request and who waits for its answer.
struct Waiting<B: Batched> {
    request: B::Request,
    answer: oneshot::Sender<Result<B::Answer>>,
}

impl<B: Batched> Writer<B> {
    /// Starts the task, which writes at most so many batches at a time. Requests that share a key may
    /// stand in two of them: then the database keeps them apart.
    pub(crate) fn start(batched: B, at_a_time: NonZeroUsize) -> Self {
        let (queue, requests) = mpsc::channel(QUEUE);
        tokio::spawn(run(Arc::new(batched), Arc::new(Semaphore::new(at_a_time.get())), requests));
        Self { queue }
    }

    /// Has a request written, and returns once it is committed.
    pub(crate) async fn write(&self, request: B::Request) -> Result<B::Answer> {
        let stopped = || MetaDbError::WriterStopped(B::OPERATION);
        let (answer, answered) = oneshot::channel();
        self.queue.send(Waiting { request, answer }).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

async fn run<B: Batched>(
    batched: Arc<B>,
    room: Arc<Semaphore>,
    mut requests: mpsc::Receiver<Waiting<B>>,
) {
    let mut waiting = VecDeque::new();
    loop {
        if waiting.is_empty() {
            match requests.recv().await {
                Some(first) => waiting.push_back(first),
                None => return,
            }
        }
        // Nobody closes the semaphore.
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        batched.turn().await;
        // Whoever is about to ask, such as those who were just answered, comes along: with this the
        // batches of a busy service are twice as large.
        tokio::task::yield_now().await;
        while waiting.len() < BATCH {
            let Ok(arrived) = requests.try_recv() else { break };
            waiting.push_back(arrived);
        }
        let (batch, batched) = (take_batch(&mut waiting), Arc::clone(&batched));
        tokio::spawn(async move {
            write_batch(&*batched, batch).await;
            drop(permit);
        });
    }
}

/// Takes from the front what fits into one batch; what shares a key with it stays where it is.
fn take_batch<B: Batched>(waiting: &mut VecDeque<Waiting<B>>) -> Vec<Waiting<B>> {
    let (mut batch, mut left) = (Vec::new(), VecDeque::new());
    let (mut keys, mut bytes) = (HashSet::new(), 0);
    while let Some(next) = waiting.pop_front() {
        let size = B::bytes(&next.request);
        let is_full = batch.len() == BATCH || (!batch.is_empty() && bytes + size > BATCH_BYTES);
        if is_full {
            left.push_back(next);
            break;
        }
        if B::key(&next.request).is_some_and(|key| !keys.insert(key)) {
            left.push_back(next);
            continue;
        }
        bytes += size;
        batch.push(next);
    }
    left.append(waiting);
    *waiting = left;
    batch
}

async fn write_batch<B: Batched>(batched: &B, mut batch: Vec<Waiting<B>>) {
    let requests: Vec<&B::Request> = batch.iter().map(|waiting| &waiting.request).collect();
    let error = match batched.write(&requests).await {
        Ok(answers) => {
            for (waiting, answer) in batch.into_iter().zip(answers) {
                reply(waiting, Ok(answer));
            }
            return;
        }
        Err(error) => error,
    };
    if batch.len() == 1 || error.is_unavailable() {
        // One answer has the reason; the others are told to try again.
        for waiting in batch.drain(1..) {
            reply(waiting, Err(unavailable::<B>()));
        }
        if let Some(first) = batch.pop() {
            reply(first, Err(error));
        }
        return;
    }
    tracing::debug!(%error, requests = batch.len(), "a batch is written one by one");
    for waiting in batch {
        let written = batched.write(&[&waiting.request]).await;
        let answer = written.and_then(|mut answers| answers.pop().ok_or_else(unavailable::<B>));
        reply(waiting, answer);
    }
}

/// Who asked may be gone; what was written stays written.
fn reply<B: Batched>(waiting: Waiting<B>, answer: Result<B::Answer>) {
    drop(waiting.answer.send(answer));
}

fn unavailable<B: Batched>() -> MetaDbError {
    MetaDbError::Query { operation: B::OPERATION, source: sqlx::Error::PoolTimedOut }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Doubles numbers; a batch with a negative one cannot be written.
    struct Doubling;

    impl Batched for Doubling {
        type Request = i64;
        type Answer = (i64, usize);
        type Key = i64;

        const OPERATION: &'static str = "double";

        fn bytes(request: &i64) -> usize {
            usize::try_from(*request).unwrap_or(0)
        }

        fn key(request: &i64) -> Option<i64> {
            (request % 10 == 7).then_some(7)
        }

        async fn write(&self, requests: &[&i64]) -> Result<Vec<(i64, usize)>> {
            if requests.iter().any(|number| **number < 0) {
                return Err(MetaDbError::NotALocation("negative".to_owned()));
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            Ok(requests.iter().map(|number| (**number * 2, requests.len())).collect())
        }
    }

    fn batches(requests: &[i64]) -> Vec<Vec<i64>> {
        let mut waiting = requests
            .iter()
            .map(|request| Waiting::<Doubling> { request: *request, answer: oneshot::channel().0 })
            .collect();
        let mut batches = Vec::new();
        loop {
            let batch: Vec<i64> =
                take_batch(&mut waiting).iter().map(|waiting| waiting.request).collect();
            if batch.is_empty() {
                return batches;
            }
            batches.push(batch);
        }
    }

    #[test]
    fn what_shares_a_key_is_written_one_after_the_other() {
        assert_eq!(batches(&[7, 1, 17, 2, 27]), [vec![7, 1, 2], vec![17], vec![27]]);
    }

    #[test]
    fn a_batch_is_bounded_by_number_and_size_and_a_large_request_goes_alone() {
        let many: Vec<i64> = vec![1; BATCH + 1];
        assert_eq!(batches(&many).iter().map(Vec::len).collect::<Vec<_>>(), [BATCH, 1]);
        let large = i64::try_from(BATCH_BYTES).unwrap();
        assert_eq!(
            batches(&[large + 1, 1, large - 1, 2]),
            [vec![large + 1], vec![1, large - 1], vec![2]]
        );
    }

    #[tokio::test]
    async fn one_bad_request_fails_by_itself() {
        for (number, answer) in written_at_once(-1..40).await {
            match answer {
                Ok((double, batch)) => assert_eq!((double, batch), (number * 2, 1)),
                Err(_) => assert_eq!(number, -1),
            }
        }
    }

    #[tokio::test]
    async fn requests_that_come_at_the_same_time_share_a_transaction() {
        let answers = written_at_once(0..4).await;
        assert!(answers.iter().any(|(_, answer)| matches!(answer, Ok((_, 2..)))));
    }

    /// Writes when two batches are being written, and never before.
    struct Meeting(tokio::sync::Barrier);

    impl Batched for Meeting {
        type Request = ();
        type Answer = ();
        type Key = ();

        const OPERATION: &'static str = "meet";

        fn bytes((): &()) -> usize {
            0
        }

        fn key((): &()) -> Option<()> {
            Some(())
        }

        async fn write(&self, requests: &[&()]) -> Result<Vec<()>> {
            self.0.wait().await;
            Ok(vec![(); requests.len()])
        }
    }

    #[tokio::test]
    async fn a_batch_is_written_while_another_waits_for_the_disk() {
        let two = NonZeroUsize::new(2).unwrap();
        let writer = Writer::start(Meeting(tokio::sync::Barrier::new(2)), two);
        let both = async { tokio::try_join!(writer.write(()), writer.write(())) };
        tokio::time::timeout(std::time::Duration::from_secs(30), both).await.unwrap().unwrap();
    }

    async fn written_at_once(numbers: std::ops::Range<i64>) -> Vec<(i64, Result<(i64, usize)>)> {
        let writer = Writer::start(Doubling, NonZeroUsize::MIN);
        let requests: Vec<_> = numbers
            .map(|number| {
                let writer = writer.clone();
                tokio::spawn(async move { (number, writer.write(number).await) })
            })
            .collect();
        let mut answers = Vec::new();
        for request in requests {
            answers.push(request.await.unwrap());
        }
        answers
    }

    #[tokio::test]
    async fn the_task_ends_with_its_last_front() {
        let (queue, requests) = mpsc::channel::<Waiting<Doubling>>(1);
        let task = tokio::spawn(run(Arc::new(Doubling), Arc::new(Semaphore::new(1)), requests));
        drop(queue);
        task.await.unwrap();
    }
}
