#!/usr/bin/env bash
# Starts a gateway with the demonstration and lets schemathesis send it what its OpenAPI document allows and forbids:
# no 5xx, every answer as described, wrong input refused, no route open without its credential. At most three minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

version=4.32.5
venv=target/schemathesis
if ! "$venv/bin/schemathesis" --version 2>/dev/null | grep -q "$version"; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"
fi

binary=$PWD/target/debug/zhitong
rules=$PWD/rules
prompts=$PWD/prompts
schemathesis=$PWD/$venv/bin/schemathesis
work=$(mktemp -d /tmp/zhitong-openapi.XXXXXX)
server=
cleanup() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap cleanup EXIT
cd "$work"
export ZHITONG__CONTENT__RULES_DIR=$rules ZHITONG__CONTENT__PROMPTS_DIR=$prompts
export ZHITONG__LIMITS__MESSAGES_PER_MINUTE=1000000 ZHITONG__LIMITS__SESSIONS_PER_MINUTE=1000000
export ZHITONG__LIMITS__TRACK_PER_MINUTE=1000000 ZHITONG__LOG__FILTER=warn
port=$((20000 + RANDOM % 20000))
base=http://127.0.0.1:$port

# One account with every role that is of the centre, so that no permission hides a fault.
echo 'fuzz-fuzz-fuzz' | "$binary" user add pruefer --name 接口检查 --stdin --role front_desk --role dispatcher \
  --role verifier --role supervisor --role admin --role auditor >/dev/null
token=$("$binary" token create --user pruefer --name openapi | grep -o 'zt_[A-Za-z0-9_-]*')
"$binary" serve --demo --listen "127.0.0.1:$port" >server.out 2>server.err &
server=$!
for _ in $(seq 200); do
  if curl --noproxy '*' -fsS "$base/readyz" >/dev/null 2>&1; then break; fi
  sleep 0.1
done
visitor=$(curl --noproxy '*' -fsS -X POST -H 'content-type: application/json' -d '{}' "$base/api/chat/sessions" \
  | grep -o 'zv_[A-Za-z0-9_-]*' | head -n 1)

# Objects that are there, so that a walk gets behind the door. Streams never end and are walked by the tests; ending
# one's own session or token would end the walk.
json() { curl --noproxy '*' -fsS -H "Authorization: Bearer $1" -H 'content-type: application/json' "${@:2}"; }
first() { grep -o "\"$1\":\"[^\"]*\"" | head -n 1 | cut -d '"' -f 4; }
json "$visitor" -d '{}' "$base/api/chat/handoff" >conversation.json
conversation=$(json "$token" "$base/api/conversations?state=queued" | first id)
json "$token" -d '{}' "$base/api/conversations/$conversation/claim" >/dev/null
number=$(json "$token" "$base/api/cases" | first number)
read -r sample code < <(sed -n 's/.*查进度可用  编号 \([^ ]*\)  查询码 \([^ ]*\).*/\1 \2/p' server.out)
cat >schemathesis.toml <<CONFIG
color = false
[[operations]]
include-path-regex = "^/api/conversations/[{]"
parameters = { "path.id" = "$conversation" }
[[operations]]
include-path-regex = "^/api/cases/[{]"
parameters = { "path.number" = "$number" }
[[operations]]
include-path-regex = "^/api/track/"
parameters = { "path.number" = "$sample", "query.code" = "$code" }
CONFIG
# That everything the schema allows is accepted is no check for us: whether a case may be signed in now depends on more
# than its shape, and is answered by 409 or 422.
run() {
  NO_PROXY='*' "$schemathesis" --config-file schemathesis.toml run "$base/api/openapi.json" --checks all \
    --exclude-checks "$2" --phases coverage,fuzzing --max-time "$1" --workers 2 --seed 20261126 "${@:3}"
}
bodies=positive_data_acceptance
# In a form every value is text: that "false" is taken as an id violates nothing. tests/it holds what forms refuse.
forms=positive_data_acceptance,negative_data_rejection
status=0
echo "-- as an officer"
run 80 $bodies --exclude-path-regex '/stream$|/attachments$|^/api/logout$|^/api/me/password$|^/api/chat/' -H "Authorization: Bearer $token" || status=$?
echo "-- as a visitor"
run 40 $bodies --include-path-regex '^/api/chat/' --exclude-path-regex '/stream$|/attachments$' \
  -H "Authorization: Bearer $visitor" || status=$?
echo "-- files"
run 10 $forms --include-path-regex '^/api/conversations/.*/attachments$' -H "Authorization: Bearer $token" || status=$?
run 10 $forms --include-path-regex '^/api/chat/attachments$' -H "Authorization: Bearer $visitor" || status=$?
if grep -qE '"level":"ERROR"|panicked| ERROR ' server.err; then
  echo "the gateway logged errors:"
  grep -E '"level":"ERROR"|panicked| ERROR ' server.err | head -n 20
  status=1
fi
exit "$status"
