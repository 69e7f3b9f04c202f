//! Every deviation from the protocol that was met in the wild, one test each.

use std::time::Duration;

use serde_json::{Value, json};
use zhitong::ports::model::{ModelFailure, ModelFailureKind as Kind, ModelFinish, ModelReply, ModelUsage};

use super::{
    ask, client, json_request, request,
    standin::{DONE, Standin, Step, chunk, delta, end, event, events, finish, head, http, piece, usage, whole},
};

async fn asked(steps: Vec<Step>, stream: bool) -> (Result<ModelReply, ModelFailure>, Vec<String>) {
    let standin = Standin::start().await;
    standin.script([steps]);
    ask(&client(&[&standin], |_| {}), &request(stream)).await
}

async fn reply(steps: Vec<Step>, stream: bool) -> ModelReply {
    asked(steps, stream).await.0.expect("an answer")
}

async fn failure(steps: Vec<Step>, stream: bool) -> ModelFailure {
    asked(steps, stream).await.0.expect_err("a failure")
}

fn message(message: &Value, finish: &str) -> Vec<Step> {
    whole(200, &json!({"choices": [{"index": 0, "message": message, "finish_reason": finish}]}))
}

#[tokio::test]
async fn an_error_code_may_be_a_number_or_null() {
    for code in [json!(400), Value::Null, json!("bad")] {
        let error = json!({"error": {"message": "m", "type": "BadRequestError", "param": null, "code": code}});
        let failure = failure(whole(400, &error), false).await;
        assert_eq!(failure.kind, Kind::Rejected, "{code}");
        assert!(failure.detail.contains("HTTP 400") && failure.detail.contains("BadRequestError"), "{failure}");
    }
}

#[tokio::test]
async fn an_error_may_be_flat() {
    let error =
        json!({"object": "error", "message": "no such model", "type": "NotFoundError", "param": null, "code": 404});
    let failure = failure(whole(404, &error), false).await;
    assert_eq!((failure.kind, failure.detail.as_str()), (Kind::Rejected, "HTTP 404 404 NotFoundError"));
}

#[tokio::test]
async fn a_gateway_may_answer_with_a_page_or_with_words() {
    for (mime, body) in [("text/html", "<html><h1>502 Bad Gateway</h1></html>"), ("text/plain", "upstream gone")] {
        let standin = Standin::start().await;
        standin.always(http(502, mime, &[], body));
        let (result, _) = ask(&client(&[&standin], |_| {}), &request(true)).await;
        let failure = result.expect_err("a failure");
        assert_eq!((failure.kind, failure.detail.as_str()), (Kind::Unavailable, "HTTP 502"));
    }
}

#[tokio::test]
async fn a_page_with_status_200_is_no_answer() {
    let page = "<html>登录后使用</html>";
    for (mime, stream) in [("text/html", true), ("text/html", false), ("text/plain", true), ("text/plain", false)] {
        let failure = failure(http(200, mime, &[], page), stream).await;
        assert!(matches!(failure.kind, Kind::Malformed | Kind::Unavailable), "{mime} {stream}: {failure}");
    }
}

#[tokio::test]
async fn content_may_be_null_or_missing_beside_thinking_or_tools() {
    let tools = json!([{"id": "1", "type": "function", "function": {"name": "transfer", "arguments": "{}"}}]);
    for (body, finish, expected) in [
        (json!({"content": null, "tool_calls": tools}), "tool_calls", "only a call of a tool"),
        (json!({"tool_calls": tools}), "tool_calls", "only a call of a tool"),
        (json!({"content": null, "reasoning_content": "想"}), "stop", "only thinking"),
        (json!({"reasoning": "想"}), "stop", "only thinking"),
        (json!({"content": ""}), "stop", "blank"),
    ] {
        let failure = failure(message(&body, finish), false).await;
        assert_eq!((failure.kind, failure.detail.as_str()), (Kind::Empty, expected), "{body}");
    }
}

#[tokio::test]
async fn blanks_instead_of_json_are_no_answer_and_nothing_is_handed_out() {
    for stream in [true, false] {
        let blanks = " ".repeat(300);
        let steps = if stream {
            events(&[piece(&blanks), piece("\n\n"), finish("stop"), usage(20, 300), DONE.to_owned()])
        } else {
            message(&json!({"content": blanks}), "stop")
        };
        let (result, pieces) = asked(steps, stream).await;
        assert_eq!(result.expect_err("a failure").kind, Kind::Empty);
        assert_eq!(pieces, Vec::<String>::new());
    }
}

