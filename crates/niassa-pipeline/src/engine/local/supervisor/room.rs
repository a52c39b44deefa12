//! Room for steps: processors and memory that are taken and given back, and the time of each.

use std::time::{Duration, Instant};

use niassa_model::limits::STOP_GRACE;
use niassa_model::resources::{Resources, format_memory};
use niassa_model::step::{AttemptKey, Outcome, StepReason, StepStatus};

use super::Supervisor;
use crate::engine::local::Start;

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

    pub(super) fn occupy(&mut self, start: &Start) {
        let Resources { threads, memory_bytes, seconds } = start.resources;
        self.free.threads = self.free.threads.saturating_sub(threads);
        self.free.memory_bytes = self.free.memory_bytes.saturating_sub(memory_bytes.unwrap_or(0));
        self.in_use.insert(start.key.clone(), start.resources);
        if let Some(seconds) = seconds {
            self.alarm(Duration::from_secs(seconds), start.key.clone(), Alarm::TimeLimit);
        }
    }

    pub(super) fn release(&mut self, key: &AttemptKey) {
        let Some(Resources { threads, memory_bytes, .. }) = self.in_use.remove(key) else { return };
        // Adopted attempts may have taken more than there was.
        self.free.threads = (self.free.threads + threads).min(self.capacity.threads);
        self.free.memory_bytes = self
            .free
            .memory_bytes
            .saturating_add(memory_bytes.unwrap_or(0))
            .min(self.capacity.memory_bytes);
    }

    pub(super) fn alarm(&mut self, after: Duration, key: AttemptKey, alarm: Alarm) {
        let at = Instant::now() + after;
        self.alarms.entry(at).or_default().push((key, alarm));
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
                        self.alarm(STOP_GRACE, key, Alarm::Kill);
                    }
                    Alarm::TimeLimit => {}
                    Alarm::Kill => self.shop.running.kill(&key),
                }
            }
        }
    }
}
