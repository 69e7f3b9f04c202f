//! One table of a rule file while it is read: where its fields stand, and what is wrong with them.

use std::str::FromStr;

use jiff::civil::Date;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::Spots;
use crate::domain::rules::{
    diagnostic::{Diagnostic, Level},
    source::{CHINESE_KEYS, FileText, nearest},
};

pub(super) fn entry<'t, 'i>(
    table: &'t DeTable<'i>,
    key: &str,
) -> Option<(&'t Spanned<std::borrow::Cow<'i, str>>, &'t Spanned<DeValue<'i>>)> {
    table.iter().find(|(k, _)| k.get_ref() == key)
}

/// A table that is being read; remembers where its fields stand and complains about what it does not know.
pub(super) struct Section<'s, 'i> {
    pub(super) file: &'s FileText<'i>,
    pub(super) base: usize,
    pub(super) table: &'s DeTable<'s>,
    pub(super) prefix: String,
    pub(super) rule: Option<String>,
    pub(super) spots: &'s mut Spots,
    pub(super) out: &'s mut Vec<Diagnostic>,
    pub(super) broken: &'s mut bool,
}

impl Section<'_, '_> {
    pub(super) fn complain(&mut self, code: &'static str, key: &str, message: impl Into<String>, help: Option<String>) {
        let path = format!("{}{key}", self.prefix);
        let at = self.spots.get(&path).copied().unwrap_or(0);
        let mut finding = self.file.finding(code, Level::Error, at, message, help);
        finding.rule.clone_from(&self.rule);
        self.out.push(finding);
        *self.broken = true;
    }

    /// Reports keys that the format does not know.
    pub(super) fn only(&mut self, known: &[&str]) {
        let unknown: Vec<(String, usize)> = self
            .table
            .keys()
            .filter(|key| !known.contains(&&**key.get_ref()))
            .map(|key| (key.get_ref().to_string(), self.base + key.span().start))
            .collect();
        for (key, at) in unknown {
            let meant = CHINESE_KEYS
                .iter()
                .find(|(chinese, english)| *chinese == key && known.contains(english))
                .map(|(_, english)| *english)
                .or_else(|| nearest(&key, known.iter().copied()));
            let help = match meant {
                Some(meant) => format!("是不是想写 {meant}？"),
                None => format!("这里可以写：{}", known.join("、")),
            };
            let mut finding = self.file.finding("E002", Level::Error, at, format!("不认识的字段“{key}”"), Some(help));
            finding.rule.clone_from(&self.rule);
            self.out.push(finding);
            *self.broken = true;
        }
    }

