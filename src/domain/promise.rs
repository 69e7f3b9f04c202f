//! Words that commit somebody to something (DOMAIN 3.5 no. 12): whoever says them, bot or officer, a dated task follows.
//! What was done already, what is asked and what is refused is no promise.

mod moment;

use std::sync::LazyLock;

use jiff::Timestamp;
use regex::Regex;

use super::sla::Schedule;

/// What is promised whenever it is said, unless it is negated.
static PLAIN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"会(?:有专?人|派人)?(?:主动|尽快|及时|再|马上|立即)?(?:跟|与|和|同|向|给)?(?:[您你]|贵司|贵公司)",
        r"|会(?:有专?人|主动|尽快)?(?:联系|回复|答复|通知|告知)(?:[您你]|贵司|贵公司)|会有(?:专?人)?联系|会(?:有人)?上门|上门找[您你]",
        r"|(?:给|向)(?:[您你]|贵司|贵公司).{0,8}(?:回电|回话|回音|回复|答复|反馈|准信|说法|结果|打个?电话|去个?电话)",
        r"|(?:跟|与|和|同|主动)(?:[您你]|贵司|贵公司)?(?:取得)?联系",
        r"|(?:打|回)个?电话给(?:[您你]|贵司|贵公司)|(?:尽快|再|主动|有专?人)(?:联系|回复|答复)(?:[您你]|贵司|贵公司)",
    ))
    .expect("the pattern is a constant and compiles in the tests")
});

/// What is a promise only when it is said for later.
static ACT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?:联系|回复|答复|通知|告知|致电|回电|回)(?:给)?(?:[您你]们?|贵司|贵公司)",
        r"|(?:有|出)(?:个)?(?:结果|答复|回复|回音|结论)|回电|回个?电话|回话|给(?:[您你]|贵司|贵公司).{0,8}(?:办|处理|解决|落实)",
    ))
    .expect("the pattern is a constant and compiles in the tests")
});

/// Words that put a clause into the future.
static LATER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"会|将|再|尽快|尽早|马上|立即|立刻|稍后|稍候|随后|回头|到时|之后|以后|争取|保证|一定|一有|让|叫|派|安排|今[天日晚]|明[天日]|后天|[周期拜][一二三四五六日天]|下周|本周|月底|[0-9一二三四五六七八九十两半几](?:个|刻)?(?:半)?(?:小时|分钟|钟头|工作日|天|日|号|周|星期|月|点|钟)")
        .expect("the pattern is a constant and compiles in the tests")
});

/// Words that put it into the past.
static BEFORE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"昨[天日晚]|前[天日]|上周|上个?月|上午已|刚才|刚刚|之前|曾经?|[您你司](?:过|了)|(?:电|话|复|果|系|知)(?:过|了)")
        .expect("the pattern is a constant and compiles in the tests")
});

/// Words that make a promise of the past tense all the same: 马上就联系您了.
static STILL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"会|将|再|尽快|马上|立即|稍后|明[天日]|后天|下周")
        .expect("the pattern is a constant and compiles in the tests")
});

const NEGATED: &[&str] =
    &["不", "没法", "无法", "是否", "如果没", "要是没", "没有", "没人", "未", "请勿", "无需", "别", "如未"];
/// How far before a commitment its negation stands, in characters.
const NEAR: usize = 5;

/// Whether the words commit somebody to something (“会有人联系您”).
pub fn is_made_in(text: &str) -> bool {
    sentence_of(text).is_some()
}

/// The sentence that makes the promise, for the task.
pub fn sentence_of(text: &str) -> Option<&str> {
    text.split(['。', '！', '!', '\n', '；', ';']).map(str::trim).find(|sentence| clause_of(sentence).is_some())
}

/// When what the words promise is due, counted in the schedule; `None` when they name no time that is still to come.
pub fn due(text: &str, now: Timestamp, schedule: &Schedule) -> Option<Timestamp> {
    let sentence = sentence_of(text)?;
    let (_, end) = clause_of(sentence)?;
    // The time stands with the commitment, or in what was said right before it.
    let told = sentence.get(..end)?;
    told.rsplit(MARKS).find_map(|clause| moment::named(clause, now, schedule)).filter(|due| *due > now)
}

const MARKS: [char; 4] = ['，', ',', '、', '：'];

/// Where the clause that commits somebody stands in a sentence.
fn clause_of(sentence: &str) -> Option<(usize, usize)> {
    let mut from = 0;
    for clause in sentence.split_inclusive(['，', ',', '？', '?']) {
        let to = from + clause.len();
        if commits(clause) {
            return Some((from, to));
        }
        from = to;
    }
    None
}