#[tokio::test]
async fn the_usage_chunk_has_no_choices() {
    let reply = reply(events(&[piece("可以"), finish("stop"), usage(20, 2), DONE.to_owned()]), true).await;
    assert_eq!(reply.usage, ModelUsage { prompt: 20, completion: 2, estimated: false });
    assert_eq!(reply.cost_micro_yuan, 20 * 2 + 2 * 3);
}

#[tokio::test]
async fn usage_that_is_not_told_or_not_to_be_believed_is_estimated() {
    for told in [
        None,
        Some((20, u64::MAX)),
        Some((20, 0)),
        // So little that no budget would ever end, so much that one answer would end it.
        Some((0, 4)),
        Some((99_000_000, 4)),
        Some((20, 90_000_000)),
    ] {
        let mut texts = vec![piece("可以申请"), finish("stop")];
        texts.extend(told.map(|(prompt, completion)| usage(prompt, completion)));
        texts.push(DONE.to_owned());
        let reply = reply(events(&texts), true).await;
        assert_eq!(reply.usage, ModelUsage { prompt: 9 + 8, completion: 4, estimated: true }, "{told:?}");
    }
}

#[tokio::test]
async fn comments_and_empty_lines_mean_nothing() {
    let keep_alive = ": keep-alive\n\n".to_owned();
    let texts = [
        keep_alive.clone(),
        "\n\n\n".into(),
        piece("可"),
        keep_alive,
        piece("以"),
        "\n".into(),
        finish("stop"),
        DONE.into(),
    ];
    assert_eq!(reply(events(&texts), true).await.text, "可以");
    let body = json!({"choices": [{"message": {"content": "可以"}, "finish_reason": "stop"}]});
    let steps = http(200, "application/json", &[], &format!("\n\n\n\n{body}\n\n"));
    assert_eq!(reply(steps, false).await.text, "可以");
}

#[tokio::test]
async fn data_may_come_without_a_space_and_lines_may_end_with_crlf() {
    for (from, to) in [("data: ", "data:"), ("\n", "\r\n"), ("\n", "\r"), ("\n\n", "\n")] {
        let text = format!("{}{}{}{DONE}", piece("可"), piece("以"), finish("stop")).replace(from, to);
        assert_eq!(reply(events(&[text]), true).await.text, "可以", "{from:?} -> {to:?}");
    }
}

#[tokio::test]
async fn a_character_may_be_split_between_packets() {
    let text = format!("{}{}{DONE}", piece("稳岗返还"), finish("stop"));
    let mut steps = vec![head("text/event-stream")];
    steps.extend(text.as_bytes().chunks(1).map(chunk));
    steps.push(end());
    let (result, pieces) = asked(steps, true).await;
    assert_eq!(result.expect("an answer").text, "稳岗返还");
    assert_eq!(pieces, ["稳岗返还"]);
}

#[tokio::test]
async fn the_last_event_may_be_missing() {
    let reply = reply(events(&[piece("可以"), finish("stop")]), true).await;
    assert_eq!((reply.text.as_str(), reply.finish), ("可以", ModelFinish::Stop));
}

#[tokio::test]
async fn a_connection_that_stays_open_after_the_content_has_ended_holds_nothing_up() {
    let mut steps = vec![head("text/event-stream"), chunk(piece("可以")), chunk(finish("stop"))];
    steps.push(Step::Drip(super::standin::framed(b": keep-alive\n\n"), Duration::from_millis(20)));
    assert_eq!(reply(steps, true).await.text, "可以");
}

#[tokio::test]
async fn an_answer_that_stops_without_an_end_is_not_taken_for_whole() {
    let failure = failure(events(&[piece("可以申请，但")]), true).await;
    assert_eq!((failure.kind, failure.detail.as_str()), (Kind::Unavailable, "the stream ended before the answer"));
    assert!(failure.usage.completion > 0 && failure.usage.estimated, "{failure:?}");
}

#[tokio::test]
async fn a_connection_may_break_within_the_answer() {
    let steps = vec![head("text/event-stream"), chunk(piece("可以")), Step::Close];
    let (result, pieces) = asked(steps, true).await;
    assert_eq!(result.expect_err("a failure").kind, Kind::Unavailable);
    assert_eq!(pieces, ["可以"]);
}

#[tokio::test]
async fn an_error_may_stand_within_a_stream_of_status_200() {
    for (error, expected) in [
        (json!({"error": {"message": "m", "type": "server_error", "code": "server_error"}}), Kind::Unavailable),
        (json!({"error": {"message": "m", "code": 400}}), Kind::Rejected),
        (json!({"error": {"message": "m", "code": "data_inspection_failed"}}), Kind::Filtered),
        (json!({"object": "error", "message": "m", "type": "InternalServerError", "code": 500}), Kind::Unavailable),
    ] {
        for text in [event(&error), format!("event: error\n{}", event(&error)), format!("{error}\n")] {
            let failure = failure(events(&[piece("可"), text.clone()]), true).await;
            assert_eq!(failure.kind, expected, "{text}");
        }
        assert_eq!(failure(whole(200, &error), false).await.kind, expected, "{error}");
    }
}

