#!/usr/bin/env bash
# Drives a running gateway as WeChat does, with an independent client library (wechatpy): signed plain and encrypted
# messages, checks of the address, hung-up connections with retries, ten copies at once, forgeries, a restart by kill.
# Usage: tests/wechat_peer.sh [path to the zhitong binary]
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$(realpath "${1:-target/debug/zhitong}")
venv=target/wechat-venv
if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c 'import wechatpy' 2>/dev/null; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet 'wechatpy[cryptography]==1.8.18'
fi
exec "$venv/bin/python" tests/wechat_peer.py "$binary"
