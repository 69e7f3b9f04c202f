//! One request and its answer: sent to the configured address, read with limits of time and size.
//!
//! Memory: the content up to its limit, one line of the stream, one body. Keep-alives and thinking are counted and
//! dropped; they are no content and extend no limit.

use std::time::Duration;

use reqwest::{
    Response,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use secrecy::ExposeSecret as _;
use tokio::time::{Instant, timeout, timeout_at};

use super::{
    EndpointSetup, Limits,
    failure::Failure,
    pin,
    profile::{JsonMode, Manner},
    sse, thinking,
    wire::{self, Complaint, Said},
};
use crate::ports::model::{ModelFailureKind, ModelFinish, ModelOutput, ModelRequest, ModelUsage, OnText};

/// Most of a refusal's body that is looked at.
const LONGEST_REFUSAL: usize = 64 * 1024;
/// How long a refusal's body is waited for.
const REFUSAL_BODY: Duration = Duration::from_secs(2);
/// How long the usage chunk and the end of the stream are waited for after the content has ended.
const LINGER: Duration = Duration::from_secs(1);
/// How long the end of the connection's answer is waited for, so that the connection can be used again.
const DRAIN: Duration = Duration::from_millis(50);
/// Bytes of the stream for one byte of content at most: a chunk has some 300 bytes for a character, and thinking.
const WRAPPING: usize = 128;
/// Bytes of a whole answer for one byte of content at most.
const WHOLE_WRAPPING: usize = 16;
/// Pauses asked for that are worth waiting within a question.
const WORTH_WAITING: Duration = Duration::from_secs(2);
/// Pause before another try when none was asked for; some of it by chance.
const SHORT_PAUSE_MS: std::ops::Range<u64> = 100..400;
/// Why an answer of thinking alone is none.
pub(super) const ONLY_THINKING: &str = "only thinking";
/// Tokens that are told may be this many times fewer or more than the characters say.
const UNDER: u64 = 4;
/// Tokens that an endpoint may add to the question: its template, the schema.
const TEMPLATE: u64 = 4_000;
/// An endpoint that does not count thinking as part of `max_tokens` tells this many times as much at most.
const OVER_MAX_TOKENS: u64 = 8;
/// Token counts above this are no counts.
const MOST_TOKENS: u64 = 100_000_000;

/// Where and how an endpoint is asked.
pub(super) struct Target {
    url: reqwest::Url,
    http: reqwest::Client,
    headers: HeaderMap,
    manner: Manner,
}

/// When an attempt has to be over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// The whole question.
    pub(super) deadline: Instant,
    /// The first content, when somebody else could be asked instead.
    pub(super) first: Option<Instant>,
}

/// What else was seen on the way, for the probe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// The answer came as events.
    pub(super) streamed: bool,
    /// Pieces of content.
    pub(super) pieces: usize,
    /// Characters of thinking.
    pub(super) thinking: usize,
    /// The endpoint told the usage.
    pub(super) usage: bool,
}

/// A good answer.
#[derive(Debug, Clone)]
pub(super) struct Answered {
    /// The content.
    pub(super) text: String,
    /// Why it ended.
    pub(super) finish: ModelFinish,
    /// Tokens.
    pub(super) usage: ModelUsage,
    /// The model that the endpoint says it was.
    pub(super) model: Option<String>,
    /// When the first content came.
    pub(super) first: Instant,
    /// What else was seen.
    pub(super) seen: Seen,
}

