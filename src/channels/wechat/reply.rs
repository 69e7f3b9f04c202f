//! Passive replies: the text message in the format of the request, safe against everything a text may hold.

use std::borrow::Cow;

use serde_json::json;

use super::envelope::{Format, without_controls};

/// A CDATA section that holds exactly this text, without what no phone can show.
pub fn cdata(text: &str) -> String {
    let clean = shown(text);
    if clean.contains("]]>") {
        return format!("<![CDATA[{}]]>", clean.replace("]]>", "]]]]><![CDATA[>"));
    }
    format!("<![CDATA[{clean}]]>")
}

/// What a phone can show of a text.
fn shown(text: &str) -> Cow<'_, str> {
    match without_controls(text) {
        clean if clean.contains('\r') => Cow::Owned(clean.replace('\r', "")),
        clean => clean,
    }
}

/// A text message; `created` in seconds. `to` is the user, `from` the account: the other way round than in the push.
pub fn text(format: Format, to: &str, from: &str, created: i64, content: &str) -> String {
    match format {
        Format::Xml => format!(
            "<xml><ToUserName>{}</ToUserName><FromUserName>{}</FromUserName><CreateTime>{created}</CreateTime>\
             <MsgType><![CDATA[text]]></MsgType><Content>{}</Content></xml>",
            cdata(to),
            cdata(from),
            cdata(content)
        ),
        Format::Json => {
            let clean = shown(content);
            json!({"ToUserName": to, "FromUserName": from, "CreateTime": created, "MsgType": "text", "Content": clean})
                .to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::channels::wechat::envelope::{Fields, is_control};

    #[test]
    fn a_reply_is_what_the_platform_expects() {
        assert_eq!(
            text(Format::Xml, "o1", "gh_1", 1_700_000_000, "您好 & <a href=\"x\">y</a>"),
            "<xml><ToUserName><![CDATA[o1]]></ToUserName><FromUserName><![CDATA[gh_1]]></FromUserName>\
             <CreateTime>1700000000</CreateTime><MsgType><![CDATA[text]]></MsgType>\
             <Content><![CDATA[您好 & <a href=\"x\">y</a>]]></Content></xml>"
        );
    }

    proptest! {
        #[test]
        fn whatever_is_said_comes_back_from_an_xml_reader(content in "(\\PC|[\\x00-\\x1f]|\\]\\]>|<!\\[CDATA\\[|&amp;|</xml>){0,40}") {
            let wanted: String = content.chars().filter(|c| !is_control(*c) && *c != '\r').collect();
            for format in [Format::Xml, Format::Json] {
                let body = text(format, "o]]>1", "gh", 1, &content);
                let (fields, read) = Fields::parse(body.as_bytes()).unwrap();
                prop_assert_eq!(read, format);
                prop_assert_eq!(fields.text("Content").unwrap_or_default(), wanted.as_str());
                prop_assert_eq!(fields.text("ToUserName"), Some("o]]>1"));
            }
        }
    }
}
