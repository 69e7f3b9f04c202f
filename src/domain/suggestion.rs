//! What a model suggests to an officer: kinds, what became of it, and where no model may be asked at all.
//!
//! A suggestion is a draft in the officer's hands and nothing else. What the officer made of it is the only measure of
//! its worth.

use super::{
    case::Case,
    kinds::{CaseType, Diversion},
    text::{Difference, difference},
};
use crate::vocabulary;

vocabulary! {
    /// What is suggested.
    SuggestionKind {
        Reply = "reply", "答复草稿";
        Summary = "summary", "接手摘要";
        Title = "title", "标题与一句话诉求";
        Rewrite = "rewrite", "通俗改写";
        Classify = "classify", "类型建议";
    }
}

vocabulary! {
    /// What became of a suggestion.
    SuggestionOutcome {
        Open = "open", "还没决定";
        Kept = "kept", "原样采用";
        Edited = "edited", "修改后采用";
        ThrownAway = "thrown_away", "没有采用";
    }
}

vocabulary! {
    /// Why no model is asked about a case or a conversation (DOMAIN 9 no. 3 and 6).
    ModelBar {
        Sealed = "sealed", "专案限阅的件不交给模型";
        Confidential = "confidential", "企业要求身份保密，不交给模型";
        Conduct = "conduct", "反映工作人员作风的内容不交给模型";
        Report = "report", "举报内容不交给模型";
        Complaint = "complaint", "投诉和反映办不成事的内容属于敏感数据，不交给模型";
        Arrears = "arrears", "账款内容属于企业经营数据，不交给模型";
        Risk = "risk", "涉及风险隐患的内容不交给模型";
        Secret = "secret", "疑似涉密，不交给模型";
        Emergency = "emergency", "紧急险情先由人处置，不交给模型";
        Sensitive = "sensitive", "涉及敏感内容，不交给模型";
    }
}

/// Share of changed characters from which nothing of a suggestion was used.
pub const THROWN_AWAY_FROM: u8 = 70;

/// What an officer made of a suggestion: how it counts, and what was changed.
pub fn judge(shown: &str, used: &str) -> (SuggestionOutcome, Difference) {
    let difference = difference(shown.trim(), used.trim());
    let outcome = match difference.share {
        0 => SuggestionOutcome::Kept,
        share if share < THROWN_AWAY_FROM => SuggestionOutcome::Edited,
        _ => SuggestionOutcome::ThrownAway,
    };
    (outcome, difference)
}

/// Why nothing of this type goes to a model; `None`: it may.
pub const fn bar_of_type(case_type: CaseType) -> Option<ModelBar> {
    match case_type {
        CaseType::Conduct => Some(ModelBar::Conduct),
        CaseType::Report => Some(ModelBar::Report),
        CaseType::Complaint | CaseType::Stuck | CaseType::RatingReview => Some(ModelBar::Complaint),
        CaseType::Arrears => Some(ModelBar::Arrears),
        CaseType::Risk => Some(ModelBar::Risk),
        CaseType::Consultation
        | CaseType::Suggestion
        | CaseType::Coordination
        | CaseType::Help
        | CaseType::Praise
        | CaseType::ServiceOrder => None,
    }
}

/// Why nothing that was diverted like this goes to a model.
pub const fn bar_of_diversion(diversion: Diversion) -> Option<ModelBar> {
    match diversion {
        Diversion::D1 => Some(ModelBar::Emergency),
        Diversion::D4 => Some(ModelBar::Secret),
        Diversion::D2
        | Diversion::D3
        | Diversion::D5
        | Diversion::D6
        | Diversion::D7
        | Diversion::D8
        | Diversion::D9
        | Diversion::Smalltalk
        | Diversion::Unclear
        | Diversion::Abuse => None,
    }
}

/// Why a flag of a conversation keeps it from a model.
pub fn bar_of_flag(flag: &str) -> Option<ModelBar> {
    match flag {
        "risk" => Some(ModelBar::Risk),
        "emergency" => Some(ModelBar::Emergency),
        "secret" => Some(ModelBar::Secret),
        "confidential" => Some(ModelBar::Confidential),
        "sensitive" => Some(ModelBar::Sensitive),
        _ => None,
    }
}

/// How much a type asks of the government: a model may propose more, never less.
const fn weight(case_type: CaseType) -> u8 {
    match case_type {
        CaseType::Consultation | CaseType::Suggestion | CaseType::Praise => 0,
        CaseType::ServiceOrder => 1,
        CaseType::Help | CaseType::Coordination => 2,
        CaseType::Complaint | CaseType::Stuck | CaseType::Arrears | CaseType::RatingReview => 3,
        CaseType::Report | CaseType::Risk => 4,
        CaseType::Conduct => 5,
    }
}

/// Whether a model may propose this type in place of the one that stands there.
pub const fn may_propose(present: CaseType, proposed: CaseType) -> bool {
    present as u8 != proposed as u8 && weight(proposed) >= weight(present)
}

/// Why nothing of this case goes to a model; `None`: it may.
pub fn bar_of_case(case: &Case) -> Option<ModelBar> {
    if case.sealed {
        return Some(ModelBar::Sealed);
    }
    if case.party.confidential {
        return Some(ModelBar::Confidential);
    }
    bar_of_type(case.case_type).or_else(|| case.refusal.as_ref().and_then(|(code, _)| bar_of_diversion(*code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_officer_made_of_it_decides_how_it_counts() {
        let shown = "您好，请携带营业执照到政务服务中心综合窗口办理。";
        let check = |used: &str, expected| assert_eq!(judge(shown, used).0, expected, "{used}");
        check(shown, SuggestionOutcome::Kept);
        check(&format!("{shown}\n"), SuggestionOutcome::Kept);
        check("您好，请携带营业执照原件到政务服务中心二楼综合窗口办理。", SuggestionOutcome::Edited);
        check("这件事请直接联系税务局。", SuggestionOutcome::ThrownAway);
        check("", SuggestionOutcome::ThrownAway);
    }

    #[test]
    fn a_model_proposes_more_and_never_less() {
        assert!(may_propose(CaseType::Consultation, CaseType::Complaint));
        assert!(may_propose(CaseType::Help, CaseType::Coordination));
        assert!(!may_propose(CaseType::Help, CaseType::Consultation));
        assert!(!may_propose(CaseType::Help, CaseType::Help));
        for lower in CaseType::ALL.iter().filter(|t| **t != CaseType::Conduct) {
            assert!(!may_propose(CaseType::Conduct, *lower), "{lower}");
        }
    }

    #[test]
    fn what_is_said_against_somebody_never_goes_to_a_model() {
        for case_type in [CaseType::Conduct, CaseType::Report, CaseType::Complaint, CaseType::Stuck, CaseType::Risk] {
            assert!(bar_of_type(case_type).is_some(), "{case_type}");
        }
        assert_eq!(bar_of_type(CaseType::Consultation), None);
        assert_eq!(bar_of_diversion(Diversion::D4), Some(ModelBar::Secret));
        for flag in ["risk", "emergency", "secret", "confidential", "sensitive"] {
            assert!(bar_of_flag(flag).is_some(), "{flag}");
        }
        assert_eq!(bar_of_flag("repeat"), None);
    }
}