    pub(super) fn value(&mut self, key: &str) -> Option<&Spanned<DeValue<'_>>> {
        let table = self.table;
        let (_, value) = entry(table, key)?;
        self.spots.insert(format!("{}{key}", self.prefix), self.base + value.span().start);
        Some(value)
    }

    pub(super) fn wrong_type(&mut self, key: &str, wanted: &str, found: &str) {
        let found = match found {
            "string" => "文字",
            "integer" => "整数",
            "float" => "小数",
            "boolean" => "真假值",
            "datetime" => "日期",
            "array" => "列表",
            "table" => "一节",
            _ => found,
        };
        self.complain("E002", key, format!("“{key}”要写成{wanted}，现在是{found}"), None);
    }

    pub(super) fn string(&mut self, key: &str) -> Option<String> {
        let value = self.value(key)?;
        let found = value.get_ref().type_str();
        let text = value.get_ref().as_str().map(str::to_owned);
        if text.is_none() {
            self.wrong_type(key, "双引号里的文字", found);
        }
        text
    }

    pub(super) fn text(&mut self, key: &str) -> String {
        self.string(key).unwrap_or_default()
    }

    pub(super) fn bool(&mut self, key: &str) -> bool {
        let Some(value) = self.value(key) else { return false };
        let found = value.get_ref().type_str();
        let value = value.get_ref().as_bool();
        if value.is_none() {
            self.wrong_type(key, " true 或 false", found);
        }
        value.unwrap_or(false)
    }

    pub(super) fn integer(&mut self, key: &str, least: i64, most: i64) -> Option<i64> {
        let value = self.value(key)?;
        let found = value.get_ref().type_str();
        let Some(number) = value.get_ref().as_integer() else {
            self.wrong_type(key, "整数", found);
            return None;
        };
        let parsed = i64::from_str_radix(number.as_str(), number.radix()).ok();
        match parsed {
            Some(number) if (least..=most).contains(&number) => Some(number),
            _ => {
                self.complain("E002", key, format!("“{key}”要在 {least} 到 {most} 之间"), None);
                None
            }
        }
    }

    pub(super) fn date(&mut self, key: &str) -> Option<Date> {
        let value = self.value(key)?;
        let found = value.get_ref().type_str();
        let written = value.get_ref();
        let text = written.as_datetime().map(ToString::to_string).or_else(|| written.as_str().map(str::to_owned));
        let Some(text) = text else {
            self.wrong_type(key, "日期，如 2026-12-31（不加引号）", found);
            return None;
        };
        let date = text.parse::<Date>().ok();
        if date.is_none() {
            self.complain(
                "E002",
                key,
                format!("“{key}”不是日期：{text}"),
                Some("写成：2026-12-31（不加引号）".to_owned()),
            );
        }
        date
    }

    pub(super) fn strings(&mut self, key: &str) -> Vec<String> {
        let base = self.base;
        let table = self.table;
        let Some((_, value)) = entry(table, key) else { return Vec::new() };
        let path = format!("{}{key}", self.prefix);
        self.spots.insert(path.clone(), base + value.span().start);
        let DeValue::Array(items) = value.get_ref() else {
            let found = value.get_ref().type_str();
            self.wrong_type(key, "列表，如 [\"甲\", \"乙\"]", found);
            return Vec::new();
        };
        let mut out = Vec::with_capacity(items.len());
        for item in items {
            self.spots.insert(format!("{path}[{}]", out.len()), base + item.span().start);
            if let Some(text) = item.get_ref().as_str() {
                out.push(text.to_owned());
            } else {
                let found = item.get_ref().type_str();
                let at = format!("{key}[{}]", out.len());
                self.wrong_type(&at, "双引号里的文字", found);
            }
        }
        out
    }

    /// A word of a closed vocabulary.
    pub(super) fn word<T: FromStr>(
        &mut self,
        key: &str,
        known: &[(&'static str, &'static str)],
        aliases: &[(&str, &str)],
    ) -> Option<T> {
        let text = self.string(key)?;
        let wanted = aliases.iter().find(|(alias, _)| *alias == text).map_or(text.as_str(), |(_, slug)| *slug);
        let value = wanted.parse().ok();
        if value.is_none() {
            let words = known.iter().flat_map(|&(slug, label)| [slug, label]);
            let help = if let Some(meant) = nearest(&text, words) {
                format!("是不是想写 {meant}？")
            } else {
                let all: Vec<String> = known.iter().map(|(slug, label)| format!("{slug} {label}")).collect();
                format!("可以写：{}", all.join(" | "))
            };
            self.complain("E002", key, format!("“{key}”不认识“{text}”"), Some(help));
        }
        value
    }

    /// Reads a sub-table.
    pub(super) fn within<T>(&mut self, key: &str, read: impl FnOnce(&mut Section<'_, '_>) -> T) -> Option<T> {
        let table = self.table;
        let base = self.base;
        let (name, value) = entry(table, key)?;
        let path = format!("{}{key}", self.prefix);
        self.spots.insert(path.clone(), base + name.span().start);
        let DeValue::Table(inner) = value.get_ref() else {
            let found = value.get_ref().type_str();
            self.wrong_type(key, "一节", found);
            return None;
        };
        let mut section = Section {
            file: self.file,
            base,
            table: inner,
            prefix: format!("{path}."),
            rule: self.rule.clone(),
            spots: self.spots,
            out: self.out,
            broken: self.broken,
        };
        Some(read(&mut section))
    }

    /// Reads a list of sub-tables.
    pub(super) fn each<T>(&mut self, key: &str, mut read: impl FnMut(&mut Section<'_, '_>) -> T) -> Vec<T> {
        let table = self.table;
        let base = self.base;
        let Some((name, value)) = entry(table, key) else { return Vec::new() };
        let path = format!("{}{key}", self.prefix);
        self.spots.insert(path.clone(), base + name.span().start);
        let DeValue::Array(items) = value.get_ref() else {
            let found = value.get_ref().type_str();
            self.wrong_type(key, "[[…]] 开头的几节", found);
            return Vec::new();
        };
        let mut out = Vec::new();
        for (n, item) in items.iter().enumerate() {
            let path = format!("{path}[{n}]");
            self.spots.insert(path.clone(), base + item.span().start);
            let DeValue::Table(inner) = item.get_ref() else {
                let found = item.get_ref().type_str();
                self.wrong_type(&format!("{key}[{n}]"), "一节", found);
                continue;
            };
            let mut section = Section {
                file: self.file,
                base,
                table: inner,
                prefix: format!("{path}."),
                rule: self.rule.clone(),
                spots: self.spots,
                out: self.out,
                broken: self.broken,
            };
            out.push(read(&mut section));
        }
        out
    }
}
