//! `zhitong db`: schema, hot backup, restore, integrity and audit-chain check.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Subcommand;
use jiff::Timestamp;

use super::Global;
use crate::{
    app::system::SystemClock,
    config::Config,
    ports::Clock,
    store::{
        Db,
        backup::{self, BackupError},
        migrations,
    },
};

/// 数据库：建表升级、热备份、恢复、完整性与审计链检查
#[derive(Debug, clap::Args)]
#[command(after_help = "示例：
  zhitong db migrate
  zhitong db backup                        # 备份到 data/backup/ 下，文件名带时间；服务不停
  zhitong db backup /mnt/backup/zt.db
  zhitong db restore /mnt/backup/zt.db     # 先停服务；原数据库改名保留
  zhitong db verify                        # 文件、引用、表结构、每件诉求的审计链、归档包
  zhitong db verify /mnt/backup/zt.db      # 只检查备份文件

SQLite 的备份是一个完整的数据库文件（VACUUM INTO），服务运行时也一致；文件末尾带 SHA-256。
恢复和检查备份时核对校验值与审计链，有改动或缺失的备份不会被恢复。
PostgreSQL 的备份是本系统全部表的逻辑转储（一行一条 JSON，带行数和 SHA-256），取自一个快照；
不代替 pg_basebackup 和 WAL 归档。两种备份都不含上传的附件文件，请连同附件目录一起备份。")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// 建表或升级表结构（可重复执行；服务启动时也会自动执行）
    #[command(after_help = "示例：
  zhitong db migrate")]
    Migrate,
    /// 热备份到一个新文件，并检查备份
    #[command(after_help = "示例：
  zhitong db backup
  zhitong db backup /mnt/backup/zt.db")]
    Backup {
        /// 备份文件（缺省：data_dir/backup/zhitong-时间）；已存在的文件不会被覆盖
        file: Option<PathBuf>,
    },
    /// 从备份恢复；须先停止服务
    #[command(after_help = "示例：
  zhitong db restore /mnt/backup/zt.db
  zhitong db restore /mnt/backup/zt.db --replace")]
    Restore {
        /// 备份文件
        file: PathBuf,
        /// 数据库里已有诉求时也恢复（SQLite：原文件改名保留；PostgreSQL：原数据被替换）
        #[arg(long)]
        replace: bool,
    },
    /// 检查数据库，或只检查一个备份文件
    #[command(after_help = "示例：
  zhitong db verify
  zhitong db verify /mnt/backup/zt.db")]
    Verify {
        /// 备份文件；缺省检查配置的数据库
        file: Option<PathBuf>,
    },
}

/// Runs the command.
///
/// # Errors
/// When the database or a file cannot be used.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = global.load_config()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(perform(&args.command, &config, SystemClock.now()))
}

async fn perform(command: &Command, config: &Config, now: Timestamp) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    match command {
        Command::Migrate => {
            let db = Db::open(&config.database.url).await?;
            let ran = db.migrate(now).await?;
            db.close().await;
            if ran.is_empty() {
                writeln!(out, "表结构已是最新。")?;
            }
            for name in ran {
                writeln!(out, "已执行 {name}")?;
            }
        }
        Command::Backup { file } => {
            let db = Db::open(&config.database.url).await?;
            let file = file.clone().unwrap_or_else(|| default_file(config, now));
            let pending = migrations::pending(&db).await.unwrap_or_default();
            let done = if pending.is_empty() { explain(backup::backup(&db, &file, now).await) } else { unmigrated() };
            db.close().await;
            let done = done?;
            writeln!(out, "已备份到 {}：{} 字节，{} 件诉求，检查通过。", done.file.display(), done.bytes, done.cases)?;
            writeln!(out, "附件在 {} 下，请一并备份。", Path::new(&config.server.data_dir).display())?;
        }
        Command::Restore { file, replace } => {
            let kept = explain(backup::restore(&config.database.url, file, *replace, now).await)?;
            let db = Db::open(&config.database.url).await?;
            db.migrate(now).await?;
            let found = backup::verify(&db).await?;
            db.close().await;
            if let Some(kept) = kept {
                writeln!(out, "原数据库保留为 {}。", kept.display())?;
            }
            writeln!(out, "已恢复，{} 件诉求。", found.cases)?;
            return report(&mut out, &found);
        }
        Command::Verify { file: Some(file) } => {
            let cases = explain(backup::verify_file(file).await)?;
            let count = cases.map(|n| format!("，{n} 件诉求")).unwrap_or_default();
            writeln!(out, "备份文件完好{count}。")?;
            if cases.is_some() && !backup::is_sealed(file)? {
                writeln!(out, "这个备份没有校验值（旧版本所做），只检查了文件结构和审计链。")?;
            }
        }
        Command::Verify { file: None } => {
            let db = Db::open(&config.database.url).await?;
            let found = backup::verify(&db).await;
            db.close().await;
            let found = found?;
            writeln!(out, "已检查 {} 件诉求的审计链。", found.cases)?;
            return report(&mut out, &found);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn unmigrated<T>() -> anyhow::Result<T> {
    anyhow::bail!("the schema is not up to date: run `zhitong db migrate` first")
}

/// The word of the store, and what to do about it.
fn explain<T>(result: Result<T, BackupError>) -> anyhow::Result<T> {
    result.map_err(|error| {
        let advice = match &error {
            BackupError::InUse => Some("数据库正在使用：请先停止服务"),
            BackupError::NotEmpty => Some("数据库里已有诉求：确认要替换时加 --replace"),
            BackupError::Exists(_) => Some("目标文件已存在：换一个文件名"),
            BackupError::Damaged { .. } | BackupError::File { .. } | BackupError::Store(_) => None,
        };
        let error = anyhow::Error::new(error);
        match advice {
            Some(advice) => error.context(advice),
            None => error,
        }
    })
}

fn report(out: &mut dyn Write, found: &backup::Verification) -> anyhow::Result<ExitCode> {
    for line in &found.damage {
        writeln!(out, "损坏：{line}")?;
    }
    for name in &found.pending {
        writeln!(out, "表结构未升级：{name}（执行 zhitong db migrate）")?;
    }
    for (case, seq) in &found.broken {
        writeln!(out, "审计链断裂：{case} 第 {seq} 条（记录被改动或缺失，请与备份比对）")?;
    }
    for (case, seq) in &found.packages {
        writeln!(out, "归档包与审计链记载的 SHA-256 不符：{case} 第 {seq} 条（被改动或缺失，请与备份比对）")?;
    }
    if found.is_sound() {
        writeln!(out, "数据库完好。")?;
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::from(1))
}

fn default_file(config: &Config, now: Timestamp) -> PathBuf {
    let ending = if config.database.url.starts_with("sqlite:") { "db" } else { "jsonl" };
    let zone = jiff::tz::TimeZone::get(&config.time.zone).unwrap_or(jiff::tz::TimeZone::UTC);
    let stamp = zone.to_datetime(now).strftime("%Y%m%d-%H%M%S").to_string();
    Path::new(&config.server.data_dir).join("backup").join(format!("zhitong-{stamp}.{ending}"))
}
