# Claims and processes. Sourced by run.

passed=0
failed=0
declare -A pids=()

# claim TEXT COMMAND..: counts and prints whether COMMAND, quietly, ends well. What it said is printed when it does not.
claim() {
    local text=$1
    shift
    if "$@" >"$work/claim" 2>&1; then
        passed=$((passed + 1))
        printf 'ok %s\n' "$text"
    else
        failed=$((failed + 1))
        printf 'FAILED %s\n' "$text"
        tail -n 20 "$work/claim" | cut -c 1-1000 | sed 's/^/    /'
    fi
}

# fails_saying PATTERN COMMAND..: COMMAND fails, and PATTERN is in what it prints.
fails_saying() {
    local pattern=$1 text
    shift
    if text=$("$@" 2>&1); then
        printf '%s\nended well, but must fail: %s\n' "$text" "$*"
        return 1
    fi
    printf '%s\n' "$text"
    grep -qiE -- "$pattern" <<<"$text" || { printf 'does not say: %s\n' "$pattern" && return 1; }
}

# fails COMMAND..
fails() { fails_saying '' "$@"; }

# eventually COMMAND..: COMMAND ends well within half a minute.
eventually() {
    local i
    for i in $(seq 300); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    printf 'not within half a minute: %s\n' "$*"
    return 1
}

# start NAME COMMAND..: in the background, its output in $work/log/NAME.
start() {
    local name=$1
    shift
    mkdir -p "$work/log"
    "$@" >>"$work/log/$name" 2>&1 &
    pids[$name]=$!
}

# stop NAME: ends what `start` started, and waits for it.
stop() {
    local pid=${pids[$1]:-}
    [ -n "$pid" ] || return 0
    kill "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    unset "pids[$1]"
}

# enter: makes the namespaces of the run a place of its own.
enter() {
    ip link set lo up || return 1
    cp -a /etc "$work/etc" && mount --bind "$work/etc" /etc || return 1
    mount -t tmpfs run /run || return 1
    export HOME=$work/home XDG_RUNTIME_DIR=/run/user COSIGN_PASSWORD= DOCKER_CONFIG=$work/docker TMPDIR=$work/tmp
    unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy
    mkdir -p "$HOME" "$XDG_RUNTIME_DIR" "$DOCKER_CONFIG" "$TMPDIR" "$work/log"
    echo '{}' >"$DOCKER_CONFIG/config.json"
}
