//! QR codes as pictures: SVG in a `data:` address, black on white in every theme, so that every phone reads them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use qrcode::{EcLevel, QrCode, render::svg};

/// The picture of a text.
///
/// # Errors
/// A text when it is too long for a QR code.
pub(super) fn data_url(text: &str) -> Result<String, String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).map_err(|error| format!("QR code: {error}"))?;
    let picture = code
        .render::<svg::Color<'_>>()
        .min_dimensions(240, 240)
        .dark_color(svg::Color("#000000"))
        .light_color(svg::Color("#ffffff"))
        .build();
    Ok(format!("data:image/svg+xml;base64,{}", STANDARD.encode(picture)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_picture_and_a_text_without_end_is_none() {
        let url = data_url("http://weixin.qq.com/q/02abcDEF").unwrap();
        let picture = STANDARD.decode(url.strip_prefix("data:image/svg+xml;base64,").unwrap()).unwrap();
        let picture = String::from_utf8(picture).unwrap();
        assert!(picture.contains("<svg") && picture.contains("#ffffff") && !picture.contains("<script"), "{picture}");
        assert_ne!(url, data_url("http://weixin.qq.com/q/other").unwrap());
        assert!(data_url(&"x".repeat(5_000)).is_err());
    }
}
