//! Case numbers (for reading aloud) and query codes (the proof that one may look).

use std::{fmt, str::FromStr};

use jiff::civil::Date;

/// A text that is no case number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid case number")]
pub struct InvalidNumber;

/// `ZT` + yyyymmdd + `-` + four or more digits + one check character.
///
/// The check character catches every single wrong character and every swap of neighbours, so that a number
/// misheard on the phone is not another enterprise's case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CaseNumber(String);

/// 31 characters (a prime, so that the weighted sum finds every swap), none easily misread or misheard.
const CHECK_ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPRTUVWXY";

fn check_character(body: &str) -> char {
    let digits = body.bytes().filter(u8::is_ascii_digit);
    let sum = digits.enumerate().map(|(i, digit)| (i as u64 % 29 + 2) * u64::from(digit - b'0')).sum::<u64>();
    char::from(CHECK_ALPHABET[(sum % 31) as usize])
}

impl CaseNumber {
    /// The number of the `sequence`-th case (from 1) of a day.
    pub fn new(day: Date, sequence: u32) -> Self {
        let body = format!("ZT{:04}{:02}{:02}-{sequence:04}", day.year(), day.month(), day.day());
        let check = check_character(&body);
        Self(format!("{body}{check}"))
    }

    /// The number as people read it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number of a reopened case: `-R1`, `-R2` … after the original (T41); round 0 is the original itself.
    pub fn with_round(&self, round: u16) -> String {
        if round == 0 { self.0.clone() } else { format!("{}-R{round}", self.0) }
    }
}

impl fmt::Display for CaseNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for CaseNumber {
    type Err = InvalidNumber;

    /// Parses what a person types: any case, spaces around, a `-R1` suffix ignored.
    fn from_str(text: &str) -> Result<Self, InvalidNumber> {
        let upper = text.trim().to_ascii_uppercase();
        let base = match upper.split_once("-R") {
            Some((base, round)) if !round.is_empty() && round.bytes().all(|b| b.is_ascii_digit()) => base,
            Some(_) => return Err(InvalidNumber),
            None => upper.as_str(),
        };
        let rest = base.strip_prefix("ZT").ok_or(InvalidNumber)?;
        let (day, tail) = rest.split_once('-').ok_or(InvalidNumber)?;
        if day.len() != 8
            || !day.bytes().all(|b| b.is_ascii_digit())
            || !tail.is_ascii()
            || tail.len() < 5
            || tail.len() > 11
        {
            return Err(InvalidNumber);
        }
        let (sequence, check) = tail.split_at(tail.len() - 1);
        if !sequence.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidNumber);
        }
        let body = format!("ZT{day}-{sequence}");
        if check.starts_with(check_character(&body)) { Ok(Self(base.to_owned())) } else { Err(InvalidNumber) }
    }
}

/// What proves, together with the number, that one may see a case: ten characters of thirty-two, 50 bits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct QueryCode(String);

/// No I, L, O or U: nothing that reads like a digit, no words by accident (Crockford's alphabet).
const CODE_ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CODE_LENGTH: usize = 10;

impl QueryCode {
    /// How many random bytes [`QueryCode::from_random`] wants.
    pub const RANDOM_BYTES: usize = CODE_LENGTH;

    /// Makes a code; every byte contributes its lowest five bits.
    pub fn from_random(bytes: &[u8; CODE_LENGTH]) -> Self {
        Self(bytes.iter().map(|byte| char::from(CODE_ALPHABET[usize::from(byte & 31)])).collect())
    }

    /// Reads what a person typed: case, blanks and hyphens do not matter, `O` is `0`, `I` and `L` are `1`.
    pub fn parse(text: &str) -> Option<Self> {
        let code: String = text
            .chars()
            .filter(|c| !c.is_whitespace() && *c != '-')
            .map(|c| match c.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            })
            .take(CODE_LENGTH + 1)
            .collect();
        let valid = code.len() == CODE_LENGTH && code.bytes().all(|b| CODE_ALPHABET.contains(&b));
        valid.then_some(Self(code))
    }

    /// The bare code, as stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The code as people read it: two groups of five.
    pub fn grouped(&self) -> String {
        let (left, right) = self.0.split_at(CODE_LENGTH / 2);
        format!("{left}-{right}")
    }

    /// Compares without telling by its duration where the difference is.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.bytes().zip(other.0.bytes()).fold(0_u8, |diff, (a, b)| diff | (a ^ b)) == 0
    }
}

impl fmt::Debug for QueryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QueryCode(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_reads_back() {
        for sequence in [1, 42, 9_999, 10_000, 1_234_567] {
            let number = CaseNumber::new(jiff::civil::date(2026, 11, 26), sequence);
            assert_eq!(number.as_str().parse(), Ok(number.clone()));
            assert_eq!(number.with_round(2).to_lowercase().parse(), Ok(number));
        }
    }

    #[test]
    fn one_wrong_digit_or_a_swap_is_noticed() {
        let number = CaseNumber::new(jiff::civil::date(2026, 11, 26), 4_713);
        let text = number.as_str().as_bytes();
        for i in 2..text.len() - 1 {
            if !text[i].is_ascii_digit() {
                continue;
            }
            for digit in b'0'..=b'9' {
                let mut wrong = text.to_vec();
                wrong[i] = digit;
                let wrong = String::from_utf8(wrong).expect("ASCII");
                assert_eq!(wrong.parse::<CaseNumber>().is_ok(), digit == text[i], "{wrong}");
            }
            if text[i + 1].is_ascii_digit() && i + 1 < text.len() - 1 && text[i] != text[i + 1] {
                let mut wrong = text.to_vec();
                wrong.swap(i, i + 1);
                assert!(String::from_utf8(wrong).expect("ASCII").parse::<CaseNumber>().is_err());
            }
        }
    }

    #[test]
    fn rubbish_is_no_number() {
        for text in [
            "",
            "ZT",
            "ZT20261126",
            "ZT20261126-",
            "ZT20261126-00010-R",
            "ZT20261126-0001号",
            "ZT2026112-00011",
            "20261126-00011",
        ] {
            assert_eq!(text.parse::<CaseNumber>(), Err(InvalidNumber), "{text}");
        }
    }

    #[test]
    fn a_code_reads_back_however_it_is_typed() {
        let code = QueryCode::from_random(&[0, 1, 2, 30, 31, 32, 33, 255, 17, 9]);
        assert_eq!(code.as_str().len(), 10);
        assert!(QueryCode::parse(&code.grouped().to_lowercase()).is_some_and(|typed| typed.matches(&code)));
        assert_eq!(QueryCode::parse("OIL00-00000").map(|c| c.as_str().to_owned()), Some("0110000000".to_owned()));
        assert!(QueryCode::parse("1234").is_none());
        assert_eq!(format!("{code:?}"), "QueryCode(…)");
    }
}
