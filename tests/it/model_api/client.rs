//! Limits of time and number, repetition, fallbacks, the breaker, and where it connects to.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use zhitong::{
    app::system::SystemClock,
    model::{HttpModel, Limits, Profile},
    ports::model::{EndpointHealth, ModelClient as _, ModelFailureKind as Kind, ModelRequest, ModelTask},
};

use super::{
    KEY, ask, client, json_request, request, setup,
    standin::{DONE, Standin, Step, chunk, delta, end, event, events, finish, framed, head, http, piece, whole},
};

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn status(status: u16, headers: &[&str]) -> Vec<Step> {
    http(status, "application/json", headers, "{}")
}

#[tokio::test]
async fn a_good_answer_is_handed_out_in_pieces_and_told_with_its_times_and_cost() {
    let standin = Standin::start().await;
    let client = client(&[&standin], |_| {});
    let (result, pieces) = ask(&client, &request(true)).await;
    let reply = result.expect("an answer");
    assert_eq!((reply.text.as_str(), pieces.concat().as_str()), ("可以在线申请。", "可以在线申请。"));
    assert!(pieces.len() > 1);
    assert_eq!((reply.endpoint.as_str(), reply.model.as_str()), ("e0", "model"));
    assert!(reply.first_ms <= reply.total_ms);
    assert_eq!(reply.cost_micro_yuan, 21 * 2 + 7 * 3);
    let call = standin.calls().remove(0);
    assert_eq!(call.path, "/v1/chat/completions");
    assert_eq!(call.headers.get("authorization"), Some(&format!("Bearer {KEY}")));
    assert_eq!(call.json["messages"][1], json!({"role": "user", "content": "稳岗返还怎么申请"}));
    let state = client.endpoints().remove(0);
    assert_eq!((state.health, state.in_flight, state.failures), (EndpointHealth::Closed, 0, 0));
    assert!(state.first_ms.is_some() && state.total_ms.is_some() && state.last_failure.is_none());
}

#[tokio::test]
async fn an_endpoint_that_says_nothing_times_out() {
    let standin = Standin::start().await;
    standin.always(vec![Step::Hold]);
    let (result, pieces) = ask(&client(&[&standin], |limits| limits.total = millis(200)), &request(true)).await;
    assert_eq!(result.expect_err("a failure").kind, Kind::Timeout);
    assert!(pieces.is_empty());
    let (result, _) = ask(&client(&[&standin], |limits| limits.total = millis(200)), &request(false)).await;
    assert_eq!(result.expect_err("a failure").kind, Kind::Timeout);
}

#[tokio::test]
async fn classification_has_a_limit_of_its_own() {
    let standin = Standin::start().await;
    standin.always(vec![Step::Hold]);
    let client = client(&[&standin], |limits| limits.classify = millis(150));
    let classify = ModelRequest { task: ModelTask::Classify, ..request(false) };
    assert_eq!(ask(&client, &classify).await.0.expect_err("a failure").kind, Kind::Timeout);
}

#[tokio::test]
async fn keep_alives_and_thinking_extend_no_limit() {
    let thinking = delta(&json!({"reasoning_content": "想"}));
    let in_content = piece("<think>想");
    let more = piece("想");
    for (what, before, drip) in [
        ("keep-alives before", String::new(), ": keep-alive\n\n".to_owned()),
        ("thinking before", String::new(), thinking.clone()),
        ("thinking in the content", in_content, more),
    ] {
        let (slow, other) = (Standin::start().await, Standin::start().await);
        let mut steps = vec![head("text/event-stream")];
        if !before.is_empty() {
            steps.push(chunk(&before));
        }
        steps.push(Step::Drip(framed(drip.as_bytes()), millis(10)));
        slow.always(steps);
        let client = client(&[&slow, &other], |limits| limits.first_content = millis(200));
        let reply = ask(&client, &request(true)).await.0.expect("the other one answers");
        assert_eq!(reply.endpoint, "e1", "{what}");
        let state = client.endpoints().remove(0);
        assert!(state.last_failure.is_some_and(|words| words.contains("no content in time")), "{what}");
    }
    for drip in [": keep-alive\n\n".to_owned(), thinking] {
        let standin = Standin::start().await;
        let steps =
            vec![head("text/event-stream"), chunk(piece("可以")), Step::Drip(framed(drip.as_bytes()), millis(10))];
        standin.always(steps);
        let (result, pieces) = ask(&client(&[&standin], |limits| limits.gap = millis(200)), &request(true)).await;
        let failure = result.expect_err("a failure");
        assert_eq!((failure.kind, failure.detail.as_str()), (Kind::Timeout, "no more content in time"), "{drip}");
        assert_eq!(pieces, ["可以"]);
    }
}

