"""Drives `zhitong model probe`, `doctor`, `serve` and `model eval` through an independent server of the protocol."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.request

import yaml

BINARY = sys.argv[1]
LABEL = "AI 生成，仅供参考，以政策原文为准"
HOLDING = "正在查阅政策依据，请稍候……"
ROOT = pathlib.Path(__file__).parent


def contract(rule, answer):
    return json.dumps({"status": "answered", "cites": [rule], "answer": answer, "confidence": 1}, ensure_ascii=False)


RULES = {
    "version": 1,
    "rules": [
        {"name": "key", "when": {"model_matches": "no-key"}, "respond": {"status": 401, "error": "wrong key: sk-peer-secret"}},
        {"name": "broken", "when": {"model_matches": "broken"}, "respond": {"status": 500, "error": "boom"}},
        {
            "name": "tools",
            "when": {"model_matches": "tools"},
            "respond": {"tool_calls": [{"name": "close_case", "arguments": {"id": 1}}]},
        },
        {"name": "short", "when": {"messages_contain": "只回答两个字"}, "respond": {"content": "可以"}},
        {"name": "count", "when": {"messages_contain": "数到六十"}, "respond": {"content": "一、 二、 三、 四、 五"}},
        {"name": "json", "when": {"messages_contain": "用 JSON 回答"}, "respond": {"content": '{"answer": "是"}'}},
        {"name": "think", "when": {"messages_contain": "9.11"}, "respond": {"content": "9.9"}},
    ],
}

done = 0


def check(what, got, expected):
    global done
    if got != expected:
        sys.exit(f"model peer: {what}: got {got!r}, expected {expected!r}")
    done += 1


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url):
    with DIRECT.open(url, timeout=10) as answer:
        return json.load(answer)


def call(url, token, body=None):
    headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
    data = None if body is None else json.dumps(body).encode()
    with DIRECT.open(urllib.request.Request(url, data, headers), timeout=20) as answer:
        return json.load(answer)


def questions():
    """Questions with their rule and the first sentence of its answer."""
    sentences = {}
    for path in (ROOT.parent / "rules").rglob("*.toml"):
        for rule in tomllib.loads(path.read_text(encoding="utf-8")).get("rule", []):
            text = rule.get("answer", {}).get("text", "") if isinstance(rule, dict) else ""
            if "。" in text and "{{" not in text and rule.get("cite"):
                sentences[rule["id"]] = text.strip().split("。")[0] + "。"
    lines = (ROOT / "it/fixtures/retrieval_questions.jsonl").read_text(encoding="utf-8").splitlines()
    for line in map(json.loads, lines):
        if line["rule"] in sentences:
            yield line["q"], line["rule"], sentences[line["rule"]]


def ask(gateway, words):
    """Says the words as a new visitor; the token and where the answer begins, if a model is asked."""
    token = call(f"{gateway}/api/chat/sessions", "", {})["token"]
    said = call(f"{gateway}/api/chat/messages", token, {"client_id": "1", "text": words})
    asked = [reply["text"] for reply in said["replies"]] == [HOLDING]
    return (token, said["conversation"]["seq"]) if asked else None


def hear(gateway, token, seq):
    """What is on the stream until the answer, and the answer."""
    headers = {"authorization": f"Bearer {token}", "last-event-id": str(seq)}
    stream = ""
    with DIRECT.open(urllib.request.Request(f"{gateway}/api/chat/stream", None, headers), timeout=20) as events:
        for line in events:
            stream += line.decode()
            if line.startswith(b"event: message"):
                break
        while line.strip():
            line = events.readline()
            stream += line.decode()
    later = call(f"{gateway}/api/chat/messages?after={seq}", token)["items"]
    return stream, [message for message in later if message["from"] != "visitor"]


def whole_chat(folder, base, known):
    write(folder, base, "peer-model")
    port = free_port()
    gateway = f"http://127.0.0.1:{port}"
    unlimited = {"ZHITONG__LIMITS__MESSAGES_PER_MINUTE": "100000", "ZHITONG__LIMITS__SESSIONS_PER_MINUTE": "100000"}
    env = dict(os.environ, ZHITONG__LOG__FILTER="error", **unlimited)
    with open(folder / "serve.out", "w", encoding="utf-8") as out:
        args = [BINARY, "serve", "--listen", f"127.0.0.1:{port}"]
        server = subprocess.Popen(args, cwd=folder, env=env, stdout=out, stderr=out)
    try:
        wait_for(f"{gateway}/readyz")
        right = lied_to = None
        for n, (words, rule, sentence) in enumerate(known):
            lies = n % 2 == 1
            if (lies and lied_to) or (not lies and right) or not (asked := ask(gateway, words)):
                continue
            stream, messages = hear(gateway, *asked)
            texts = [message["text"] for message in messages]
            if lies:
                check("the rules answer instead", bool(texts) and not any(m.get("generated") for m in messages), True)
                check("nothing invented is on the stream", "97万" in stream, False)
                check("nothing invented is said", any("97万" in text for text in texts), False)
                lied_to = words, rule
            elif messages[0].get("generated"):
                check("answered once", texts, [f"{sentence}\n\n{LABEL}"])
                check("with its sources", bool(messages[0]["citations"]), True)
                check("the answer is on the stream", LABEL in stream, True)
                right = words, rule
            if right and lied_to:
                break
        check("a question was answered and one lied about", bool(right and lied_to), True)

        # Beside the running gateway, on the same database.
        lines = [
            {"id": f"q{n}", "text": words, "expect": "answered", "rule_ids": [rule]}
            for n, (words, rule) in enumerate([right, lied_to])
        ]
        text = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
        (folder / "two.jsonl").write_text(text, encoding="utf-8")
        code, out, err = run(folder, base, "peer-model", "model", "eval", "--set", "two.jsonl", "--json")
        check("eval: exit code", (code, err), (0, ""))
        report = json.loads(out)
        answerable = report["questions"]["with_endpoint"]["answerable"]
        check("eval: right", (answerable["right"], answerable["wrong"], answerable["unanswered"]), (1, 0, 1))
        check("eval: asked", (report["calls"]["asked"], report["calls"]["failed"]), (2, 0))
        check("eval: stopped", "amount" in [tally["reason"] for tally in report["calls"]["refusals"]], True)
        check("eval: precision", report["questions"]["citations"]["endpoint"]["precision"], 1.0)
        code, out, _ = run(folder, base, "peer-model", "model", "eval", "--limit", "6", "--json")
        report = json.loads(out)
        # What the rules leave for the endpoint may be nothing that this server knows an answer to.
        calls = report["calls"]
        unusable = calls["asked"] > 0 and calls["failed"] == calls["asked"]
        check("eval: limit", [code, *(one["count"] for one in report["sets"])], [2 if unusable else 0, 6, 6])
        check("eval: nothing gets out", report["attacks"]["leaked"], 0)
        code, _, _ = run(folder, base, "broken", "model", "eval", "--set", "two.jsonl")
        check("eval: a broken endpoint", code, 2)
    finally:
        server.terminate()
        server.wait(timeout=30)


def wait_for(url):
    end = time.monotonic() + 60
    while True:
        try:
            return DIRECT.open(url, timeout=10).read()
        except OSError:
            if time.monotonic() > end:
                sys.exit("model peer: the server does not start")
            time.sleep(0.1)


def write(folder, base, model):
    config = f'[model]\nname = "peer"\nprofile = "openai"\nbase_url = "{base}/v1"\nmodel = "{model}"\napi_key = "sk-peer-secret"\n'
    (folder / "zhitong.toml").write_text(config, encoding="utf-8")


def run(folder, base, model, *args):
    write(folder, base, model)
    ran = subprocess.run([BINARY, *args], cwd=folder, capture_output=True, text=True, timeout=120)
    check("the key is told", "sk-peer-secret" in ran.stdout + ran.stderr, False)
    return ran.returncode, ran.stdout, ran.stderr


def probe(folder, base, model):
    code, out, err = run(folder, base, model, "model", "probe", "--json")
    if not out:
        sys.exit(f"model peer: probe printed nothing: {err}")
    report = json.loads(out)["endpoints"][0]
    return code, {finding["check"]: finding for finding in report["findings"]}


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        known = list(questions())
        rules = dict(RULES)
        for n, (words, rule, sentence) in enumerate(known):
            says = contract(rule, "每家企业可领97万元。" if n % 2 else sentence)
            mine = {"name": f"q{n}", "when": {"messages_contain": words}, "respond": {"content": says}}
            rules["rules"] = [*rules["rules"], mine]
        (folder / "fakellm.yaml").write_text(yaml.safe_dump(rules, allow_unicode=True), encoding="utf-8")
        port = free_port()
        base = f"http://127.0.0.1:{port}"
        env = dict(os.environ, FAKELLM_CONFIG=str(folder / "fakellm.yaml"))
        server = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "fakellm.server:app", "--port", str(port), "--log-level", "warning"],
            cwd=folder,
            env=env,
        )
        try:
            wait_for(f"{base}/_fakellm/stats")
            code, found = probe(folder, base, "peer-model")
            check("exit code", code, 0)
            verdicts = {check_name: finding["verdict"] for check_name, finding in found.items()}
            check(
                "verdicts",
                verdicts,
                {
                    "answers": "works",
                    "streams": "works",
                    "json_object": "works",
                    "json_schema": "works",
                    "thinking_off": "works",
                    # It tells the usage of whole answers only.
                    "usage": "partly",
                    "speed": "works",
                },
            )
            stats = get(f"{base}/_fakellm/stats")
            check("questions", stats["by_rule"], {"short": 1, "count": 1, "json": 2, "think": 1})
            check("streamed", sum(request["stream"] for request in stats["recent"]), 1)

            for model, failure in [("no-key", "unauthorised"), ("broken", "unavailable"), ("tools", "empty")]:
                code, found = probe(folder, base, model)
                check(f"{model}: exit code", code, 1)
                check(f"{model}: failure", found["answers"]["failure"], failure)

            code, out, _ = run(folder, base, "peer-model", "doctor", "--json")
            model = [finding for finding in json.loads(out)["findings"] if finding["area"] == "模型"]
            check("doctor", [finding["level"] for finding in model], ["ok"])

            whole_chat(folder, base, known)
        finally:
            server.terminate()
            server.wait(timeout=10)
    print(f"model peer: {done} checks passed")


main()
