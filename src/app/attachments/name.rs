//! Names of files: safe to show, to save and to put into a header.

use std::fmt::Write as _;

use super::FileKind;

const LONGEST: usize = 80;

/// Makes a client's file name safe: no path, no control or direction characters, no device name, the extension of
/// what the content is.
pub fn safe_name(name: &str, kind: FileKind) -> String {
    let base = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = base.chars().filter(|c| !c.is_control() && !is_invisible(*c)).collect();
    let clean = clean.replace([':', '*', '?', '"', '<', '>', '|'], "_");
    let clean = clean.trim_matches(|c: char| c == '.' || c.is_whitespace());
    let (stem, extension) = match clean.rsplit_once('.') {
        Some((stem, extension)) => (stem, extension.to_ascii_lowercase()),
        None => (clean, String::new()),
    };
    let stem: String = stem.chars().take(LONGEST).collect();
    let stem = stem.trim();
    let device = stem.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let is_device = matches!(device.as_str(), "CON" | "PRN" | "AUX" | "NUL")
        || (device.len() == 4
            && (device.starts_with("COM") || device.starts_with("LPT"))
            && device.ends_with(|c: char| c.is_ascii_digit()));
    let stem = if stem.is_empty() || is_device { "附件" } else { stem };
    let extension =
        if kind.extensions().contains(&extension.as_str()) { extension } else { kind.extensions()[0].to_owned() };
    format!("{stem}.{extension}")
}

/// Zero-width, direction and other characters that change how a name reads.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// `Content-Disposition` by RFC 6266, with an ASCII fallback.
pub fn content_disposition(name: &str) -> String {
    let fallback: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ') { c } else { '_' })
        .collect();
    let mut encoded = String::with_capacity(name.len() * 3);
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    format!("attachment; filename=\"{fallback}\"; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_become_harmless() {
        let check = |name: &str, expected: &str| assert_eq!(safe_name(name, FileKind::Pdf), expected, "{name:?}");
        check("../../etc/passwd", "passwd.pdf");
        check("C:\\Windows\\system32\\合同.pdf", "合同.pdf");
        check("a\0b\r\nSet-Cookie: x.pdf", "abSet-Cookie_ x.pdf");
        check("CON", "附件.pdf");
        check("com1.txt.pdf", "附件.pdf");
        check("\u{202e}fdp.exe", "fdp.pdf");
        check("....", "附件.pdf");
        check("", "附件.pdf");
        check("  发票 .PDF ", "发票.pdf");
        check("<img src=x onerror=alert(1)>.html", "_img src=x onerror=alert(1)_.pdf");
        assert!(safe_name(&"长".repeat(4_096), FileKind::Pdf).chars().count() <= LONGEST + 4);
    }

    #[test]
    fn a_header_holds_any_name() {
        let value = content_disposition("合同\"; x=1.pdf");
        assert_eq!(
            value,
            "attachment; filename=\"____ x_1.pdf\"; filename*=UTF-8''%E5%90%88%E5%90%8C%22%3B%20x%3D1.pdf"
        );
        assert!(value.is_ascii());
    }
}