#[tokio::test]
async fn content_that_keeps_coming_ends_with_the_whole_time() {
    let standin = Standin::start().await;
    standin.always(vec![head("text/event-stream"), Step::Drip(framed(piece("好").as_bytes()), millis(10))]);
    let (result, _) = ask(&client(&[&standin], |limits| limits.total = millis(300)), &request(true)).await;
    let failure = result.expect_err("a failure");
    assert_eq!((failure.kind, failure.detail.as_str()), (Kind::Timeout, "the answer was not whole in time"));
    assert!(failure.usage.completion > 0);
}

#[tokio::test]
async fn with_nobody_else_to_ask_a_slow_first_word_is_waited_for() {
    let standin = Standin::start().await;
    let mut steps = vec![head("text/event-stream"), chunk(": keep-alive\n\n"), Step::Pause(millis(60))];
    steps.extend([chunk(piece("可以")), chunk(finish("stop")), chunk(DONE), end()]);
    standin.script([steps]);
    let client = client(&[&standin], |limits| limits.first_content = millis(1));
    assert_eq!(ask(&client, &request(true)).await.0.expect("an answer").text, "可以");
}

#[tokio::test]
async fn what_is_not_there_is_tried_once_more_and_then_somebody_else_is_asked() {
    let gone = Standin::start().await;
    let base = gone.base.clone();
    drop(gone);
    let other = Standin::start().await;
    let setups = [setup("gone", &base, Profile::Openai), setup("other", &other.base, Profile::Openai)];
    let client = HttpModel::new(&setups, Limits::default(), Arc::new(SystemClock)).expect("usable");
    assert_eq!(ask(&client, &request(true)).await.0.expect("an answer").endpoint, "other");
    assert_eq!(client.endpoints()[0].failures, 2, "one repetition");
    let alone = HttpModel::new(&setups[..1], Limits::default(), Arc::new(SystemClock)).expect("usable");
    let failure = ask(&alone, &request(true)).await.0.expect_err("a failure");
    assert_eq!((failure.kind, failure.endpoint.as_str()), (Kind::Connect, "gone"));
}

#[tokio::test]
async fn a_passing_fault_is_repeated_once() {
    for (first, calls) in [
        (status(502, &[]), 2),
        (status(503, &[]), 2),
        (status(504, &[]), 2),
        (status(503, &["retry-after: 0"]), 2),
        (status(429, &["retry-after: 0"]), 2),
        (status(429, &["retry-after-ms: 20"]), 2),
    ] {
        let standin = Standin::start().await;
        standin.script([first.clone()]);
        let reply = ask(&client(&[&standin], |_| {}), &request(true)).await.0;
        assert_eq!(reply.expect("an answer").text, "可以在线申请。", "{first:?}");
        assert_eq!(standin.calls().len(), calls, "{first:?}");
        let standin = Standin::start().await;
        standin.always(first.clone());
        ask(&client(&[&standin], |_| {}), &request(true)).await.0.expect_err("a failure");
        assert_eq!(standin.calls().len(), 2, "at most one repetition: {first:?}");
    }
}

#[tokio::test]
async fn nothing_else_is_repeated() {
    let error = |code: &str| whole(429, &json!({"error": {"message": "m", "type": code, "code": code}}));
    for (first, kind) in [
        (status(429, &[]), Kind::Limited),
        (status(429, &["retry-after: 3"]), Kind::Limited),
        (status(503, &["retry-after: 60"]), Kind::Unavailable),
        (error("insufficient_quota"), Kind::Unpaid),
        (status(500, &[]), Kind::Unavailable),
        (status(400, &[]), Kind::Rejected),
        (status(401, &[]), Kind::Unauthorised),
        (status(402, &[]), Kind::Unpaid),
        (status(422, &[]), Kind::Rejected),
        (events(&[piece("可以")]), Kind::Unavailable),
    ] {
        let standin = Standin::start().await;
        standin.always(first.clone());
        let failure = ask(&client(&[&standin], |_| {}), &request(true)).await.0.expect_err("a failure");
        assert_eq!((failure.kind, standin.calls().len()), (kind, 1), "{first:?}");
    }
}

