//! The type of a file by its content. Nothing is decoded or unpacked: only headers and directories are read, so a
//! picture of a billion pixels or an archive of a terabyte costs nothing.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use crate::app::AppError;

/// Largest picture in pixels.
const MOST_PIXELS: u64 = 60_000_000;
/// Largest sum of sizes an Office file may unpack to.
const MOST_UNPACKED: u64 = 400 * 1024 * 1024;
/// Most entries of an Office file.
const MOST_ENTRIES: usize = 10_000;
/// Largest directory of an Office file that is read.
const MOST_DIRECTORY: u64 = 4 * 1024 * 1024;

/// What is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
    /// GIF.
    Gif,
    /// WebP.
    Webp,
    /// PDF.
    Pdf,
    /// Word, OOXML.
    Docx,
    /// Excel, OOXML.
    Xlsx,
    /// PowerPoint, OOXML.
    Pptx,
    /// Word, Excel or PowerPoint before 2007 (and WPS).
    Ole,
    /// AMR: speech, as WeChat records it.
    Amr,
    /// MP3.
    Mp3,
    /// MP4.
    Mp4,
}

impl FileKind {
    /// The MIME type it is sent with.
    pub const fn mime(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Gif => "image/gif",
            Self::Webp => "image/webp",
            Self::Pdf => "application/pdf",
            Self::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Pptx => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
            Self::Ole => "application/x-ole-storage",
            Self::Amr => "audio/amr",
            Self::Mp3 => "audio/mpeg",
            Self::Mp4 => "video/mp4",
        }
    }

    /// Extensions that fit, the usual one first.
    pub const fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Png => &["png"],
            Self::Jpeg => &["jpg", "jpeg"],
            Self::Gif => &["gif"],
            Self::Webp => &["webp"],
            Self::Pdf => &["pdf"],
            Self::Docx => &["docx"],
            Self::Xlsx => &["xlsx"],
            Self::Pptx => &["pptx"],
            Self::Ole => &["doc", "xls", "ppt", "wps", "et", "dps"],
            Self::Amr => &["amr"],
            Self::Mp3 => &["mp3"],
            Self::Mp4 => &["mp4", "m4v"],
        }
    }

    /// Whether it is heard or watched: taken from WeChat and from officers only.
    pub const fn is_recording(self) -> bool {
        matches!(self, Self::Amr | Self::Mp3 | Self::Mp4)
    }

    /// Whether it is a picture.
    pub const fn is_image(self) -> bool {
        matches!(self, Self::Png | Self::Jpeg | Self::Gif | Self::Webp)
    }
}

/// Finds the type.
///
/// # Errors
/// `Unsupported` for any other type, `Invalid` for broken or oversized content, `Internal`.
pub fn sniff(path: &Path) -> Result<FileKind, AppError> {
    let mut file = File::open(path).map_err(|error| AppError::Internal(format!("attachment open: {error}")))?;
    let size = file.metadata().map(|meta| meta.len()).unwrap_or_default();
    inspect(&mut file, size).unwrap_or_else(|_| Err(broken()))
}

fn broken() -> AppError {
    AppError::invalid("file_broken", Vec::new())
}

/// The outer result is a read that failed: a file cut short.
fn inspect(file: &mut (impl Read + Seek), size: u64) -> std::io::Result<Result<FileKind, AppError>> {
    let mut head = Vec::new();
    file.by_ref().take(64 * 1024).read_to_end(&mut head)?;
    let starts = |magic: &[u8]| head.starts_with(magic);
    let (kind, pixels) = if starts(b"\x89PNG\r\n\x1a\n") {
        (FileKind::Png, square(be32(&head, 16), be32(&head, 20)))
    } else if starts(b"\xff\xd8\xff") {
        (FileKind::Jpeg, jpeg_pixels(file)?)
    } else if starts(b"GIF87a") || starts(b"GIF89a") {
        (FileKind::Gif, square(le16(&head, 6), le16(&head, 8)))
    } else if starts(b"RIFF") && head.get(8..12) == Some(b"WEBP") {
        (FileKind::Webp, webp_pixels(&head))
    } else if starts(b"%PDF-") {
        (FileKind::Pdf, Some(0))
    } else if starts(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
        (FileKind::Ole, Some(0))
    } else if starts(b"#!AMR\n") || starts(b"#!AMR-WB\n") {
        (FileKind::Amr, Some(0))
    } else if starts(b"ID3") || is_mp3_frame(&head) {
        (FileKind::Mp3, Some(0))
    } else if is_mp4(&head) {
        (FileKind::Mp4, Some(0))
    } else if starts(b"PK\x03\x04") {
        return office(file, size);
    } else {
        return Ok(Err(AppError::Unsupported { code: "file_type" }));
    };
    Ok(match pixels {
        Some(pixels) if pixels <= MOST_PIXELS => Ok(kind),
        Some(_) | None => Err(broken()),
    })
}

