//! Server-sent events: the visitor's conversation and the officers' console.
//!
//! A conversation stream resumes after the number in `Last-Event-ID` and never skips one: what it did not get told it
//! reads. A reader that lags costs a bounded queue. Heartbeat 15 s; streams end at shutdown and when rights end.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{Stream, stream};
use serde::Deserialize;
use tokio::sync::{
    Semaphore,
    broadcast::{self, error::RecvError},
};
use tokio::time::{Interval, MissedTickBehavior, interval};
use utoipa::IntoParams;

use crate::{
    app::{
        App, AppError, Officer, auth, chat,
        events::{ChatEvent, Scope, StaffEvent},
        message::{ConversationInfo, Message},
    },
    domain::{access::Role, ids::ConversationId},
    web::{
        auth::{RawToken, Visitor},
        error::WebError,
        extract::Params,
    },
};

const HEARTBEAT: Duration = Duration::from_secs(15);
/// Messages read at once while catching up.
const PAGE: i64 = 100;
/// With several gateways on one database, a stream looks by itself this often.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Streams that read at once; the others wait for their turn in little memory. What thousands of them would hold while
/// they all wait for the database is given back late or never.
static READS: Semaphore = Semaphore::const_new(32);
/// Rights of an open console are checked this often.
const CHECK_EVERY: Duration = Duration::from_secs(4);

/// Where the stream begins.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
pub struct StreamQuery {
    /// Only messages with a greater number; `Last-Event-ID` wins.
    pub after: Option<i64>,
}

/// Counts an open stream as long as it lives.
struct Counted(App);

impl Counted {
    fn new(app: &App) -> Self {
        app.metrics.streams.fetch_add(1, Relaxed);
        Self(app.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.metrics.streams.fetch_sub(1, Relaxed);
    }
}

struct ChatStream {
    app: App,
    conversation: ConversationId,
    seq: i64,
    events: broadcast::Receiver<ChatEvent>,
    ready: VecDeque<Event>,
    must_look: bool,
    must_tell_state: bool,
    /// Whether other gateways may work on the same database.
    several: bool,
    look: Interval,
    _counted: Counted,
}

/// Messages, typing and state of the visitor's conversation.
#[utoipa::path(get, path = "/api/chat/stream", tag = "chat", params(StreamQuery),
    responses((status = 200, description = "Events `message` (id: seq), `typing`, `state`, and \
        `draft` (what passed so far of an answer that a model writes; not stored)", body = String,
        content_type = "text/event-stream"), (status = 401, body = crate::web::error::Problem),
        (status = 429, body = crate::web::error::Problem)))]
/// # Errors
/// Every refusal is answered as `problem+json`.
pub async fn conversation(
    State(app): State<App>,
    visitor: Visitor,
    headers: HeaderMap,
    Params(query): Params<StreamQuery>,
) -> Result<Response, WebError> {
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    // Many may wait below: the read buffer of the connection goes with the last part of the request.
    drop(headers);
    let events = app
        .hub
        .follow(visitor.conversation)
        .ok_or(AppError::TooMany { code: "too_many_streams", retry_after_s: 30 })?;
    let mut ready = VecDeque::new();
    let seq = if let Some(seq) = last.or(query.after) {
        seq
    } else {
        let _turn = READS.acquire().await;
        let info = Box::pin(chat::conversation(&app, visitor.conversation)).await?;
        ready.extend(state_event(&info));
        info.seq
    };
    let told = !ready.is_empty();
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let state = ChatStream {
        conversation: visitor.conversation,
        seq: seq.max(0),
        events,
        ready,
        must_look: !told,
        must_tell_state: !told,
        several: app.db.file().is_none(),
        look,
        _counted: Counted::new(&app),
        app,
    };
    Ok(respond(stream::unfold(state, next_chat)))
}

