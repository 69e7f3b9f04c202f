//! What an operator asks the platform: menus, templates, and whether an account works at all.

use std::time::Instant;

use serde_json::{Value, json};

use super::{Call, WechatClient, failure};
use crate::ports::wechat::{Verdict, WechatAccount, WechatFailure, WechatKind};

/// What a probe found wrong, with the place in the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// What is wrong, in Chinese.
    pub finding: String,
    /// What to click.
    pub advice: String,
}

impl WechatClient {
    /// Makes the menu of a 公众号 or a 企业微信 application what `menu` says.
    ///
    /// # Errors
    /// The platform's refusal.
    pub async fn push_menu(&self, account: &WechatAccount, menu: &Value) -> Result<(), WechatFailure> {
        let slot = self.slot(account)?;
        let mut call = Call::post("/cgi-bin/menu/create", menu.clone());
        match account.kind {
            WechatKind::Oa => {}
            WechatKind::Work => call.query.push(("agentid", &slot.access.agent_id)),
            WechatKind::Kf => return Err(no_menu()),
        }
        self.call(slot, &call).await.map(|_| ())
    }

    /// The menu as the platform has it.
    ///
    /// # Errors
    /// The platform's refusal.
    pub async fn show_menu(&self, account: &WechatAccount) -> Result<Value, WechatFailure> {
        let slot = self.slot(account)?;
        match account.kind {
            WechatKind::Oa => self.call(slot, &Call::get("/cgi-bin/get_current_selfmenu_info", Vec::new())).await,
            WechatKind::Work => {
                self.call(slot, &Call::get("/cgi-bin/menu/get", vec![("agentid", &slot.access.agent_id)])).await
            }
            WechatKind::Kf => Err(no_menu()),
        }
    }

    /// Asks for a token and tells what the platform dislikes; nothing: the account can call.
    pub async fn probe_token(&self, account: &WechatAccount) -> Option<Doubt> {
        let found = match self.slot(account) {
            Ok(slot) => slot.token.get(Instant::now(), async || self.fetch_token(slot).await).await.err()?,
            Err(failure) => failure,
        };
        Some(Doubt { advice: advice(account.kind, found.code).to_owned(), finding: found.reason })
    }

    /// Ids of the templates that a 公众号 may send.
    ///
    /// # Errors
    /// The platform's refusal.
    pub async fn template_ids(&self, account: &WechatAccount) -> Result<Vec<String>, WechatFailure> {
        let slot = self.slot(account)?;
        let call = Call::get("/cgi-bin/template/get_all_private_template", Vec::new());
        Ok(ids(&self.call(slot, &call).await?, "template_list", "template_id"))
    }

    /// Ids of the subscription templates that a 公众号 may send.
    ///
    /// # Errors
    /// The platform's refusal.
    pub async fn subscription_ids(&self, account: &WechatAccount) -> Result<Vec<String>, WechatFailure> {
        let slot = self.slot(account)?;
        let answer = self.call(slot, &Call::get("/wxaapi/newtmpl/gettemplate", Vec::new())).await?;
        Ok(ids(&answer, "data", "priTmplId"))
    }

    /// Whether the platform's network reaches the callback's host (公众号 only): resolves and pings from there.
    ///
    /// # Errors
    /// The platform's refusal.
    pub async fn check_callback(&self, account: &WechatAccount) -> Result<Value, WechatFailure> {
        if account.kind != WechatKind::Oa {
            return Ok(Value::Null);
        }
        let body = json!({"action": "all", "check_operator": "DEFAULT"});
        self.call(self.slot(account)?, &Call::post("/cgi-bin/callback/check", body)).await
    }

    /// Whether a 微信客服 account exists and may be used by this secret.
    ///
    /// # Errors
    /// The platform's refusal.
    pub async fn kf_known(&self, account: &WechatAccount) -> Result<bool, WechatFailure> {
        let slot = self.slot(account)?;
        let answer =
            self.call(slot, &Call::post("/cgi-bin/kf/account/list", json!({"offset": 0, "limit": 100}))).await?;
        Ok(ids(&answer, "account_list", "open_kfid").contains(&slot.access.open_kfid))
    }
}

fn no_menu() -> WechatFailure {
    failure(Verdict::GiveUp, false, "微信客服没有自定义菜单")
}

fn ids(answer: &Value, list: &str, key: &str) -> Vec<String> {
    let items = answer[list].as_array().into_iter().flatten();
    items.filter_map(|item| item[key].as_str()).map(str::to_owned).collect()
}

/// Where the operator mends it.
fn advice(kind: WechatKind, code: Option<i64>) -> &'static str {
    match (kind, code) {
        (WechatKind::Oa, Some(40164 | 61004 | 89501 | 89503 | 89506 | 89507)) => {
            "登录微信开发者平台 → 公众号 → 基础信息 → API IP 白名单，加入上面的 IP（白名单 10 分钟内生效）"
        }
        (WechatKind::Oa, Some(40001 | 40125 | 40243)) => {
            "登录微信开发者平台 → 公众号 → 基础信息 → AppSecret，重置或解冻后写入配置 app_secret"
        }
        (WechatKind::Oa, Some(40013 | 41002)) => "核对配置 app_id：微信开发者平台 → 公众号 → 基础信息 → AppID",
        (WechatKind::Work | WechatKind::Kf, Some(60020)) => {
            "登录企业微信管理后台 → 应用管理 → 该应用 → 企业可信IP，加入上面的 IP"
        }
        (WechatKind::Work, Some(40001 | 40013 | 40125)) => {
            "登录企业微信管理后台：我的企业 → 企业ID；应用管理 → 该应用 → Secret，核对配置 corp_id 和 secret"
        }
        (WechatKind::Kf, Some(40001 | 40013 | 40125)) => {
            "登录企业微信管理后台：微信客服 → 可调用接口的应用，用该应用的 Secret（2023 年 12 月后新企业不能用微信客服自己的 Secret）"
        }
        (_, None) => "检查服务器能否访问平台（DNS、防火墙、代理），以及配置 api_base",
        (_, Some(_)) => "按平台错误码说明处理后再运行 zhitong doctor",
    }
}