impl Target {
    /// Checks an endpoint's settings.
    ///
    /// # Errors
    /// What is wrong, in words for the operator, without the key.
    pub(super) fn new(setup: &EndpointSetup, limits: &Limits) -> Result<Self, String> {
        let base = setup.base_url.trim_end_matches('/');
        let url =
            reqwest::Url::parse(&format!("{base}/chat/completions")).map_err(|_| "base_url 不是网址".to_owned())?;
        let http = pin::client(&url, limits.connect)?;
        let mut headers = HeaderMap::new();
        for (name, value) in &setup.headers {
            let pair = HeaderName::try_from(name.as_str()).ok().zip(HeaderValue::try_from(value.as_str()).ok());
            let (name, value) = pair.ok_or_else(|| format!("headers 里的 {name} 不能作请求头"))?;
            headers.insert(name, value);
        }
        let key = setup.api_key.expose_secret();
        if !key.is_empty() {
            let mut value = HeaderValue::try_from(format!("Bearer {key}"))
                .map_err(|_| "密钥里有换行或不能作请求头的字符".to_owned())?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let manner = Manner {
            profile: setup.profile,
            model: setup.model.clone(),
            json: setup.json.unwrap_or(setup.profile.json()),
            extra: setup.extra.clone(),
            omit: setup.omit.clone(),
        };
        Ok(Self { url, http, headers, manner })
    }

    /// Host and port, without path and key.
    pub(super) fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// The model asked for.
    pub(super) fn model(&self) -> &str {
        &self.manner.model
    }

    /// Another way of asking for JSON, for the probe.
    pub(super) fn asking(&mut self, json: JsonMode) {
        self.manner.json = json;
    }

    /// Asks and reads the answer.
    ///
    /// # Errors
    /// [`Failure`].
    pub(super) async fn ask(
        &self,
        request: &ModelRequest,
        limits: &Limits,
        times: Times,
        on_text: &mut OnText<'_>,
    ) -> Result<Answered, Failure> {
        let body = self.manner.body(request).to_string();
        let sending = self.http.post(self.url.clone()).headers(self.headers.clone()).body(body).send();
        let headers_by = times.first.unwrap_or(times.deadline);
        let response = match timeout_at(headers_by, sending).await {
            Err(_) => return Err(Failure::new(ModelFailureKind::Timeout, "no answer began in time")),
            Ok(Err(error)) => return Err(of_transport(&error)),
            Ok(Ok(response)) => response,
        };
        if !response.status().is_success() {
            return Err(refusal(response, times.deadline).await);
        }
        let mut reading = Reading::new(request, limits, on_text);
        match reading.read(response, times).await {
            Ok(()) => reading.close(request),
            Err(mut failure) => {
                failure.usage = reading.usage(request);
                Err(failure)
            }
        }
    }
}

fn short_pause() -> Duration {
    Duration::from_millis(rand::random_range(SHORT_PAUSE_MS))
}

/// What a connection that failed means. The error's own words hold the address and are not repeated.
fn of_transport(error: &reqwest::Error) -> Failure {
    if pin::was_refused(error) {
        return Failure::new(ModelFailureKind::Connect, "the name leads to no address that may be asked");
    }
    if error.is_connect() {
        let detail = if error.is_timeout() { "no connection in time" } else { "no connection" };
        // A second try of the same length helps less than somebody else.
        let again = (!error.is_timeout()).then(short_pause);
        return Failure { again, ..Failure::new(ModelFailureKind::Connect, detail) };
    }
    if error.is_builder() {
        return Failure { ours: true, ..Failure::new(ModelFailureKind::Rejected, "the request cannot be written") };
    }
    Failure::new(ModelFailureKind::Unavailable, "the connection broke before an answer")
}

async fn refusal(mut response: Response, deadline: Instant) -> Failure {
    let status = response.status().as_u16();
    let asked = retry_after(response.headers());
    let mut body = Vec::new();
    let reading = async {
        while let Ok(Some(part)) = response.chunk().await {
            body.extend_from_slice(part.get(..part.len().min(LONGEST_REFUSAL - body.len())).unwrap_or_default());
            if body.len() >= LONGEST_REFUSAL {
                break;
            }
        }
    };
    let until = deadline.min(Instant::now() + REFUSAL_BODY);
    // What came in time is looked at; the status says enough without it.
    let _ = timeout_at(until, reading).await;
    let complaint = wire::read_complaint(&body);
    let mut failure = of_complaint(&complaint, Some(status));
    failure.pause = asked;
    failure.again = match status {
        502..=504 => match asked {
            None => Some(short_pause()),
            Some(pause) => Some(pause).filter(|pause| *pause <= WORTH_WAITING),
        },
        429 if failure.kind == ModelFailureKind::Limited => asked.filter(|pause| *pause <= WORTH_WAITING),
        _ => None,
    };
    if (300..=399).contains(&status) {
        failure.detail = format!("HTTP {status}, redirects are not followed");
    }
    // Wrong address or model: not this request's fault but every request's.
    failure.ours = failure.kind == ModelFailureKind::Rejected && !matches!(status, 300..=399 | 404 | 405);
    failure
}

fn of_complaint(complaint: &Complaint, status: Option<u16>) -> Failure {
    let kind = complaint.meaning(status);
    let status = status.map_or_else(|| "error in the answer".to_owned(), |status| format!("HTTP {status}"));
    let mut failure = Failure::new(kind, format!("{status} {}", complaint.detail()).trim_end());
    failure.words = complaint.message.chars().filter(|c| !c.is_control()).take(300).collect();
    failure
}

/// Seconds, or milliseconds in OpenAI's own header. A date is a long time.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let seconds = |text: &str| text.parse::<f64>().ok().filter(|s| s.is_finite()).map(|s| s.clamp(0.0, 86_400.0));
    if let Some(millis) = text("retry-after-ms").and_then(seconds) {
        return Some(Duration::from_secs_f64(millis / 1_000.0));
    }
    let value = text("retry-after")?;
    Some(seconds(value).map_or(Duration::from_mins(1), Duration::from_secs_f64))
}