fn respond(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response();
    // Proxies must not hold events back.
    response.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

async fn next_chat(mut state: ChatStream) -> Option<(Result<Event, Infallible>, ChatStream)> {
    loop {
        if let Some(event) = state.ready.pop_front() {
            return Some((Ok(event), state));
        }
        if state.must_look {
            state.must_look = false;
            // A database that does not answer: the client reconnects and resumes.
            // Boxed: thousands of streams wait idly and look rarely.
            let turn = READS.acquire().await;
            let read = Box::pin(chat::history(&state.app, state.conversation, state.seq, PAGE));
            let (messages, info) = read.await.ok()?;
            drop(turn);
            state.must_look = i64::try_from(messages.len()).is_ok_and(|n| n == PAGE);
            // Another gateway may have changed who answers; every such change is told by a message.
            state.must_tell_state |= state.several && !messages.is_empty();
            push(&mut state, &messages);
            if state.must_tell_state && !state.must_look {
                state.must_tell_state = false;
                state.ready.extend(state_event(&info));
            }
            continue;
        }
        if state.must_tell_state {
            state.must_tell_state = false;
            let turn = READS.acquire().await;
            let info = Box::pin(chat::conversation(&state.app, state.conversation)).await.ok()?;
            drop(turn);
            state.ready.extend(state_event(&info));
            continue;
        }
        let several = state.several;
        tokio::select! {
            () = state.app.shutdown.cancelled() => return None,
            _ = state.look.tick(), if several => state.must_look = true,
            event = state.events.recv() => match event {
                Ok(ChatEvent::Messages { seq }) => state.must_look = seq > state.seq,
                Ok(ChatEvent::Stored(messages)) => {
                    // What came between, e.g. the note of a case, is looked up.
                    let next = messages.first().is_some_and(|first| first.seq <= state.seq + 1);
                    let whole = messages.windows(2).all(|pair| matches!(pair, [a, b] if b.seq == a.seq + 1));
                    if next && whole {
                        push(&mut state, &messages);
                    } else {
                        state.must_look = true;
                    }
                },
                Ok(ChatEvent::Typing { who }) => {
                    let data = serde_json::json!({ "from": "officer", "name": who });
                    if let Ok(event) = Event::default().event("typing").json_data(data) {
                        state.ready.push_back(event);
                    }
                },
                Ok(ChatEvent::State) => state.must_tell_state = true,
                Ok(ChatEvent::Draft(draft)) => {
                    if let Ok(event) = Event::default().event("draft").json_data(&draft) {
                        state.ready.push_back(event);
                    }
                },
                Err(RecvError::Lagged(_)) => {
                    state.must_look = true;
                    state.must_tell_state = true;
                },
                Err(RecvError::Closed) => return None,
            },
        }
    }
}

fn state_event(info: &ConversationInfo) -> Option<Event> {
    Event::default().event("state").json_data(info).ok()
}

fn push(state: &mut ChatStream, messages: &[Message]) {
    for message in messages {
        if message.seq <= state.seq {
            continue;
        }
        state.seq = message.seq;
        if let Ok(event) = Event::default().event("message").id(message.seq.to_string()).json_data(message) {
            state.ready.push_back(event);
        }
    }
}

struct ConsoleStream {
    app: App,
    officer: Officer,
    token: String,
    events: broadcast::Receiver<Arc<StaffEvent>>,
    check: Interval,
    greeted: bool,
    _counted: Counted,
}

/// What happens, as far as the account may see it.
#[utoipa::path(get, path = "/api/events/stream", tag = "events",
    responses((status = 200, description = "Events `conversation`, `message`, `typing`, `presence`, `case`, `task`, \
        `alert`, `content`; `reload` after a gap", body = String, content_type = "text/event-stream"),
        (status = 401, body = crate::web::error::Problem), (status = 403, body = crate::web::error::Problem)))]
