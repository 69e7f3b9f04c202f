//! Signatures and encryption of callbacks, for 公众号, 企业微信 and 微信客服 alike.
//!
//! Both signatures are SHA-1 over the sorted parts; what is encrypted is AES-256-CBC with the key's first half as IV
//! and PKCS#7 padding to **32** bytes. Comparisons take the same time whatever differs.

use aes::{
    Aes256, Block,
    cipher::{BlockCipherDecrypt as _, BlockCipherEncrypt as _, KeyInit as _},
};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use sha1::{Digest as _, Sha1};
use subtle::ConstantTimeEq as _;

use super::Refusal;

/// The platform pads to this many bytes.
const PAD: usize = 32;
/// Random bytes before the length.
const RANDOM: usize = 16;

/// Keys carry 258 bits in 43 characters, so the last character may have bits beyond the 32 bytes: Tencent's own sample
/// key does.
const KEY_ENGINE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// An EncodingAESKey, ready to use.
#[derive(Clone)]
pub struct AesKey {
    cipher: Aes256,
    iv: [u8; 16],
}

impl AesKey {
    /// Reads the 43 characters of the console; `None` when they are none.
    pub fn parse(encoded: &str) -> Option<Self> {
        if encoded.len() != 43 || !encoded.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return None;
        }
        let key: [u8; 32] = KEY_ENGINE.decode(encoded).ok()?.try_into().ok()?;
        let iv = key.first_chunk::<16>().copied()?;
        Some(Self { cipher: Aes256::new(&key.into()), iv })
    }

    fn decrypt(&self, bytes: &[u8]) -> Vec<u8> {
        let mut plain = Vec::with_capacity(bytes.len());
        let mut before = self.iv;
        for chunk in bytes.chunks_exact(16) {
            let mut cipher = [0; 16];
            cipher.copy_from_slice(chunk);
            let mut block = Block::from(cipher);
            self.cipher.decrypt_block(&mut block);
            plain.extend(block.iter().zip(before).map(|(byte, mask)| byte ^ mask));
            before = cipher;
        }
        plain
    }

    fn encrypt(&self, bytes: &[u8]) -> Vec<u8> {
        let mut cipher = Vec::with_capacity(bytes.len());
        let mut before = self.iv;
        for chunk in bytes.chunks_exact(16) {
            let mut mixed = [0; 16];
            for (mixed, (byte, mask)) in mixed.iter_mut().zip(chunk.iter().zip(before)) {
                *mixed = byte ^ mask;
            }
            let mut block = Block::from(mixed);
            self.cipher.encrypt_block(&mut block);
            before = block.into();
            cipher.extend(before);
        }
        cipher
    }
}

/// Hex SHA-1 of the parts, sorted by their bytes and put together.
pub fn signature(parts: &[&str]) -> String {
    let mut sorted = parts.to_vec();
    sorted.sort_unstable();
    let mut hash = Sha1::new();
    for part in sorted {
        hash.update(part.as_bytes());
    }
    hex::encode(hash.finalize())
}

/// Checks a signature in constant time.
///
/// # Errors
/// `Forged`.
pub fn verify(given: Option<&str>, parts: &[&str]) -> Result<(), Refusal> {
    let given = given.filter(|given| given.len() == 40 && given.bytes().all(|b| b.is_ascii_hexdigit()));
    let given = given.ok_or(Refusal::Forged)?;
    if signature(parts).as_bytes().ct_eq(given.as_bytes()).into() { Ok(()) } else { Err(Refusal::Forged) }
}

/// Reads what the platform encrypted. The signature over it must have been checked before.
///
/// # Errors
/// `Forged` for everything that is wrong with it: alphabet, length, padding, receiver, encoding.
pub fn decrypt(key: &AesKey, receive_id: &str, encrypted: &str) -> Result<String, Refusal> {
    let bytes = STANDARD.decode(encrypted).map_err(|_| Refusal::Forged)?;
    if bytes.len() < PAD || bytes.len() % 16 != 0 {
        return Err(Refusal::Forged);
    }
    let plain = key.decrypt(&bytes);
    let pad = usize::from(plain.last().copied().ok_or(Refusal::Forged)?);
    if !(1..=PAD).contains(&pad) {
        return Err(Refusal::Forged);
    }
    let (content, padding) = plain.split_at_checked(plain.len().saturating_sub(pad)).ok_or(Refusal::Forged)?;
    if padding.len() != pad || !padding.iter().all(|byte| usize::from(*byte) == pad) {
        return Err(Refusal::Forged);
    }
    let (length, rest) = content.get(RANDOM..).and_then(|rest| rest.split_first_chunk::<4>()).ok_or(Refusal::Forged)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| Refusal::Forged)?;
    let (message, receiver) = rest.split_at_checked(length).ok_or(Refusal::Forged)?;
    if !bool::from(receiver.ct_eq(receive_id.as_bytes())) {
        return Err(Refusal::Forged);
    }
    String::from_utf8(message.to_vec()).map_err(|_| Refusal::Forged)
}