/// An answer on its way in.
#[expect(clippy::struct_excessive_bools, reason = "each was said or not, independently of the others")]
struct Reading<'a> {
    on_text: &'a mut OnText<'a>,
    stream: bool,
    most: usize,
    gap: Duration,
    text: String,
    filter: thinking::Filter,
    finish: Option<ModelFinish>,
    finished: Option<Instant>,
    done: bool,
    usage: Option<ModelUsage>,
    model: Option<String>,
    first: Option<Instant>,
    last: Instant,
    tools: bool,
    refused: bool,
    seen: Seen,
}

impl<'a> Reading<'a> {
    fn new(request: &ModelRequest, limits: &Limits, on_text: &'a mut OnText<'a>) -> Self {
        Self {
            on_text,
            stream: request.stream,
            most: limits.answer_bytes,
            gap: limits.gap,
            text: String::new(),
            filter: thinking::Filter::default(),
            finish: None,
            finished: None,
            done: false,
            usage: None,
            model: None,
            first: None,
            last: Instant::now(),
            tools: false,
            refused: false,
            seen: Seen::default(),
        }
    }

    async fn read(&mut self, response: Response, times: Times) -> Result<(), Failure> {
        let mime = response.headers().get(CONTENT_TYPE).and_then(|mime| mime.to_str().ok()).unwrap_or_default();
        let mime = mime.to_ascii_lowercase();
        if mime.contains("text/html") {
            return Err(malformed("a page instead of an answer"));
        }
        // Some do not stream although asked to, and some stream unasked.
        let streamed = if self.stream { !mime.contains("application/json") } else { mime.contains("event-stream") };
        if streamed { self.read_events(response, times).await } else { self.read_whole(response, times).await }
    }

    async fn read_whole(&mut self, mut response: Response, times: Times) -> Result<(), Failure> {
        let most = self.most.saturating_mul(WHOLE_WRAPPING);
        let mut body = Vec::new();
        let reading = async {
            while let Some(part) = response.chunk().await.map_err(|_| broke())? {
                if body.len() + part.len() > most {
                    return Err(too_large());
                }
                body.extend_from_slice(&part);
            }
            Ok(())
        };
        let by = times.first.filter(|_| !self.stream).unwrap_or(times.deadline);
        timeout_at(by, reading)
            .await
            .map_err(|_| Failure::new(ModelFailureKind::Timeout, "the answer was not whole in time"))??;
        let text = std::str::from_utf8(&body).map_err(|_| malformed("no UTF-8"))?;
        self.take(text)?;
        // A whole answer needs no word about its end.
        self.done = true;
        Ok(())
    }

