//! `zhitong wechat`: what an operator does with the configured WeChat accounts.

use crate::{
    channels::wechat::api::{Access, Patience, WechatClient},
    config::Config,
    ports::wechat::{WechatAccount, WechatKind},
};

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
