//! Who looks at which conversation and who types; in memory only, told to the other gateways.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{load, owns};
use crate::{
    app::{
        App, AppError, Officer,
        events::{ChatEvent, Scope, StaffEvent},
        wechat,
    },
    domain::{
        access::Permission,
        ids::{ConversationId, OfficerId},
    },
};

/// A viewer is forgotten after this long without a sign.
const PRESENCE: SignedDuration = SignedDuration::from_secs(25);

/// Who looks at which conversation and who types; in memory only, and forgotten after 25 seconds.
#[derive(Debug, Default)]
pub struct Presence(std::sync::Mutex<std::collections::HashMap<ConversationId, Vec<Viewer>>>);

/// An officer at a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    /// Who.
    pub officer: OfficerId,
    /// Name.
    pub name: String,
    /// Whether an answer is being written.
    pub typing: bool,
    /// Last sign of life.
    pub seen_at: Timestamp,
}

impl Presence {
    /// Notes a sign of life; returns who is there, those who type first.
    pub fn note(&self, conversation: ConversationId, viewer: Viewer) -> Vec<Viewer> {
        let now = viewer.seen_at;
        let mut map = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if map.len() > 4_096 {
            map.retain(|_, viewers| viewers.iter().any(|v| fresh(v, now)));
        }
        let viewers = map.entry(conversation).or_default();
        viewers.retain(|v| v.officer != viewer.officer && fresh(v, now));
        viewers.push(viewer);
        viewers.sort_by(|a, b| b.typing.cmp(&a.typing).then_with(|| a.name.cmp(&b.name)));
        viewers.clone()
    }

    /// Who is at a conversation now.
    pub fn at(&self, conversation: ConversationId, now: Timestamp) -> Vec<Viewer> {
        let map = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        map.get(&conversation).map(|v| v.iter().filter(|v| fresh(v, now)).cloned().collect()).unwrap_or_default()
    }
}

fn fresh(viewer: &Viewer, now: Timestamp) -> bool {
    now.duration_since(viewer.seen_at) <= PRESENCE
}

/// Notes that an officer looks at a conversation, and tells the others; the visitor is told when its own officer
/// types.
///
/// # Errors
/// `NotFound`, `Store`.
pub async fn be_present(
    app: &App,
    officer: &Officer,
    id: ConversationId,
    typing: bool,
) -> Result<Vec<Viewer>, AppError> {
    let mut tx = app.db.read().await?;
    let row = load(&mut tx, officer, id).await?;
    drop(tx);
    let viewer = Viewer { officer: officer.id, name: officer.name.clone(), typing, seen_at: app.now() };
    app.hub.tell_present(id, &viewer);
    let viewers = app.presence.note(id, viewer);
    if typing && owns(officer, &row) {
        wechat::officer_types(app, id);
        app.hub.tell_visitor(id, ChatEvent::Typing { who: officer.name.clone() });
    }
    let names: Vec<Value> = viewers.iter().map(|v| json!({"name": v.name, "typing": v.typing})).collect();
    app.hub.tell_staff(StaffEvent {
        kind: "presence",
        scope: Scope::Permission(Permission::Converse),
        data: json!({"id": row.id, "viewers": names}).to_string(),
    });
    Ok(viewers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewer_is_forgotten_after_twenty_five_seconds() {
        let presence = Presence::default();
        let conversation: ConversationId = "01934567-89ab-7000-8000-000000000001".parse().unwrap();
        let viewer = |n: u8, typing, at: i64| Viewer {
            officer: format!("01934567-89ab-7000-8000-0000000000{n:02x}").parse().unwrap(),
            name: format!("坐席{n}"),
            typing,
            seen_at: Timestamp::from_second(at).unwrap(),
        };
        presence.note(conversation, viewer(1, false, 100));
        let there = presence.note(conversation, viewer(2, true, 110));
        assert_eq!(
            there.iter().map(|v| v.name.as_str()).collect::<Vec<_>>(),
            ["坐席2", "坐席1"],
            "who types comes first"
        );
        let now = Timestamp::from_second(126).unwrap();
        assert_eq!(presence.at(conversation, now).iter().map(|v| v.name.as_str()).collect::<Vec<_>>(), ["坐席2"]);
        presence.note(conversation, viewer(2, false, 127));
        assert!(!presence.at(conversation, Timestamp::from_second(128).unwrap())[0].typing);
    }
}
