//! From the request of a callback to what the user did: mode, signature, decryption, fields.
//!
//! The mode is decided by each request: `encrypt_type=aes` (公众号), or always encrypted (企业微信, 微信客服). A request
//! without `encrypt_type` is a plain one and must carry a valid `signature`; a missing `msg_signature` never makes one.

use super::{
    Refusal, crypto,
    crypto::AesKey,
    envelope::{self, Fields, Format},
    reply,
};
use crate::ports::{
    push::{Push, What},
    wechat::MediaKind,
};

/// The query of a callback.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Over token, timestamp and nonce.
    pub signature: Option<String>,
    /// Over the same and `Encrypt`.
    pub msg_signature: Option<String>,
    /// Seconds, as written.
    pub timestamp: String,
    /// Any text.
    pub nonce: String,
    /// `aes`, `raw` or nothing.
    pub encrypt_type: Option<String>,
    /// Comes back when the address is checked.
    pub echostr: Option<String>,
}

impl Query {
    /// Reads the raw query; percent signs are decoded once, and `+` stays what it is: the texts are base64.
    ///
    /// # Errors
    /// `Malformed`: no timestamp or nonce, or no UTF-8.
    pub fn parse(raw: &str) -> Result<Self, Refusal> {
        let mut query = Self::default();
        for (name, value) in raw.split('&').filter_map(|pair| pair.split_once('=')) {
            let value = decode(value)?;
            match name {
                "signature" => query.signature = Some(value),
                "msg_signature" => query.msg_signature = Some(value),
                "timestamp" => query.timestamp = value,
                "nonce" => query.nonce = value,
                "encrypt_type" => query.encrypt_type = Some(value),
                "echostr" => query.echostr = Some(value),
                _ => {}
            }
        }
        if query.timestamp.is_empty() || query.nonce.is_empty() {
            return Err(Refusal::Malformed);
        }
        Ok(query)
    }

    /// When the request was signed, seconds since 1970 UTC.
    ///
    /// # Errors
    /// `Malformed`: no number.
    pub fn seconds(&self) -> Result<i64, Refusal> {
        self.timestamp.parse().map_err(|_| Refusal::Malformed)
    }
}

fn decode(value: &str) -> Result<String, Refusal> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16)).ok_or(Refusal::Malformed);
            let (high, low) = (digit(rest.next())?, digit(rest.next())?);
            bytes.push(u8::try_from(high * 16 + low).map_err(|_| Refusal::Malformed)?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).map_err(|_| Refusal::Malformed)
}

/// How an account receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Plain or encrypted, as each request says.
    Auto,
    /// Only plain.
    Plain,
    /// Only encrypted.
    Safe,
}

/// What an account checks and opens requests with.
pub struct Receiver<'a> {
    /// Token of the callback.
    pub token: &'a str,
    /// Each EncodingAESKey as written, the present one first, then the one before it; read when a request is encrypted.
    pub keys: Vec<&'a str>,
    /// AppID or CorpID: who an encrypted message is for.
    pub receive_id: &'a str,
    /// Which requests are taken.
    pub mode: Mode,
    /// Whether every request is encrypted and none says so: 企业微信 and 微信客服.
    pub always_encrypted: bool,
}

/// An opened request.
pub struct Opened {
    /// What the user did.
    pub push: Push,
    /// XML or JSON: the reply comes the same way.
    pub format: Format,
    /// The key it was encrypted with; the reply is encrypted with it as well.
    pub key: Option<AesKey>,
}

