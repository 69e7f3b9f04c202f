//! Officers and conversations: one owner, no double replies, notes that stay inside, a case beside the chat.

use std::sync::Arc;

use jiff::Timestamp;
use zhitong::{
    app::{
        App, AppError, Credential, Officer,
        content::{self, ContentStore, Origin},
        conversations::{self, CaseInput, CaseMade, Outgoing, Query, ReleaseTo, Sent, TransferTo},
        dialogue_codec,
        system::{FixedClock, SystemIds},
    },
    config::Config,
    domain::{
        access::Role,
        dialogue::{ConversationState, DialogueState, FieldKey},
        ids::{ConversationId, OfficerId, TokenId},
    },
    store::{
        Db, conversations as rows,
        conversations::{MessageRow, NewVisitor},
        officers::{self, NewOfficer},
        testing,
    },
};

/// A Wednesday morning in office hours.
const NOW: &str = "2026-11-25T10:00:00+08:00";

fn now() -> Timestamp {
    NOW.parse().expect("an instant")
}

fn app(db: Db) -> App {
    let config = Config::default();
    let built = content::build(&content::shipped_files(), &config.time, now(), Origin::Shipped, true);
    let content = built.content.expect("the shipped content loads");
    App::new(config, db, ContentStore::fixed(content), Arc::new(FixedClock::new(now())), Arc::new(SystemIds))
}

fn id<T: std::str::FromStr>(n: u32) -> T
where
    T::Err: std::fmt::Debug,
{
    format!("01934567-89ab-7000-8000-{n:012x}").parse().expect("an id")
}

fn officer(n: u32, name: &str, role: Role) -> Officer {
    Officer {
        id: id(n),
        login: format!("u{n}"),
        name: name.to_owned(),
        grants: vec![(role, None)],
        must_change_password: false,
        credential: Credential::Token(id::<TokenId>(n + 500)),
    }
}

async fn add_officer(app: &App, officer: &Officer) {
    let mut tx = app.db.write().await.expect("a transaction");
    let new = NewOfficer {
        id: officer.id,
        login: &officer.login,
        name: &officer.name,
        password_hash: "-",
        must_change_password: false,
    };
    officers::insert(&mut tx, &new, now()).await.expect("an officer");
    let roles: Vec<(Role, String)> =
        officer.grants.iter().map(|(role, unit)| (*role, unit.clone().unwrap_or_default())).collect();
    officers::set_roles(&mut tx, officer.id, &roles).await.expect("roles");
    tx.commit().await.expect("committed");
}

/// A conversation that waits for a person, with one message of the visitor.
async fn waiting(app: &App, n: u32, words: &str) -> ConversationId {
    let conversation: ConversationId = id(n);
    let mut tx = app.db.write().await.expect("a transaction");
    let token = format!("token{n}");
    let state = DialogueState {
        mode: ConversationState::Queued,
        last_matter: Some(words.to_owned()),
        ..DialogueState::default()
    };
    let new = NewVisitor {
        id: id(n + 1000),
        conversation,
        token_hash: &token,
        user_id: None,
        name: None,
        locale: None,
        channel: "web",
        external_id: None,
        dialogue: &dialogue_codec::encode(&state),
        expires_at: now(),
    };
    rows::insert(&mut tx, &new, now()).await.expect("a conversation");
    let mut row = rows::find(&mut tx, conversation).await.expect("found").expect("there");
    row.state = "queued".into();
    row.seq = 1;
    row.queued_at = Some(now().as_millisecond());
    rows::save(&mut tx, std::slice::from_ref(&row)).await.expect("saved");
    rows::insert_messages(&mut tx, &[message(conversation, 1, words)]).await.expect("a message");
    tx.commit().await.expect("committed");
    conversation
}

fn message(conversation: ConversationId, seq: i64, words: &str) -> MessageRow {
    MessageRow {
        conversation_id: conversation.to_string(),
        seq,
        id: format!("{conversation}-{seq}"),
        client_id: None,
        reply_to: None,
        sender: "visitor".into(),
        kind: "text".into(),
        text: words.into(),
        body: None,
        officer_id: None,
        rule_id: None,
        decision: None,
        at: now().as_millisecond(),
    }
}

/// The visitor writes once more, as the exchange would store it.
async fn visitor_writes(app: &App, conversation: ConversationId, words: &str) {
    let mut tx = app.db.write().await.expect("a transaction");
    let mut row = rows::find(&mut tx, conversation).await.expect("found").expect("there");
    row.seq += 1;
    rows::save(&mut tx, std::slice::from_ref(&row)).await.expect("saved");
    rows::insert_messages(&mut tx, &[message(conversation, row.seq, words)]).await.expect("a message");
    tx.commit().await.expect("committed");
}

