//! Messages as the plain text that WeChat shows: sources as short lines, the form as lines with what to do next, the
//! buttons as numbered options.

use crate::app::message::{Button, FormInfo, Message};

/// What one passive reply says: all replies to a message, the options of the last one that has some.
pub fn replies(replies: &[Message]) -> String {
    let texts: Vec<String> = replies.iter().map(body).filter(|text| !text.is_empty()).collect();
    let options = replies.iter().rev().find(|reply| !reply.quick_replies.is_empty());
    join(texts, options.map(|reply| reply.quick_replies.as_slice()))
}

/// The words of messages without their options: what there is to read of them.
pub fn words(messages: &[Message]) -> String {
    messages.iter().map(body).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// One message with its options.
pub fn message(message: &Message) -> String {
    let text = body(message);
    let texts = if text.is_empty() { Vec::new() } else { vec![text] };
    join(texts, Some(message.quick_replies.as_slice()))
}

fn join(mut texts: Vec<String>, options: Option<&[Button]>) -> String {
    if let Some(options) = options.filter(|options| !options.is_empty()) {
        let lines: Vec<String> =
            options.iter().enumerate().map(|(n, button)| format!("{} {}", n + 1, button.label)).collect();
        texts.push(format!("回复数字选择：\n{}", lines.join("\n")));
    }
    texts.join("\n\n")
}

fn body(message: &Message) -> String {
    let mut lines = vec![message.text.trim().to_owned()];
    if let Some(author) = &message.author
        && message.from == "officer"
    {
        lines = vec![format!("【{}】{}", author.name, message.text.trim())];
    }
    lines.extend(message.citations.iter().map(|source| {
        let address = source.url.as_deref().map(|url| format!(" {url}")).unwrap_or_default();
        format!("依据：《{}》{}{address}", source.title, source.reference)
    }));
    if let Some(form) = &message.form {
        lines.push(form_text(form));
    }
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}

/// The form in words: what is known, what is missing, how to correct and how to file.
fn form_text(form: &FormInfo) -> String {
    let mut lines = vec!["【登记单】".to_owned()];
    let kept = form.matters.iter().filter(|matter| matter.keep);
    let several = form.matters.len() > 1;
    lines.extend(kept.map(|matter| {
        let number = if several { format!("事项 {}：", matter.n) } else { "事项：".to_owned() };
        let topic = matter.topic_label.as_deref().map(|topic| format!("·{topic}")).unwrap_or_default();
        format!("{number}{}{topic}｜{}", matter.type_label, matter.demand)
    }));
    for field in &form.fields {
        let note = match (&field.error, field.missing, field.required) {
            (Some(error), ..) => format!("（{error}）"),
            (None, true, true) => "（必填，还没有）".to_owned(),
            (None, ..) => String::new(),
        };
        if field.key != "demand" && !(field.value.is_empty() && note.is_empty()) {
            lines.push(format!("{}：{}{note}", field.label, field.value));
        }
    }
    if form.submitted {
        return lines.join("\n");
    }
    // No numbers: those below choose.
    let mut next = |words: &str| lines.push(format!("· {words}"));
    if !form.can_submit {
        next("把缺的直接发来，比如“联系电话：138…”");
    }
    next("要改就说，比如“地点：……”");
    next("没有问题请回复“提交”，不办了回复“取消”");
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::message::{FormFieldInfo, FormMatterInfo, Source};

    fn said(text: &str, buttons: &[&str]) -> Message {
        Message {
            id: "m".into(),
            seq: 2,
            from: "bot".into(),
            kind: "text".into(),
            text: text.into(),
            quick_replies: buttons
                .iter()
                .map(|label| Button { label: (*label).into(), text: (*label).into() })
                .collect(),
            citations: Vec::new(),
            rule_id: None,
            at: String::new(),
            client_id: None,
            rule_version: None,
            awaiting_recheck: false,
            form: None,
            card: None,
            attachment: None,
            author: None,
            generated: false,
        }
    }

    #[test]
    fn sources_are_lines_and_buttons_are_numbers() {
        let mut answer = said("公示期 20 日。", &["解决了", "没解决"]);
        answer.citations.push(Source {
            title: "条例".into(),
            reference: "第二条".into(),
            url: Some("https://a.cn".into()),
        });
        assert_eq!(
            message(&answer),
            "公示期 20 日。\n依据：《条例》第二条 https://a.cn\n\n回复数字选择：\n1 解决了\n2 没解决"
        );
        let second = said("还有别的事吗？", &["转人工"]);
        assert_eq!(replies(&[said("好的。", &["甲"]), second]), "好的。\n\n还有别的事吗？\n\n回复数字选择：\n1 转人工");
        assert_eq!(replies(&[]), "");
    }

    #[test]
    fn the_form_says_what_is_missing_and_what_to_do() {
        let field = |key: &str, label: &str, value: &str, missing: bool| FormFieldInfo {
            key: key.into(),
            label: label.into(),
            value: value.into(),
            required: key == "contact_phone",
            missing,
            error: None,
            source: None,
            input: "text".into(),
            options: Vec::new(),
        };
        let mut card = said("请核对。", &["提交"]);
        card.form = Some(FormInfo {
            matters: vec![FormMatterInfo {
                n: 1,
                keep: true,
                case_type: "complaint".into(),
                type_label: "投诉".into(),
                topic: None,
                topic_label: Some("收费".into()),
                demand: "退还多收的费用".into(),
                lead_hint: None,
            }],
            fields: vec![
                field("place", "事发地点", "开发区", false),
                field("contact_phone", "联系电话", "", true),
                field("amount", "涉及金额", "", false),
            ],
            missing: vec!["contact_phone".into()],
            can_submit: false,
            submitted: false,
        });
        assert_eq!(
            message(&card),
            "请核对。\n【登记单】\n事项：投诉·收费｜退还多收的费用\n事发地点：开发区\n联系电话：（必填，还没有）\n\
             · 把缺的直接发来，比如“联系电话：138…”\n· 要改就说，比如“地点：……”\n\
             · 没有问题请回复“提交”，不办了回复“取消”\n\n回复数字选择：\n1 提交"
        );
    }
}