impl Receiver<'_> {
    /// Answers the check of the address: what has to be sent back.
    ///
    /// # Errors
    /// `Forged`, `Malformed`.
    pub fn echo(&self, query: &Query) -> Result<String, Refusal> {
        let echo = query.echostr.as_deref().ok_or(Refusal::Malformed)?;
        if self.always_encrypted {
            return self.decrypt(query, echo).map(|(text, _)| text);
        }
        self.check_signature(query)?;
        Ok(echo.to_owned())
    }

    /// Opens a message.
    ///
    /// # Errors
    /// `Forged`, `Malformed` (only what is wrong before the signature could be checked, or in a plain message).
    pub fn open(&self, query: &Query, body: &[u8]) -> Result<Opened, Refusal> {
        let encrypted = match query.encrypt_type.as_deref() {
            Some("aes") => true,
            None | Some("" | "raw") => self.always_encrypted,
            Some(_) => return Err(Refusal::Malformed),
        };
        match (self.mode, encrypted) {
            (Mode::Auto, _) | (Mode::Plain, false) | (Mode::Safe, true) => {}
            (Mode::Plain, true) | (Mode::Safe, false) => return Err(Refusal::Forged),
        }
        if !encrypted {
            self.check_signature(query)?;
            let (fields, format) = Fields::parse(body)?;
            return Ok(Opened { push: read(&fields)?, format, key: None });
        }
        let (fields, format) = Fields::parse(body)?;
        let cipher = fields.text("Encrypt").ok_or(Refusal::Malformed)?;
        if self.mode == Mode::Safe && fields.text("MsgType").is_some() {
            // Compatible: the same in plain words beside it.
            return Err(Refusal::Forged);
        }
        let (text, key) = self.decrypt(query, cipher)?;
        // Whatever is wrong from here on is answered like a wrong signature.
        let (inner, _) = Fields::parse(text.as_bytes()).map_err(|_| Refusal::Forged)?;
        let push = read(&inner).map_err(|_| Refusal::Forged)?;
        Ok(Opened { push, format, key: Some(key) })
    }

    fn check_signature(&self, query: &Query) -> Result<(), Refusal> {
        if self.token.is_empty() {
            return Err(Refusal::Forged);
        }
        crypto::verify(query.signature.as_deref(), &[self.token, &query.timestamp, &query.nonce])
    }

    fn decrypt(&self, query: &Query, cipher: &str) -> Result<(String, AesKey), Refusal> {
        if self.token.is_empty() {
            return Err(Refusal::Forged);
        }
        let parts = [self.token, &query.timestamp, &query.nonce, cipher];
        crypto::verify(query.msg_signature.as_deref(), &parts)?;
        self.keys
            .iter()
            .filter_map(|key| AesKey::parse(key))
            .find_map(|key| crypto::decrypt(&key, self.receive_id, cipher).ok().map(|text| (text, key)))
            .ok_or(Refusal::Forged)
    }

    /// The body of a text reply: plain when the request was, else encrypted and signed. `now` in seconds.
    pub fn reply(&self, opened: &Opened, nonce: &str, now: i64, random: [u8; 16], content: &str) -> String {
        let plain = reply::text(opened.format, &opened.push.from, &opened.push.to, now, content);
        let Some(key) = &opened.key else { return plain };
        let cipher = crypto::encrypt(key, self.receive_id, &plain, random);
        let timestamp = now.to_string();
        let signature = crypto::signature(&[self.token, &timestamp, nonce, &cipher]);
        envelope::seal(opened.format, &cipher, &signature, now, nonce)
    }
}

