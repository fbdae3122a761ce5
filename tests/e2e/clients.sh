# The clients, each with the files of deploy/ where those say that they belong. Sourced by run.
#
# Each client is `pull_<client> REPOSITORY[:TAG|@DIGEST]`, of docker.io, and `layers_<client> REPOSITORY`, which checks that what was
# pulled is what was published, byte for byte. `up_<client>` starts what the client needs, once.

deploy=$root/deploy

# runtimes: those that can be led past a mirror, and what starts them.
clients=(crane skopeo podman ctr17 ctr21 cri17 cri21 docker docker_classic)

# The digests of config and layers for the platform that runs the checks, of REPOSITORY:v1.
blobs_of() {
    crane manifest --platform "linux/$(platform)" "$upstream/$1:v1" | jq -r '.config.digest, .layers[].digest'
}
platform() { dpkg --print-architecture; }

# same_blobs REPOSITORY FOLDER: FOLDER has each blob of the image under its hexadecimal digest, with the bytes of the upstream.
same_blobs() {
    local digest count=0
    for digest in $(blobs_of "$1"); do
        cmp "$2/${digest#sha256:}" <(crane blob "$upstream/$1@$digest") || return 1
        count=$((count + 1))
    done
    [ "$count" -ge 3 ]
}

# same_layers REPOSITORY TAR: TAR, what `docker save` or `podman save` wrote, has the uncompressed layers of the image.
same_layers() {
    local digest saved
    saved=$(mktemp -d "$work/saved.XXXXXX")
    tar -C "$saved" -xf "$2" && find "$saved" -type f -exec sha256sum {} + >"$saved.sums"
    for digest in $(crane config --platform "linux/$(platform)" "$upstream/$1:v1" | jq -r '.rootfs.diff_ids[]'); do
        grep -q "^${digest#sha256:}" "$saved.sums" || { echo "no layer $digest" && return 1; }
    done
}

# --- crane, by the name of Bonafide

up_crane() { :; }
pull_crane() { rm -rf "$work/crane" && crane pull --format oci "$mirror/docker.io/$1" "$work/crane"; }
layers_crane() { same_blobs "$1" "$work/crane/blobs/sha256"; }

# --- podman and skopeo: one file

up_containers() {
    mkdir -p /etc/containers/registries.conf.d && cp "$deploy/podman/registries.conf" /etc/containers/registries.conf.d/bonafide.conf
}

up_skopeo() { up_containers; }
pull_skopeo() { rm -rf "$work/skopeo" && skopeo copy --all "docker://docker.io/$1" "oci:$work/skopeo:image"; }
layers_skopeo() { same_blobs "$1" "$work/skopeo/blobs/sha256"; }

up_podman() { up_containers; }
podman_here() {
    podman --root "$work/podman" --runroot "$work/podman-run" --storage-driver vfs --cgroup-manager cgroupfs --events-backend file \
        --tmpdir "$work/podman-tmp" "$@"
}
pull_podman() { podman_here pull "docker.io/$1"; }
layers_podman() {
    rm -f "$work/podman.tar"
    podman_here save -o "$work/podman.tar" "docker.io/$1:v1" && same_layers "$1" "$work/podman.tar"
}

# --- containerd 1.7 and 2.1: ctr, and the CRI, which is what the kubelet asks

containerd_up() { # GENERATION
    local folder=$work/containerd$1 settings
    [ -z "${pids[containerd$1]:-}" ] || return 0
    mkdir -p "$folder" /etc/containerd/certs.d/_default
    cp "$deploy/containerd/hosts.toml" /etc/containerd/certs.d/_default/hosts.toml
    case $1 in
        17) settings='version = 2
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "native"
[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "/etc/containerd/certs.d"' ;;
        21) settings='version = 3
[plugins."io.containerd.cri.v1.images"]
snapshotter = "native"
[plugins."io.containerd.cri.v1.images".registry]
config_path = "/etc/containerd/certs.d"
[[plugins."io.containerd.transfer.v1.local".unpack_config]]
platform = "linux/'$(platform)'"
snapshotter = "native"' ;;
    esac
    cat >"$folder/config.toml" <<END
