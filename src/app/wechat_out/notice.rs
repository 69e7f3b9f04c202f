//! Milestones of a case as 模板消息 or 订阅通知: for users to whom the account may not write otherwise.

use serde::Deserialize;

use crate::{
    app::{App, AppError},
    config::WechatNotice,
    domain::{case::Case, sla::chinese_date_time},
    ports::wechat::{Piece, TemplateMessage, WechatAccount, WechatKind},
    store::{cases, conversations::MessageRow},
};

/// What the body of a case's message says.
#[derive(Debug, Deserialize)]
struct Body {
    case: About,
}

#[derive(Debug, Deserialize)]
struct About {
    number: String,
    event: String,
}

/// The notice of a message, if it is a milestone that this account has a template for.
///
/// # Errors
/// `Store`.
pub(super) async fn of(app: &App, account: &WechatAccount, message: &MessageRow) -> Result<Option<Piece>, AppError> {
    if account.kind != WechatKind::Oa {
        return Ok(None);
    }
    let body = message.body.as_deref().and_then(|body| serde_json::from_str::<Body>(body).ok());
    let (Some(Body { case: about }), Some(oa)) = (body, app.config.wechat.oa.get(&account.name)) else {
        return Ok(None);
    };
    let Some(notice) = oa.notice_of(&about.event) else { return Ok(None) };
    let Ok(number) = about.number.parse() else { return Ok(None) };
    let case = {
        let mut tx = app.db.read().await?;
        cases::find_by_number(&mut tx, &number).await?
    };
    let Some(case) = case else { return Ok(None) };
    let places = places(app, &case, &about.number, message);
    let message = TemplateMessage {
        template_id: notice.template_id.clone(),
        url: app.config.server.public_url.as_deref().map(|url| format!("{}/track", url.trim_end_matches('/'))),
        fields: notice.fields.iter().map(|(field, words)| (field.clone(), fill(field, words, &places))).collect(),
    };
    Ok(Some(if notice.is_subscription() { Piece::Subscription(message) } else { Piece::Template(message) }))
}

/// The words for [`WechatNotice::PLACES`], in their order.
fn places(app: &App, case: &Case, number: &str, message: &MessageRow) -> [String; 7] {
    let content = app.content.load();
    let time = |at| chinese_date_time(content.schedule.civil(at));
    let text = message.text.trim_start_matches(&format!("【{number}】")).to_owned();
    let at = jiff::Timestamp::from_millisecond(message.at).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let unit = case.lead_unit.as_deref().map(|slug| app.unit_name(slug)).unwrap_or_default();
    [
        number.to_owned(),
        case.title.clone(),
        case.status.label().to_owned(),
        text,
        case.due_at().map(time).unwrap_or_default(),
        unit,
        time(at),
    ]
}

/// A field's words, within what the platform takes for its type; it refuses the whole notice otherwise (47003).
fn fill(field: &str, words: &str, places: &[String; 7]) -> String {
    let mut text = words.to_owned();
    for (place, value) in WechatNotice::PLACES.iter().zip(places) {
        text = text.replace(place, value);
    }
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let most = match field.trim_end_matches(|c: char| c.is_ascii_digit()) {
        "thing" => 20,
        "phrase" => 5,
        "name" => 10,
        "character_string" | "number" | "letter" => 32,
        _ => 200,
    };
    if text.is_empty() {
        return "-".to_owned();
    }
    if text.chars().count() <= most {
        return text;
    }
    // A word of five characters has no room for a mark of omission.
    let kept: String = text.chars().take(if most > 5 { most - 1 } else { most }).collect();
    if most > 5 { format!("{kept}…") } else { kept }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_to_what_their_type_takes() {
        let places = [
            "ZT20261126-0001A",
            "园区路灯\n长期不亮影响夜班工人出行安全要求尽快修复",
            "办理中",
            "x",
            "",
            "住建局",
            "t",
        ]
        .map(str::to_owned);
        let check = |field: &str, words: &str, expected: &str| assert_eq!(fill(field, words, &places), expected);
        check("thing1", "{title}", "园区路灯 长期不亮影响夜班工人出行安全…");
        assert_eq!(fill("thing1", "{title}", &places).chars().count(), 20);
        check("character_string2", "{number}", "ZT20261126-0001A");
        check("phrase3", "{status}", "办理中");
        check("phrase3", "{unit}{status}中", "住建局办理");
        check("time4", "{due}", "-");
        check("thing5", "{unit}主办", "住建局主办");
    }
}
