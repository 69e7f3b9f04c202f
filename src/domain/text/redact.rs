//! Redaction for others' eyes: personal data becomes numbered placeholders, and comes back for the same person only.

use super::personal::{PersonalKind, find_personal};
use crate::vocabulary;

vocabulary! {
    /// What a placeholder stands for.
    Hidden {
        IdCard = "id_card", "身份证号";
        Uscc = "uscc", "统一社会信用代码";
        BankCard = "bank_card", "银行卡号";
        Phone = "phone", "手机号";
        Landline = "landline", "座机号";
        Email = "email", "邮箱";
        Plate = "plate", "车牌号";
        Address = "address", "地址";
        Number = "number", "号码";
        Person = "person", "姓名";
        Enterprise = "enterprise", "企业";
        Contact = "contact", "联系方式";
    }
}

impl From<PersonalKind> for Hidden {
    fn from(kind: PersonalKind) -> Self {
        match kind {
            PersonalKind::IdCard => Self::IdCard,
            PersonalKind::Uscc => Self::Uscc,
            PersonalKind::BankCard => Self::BankCard,
            PersonalKind::Phone => Self::Phone,
            PersonalKind::Landline => Self::Landline,
            PersonalKind::Email => Self::Email,
        }
    }
}

/// Replaces personal data by placeholders such as 〔手机号1〕 that stay the same for the same words.
#[derive(Debug, Clone, Default)]
pub struct Redactor {
    slots: Vec<(Hidden, String)>,
    given: Vec<(String, String)>,
}

impl Redactor {
    /// With the values of form slots (names, enterprise, address …), which are hidden wherever they occur.
    pub fn new(slots: &[(Hidden, &str)]) -> Self {
        let slots = slots.iter().filter(|(_, v)| v.trim().chars().count() >= 2);
        Self { slots: slots.map(|(kind, value)| (*kind, value.trim().to_owned())).collect(), given: Vec::new() }
    }

    /// The text with placeholders, numbered in order of first appearance. Idempotent.
    pub fn redact(&mut self, text: &str) -> String {
        let mut out = text.to_owned();
        for (kind, value) in self.slots.clone() {
            if out.contains(&value) {
                let placeholder = self.placeholder(kind, &value);
                out = out.replace(&value, &placeholder);
            }
        }
        let found = find_personal(&out);
        let mut result = String::with_capacity(out.len());
        let mut at = 0;
        for piece in found {
            result.push_str(out.get(at..piece.span.start).unwrap_or_default());
            let raw = out.get(piece.span.clone()).unwrap_or_default().to_owned();
            result.push_str(&self.placeholder(piece.kind.into(), &raw));
            at = piece.span.end;
        }
        result.push_str(out.get(at..).unwrap_or_default());
        result
    }

    /// The text with the original words in place of the placeholders; only for the person they came from, or for
    /// officers who may see them.
    pub fn restore(&self, text: &str) -> String {
        self.given.iter().fold(text.to_owned(), |text, (placeholder, raw)| text.replace(placeholder, raw))
    }

    /// Whether personal data still stands in the text.
    pub fn leftovers(&self, text: &str) -> bool {
        let mut copy = self.clone();
        copy.redact(text) != text
    }

    fn placeholder(&mut self, kind: Hidden, raw: &str) -> String {
        if let Some((placeholder, _)) = self.given.iter().find(|(_, given)| given == raw) {
            return placeholder.clone();
        }
        let start = format!("〔{}", kind.label());
        let number = self.given.iter().filter(|(p, _)| p.starts_with(&start)).count() + 1;
        let placeholder = format!("{start}{number}〕");
        self.given.push((placeholder.clone(), raw.to_owned()));
        placeholder
    }
}
