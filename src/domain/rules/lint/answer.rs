//! Checks of the answer: its template, its figures, its sources and links.

use std::collections::{BTreeMap, BTreeSet};

use super::{Report, SYSTEM_VARS, system_value};
use crate::domain::{
    kinds::{CaseType, Channel},
    rules::{
        compile::CompileEnv,
        figures::uncovered,
        model::{AnswerMode, RuleKind, Status},
        promises,
        source::nearest,
    },
};

/// E012; gives back the rendered text and plain text.
pub(super) fn template(report: &mut Report<'_>) -> Option<(String, Option<String>)> {
    let answer = report.raw.rule.answer.clone()?;
    let vars = report.raw.vars.clone();
    let mut used: BTreeSet<String> = BTreeSet::new();
    let text = render(&answer.text, &vars, &mut used, report, "answer.text");
    let plain = answer.plain.as_ref().map(|plain| render(plain, &vars, &mut used, report, "answer.plain"));
    for name in vars.keys().filter(|name| !used.contains(*name)) {
        report.error(
            "E012",
            &format!("answer.vars.{name}"),
            format!("变量“{name}”没有用到"),
            Some("删掉它，或在答案里写 {{变量}}"),
        );
    }
    Some((text, plain))
}

fn render(
    text: &str,
    vars: &BTreeMap<String, String>,
    used: &mut BTreeSet<String>,
    report: &mut Report<'_>,
    field: &str,
) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find("{{") {
        let (before, tail) = rest.split_at(open);
        out.push_str(before);
        let tail = tail.get(2..).unwrap_or_default();
        let Some(close) = tail.find("}}") else {
            report.error("E012", field, "“{{”没有对应的“}}”".into(), None);
            rest = tail;
            continue;
        };
        let name = tail.get(..close).unwrap_or_default().trim();
        rest = tail.get(close + 2..).unwrap_or_default();
        // An address ends where its characters do: Chinese text follows it without a blank.
        let in_link = out
            .rsplit_once("://")
            .is_some_and(|(_, address)| address.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>')));
        if in_link {
            report.error("E012", field, format!("变量“{name}”写在网址里"), Some("网址要写完整，不能拼接"));
        }
        match vars.get(name) {
            Some(value) => {
                used.insert(name.to_owned());
                // Values are plain text: one that looks like a variable is not filled in again.
                out.push_str(value);
            }
            None if SYSTEM_VARS.contains(&name) => out.push_str(system_value(name)),
            None => {
                let known = vars.keys().map(String::as_str).chain(SYSTEM_VARS.iter().copied());
                let help = nearest(name, known).map(|n| format!("是不是想写 {n}？"));
                report.error("E012", field, format!("变量“{name}”没有定义"), help.as_deref());
            }
        }
    }
    out.push_str(rest);
    out
}

/// E013, E014, E017, E019.
pub(super) fn answer(report: &mut Report<'_>, rendered: Option<&(String, Option<String>)>, env: &CompileEnv) {
    let rule = &report.raw.rule;
    let Some((text, plain)) = rendered else { return };
    let citations = std::sync::Arc::clone(&rule.citations);
    let kind = rule.kind;
    let mode = rule.answer.as_ref().map_or(AnswerMode::Direct, |a| a.mode);
    let live = matches!(rule.status, Status::Active | Status::Shadow);
    let in_wechat = rule.channels.is_empty()
        || [Channel::WechatOa, Channel::WechatWork, Channel::WechatKf].iter().any(|c| rule.channels.contains(c));
    for (field, text) in [("answer.text", Some(text)), ("answer.plain", plain.as_ref())] {
        let Some(text) = text else { continue };
        let missing = uncovered(text, &citations);
        if !missing.is_empty() {
            report.error(
                "E013",
                field,
                format!("答案里的“{}”没有依据支撑", missing.join("”“")),
                Some("写进对应 [[rule.cite]] 的 supports（数和单位都要一样），或从答案里去掉"),
            );
        }
        for word in promises::found(text) {
            report.error(
                "E019",
                field,
                format!("答案里有许诺或定性的词“{word}”"),
                Some("改成有条件的说法，如“符合条件的可以”"),
            );
        }
        // Passive replies of WeChat hold 2048 bytes.
        if text.len() > 2048 && in_wechat && mode != AnswerMode::Draft {
            report.error(
                "E017",
                field,
                format!("答案 {} 字节，超过微信文本的 2048 字节", text.len()),
                Some("缩短，细节放进链接或追问"),
            );
        }
    }
    if kind != RuleKind::Answer {
        return;
    }
    let rule = &report.raw.rule;
    let valid_until = rule.valid_until;
    if live
        && rule.case_type == Some(CaseType::Consultation)
        && mode != AnswerMode::Draft
        && rule.topic.is_some()
        && citations.is_empty()
    {
        report.error(
            "E014",
            "answer",
            "咨询类直接作答必须有依据".into(),
            Some("加一节 [[rule.cite]]，写明文件、文号、条款"),
        );
    }
    for (n, cite) in citations.iter().enumerate() {
        let at = format!("cite[{n}]");
        if cite.title.is_empty() {
            report.error("E014", &at, "依据没有标题 title".into(), None);
        }
        if let (Some(until), Some(valid)) = (cite.effective_until, valid_until)
            && until < valid
        {
            report.error(
                "E014",
                &format!("{at}.effective_until"),
                format!("依据 {until} 失效，早于规则的有效期 {valid}"),
                Some("把 valid_until 提前到依据失效之前"),
            );
        } else if let (Some(until), None) = (cite.effective_until, valid_until) {
            report.error(
                "E014",
                &format!("{at}.effective_until"),
                format!("依据 {until} 失效，规则却没有有效期"),
                Some(&format!("加一行：valid_until = {until}")),
            );
        }
        if let Some(url) = &cite.url
            && !is_allowed_url(url, &env.allowed_domains)
        {
            report.error(
                "E014",
                &format!("{at}.url"),
                format!("依据的网址不在允许的网站之内：{url}"),
                Some("只用政府网站等官方来源"),
            );
        }
    }
}

/// `https://host/…` with the host among the allowed ones or below one of them.
fn is_allowed_url(url: &str, allowed: &[String]) -> bool {
    let Some(rest) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) else { return false };
    let host = rest.split(['/', '?', '#', ':']).next().unwrap_or_default().to_ascii_lowercase();
    if host.is_empty() || rest.contains('@') {
        return false;
    }
    allowed.is_empty()
        || allowed.iter().any(|a| host == *a || host.strip_suffix(a.as_str()).is_some_and(|h| h.ends_with('.')))
}