pub async fn console(
    State(app): State<App>,
    officer: Officer,
    Extension(RawToken(token)): Extension<RawToken>,
) -> Response {
    let mut check = interval(CHECK_EVERY);
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let events = app.hub.follow_staff();
    let state = ConsoleStream { officer, token, events, check, greeted: false, _counted: Counted::new(&app), app };
    respond(stream::unfold(state, next_console))
}

async fn next_console(mut state: ConsoleStream) -> Option<(Result<Event, Infallible>, ConsoleStream)> {
    if !state.greeted {
        state.greeted = true;
        return Some((Ok(Event::default().event("ready").data("{}")), state));
    }
    loop {
        tokio::select! {
            () = state.app.shutdown.cancelled() => return None,
            _ = state.check.tick() => match Box::pin(auth::authenticate(&state.app, &state.token)).await {
                Ok(officer) => state.officer = officer,
                Err(AppError::Unauthenticated { .. }) => return None,
                // The database did not answer just now; rights are checked again in a moment.
                Err(_) => {},
            },
            event = state.events.recv() => match event {
                Ok(event) => {
                    if may_see(&state.officer, &event.scope) {
                        return Some((Ok(Event::default().event(event.kind).data(&event.data)), state));
                    }
                },
                Err(RecvError::Lagged(_)) => return Some((Ok(Event::default().event("reload").data("{}")), state)),
                Err(RecvError::Closed) => return None,
            },
        }
    }
}

/// Whether an event is for this officer.
pub fn may_see(officer: &Officer, scope: &Scope) -> bool {
    match scope {
        Scope::Permission(permission) => officer.permits(*permission),
        Scope::Officer(id) => officer.id == *id,
        Scope::Case { units, sealed, recused } => {
            let of = |list: &[String]| {
                officer.grants.iter().filter_map(|(_, unit)| unit.as_ref()).any(|unit| list.contains(unit))
            };
            if of(recused) {
                return false;
            }
            if *sealed {
                return officer.has(Role::Discipline);
            }
            officer.roles().iter().any(|role| role.is_central()) || of(units)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::Credential,
        domain::{
            access::Permission,
            ids::{OfficerId, TokenId},
        },
    };

    fn officer(role: Role, unit: Option<&str>) -> Officer {
        let id = "01934567-89ab-7000-8000-000000000001";
        Officer {
            id: id.parse::<OfficerId>().unwrap(),
            login: "x".into(),
            name: "x".into(),
            grants: vec![(role, unit.map(str::to_owned))],
            must_change_password: false,
            credential: Credential::Token(id.parse::<TokenId>().unwrap()),
        }
    }

    #[test]
    fn events_reach_only_who_may_see_them() {
        let case = |sealed: bool, recused: &[&str]| Scope::Case {
            units: vec!["zjj".into()],
            sealed,
            recused: recused.iter().map(|unit| (*unit).to_owned()).collect(),
        };
        let check = |role, unit, scope: &Scope, expected| {
            assert_eq!(may_see(&officer(role, unit), scope), expected, "{role} {unit:?} {scope:?}");
        };
        check(Role::Handler, Some("zjj"), &case(false, &[]), true);
        check(Role::Handler, Some("rsj"), &case(false, &[]), false);
        check(Role::Dispatcher, None, &case(false, &[]), true);
        check(Role::Dispatcher, None, &case(true, &[]), false);
        check(Role::Discipline, None, &case(true, &[]), true);
        check(Role::Handler, Some("zjj"), &case(false, &["zjj"]), false);
        check(Role::Admin, None, &case(false, &[]), false);
        let mut both = officer(Role::Handler, Some("rsj"));
        both.grants.push((Role::Handler, Some("zjj".into())));
        assert!(may_see(&both, &case(false, &[])) && !may_see(&both, &case(false, &["zjj"])), "the second unit counts");
        check(Role::FrontDesk, None, &Scope::Permission(Permission::Converse), true);
        check(Role::Handler, Some("zjj"), &Scope::Permission(Permission::Converse), false);
    }
}