    async fn read_events(&mut self, mut response: Response, times: Times) -> Result<(), Failure> {
        self.seen.streamed = true;
        let most = self.most.saturating_mul(WRAPPING);
        let mut raw = 0_usize;
        let mut reader = sse::Reader::default();
        let mut events = Vec::new();
        loop {
            let limit = self.limit(times);
            // What comes faster than it is read would never let the time run out.
            if Instant::now() >= limit {
                return self.out_of_time(times);
            }
            let part = match timeout_at(limit, response.chunk()).await {
                Err(_) => return self.out_of_time(times),
                Ok(Err(_)) if self.finished.is_some() => return Ok(()),
                Ok(Err(_)) => return Err(broke()),
                Ok(Ok(part)) => part,
            };
            match &part {
                Some(part) => {
                    raw = raw.saturating_add(part.len());
                    if raw > most {
                        return Err(too_large());
                    }
                    reader.push(part, &mut events)
                }
                None => reader.end(&mut events),
            }
            .map_err(|why| match why {
                sse::Unreadable::TooLong => too_large(),
                sse::Unreadable::Garbled => malformed("an event that cannot be read"),
            })?;
            for event in events.drain(..) {
                match event {
                    sse::Event::Data(data) => self.take(&data)?,
                    sse::Event::Done => self.done = true,
                }
            }
            if self.done {
                // The end of the answer mostly came along, and then the connection can be used again.
                let _ = timeout(DRAIN, response.chunk()).await;
                return Ok(());
            }
            if part.is_none() {
                return Ok(());
            }
        }
    }

    /// Until when the next bytes are waited for.
    fn limit(&self, times: Times) -> Instant {
        let limit = match (self.finished, self.first) {
            (Some(finished), _) => finished + LINGER,
            (None, None) => times.first.unwrap_or(times.deadline),
            (None, Some(_)) => self.last + self.gap,
        };
        limit.min(times.deadline)
    }

    fn out_of_time(&self, times: Times) -> Result<(), Failure> {
        if self.finished.is_some() {
            return Ok(());
        }
        let detail = if Instant::now() >= times.deadline {
            "the answer was not whole in time"
        } else if self.first.is_none() {
            "no content in time"
        } else {
            "no more content in time"
        };
        Err(Failure::new(ModelFailureKind::Timeout, detail))
    }

    /// Takes a chunk or a whole answer.
    fn take(&mut self, text: &str) -> Result<(), Failure> {
        let said = match wire::read(text) {
            Err(wire::Unreadable(why)) => return Err(malformed(why)),
            Ok(Err(complaint)) => return Err(of_complaint(&complaint, None)),
            Ok(Ok(said)) => said,
        };
        let Said { content, thinking, tools, refused, finish, usage, model } = said;
        self.seen.thinking = self.seen.thinking.saturating_add(thinking);
        self.tools |= tools;
        self.refused |= refused;
        if let Some(content) = content {
            let piece = self.filter.push(&content).map_err(|_| malformed("thinking in the content"))?;
            self.hand_out(&piece)?;
        }
        if let Some(finish) = finish {
            self.finish = Some(finish);
            self.finished.get_or_insert_with(Instant::now);
        }
        let plausible = |usage: &ModelUsage| usage.prompt <= MOST_TOKENS && usage.completion <= MOST_TOKENS;
        if let Some(usage) = usage.filter(plausible) {
            self.usage = Some(usage);
        }
        self.model = self.model.take().or(model);
        Ok(())
    }

    fn hand_out(&mut self, piece: &str) -> Result<(), Failure> {
        // Blanks before the first word are no content: they may be all that comes.
        let piece = if self.text.is_empty() { piece.trim_start() } else { piece };
        if piece.is_empty() {
            return Ok(());
        }
        if self.text.len() + piece.len() > self.most {
            return Err(too_large());
        }
        self.text.push_str(piece);
        self.last = Instant::now();
        self.first.get_or_insert(self.last);
        self.seen.pieces += 1;
        if self.stream {
            (self.on_text)(piece);
        }
        Ok(())
    }

