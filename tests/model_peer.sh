#!/usr/bin/env bash
# Lets the gateway talk to an independent server of the model protocol (fakellm), so that the client is not tested
# against our own idea of it alone: probe, doctor, refusals, tool calls, streaming without usage, a visitor's question
# from the chat to the checked answer, a lie that is stopped, and an evaluation.
# Usage: tests/model_peer.sh [path to the zhitong binary]
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$(realpath "${1:-target/debug/zhitong}")
venv=target/model-venv
if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c 'import fakellm' 2>/dev/null; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet 'fakellm==0.3.5'
fi
exec "$venv/bin/python" tests/model_peer.py "$binary"
