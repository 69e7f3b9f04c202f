//! WeChat accounts: whether they can call, be called and send notices; for each finding what to click in the console.

use secrecy::ExposeSecret as _;

use super::{Findings, Grade};
use crate::{
    channels::wechat::api::WechatClient,
    cli::wechat,
    config::Config,
    ports::wechat::{WechatAccount, WechatKind},
};

/// Looks at every configured account; asks the platforms.
pub(super) async fn look(config: &Config, findings: &mut Findings) {
    if config.wechat.is_empty() {
        return;
    }
    let client = match wechat::client(config) {
        Ok(client) => client,
        Err(error) => {
            findings.add("微信", Grade::Error, format!("不能建立连接：{error}"), "检查系统的 TLS 和内存");
            return;
        }
    };
    for account in client.accounts() {
        let label = format!("{}“{}”", account.kind.label(), account.name);
        callback(config, &account, &label, findings);
        oauth(config, &account, &label, findings);
        match client.probe_token(&account).await {
            Some(doubt) => {
                findings.add("微信", Grade::Error, format!("{label}：{}", doubt.finding), doubt.advice);
                continue;
            }
            None => findings.fine("微信", format!("{label}：access_token 可用，出口 IP 在白名单内")),
        }
        match account.kind {
            WechatKind::Oa => {
                notices(config, &client, &account, &label, findings).await;
                reachable(&client, &account, &label, findings).await;
            }
            WechatKind::Kf => kf(&client, &account, &label, findings).await,
            WechatKind::Work => {}
        }
    }
}

/// What the console needs for the callback, and whether it can be right.
fn callback(config: &Config, account: &WechatAccount, label: &str, findings: &mut Findings) {
    let path = format!("/wechat/{}/{}", account.kind.as_str(), account.name);
    let (token, key, plain) = match account.kind {
        WechatKind::Oa => {
            config.wechat.oa.get(&account.name).map(|a| (&a.token, &a.encoding_aes_key, a.mode == "plain"))
        }
        WechatKind::Work => config.wechat.work.get(&account.name).map(|a| (&a.token, &a.encoding_aes_key, false)),
        WechatKind::Kf => config.wechat.kf.get(&account.name).map(|a| (&a.token, &a.encoding_aes_key, false)),
    }
    .map_or((String::new(), String::new(), false), |(token, key, plain)| {
        (token.expose_secret().to_owned(), key.expose_secret().to_owned(), plain)
    });
    let letters = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric());
    if !(3..=32).contains(&token.len()) || !letters(&token) {
        let advice = "token 是 3 到 32 位字母或数字，与平台后台填写的一致";
        findings.add("微信", Grade::Error, format!("{label}：回调 token 不可用"), advice);
    }
    if !plain && (key.len() != 43 || !letters(&key)) {
        let advice = "EncodingAESKey 是 43 位字母或数字，从平台后台复制";
        findings.add("微信", Grade::Error, format!("{label}：EncodingAESKey 不可用"), advice);
    }
    if plain {
        let advice = "后台选“安全模式”，配置 mode = \"safe\"：明文模式下消息内容没有签名保护";
        findings.add("微信", Grade::Warning, format!("{label}：只收明文消息"), advice);
    }
    let place = match account.kind {
        WechatKind::Oa => "微信开发者平台 → 公众号 → 消息推送 → 服务器配置",
        WechatKind::Work => "企业微信管理后台 → 应用管理 → 该应用 → 接收消息 → 设置 API 接收",
        WechatKind::Kf => "企业微信管理后台 → 微信客服 → 通过 API 管理 → 回调配置",
    };
    match config.server.public_url.as_deref() {
        Some(url) if url.starts_with("https://") && !has_port(url) => {
            let url = url.trim_end_matches('/');
            findings.fine("微信", format!("{label}：{place}，URL 填 {url}{path}"));
        }
        Some(url) => {
            let advice = format!("平台只访问 80 和 443 端口，建议 https；改好后在 {place} 填写 URL（路径 {path}）");
            findings.add("微信", Grade::Warning, format!("{label}：平台可能访问不到 {url}{path}"), advice);
        }
        None => {
            let advice = format!("在 [server] 设置 public_url，再到 {place} 填写 URL（路径 {path}）");
            findings.add("微信", Grade::Warning, format!("{label}：没有设置 public_url，回调地址不明"), advice);
        }
    }
}

