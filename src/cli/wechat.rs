//! `zhitong wechat`: what an operator does with the configured WeChat accounts.

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use serde_json::Value;

use super::Global;
use crate::{
    channels::wechat::api::{Access, Patience, WechatClient},
    config::Config,
    ports::wechat::{WechatAccount, WechatKind},
};

/// 微信账号的自定义菜单
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// 自定义菜单：推送或查看
    #[command(subcommand)]
    Menu(Menu),
}

#[derive(Debug, clap::Subcommand)]
enum Menu {
    /// 按 TOML 文件设置菜单
    #[command(after_help = "示例：
  zhitong wechat menu push main                    读当前目录的 wechat-menu.toml
  zhitong wechat menu push main --file menu.toml
  zhitong wechat menu push main --check            只检查文件，不推送
  zhitong wechat menu push main --kind work        公众号和企业微信同名时说明是哪个

文件格式（一级菜单最多 3 个、名称最多 4 个汉字；二级最多 5 个）：
  [[button]]
  name = \"查进度\"
  type = \"click\"
  key = \"PROGRESS\"          # 在 [wechat.oa.NAME.clicks] 里写它代表的话

  [[button]]
  name = \"办事\"
  [[button.sub_button]]
  name = \"网上咨询\"
  type = \"view\"
  url = \"https://zt.example.gov.cn/\"")]
    Push {
        /// 配置里的账号名
        name: String,
        /// 同名时说明是哪一种：oa 公众号，work 企业微信应用
        #[arg(long, value_parser = ["oa", "work"])]
        kind: Option<String>,
        /// 菜单文件
        #[arg(long, default_value = "wechat-menu.toml")]
        file: PathBuf,
        /// 只检查文件
        #[arg(long)]
        check: bool,
    },
    /// 显示平台上现有的菜单
    #[command(after_help = "示例：
  zhitong wechat menu show main")]
    Show {
        /// 配置里的账号名
        name: String,
        /// 同名时说明是哪一种：oa 公众号，work 企业微信应用
        #[arg(long, value_parser = ["oa", "work"])]
        kind: Option<String>,
    },
}