${settings%%$'\n'*}
root = "$folder/root"
state = "$folder/state"
[grpc]
address = "$folder/sock"
[ttrpc]
address = "$folder/sock.ttrpc"
${settings#*$'\n'}
END
    start "containerd$1" "containerd$1" -c "$folder/config.toml"
    eventually "ctr$1" -a "$folder/sock" version
}
pull_ctr() { # GENERATION IMAGE
    "ctr$1" -a "$work/containerd$1/sock" images pull --snapshotter native --hosts-dir /etc/containerd/certs.d "docker.io/$2"
}
layers_containerd() { same_blobs "$2" "$work/containerd$1/root/io.containerd.content.v1.content/blobs/sha256"; }

# pull_cri GENERATION IMAGE: PullImage of the CRI. There is no crictl in Debian; the request is two nested fields of a protobuf.
pull_cri() {
    local image=docker.io/$2 size header=$work/cri-header
    size=${#image}
    [ "$size" -lt 120 ] || return 1
    {
        printf '\x00\x00\x00\x00'
        printf "\\x$(printf %x $((size + 4)))\\x0a\\x$(printf %x $((size + 2)))\\x0a\\x$(printf %x "$size")%s" "$image"
    } >"$work/cri-request"
    curl -sS --http2-prior-knowledge --unix-socket "$work/containerd$1/sock" -H 'Content-Type: application/grpc' -H 'TE: trailers' \
        --data-binary "@$work/cri-request" -D "$header" -o "$work/cri-answer" http://localhost/runtime.v1.ImageService/PullImage
    tr -d '\r' <"$header" | grep -i '^grpc-'
    grep -qi '^grpc-status: 0' "$header" || ! grep -qi '^grpc-status' "$header" && grep -qa sha256 "$work/cri-answer"
}

up_ctr17() { containerd_up 17; }
up_ctr21() { containerd_up 21; }
up_cri17() { containerd_up 17; }
up_cri21() { containerd_up 21; }
pull_ctr17() { pull_ctr 17 "$1"; }
pull_ctr21() { pull_ctr 21 "$1"; }
pull_cri17() { pull_cri 17 "$1"; }
pull_cri21() { pull_cri 21 "$1"; }
layers_ctr17() { layers_containerd 17 "$1"; }
layers_ctr21() { layers_containerd 21 "$1"; }
layers_cri17() { layers_containerd 17 "$1"; }
layers_cri21() { layers_containerd 21 "$1"; }

# --- docker: with the containerd image store, and the classic one, which can only be closed by pulling by the name of Bonafide

dockerd_up() { # NAME ARGUMENTS..
    local name=$1
    shift
    [ -z "${pids[$name]:-}" ] || return 0
    start "$name" env PATH="$(dirname "$(readlink -f "$tools/containerd21")"):$PATH" dockerd --data-root "$work/$name" \
        --exec-root "/run/$name" --pidfile "/run/$name.pid" --host "unix:///run/$name.sock" --iptables=false --ip6tables=false \
        --bridge=none --userland-proxy=false "$@"
    eventually docker -H "unix:///run/$name.sock" version
}
up_docker() {
    mkdir -p /etc/docker && cp -r "$deploy/docker/certs.d" /etc/docker/
    dockerd_up docker --config-file "$deploy/docker/daemon.json" --storage-driver native
}
pull_docker() { docker -H unix:///run/docker.sock pull "docker.io/$1"; }
layers_docker() { same_blobs "$1" "$work/docker/containerd/daemon/io.containerd.content.v1.content/blobs/sha256"; }

up_docker_classic() {
    echo '{"features": {"containerd-snapshotter": false}}' >"$work/classic.json"
    dockerd_up docker_classic --config-file "$work/classic.json" --storage-driver vfs
}
pull_docker_classic() { docker -H unix:///run/docker_classic.sock pull "$mirror/docker.io/$1"; }
layers_docker_classic() {
    docker -H unix:///run/docker_classic.sock save -o "$work/classic.tar" "$mirror/docker.io/$1:v1" && same_layers "$1" "$work/classic.tar"
}
