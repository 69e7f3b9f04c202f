//! Counters of the process, printed by `/metrics` in the Prometheus text format.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Upper bounds of the commit histogram in microseconds.
const BOUNDS: [u64; 9] = [500, 1_000, 2_000, 5_000, 10_000, 25_000, 50_000, 100_000, 500_000];

/// Lines that the log could not take; of the process, because its log begins before the gateway.
pub static LOST_LOG_LINES: AtomicU64 = AtomicU64::new(0);

/// Counters since start.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Requests by first digit of the status (index 1 to 5).
    pub responses: [AtomicU64; 6],
    /// Connections open now.
    pub connections: AtomicI64,
    /// Connections refused because of a limit.
    pub refused_connections: AtomicU64,
    /// Event streams open now.
    pub streams: AtomicI64,
    /// Visitor messages acknowledged.
    pub messages: AtomicU64,
    /// Commits of the exchange.
    pub batches: AtomicU64,
    /// Failed commits of the exchange.
    pub failed_batches: AtomicU64,
    /// Requests refused because of a rate.
    pub limited: AtomicU64,
    /// Whether the last write failed; `/readyz` is red then.
    pub write_failed: AtomicBool,
    /// Whether the last change of the content was refused.
    pub content_refused: AtomicBool,
    /// Bytes of SQLite's write-ahead log when it was last looked at.
    pub wal_bytes: AtomicU64,
    /// Conversations that went after their term.
    pub retention_conversations: AtomicU64,
    /// Files that went.
    pub retention_files: AtomicU64,
    /// Other rows that went.
    pub retention_rows: AtomicU64,
    /// Cases past their term, which nobody deletes by themselves.
    pub cases_past_term: AtomicU64,
    /// Model endpoints that are not asked until somebody has acted.
    pub model_endpoints_hard: AtomicU64,
    /// Model endpoints that are not asked at the moment, those included.
    pub model_endpoints_open: AtomicU64,
    /// Whether another gateway on this database has a newer working calendar.
    pub calendar_behind: AtomicBool,
    /// Successful takeovers of changed content.
    pub content_reloads: AtomicU64,
    /// Commit times: bucket counts, then their sum in microseconds.
    commit_buckets: [AtomicU64; 10],
    commit_sum_us: AtomicU64,
}

impl Metrics {
    /// Counts one commit of the exchange.
    pub fn commit(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.iter().position(|bound| us <= *bound).unwrap_or(BOUNDS.len());
        if let Some(count) = self.commit_buckets.get(bucket) {
            count.fetch_add(1, Relaxed);
        }
        self.commit_sum_us.fetch_add(us, Relaxed);
    }

    /// The counters in the Prometheus text format.
    pub fn render(&self) -> String {
        let mut text = String::with_capacity(2_048);
        let mut line = |name: &str, kind: &str, value: i128| {
            let _ = writeln!(text, "# TYPE {name} {kind}\n{name} {value}");
        };
        line("zhitong_connections", "gauge", self.connections.load(Relaxed).into());
        line("zhitong_connections_refused_total", "counter", self.refused_connections.load(Relaxed).into());
        line("zhitong_streams", "gauge", self.streams.load(Relaxed).into());
        line("zhitong_messages_total", "counter", self.messages.load(Relaxed).into());
        line("zhitong_exchange_batches_total", "counter", self.batches.load(Relaxed).into());
        line("zhitong_exchange_failures_total", "counter", self.failed_batches.load(Relaxed).into());
        line("zhitong_requests_limited_total", "counter", self.limited.load(Relaxed).into());
        line("zhitong_calendar_behind", "gauge", self.calendar_behind.load(Relaxed).into());
        line("zhitong_write_failed", "gauge", self.write_failed.load(Relaxed).into());
        line("zhitong_log_lines_lost_total", "counter", LOST_LOG_LINES.load(Relaxed).into());
        line("zhitong_wal_bytes", "gauge", self.wal_bytes.load(Relaxed).into());
        line("zhitong_cases_past_term", "gauge", self.cases_past_term.load(Relaxed).into());
        line("zhitong_model_endpoints_hard_open", "gauge", self.model_endpoints_hard.load(Relaxed).into());
        line("zhitong_model_endpoints_open", "gauge", self.model_endpoints_open.load(Relaxed).into());
        line("zhitong_content_refused", "gauge", self.content_refused.load(Relaxed).into());
        line("zhitong_content_reloads_total", "counter", self.content_reloads.load(Relaxed).into());
        let retention = [
            ("conversations", &self.retention_conversations),
            ("files", &self.retention_files),
            ("rows", &self.retention_rows),
        ];
        let _ = writeln!(text, "# TYPE zhitong_retention_removed_total counter");
        for (kind, count) in retention {
            let _ = writeln!(text, "zhitong_retention_removed_total{{kind=\"{kind}\"}} {}", count.load(Relaxed));
        }
        let _ = writeln!(text, "# TYPE zhitong_responses_total counter");
        for (class, count) in self.responses.iter().enumerate().skip(1) {
            let _ = writeln!(text, "zhitong_responses_total{{class=\"{class}xx\"}} {}", count.load(Relaxed));
        }
        let _ = writeln!(text, "# TYPE zhitong_commit_seconds histogram");
        let mut total = 0;
        for (n, count) in self.commit_buckets.iter().enumerate() {
            total += count.load(Relaxed);
            let bound = BOUNDS.get(n).map_or("+Inf".to_owned(), |us| (*us as f64 / 1e6).to_string());
            let _ = writeln!(text, "zhitong_commit_seconds_bucket{{le=\"{bound}\"}} {total}");
        }
        let _ = writeln!(text, "zhitong_commit_seconds_sum {}", self.commit_sum_us.load(Relaxed) as f64 / 1e6);
        let _ = writeln!(text, "zhitong_commit_seconds_count {total}");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_histogram_adds_up() {
        let metrics = Metrics::default();
        metrics.commit(Duration::from_micros(400));
        metrics.commit(Duration::from_secs(9));
        let text = metrics.render();
        assert!(text.contains("zhitong_commit_seconds_bucket{le=\"0.0005\"} 1"), "{text}");
        assert!(text.contains("zhitong_commit_seconds_bucket{le=\"+Inf\"} 2"), "{text}");
    }
}
