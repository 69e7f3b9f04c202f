//! `zhitong user`: accounts of the staff.

use std::{
    io::{Read as _, Write as _},
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context as _;
use clap::Subcommand;

use super::Global;
use crate::{
    app::{
        App, AppError,
        auth::{self, AccountChange, NewAccount},
        content::ContentStore,
        system::{SystemClock, SystemIds},
    },
    domain::access::Role,
    ports::Clock as _,
    store::Db,
};

/// 管理工作人员账号
#[derive(Debug, clap::Args)]
#[command(after_help = "示例：
  zhitong user add zuoxi --name 张三 --role front_desk
  zhitong user add chengban --name 李四 --role handler:zjj
  zhitong user passwd zuoxi               重设为随机密码
  echo '新密码' | zhitong user passwd zuoxi --stdin
  zhitong user disable zuoxi")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// 新增账号
    #[command(after_help = "示例：
  zhitong user add zuoxi --name 张三 --role front_desk
  zhitong user add chengban --name 李四 --role handler:zjj --role unit_clerk:zjj")]
    Add {
        /// 登录名
        login: String,
        /// 姓名
        #[arg(long)]
        name: String,
        /// 角色，可多次给出；单位角色写成 handler:zjj
        #[arg(long = "role", required = true, value_parser = parse_role)]
        roles: Vec<(Role, String)>,
        /// 从标准输入读密码（缺省：生成一个，首次登录必须修改）
        #[arg(long)]
        stdin: bool,
    },
    /// 列出账号
    #[command(after_help = "示例：
  zhitong user list
  zhitong user list --json")]
    List {
        /// 输出 JSON
        #[arg(long)]
        json: bool,
    },
    /// 重设密码
    #[command(after_help = "示例：
  zhitong user passwd zuoxi
  echo '新密码' | zhitong user passwd zuoxi --stdin")]
    Passwd {
        /// 登录名
        login: String,
        /// 从标准输入读密码（缺省：生成一个，首次登录必须修改）
        #[arg(long)]
        stdin: bool,
    },
    /// 停用账号：立即失去登录
    #[command(after_help = "示例：
  zhitong user disable zuoxi")]
    Disable {
        /// 登录名
        login: String,
    },
    /// 恢复账号
    #[command(after_help = "示例：
  zhitong user enable zuoxi")]
    Enable {
        /// 登录名
        login: String,
    },
}

fn parse_role(text: &str) -> Result<(Role, String), String> {
    let (role, unit) = text.split_once(':').unwrap_or((text, ""));
    let role: Role = role.parse().map_err(|_| {
        let known: Vec<_> = Role::ALL.iter().map(|role| format!("{} {}", role.as_str(), role.label())).collect();
        format!("没有角色“{role}”；可用：{}", known.join("、"))
    })?;
    if role.is_of_unit() && unit.is_empty() {
        return Err(format!("{}要写明单位，如 {}:zjj", role.label(), role.as_str()));
    }
    Ok((role, unit.to_owned()))
}

/// Runs the command.
///
/// # Errors
/// When the configuration or the database cannot be used, or the request is refused.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    with_app(global, async |app| execute(&app, &args.command).await)
}

/// Runs something on the database of the configuration, beside a running gateway or without one.
///
/// # Errors
/// When the configuration or the database cannot be used, or the work fails.
pub fn with_app(global: &Global, work: impl AsyncFnOnce(App) -> anyhow::Result<ExitCode>) -> anyhow::Result<ExitCode> {
    let config = global.load_config()?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(async {
        let db = Db::open(&config.database.url).await.context("cannot open the database")?;
        db.migrate(SystemClock.now()).await.context("cannot bring the database up to date")?;
        let content = ContentStore::open(&config, &db, SystemClock.now()).await.context("cannot load the rules")?;
        let app = App::new(config, db, content, Arc::new(SystemClock), Arc::new(SystemIds));
        let code = work(app.clone()).await;
        app.db.close().await;
        code
    })
}

