//! Pieces that several pages show alike: the eight-stage bar, due chips, dates as people write them.

use crate::domain::case::{CaseStatus, Stage};

/// The names of the eight stages, in order.
pub const STAGE_NAMES: [&str; 8] = ["提出", "受理", "分派", "处理", "跟踪", "反馈", "评价", "考核"];

/// One stage of the bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageStep {
    /// `done`, `now` or empty.
    pub class: &'static str,
    /// Whether it is the present one.
    pub now: bool,
    /// A tick or the number.
    pub mark: String,
    /// Its name.
    pub name: &'static str,
}

/// Number of the present stage, 1 to 8; 0 where the case left the road.
pub fn stage_number(status: CaseStatus) -> u8 {
    status.stage().map_or(0, Stage::number)
}

/// The bar for a stage number.
pub fn stages(present: u8) -> Vec<StageStep> {
    (1_u8..)
        .zip(STAGE_NAMES)
        .map(|(n, name)| StageStep {
            class: match n.cmp(&present) {
                std::cmp::Ordering::Less => "done",
                std::cmp::Ordering::Equal => "now",
                std::cmp::Ordering::Greater => "",
            },
            now: n == present,
            mark: if n < present { "✓".to_owned() } else { n.to_string() },
            name,
        })
        .collect()
}

/// A deadline as it is shown: a word with its state, and the moment itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DueView {
    /// `ok`, `soon`, `late`, `paused` or `done`.
    pub class: &'static str,
    /// “还剩 1 个工作日 3 小时”, “已超期 …”, “暂停计时”.
    pub text: String,
    /// “10月20日 周二 17:30”.
    pub absolute: String,
    /// Rests on a calendar that is not yet published.
    pub provisional: bool,
}

/// A small mark with a colour class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// `plain`, `warn`, `late`, `accent`.
    pub class: &'static str,
    /// The word.
    pub text: String,
}

impl Tag {
    /// A mark.
    pub fn new(class: &'static str, text: impl Into<String>) -> Self {
        Self { class, text: text.into() }
    }
}

/// A choice of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What is sent.
    pub value: String,
    /// What is shown.
    pub label: String,
    /// Whether it is chosen.
    pub selected: bool,
}

impl Choice {
    /// A choice that is not chosen.
    pub fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self { value: value.into(), label: label.into(), selected: false }
    }

    /// The same choice, chosen when its value is `present`.
    #[must_use]
    pub fn chosen(mut self, present: &str) -> Self {
        self.selected = self.value == present;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_ticks_what_is_done_and_marks_what_is_now() {
        let bar = stages(4);
        let marks: Vec<_> = bar.iter().map(|step| step.mark.as_str()).collect();
        assert_eq!(marks, ["✓", "✓", "✓", "4", "5", "6", "7", "8"]);
        assert!(bar.iter().filter(|step| step.now).all(|step| step.name == "处理"));
        assert!(stages(0).iter().all(|step| step.class.is_empty()));
    }
}