/// Encrypts a reply; `random` makes equal texts differ.
pub fn encrypt(key: &AesKey, receive_id: &str, message: &str, random: [u8; RANDOM]) -> String {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut plain = Vec::with_capacity(RANDOM + 4 + message.len() + receive_id.len() + PAD);
    plain.extend(random);
    plain.extend(length.to_be_bytes());
    plain.extend(message.as_bytes());
    plain.extend(receive_id.as_bytes());
    let pad = PAD - plain.len() % PAD;
    plain.extend(std::iter::repeat_n(u8::try_from(pad).unwrap_or_default(), pad));
    STANDARD.encode(key.encrypt(&plain))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// Published by Tencent and by the authors of client libraries.
    fn vectors(list: &str) -> Vec<Value> {
        let all: Value = serde_json::from_str(include_str!("../../../tests/it/fixtures/wechat_vectors.json")).unwrap();
        all[list].as_array().unwrap().clone()
    }

    fn text<'v>(vector: &'v Value, key: &str) -> &'v str {
        vector[key].as_str().unwrap_or_default()
    }

    #[test]
    fn published_signatures_are_right() {
        for vector in vectors("signature") {
            let parts = [text(&vector, "token"), text(&vector, "timestamp"), text(&vector, "nonce")];
            assert_eq!(signature(&parts), text(&vector, "signature"), "{}", vector["name"]);
            assert_eq!(verify(Some(text(&vector, "signature")), &parts), Ok(()));
        }
        let parts = ["token", "1", "2"];
        let good = signature(&parts);
        for bad in [None, Some(""), Some("0"), Some(&*good.to_uppercase()), Some(&good[1..])] {
            assert_eq!(verify(bad, &parts), Err(Refusal::Forged), "{bad:?}");
        }
    }

    #[test]
    fn published_messages_are_encrypted_byte_for_byte() {
        for vector in vectors("encrypt") {
            let key = AesKey::parse(text(&vector, "key")).unwrap();
            let random: [u8; 16] = text(&vector, "random").as_bytes().try_into().unwrap();
            let cipher = encrypt(&key, text(&vector, "id"), text(&vector, "msg"), random);
            assert_eq!(cipher, text(&vector, "cipher"), "{}", vector["name"]);
            if !text(&vector, "msg_signature").is_empty() {
                let parts = [text(&vector, "token"), text(&vector, "timestamp"), text(&vector, "nonce"), &cipher];
                assert_eq!(signature(&parts), text(&vector, "msg_signature"));
            }
        }
    }

    #[test]
    fn published_messages_are_read() {
        for vector in vectors("decrypt") {
            let name = &vector["name"];
            let key = AesKey::parse(text(&vector, "key")).unwrap();
            let cipher = text(&vector, "cipher");
            let parts = [text(&vector, "token"), text(&vector, "timestamp"), text(&vector, "nonce"), cipher];
            assert_eq!(verify(Some(text(&vector, "msg_signature")), &parts), Ok(()), "{name}");
            let message = decrypt(&key, text(&vector, "id"), cipher).unwrap();
            if !text(&vector, "msg").is_empty() {
                assert_eq!(message, text(&vector, "msg"), "{name}");
            }
            assert!(message.contains(text(&vector, "msg_contains")), "{name}");
            assert_eq!(decrypt(&key, "wx0000000000000000", cipher), Err(Refusal::Forged), "{name}: another receiver");
        }
    }

    #[test]
    fn every_length_comes_back_and_nothing_damaged_does() {
        let key = AesKey::parse("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG").unwrap();
        for length in 0..=130 {
            let message = "a".repeat(length);
            let cipher = encrypt(&key, "wx1", &message, [7; 16]);
            assert_eq!(STANDARD.decode(&cipher).unwrap().len() % 32, 0);
            assert_eq!(decrypt(&key, "wx1", &cipher), Ok(message));
        }
        let cipher = encrypt(&key, "wx1", "您好", [7; 16]);
        let mut bytes = STANDARD.decode(&cipher).unwrap();
        for n in 0..bytes.len() {
            bytes[n] ^= 1;
            // Only the first block is random: damage there changes the length or nothing that matters.
            let read = decrypt(&key, "wx1", &STANDARD.encode(&bytes));
            assert!(n < 16 || read.as_deref() != Ok("您好"), "byte {n}");
            bytes[n] ^= 1;
        }
        for bad in ["", "=", "AAAA", &cipher[..cipher.len() - 4], "!!!!"] {
            assert_eq!(decrypt(&key, "wx1", bad), Err(Refusal::Forged), "{bad}");
        }
    }

    #[test]
    fn a_padding_or_length_that_lies_is_refused() {
        let key = AesKey::parse("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG").unwrap();
        let sealed = |plain: &[u8]| STANDARD.encode(key.encrypt(plain));
        let mut zero_pad = vec![0; 32];
        zero_pad[19] = 0;
        assert_eq!(decrypt(&key, "", &sealed(&zero_pad)), Err(Refusal::Forged), "padding of 0");
        let mut wide = vec![33; 64];
        wide[16..20].copy_from_slice(&0_u32.to_be_bytes());
        assert_eq!(decrypt(&key, "", &sealed(&wide)), Err(Refusal::Forged), "padding of 33");
        let mut long = vec![12; 32];
        long[16..20].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(decrypt(&key, "", &sealed(&long)), Err(Refusal::Forged), "a length beyond the end");
        let mut uneven = vec![12; 32];
        uneven[16..20].copy_from_slice(&0_u32.to_be_bytes());
        uneven[25] = 11;
        assert_eq!(decrypt(&key, "", &sealed(&uneven)), Err(Refusal::Forged), "uneven padding");
        uneven[25] = 12;
        assert_eq!(decrypt(&key, "", &sealed(&uneven)), Ok(String::new()));
    }

    #[test]
    fn a_key_is_43_letters_and_digits() {
        assert!(AesKey::parse("jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C").is_some(), "with bits beyond the end");
        for bad in ["", "short", &"A".repeat(44), &format!("{}=", "A".repeat(42)), &format!("{}+", "A".repeat(42))] {
            assert!(AesKey::parse(bad).is_none(), "{bad}");
        }
    }
}
