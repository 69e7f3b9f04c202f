#!/usr/bin/env bash
# Drives a running gateway as WeChat does, with independent client libraries.
# python: wechatpy: signed plain and encrypted messages, checks of the address, hung-up connections with retries, ten
#   copies at once, forgeries, a restart by kill.
# npm: @wecom/crypto and wechat-crypto: envelopes of 企业微信, 微信客服 and safe mode, XML and JSON, every padding.
# Usage: tests/wechat_peer.sh [path to the zhitong binary] [python|npm]; without the last both.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$(realpath "${1:-target/debug/zhitong}")
which=${2:-both}

if [ "$which" != npm ]; then
  venv=target/wechat-venv
  if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c 'import wechatpy' 2>/dev/null; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet 'wechatpy[cryptography]==1.8.18'
  fi
  "$venv/bin/python" tests/wechat_peer.py "$binary"
fi

if [ "$which" != python ]; then
  modules=target/wechat-npm
  if ! NODE_PATH="$modules/node_modules" node -e 'require("@wecom/crypto"); require("wechat-crypto")' 2>/dev/null; then
    mkdir -p "$modules"
    npm install --prefix "$modules" --no-save --no-package-lock --no-audit --no-fund --ignore-scripts --silent \
      @wecom/crypto@1.0.1 wechat-crypto@0.0.2
  fi
  # wechat-crypto still calls `new Buffer`.
  NODE_PATH="$modules/node_modules" node --no-deprecation tests/wechat_npm_peer.js "$binary"
fi
