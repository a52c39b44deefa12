//! Where readers of whole logs meet the agents that can read the files.
//!
//! Agents that follow the events of this process say which places they serve. A reader's question waits here,
//! under a random id, until one of them answers or the reader gives up; the first answer counts. All of it
//! lives in memory and is bounded: so many agents as there are streams, so many questions at a time as there
//! are tickets, a few untold questions per agent. Who may be asked, and whose answer counts, is decided by
//! the MetaDB at the time; an agent of another service process on the same MetaDB is not heard of.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use niassa_api::logs::{LogAnswer, ReadLog};
use niassa_metadb::Access;
use niassa_model::accession::Accession;
use niassa_model::account::LaunchHosts;
use tokio::sync::{Notify, Semaphore, SemaphorePermit, mpsc, oneshot};
use tokio::time::Instant;
use uuid::Uuid;

/// Questions that are being answered at a time: each may bring a quarter of a MiB.
const MOST_QUESTIONS: usize = 16;
/// Questions that an agent has not taken yet.
const UNTAKEN: usize = 8;
/// Agents that are asked the same: two are enough where one may just have died.
const ASKED_MOST: usize = 4;
/// How long somebody who left is expected back: an agent takes its stream up again from time to time.
const EXPECTED_BACK: Duration = Duration::from_secs(5);
/// Agents that are remembered to have left.
const LEFT_MOST: usize = 256;

/// Readers and agents.
pub(crate) struct LogExchange {
    state: Mutex<State>,
    tickets: Semaphore,
    /// Told when an agent comes.
    arrived: Notify,
}

#[derive(Default)]
struct State {
    agents: HashMap<u64, Agent>,
    next: u64,
    questions: HashMap<Uuid, Question>,
    /// Places of agents that left, and when.
    left: VecDeque<(Vec<String>, Instant)>,
}

struct Agent {
    who: Credentials,
    places: Vec<String>,
    tell: mpsc::Sender<ReadLog>,
}

/// With what an agent signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) access: Access,
    pub(crate) hosts: LaunchHosts,
}

struct Question {
    run: Accession,
    answer: oneshot::Sender<LogAnswer>,
}

/// An agent's side: what it is asked. It leaves when this is dropped.
pub(crate) struct Serving {
    exchange: Arc<LogExchange>,
    id: u64,
    questions: mpsc::Receiver<ReadLog>,
}

/// A reader's side: a question that waits. It is taken back when this is dropped.
pub(crate) struct Asked<'exchange> {
    exchange: &'exchange LogExchange,
    id: Uuid,
    answer: oneshot::Receiver<LogAnswer>,
    _ticket: SemaphorePermit<'exchange>,
}

