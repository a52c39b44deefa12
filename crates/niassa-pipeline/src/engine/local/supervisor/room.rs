//! Room for steps: processors and memory that are taken and given back, and the time of each.

use std::collections::btree_map::Entry;
use std::time::{Duration, Instant};

use niassa_model::limits::STOP_GRACE;
use niassa_model::resources::{Resources, format_memory};
use niassa_model::step::{AttemptKey, Outcome, StepReason, StepStatus};

use super::Supervisor;
use crate::engine::local::Start;

/// What an attempt takes while it runs.
pub(super) struct Taken {
    resources: Resources,
    /// When its time is over, where it has a limit.
    limit: Option<Instant>,
}

/// What is done when an attempt's time has come.
#[derive(Debug, Clone, Copy)]
pub(super) enum Alarm {
    /// It ran as long as it may.
    TimeLimit,
    /// It was asked to end and did not.
    Kill,
}

impl Supervisor {
    pub(super) fn could_ever_fit(&self, resources: Resources) -> bool {
        resources.threads <= self.capacity.threads
            && resources.memory_bytes.unwrap_or(0) <= self.capacity.memory_bytes
    }

    pub(super) fn too_large(&self, resources: Resources) -> String {
        let memory = resources.memory_bytes.unwrap_or(0);
        if resources.threads > self.capacity.threads {
            let (asked, here) = (resources.threads, self.capacity.threads);
            return format!("the step asks for {asked} threads, this machine has {here}");
        }
        let (asked, here) = (format_memory(memory), format_memory(self.capacity.memory_bytes));
        format!("the step asks for {asked} of memory, this machine gives {here}")
    }

    pub(super) fn fits(&self, resources: Resources) -> bool {
        resources.threads <= self.free.threads
            && resources.memory_bytes.unwrap_or(0) <= self.free.memory_bytes
    }

    /// Takes room for an attempt that has run for so long.
    pub(super) fn occupy(&mut self, start: &Start, ran: Duration) {
        let Resources { threads, memory_bytes, seconds } = start.resources;
        self.free.threads = self.free.threads.saturating_sub(threads);
        self.free.memory_bytes = self.free.memory_bytes.saturating_sub(memory_bytes.unwrap_or(0));
        let limit = seconds.map(|seconds| {
            let left = Duration::from_secs(seconds).saturating_sub(ran);
            self.alarm(left, start.key.clone(), Alarm::TimeLimit)
        });
        self.in_use.insert(start.key.clone(), Taken { resources: start.resources, limit });
    }

    /// Gives its room back. Its time limit does not count any more: it may yet begin anew.
    pub(super) fn release(&mut self, key: &AttemptKey) {
        let Some(Taken { resources, limit }) = self.in_use.remove(key) else { return };
        if let Some(at) = limit {
            self.forget_limit(at, key);
        }
        let Resources { threads, memory_bytes, .. } = resources;
        // Adopted attempts may have taken more than there was.
        self.free.threads = (self.free.threads + threads).min(self.capacity.threads);
        self.free.memory_bytes = self
            .free
            .memory_bytes
            .saturating_add(memory_bytes.unwrap_or(0))
            .min(self.capacity.memory_bytes);
    }

    /// Sets an alarm; returns when it is raised.
    pub(super) fn alarm(&mut self, after: Duration, key: AttemptKey, alarm: Alarm) -> Instant {
        let at = Instant::now() + after;
        self.alarms.entry(at).or_default().push((key, alarm));
        at
    }

    fn forget_limit(&mut self, at: Instant, key: &AttemptKey) {
        let Entry::Occupied(mut due) = self.alarms.entry(at) else { return };
        due.get_mut().retain(|(of, alarm)| of != key || !matches!(alarm, Alarm::TimeLimit));
        if due.get().is_empty() {
            due.remove();
        }
    }

    pub(super) fn raise_alarms(&mut self) {
        let now = Instant::now();
        while self.alarms.first_key_value().is_some_and(|(at, _)| *at <= now) {
            let Some((_, due)) = self.alarms.pop_first() else { break };
            for (key, alarm) in due {
                match alarm {
                    Alarm::TimeLimit if self.in_use.contains_key(&key) => {
                        let outcome =
                            Outcome::without_exit(StepStatus::Failed, StepReason::TimeLimit);
                        self.shop.running.stop(&key, outcome);
                        let _in_time = self.alarm(STOP_GRACE, key, Alarm::Kill);
                    }
                    Alarm::TimeLimit => {}
                    Alarm::Kill => self.shop.running.kill(&key),
                }
            }
        }
    }
}