fn outgoing<'a>(client_id: &'a str, text: &'a str, after_seq: Option<i64>) -> Outgoing<'a> {
    Outgoing { client_id, text, after_seq, file: None, suggestion: None }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "any other error fails the test")]
fn code(error: &AppError) -> &str {
    match error {
        AppError::Conflict { code, .. } | AppError::Invalid { code, .. } => code,
        other => panic!("unexpected: {other:?}"),
    }
}

async fn scenario(db: Db) {
    let app = app(db);
    let (lin, chen) = (officer(1, "林坐席", Role::FrontDesk), officer(2, "陈坐席", Role::FrontDesk));
    let handler = officer(3, "王承办", Role::Handler);
    for one in [&lin, &chen, &handler] {
        add_officer(&app, one).await;
    }
    let talk = waiting(&app, 10, "技改补贴公示四个月了还没到账").await;

    // Two officers grab one conversation at the same time: exactly one has it, the other learns who.
    let (first, second) = tokio::join!(
        conversations::take_over(&app, &lin, talk, None),
        conversations::take_over(&app, &chen, talk, None)
    );
    let (winner, loser, refused) = match (first, second) {
        (Ok(_), Err(error)) => (&lin, &chen, error),
        (Err(error), Ok(_)) => (&chen, &lin, error),
        other => panic!("exactly one must win: {other:?}"),
    };
    let AppError::Conflict { code: "conversation_taken", detail: Some(detail), .. } = &refused else {
        panic!("unexpected: {refused:?}")
    };
    assert!(detail.contains(&winner.name), "{detail}");
    assert!(conversations::take_over(&app, winner, talk, None).await.is_ok(), "a second click changes nothing");

    // Who does not have it cannot write; a repeated click stores one message.
    let refused =
        conversations::send(&app, loser, talk, &outgoing("a", "您好", None)).await.expect_err("not the owner");
    assert_eq!(code(&refused), "conversation_taken");
    let Sent::Stored { message: sent, promise: None } =
        conversations::send(&app, winner, talk, &outgoing("a", "您好，请说", None)).await.expect("sent")
    else {
        panic!("not stored")
    };
    let Sent::Stored { message: again, .. } =
        conversations::send(&app, winner, talk, &outgoing("a", "您好，请说", None)).await.expect("sent")
    else {
        panic!("not stored")
    };
    assert_eq!(sent.seq, again.seq);

    // An answer written over unseen words is refused with them.
    visitor_writes(&app, talk, "公示编号是12号").await;
    let Sent::Stale(unseen) = conversations::send(&app, winner, talk, &outgoing("b", "请提供公示编号", Some(sent.seq)))
        .await
        .expect("answered")
    else {
        panic!("the officer had not seen the visitor's words")
    };
    assert_eq!(unseen.last().map(|m| m.text.as_str()), Some("公示编号是12号"));
    let sent = conversations::send(
        &app,
        winner,
        talk,
        &outgoing("b", "核实后给您回复", Some(unseen.last().expect("one").seq)),
    )
    .await;
    let Ok(Sent::Stored { promise: Some(due), .. }) = sent else { panic!("a promise becomes a dated task: {sent:?}") };
    assert_eq!(due.to_string(), "2026-11-26T09:30:00Z", "the close of the next working day");

    // Notes stay inside.
    conversations::add_note(&app, winner, talk, "企业情绪激动").await.expect("a note");
    let detail = conversations::detail(&app, loser, talk).await.expect("colleagues may look");
    assert_eq!(detail.notes.len(), 1);
    assert!(detail.messages.iter().all(|m| !m.text.contains("情绪")));
    assert_eq!(detail.allowed, ["notes"]);
    assert_eq!(detail.item.owner.as_deref(), Some(winner.name.as_str()));
    assert!(
        matches!(conversations::detail(&app, &handler, talk).await, Err(AppError::NotFound)),
        "units do not see chats"
    );
    assert_eq!(detail.promises.len(), 1);

    // Handed on: the former owner is out at once.
    conversations::transfer(&app, winner, talk, &TransferTo::Officer(loser.id), "请继续").await.expect("handed on");
    let refused = conversations::send(&app, winner, talk, &outgoing("c", "补充一句", None))
        .await
        .expect_err("no longer the owner");
    assert_eq!(code(&refused), "conversation_taken");
    let nobody: OfficerId = id(77);
    let refused =
        conversations::transfer(&app, loser, talk, &TransferTo::Officer(nobody), "").await.expect_err("nobody");
    assert_eq!(code(&refused), "invalid_fields");
    let refused =
        conversations::transfer(&app, loser, talk, &TransferTo::Officer(handler.id), "").await.expect_err("no chats");
    assert_eq!(code(&refused), "invalid_fields");

    // A case beside the chat: pre-filled, complete before it is filed, with a receipt in the chat.
    let draft = conversations::make_case(&app, loser, talk, &CaseInput::default()).await.expect("a form");
    let CaseMade::Draft(form) = draft else { panic!("nothing may be filed without 提交") };
    assert!(form["matters"][0]["demand"].as_str().is_some_and(|d| d.contains("没到账")), "{form}");
    let input = CaseInput { confirm: true, ..CaseInput::default() };
    let refused = conversations::make_case(&app, loser, talk, &input).await.expect_err("no contact yet");
    assert_eq!(code(&refused), "form_incomplete");
    let fields =
        vec![(FieldKey::ContactPhone, "13800138000".to_owned()), (FieldKey::Enterprise, "示例模具厂".to_owned())];
    let input = CaseInput { fields, confirm: true, ..CaseInput::default() };
    let CaseMade::Filed(cases) = conversations::make_case(&app, loser, talk, &input).await.expect("filed") else {
        panic!("not filed")
    };
    let detail = conversations::detail(&app, loser, talk).await.expect("the owner sees it");
    assert_eq!(detail.cases, [cases[0].number.clone()]);
    let last = detail.messages.last().expect("messages");
    assert_eq!((last.kind.as_str(), last.sender.as_str()), ("card", "system"));
    assert_eq!(detail.item.row.state, "human");

    // Released: the bot or the queue has it, and it can be claimed anew.
    conversations::release(&app, loser, talk, ReleaseTo::Queue).await.expect("released");
    let refused = conversations::send(&app, loser, talk, &outgoing("d", "还在吗", None)).await.expect_err("given back");
    assert_eq!(code(&refused), "not_in_service");
    let queue = Query { state: Some(ConversationState::Queued), limit: 10, ..Query::default() };
    assert_eq!(conversations::list(&app, winner, &queue).await.expect("a list").items.len(), 1);
    let claimed = conversations::take_over(&app, winner, talk, None).await.expect("claimed again");
    assert!(claimed.fence >= 4, "every change of owner raises the fence");
    let mine = Query { mine: true, limit: 10, ..Query::default() };
    assert_eq!(conversations::list(&app, winner, &mine).await.expect("a list").items.len(), 1);
    assert_eq!(conversations::list(&app, loser, &mine).await.expect("a list").items.len(), 0);
    conversations::release(&app, winner, talk, ReleaseTo::Bot).await.expect("released");
    conversations::take_over(&app, winner, talk, None).await.expect("an officer may step in while the bot talks");

    // Closed, and not twice.
    conversations::close(&app, winner, talk).await.expect("closed");
    conversations::close(&app, winner, talk).await.expect("closed already");
    let refused = conversations::take_over(&app, winner, talk, None).await.expect_err("closed");
    assert_eq!(code(&refused), "conversation_closed");

    // Sequence numbers have no gaps, whatever happened.
    let mut tx = app.db.read().await.expect("a reader");
    let messages = rows::messages_after(&mut tx, talk, 0, 100).await.expect("messages");
    assert!(messages.iter().zip(1..).all(|(m, n)| m.seq == n), "gaps in the sequence");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_officer_has_a_conversation_on_sqlite() {
    let test = testing::sqlite().await;
    scenario(test.db.clone()).await;
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_officer_has_a_conversation_on_postgres() {
    let Some(test) = testing::postgres().await else { return };
    scenario(test.db.clone()).await;
    test.finish().await;
}

#[tokio::test]
async fn canned_answers_are_found_by_two_characters() {
    let test = testing::sqlite().await;
    let app = app(test.db.clone());
    let found = conversations::canned(&app, "年报", 5);
    assert!(found.iter().any(|c| c.title.contains("年报")), "{found:?}");
    assert!(conversations::canned(&app, "量子纠缠", 5).is_empty());
    let colloquial = conversations::canned(&app, "老板不给报工伤，家属可以自己去申报不", 3);
    assert_eq!(colloquial.first().map(|c| c.rule_id.as_str()), Some("injury-self"));
    let unchecked = conversations::canned(&app, "信用修复", 3);
    assert!(unchecked.iter().any(|c| c.awaiting_recheck && c.rule_id == "credit-repair"), "{unchecked:?}");
    assert!(conversations::canned(&app, "", 3).len() == 3 && !conversations::canned(&app, "税", 9).is_empty());
    test.finish().await;
}