#[tokio::test]
async fn thinking_in_the_content_is_never_handed_out_wherever_it_is_split() {
    let text = "<think>税率是 13%，先不说</think>\n\n可以申请。";
    for size in [1, 2, 5, 7, 100] {
        let letters: Vec<char> = text.chars().collect();
        let mut texts: Vec<String> = letters.chunks(size).map(|part| piece(&part.iter().collect::<String>())).collect();
        texts.extend([finish("stop"), DONE.to_owned()]);
        let (result, pieces) = asked(events(&texts), true).await;
        assert_eq!(result.expect("an answer").text, "可以申请。", "{size}");
        assert_eq!(pieces.concat(), "可以申请。", "{size}");
    }
    assert_eq!(reply(message(&json!({"content": text}), "stop"), false).await.text, "可以申请。");
}

#[tokio::test]
async fn thinking_that_is_never_closed_is_no_answer() {
    let (result, pieces) =
        asked(events(&[piece("<think>"), piece("想啊想，退 30%"), finish("length"), DONE.to_owned()]), true).await;
    let failure = result.expect_err("a failure");
    assert_eq!((failure.kind, failure.detail.as_str()), (Kind::Empty, "only thinking"));
    assert_eq!(pieces, Vec::<String>::new());
}

#[tokio::test]
async fn the_end_of_a_thought_that_never_began_ends_the_answer() {
    let failure =
        failure(events(&[piece("先想想"), piece("</think>可以"), finish("stop"), DONE.to_owned()]), true).await;
    assert_eq!((failure.kind, failure.detail.as_str()), (Kind::Malformed, "thinking in the content"));
    let whole = reply(message(&json!({"content": "先想想</think>可以"}), "stop"), false).await;
    assert_eq!(whole.text, "可以");
}

#[tokio::test]
async fn json_that_was_cut_off_is_no_answer() {
    for stream in [true, false] {
        let standin = Standin::start().await;
        let cut = "{\"answer\":\"可以";
        standin.script([if stream {
            events(&[piece(cut), finish("length"), DONE.to_owned()])
        } else {
            message(&json!({"content": cut}), "length")
        }]);
        let client = client(&[&standin], |_| {});
        let failure = ask(&client, &json_request(stream)).await.0.expect_err("a failure");
        assert_eq!(failure.kind, Kind::Malformed);
        assert!(failure.detail.contains("length"), "{failure}");
    }
    // Free text may be cut; whoever asked sees it.
    let reply = reply(message(&json!({"content": "可以"}), "length"), false).await;
    assert_eq!(reply.finish, ModelFinish::Length);
}

