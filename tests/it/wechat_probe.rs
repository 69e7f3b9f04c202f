//! What WeChat's wire formats must withstand, as functions over any bytes: the tests below run them on random and
//! damaged input, `fuzz/` lets a fuzzer look for more. This part uses nothing but the library.

use zhitong::channels::wechat::{
    crypto::{self, AesKey},
    cut::{MOST_BYTES, cut},
    envelope::{Fields, Format},
    inbound::{Mode, Query, Receiver},
    reply,
};

const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const TOKEN: &str = "probe";
const ID: &str = "wx1234567890abcdef";

/// What of a text WeChat can show.
fn shown(text: &str) -> String {
    let hidden = |c: char| matches!(c, '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\r' | '\u{E}'..='\u{1F}' | '\u{7F}' | '\u{FFFE}' | '\u{FFFF}');
    text.chars().filter(|c| !hidden(*c)).collect()
}

fn receiver(always_encrypted: bool) -> Receiver<'static> {
    Receiver { token: TOKEN, keys: vec![KEY], receive_id: ID, mode: Mode::Auto, always_encrypted }
}

/// A query whose signatures are right for this cipher.
fn signed(cipher: &str, encrypted: bool) -> Query {
    Query {
        signature: Some(crypto::signature(&[TOKEN, "1763000000", "n"])),
        msg_signature: Some(crypto::signature(&[TOKEN, "1763000000", "n", cipher])),
        timestamp: "1763000000".to_owned(),
        nonce: "n".to_owned(),
        encrypt_type: encrypted.then(|| "aes".to_owned()),
        echostr: Some(cipher.to_owned()),
    }
}

/// Opens any bytes as a callback, behind right signatures: as a plain body, as the inside of an encrypted one in XML and
/// JSON, as a cipher, as a query. Whatever is opened is answered, and the answer can be read.
///
/// # Panics
/// When the code under test does not hold.
pub(crate) fn envelope(data: &[u8]) {
    let key = AesKey::parse(KEY).expect("a key");
    let text = String::from_utf8_lossy(data);
    let _ = Query::parse(&text);
    let plain = receiver(false);
    if let Ok(opened) = plain.open(&signed("", false), data) {
        let answer = plain.reply(&opened, "n", 1, [7; 16], &text);
        let (fields, format) = Fields::parse(answer.as_bytes()).expect("our own reply");
        assert_eq!(format, opened.format);
        assert_eq!(fields.text("Content").unwrap_or_default(), shown(&text));
    }
    let cipher = crypto::encrypt(&key, ID, &text, [3; 16]);
    assert_eq!(crypto::decrypt(&key, ID, &cipher).as_deref(), Ok(&*text));
    let safe = receiver(true);
    assert_eq!(safe.echo(&signed(&cipher, true)).as_deref(), Ok(&*text));
    for (body, format) in [
        (format!("<xml><ToUserName>gh</ToUserName><Encrypt><![CDATA[{cipher}]]></Encrypt></xml>"), Format::Xml),
        (format!("{{\"ToUserName\":\"gh\",\"Encrypt\":\"{cipher}\"}}"), Format::Json),
    ] {
        if let Ok(opened) = safe.open(&signed(&cipher, true), body.as_bytes()) {
            let answer = safe.reply(&opened, "n", 1, [7; 16], &text);
            let (fields, read) = Fields::parse(answer.as_bytes()).expect("our own envelope");
            assert_eq!(read, format);
            let parts = [TOKEN, "1", "n", fields.text("Encrypt").expect("a cipher")];
            assert_eq!(crypto::verify(fields.text("MsgSignature"), &parts), Ok(()));
            let inner = crypto::decrypt(&key, ID, parts[3]).expect("our own cipher");
            let (inner, _) = Fields::parse(inner.as_bytes()).expect("our own reply");
            assert_eq!(inner.text("Content").unwrap_or_default(), shown(&text));
        }
    }
    // As a cipher: whatever decrypts has the right receiver behind it, which random bytes do not.
    let _ = crypto::decrypt(&key, ID, &text);
    let _ = safe.open(&signed(&text, true), format!("<xml><Encrypt><![CDATA[{text}]]></Encrypt></xml>").as_bytes());
}

/// Says any bytes as a reply, whole and cut.
///
/// # Panics
/// When the code under test does not hold.
pub(crate) fn say(data: &[u8]) {
    let (first, rest) = data.split_first().map_or((0, data), |(first, rest)| (*first, rest));
    let text = String::from_utf8_lossy(rest);
    for format in [Format::Xml, Format::Json] {
        let body = reply::text(format, "o]]>1", "gh", 1, &text);
        let (fields, read) = Fields::parse(body.as_bytes()).expect("our own reply");
        assert_eq!(read, format);
        assert_eq!(fields.text("Content").unwrap_or_default(), shown(&text));
    }
    let most = if first.is_multiple_of(2) { MOST_BYTES } else { usize::from(first).max(4) };
    let parts = cut(&text, most);
    for part in &parts {
        assert!(part.len() <= most, "{} > {most}", part.len());
        reply::cdata(part);
    }
    let without_blanks = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    assert_eq!(without_blanks(&parts.concat()), without_blanks(&text), "nothing lost, nothing twice");
}