#[tokio::test]
async fn nothing_is_repeated_without_time_for_it() {
    let standin = Standin::start().await;
    standin.always(status(429, &["retry-after: 2"]));
    let client = client(&[&standin], |limits| limits.total = Duration::from_secs(2));
    assert_eq!(ask(&client, &request(true)).await.0.expect_err("a failure").kind, Kind::Limited);
    assert_eq!(standin.calls().len(), 1);
}

#[tokio::test]
async fn the_endpoints_are_asked_in_their_order_until_one_answers() {
    let (a, b, c) = (Standin::start().await, Standin::start().await, Standin::start().await);
    a.always(status(500, &[]));
    b.always(status(401, &[]));
    let client = client(&[&a, &b, &c], |_| {});
    let reply = ask(&client, &request(true)).await.0.expect("an answer");
    assert_eq!(reply.endpoint, "e2");
    // Somebody who is left alone is passed over without a call.
    ask(&client, &request(true)).await.0.expect("an answer");
    assert_eq!((a.calls().len(), b.calls().len(), c.calls().len()), (2, 1, 2));
    let names: Vec<String> = client.endpoints().into_iter().map(|state| state.name).collect();
    assert_eq!(names, ["e0", "e1", "e2"]);
    assert_eq!(client.endpoints()[1].health, EndpointHealth::Hard);
    assert!(client.endpoints()[1].retry_at.is_some());
}

#[tokio::test]
async fn tokens_of_failed_attempts_are_counted() {
    let (a, b) = (Standin::start().await, Standin::start().await);
    a.script([events(&[delta(&json!({"reasoning_content": "想一想"})), finish("stop"), DONE.to_owned()])]);
    let reply = ask(&client(&[&a, &b], |_| {}), &request(true)).await.0.expect("an answer");
    assert_eq!((reply.usage.prompt, reply.usage.completion), (21 + 17, 7 + 3));
    assert!(reply.usage.estimated);
    assert_eq!(reply.cost_micro_yuan, 38 * 2 + 10 * 3);
}

