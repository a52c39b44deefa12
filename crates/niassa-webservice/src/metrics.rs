//! Counts of what was served, for `/metrics`.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::StatusCode;

/// Answers by the class of their status, since the service started.
#[derive(Default)]
pub(crate) struct Metrics {
    answers: [AtomicU64; 5],
}

impl Metrics {
    /// Counts an answer.
    pub(crate) fn count(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.answers[class].fetch_add(1, Ordering::Relaxed);
    }

    /// Writes the counts in Prometheus' text form.
    pub(crate) fn write(&self, text: &mut String) {
        text.push_str(
            "# HELP niassa_requests_total Requests answered, by the class of the status.\n",
        );
        text.push_str("# TYPE niassa_requests_total counter\n");
        for (index, count) in self.answers.iter().enumerate() {
            let count = count.load(Ordering::Relaxed);
            // Writing to a string does not fail.
            let _ = writeln!(text, "niassa_requests_total{{status=\"{}xx\"}} {count}", index + 1);
        }
    }
}
