//! Where log lines go: standard error, which may be a file on a full disk.

use std::{
    io::{self, Write},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use crate::{
    app::metrics::LOST_LOG_LINES,
    config::{Config, LogFormat},
};

/// Starts the log of the process.
pub(super) fn start(config: &Config) {
    let filter = tracing_subscriber::EnvFilter::try_new(&config.log.filter)
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,sqlx=warn"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| Lossy(io::stderr().lock()))
        .with_target(false)
        // Otherwise a failure is told by `eprintln!`, which panics when standard error takes nothing.
        .log_internal_errors(false);
    // A second start in one process (a test) keeps the first log.
    let _ = match config.log.format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.with_ansi(false).try_init(),
    };
}

/// Whether the last line was cut off, so that the next one begins on a line of its own.
static TORN: AtomicBool = AtomicBool::new(false);

/// A writer that never fails: a line that cannot be written is counted and dropped. Nothing that the gateway does
/// depends on its log.
struct Lossy<W>(W);

impl<W: Write> Write for Lossy<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mended = !TORN.load(Relaxed) || self.0.write_all(b"\n").is_ok();
        let written = mended && self.0.write_all(line).is_ok();
        TORN.store(!written, Relaxed);
        if !written {
            LOST_LOG_LINES.fetch_add(1, Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = self.0.flush();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with room for so many bytes.
    struct Disk<'a>(&'a mut Vec<u8>, usize);

    impl Write for Disk<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let room = self.1 - self.0.len();
            if room == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let taken = bytes.len().min(room);
            self.0.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::StorageFull.into())
        }
    }

    #[test]
    fn a_line_without_room_is_dropped_and_the_next_begins_on_its_own() {
        let mut disk = Vec::new();
        let before = LOST_LOG_LINES.load(Relaxed);
        let mut log = |line: &str, room: usize| {
            let mut writer = Lossy(Disk(&mut disk, room));
            writer.write_all(line.as_bytes()).unwrap();
            writer.flush().unwrap();
        };
        log("one\n", 6);
        log("two\n", 6);
        log("three\n", 6);
        log("four\n", 60);
        assert_eq!(String::from_utf8(disk).unwrap(), "one\ntw\nfour\n");
        assert_eq!(LOST_LOG_LINES.load(Relaxed) - before, 2);
    }
}