/// What the fields of a message say.
fn read(fields: &Fields) -> Result<Push, Refusal> {
    let text = |name: &str| fields.text(name).map(str::to_owned);
    let or_empty = |name: &str| text(name).unwrap_or_default();
    let mut push = Push {
        from: or_empty("FromUserName"),
        to: or_empty("ToUserName"),
        created: fields.text("CreateTime").and_then(|at| at.trim().parse().ok()).unwrap_or_default(),
        msg_id: text("MsgId"),
        agent: text("AgentID"),
        what: What::Other { name: String::new(), key: String::new() },
    };
    let Some(kind) = fields.text("MsgType") else {
        // Third-party platforms push with InfoType; there is nothing to do for an account.
        let name = fields.text("InfoType").ok_or(Refusal::Malformed)?.to_owned();
        push.what = What::Other { name, key: or_empty("CreateTime") };
        return Ok(push);
    };
    let media = |kind: MediaKind, words: Option<String>| match text("MediaId") {
        Some(media_id) => What::Media { kind, media_id, words, name: text("FileName").or_else(|| text("Title")) },
        None => What::Other { name: kind.as_str().to_owned(), key: String::new() },
    };
    push.what = match kind {
        "text" => {
            What::Text { content: or_empty("Content"), menu_id: text("bizmsgmenuid").filter(|id| !id.is_empty()) }
        }
        "image" => media(MediaKind::Image, None),
        "voice" => media(MediaKind::Voice, text("Recognition").filter(|words| !words.trim().is_empty())),
        "video" | "shortvideo" => media(MediaKind::Video, None),
        "file" => media(MediaKind::File, None),
        "location" => What::Location {
            latitude: or_empty("Location_X"),
            longitude: or_empty("Location_Y"),
            label: or_empty("Label"),
        },
        "link" => What::Link { title: or_empty("Title"), description: or_empty("Description"), url: or_empty("Url") },
        "event" => event(fields),
        other => What::Other { name: other.to_owned(), key: String::new() },
    };
    let without_user = matches!(push.what, What::KfMessages { .. } | What::Other { .. });
    if push.from.is_empty() && !without_user {
        return Err(Refusal::Malformed);
    }
    Ok(push)
}

fn event(fields: &Fields) -> What {
    let text = |name: &str| fields.text(name).unwrap_or_default().to_owned();
    let name = text("Event");
    let key = text("EventKey");
    match name.to_ascii_lowercase().as_str() {
        "subscribe" => What::Subscribe { scene: key.strip_prefix("qrscene_").map(str::to_owned) },
        "unsubscribe" => What::Unsubscribe,
        "scan" => What::Scan { scene: key },
        "click" => What::Click { key },
        "enter_agent" => What::Enter,
        "subscribe_msg_sent_event" => sent_notice(fields),
        "templatesendjobfinish" => What::NoticeEnded { notice: text("MsgID"), status: text("Status") },
        "kf_msg_or_event" => What::KfMessages { token: text("Token"), open_kfid: text("OpenKfId") },
        _ => What::Other { key: if key.is_empty() { text("MsgID") } else { key }, name },
    }
}

