#!/bin/sh
# Keeps a split_clients file of nginx in step with a route of Serin: polls with an ETag, writes the file atomically, tests
# the configuration, reloads nginx, and acknowledges a route only when nginx says that it is in effect. Past valid_until the
# canary's line is dropped, whether Serin can be reached or not. One process for each service; run it under a supervisor.
#
#   serin-split.sh          for ever
#   serin-split.sh --once   writes the file and ends, without nginx: before its first start
#
# From the environment:
#   SERIN_URL            gateway port of serind, http://127.0.0.1:8081
#   SERIN_TOKEN          a token with the role gateway
#   SERIN_SERVICE        the service
#   SERIN_INSTANCE       name of this nginx, as serin will show it
#   SERIN_SPLIT_FILE     the file that nginx includes
#   SERIN_NGINX          how nginx is called for -t and -s reload; "nginx"
#   SERIN_CONFIRM_URL    a location that returns $<variable>_serial; without it, a reload that was accepted is believed
#   SERIN_KEY            variable with the sticky key, without its dollar; by default what the service is sticky by
#   SERIN_VARIABLE       variable for the release; by default serin_<service>
#   SERIN_WAIT           seconds that a poll may be held, 1 to 60; 25
set -u
: "${SERIN_URL:?}" "${SERIN_TOKEN:?}" "${SERIN_SERVICE:?}" "${SERIN_INSTANCE:?}" "${SERIN_SPLIT_FILE:?}"
nginx=${SERIN_NGINX:-nginx}
longest=${SERIN_WAIT:-25}
query="format=nginx${SERIN_KEY:+&key=$SERIN_KEY}${SERIN_VARIABLE:+&variable=$SERIN_VARIABLE}"

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 0' INT TERM
etag=''       # of the route in effect
until=-       # its valid_until, seconds since 1970
count=0
: >"$work/active"

say() {
    printf 'serin-split: %s: %s\n' "$SERIN_SERVICE" "$1" >&2
}

# Fetches the route into $work/body and its headers into $work/headers; prints the status. The token goes in by stdin, so
# that no list of processes shows it.
fetch() { # seconds
    {
        printf 'header = "Authorization: Bearer %s"\n' "$SERIN_TOKEN"
        printf 'header = "Serin-Gateway: %s"\n' "$SERIN_INSTANCE"
        if [ -n "$etag" ]; then
            printf 'header = "If-None-Match: %s"\n' "$(printf '%s' "$etag" | sed 's/"/\\"/g')"
        fi
    } | curl -s -K - -o "$work/body" -D "$work/headers" -w '%{http_code}' --connect-timeout 2 \
        --max-time $(($1 + 10)) "$SERIN_URL/v1/routes/$SERIN_SERVICE?$query&wait=$1s"
}

confirmed() { # serial
    seen=0
    tries=0
    while [ "$tries" -lt 100 ]; do
        tries=$((tries + 1))
        if [ "$(curl -s --max-time 2 "$SERIN_CONFIRM_URL")" = "$1" ]; then
            # several workers are replaced one after the other
            seen=$((seen + 1))
            [ "$seen" -ge 5 ] && return 0
        else
            seen=0
            sleep 0.1
        fi
    done
    return 1
}

put_back() {
    if [ -e "$work/before" ]; then
        cp "$work/before" "$SERIN_SPLIT_FILE.part" && mv "$SERIN_SPLIT_FILE.part" "$SERIN_SPLIT_FILE"
    fi
}

# Brings $1 into effect. What was in effect stays if that fails.
install() {
    count=$((count + 1))
    serial=$(date +%s)-$$-$count
    variable=$(sed -n 's/^split_clients ".*" \$\([A-Za-z0-9_]*\) {$/\1/p' "$1")
    rm -f "$work/before"
    if [ -e "$SERIN_SPLIT_FILE" ]; then
        cp "$SERIN_SPLIT_FILE" "$work/before" || return 1
    fi
    {
        cat "$1"
        printf 'map "" $%s_serial {\n    default "%s";\n}\n' "$variable" "$serial"
    } >"$SERIN_SPLIT_FILE.part" || return 1
    mv "$SERIN_SPLIT_FILE.part" "$SERIN_SPLIT_FILE" || return 1
    [ -n "${once:-}" ] && return 0
    # shellcheck disable=SC2086 # SERIN_NGINX is a command with its options
    if ! $nginx -t >"$work/test" 2>&1; then
        say "nginx refuses the configuration: $(tail -n 2 "$work/test" | tr '\n' ' ')"
        put_back
        return 1
    fi
    # shellcheck disable=SC2086
    if ! $nginx -s reload >"$work/reload" 2>&1; then
        say "nginx was not reloaded: $(tail -n 1 "$work/reload")"
        return 1
    fi
    if [ -n "${SERIN_CONFIRM_URL:-}" ] && ! confirmed "$serial"; then
        say "nginx was reloaded, but does not say that the new weights are in effect"
        return 1
    fi
    cp "$1" "$work/active"
}

same() { # two files: but for comments
    [ "$(grep -v '^#' "$1")" = "$(grep -v '^#' "$2")" ]
}

take() {
    if [ "$(tail -n 1 "$work/body")" != '}' ] || ! grep -q '^split_clients ' "$work/body"; then
        say 'the answer is no route'
        return 1
    fi
    # a lease that was only renewed needs no reload
    if ! same "$work/body" "$work/active"; then
        install "$work/body" || return 1
        say "in effect: $(sed -n 's/^ *\(.*%.*\);$/\1/p' "$work/body") $(sed -n 's/^ *\(\*.*\);$/\1/p' "$work/body")"
    fi
    until=$(sed -n 's/^# valid_until //p' "$work/body")
    etag=$(sed -n 's/^[Ee][Tt][Aa][Gg]: *//p' "$work/headers" | tr -d '\r')
}

lapse() {
    if [ "$until" = - ] || [ "$(date +%s)" -lt "$until" ]; then
        return 0
    fi
    sed '/^ *[0-9.]*% /d' "$work/active" >"$work/lapsed"
    if ! same "$work/lapsed" "$work/active"; then
        say 'the lease on canary weight has run out: stable alone'
        install "$work/lapsed" || return 1
    fi
    until=-
}

if [ "${1:-}" = --once ]; then
    once=yes
    while [ "$(fetch 0)" != 200 ] || ! take; do
        say 'no route yet'
        sleep 1
    done
    exit 0
fi
while :; do
    wait=$longest
    if [ "$until" != - ]; then
        left=$((until - $(date +%s)))
        [ "$left" -lt "$wait" ] && wait=$left
        [ "$wait" -lt 1 ] && wait=1
    fi
    case $(fetch "$wait") in
    200) take || sleep 1 ;;
    304) ;;
    *)
        say 'serind does not answer; what is in effect stays'
        sleep 1
        ;;
    esac
    lapse
done