fn commits(clause: &str) -> bool {
    if clause.contains(['？', '?', '吗']) || clause.contains("什么时候") || clause.contains("有没有") {
        return false;
    }
    let over = BEFORE.is_match(clause) && !STILL.is_match(clause);
    if over {
        return false;
    }
    let affirmed = |at: usize| {
        let before = clause.get(..at).unwrap_or_default();
        let near = before.char_indices().rev().nth(NEAR - 1).map_or(0, |(from, _)| from);
        let near = before.get(near..).unwrap_or_default();
        !NEGATED.iter().any(|no| near.contains(no))
    };
    let of_others = |end: usize| clause.get(end..).is_some_and(|rest| rest.starts_with('的'));
    PLAIN.find_iter(clause).any(|found| affirmed(found.start()))
        || (LATER.is_match(clause)
            && ACT.find_iter(clause).any(|found| affirmed(found.start()) && !of_others(found.end())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sla::{OfficeHours, WorkCalendar};

    #[test]
    fn commitments_are_recognised() {
        for yes in [
            "明天上午会有人联系您",
            "我核实后给您回复",
            "请放心，会通知您结果",
            "周一下午三点前回复您",
            "我2小时内给您答复",
            "今天下班前给您回话",
            "11月29日前联系您",
            "12月3日前会有结果",
            "我们会尽快处理并回电",
            "半小时内回您",
            "一周内答复您",
            "下周三我让经信局的人联系您",
            "我明天上午十点前给您回电话",
            "3个工作日内会有人联系您",
            "您的情况已登记，会有人联系您",
            "马上就联系你",
            "我会安排同事跟您联系",
            "核实清楚了再答复您",
        ] {
            assert!(is_made_in(yes), "{yes}");
        }
    }

    #[test]
    fn what_was_done_asked_or_refused_is_none() {
        for no in [
            "请您联系税务局",
            "我们不会给您打电话要验证码",
            "已经解决",
            "昨天已经有人联系您了",
            "刚才给您回过电话了",
            "有人联系您了吗？",
            "什么时候方便给您打电话？",
            "目前没有人联系您吗",
            "如果没有人联系您，请再告诉我",
            "您可以联系您的开户行",
            "经信局上周回复您了",
            "材料已收到",
            "提交的结果我看到了",
        ] {
            assert!(!is_made_in(no), "{no}");
        }
    }

    /// Friday, 27 November 2026, 10:00 in Shanghai.
    fn due_at(text: &str) -> String {
        let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
        let schedule = Schedule::new(WorkCalendar::unpublished(), OfficeHours::standard(), zone);
        let now: Timestamp = "2026-11-27T10:00:00+08:00".parse().expect("a valid instant");
        due(text, now, &schedule).map_or_else(String::new, |at| schedule.civil(at).strftime("%m-%d %H:%M").to_string())
    }

    #[test]
    fn a_promise_is_due_when_it_says() {
        for (text, expected) in [
            ("周一下午三点前回复您", "11-30 15:00"),
            ("我2小时内给您答复", "11-27 12:00"),
            ("半小时内回您", "11-27 10:30"),
            ("20分钟后给您回电话", "11-27 10:20"),
            ("一个半小时内给您回电话", "11-27 11:30"),
            ("今天下班前给您回话", "11-27 17:30"),
            ("今天上午给您回话", "11-27 12:00"),
            ("明天上午十点前给您回电话", "11-28 10:00"),
            ("明天上午10:30给您回电话", "11-28 10:30"),
            ("下午四点半给您回电话", "11-27 16:30"),
            ("11月29日前联系您", "11-29 17:30"),
            ("12月3日前会有结果", "12-03 17:30"),
            ("3个工作日内会有人联系您", "12-02 17:30"),
            ("三个工作日内会有人联系您", "12-02 17:30"),
            ("一周内答复您", "12-04 17:30"),
            ("两天内答复您", "11-30 17:30"),
            ("下周三我让经信局的人联系您", "12-02 17:30"),
            ("本周五下班前给您答复", "11-27 17:30"),
            ("周四给您答复", "12-03 17:30"),
            ("下周给您答复", "12-04 17:30"),
            ("月底前给您答复", "11-30 17:30"),
            ("我核实一下，下午三点前给您回复", "11-27 15:00"),
            ("您10月3日反映的事，我们3个工作日内答复您", "12-02 17:30"),
            ("我马上给您回电话", "11-27 17:30"),
            ("我们会尽快处理并回电", ""),
            ("上午九点前给您回电话", "11-28 09:00"),
            ("昨天已经有人联系您了", ""),
        ] {
            assert_eq!(due_at(text), expected, "{text}");
        }
    }
}