/// The head of a frame of MPEG audio, layer III, of a bit rate and a sampling rate that exist.
fn is_mp3_frame(head: &[u8]) -> bool {
    let Some([0xff, second, third, _]) = head.get(..4) else { return false };
    second & 0xe6 == 0xe2 && second & 0x18 != 0x08 && !matches!(third >> 4, 0 | 15) && third & 0x0c != 0x0c
}

/// A file type box of one of the brands that are played as MP4.
fn is_mp4(head: &[u8]) -> bool {
    const BRANDS: [&[u8]; 9] = [b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V "];
    head.get(4..8) == Some(b"ftyp") && head.get(8..12).is_some_and(|brand| BRANDS.contains(&brand))
}

fn be32(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?)))
}

fn le24(bytes: &[u8], at: usize) -> Option<u64> {
    let part = bytes.get(at..at + 3)?;
    Some(part.iter().rev().fold(0, |n, &byte| n << 8 | u64::from(byte)))
}

fn le32(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?)))
}

fn le16(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?)))
}

fn be16(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?)))
}

fn square(width: Option<u64>, height: Option<u64>) -> Option<u64> {
    let (width, height) = (width?, height?);
    if width == 0 || height == 0 { None } else { Some(width.saturating_mul(height)) }
}

fn webp_pixels(head: &[u8]) -> Option<u64> {
    match head.get(12..16)? {
        b"VP8 " => square(le16(head, 26).map(|w| w & 0x3fff), le16(head, 28).map(|h| h & 0x3fff)),
        b"VP8L" => {
            let bits = le32(head, 21)?;
            square(Some((bits & 0x3fff) + 1), Some(((bits >> 14) & 0x3fff) + 1))
        }
        b"VP8X" => square(le24(head, 24).map(|w| w + 1), le24(head, 27).map(|h| h + 1)),
        _ => None,
    }
}

/// Walks the segments to the frame header; metadata before it (EXIF, previews) may be long.
fn jpeg_pixels(file: &mut (impl Read + Seek)) -> std::io::Result<Option<u64>> {
    let mut at = 2;
    for _ in 0..1_000 {
        file.seek(SeekFrom::Start(at))?;
        let mut head = [0; 9];
        if file.read_exact(&mut head).is_err() || head[0] != 0xff {
            return Ok(None);
        }
        match head[1] {
            0xff => at += 1,
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => return Ok(square(be16(&head, 7), be16(&head, 5))),
            0x01 | 0xd0..=0xd7 => at += 2,
            _ => at += 2 + be16(&head, 2).filter(|length| *length >= 2).unwrap_or(2),
        }
    }
    Ok(None)
}

/// An OOXML file by the directory of its archive.
fn office(file: &mut (impl Read + Seek), size: u64) -> std::io::Result<Result<FileKind, AppError>> {
    let tail_length = size.min(64 * 1024 + 22);
    file.seek(SeekFrom::Start(size - tail_length))?;
    let mut tail = Vec::new();
    file.by_ref().take(tail_length).read_to_end(&mut tail)?;
    let Some(end) = tail.windows(4).rposition(|window| window == b"PK\x05\x06") else { return Ok(Err(broken())) };
    let (Some(entries), Some(length), Some(start)) =
        (le16(&tail, end + 10), le32(&tail, end + 12), le32(&tail, end + 16))
    else {
        return Ok(Err(broken()));
    };
    if entries as usize > MOST_ENTRIES || length > MOST_DIRECTORY || start.saturating_add(length) > size {
        return Ok(Err(broken()));
    }
    file.seek(SeekFrom::Start(start))?;
    let mut directory = Vec::new();
    file.by_ref().take(length).read_to_end(&mut directory)?;
    Ok(read_directory(&directory, entries as usize, size))
}

