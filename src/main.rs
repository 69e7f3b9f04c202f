//! The `zhitong` binary: parses arguments, runs the command, maps the error to an exit code.

fn main() -> std::process::ExitCode {
    zhitong::cli::run()
}