/// How a subscription notice ended: one entry, or the first of several.
fn sent_notice(fields: &Fields) -> What {
    let entry = fields.nested("SubscribeMsgSentEvent").and_then(|event| event.nested("List"));
    let text = |name: &str| entry.and_then(|entry| entry.text(name)).unwrap_or_default().to_owned();
    What::NoticeEnded { notice: text("MsgID"), status: text("ErrorCode") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

    fn receiver(mode: Mode) -> Receiver<'static> {
        Receiver { token: "token", keys: vec![KEY], receive_id: "wx1", mode, always_encrypted: false }
    }

    fn query(extra: &str) -> Query {
        let signature = crypto::signature(&["token", "1700000000", "n1"]);
        Query::parse(&format!("signature={signature}&timestamp=1700000000&nonce=n1{extra}")).unwrap()
    }

    fn text_xml(content: &str) -> String {
        format!(
            "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[o1]]></FromUserName>\
             <CreateTime>1700000000</CreateTime><MsgType><![CDATA[text]]></MsgType>\
             <Content><![CDATA[{content}]]></Content><MsgId>123</MsgId></xml>"
        )
    }

    fn sealed(plain: &str, receive_id: &str) -> (Query, String) {
        let cipher = crypto::encrypt(&AesKey::parse(KEY).unwrap(), receive_id, plain, [3; 16]);
        let signature = crypto::signature(&["token", "1700000000", "n1", &cipher]);
        let query = query(&format!("&encrypt_type=aes&msg_signature={signature}"));
        (
            query,
            format!(
                "<xml><ToUserName>gh_1</ToUserName><Content>forged</Content><Encrypt><![CDATA[{cipher}]]></Encrypt></xml>"
            ),
        )
    }

    fn what(body: &str) -> What {
        receiver(Mode::Auto).open(&query(""), body.as_bytes()).unwrap().push.what
    }

    #[test]
    fn the_query_is_decoded_once_and_plus_stays() {
        let query = Query::parse("timestamp=1&nonce=a%20b&echostr=x+y%2Bz%3D%3D&other").unwrap();
        assert_eq!((query.nonce.as_str(), query.echostr.as_deref()), ("a b", Some("x+y+z==")));
        for bad in
            ["", "timestamp=1", "nonce=1", "timestamp=1&nonce=%f", "timestamp=1&nonce=%ff", "timestamp=1&nonce=%zz"]
        {
            assert_eq!(Query::parse(bad), Err(Refusal::Malformed), "{bad}");
        }
    }

    #[test]
    fn each_mode_takes_only_its_requests() {
        let plain = (query(""), text_xml("a"));
        let safe = sealed(&text_xml("a"), "wx1");
        let taken = |mode, (query, body): &(Query, String)| receiver(mode).open(query, body.as_bytes()).is_ok();
        assert_eq!((taken(Mode::Auto, &plain), taken(Mode::Auto, &safe)), (true, true));
        assert_eq!((taken(Mode::Plain, &plain), taken(Mode::Plain, &safe)), (true, false));
        assert_eq!((taken(Mode::Safe, &plain), taken(Mode::Safe, &safe)), (false, true));
    }

    #[test]
    fn beside_the_encrypted_part_nothing_counts() {
        let (query, body) = sealed(&text_xml("a"), "wx1");
        let opened = receiver(Mode::Auto).open(&query, body.as_bytes()).unwrap();
        assert_eq!(opened.push.what, What::Text { content: "a".into(), menu_id: None });
    }

    #[test]
    fn whatever_is_wrong_behind_the_signature_looks_the_same() {
        let refused = |(query, body): (Query, String)| receiver(Mode::Auto).open(&query, body.as_bytes()).err();
        for bad in [
            sealed(&text_xml("a"), "wx2"),
            sealed("no xml", "wx1"),
            sealed("<!DOCTYPE a [<!ENTITY b \"c\">]><xml><MsgType>text</MsgType></xml>", "wx1"),
            sealed("<xml><MsgType>text</MsgType></xml>", "wx1"),
        ] {
            assert_eq!(refused(bad), Some(Refusal::Forged));
        }
        let (mut query, body) = sealed(&text_xml("a"), "wx1");
        query.msg_signature = None;
        assert_eq!(refused((query.clone(), body.clone())), Some(Refusal::Forged), "never taken as plain");
        query.encrypt_type = None;
        query.signature = None;
        assert_eq!(refused((query, body)), Some(Refusal::Forged));
    }

    #[test]
    fn the_key_before_is_tried_too() {
        let (query, body) = sealed(&text_xml("a"), "wx1");
        let rotated = "A".repeat(43);
        let mut receiver = receiver(Mode::Auto);
        receiver.keys.insert(0, &rotated);
        let opened = receiver.open(&query, body.as_bytes()).unwrap();
        let reply = receiver.reply(&opened, "n2", 1_700_000_001, [9; 16], "您好");
        let (fields, _) = Fields::parse(reply.as_bytes()).unwrap();
        let cipher = fields.text("Encrypt").unwrap();
        assert_eq!(fields.text("TimeStamp"), Some("1700000001"));
        let parts = ["token", "1700000001", "n2", cipher];
        assert_eq!(crypto::verify(fields.text("MsgSignature"), &parts), Ok(()));
        let plain = crypto::decrypt(&AesKey::parse(KEY).unwrap(), "wx1", cipher).unwrap();
        assert!(plain.contains("<ToUserName><![CDATA[o1]]></ToUserName><FromUserName><![CDATA[gh_1]]>"), "{plain}");
    }

    #[test]
    fn an_encrypted_echo_is_opened_and_a_plain_one_comes_back_as_it_was() {
        let echo = query("&echostr=%3Cb%3E");
        assert_eq!(receiver(Mode::Auto).echo(&echo), Ok("<b>".into()));
        let mut work = receiver(Mode::Safe);
        work.always_encrypted = true;
        assert_eq!(work.echo(&echo), Err(Refusal::Forged));
        let cipher = crypto::encrypt(&AesKey::parse(KEY).unwrap(), "wx1", "1616140317555161061", [1; 16]);
        let signature = crypto::signature(&["token", "1", "n", &cipher]);
        let raw = format!("msg_signature={signature}&timestamp=1&nonce=n&echostr={}", cipher.replace('+', "%2B"));
        assert_eq!(work.echo(&Query::parse(&raw).unwrap()), Ok("1616140317555161061".into()));
    }

    #[test]
    fn kinds_and_events_are_told_apart() {
        let xml = |rest: &str| {
            format!(
                "<xml><ToUserName>gh</ToUserName><FromUserName>o1</FromUserName><CreateTime>1</CreateTime>{rest}</xml>"
            )
        };
        let event =
            |name: &str, rest: &str| what(&xml(&format!("<MsgType>event</MsgType><Event>{name}</Event>{rest}")));
        assert_eq!(event("subscribe", "<EventKey></EventKey>"), What::Subscribe { scene: None });
        assert_eq!(event("SUBSCRIBE", "<EventKey>qrscene_7</EventKey>"), What::Subscribe { scene: Some("7".into()) });
        assert_eq!(event("subscribe", "<EventKey>scanbarcode|x</EventKey>"), What::Subscribe { scene: None });
        assert_eq!(event("SCAN", "<EventKey>7</EventKey>"), What::Scan { scene: "7".into() });
        assert_eq!(event("CLICK", "<EventKey>K</EventKey>"), What::Click { key: "K".into() });
        assert_eq!(event("unsubscribe", ""), What::Unsubscribe);
        assert_eq!(
            event("TEMPLATESENDJOBFINISH", "<MsgID>9</MsgID><Status>failed:user block</Status>"),
            What::NoticeEnded { notice: "9".into(), status: "failed:user block".into() }
        );
        let sent = "<SubscribeMsgSentEvent><List><TemplateId>t</TemplateId><MsgID>8</MsgID><ErrorCode>43101</ErrorCode>\
             <ErrorStatus>user refuse</ErrorStatus></List></SubscribeMsgSentEvent>";
        assert_eq!(
            event("subscribe_msg_sent_event", sent),
            What::NoticeEnded { notice: "8".into(), status: "43101".into() }
        );
        assert_eq!(
            what(&xml("<MsgType>voice</MsgType><MediaId>m</MediaId><Recognition>您好</Recognition>")),
            What::Media { kind: MediaKind::Voice, media_id: "m".into(), words: Some("您好".into()), name: None }
        );
        assert!(matches!(
            what(&xml("<MsgType>location</MsgType><Location_X>24.5</Location_X><Location_Y>117.6</Location_Y><Label>x</Label>")),
            What::Location { latitude, .. } if latitude == "24.5"
        ));
        assert!(matches!(what(&xml("<MsgType>hologram</MsgType>")), What::Other { .. }));
        assert!(matches!(what("<xml><InfoType>component_verify_ticket</InfoType></xml>"), What::Other { .. }));
        let json =
            br#"{"ToUserName":"gh","FromUserName":"o1","CreateTime":1,"MsgType":"text","Content":"a","MsgId":5}"#;
        let opened = receiver(Mode::Auto).open(&query(""), json).unwrap();
        assert_eq!((opened.format, opened.push.msg_id.as_deref()), (Format::Json, Some("5")));
    }
}
