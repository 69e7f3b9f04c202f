//! What happens at this gateway, told to the open streams of the other gateways on the same PostgreSQL.
//!
//! Like every event for streams it is told after the commit and may be missed: the database is the truth. Whoever may
//! have missed something is told to look there. Nothing that is decided hangs on it. Words of visitors do not cross:
//! a stream elsewhere is told the number of the last message and reads it.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::{
    App, AppError,
    conversations::Viewer,
    events::{ChatEvent, Draft, Scope, StaffEvent},
};
use crate::{
    domain::{access::Permission, ids::ConversationId},
    store::relay::{LONGEST, Line, Listener},
};

/// Events that wait to be told; what comes when they are so many is replaced by one call to look.
const QUEUE: usize = 4_096;
/// The kinds of console events there are; a newer gateway's others are left out.
const KINDS: [&str; 10] =
    ["alert", "case", "content", "conversation", "delivery", "message", "notice", "presence", "task", "typing"];
/// The states of an answer that is being written.
const DRAFTS: [&str; 3] = ["waiting", "writing", "dropped"];
/// How long the line rests after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// Something to be told at the other gateways.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Wire {
    /// An event for consoles.
    Staff { kind: String, scope: WireScope, data: String },
    /// Messages of a conversation are stored up to this number.
    Messages { conversation: String, seq: i64 },
    /// An officer types.
    Typing { conversation: String, who: String },
    /// State or owner of a conversation changed.
    State { conversation: String },
    /// An answer of a model that is being written.
    Draft { conversation: String, ticket: u32, state: String, text: String },
    /// An officer is at a conversation.
    Present { conversation: String, officer: String, name: String, typing: bool, at: i64 },
    /// Something could not be told: look into the database.
    Look,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireScope {
    Permission(String),
    Officer(String),
    Case { units: Vec<String>, sealed: bool, recused: Vec<String> },
}

#[derive(Serialize, Deserialize)]
struct Letter<'a> {
    /// The gateway that tells.
    from: &'a str,
    told: Vec<Wire>,
}

#[derive(Deserialize)]
struct Heard {
    from: String,
    told: Vec<Wire>,
}

/// The way out to the other gateways; closed until [`Relay::open`].
#[derive(Debug, Default)]
pub struct Out {
    queue: std::sync::OnceLock<mpsc::Sender<Wire>>,
    missed: AtomicBool,
}

impl Out {
    fn put(&self, make: impl FnOnce() -> Wire) {
        if let Some(queue) = self.queue.get()
            && queue.try_send(make()).is_err()
        {
            self.missed.store(true, Relaxed);
        }
    }

    /// Tells the consoles of the other gateways.
    pub(super) fn staff(&self, event: &StaffEvent) {
        self.put(|| Wire::Staff {
            kind: event.kind.to_owned(),
            scope: WireScope::of(&event.scope),
            data: event.data.clone(),
        });
    }

    /// Tells the streams of a conversation at the other gateways.
    pub(super) fn visitor(&self, conversation: ConversationId, event: &ChatEvent) {
        let id = || conversation.to_string();
        match event {
            ChatEvent::Messages { seq } => self.put(|| Wire::Messages { conversation: id(), seq: *seq }),
            ChatEvent::Stored(messages) => {
                let seq = messages.iter().map(|message| message.seq).max().unwrap_or(0);
                self.put(|| Wire::Messages { conversation: id(), seq });
            }
            ChatEvent::Typing { who } => self.put(|| Wire::Typing { conversation: id(), who: who.clone() }),
            ChatEvent::State => self.put(|| Wire::State { conversation: id() }),
            ChatEvent::Draft(draft) => self.put(|| Wire::Draft {
                conversation: id(),
                ticket: draft.ticket,
                state: draft.state.to_owned(),
                text: draft.text.clone(),
            }),
        }
    }

    /// Tells the other gateways who is at a conversation.
    pub(super) fn present(&self, conversation: ConversationId, viewer: &Viewer) {
        self.put(|| Wire::Present {
            conversation: conversation.to_string(),
            officer: viewer.officer.to_string(),
            name: viewer.name.clone(),
            typing: viewer.typing,
            at: viewer.seen_at.as_millisecond(),
        });
    }
}

impl WireScope {
    fn of(scope: &Scope) -> Self {
        match scope {
            Scope::Permission(permission) => Self::Permission(permission.as_str().to_owned()),
            Scope::Officer(officer) => Self::Officer(officer.to_string()),
            Scope::Case { units, sealed, recused } => {
                Self::Case { units: units.clone(), sealed: *sealed, recused: recused.clone() }
            }
        }
    }

    /// `None` for what this gateway does not know: nobody is told then.
    fn read(self) -> Option<Scope> {
        Some(match self {
            Self::Permission(permission) => Scope::Permission(permission.parse().ok()?),
            Self::Officer(officer) => Scope::Officer(officer.parse().ok()?),
            Self::Case { units, sealed, recused } => Scope::Case { units, sealed, recused },
        })
    }
}

