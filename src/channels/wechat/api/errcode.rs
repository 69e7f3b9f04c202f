//! The platform's error codes as decisions. `errmsg` is logged, never compared: its wording changes.

use crate::ports::wechat::{Held, Verdict, WechatFailure};

/// A line of the table: code, what may be done, whether the administrator is told, the reason in Chinese.
type Line = (i64, Verdict, bool, &'static str);

/// Codes after which the token is renewed and the call repeated once.
const TOKEN: &[i64] = &[40001, 40014, 42001];

/// What an API call may answer.
const CALL: &[Line] = &[
    (-1, Verdict::Retry, false, "平台繁忙"),
    (40001, Verdict::Retry, false, "access_token 无效，已重新获取"),
    (40014, Verdict::Retry, false, "access_token 无效，已重新获取"),
    (42001, Verdict::Retry, false, "access_token 已过期，已重新获取"),
    (41001, Verdict::GiveUp, true, "调用缺少 access_token（程序问题）"),
    (44002, Verdict::GiveUp, true, "发送内容为空（程序问题）"),
    (44004, Verdict::GiveUp, true, "文本内容为空（程序问题）"),
    (45002, Verdict::GiveUp, true, "文本超过平台长度上限（程序问题）"),
    (47001, Verdict::GiveUp, true, "平台不能解析发送的 JSON（程序问题）"),
    (40033, Verdict::GiveUp, true, "内容含有平台不接受的转义字符（程序问题）"),
    (40003, Verdict::GiveUp, false, "平台不认识这个用户（openid 无效）"),
    (43004, Verdict::GiveUp, false, "对方没有关注公众号"),
    (50005, Verdict::GiveUp, false, "对方没有关注公众号"),
    (40096, Verdict::GiveUp, false, "平台不认识这个外部联系人"),
    (81013, Verdict::GiveUp, false, "接收人不在应用的可见范围内"),
    (40007, Verdict::Retry, false, "素材已失效，重新上传"),
    (40004, Verdict::GiveUp, false, "平台不支持这种文件类型"),
    (40005, Verdict::GiveUp, false, "平台不支持这种文件类型"),
    (40006, Verdict::GiveUp, false, "文件超过平台大小上限"),
    (40009, Verdict::GiveUp, false, "图片超过平台大小上限"),
    (40008, Verdict::GiveUp, false, "平台不支持这种消息类型"),
    (40200, Verdict::GiveUp, false, "这个账号不能发菜单消息"),
    (45009, Verdict::Operator, true, "接口调用次数达到当日上限，可在公众平台清零后继续"),
    (45011, Verdict::NextMinute, false, "接口调用太频繁"),
    (45033, Verdict::Retry, false, "接口并发超过上限"),
    (45015, Verdict::Hold(Held::Window), false, "超过 48 小时没有收到对方消息，或对方已取消关注"),
    (45047, Verdict::Hold(Held::Allowance), false, "对方最近一条消息之后可发的条数已用完"),
    (45072, Verdict::GiveUp, false, "输入状态命令不对"),
    (45080, Verdict::GiveUp, false, "30 秒内没有互动，不能显示正在输入"),
    (45081, Verdict::GiveUp, false, "已经在显示正在输入"),
    (48001, Verdict::GiveUp, true, "账号没有这个接口的权限（客服消息需要已认证的服务号）"),
    (48002, Verdict::GiveUp, false, "对方拒收公众号消息"),
    (48004, Verdict::GiveUp, true, "接口被平台封禁"),
    (48006, Verdict::GiveUp, true, "接口被平台禁止清零"),
    (50002, Verdict::GiveUp, true, "账号被平台限制"),
    (40164, Verdict::Operator, true, "服务器出口 IP 不在白名单"),
    (61004, Verdict::Operator, true, "服务器出口 IP 不在白名单"),
    (60020, Verdict::Operator, true, "服务器出口 IP 不是企业可信 IP"),
    (60011, Verdict::Operator, true, "应用没有权限访问这个成员"),
    (40056, Verdict::Operator, true, "AgentId 不对"),
    (301_002, Verdict::Operator, true, "应用没有权限"),
    (40037, Verdict::GiveUp, true, "模板编号不对（模板消息与订阅通知的模板不能混用）"),
    (47003, Verdict::GiveUp, true, "模板字段不对，请核对字段映射"),
    (43101, Verdict::GiveUp, false, "对方没有同意接收订阅通知"),
    (43107, Verdict::GiveUp, false, "对方关闭了订阅通知"),
    (95000, Verdict::Operator, true, "微信客服账号（open_kfid）不对"),
    (95001, Verdict::Hold(Held::Allowance), false, "对方最近一条消息之后可发的条数已用完"),
    (95002, Verdict::Hold(Held::Window), false, "超过 48 小时没有收到对方消息"),
    (95004, Verdict::Operator, true, "微信客服账号不存在"),
    (95007, Verdict::GiveUp, false, "拉取消息的凭证无效或超过 10 分钟"),
    (95011, Verdict::Operator, true, "微信客服已在企业微信中启用，请改用企业微信的接口"),
    (95012, Verdict::Operator, true, "微信客服没有在企业微信中启用"),
    (95013, Verdict::Hold(Held::Session), false, "微信客服会话已结束"),
    (95014, Verdict::GiveUp, false, "指定的人员不是接待人员或不在接待中"),
    (95016, Verdict::GiveUp, false, "会话状态不允许这样转接"),
    (95017, Verdict::Operator, true, "微信客服的 API 功能没有开启"),
    (95018, Verdict::Hold(Held::Session), false, "会话状态不允许发送消息"),
];

/// What a request for a token may answer; the same numbers mean other things here.
const TOKEN_REQUEST: &[Line] = &[
    (-1, Verdict::Retry, false, "平台繁忙"),
    (40001, Verdict::Operator, true, "密钥（AppSecret / Secret）不对"),
    (40125, Verdict::Operator, true, "密钥（AppSecret / Secret）不对"),
    (40013, Verdict::Operator, true, "AppID / CorpID 不对"),
    (41002, Verdict::Operator, true, "没有填写 AppID"),
    (41004, Verdict::Operator, true, "没有填写密钥"),
    (40002, Verdict::GiveUp, true, "grant_type 不对（程序问题）"),
    (40164, Verdict::Operator, true, "服务器出口 IP 不在白名单"),
    (61004, Verdict::Operator, true, "服务器出口 IP 不在白名单"),
    (60020, Verdict::Operator, true, "服务器出口 IP 不是企业可信 IP"),
    (40243, Verdict::Operator, true, "AppSecret 已冻结"),
    (45009, Verdict::Operator, true, "获取 access_token 的次数达到当日上限"),
    (45011, Verdict::NextMinute, false, "获取 access_token 太频繁"),
    (50004, Verdict::Operator, true, "账号禁止获取 access_token"),
    (50007, Verdict::Operator, true, "账号已冻结"),
    (89501, Verdict::Operator, true, "这个 IP 正在等管理员确认"),
    (89503, Verdict::Operator, true, "这个 IP 调用接口需要管理员确认"),
    (89506, Verdict::Operator, true, "管理员拒绝了这个 IP"),
    (89507, Verdict::Operator, true, "管理员拒绝了这个 IP"),
];

/// What the exchange of an OAuth code may answer.
const OAUTH: &[Line] = &[
    (-1, Verdict::Retry, false, "平台繁忙"),
    (40029, Verdict::GiveUp, false, "授权码无效"),
    (40163, Verdict::GiveUp, false, "授权码已经用过"),
    (42003, Verdict::GiveUp, false, "授权码已经过期"),
    (40013, Verdict::Operator, true, "AppID 不对"),
    (40125, Verdict::Operator, true, "密钥（AppSecret）不对"),
    (40001, Verdict::Operator, true, "密钥（AppSecret）不对"),
    (41002, Verdict::Operator, true, "没有填写 AppID"),
    (41004, Verdict::Operator, true, "没有填写密钥"),
    (41008, Verdict::GiveUp, false, "没有授权码"),
    (48001, Verdict::Operator, true, "账号没有网页授权的权限（需要已认证的服务号）"),
    (45011, Verdict::NextMinute, false, "接口调用太频繁"),
    (50002, Verdict::Operator, true, "账号被平台限制"),
];

/// Whether the code asks for a fresh token.
pub(super) fn wants_token(code: i64) -> bool {
    TOKEN.contains(&code)
}

/// The decision about an API call that answered this code.
pub(super) fn of_call(code: i64, errmsg: &str) -> WechatFailure {
    look_up(CALL, code, errmsg)
}

/// The decision about a request for a token.
pub(super) fn of_token_request(code: i64, errmsg: &str) -> WechatFailure {
    look_up(TOKEN_REQUEST, code, errmsg)
}

/// The decision about the exchange of an OAuth code.
pub(super) fn of_oauth(code: i64, errmsg: &str) -> WechatFailure {
    look_up(OAUTH, code, errmsg)
}

fn look_up(table: &[Line], code: i64, errmsg: &str) -> WechatFailure {
    let (verdict, alarm, words) = table
        .iter()
        .find(|line| line.0 == code)
        // What nobody foresaw is not repeated: the platform has answered, and it will answer the same.
        .map_or((Verdict::GiveUp, true, "平台拒绝"), |(_, verdict, alarm, words)| (*verdict, *alarm, *words));
    let mut reason = format!("{words}（errcode {code}）");
    if matches!(code, 40164 | 61004 | 60020)
        && let Some(ip) = address_in(errmsg)
    {
        reason = format!("{words}：{ip}，请在平台后台加入（errcode {code}）");
    }
    WechatFailure { verdict, alarm, code: Some(code), reason }
}

/// The first IPv4 address in a text: the platform names the one it saw.
fn address_in(text: &str) -> Option<std::net::Ipv4Addr> {
    text.split(|c: char| !(c.is_ascii_digit() || c == '.')).find_map(|part| part.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_table_has_its_decision() {
        let check = |codes: &[i64], expected: Verdict, alarm: bool| {
            for code in codes {
                let failure = of_call(*code, "");
                assert_eq!((failure.verdict, failure.alarm, failure.code), (expected, alarm, Some(*code)), "{code}");
            }
        };
        check(&[-1, 40001, 40014, 42001, 40007, 45033], Verdict::Retry, false);
        check(&[41001, 44002, 47001, 40033, 44004, 45002], Verdict::GiveUp, true);
        check(&[40003, 43004, 50005, 40008, 48002], Verdict::GiveUp, false);
        check(&[48001, 48004, 50002, 40037, 47003], Verdict::GiveUp, true);
        check(&[45011], Verdict::NextMinute, false);
        check(&[45009, 40164, 61004, 60020], Verdict::Operator, true);
        check(&[45015, 95002], Verdict::Hold(Held::Window), false);
        check(&[45047, 95001], Verdict::Hold(Held::Allowance), false);
        check(&[95013, 95018], Verdict::Hold(Held::Session), false);
        check(&[987_654], Verdict::GiveUp, true);
    }

    #[test]
    fn the_same_code_means_the_secret_when_a_token_is_asked_for() {
        assert_eq!(of_token_request(40001, "").verdict, Verdict::Operator);
        assert!(of_token_request(40001, "").reason.contains("密钥"));
    }

    #[test]
    fn the_reason_names_the_address_that_the_platform_saw() {
        let errmsg = "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist rid: 65a1b2c3-1";
        assert!(of_token_request(40164, errmsg).reason.contains("203.0.113.7"));
        assert!(!of_call(45015, errmsg).reason.contains("203.0.113.7"));
    }

    #[test]
    fn no_code_stands_twice_in_a_table() {
        for table in [CALL, TOKEN_REQUEST, OAUTH] {
            let mut codes: Vec<i64> = table.iter().map(|line| line.0).collect();
            codes.sort_unstable();
            assert!(codes.windows(2).all(|pair| pair[0] != pair[1]));
        }
    }
}
