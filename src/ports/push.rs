//! What comes in from WeChat, free of wire formats: who did what, and the key that tells a repeat.

use super::wechat::MediaKind;

/// One message or event of a user.
#[derive(Debug, Clone, PartialEq)]
pub struct Push {
    /// openid, UserID or external_userid.
    pub from: String,
    /// The account as the platform names it.
    pub to: String,
    /// When it was made, seconds since 1970 UTC, as the platform says.
    pub created: i64,
    /// The platform's id; events have none.
    pub msg_id: Option<String>,
    /// Application of 企业微信: several get copies of one event.
    pub agent: Option<String>,
    /// What it is.
    pub what: What,
}

/// What the user did.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// Words.
    Text {
        /// The words.
        content: String,
        /// The entry of a menu that was tapped, as we had named it.
        menu_id: Option<String>,
    },
    /// A file that lies at the platform.
    Media {
        /// Its kind.
        kind: MediaKind,
        /// The platform's id of it.
        media_id: String,
        /// What speech recognition understood.
        words: Option<String>,
        /// The file's name, when the platform tells it.
        name: Option<String>,
    },
    /// A place on the map.
    Location {
        /// Latitude, degrees as written.
        latitude: String,
        /// Longitude, degrees as written.
        longitude: String,
        /// Its address in words.
        label: String,
    },
    /// A link.
    Link {
        /// Title.
        title: String,
        /// Summary.
        description: String,
        /// Address.
        url: String,
    },
    /// Follows the account; with the scene of the QR code that was scanned.
    Subscribe {
        /// Scene without `qrscene_`.
        scene: Option<String>,
    },
    /// Follows it no longer: the user's data must go.
    Unsubscribe,
    /// A follower scanned a QR code.
    Scan {
        /// Its scene.
        scene: String,
    },
    /// A tapped menu entry.
    Click {
        /// Its key.
        key: String,
    },
    /// Opened the application or the chat.
    Enter,
    /// How a notice that the platform had taken ended.
    NoticeEnded {
        /// The platform's number of it.
        notice: String,
        /// `success`, or why not.
        status: String,
    },
    /// 微信客服 has messages to fetch.
    KfMessages {
        /// Token for the fetch.
        token: String,
        /// The customer-service account.
        open_kfid: String,
    },
    /// Another event or kind of message: accepted, nothing follows.
    Other {
        /// Its name.
        name: String,
        /// `EventKey` and the like: what tells two of them apart.
        key: String,
    },
}

impl Push {
    /// Tells a repeat from a new message: MsgId is unique per user only, events have none.
    pub fn key(&self) -> String {
        let agent = self.agent.as_deref().unwrap_or_default();
        if let Some(id) = &self.msg_id {
            return format!("m|{id}|{}|{agent}", self.from);
        }
        let what = match &self.what {
            What::Text { content, .. } => format!("text|{content}"),
            What::Media { media_id, .. } => format!("media|{media_id}"),
            What::Location { latitude, longitude, .. } => format!("location|{latitude},{longitude}"),
            What::Link { url, .. } => format!("link|{url}"),
            What::Subscribe { scene } => format!("subscribe|{}", scene.as_deref().unwrap_or_default()),
            What::Unsubscribe => "unsubscribe".to_owned(),
            What::Scan { scene } => format!("scan|{scene}"),
            What::Click { key } => format!("click|{key}"),
            What::Enter => "enter".to_owned(),
            What::NoticeEnded { notice, .. } => format!("notice|{notice}"),
            What::KfMessages { token, open_kfid } => format!("kf|{open_kfid}|{token}"),
            What::Other { name, key } => format!("{name}|{key}"),
        };
        format!("e|{}|{}|{agent}|{what}", self.from, self.created)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(from: &str, msg_id: Option<&str>, created: i64, what: What) -> Push {
        Push { from: from.into(), to: "gh".into(), created, msg_id: msg_id.map(str::to_owned), agent: None, what }
    }

    #[test]
    fn a_message_id_of_another_user_is_another_message() {
        let text = |from, id| push(from, Some(id), 1, What::Text { content: "您好".into(), menu_id: None }).key();
        assert_eq!(text("a", "1"), text("a", "1"));
        assert_ne!(text("a", "1"), text("b", "1"));
        assert_ne!(text("a", "1"), text("a", "2"));
    }

    #[test]
    fn events_of_the_same_second_differ_by_what_they_are() {
        let event = |created, what| push("a", None, created, what).key();
        let click = |key: &str| What::Click { key: key.into() };
        assert_eq!(event(1, click("K")), event(1, click("K")));
        assert_ne!(event(1, click("K")), event(1, click("L")));
        assert_ne!(event(1, click("K")), event(2, click("K")));
        assert_ne!(event(1, What::Unsubscribe), event(1, What::Enter));
    }
}