/// The line to the other gateways.
pub struct Relay {
    app: App,
    line: Line,
    listener: Listener,
    queue: mpsc::Receiver<Wire>,
    /// Tells this gateway's letters from those of others.
    name: String,
}

impl Relay {
    /// Listens from now on, and keeps for [`Relay::run`] what is to be told; `None` where one gateway is alone.
    ///
    /// # Errors
    /// `Store`.
    pub async fn open(app: &App) -> Result<Option<Self>, AppError> {
        let Some(line) = Line::open(&app.db).await? else { return Ok(None) };
        let listener = line.listen().await?;
        let (sender, queue) = mpsc::channel(QUEUE);
        if app.hub.out.queue.set(sender).is_err() {
            return Err(AppError::Internal("the line to other gateways is open already".to_owned()));
        }
        Ok(Some(Self { line, listener, queue, name: app.ids.uuid(app.now()).to_string(), app: app.clone() }))
    }

    /// Tells and hears until the shutdown.
    pub async fn run(self) {
        let Self { app, line, listener, queue, name } = self;
        tokio::select! {
            () = app.shutdown.cancelled() => {},
            () = tell(&app, &line, queue, &name) => {},
            () = hear(&app, listener, &name) => {},
        }
    }
}

/// Tells what waits: all of it at once, as far as it fits.
async fn tell(app: &App, line: &Line, mut queue: mpsc::Receiver<Wire>, name: &str) {
    let mut kept = None;
    loop {
        let first = match kept.take() {
            Some(first) => first,
            None => match queue.recv().await {
                Some(first) => first,
                None => return,
            },
        };
        let mut told = Vec::new();
        if app.hub.out.missed.swap(false, Relaxed) {
            told.push(Wire::Look);
        }
        let mut bytes = name.len() + 64;
        let mut next = Some(first);
        while let Some(wire) = next {
            let long = serde_json::to_string(&wire).map_or(LONGEST, |text| text.len() + 1);
            if bytes + long > LONGEST {
                if told.is_empty() {
                    // It alone is too long.
                    told.push(Wire::Look);
                } else {
                    kept = Some(wire);
                }
                break;
            }
            bytes += long;
            told.push(wire);
            next = queue.try_recv().ok();
        }
        let Ok(text) = serde_json::to_string(&Letter { from: name, told }) else { continue };
        if let Err(error) = line.tell(&text).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "other gateways were not told what happened here");
            app.hub.out.missed.store(true, Relaxed);
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Tells here what is heard.
async fn hear(app: &App, mut listener: Listener, name: &str) {
    loop {
        match listener.next().await {
            Ok(Some(text)) => match serde_json::from_str::<Heard>(&text) {
                Ok(heard) if heard.from == name => {}
                Ok(heard) => heard.told.into_iter().for_each(|wire| tell_here(app, wire)),
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "what another gateway told is unreadable");
                    tell_here(app, Wire::Look);
                }
            },
            Ok(None) => tell_here(app, Wire::Look),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "other gateways are not heard");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn tell_here(app: &App, wire: Wire) {
    let visitor = |conversation: &str, event: ChatEvent| {
        if let Ok(id) = conversation.parse() {
            app.hub.tell_visitor_here(id, event);
        }
    };
    match wire {
        Wire::Staff { kind, scope, data } => {
            let kind = KINDS.into_iter().find(|known| *known == kind);
            if let (Some(kind), Some(scope)) = (kind, scope.read()) {
                app.hub.tell_staff_here(StaffEvent { kind, scope, data });
            }
        }
        Wire::Messages { conversation, seq } => visitor(&conversation, ChatEvent::Messages { seq }),
        Wire::Typing { conversation, who } => visitor(&conversation, ChatEvent::Typing { who }),
        Wire::State { conversation } => visitor(&conversation, ChatEvent::State),
        Wire::Draft { conversation, ticket, state, text } => {
            if let Some(state) = DRAFTS.into_iter().find(|known| *known == state) {
                visitor(&conversation, ChatEvent::Draft(Draft { ticket, state, text }));
            }
        }
        Wire::Present { conversation, officer, name, typing, at } => {
            if let (Ok(id), Ok(officer), Ok(seen_at)) =
                (conversation.parse(), officer.parse(), Timestamp::from_millisecond(at))
            {
                app.presence.note(id, Viewer { officer, name, typing, seen_at });
            }
        }
        Wire::Look => {
            app.hub.wake_all();
            app.hub.tell_staff_here(StaffEvent {
                kind: "reload",
                scope: Scope::Permission(Permission::FollowEvents),
                data: "{}".to_owned(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::broadcast;

    use super::*;
    use crate::{
        app::{
            content::{self, Content, ContentStore, Origin},
            system::{SystemClock, SystemIds},
        },
        config::Config,
        domain::ids::OfficerId,
        ports::Clock as _,
        store::{Db, testing},
    };

    fn content() -> Content {
        let files: Vec<_> = content::shipped_files().into_iter().filter(|f| !content::is_rule_file(&f.path)).collect();
        let built = content::build(&files, &Config::default().time, SystemClock.now(), Origin::Shipped, true);
        built.content.expect("the shipped tables build")
    }

    /// A gateway on the line, and the task that works it.
    async fn gateway(db: &Db) -> (App, tokio::task::JoinHandle<()>) {
        let app = App::new(
            Config::default(),
            db.clone(),
            ContentStore::fixed(content()),
            Arc::new(SystemClock),
            Arc::new(SystemIds),
        );
        let relay = Relay::open(&app).await.unwrap().expect("a line");
        (app, tokio::spawn(relay.run()))
    }

    fn event(kind: &'static str, data: &str) -> StaffEvent {
        StaffEvent { kind, scope: Scope::Permission(Permission::Converse), data: data.to_owned() }
    }

    async fn heard(events: &mut broadcast::Receiver<Arc<StaffEvent>>) -> (&'static str, String) {
        let event = events.recv().await.expect("an event");
        (event.kind, event.data.clone())
    }

    #[tokio::test]
    async fn what_happens_at_one_gateway_is_told_at_the_other_once() {
        let Some(test) = testing::postgres().await else { return };
        let (a, at_a) = gateway(&test.db).await;
        let (b, at_b) = gateway(&test.db).await;
        let (mut here, mut there) = (a.hub.follow_staff(), b.hub.follow_staff());
        let conversation = ConversationId::from_uuid(uuid::Uuid::from_u128(7));
        let mut chat = b.hub.follow(conversation).expect("a stream");

        for n in 0..300 {
            a.hub.tell_staff(event("conversation", &n.to_string()));
        }
        a.hub.tell_visitor(conversation, ChatEvent::Typing { who: "王坐席".to_owned() });
        for n in 0..300 {
            assert_eq!(heard(&mut there).await, ("conversation", n.to_string()));
            assert_eq!(heard(&mut here).await, ("conversation", n.to_string()));
        }
        assert!(matches!(chat.recv().await, Ok(ChatEvent::Typing { who }) if who == "王坐席"));

        // Scopes cross whole.
        let case = Scope::Case { units: vec!["zjj".to_owned()], sealed: true, recused: vec!["swj".to_owned()] };
        a.hub.tell_staff(StaffEvent { kind: "case", scope: case, data: "{}".to_owned() });
        let crossed = there.recv().await.expect("an event");
        assert!(
            matches!(&crossed.scope, Scope::Case { units, sealed: true, recused }
            if *units == ["zjj"] && *recused == ["swj"]),
            "{crossed:?}"
        );

        // What does not fit is a call to look.
        a.hub.tell_staff(event("case", &"长".repeat(4_000)));
        a.hub.tell_staff(event("case", "short"));
        assert_eq!(heard(&mut there).await.0, "reload");
        assert_eq!(heard(&mut there).await, ("case", "short".to_owned()));
        assert!(matches!(chat.recv().await, Ok(ChatEvent::Messages { seq: i64::MAX })));

        // Who is at a conversation is known at both.
        let viewer = Viewer {
            officer: OfficerId::from_uuid(uuid::Uuid::from_u128(9)),
            name: "王坐席".to_owned(),
            typing: true,
            seen_at: Timestamp::from_millisecond(SystemClock.now().as_millisecond()).unwrap(),
        };
        a.hub.tell_present(conversation, &viewer);
        a.hub.tell_staff(event("presence", "{}"));
        assert_eq!(heard(&mut there).await.0, "presence");
        assert_eq!(b.presence.at(conversation, SystemClock.now()), [viewer]);

        // Nothing came back, nothing was told twice.
        let mut own = Vec::new();
        while let Ok(event) = here.try_recv() {
            own.push(event.kind);
        }
        assert_eq!(own, ["case", "case", "case", "presence"]);
        for (app, task) in [(a, at_a), (b, at_b)] {
            app.shutdown.cancel();
            task.await.expect("the line ends");
        }
        test.finish().await;
    }

    #[tokio::test]
    async fn a_lost_connection_is_found_again_and_everybody_is_told_to_look() {
        const KILL: &str = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity \
            WHERE query LIKE 'LISTEN%zhitong%' AND query LIKE '%' || $1 || '%'";
        let Some(test) = testing::postgres().await else { return };
        let (a, at_a) = gateway(&test.db).await;
        let (b, at_b) = gateway(&test.db).await;
        let mut there = b.hub.follow_staff();
        let channel = Line::open(&test.db).await.unwrap().expect("a line").channel().to_owned();
        let Db::Postgres { pool } = &test.db else { panic!("PostgreSQL") };
        let (killed,): (i64,) = sqlx::query_as(KILL).bind(&channel).fetch_one(pool).await.unwrap();
        assert_eq!(killed, 2, "both listened");
        assert_eq!(heard(&mut there).await.0, "reload");
        a.hub.tell_staff(event("case", "again"));
        assert_eq!(heard(&mut there).await, ("case", "again".to_owned()));
        for (app, task) in [(a, at_a), (b, at_b)] {
            app.shutdown.cancel();
            task.await.expect("the line ends");
        }
        test.finish().await;
    }

    #[tokio::test]
    async fn on_sqlite_a_gateway_is_alone() {
        let test = testing::sqlite().await;
        assert!(Line::open(&test.db).await.unwrap().is_none());
    }
}