fn read_directory(directory: &[u8], entries: usize, size: u64) -> Result<FileKind, AppError> {
    let mut at = 0;
    let mut unpacked = 0_u64;
    let (mut has_types, mut kind) = (false, None);
    for _ in 0..entries {
        if directory.get(at..at + 4) != Some(b"PK\x01\x02") {
            return Err(broken());
        }
        let field = |offset| le16(directory, at + offset).map(|value| value as usize);
        let (Some(name_length), Some(extra), Some(comment), Some(full)) =
            (field(28), field(30), field(32), le32(directory, at + 24))
        else {
            return Err(broken());
        };
        unpacked = unpacked.saturating_add(full);
        let name = directory.get(at + 46..at + 46 + name_length).ok_or_else(broken)?;
        has_types |= name == b"[Content_Types].xml";
        if name.ends_with(b"vbaProject.bin") {
            return Err(AppError::Unsupported { code: "file_type" });
        }
        for (prefix, found) in
            [(&b"word/"[..], FileKind::Docx), (&b"xl/"[..], FileKind::Xlsx), (&b"ppt/"[..], FileKind::Pptx)]
        {
            if name.starts_with(prefix) {
                kind.get_or_insert(found);
            }
        }
        at += 46 + name_length + extra + comment;
    }
    // Text packs about ten to one; what unpacks to hundreds of times its size is a bomb.
    if unpacked > MOST_UNPACKED || (unpacked > 50 * 1024 * 1024 && unpacked / size.max(1) > 200) {
        return Err(broken());
    }
    kind.filter(|_| has_types).ok_or(AppError::Unsupported { code: "file_type" })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn look(bytes: &[u8]) -> Result<FileKind, AppError> {
        inspect(&mut Cursor::new(bytes), bytes.len() as u64).unwrap_or_else(|_| Err(broken()))
    }

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes
    }

    fn zip(names: &[(&str, u32)]) -> Vec<u8> {
        let mut directory = Vec::new();
        for (name, full) in names {
            let mut entry = vec![0; 46];
            entry[..4].copy_from_slice(b"PK\x01\x02");
            entry[24..28].copy_from_slice(&full.to_le_bytes());
            entry[28..30].copy_from_slice(&(name.len() as u16).to_le_bytes());
            directory.extend(entry);
            directory.extend(name.as_bytes());
        }
        let mut bytes = b"PK\x03\x04".to_vec();
        let start = bytes.len() as u32;
        bytes.extend(&directory);
        let mut end = vec![0; 22];
        end[..4].copy_from_slice(b"PK\x05\x06");
        end[10..12].copy_from_slice(&(names.len() as u16).to_le_bytes());
        end[12..16].copy_from_slice(&(directory.len() as u32).to_le_bytes());
        end[16..20].copy_from_slice(&start.to_le_bytes());
        bytes.extend(end);
        bytes
    }

    #[test]
    fn accepted_types_are_known_by_content() {
        let types = "[Content_Types].xml";
        assert_eq!(look(&png(640, 480)).unwrap(), FileKind::Png);
        assert_eq!(look(b"GIF89a\x10\0\x10\0").unwrap(), FileKind::Gif);
        assert_eq!(look(b"%PDF-1.7\n").unwrap(), FileKind::Pdf);
        assert_eq!(look(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1").unwrap(), FileKind::Ole);
        assert_eq!(look(&zip(&[(types, 10), ("word/document.xml", 99)])).unwrap(), FileKind::Docx);
        assert_eq!(look(&zip(&[(types, 10), ("xl/workbook.xml", 99)])).unwrap(), FileKind::Xlsx);
        let jpeg = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08\x00\x20\x00\x30aaaa";
        assert_eq!(look(jpeg).unwrap(), FileKind::Jpeg);
        let webp = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x0f\0\0\x0f\0\0";
        assert_eq!(look(webp).unwrap(), FileKind::Webp);
        assert_eq!(look(b"#!AMR\n\x3c\x91").unwrap(), FileKind::Amr);
        assert_eq!(look(b"ID3\x04\0\0").unwrap(), FileKind::Mp3);
        assert_eq!(look(b"\xff\xfb\x90\x64\0").unwrap(), FileKind::Mp3);
        assert_eq!(look(b"\0\0\0\x18ftypmp42\0\0\0\0").unwrap(), FileKind::Mp4);
    }

    #[test]
    fn hostile_files_are_refused() {
        let refused = |bytes: &[u8]| assert!(look(bytes).is_err(), "{:?}", bytes.get(..16.min(bytes.len())));
        refused(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>");
        refused(b"<!doctype html><script>alert(1)</script>");
        refused(b"MZ\x90\0");
        refused(b"\x7fELF");
        refused(&png(100_000, 100_000));
        refused(&png(0, 1));
        refused(b"\x89PNG\r\n\x1a\n");
        refused(b"\xff\xd8\xff\xe0\x00\x04ab");
        refused(b"PK\x03\x04 cut short");
        refused(&zip(&[("evil.exe", 1)]));
        refused(&zip(&[("[Content_Types].xml", 1), ("word/document.xml", u32::MAX)]));
        refused(&zip(&[("[Content_Types].xml", 1), ("word/document.xml", 9), ("word/vbaProject.bin", 9)]));
        refused(b"RIFF\0\0\0\0WEBP????");
        refused(b"\xff\xfe<\0h\0t\0m\0l\0");
        refused(b"\0\0\0\x18ftypqt  ");
        refused(b"");
    }
}
