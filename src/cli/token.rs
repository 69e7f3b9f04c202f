//! `zhitong token`: API tokens for other systems.

use std::{io::Write as _, process::ExitCode};

use clap::Subcommand;

use super::{
    Global,
    user::{in_words, with_app},
};
use crate::{
    app::{App, auth},
    domain::ids::TokenId,
};

/// 管理接口令牌
#[derive(Debug, clap::Args)]
#[command(after_help = "示例：
  zhitong token create --user zuoxi --name 12345平台对接 --days 365
  zhitong token list
  zhitong token revoke 01931f3e-…")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// 新建令牌：以某个账号的身份调用接口
    #[command(after_help = "示例：
  zhitong token create --user zuoxi --name 12345平台对接 --days 365")]
    Create {
        /// 账号登录名
        #[arg(long)]
        user: String,
        /// 用途
        #[arg(long)]
        name: String,
        /// 有效天数（缺省：不过期）
        #[arg(long)]
        days: Option<u32>,
    },
    /// 列出令牌
    #[command(after_help = "示例：
  zhitong token list
  zhitong token list --json")]
    List {
        /// 输出 JSON
        #[arg(long)]
        json: bool,
    },
    /// 吊销令牌
    #[command(after_help = "示例：
  zhitong token revoke 01931f3e-…")]
    Revoke {
        /// 令牌编号（见 list）
        id: String,
    },
}

/// Runs the command.
///
/// # Errors
/// When the configuration or the database cannot be used, or the request is refused.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    with_app(global, async |app| execute(&app, &args.command).await)
}

async fn execute(app: &App, command: &Command) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    match command {
        Command::Create { user, name, days } => {
            let (id, secret) = auth::create_token(app, user, name, *days).await.map_err(in_words)?;
            writeln!(out, "编号  {id}\n令牌  {secret}（只显示这一次）")?;
        }
        Command::List { json } => {
            let tokens = auth::list_tokens(app).await?;
            if *json {
                let list: Vec<_> = tokens
                    .iter()
                    .map(|token| {
                        serde_json::json!({
                            "id": token.id, "name": token.name, "login": token.login,
                            "created_at": app.rfc3339(token.created_at),
                            "expires_at": token.expires_at.map(|at| app.rfc3339(at)),
                            "used_at": token.used_at.map(|at| app.rfc3339(at)),
                            "revoked_at": token.revoked_at.map(|at| app.rfc3339(at)),
                        })
                    })
                    .collect();
                writeln!(out, "{}", serde_json::to_string_pretty(&list)?)?;
            } else {
                for token in tokens {
                    let state = if token.revoked_at.is_some() { "已吊销" } else { "有效" };
                    writeln!(out, "{}\t{}\t{}\t{state}", token.id, token.login, token.name)?;
                }
            }
        }
        Command::Revoke { id } => {
            let id: TokenId = id.parse().map_err(|_| anyhow::anyhow!("令牌编号不对"))?;
            auth::revoke_token(app, id).await.map_err(in_words)?;
            writeln!(out, "已吊销 {id}")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