/// What the console needs for OAuth.
fn oauth(config: &Config, account: &WechatAccount, label: &str, findings: &mut Findings) {
    let on = account.kind == WechatKind::Oa && config.wechat.oa.get(&account.name).is_some_and(|oa| oa.oauth);
    if let (true, Some(url)) = (on, config.server.public_url.as_deref()) {
        let host = url.split("://").nth(1).unwrap_or_default().split('/').next().unwrap_or_default();
        let place = "公众平台 → 设置与开发 → 账号设置 → 功能设置 → 网页授权域名";
        findings.fine("微信", format!("{label}：网页授权已开，{place} 要填 {host}（只有已认证的服务号可用）"));
    }
}

/// Whether an address names a port other than the usual ones.
fn has_port(url: &str) -> bool {
    let host = url.split("://").nth(1).unwrap_or_default().split('/').next().unwrap_or_default();
    host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok_and(|port| !matches!(port, 80 | 443)))
}

/// Whether the templates that milestones are told by exist.
async fn notices(
    config: &Config,
    client: &WechatClient,
    account: &WechatAccount,
    label: &str,
    findings: &mut Findings,
) {
    let Some(oa) = config.wechat.oa.get(&account.name) else { return };
    for subscription in [false, true] {
        let wanted: Vec<_> = oa.notices.iter().filter(|(_, notice)| notice.is_subscription() == subscription).collect();
        if wanted.is_empty() {
            continue;
        }
        let (ids, place) = if subscription {
            (client.subscription_ids(account).await, "公众平台 → 订阅通知 → 我的模板")
        } else {
            (client.template_ids(account).await, "公众平台 → 模板消息 → 我的模板")
        };
        match ids {
            Err(failure) => {
                let advice = "确认账号是已认证的服务号并开通了这项能力";
                findings.add("微信", Grade::Error, format!("{label}：查不到模板：{}", failure.reason), advice);
            }
            Ok(ids) => {
                for (event, notice) in wanted {
                    if ids.contains(&notice.template_id) {
                        findings.fine("微信", format!("{label}：节点 {event} 的模板可用"));
                    } else {
                        let what = format!("{label}：节点 {event} 的模板 {} 不在账号里", notice.template_id);
                        findings.add("微信", Grade::Error, what, format!("在 {place} 添加模板，把编号写进配置"));
                    }
                }
            }
        }
    }
}

/// Whether the platform's own network reaches the configured callback.
async fn reachable(client: &WechatClient, account: &WechatAccount, label: &str, findings: &mut Findings) {
    let Ok(answer) = client.check_callback(account).await else { return };
    let lost =
        answer["ping"].as_array().into_iter().flatten().any(|ping| ping["package_loss"].as_str() == Some("100%"));
    let unresolved = answer["dns"].as_array().is_some_and(Vec::is_empty);
    if lost || unresolved {
        let what = format!("{label}：从微信的网络访问回调域名失败");
        findings.add("微信", Grade::Warning, what, "检查域名解析和防火墙；平台 IP 可用接口 getcallbackip 查询");
    }
}

async fn kf(client: &WechatClient, account: &WechatAccount, label: &str, findings: &mut Findings) {
    match client.kf_known(account).await {
        Ok(true) => findings.fine("微信", format!("{label}：客服账号可用")),
        Ok(false) => {
            let advice = "企业微信管理后台 → 微信客服 → 客服账号，核对 open_kfid，并把它授权给该应用";
            findings.add("微信", Grade::Error, format!("{label}：找不到配置的 open_kfid"), advice);
        }
        Err(failure) => {
            let advice = "企业微信管理后台 → 微信客服 → 可调用接口的应用，勾选该应用";
            findings.add("微信", Grade::Error, format!("{label}：{}", failure.reason), advice);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platform_knows_two_ports() {
        for (url, expected) in
            [("https://a.gov.cn", false), ("https://a.gov.cn:443/x", false), ("https://a.gov.cn:8443", true)]
        {
            assert_eq!(has_port(url), expected, "{url}");
        }
    }
}
