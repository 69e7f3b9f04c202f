//! The command line: one file per command; `zhitong --help` is the manual.
//!
//! A command's file holds its arguments (`Args`) and `run(args, &Global)`; this file only lists them and maps
//! failures to exit codes: 0 fine, 1 findings, 2 cannot run.

pub mod case;
pub mod chat;
pub mod classify;
pub mod db;
pub mod doctor;
mod log;
pub mod model;
pub mod rules;
pub mod serve;
pub mod sla;
pub mod token;
pub mod user;
pub mod wechat;

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::config::Config;

/// 直通：涉企诉求智能接办网关
#[derive(Debug, Parser)]
#[command(name = "zhitong", version, about, long_about = None)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options that every command takes.
#[derive(Debug, Clone, clap::Args)]
pub struct Global {
    /// 配置文件（缺省：当前目录的 zhitong.toml，没有就用缺省值）
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl Global {
    /// Reads the configuration.
    ///
    /// # Errors
    /// When the file cannot be read or holds wrong values; the message lists every problem.
    pub fn load_config(&self) -> anyhow::Result<Config> {
        Ok(Config::load(self.config.as_deref())?)
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    Case(case::Args),
    Chat(chat::Args),
    Classify(classify::Args),
    Model(model::Args),
    Rules(rules::Args),
    Db(db::Args),
    Serve(serve::Args),
    Doctor(doctor::Args),
    Sla(sla::Args),
    Token(token::Args),
    User(user::Args),
    Wechat(wechat::Args),
}

/// Parses the arguments and runs the command.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let result: anyhow::Result<ExitCode> = match &cli.command {
        Command::Case(args) => case::run(args, &cli.global),
        Command::Chat(args) => chat::run(args, &cli.global),
        Command::Classify(args) => classify::run(args, &cli.global),
        Command::Model(args) => model::run(args, &cli.global),
        Command::Rules(args) => rules::run(args, &cli.global),
        Command::Db(args) => db::run(args, &cli.global),
        Command::Serve(args) => serve::run(args, &cli.global),
        Command::Doctor(args) => doctor::run(args, &cli.global),
        Command::Sla(args) => sla::run(args, &cli.global),
        Command::Token(args) => token::run(args, &cli.global),
        Command::User(args) => user::run(args, &cli.global),
        Command::Wechat(args) => wechat::run(args, &cli.global),
    };
    match result {
        Ok(code) => code,
        // Whoever reads the output has enough of it: `… | head`.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // A closed pipe or terminal is no reason to fail a second time.
            let _ = writeln!(std::io::stderr().lock(), "zhitong: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn every_command_shows_examples_in_its_help() {
        fn check(command: &clap::Command, path: &str) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let above = command.get_subcommands().next().is_some();
            assert!(above || help.contains("示例"), "{path}");
            for below in command.get_subcommands() {
                check(below, &format!("{path} {}", below.get_name()));
            }
        }
        check(&Cli::command(), "zhitong");
    }

    #[test]
    fn a_reader_who_has_enough_is_no_failure() {
        let closed = anyhow::Error::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe)).context("writing");
        assert!(is_closed_pipe(&closed));
        assert!(!is_closed_pipe(&anyhow::anyhow!("no database")));
    }
}
