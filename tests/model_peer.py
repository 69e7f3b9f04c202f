"""Drives `zhitong model probe` and `zhitong doctor` through an independent server of the protocol."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import yaml

BINARY = sys.argv[1]
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


def get(url):
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as answer:
        return json.load(answer)


def wait_for(url):
    end = time.monotonic() + 60
    while True:
        try:
            return get(url)
        except OSError:
            if time.monotonic() > end:
                sys.exit("model peer: the server does not start")
            time.sleep(0.1)


def run(folder, base, model, *args):
    config = f'[model]\nname = "peer"\nprofile = "openai"\nbase_url = "{base}/v1"\nmodel = "{model}"\napi_key = "sk-peer-secret"\n'
    (folder / "zhitong.toml").write_text(config, encoding="utf-8")
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
        (folder / "fakellm.yaml").write_text(yaml.safe_dump(RULES, allow_unicode=True), encoding="utf-8")
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
        finally:
            server.terminate()
            server.wait(timeout=10)
    print(f"model peer: {done} checks passed")


main()
