//! Notices to officers: of which kind a message of a case is, and whom in a unit or at the centre it concerns.

use crate::{domain::access::Role, vocabulary};

vocabulary! {
    /// What a notice is about; the first ones are the most pressing.
    NoticeKind {
        Alert = "alert", "紧急情况";
        Overdue = "overdue", "超期";
        DueSoon = "due_soon", "临期";
        Assigned = "assigned", "分派";
        ToSign = "to_sign", "待审签";
        Assist = "assist", "协办";
        Returned = "returned", "退回";
        Supervised = "supervised", "督办";
        News = "news", "动态";
        PushFailed = "push_failed", "推送失败";
    }
}

impl NoticeKind {
    /// The kind of a message that a case sends to officers; `None` for what stands in their list anyway.
    pub fn of_message(kind: &str) -> Option<Self> {
        Some(match kind {
            // Every new case is in the list of the centre; a notice for each would bury the others.
            "case_submitted" => return None,
            "deadline_missed" => Self::Overdue,
            "deadline_warned" | "due_recomputed" | "call_asked" | "plan_review_due" => Self::DueSoon,
            "case_dispatched" | "case_deemed_signed" | "case_transferred_out" | "handler_assigned" => Self::Assigned,
            "reply_drafted" => Self::ToSign,
            "assist_asked" | "assist_answered" => Self::Assist,
            "return_requested" | "return_refused" | "reply_refused" | "draft_rejected" | "close_refused"
            | "rating_upheld" | "recheck_opened" | "case_reopened" | "refusal_objected" => Self::Returned,
            "case_supervised" | "supervision_ended" | "case_escalated" | "case_urged" => Self::Supervised,
            _ => Self::News,
        })
    }

    /// Whether it is shown at once, over whatever the officer does.
    pub const fn is_pressing(self) -> bool {
        matches!(self, Self::Alert)
    }
}

/// The roles of a unit that a message concerns: who signs, who registers, and for the rest who handles it. The handler
/// is told by name where there is one.
pub fn roles_in_unit(kind: &str, has_handler: bool) -> &'static [Role] {
    match kind {
        "reply_drafted" => &[Role::UnitLeader],
        "deadline_missed" | "case_supervised" | "case_escalated" => &[Role::UnitLeader, Role::UnitClerk],
        _ if has_handler && !matches!(kind, "case_dispatched" | "assist_asked") => &[],
        _ => &[Role::UnitClerk],
    }
}

/// The roles at the centre that a message concerns.
pub fn roles_at_centre(kind: &str) -> &'static [Role] {
    match kind {
        "reply_signed" | "close_requested" | "confirmed_silently" | "bad_rating" | "recheck_opened" => {
            &[Role::Verifier]
        }
        "deadline_missed" | "case_supervised" | "case_escalated" => &[Role::Dispatcher, Role::Supervisor],
        _ => &[Role::Dispatcher],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_find_their_kind_and_their_readers() {
        assert_eq!(NoticeKind::of_message("case_submitted"), None);
        assert_eq!(NoticeKind::of_message("deadline_missed"), Some(NoticeKind::Overdue));
        assert_eq!(NoticeKind::of_message("something_new"), Some(NoticeKind::News), "nothing is lost");
        assert_eq!(roles_in_unit("reply_drafted", true), [Role::UnitLeader]);
        assert!(roles_in_unit("reply_refused", true).is_empty(), "the handler alone");
        assert_eq!(roles_in_unit("case_dispatched", false), [Role::UnitClerk]);
        assert_eq!(roles_at_centre("reply_signed"), [Role::Verifier]);
    }
}
