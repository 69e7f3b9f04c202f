//! The `zhitong` binary: parses arguments, runs the command, maps the error to an exit code.

/// Threads hand texts to each other all the time; the system's allocator spends a tenth of the processor on that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    zhitong::cli::run()
}
