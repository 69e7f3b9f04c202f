//! What forms say and which ones are left out.

use super::*;

fn facts() -> FormFacts {
    let some = |key: &str, name: &str| vec![(key.to_owned(), name.to_owned())];
    FormFacts {
        units: some("zjj", "住建局"),
        topics: some("FIRE.ACCEPT", "消防验收"),
        handlers: some("1", "承办人"),
        tasks: some("1", "协办事项"),
        own_tasks: some("1", "协办事项"),
        return_to: "zjj".to_owned(),
        ..FormFacts::default()
    }
}

#[test]
fn a_choice_of_nothing_is_not_offered() {
    assert!(action_form(CaseAction::Dispatch, &FormFacts::default()).is_none());
}

#[test]
fn every_action_of_the_main_path_has_a_form_that_says_what_happens() {
    use CaseAction as A;
    let facts = facts();
    for action in [
        A::Accept,
        A::Refuse,
        A::Dispatch,
        A::SignIn,
        A::RecordContact,
        A::RecordProgress,
        A::DraftReply,
        A::SignOff,
        A::RejectDraft,
        A::ReleaseReply,
        A::RefuseReply,
        A::Confirm,
        A::RequestClose,
        A::ApproveClose,
        A::RefuseClose,
    ] {
        let form = action_form(action, &facts).expect("the main path has a form");
        assert!(form.effect.chars().count() > 8, "{}", form.action);
        assert!(form.shown, "{}", form.action);
    }
}

#[test]
fn what_ends_or_sends_back_is_marked() {
    for action in [CaseAction::Refuse, CaseAction::RefuseReply, CaseAction::TransferOut, CaseAction::RequestReturn] {
        assert_eq!(action_form(action, &facts()).map(|form| form.tone), Some("danger"));
    }
}