#[tokio::test]
async fn a_refusal_in_words_with_status_200_is_no_answer() {
    let standin = Standin::start().await;
    let client = client(&[&standin], |_| {});
    for (body, reason) in [
        (json!({"content": "抱歉，我无法回答这个问题，我们换个话题吧。"}), "stop"),
        (json!({"content": null, "refusal": "I can't help with that."}), "stop"),
        (json!({"content": "根据"}), "content_filter"),
    ] {
        standin.script([message(&body, reason), message(&body, reason)]);
        for request in [request(false), json_request(false)] {
            assert_eq!(ask(&client, &request).await.0.expect_err("a failure").kind, Kind::Filtered, "{body}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_the_endpoint_broke_off_is_none() {
    let standin = Standin::start().await;
    let broken = message(&json!({"content": "可以在线申请，但是"}), "insufficient_system_resource");
    standin.script([broken]);
    let failure = ask(&client(&[&standin], |_| {}), &request(false)).await.0.expect_err("a failure");
    assert_eq!(failure.kind, Kind::Unavailable, "{failure:?}");
}

#[tokio::test]
async fn json_asked_for_and_not_given_is_no_answer() {
    let standin = Standin::start().await;
    standin.script([message(&json!({"content": "可以在线申请。"}), "stop")]);
    let result = ask(&client(&[&standin], |_| {}), &json_request(false)).await.0;
    assert_eq!(result.expect_err("a failure").detail, "no JSON object in the answer");
}

#[tokio::test]
async fn tools_and_pictures_are_never_part_of_an_answer() {
    let tool = json!({"tool_calls": [{"index": 0, "id": "1", "function": {"name": "close_case", "arguments": "{}"}}]});
    let (result, pieces) =
        asked(events(&[piece("可以"), delta(&tool), finish("tool_calls"), DONE.to_owned()]), true).await;
    let answer = result.expect("an answer");
    assert_eq!((answer.text.as_str(), answer.finish), ("可以", ModelFinish::Tool));
    assert_eq!(pieces, ["可以"]);
    let parts = json!([
        {"type": "text", "text": "可以"},
        {"type": "image_url", "image_url": {"url": "http://evil.example/?q=secret"}},
    ]);
    assert_eq!(reply(message(&json!({"content": parts}), "stop"), false).await.text, "可以");
}

#[tokio::test]
async fn injected_events_do_nothing() {
    let injected = "event: execute\nid: 9\nretry: 1\ndata:\n\nevent: message\n: x\n\n".to_owned();
    let (result, pieces) = asked(
        events(&[
            injected.clone(),
            piece("可以\n\nevent: draft\ndata: {\"x\":1}\n\n"),
            injected,
            finish("stop"),
            DONE.into(),
        ]),
        true,
    )
    .await;
    // What looks like an event within the content stays content, in one piece.
    assert_eq!(pieces, ["可以\n\nevent: draft\ndata: {\"x\":1}\n\n"]);
    assert_eq!(result.expect("an answer").text, pieces[0]);
    let failure = failure(events(&[piece("可"), "event: x\ndata: not json\n\n".to_owned(), piece("以")]), true).await;
    assert_eq!((failure.kind, failure.detail.as_str()), (Kind::Malformed, "an event that cannot be read"));
}

#[tokio::test]
async fn control_characters_are_left_out() {
    let reply = reply(message(&json!({"content": "可\u{0}以\u{1b}[31m\n完"}), "stop"), false).await;
    assert_eq!(reply.text, "可以[31m\n完");
}

#[tokio::test]
async fn an_endpoint_may_not_stream_although_asked_or_stream_unasked() {
    let (result, pieces) = asked(message(&json!({"content": "可以"}), "stop"), true).await;
    assert_eq!((result.expect("an answer").text.as_str(), pieces.concat().as_str()), ("可以", "可以"));
    let (result, pieces) = asked(events(&[piece("可"), piece("以"), finish("stop"), DONE.to_owned()]), false).await;
    assert_eq!((result.expect("an answer").text.as_str(), pieces.len()), ("可以", 0));
}

#[tokio::test]
async fn a_stream_of_a_hundred_megabytes_is_left_early_whatever_it_is_made_of() {
    const MANY: usize = 100 * 1024 * 1024;
    let framed = |text: String| super::standin::framed(text.as_bytes());
    let thinking = delta(&json!({"reasoning_content": "想".repeat(2_000)}));
    for (what, bytes) in [
        ("content", framed(piece(&"x".repeat(1_000)))),
        ("thinking", framed(thinking)),
        ("keep-alives", framed(": keep-alive\n\n".repeat(500))),
        ("blanks", framed(piece(&" ".repeat(1_000)))),
        ("a line without end", framed("x".repeat(8_000))),
        ("an event without end", framed("data: [\n".repeat(1_000))),
    ] {
        let standin = Standin::start().await;
        standin.script([vec![head("text/event-stream"), Step::Flood(bytes, MANY)]]);
        let (result, pieces) = ask(&client(&[&standin], |_| {}), &request(true)).await;
        assert_eq!(result.expect_err("a failure").kind, Kind::TooLarge, "{what}");
        assert!(pieces.concat().len() <= 64 * 1024, "{what}");
        assert!(standin.flooded() < MANY / 4, "{what}: {} bytes were taken", standin.flooded());
    }
    for status in [200, 500] {
        let standin = Standin::start().await;
        let lead = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n\r\n{{\"error\":\"");
        standin.script([vec![Step::Send(lead.into_bytes()), Step::Flood(vec![b'x'; 16_384], MANY)]]);
        let result = ask(&client(&[&standin], |_| {}), &request(false)).await.0;
        let expected = if status == 200 { Kind::TooLarge } else { Kind::Unavailable };
        assert_eq!(result.expect_err("a failure").kind, expected);
        assert!(standin.flooded() < MANY / 4);
    }
}

#[tokio::test]
async fn headers_without_end_are_left_early() {
    let standin = Standin::start().await;
    let lead = b"HTTP/1.1 200 OK\r\n".to_vec();
    standin.script([vec![Step::Send(lead), Step::Flood(b"x-a: bbbbbbbbbbbbbbbb\r\n".to_vec(), 100 * 1024 * 1024)]]);
    let result = ask(&client(&[&standin], |_| {}), &request(true)).await.0;
    assert_eq!(result.expect_err("a failure").kind, Kind::Unavailable);
    assert!(standin.flooded() < 32 * 1024 * 1024, "{}", standin.flooded());
}
