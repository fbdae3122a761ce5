# The other files of deploy/, and the commands.

in_container_settings() { # what the Dockerfile makes of the default configuration
    sed -E 's/^(listen = ")127\.0\.0\.1:/\10.0.0.0:/' "$root/config/default.toml" >"$work/container.toml"
    grep -q '^listen = "0.0.0.0:5000"' "$work/container.toml" && bonafide config check --config "$work/container.toml"
}
unit() { # systemd knows every line of the unit
    local folder=$work/unit
    mkdir -p "$folder/usr/bin" "$folder/etc/systemd/system" "$folder/usr/lib/systemd"
    cp -r /usr/lib/systemd/system "$folder/usr/lib/systemd/"
    cp "$built/bonafide" "$folder/usr/bin/" && cp "$deploy/systemd/bonafide.service" "$folder/etc/systemd/system/"
    systemd-analyze verify --root="$folder" /etc/systemd/system/bonafide.service
}
libraries() { # nothing but what the final stage of the Dockerfile has
    ! ldd "$built/bonafide" | grep -vE 'linux-vdso|libc\.so|libm\.so|libgcc_s\.so|ld-linux'
}
claim 'the default configuration is valid, also as the Dockerfile changes it' in_container_settings
claim 'the binary needs no library that the image lacks' libraries
claim 'systemd accepts the unit' unit
claim '.. and finds it hardened' systemd-analyze security --offline=yes --threshold=20 "$deploy/systemd/bonafide.service"
claim 'docker and containerd get the same hosts.toml' \
    diff <(grep -v '^ *#' "$deploy/containerd/hosts.toml" | grep .) <(grep -v '^ *#' "$deploy/docker/certs.d/_default/hosts.toml" | grep .)

exits() { # STATUS COMMAND..
    local wanted=$1 status
    shift
    "$@"
    status=$?
    echo "exit $status"
    [ "$status" = "$wanted" ]
}
verify() { bonafide verify --config "$work/bonafide.toml" "$@"; }
decides() { verify --json "$2" | tee "$work/verdict" && true; jq -e --arg decision "$1" '.decision == $decision' "$work/verdict"; }
inspects() { bonafide inspect --config "$work/bonafide.toml" "$2" | tee "$work/inspected" | grep -q "$1"; }
drains() {
    local pid=${pids[bonafide]}
    kill -TERM "$pid" && wait "$pid"
    local status=$?
    unset 'pids[bonafide]'
    bonafide_up && [ "$status" = 0 ]
}

digest=$(image acme/command)
as3 "$(token fystack/apex "$workflow")" sign "$upstream/acme/command@$digest"
image acme/command-unsigned >/dev/null
claim 'verify: a proven image, exit 0' exits 0 verify docker.io/acme/command:v1
claim '.. as JSON' decides admit docker.io/acme/command:v1
claim 'verify: an unsigned image, exit 3' exits 3 verify docker.io/acme/command-unsigned:v1
claim '.. as JSON' decides refuse docker.io/acme/command-unsigned:v1
claim 'inspect: who signed' inspects docker-build-slsa.yml docker.io/acme/command:v1
claim 'config check: nonsense, exit 64' exits 64 bonafide config check --config "$deploy/docker/daemon.json"
counts_refusals() { # whatever this process decided before
    curl -sS -o /dev/null "http://$mirror/v2/docker.io/acme/command-unsigned/manifests/v1" &&
        grep -q '^bonafide_decisions_total{decision="refuse"' <(curl -fsS http://127.0.0.1:5001/metrics)
}
claim 'metrics count decisions' counts_refusals
claim 'it is ready' curl -fsS http://127.0.0.1:5001/readyz
claim 'serve ends well on SIGTERM, and starts again' drains