impl LogExchange {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::default(),
            tickets: Semaphore::new(MOST_QUESTIONS),
            arrived: Notify::new(),
        }
    }

    /// Takes an agent in that serves these places.
    pub(crate) fn serve(self: &Arc<Self>, who: Credentials, places: Vec<String>) -> Serving {
        let (tell, questions) = mpsc::channel(UNTAKEN);
        let mut state = self.state();
        let id = state.next;
        state.next += 1;
        state.agents.insert(id, Agent { who, places, tell });
        drop(state);
        self.arrived.notify_waiters();
        Serving { exchange: Arc::clone(self), id, questions }
    }

    /// Returns the agents of a place, the newest first.
    pub(crate) fn agents_of(&self, place: &str) -> Vec<(u64, Credentials)> {
        let state = self.state();
        let serves = |agent: &&Agent| agent.places.iter().any(|served| served == place);
        let of_place = state.agents.iter().filter(|(_, agent)| serves(agent));
        let mut agents: Vec<_> = of_place.map(|(id, agent)| (*id, agent.who.clone())).collect();
        agents.sort_by_key(|(id, _)| std::cmp::Reverse(*id));
        agents
    }

    /// Waits until an agent comes, if one of this place left a moment ago; tells whether to look again.
    pub(crate) async fn is_back(&self, place: &str) -> bool {
        let arrived = self.arrived.notified();
        let is_expected = |(places, at): &(Vec<String>, Instant)| {
            at.elapsed() < EXPECTED_BACK && places.iter().any(|served| served == place)
        };
        if !self.state().left.iter().any(is_expected) {
            return false;
        }
        tokio::time::timeout(Duration::from_secs(1), arrived).await.is_ok()
    }

    /// Puts a question to agents; `None` where nobody could be told, or too many ask already until then.
    pub(crate) async fn ask(
        &self,
        question: ReadLog,
        agents: &[u64],
        until: Instant,
    ) -> Result<Asked<'_>, NotAsked> {
        let ticket = tokio::time::timeout_at(until, self.tickets.acquire()).await;
        let Ok(Ok(ticket)) = ticket else { return Err(NotAsked::TooMany) };
        let (sender, answer) = oneshot::channel();
        let id = question.id;
        let mut state = self.state();
        let tell = |agent: &u64| {
            let agent = state.agents.get(agent)?;
            agent.tell.try_send(question.clone()).ok()
        };
        if agents.iter().filter_map(tell).take(ASKED_MOST).count() == 0 {
            return Err(NotAsked::NobodyListens);
        }
        state.questions.insert(id, Question { run: question.run, answer: sender });
        drop(state);
        Ok(Asked { exchange: self, id, answer, _ticket: ticket })
    }

    /// Returns the run that a question is about; nothing where nobody waits for its answer.
    pub(crate) fn run_of(&self, id: Uuid) -> Option<Accession> {
        self.state().questions.get(&id).map(|question| question.run)
    }

    /// Hands an answer to its reader; tells whether it was the first and somebody still waits.
    pub(crate) fn answer(&self, id: Uuid, answer: LogAnswer) -> bool {
        let question = self.state().questions.remove(&id);
        question.is_some_and(|question| question.answer.send(answer).is_ok())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why nobody was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotAsked {
    /// Others read logs, and none was done in time.
    TooMany,
    /// The agents went away, or do not take what they are asked.
    NobodyListens,
}

impl Serving {
    /// Waits for the next question.
    pub(crate) async fn next(&mut self) -> ReadLog {
        match self.questions.recv().await {
            Some(question) => question,
            // The exchange holds the sender as long as we serve.
            None => std::future::pending().await,
        }
    }

    /// Takes a question that is there already.
    pub(crate) fn try_next(&mut self) -> Option<ReadLog> {
        self.questions.try_recv().ok()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let mut state = self.exchange.state();
        if let Some(agent) = state.agents.remove(&self.id) {
            while state.left.len() >= LEFT_MOST
                || state.left.front().is_some_and(|(_, at)| at.elapsed() >= EXPECTED_BACK)
            {
                state.left.pop_front();
            }
            state.left.push_back((agent.places, Instant::now()));
        }
    }
}

impl Asked<'_> {
    /// Waits for the first answer, until then.
    pub(crate) async fn answer(&mut self, until: Instant) -> Option<LogAnswer> {
        tokio::time::timeout_at(until, &mut self.answer).await.ok()?.ok()
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.exchange.state().questions.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use niassa_api::logs::{LogRange, LogStream};
    use niassa_metadb::access::Sees;
    use niassa_model::account::AccountId;
    use niassa_model::run::RunTag;
    use niassa_model::step::{AttemptNumber, StepIndex};

    use super::*;

    fn who() -> Credentials {
        let access = Access {
            account: AccountId(1),
            email: "bob@lab.net".to_owned(),
            sees: Sees::Own,
            hosts: None,
            origin: None,
        };
        Credentials { access, hosts: LaunchHosts::Any }
    }

    fn question() -> ReadLog {
        ReadLog {
            id: Uuid::new_v4(),
            run: 7.try_into().unwrap(),
            tag: RunTag::from_random([7; 10]),
            place: "p".to_owned(),
            step: StepIndex(0),
            attempt: AttemptNumber(1),
            stream: LogStream::Stdout,
            offset: None,
            length: 1,
        }
    }

    fn answer(size: u64) -> LogAnswer {
        LogAnswer::Read(LogRange { offset: 0, size, bytes: Vec::new() })
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    #[tokio::test]
    async fn the_first_answer_counts_and_agents_of_other_places_hear_nothing() {
        let exchange = Arc::new(LogExchange::new());
        let mut agents = ["p", "p", "q"].map(|place| exchange.serve(who(), vec![place.to_owned()]));
        let of_place: Vec<u64> = exchange.agents_of("p").into_iter().map(|(id, _)| id).collect();
        assert_eq!(of_place, [1, 0]);
        let question = question();
        let mut asked = exchange.ask(question.clone(), &of_place, soon()).await.unwrap();
        assert_eq!(agents[0].next().await, question);
        assert_eq!(agents[1].try_next(), Some(question.clone()));
        assert_eq!(agents[2].try_next(), None);
        assert_eq!(exchange.run_of(question.id), Some(question.run));
        assert!(exchange.answer(question.id, answer(1)));
        assert!(!exchange.answer(question.id, answer(2)), "somebody was faster");
        assert_eq!(asked.answer(soon()).await, Some(answer(1)));
    }

    #[tokio::test]
    async fn whoever_gives_up_leaves_nothing_behind() {
        let exchange = Arc::new(LogExchange::new());
        let serving = exchange.serve(who(), vec!["p".to_owned()]);
        let question = question();
        let mut asked = exchange.ask(question.clone(), &[0], soon()).await.unwrap();
        assert_eq!(asked.answer(soon()).await, None);
        drop(asked);
        assert_eq!(exchange.run_of(question.id), None);
        assert!(!exchange.answer(question.id, answer(1)));
        assert!(!exchange.is_back("p").await, "it did not leave");
        drop(serving);
        assert!(exchange.agents_of("p").is_empty());
        let refused = exchange.ask(question, &[0], soon()).await.err();
        assert_eq!(refused, Some(NotAsked::NobodyListens));
        let back = async {
            tokio::task::yield_now().await;
            exchange.serve(who(), vec!["p".to_owned()])
        };
        assert!(tokio::join!(exchange.is_back("p"), back).0);
        assert!(!exchange.is_back("q").await);
    }

    #[tokio::test]
    async fn questions_are_bounded() {
        let exchange = Arc::new(LogExchange::new());
        let _agents: Vec<Serving> =
            (0..MOST_QUESTIONS).map(|_| exchange.serve(who(), vec!["p".to_owned()])).collect();
        let mut asked = Vec::new();
        for agent in 0..MOST_QUESTIONS as u64 {
            asked.push(exchange.ask(question(), &[agent], soon()).await.unwrap());
        }
        let refused = exchange.ask(question(), &[0], soon()).await.err();
        assert_eq!(refused, Some(NotAsked::TooMany));
        asked.pop();
        for _ in 1..UNTAKEN {
            drop(exchange.ask(question(), &[0], soon()).await.unwrap());
        }
        let refused = exchange.ask(question(), &[0], soon()).await.err();
        assert_eq!(refused, Some(NotAsked::NobodyListens), "it takes nothing");
    }
}