    /// Tokens spent so far: as told, as far as the texts bear it, or estimated.
    fn usage(&self, request: &ModelRequest) -> ModelUsage {
        let estimate = ModelUsage {
            prompt: request.lines.iter().map(|line| wire::tokens(&line.text)).sum(),
            completion: wire::tokens(&self.text) + self.seen.thinking as u64,
            estimated: true,
        };
        let most = u64::from(request.max_tokens).saturating_mul(OVER_MAX_TOKENS).max(estimate.completion);
        match self.usage {
            Some(told)
                if (estimate.prompt / UNDER..=estimate.prompt * UNDER + TEMPLATE).contains(&told.prompt)
                    && (estimate.completion / UNDER..=most).contains(&told.completion)
                    && (told.completion > 0 || self.text.is_empty()) =>
            {
                told
            }
            _ => estimate,
        }
    }

    /// Judges what has come when nothing more will.
    fn close(mut self, request: &ModelRequest) -> Result<Answered, Failure> {
        let rest = self.filter.end();
        let judged = self.hand_out(&rest).and_then(|()| self.judge(request));
        let usage = self.usage(request);
        let first = self.first.unwrap_or(self.last);
        self.seen.usage = self.usage.is_some();
        self.seen.thinking += usize::from(self.filter.found);
        match judged {
            Ok(()) => Ok(Answered {
                text: self.text,
                finish: self.finish.unwrap_or(ModelFinish::Unknown),
                usage,
                model: self.model,
                first,
                seen: self.seen,
            }),
            Err(failure) => Err(Failure { usage, ..failure }),
        }
    }

    fn judge(&self, request: &ModelRequest) -> Result<(), Failure> {
        let filtered = |detail: &str| Err(Failure::new(ModelFailureKind::Filtered, detail));
        if self.refused || self.finish == Some(ModelFinish::Filtered) {
            return filtered("content filter");
        }
        if !self.done && self.finish.is_none() {
            // A sentence may lack its “except”.
            return Err(Failure::new(ModelFailureKind::Unavailable, "the stream ended before the answer"));
        }
        if self.text.trim().is_empty() {
            let detail = if self.tools {
                "only a call of a tool"
            } else if self.filter.found || self.seen.thinking > 0 {
                ONLY_THINKING
            } else {
                "blank"
            };
            return Err(Failure::new(ModelFailureKind::Empty, detail));
        }
        if wire::is_refusal(&self.text) {
            return filtered("a refusal in words");
        }
        if matches!(request.output, ModelOutput::Json { .. }) {
            if self.finish == Some(ModelFinish::Length) {
                let cut = malformed("JSON cut off, finish_reason length");
                return Err(Failure { ours: true, next: false, ..cut });
            }
            if !self.text.contains('{') {
                // A question can bring a model to this: it says nothing about the endpoint.
                return Err(Failure { ours: true, ..malformed("no JSON object in the answer") });
            }
        }
        Ok(())
    }
}

fn malformed(detail: &str) -> Failure {
    Failure::new(ModelFailureKind::Malformed, detail)
}

fn too_large() -> Failure {
    Failure::new(ModelFailureKind::TooLarge, "more than max_answer_bytes allows")
}

fn broke() -> Failure {
    Failure::new(ModelFailureKind::Unavailable, "the connection broke within the answer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_asked_for_are_read_in_every_shape() {
        let check = |name: &'static str, value: &'static str, expected: Option<Duration>| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            assert_eq!(retry_after(&headers), expected, "{name}: {value}");
        };
        check("retry-after", "2", Some(Duration::from_secs(2)));
        check("retry-after", "0.5", Some(Duration::from_millis(500)));
        check("retry-after-ms", "250", Some(Duration::from_millis(250)));
        check("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT", Some(Duration::from_mins(1)));
        check("retry-after", "-3", Some(Duration::ZERO));
        check("retry-after", "1e300", Some(Duration::from_hours(24)));
        check("x-other", "2", None);
    }
}
