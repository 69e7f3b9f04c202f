#!/usr/bin/env bash
# Runs every check: format, lints, docs, tests on SQLite and PostgreSQL, browser tests, the shipped rules' own
# tests, licences. Installs what is missing when it may (root on Debian); otherwise says which suites it leaves out.
# With CI=true a suite left out is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

ci=${CI:-}
left_out=()
step() { printf '\n== %s (%ss)\n' "$1" "$SECONDS"; }
leave_out() {
  left_out+=("$1: $2")
  if [ -n "$ci" ]; then echo "suite left out in CI: $1: $2" >&2; exit 1; fi
}
can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }
apt_updated=
install() {
  can_install || return 1
  if [ -z "$apt_updated" ]; then apt-get update -qq >/dev/null || true; apt_updated=1; fi
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

step "tools"
if ! command -v chromedriver >/dev/null || ! command -v chromium >/dev/null; then
  install chromium chromium-driver || true
fi
if command -v fc-list >/dev/null && ! fc-list :lang=zh | grep -q .; then install fonts-noto-cjk || true; fi

# A PostgreSQL of our own, in a temporary folder, so that no running server is touched.
pg_bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1 || true)
if [ -z "$pg_bin" ]; then install postgresql postgresql-contrib || true; pg_bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1 || true); fi
pg_dir=
cleanup() {
  if [ -n "$pg_dir" ]; then
    as_pg "$pg_bin/pg_ctl" -D "$pg_dir/data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$pg_dir"
  fi
}
as_pg() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
if [ -n "${ZHITONG_TEST_POSTGRES:-}" ]; then
  echo "PostgreSQL: the one named by ZHITONG_TEST_POSTGRES"
elif [ -n "$pg_bin" ]; then
  pg_dir=$(mktemp -d /tmp/zhitong-pg.XXXXXX)
  trap cleanup EXIT
  chmod 755 "$pg_dir"
  if [ "$(id -u)" = 0 ]; then chown postgres "$pg_dir"; fi
  port=$((20000 + RANDOM % 20000))
  as_pg "$pg_bin/initdb" -D "$pg_dir/data" -A trust -U postgres -E UTF8 --locale=C.UTF-8 >/dev/null
  as_pg "$pg_bin/pg_ctl" -D "$pg_dir/data" -l "$pg_dir/log" -w \
    -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$pg_dir -c max_connections=300 -c fsync=off" start >/dev/null
  export ZHITONG_TEST_POSTGRES="postgres://postgres@127.0.0.1:$port/postgres"
else
  leave_out "PostgreSQL" "no server found; install Debian's package postgresql or set ZHITONG_TEST_POSTGRES"
fi

step "format"
cargo fmt --check

step "lints"
cargo clippy --all-targets --locked -- -D warnings

step "docs"
RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked --document-private-items -q

step "licences, bans, sources"
if ! command -v cargo-deny >/dev/null && [ -n "$ci" ]; then
  cargo install --locked --debug --no-default-features --quiet cargo-deny
fi
if command -v cargo-deny >/dev/null; then
  cargo deny --log-level error check licenses bans sources
  cargo deny --log-level error check advisories 2>/tmp/zhitong-advisories.$$ \
    || { if grep -qiE 'fetch|clone|network|resolve host|connect' /tmp/zhitong-advisories.$$; then echo "advisories: their database cannot be reached from here"; else cat /tmp/zhitong-advisories.$$; exit 1; fi; }
  rm -f /tmp/zhitong-advisories.$$
else
  leave_out "cargo deny" "not installed; cargo install cargo-deny"
fi

step "shipped rules"
cargo build --locked -q
./target/debug/zhitong rules check rules
./target/debug/zhitong rules test rules

step "tests"
if command -v chromedriver >/dev/null && command -v chromium >/dev/null; then
  export ZHITONG_TEST_BROWSER=1
else
  leave_out "browser" "no chromium and chromedriver found"
fi
cargo test --locked --all-targets -- --quiet

step "OpenAPI document against the running gateway"
if python3 -c 'import venv, ensurepip' 2>/dev/null || install python3 python3-venv; then
  command -v curl >/dev/null || install curl || true
  bash tests/openapi.sh
else
  leave_out "OpenAPI" "no Python with venv found; install Debian's packages python3 and python3-venv"
fi

step "WeChat, played by independent client libraries"
if command -v python3 >/dev/null && python3 -c 'import venv, ensurepip' 2>/dev/null || install python3-venv; then
  bash tests/wechat_peer.sh target/debug/zhitong python
else
  leave_out "WeChat peer" "no python3 with venv found"
fi
if { command -v node >/dev/null && command -v npm >/dev/null; } || install nodejs npm; then
  bash tests/wechat_peer.sh target/debug/zhitong npm
else
  leave_out "WeChat peer from npm" "no node and npm found; install Debian's packages nodejs and npm"
fi

step "the model endpoint, played by an independent server"
if command -v python3 >/dev/null && python3 -c 'import venv, ensurepip' 2>/dev/null || install python3-venv; then
  bash tests/model_peer.sh target/debug/zhitong
else
  leave_out "model peer" "no python3 with venv found"
fi

step "done"
if [ ${#left_out[@]} -gt 0 ]; then
  echo "Left out on this machine:"
  printf '  %s\n' "${left_out[@]}"
fi
