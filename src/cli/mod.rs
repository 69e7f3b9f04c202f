//! The command line: one file per command; `zhitong --help` is the manual.

use std::process::ExitCode;

/// Parses the arguments and runs the command.
pub fn run() -> ExitCode {
    ExitCode::SUCCESS
}
