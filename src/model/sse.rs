//! Server-sent events as model endpoints really write them.
//!
//! Comments, empty lines, `event`, `id` and `retry` mean nothing here: an event of whatever name is data or nothing, so
//! an endpoint cannot make anything happen by naming one. Lines end with LF, CR or CRLF, anywhere between two chunks; a
//! line is decoded only when it is whole, so a character may be split too. Memory is bounded by the longest line.

/// Longest line, and longest event of several lines.
const LONGEST: usize = 256 * 1024;

/// What a line of the stream turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// The payload of an event.
    Data(String),
    /// `data: [DONE]`.
    Done,
}

/// Why a stream cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// A line or an event is longer than anything a model says.
    TooLong,
    /// The bytes are no UTF-8, or an event is no JSON.
    Garbled,
}

/// The reader: bytes in, events out.
#[derive(Debug, Default)]
pub(super) struct Reader {
    line: Vec<u8>,
    /// The last byte was a CR: a LF that follows belongs to it.
    after_cr: bool,
    /// Data lines of an event that is not whole yet.
    pending: String,
    started: bool,
}

impl Reader {
    /// Takes a chunk and gives the events that became whole.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub(super) fn push(&mut self, chunk: &[u8], events: &mut Vec<Event>) -> Result<(), Unreadable> {
        for &byte in chunk {
            match byte {
                b'\n' if self.after_cr => self.after_cr = false,
                b'\n' | b'\r' => {
                    self.after_cr = byte == b'\r';
                    self.line_ends(events)?;
                }
                byte => {
                    self.after_cr = false;
                    if self.line.len() >= LONGEST {
                        return Err(Unreadable::TooLong);
                    }
                    self.line.push(byte);
                }
            }
        }
        Ok(())
    }

    /// The stream has ended: what is left is taken as a line of its own.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub(super) fn end(&mut self, events: &mut Vec<Event>) -> Result<(), Unreadable> {
        if !self.line.is_empty() {
            self.line_ends(events)?;
        }
        self.event_ends(events)
    }

    fn line_ends(&mut self, events: &mut Vec<Event>) -> Result<(), Unreadable> {
        let bytes = std::mem::take(&mut self.line);
        let line = std::str::from_utf8(&bytes).map_err(|_| Unreadable::Garbled)?;
        let line = if self.started { line } else { line.strip_prefix('\u{feff}').unwrap_or(line) };
        self.started = true;
        if line.is_empty() {
            return self.event_ends(events);
        }
        let data = if let Some(data) = line.strip_prefix("data:") {
            data.strip_prefix(' ').unwrap_or(data)
        } else if line.starts_with('{') {
            // Errors come without the prefix now and then.
            line
        } else {
            return Ok(());
        };
        if data.trim().is_empty() {
            return Ok(());
        }
        if data.trim() == "[DONE]" {
            self.event_ends(events)?;
            events.push(Event::Done);
            return Ok(());
        }
        // Every endpoint writes one line an event, some without the empty line between them.
        if self.pending.is_empty() && is_json(data) {
            events.push(Event::Data(data.to_owned()));
            return Ok(());
        }
        if self.pending.len() + data.len() >= LONGEST {
            return Err(Unreadable::TooLong);
        }
        if !self.pending.is_empty() {
            self.pending.push('\n');
        }
        self.pending.push_str(data);
        Ok(())
    }

    fn event_ends(&mut self, events: &mut Vec<Event>) -> Result<(), Unreadable> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let data = std::mem::take(&mut self.pending);
        // A piece that cannot be read may be a “not”: leaving it out would turn the answer round.
        if !is_json(&data) {
            return Err(Unreadable::Garbled);
        }
        events.push(Event::Data(data));
        Ok(())
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(chunks: &[&[u8]]) -> Result<Vec<Event>, Unreadable> {
        let (mut reader, mut events) = (Reader::default(), Vec::new());
        for chunk in chunks {
            reader.push(chunk, &mut events)?;
        }
        reader.end(&mut events)?;
        Ok(events)
    }

    fn data(text: &str) -> Event {
        Event::Data(text.to_owned())
    }

    #[test]
    fn every_way_of_writing_an_event_reads_the_same() {
        let expected = Ok(vec![data("{\"a\":1}"), data("{\"b\":2}"), Event::Done]);
        for text in [
            "data: {\"a\":1}\n\ndata: {\"b\":2}\n\ndata: [DONE]\n\n",
            "data:{\"a\":1}\n\ndata:{\"b\":2}\n\ndata:[DONE]\n\n",
            "data: {\"a\":1}\r\n\r\ndata: {\"b\":2}\r\n\r\ndata: [DONE]\r\n\r\n",
            "data: {\"a\":1}\r\rdata: {\"b\":2}\r\rdata: [DONE]\r\r",
            "data: {\"a\":1}\ndata: {\"b\":2}\ndata: [DONE]",
            "\u{feff}: keep-alive\n\n\n\ndata: {\"a\":1}\n\n: keep-alive\n\ndata:\n\ndata: {\"b\":2}\n\ndata: [DONE] \n",
            "event: execute\nid: 7\nretry: 1\ndata: {\"a\":1}\n\nevent: x\n\nunknown: y\nz\n{\"b\":2}\ndata: [DONE]\n",
            "data: {\ndata: \"a\":1}\n\ndata: {\"b\":\ndata: 2}\ndata: [DONE]\n",
        ] {
            let whole = read(&[text.as_bytes()]);
            let singly: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            let joined = |r: Result<Vec<Event>, Unreadable>| {
                r.map(|events| {
                    events
                        .into_iter()
                        .map(|event| match event {
                            Event::Data(text) => Event::Data(text.replace('\n', "")),
                            Event::Done => Event::Done,
                        })
                        .collect::<Vec<_>>()
                })
            };
            assert_eq!(joined(whole), expected, "{text:?}");
            assert_eq!(joined(read(&singly)), expected, "{text:?} byte by byte");
        }
    }

    #[test]
    fn a_character_may_be_split_between_chunks_but_not_be_missing() {
        let text = "data: {\"a\":\"税务\"}\n";
        let at = text.find('务').expect("the character") + 1;
        let (left, right) = text.as_bytes().split_at(at);
        assert_eq!(read(&[left, right]), Ok(vec![data("{\"a\":\"税务\"}")]));
        assert_eq!(read(&[left, b"\n"]), Err(Unreadable::Garbled));
    }

    #[test]
    fn an_event_that_is_no_json_is_never_skipped() {
        assert_eq!(read(&[b"data: {\"a\":1}\n\ndata: <html>\n\ndata: {\"b\":2}\n\n"]), Err(Unreadable::Garbled));
        assert_eq!(read(&[b"data: {\"a\":"]), Err(Unreadable::Garbled));
    }

    #[test]
    fn a_line_without_end_is_given_up() {
        let (mut reader, mut events) = (Reader::default(), Vec::new());
        let chunk = vec![b'x'; 64 * 1024];
        let refused = (0..1_600).find_map(|n| reader.push(&chunk, &mut events).err().map(|why| (n, why)));
        assert_eq!(refused, Some((4, Unreadable::TooLong)));
        let lines = "data: {\n".repeat(LONGEST);
        assert_eq!(read(&[lines.as_bytes()]), Err(Unreadable::TooLong));
    }
}
