//! Messages as each kind of account writes them.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::Access;
use crate::ports::wechat::{MediaKind, Piece, TemplateMessage, WechatKind};

/// Seconds in which 企业微信 drops a message of the same words to the same member: long enough for our own repeats.
/// Whoever says the same thing again within it sends [`Piece::TextAgain`], without the check.
const DOUBLE_WITHIN_S: u64 = 120;

/// Path and body of a message; `None` when this kind of account has no such message.
pub(super) fn write(access: &Access, user: &str, piece: &Piece, once: &str) -> Option<(&'static str, Value)> {
    let (path, mut body) = match access.account.kind {
        WechatKind::Oa => official(user, piece, once)?,
        WechatKind::Work => member(access, user, piece).map(|body| ("/cgi-bin/message/send", body))?,
        WechatKind::Kf => customer(access, user, piece, once).map(|body| ("/cgi-bin/kf/send_msg", body))?,
    };
    tidy(&mut body);
    Some((path, body))
}

/// Takes out control characters: JSON can only write them as `\u001b`, which the platform refuses (40033).
fn tidy(value: &mut Value) {
    match value {
        Value::String(text) => {
            if text.contains(|c: char| c.is_control() && c != '\n' && c != '\t') {
                text.retain(|c| !c.is_control() || c == '\n' || c == '\t');
            }
        }
        Value::Array(list) => list.iter_mut().for_each(tidy),
        Value::Object(fields) => fields.values_mut().for_each(tidy),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn official(user: &str, piece: &Piece, once: &str) -> Option<(&'static str, Value)> {
    let custom = |kind: &str, content: Value| {
        let mut body = json!({"touser": user, "msgtype": kind});
        body[kind] = content;
        Some(("/cgi-bin/message/custom/send", body))
    };
    match piece {
        Piece::Text(text) | Piece::TextAgain(text) => custom("text", json!({"content": text})),
        Piece::Menu { head, choices, tail } => {
            let list: Vec<_> = choices.iter().map(|c| json!({"id": c.id, "content": c.content})).collect();
            custom("msgmenu", json!({"head_content": head, "list": list, "tail_content": tail}))
        }
        // Video needs a thumbnail of its own, and other files the platform does not take here.
        Piece::Media(kind @ (MediaKind::Image | MediaKind::Voice), id) => {
            custom(kind.as_str(), json!({"media_id": id}))
        }
        Piece::Media(MediaKind::Video | MediaKind::File, _) => None,
        Piece::Template(message) => {
            let mut body = templated(user, message);
            body["client_msg_id"] = json!(short_name(once));
            if let Some(url) = &message.url {
                body["url"] = json!(url);
            }
            Some(("/cgi-bin/message/template/send", body))
        }
        Piece::Subscription(message) => {
            let mut body = templated(user, message);
            if let Some(url) = &message.url {
                body["page"] = json!(url);
            }
            Some(("/cgi-bin/message/subscribe/bizsend", body))
        }
    }
}

fn templated(user: &str, message: &TemplateMessage) -> Value {
    let data: Map<String, Value> =
        message.fields.iter().map(|(name, value)| (name.clone(), json!({"value": value}))).collect();
    json!({"touser": user, "template_id": message.template_id, "data": data})
}

fn member(access: &Access, user: &str, piece: &Piece) -> Option<Value> {
    let (kind, content) = match piece {
        Piece::Text(text) | Piece::TextAgain(text) => ("text", json!({"content": text})),
        Piece::Menu { head, choices, tail } => ("text", json!({"content": listed(head, choices, tail)})),
        Piece::Media(kind, id) => (kind.as_str(), json!({"media_id": id})),
        Piece::Template(_) | Piece::Subscription(_) => return None,
    };
    // The platform wants a number; a name that is none goes through as it is and is refused with a code.
    let agent = access.agent_id.parse::<i64>().map_or_else(|_| json!(access.agent_id), |id| json!(id));
    let mut body = json!({"touser": user, "msgtype": kind, "agentid": agent, "safe": 0});
    if matches!(piece, Piece::TextAgain(_)) {
        body["enable_duplicate_check"] = json!(0);
    } else {
        body["enable_duplicate_check"] = json!(1);
        body["duplicate_check_interval"] = json!(DOUBLE_WITHIN_S);
    }
    body[kind] = content;
    Some(body)
}

fn customer(access: &Access, user: &str, piece: &Piece, once: &str) -> Option<Value> {
    let (kind, content) = match piece {
        Piece::Text(text) | Piece::TextAgain(text) => ("text", json!({"content": text})),
        Piece::Menu { head, choices, tail } => {
            let list: Vec<_> =
                choices.iter().map(|c| json!({"type": "click", "click": {"id": c.id, "content": c.content}})).collect();
            ("msgmenu", json!({"head_content": head, "list": list, "tail_content": tail}))
        }
        Piece::Media(kind, id) => (kind.as_str(), json!({"media_id": id})),
        Piece::Template(_) | Piece::Subscription(_) => return None,
    };
    let mut body = json!({"touser": user, "open_kfid": access.open_kfid, "msgid": short_name(once), "msgtype": kind});
    body[kind] = content;
    Some(body)
}

fn listed(head: &str, choices: &[crate::ports::wechat::MenuChoice], tail: &str) -> String {
    let mut text = head.to_owned();
    for choice in choices {
        let _ = write!(text, "\n{} {}", choice.id, choice.content);
    }
    if !tail.is_empty() {
        let _ = write!(text, "\n{tail}");
    }
    text
}

/// A name of 32 letters and digits, the same for the same message for ever.
pub(super) fn short_name(once: &str) -> String {
    hex::encode(Sha256::digest(once.as_bytes())).chars().take(32).collect()
}

/// Boundary and body of an upload.
pub(super) fn file(name: &str, bytes: &[u8]) -> (String, Vec<u8>) {
    let boundary = format!("zhitong{}", hex::encode(Sha256::digest(bytes)));
    let name: String = name.chars().filter(|c| !c.is_control() && !matches!(c, '"' | '\\')).collect();
    let mut body = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"media\"; filename=\"{name}\"; filelength={}\r\n\
         Content-Type: application/octet-stream\r\n\r\n",
        bytes.len()
    )
    .into_bytes();
    body.extend_from_slice(bytes);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    (boundary, body)
}

/// The file name of a `Content-Disposition`.
pub(super) fn file_name(disposition: &str) -> Option<String> {
    let name = disposition.split("filename=").nth(1)?.split(';').next()?.trim().trim_matches('"');
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::wechat::{MenuChoice, WechatAccount};

    fn access(kind: WechatKind) -> Access {
        Access {
            account: WechatAccount { kind, name: "a".into() },
            id: "id".into(),
            secret: "s".into(),
            agent_id: "1000002".into(),
            open_kfid: "wk1".into(),
            base: None,
        }
    }

    fn text() -> Piece {
        Piece::Text("您好<a href=\"https://x\">看</a>".into())
    }

    #[test]
    fn each_kind_writes_text_its_own_way() {
        let (path, body) = write(&access(WechatKind::Oa), "o1", &text(), "m1").unwrap();
        assert_eq!(path, "/cgi-bin/message/custom/send");
        let content = json!({"content": "您好<a href=\"https://x\">看</a>"});
        assert_eq!(body, json!({"touser": "o1", "msgtype": "text", "text": content}));
        assert!(body.to_string().contains("您好"), "no escapes: {body}");
        let (path, body) = write(&access(WechatKind::Work), "zhang", &text(), "m1").unwrap();
        assert_eq!(path, "/cgi-bin/message/send");
        assert_eq!((&body["agentid"], &body["enable_duplicate_check"]), (&json!(1_000_002), &json!(1)));
        let (path, body) = write(&access(WechatKind::Kf), "wm1", &text(), "m1").unwrap();
        assert_eq!(path, "/cgi-bin/kf/send_msg");
        assert_eq!(body["open_kfid"], "wk1");
        let again = write(&access(WechatKind::Kf), "wm1", &text(), "m1").unwrap().1;
        assert_eq!(body["msgid"], again["msgid"]);
        let other = write(&access(WechatKind::Kf), "wm1", &text(), "m2").unwrap().1;
        assert_ne!(body["msgid"], other["msgid"]);
        let name = body["msgid"].as_str().unwrap();
        assert!(name.len() <= 32 && name.bytes().all(|b| b.is_ascii_alphanumeric()), "{name}");
    }

    #[test]
    fn a_menu_is_tapped_where_there_are_menus_and_read_elsewhere() {
        let menu = Piece::Menu {
            head: "办好了吗？".into(),
            choices: vec![MenuChoice { id: "1".into(), content: "办好了".into() }],
            tail: String::new(),
        };
        let oa = write(&access(WechatKind::Oa), "o1", &menu, "m").unwrap().1;
        assert_eq!(oa["msgmenu"]["list"], json!([{"id": "1", "content": "办好了"}]));
        let kf = write(&access(WechatKind::Kf), "o1", &menu, "m").unwrap().1;
        assert_eq!(kf["msgmenu"]["list"][0]["click"]["id"], "1");
        let work = write(&access(WechatKind::Work), "o1", &menu, "m").unwrap().1;
        assert_eq!(work["text"]["content"], "办好了吗？\n1 办好了");
    }

    #[test]
    fn templates_carry_values_and_a_name_against_doubles() {
        let message = TemplateMessage {
            template_id: "T".into(),
            url: Some("https://x/track".into()),
            fields: vec![("thing1".into(), "路灯".into())],
        };
        let (path, body) = write(&access(WechatKind::Oa), "o1", &Piece::Template(message.clone()), "m").unwrap();
        assert_eq!(path, "/cgi-bin/message/template/send");
        assert_eq!(body["data"], json!({"thing1": {"value": "路灯"}}));
        assert_eq!(body["client_msg_id"], short_name("m"));
        assert!(write(&access(WechatKind::Kf), "o1", &Piece::Template(message), "m").is_none());
        let file = Piece::Media(MediaKind::File, "id".into());
        assert!(write(&access(WechatKind::Oa), "o1", &file, "m").is_none());
        assert!(write(&access(WechatKind::Work), "o1", &file, "m").is_some());
    }

    #[test]
    fn what_json_can_only_escape_is_left_out() {
        let piece = Piece::Text("甲\u{1b}[1m乙\r\n丙\u{7f}\u{85}".into());
        for kind in [WechatKind::Oa, WechatKind::Work, WechatKind::Kf] {
            let body = write(&access(kind), "o1", &piece, "m").unwrap().1;
            assert_eq!(body["text"]["content"], "甲[1m乙\n丙");
            assert!(!body.to_string().contains("\\u"), "{body}");
        }
    }

    #[test]
    fn a_file_name_cannot_break_out_of_its_header() {
        let (_, body) = file("a\"\r\nX: y.png", b"123");
        let body = String::from_utf8(body).unwrap();
        assert!(body.contains("filename=\"aX: y.png\"; filelength=3\r\n"), "{body}");
        assert_eq!(file_name("attachment; filename=\"MEDIA_ID.jpg\""), Some("MEDIA_ID.jpg".to_owned()));
        assert_eq!(file_name("attachment"), None);
    }
}