#[tokio::test]
async fn once_a_piece_was_handed_out_nobody_else_is_asked() {
    let (a, b) = (Standin::start().await, Standin::start().await);
    a.script([vec![head("text/event-stream"), chunk(piece("可以")), Step::Close]]);
    let (result, pieces) = ask(&client(&[&a, &b], |_| {}), &request(true)).await;
    let failure = result.expect_err("a failure");
    assert_eq!((failure.kind, failure.endpoint.as_str()), (Kind::Unavailable, "e0"));
    assert_eq!((pieces, b.calls().len()), (vec!["可以".to_owned()], 0));
    // What was not asked for in pieces was not handed out.
    a.script([vec![Step::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".to_vec()), Step::Close]]);
    assert_eq!(ask(&client(&[&a, &b], |_| {}), &request(false)).await.0.expect("an answer").endpoint, "e1");
}

#[tokio::test]
async fn what_a_filter_has_stopped_is_not_put_to_somebody_else() {
    let (a, b) = (Standin::start().await, Standin::start().await);
    a.script([whole(400, &json!({"code": "DataInspectionFailed", "message": "m", "request_id": "1"}))]);
    let failure = ask(&client(&[&a, &b], |_| {}), &request(true)).await.0.expect_err("a failure");
    assert_eq!((failure.kind, b.calls().len()), (Kind::Filtered, 0));
}

#[tokio::test]
async fn five_failures_in_a_row_leave_an_endpoint_alone() {
    let standin = Standin::start().await;
    standin.always(status(500, &[]));
    let client = client(&[&standin], |_| {});
    for n in 1..=5 {
        assert_eq!(ask(&client, &request(true)).await.0.expect_err("a failure").kind, Kind::Unavailable, "{n}");
    }
    let failure = ask(&client, &request(true)).await.0.expect_err("a failure");
    assert_eq!((failure.kind, failure.endpoint.as_str(), standin.calls().len()), (Kind::Open, "e0", 5));
    let state = client.endpoints().remove(0);
    assert_eq!((state.health, state.failures), (EndpointHealth::Open, 5));
}

#[tokio::test]
async fn a_request_of_our_own_making_is_not_held_against_the_endpoint() {
    let standin = Standin::start().await;
    standin.always(status(400, &[]));
    let client = client(&[&standin], |_| {});
    for _ in 0..6 {
        assert_eq!(ask(&client, &request(true)).await.0.expect_err("a failure").kind, Kind::Rejected);
    }
    assert_eq!(client.endpoints()[0].health, EndpointHealth::Closed);
}

#[tokio::test]
async fn a_wrong_key_or_an_empty_purse_is_hard() {
    let forbidden = whole(403, &json!({ "error": { "message": "no access to this model", "code": null } }));
    for body in [status(401, &[]), status(402, &[]), forbidden] {
        let standin = Standin::start().await;
        standin.always(body);
        let client = client(&[&standin], |_| {});
        ask(&client, &request(true)).await.0.expect_err("a failure");
        assert_eq!(ask(&client, &request(true)).await.0.expect_err("a failure").kind, Kind::Open);
        assert_eq!((client.endpoints()[0].health, standin.calls().len()), (EndpointHealth::Hard, 1));
    }
}

#[tokio::test]
async fn what_a_question_can_bring_about_is_not_held_against_the_endpoint() {
    let prose = json!({ "choices": [{ "message": { "content": "好的，没有问题。" }, "finish_reason": "stop" }] });
    for (body, kind) in [
        // A wall before the endpoint that dislikes words, and a model that was talked out of its format.
        (http(403, "text/html", &[], "<html>blocked</html>"), Kind::Rejected),
        (whole(200, &prose), Kind::Malformed),
    ] {
        let standin = Standin::start().await;
        standin.always(body);
        let client = client(&[&standin], |_| {});
        for _ in 0..6 {
            assert_eq!(ask(&client, &json_request(false)).await.0.expect_err("a failure").kind, kind);
        }
        assert_eq!(client.endpoints()[0].health, EndpointHealth::Closed);
    }
}

#[tokio::test]
async fn who_says_nothing_leaves_half_of_the_time_to_the_next_also_where_nothing_is_streamed() {
    let (slow, other) = (Standin::start().await, Standin::start().await);
    for steps in [vec![Step::Hold], vec![head("application/json"), Step::Hold]] {
        slow.always(steps);
        let client = client(&[&slow, &other], |limits| limits.classify = Duration::from_secs(2));
        let classify = ModelRequest { task: ModelTask::Classify, ..request(false) };
        assert_eq!(ask(&client, &classify).await.0.expect("the other one answers").endpoint, "e1");
    }
}

#[tokio::test]
async fn an_attempt_that_failed_is_told_with_its_cost() {
    let standin = Standin::start().await;
    let cut = json!({ "choices": [{ "message": { "content": "{\"a\":" }, "finish_reason": "length" }],
        "usage": { "prompt_tokens": 30, "completion_tokens": 8 } });
    standin.always(whole(200, &cut));
    let failure = ask(&client(&[&standin], |_| {}), &json_request(false)).await.0.expect_err("a failure");
    assert_eq!((failure.usage.prompt, failure.usage.completion, failure.cost_micro_yuan), (30, 8, 30 * 2 + 8 * 3));
}

#[tokio::test]
async fn an_endpoint_that_asks_for_a_pause_is_left_alone_so_long() {
    let standin = Standin::start().await;
    standin.always(status(429, &["retry-after: 60"]));
    let client = client(&[&standin], |_| {});
    assert_eq!(ask(&client, &request(true)).await.0.expect_err("a failure").kind, Kind::Limited);
    assert_eq!(ask(&client, &request(true)).await.0.expect_err("a failure").kind, Kind::Open);
    assert_eq!(standin.calls().len(), 1);
}

#[tokio::test]
async fn a_full_endpoint_is_waited_for_a_moment_and_then_passed_over() {
    let (slow, other) = (Standin::start().await, Standin::start().await);
    slow.always(vec![Step::Hold]);
    let client = Arc::new(client(&[&slow, &other], |limits| {
        limits.concurrency = 1;
        limits.wait = millis(50);
    }));
    let held = tokio::spawn({
        let client = client.clone();
        async move { ask(&client, &request(false)).await.0 }
    });
    while client.endpoints()[0].in_flight == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(ask(&client, &request(true)).await.0.expect("an answer").endpoint, "e1");
    held.abort();
    let _ = held.await;
    // Dropping a question ends the call and gives its turn back.
    assert_eq!(client.endpoints()[0].in_flight, 0);
    assert_eq!(client.endpoints()[0].failures, 0, "giving up says nothing about the endpoint");
}

#[tokio::test]
async fn with_every_endpoint_full_the_model_is_passed_over() {
    let standin = Standin::start().await;
    standin.always(vec![Step::Hold]);
    let client = Arc::new(client(&[&standin], |limits| {
        limits.concurrency = 1;
        limits.wait = millis(50);
    }));
    let held = tokio::spawn({
        let client = client.clone();
        async move { ask(&client, &request(false)).await.0 }
    });
    while client.endpoints()[0].in_flight == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(ask(&client, &request(true)).await.0.expect_err("a failure").kind, Kind::Busy);
    held.abort();
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (standin, canary) = (Standin::start().await, Standin::start().await);
    for code in [301, 302, 307, 308] {
        let location = format!("location: {}/chat/completions", canary.base);
        standin.script([http(code, "text/plain", &[&location], "")]);
        let failure = ask(&client(&[&standin], |_| {}), &request(true)).await.0.expect_err("a failure");
        assert_eq!(failure.kind, Kind::Rejected, "{code}");
    }
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn a_name_is_looked_up_and_the_address_used() {
    let standin = Standin::start().await;
    let base = standin.base.replace("127.0.0.1", "localhost");
    let setups = [setup("named", &base, Profile::Openai)];
    let client = HttpModel::new(&setups, Limits::default(), Arc::new(SystemClock)).expect("usable");
    assert_eq!(ask(&client, &request(true)).await.0.expect("an answer").text, "可以在线申请。");
    assert_eq!(client.endpoints()[0].host, base.trim_start_matches("http://").trim_end_matches("/v1"));
    let nowhere = [setup("nowhere", "http://does-not-exist.invalid/v1", Profile::Openai)];
    let client = HttpModel::new(&nowhere, Limits::default(), Arc::new(SystemClock)).expect("usable");
    assert_eq!(ask(&client, &request(true)).await.0.expect_err("a failure").kind, Kind::Connect);
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let standin = Standin::start().await;
    let client = client(&[&standin], |_| {});
    for n in 0..20 {
        ask(&client, &request(n % 2 == 0)).await.0.expect("an answer");
    }
    assert_eq!(standin.calls().len(), 20);
    assert!(standin.connections() < 20, "{}", standin.connections());
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_without_telling_the_key() {
    let refused = |change: &dyn Fn(&mut zhitong::model::EndpointSetup)| {
        let mut setup = setup("bad", "http://127.0.0.1:9/v1", Profile::Openai);
        change(&mut setup);
        let error = HttpModel::new(&[setup], Limits::default(), Arc::new(SystemClock)).err().expect("refused");
        let told = format!("{error} {error:?}");
        assert!(!told.contains("geheim"), "{told}");
        error.message
    };
    assert!(refused(&|setup| setup.base_url = "http://169.254.169.254/v1".into()).contains("169.254.169.254"));
    assert!(refused(&|setup| setup.base_url = "nonsense".into()).contains("base_url"));
    assert!(refused(&|setup| setup.api_key = "sk-geheim\nx: y".into()).contains("密钥"));
    assert!(refused(&|setup| setup.headers = vec![("a b".into(), "x".into())]).contains("headers"));
}

#[tokio::test]
async fn many_questions_at_once_are_answered() {
    let standin = Standin::start().await;
    let client = Arc::new(client(&[&standin], |limits| limits.wait = Duration::from_secs(10)));
    let asked = (0..32).map(|n| {
        let client = client.clone();
        tokio::spawn(async move { ask(&client, &request(n % 2 == 0)).await.0.map(|reply| reply.text) })
    });
    for answer in futures_util::future::join_all(asked).await {
        assert_eq!(answer.expect("no panic").expect("an answer"), "可以在线申请。");
    }
    assert_eq!(standin.calls().len(), 32);
}

#[tokio::test]
async fn an_event_of_an_error_after_the_first_piece_ends_the_answer() {
    let (a, b) = (Standin::start().await, Standin::start().await);
    a.script([events(&[piece("可以"), event(&json!({"error": {"message": "m", "code": "server_error"}}))])]);
    let (result, pieces) = ask(&client(&[&a, &b], |_| {}), &request(true)).await;
    assert_eq!(result.expect_err("a failure").endpoint, "e0");
    assert_eq!(pieces, ["可以"]);
}