/// A refusal in words for people, on one line.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other error keeps its own words")]
pub fn in_words(error: AppError) -> anyhow::Error {
    match error {
        AppError::NotFound => anyhow::anyhow!("没有找到"),
        AppError::Invalid { errors, detail, code } => {
            let words: Vec<_> = errors.iter().map(|error| error.message.clone()).collect();
            anyhow::anyhow!(
                "{}",
                if words.is_empty() { detail.unwrap_or_else(|| code.to_owned()) } else { words.join("；") }
            )
        }
        AppError::Conflict { code: "login_taken", .. } => anyhow::anyhow!("这个登录名已被使用"),
        other => other.into(),
    }
}

async fn execute(app: &App, command: &Command) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    match command {
        Command::Add { login, name, roles, stdin } => {
            check_units(app, roles)?;
            let account = NewAccount {
                login: login.clone(),
                name: name.clone(),
                roles: roles.clone(),
                password: if *stdin { Some(read_password()?) } else { None },
            };
            let (_, password) = auth::create_account(app, &account).await.map_err(in_words)?;
            writeln!(out, "已新增 {login}")?;
            if let Some(password) = password {
                writeln!(out, "初始密码  {password}（只显示这一次，首次登录必须修改）")?;
            }
        }
        Command::List { json } => {
            let accounts = auth::list_accounts(app).await?;
            if *json {
                let list: Vec<_> = accounts
                    .iter()
                    .map(|account| {
                        let roles: Vec<_> = account
                            .roles
                            .iter()
                            .map(|(role, unit)| serde_json::json!({ "role": role.as_str(), "unit": unit }))
                            .collect();
                        serde_json::json!({
                            "login": account.login, "name": account.name, "active": account.active, "roles": roles,
                        })
                    })
                    .collect();
                writeln!(out, "{}", serde_json::to_string_pretty(&list)?)?;
            } else {
                for account in accounts {
                    let roles: Vec<_> = account
                        .roles
                        .iter()
                        .map(|(role, unit)| {
                            if unit.is_empty() {
                                role.label().to_owned()
                            } else {
                                format!("{}·{}", app.unit_name(unit), role.label())
                            }
                        })
                        .collect();
                    let state = if account.active { "" } else { "（已停用）" };
                    writeln!(out, "{}\t{}{state}\t{}", account.login, account.name, roles.join("、"))?;
                }
            }
        }
        Command::Passwd { login, stdin } => {
            let change = AccountChange {
                reset_password: !stdin,
                password: if *stdin { Some(read_password()?) } else { None },
                ..AccountChange::default()
            };
            let password = auth::change_account(app, login, &change).await.map_err(in_words)?;
            writeln!(out, "已修改 {login} 的密码，原有登录全部失效")?;
            if let Some(password) = password {
                writeln!(out, "新密码  {password}（只显示这一次，登录后必须修改）")?;
            }
        }
        Command::Disable { login } | Command::Enable { login } => {
            let active = matches!(command, Command::Enable { .. });
            let change = AccountChange { active: Some(active), ..AccountChange::default() };
            auth::change_account(app, login, &change).await.map_err(in_words)?;
            writeln!(out, "{} {login}", if active { "已恢复" } else { "已停用" })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Every unit named must be in the dispatch table.
fn check_units(app: &App, roles: &[(Role, String)]) -> anyhow::Result<()> {
    let content = app.content.load();
    match roles.iter().find(|(_, unit)| !unit.is_empty() && !content.routing.units().knows(unit)) {
        Some((_, unit)) => Err(anyhow::anyhow!("分派表里没有单位“{unit}”")),
        None => Ok(()),
    }
}

fn read_password() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin().take(1_024).read_to_string(&mut text).context("cannot read the password")?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_with_their_unit() {
        assert_eq!(parse_role("handler:zjj"), Ok((Role::Handler, "zjj".into())));
        assert_eq!(parse_role("坐席"), Ok((Role::FrontDesk, String::new())));
        assert!(parse_role("handler").unwrap_err().contains("单位"));
        assert!(parse_role("boss").unwrap_err().contains("front_desk"));
    }
}