/// Runs the command.
///
/// # Errors
/// When the configuration, the file or the platform does not allow it.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = global.load_config()?;
    let Command::Menu(menu) = &args.command;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut out = std::io::stdout().lock();
    match menu {
        Menu::Push { name, kind, file, check } => {
            let account = account(&config, name, kind.as_deref())?;
            let text = std::fs::read_to_string(file).with_context(|| format!("读不了 {}", file.display()))?;
            let menu: Value = toml::from_str(&text).with_context(|| format!("{} 不是有效的 TOML", file.display()))?;
            let problems = menu_problems(&menu);
            if !problems.is_empty() {
                for problem in problems {
                    writeln!(out, "{}：{problem}", file.display())?;
                }
                return Ok(ExitCode::from(1));
            }
            for key in unknown_keys(&config, &account, &menu) {
                writeln!(out, "提醒：[wechat.{}.{name}.clicks] 里没有 {key}，点它不会有反应", account.kind.as_str())?;
            }
            if *check {
                writeln!(out, "{} 可用", file.display())?;
                return Ok(ExitCode::SUCCESS);
            }
            let client = client(&config)?;
            runtime.block_on(client.push_menu(&account, &menu)).map_err(|f| anyhow::anyhow!(f.reason))?;
            writeln!(
                out,
                "{}“{name}”的菜单已更新，用户几分钟到 24 小时内看到；重新关注可立即看到。",
                account.kind.label()
            )?;
        }
        Menu::Show { name, kind } => {
            let account = account(&config, name, kind.as_deref())?;
            let client = client(&config)?;
            let menu = runtime.block_on(client.show_menu(&account)).map_err(|f| anyhow::anyhow!(f.reason))?;
            writeln!(out, "{menu:#}")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The account of this name that can have a menu.
fn account(config: &Config, name: &str, kind: Option<&str>) -> anyhow::Result<WechatAccount> {
    let has = |of: WechatKind, known: bool| known && kind.is_none_or(|kind| kind == of.as_str());
    let oa = has(WechatKind::Oa, config.wechat.oa.contains_key(name));
    let kind = match (oa, has(WechatKind::Work, config.wechat.work.contains_key(name))) {
        (true, false) => WechatKind::Oa,
        (false, true) => WechatKind::Work,
        (true, true) => anyhow::bail!(
            "公众号和企业微信都有名为“{name}”的账号，请加上 --kind oa（公众号）或 --kind work（企业微信）"
        ),
        (false, false) => anyhow::bail!("配置里没有名为“{name}”的公众号或企业微信应用"),
    };
    Ok(WechatAccount { kind, name: name.to_owned() })
}

/// Keys of the menu that stand for nothing: neither configured nor Chinese words themselves.
fn unknown_keys(config: &Config, account: &WechatAccount, menu: &Value) -> Vec<String> {
    let clicks = match account.kind {
        WechatKind::Oa => config.wechat.oa.get(&account.name).map(|oa| &oa.clicks),
        WechatKind::Work => config.wechat.work.get(&account.name).map(|work| &work.clicks),
        WechatKind::Kf => None,
    };
    let buttons = menu["button"].as_array().into_iter().flatten();
    let all = buttons.flat_map(|button| match button["sub_button"].as_array() {
        Some(subs) => subs.iter().collect::<Vec<_>>(),
        None => vec![button],
    });
    let keys = all.filter(|button| button["type"] == "click").filter_map(|button| button["key"].as_str());
    let known = |key: &str| {
        clicks.is_some_and(|clicks| clicks.contains_key(key))
            || key.chars().any(|c| matches!(c, '\u{4E00}'..='\u{9FFF}'))
    };
    keys.filter(|key| !known(key)).map(str::to_owned).collect()
}

/// What the platform would refuse, in Chinese.
fn menu_problems(menu: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    let buttons = menu["button"].as_array().cloned().unwrap_or_default();
    if buttons.is_empty() || buttons.len() > 3 {
        problems.push("一级菜单要有 1 到 3 个 [[button]]".to_owned());
    }
    for button in &buttons {
        let name = button["name"].as_str().unwrap_or_default();
        check_name(name, 16, &mut problems);
        let Some(subs) = button["sub_button"].as_array() else {
            check_action(button, &mut problems);
            continue;
        };
        if subs.is_empty() || subs.len() > 5 {
            problems.push(format!("“{name}”的二级菜单要有 1 到 5 个"));
        }
        for sub in subs {
            check_name(sub["name"].as_str().unwrap_or_default(), 60, &mut problems);
            check_action(sub, &mut problems);
        }
    }
    problems
}

fn check_name(name: &str, most: usize, problems: &mut Vec<String>) {
    if name.is_empty() || name.len() > most {
        problems.push(format!("菜单名“{name}”要有 1 到 {} 个汉字", most / 4));
    }
}

fn check_action(button: &Value, problems: &mut Vec<String>) {
    let name = button["name"].as_str().unwrap_or_default();
    let text = |key: &str| button[key].as_str().unwrap_or_default();
    let needed: &[(&str, usize)] = match text("type") {
        "view" => &[("url", 1_024)],
        "miniprogram" => &[("url", 1_024), ("appid", 128), ("pagepath", 1_024)],
        "click" | "scancode_push" | "scancode_waitmsg" | "pic_sysphoto" | "pic_photo_or_album" | "pic_weixin"
        | "location_select" => &[("key", 128)],
        "media_id" | "view_limited" => &[("media_id", 256)],
        "article_id" | "article_view_limited" => &[("article_id", 256)],
        other => {
            problems.push(format!("“{name}”的 type“{other}”平台不支持"));
            return;
        }
    };
    for (key, most) in needed {
        if text(key).is_empty() || text(key).len() > *most {
            problems.push(format!("“{name}”要填 {key}，最长 {most} 字节"));
        }
    }
}

/// The client of all configured accounts.
///
/// # Errors
/// When TLS cannot be set up.
pub(super) fn client(config: &Config) -> anyhow::Result<WechatClient> {
    WechatClient::new(accesses(config), Patience::default()).map_err(anyhow::Error::msg)
}

fn accesses(config: &Config) -> Vec<Access> {
    let account = |kind, name: &String| WechatAccount { kind, name: name.clone() };
    let mut all = Vec::new();
    for (name, oa) in &config.wechat.oa {
        all.push(Access {
            account: account(WechatKind::Oa, name),
            id: oa.app_id.clone(),
            secret: oa.app_secret.clone(),
            agent_id: String::new(),
            open_kfid: String::new(),
            base: oa.api_base.clone(),
        });
    }
    for (name, work) in &config.wechat.work {
        all.push(Access {
            account: account(WechatKind::Work, name),
            id: work.corp_id.clone(),
            secret: work.secret.clone(),
            agent_id: work.agent_id.clone(),
            open_kfid: String::new(),
            base: work.api_base.clone(),
        });
    }
    for (name, kf) in &config.wechat.kf {
        all.push(Access {
            account: account(WechatKind::Kf, name),
            id: kf.corp_id.clone(),
            secret: kf.secret.clone(),
            agent_id: String::new(),
            open_kfid: kf.open_kfid.clone(),
            base: kf.api_base.clone(),
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_stand_for_nothing_are_told() {
        let mut config = Config::default();
        let oa = config.wechat.oa.entry("main".into()).or_default();
        oa.clicks.insert("P".into(), "查进度".into());
        let account = WechatAccount { kind: WechatKind::Oa, name: "main".into() };
        let text = "[[button]]\nname = \"一\"\ntype = \"click\"\nkey = \"P\"\n\
            [[button]]\nname = \"二\"\n[[button.sub_button]]\nname = \"三\"\ntype = \"click\"\nkey = \"X\"\n\
            [[button.sub_button]]\nname = \"四\"\ntype = \"click\"\nkey = \"转人工\"\n";
        let menu: Value = toml::from_str(text).unwrap();
        assert_eq!(unknown_keys(&config, &account, &menu), ["X"]);
    }

    #[test]
    fn a_menu_is_checked_before_the_platform_sees_it() {
        let check = |text: &str, expected: &[&str]| {
            let menu: Value = toml::from_str(text).unwrap();
            assert_eq!(menu_problems(&menu), expected, "{text}");
        };
        check("[[button]]\nname = \"查进度\"\ntype = \"click\"\nkey = \"P\"", &[]);
        let sub = "[[button]]\nname = \"办事\"\n[[button.sub_button]]\nname = \"网上咨询\"\ntype = \"view\"\nurl = \"https://x\"";
        check(sub, &[]);
        check("", &["一级菜单要有 1 到 3 个 [[button]]"]);
        check(
            "[[button]]\nname = \"企业诉求进度\"\ntype = \"click\"\nkey = \"P\"",
            &["菜单名“企业诉求进度”要有 1 到 4 个汉字"],
        );
        check("[[button]]\nname = \"查\"\ntype = \"view\"", &["“查”要填 url，最长 1024 字节"]);
        check("[[button]]\nname = \"查\"\ntype = \"jump\"", &["“查”的 type“jump”平台不支持"]);
    }
}
