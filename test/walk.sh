#!/bin/sh
# The whole way of a newcomer, with curl alone: sign in, make a key, call Claude, see the usage, apply for a model, have it
# approved, call it, download the usage.
#
#   npm run demo > demo.log &        # login codes are in its log; this waits until it serves
#   sh test/walk.sh http://localhost:8080 demo.log
set -eu
GATEWAY=$1
LOG=$2
MODEL=${3:-claude-fable-5-2} # needs approval in the demo
JARS=$(mktemp -d)
trap 'rm -rf "$JARS"' EXIT

# say METHOD PATH [BODY]: a request in the name of $WHO, with the browser's cookies and the Origin that changes need.
say() {
  curl -sS --fail-with-body -X "$1" "$GATEWAY$2" -b "$JARS/$WHO" -c "$JARS/$WHO" -H "origin: $GATEWAY" \
    ${3:+-H 'content-type: application/json' -d "$3"}
}
# field NAME: the first value of that name in the JSON on standard input.
field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p" | head -n 1; }
# wait_for WHAT COMMAND...: until the command succeeds, for two minutes at most.
wait_for() {
  what=$1
  shift
  tries=0
  until "$@" > "$JARS/tried" 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 240 ] || { echo "There is still not $what." >&2; exit 1; }
    sleep 0.5
  done
}
step() { printf '\n== %s\n' "$1"; }

code_of_log() {
  grep 'code.no_sender' "$LOG" | grep "\"$WHO\"" | tail -n 1 | sed 's/.*code"\{0,1\}[:=]"\([A-Z0-9]*\)".*/\1/'
}
sign_in() {
  WHO=$1
  before=$(code_of_log)
  say POST /api/auth/send-code "{\"itcode\":\"$WHO\"}"
  wait_for 'a new code in the log' new_code
  say POST /api/auth/login "{\"itcode\":\"$WHO\",\"code\":\"$(code_of_log)\"}"
}
new_code() { [ "$(code_of_log)" != "$before" ]; }
call() {
  curl -sS "$GATEWAY/v1/messages" -H "x-api-key: $KEY" -H 'content-type: application/json' \
    -d "{\"model\":\"$1\",\"max_tokens\":100,\"messages\":[{\"role\":\"user\",\"content\":\"Hello!\"}]}"
}

wait_for "a gateway at $GATEWAY" curl -sSf "$GATEWAY/readyz"
# Another one each time, so that it can be walked again.
NEWCOMER=newcomer-$$
step 'Sign in: the account is made by the first right code'
sign_in "$NEWCOMER"
step 'Make a key: it is shown this once'
made=$(say POST /api/keys '{"name":"walk"}')
echo "$made"
KEY=$(echo "$made" | sed 's/.*"key":"\(sk-[^"]*\)".*/\1/')
step 'Call Claude with it'
call claude-haiku-5-5
step 'See what it cost'
sleep 1 # rows are written within a quarter of a second
say GET /api/usage/summary
step "Call $MODEL: refused, it needs approval"
call "$MODEL"
step 'Apply for it'
asked=$(say POST /api/applications "{\"model\":\"$MODEL\",\"reason\":\"for the walk\"}")
echo "$asked"
application=$(echo "$asked" | field id)
step 'An administrator approves'
sign_in admin
say PUT "/admin/api/applications/$application/review" '{"status":"approved"}'
step "Call $MODEL again"
WHO=$NEWCOMER
call "$MODEL"
step 'Download the usage'
sleep 1
say GET /api/usage/export
printf '\nDone.\n'
