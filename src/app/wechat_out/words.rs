//! A stored message as plain words, for a window that knows no buttons and no cards.

use std::fmt::Write as _;

use crate::{app::message::MessageBody, store::conversations::MessageRow};

/// The words: the text, its sources as short lines, its choices by number.
pub(super) fn of(message: &MessageRow, body: &MessageBody) -> String {
    let mut text = message.text.trim().to_owned();
    for source in &body.citations {
        let _ = write!(text, "\n依据：《{}》{}", source.title, source.reference);
    }
    if let Some(form) = &body.form {
        let missing: Vec<&str> =
            form.fields.iter().filter(|field| field.missing).map(|field| field.label.as_str()).collect();
        if !missing.is_empty() && !form.submitted {
            let _ = write!(text, "\n还差：{}", missing.join("、"));
        }
    }
    for case in body.card.iter().flat_map(|card| &card.cases) {
        let _ = write!(text, "\n【{}】{}：{}", case.number, case.title, case.status_label);
        if let Some(code) = &case.code {
            let _ = write!(text, "，查询码 {code}");
        }
        if let Some(due) = &case.due_text {
            let _ = write!(text, "，{due}");
        }
    }
    for (n, button) in body.quick_replies.iter().enumerate() {
        let _ = write!(text, "\n{} {}", n + 1, button.label);
    }
    if !body.quick_replies.is_empty() {
        text.push_str("\n（回复数字选择）");
    }
    text.trim().to_owned()
}
