# A disk that is full or read-only keeps nobody from pulling, and what is pulled once it is well is kept again.

disk=$work/disk
mkdir -p "$disk" "$work/held/content"
cp "$work/bonafide.toml" "$work/usual.toml"

# layered REPOSITORY BYTES: pushes a signed image with one layer of so many bytes.
layered() {
    local to=$upstream/$1 digest
    rm -rf "$work/layer" && mkdir -p "$work/layer" && head -c "$2" /dev/urandom >"$work/layer/data" && archive "$work/layer"
    crane append --oci-empty-base -f "$work/layer.tar" -t "$to:v1" >/dev/null 2>>"$work/log/image" || return 1
    digest=$(crane digest "$to:v1")
    as3 "$(token fystack/apex "$workflow")" sign "$to@$digest"
}

# on STATE: Bonafide, with what it keeps at STATE.
on() {
    stop bonafide
    sed "s#^path = \"$work/state\"#path = \"$1\"#" "$work/usual.toml" >"$work/bonafide.toml"
    : >"$work/log/bonafide"
    bonafide_up
}

layer_of() { crane manifest "$upstream/$1:v1" | jq -r '.layers[0].digest'; }

# pulled REPOSITORY: the manifest, the config and the layer come whole, with the bytes of the upstream.
pulled() {
    local digest
    admitted "$1" || return 1
    for digest in $(crane manifest "$upstream/$1:v1" | jq -r '.config.digest, .layers[].digest'); do
        curl -sS -o "$work/blob" -w '%{http_code}\n' "http://$mirror/v2/docker.io/$1/blobs/$digest" || return 1
        [ "sha256:$(sha256sum <"$work/blob" | cut -c 1-64)" = "$digest" ] || { echo "other bytes for $digest" && return 1; }
    done
}

# is_kept STATE REPOSITORY: its layer is on the disk, whole.
is_kept() {
    local hex
    hex=$(layer_of "$2" | cut -d : -f 2)
    ls -l "$1/content/sha256/${hex:0:2}" "$1/content/partial"
    [ "$(sha256sum <"$1/content/sha256/${hex:0:2}/$hex" | cut -c 1-64)" = "$hex" ]
}

# counts NAME: the metric is there and above 0.
counts() {
    curl -fsS http://127.0.0.1:5001/metrics | grep "^$1 " | tee "$work/metric"
    [ "$(cut -d ' ' -f 2 "$work/metric")" -gt 0 ]
}
says() { grep -E -- "$1" "$work/log/bonafide"; }
is_whole() { bonafide --config "$work/bonafide.toml" storage check; }
nothing_partial() { [ -z "$(ls -A "$1/content/partial")" ]; }
fill() { head -c 1G /dev/zero >>"$1/filler" 2>/dev/null; [ "$(stat -f -c %a "$1")" = 0 ]; }

# forgets: a new image is pulled from a full disk, whose facts are not kept. What is evicted meanwhile makes room for some.
forgets() {
    local name=acme/more$RANDOM
    layered "$name" 1000 && fill "$disk" && pulled "$name" && counts bonafide_facts_unkept_total
}

layered acme/small 500000
layered acme/later 2000000
layered acme/huge 12000000

# --- full

# full WHAT STATE ROOM: the disk ROOM, on which WHAT of STATE is, runs full.
full() {
    claim "$1 on a small disk: an image that fits is pulled" pulled acme/small
    claim '.. and kept' eventually is_kept "$2" acme/small
    claim '.. one with a layer that is larger than the disk is pulled, too' pulled acme/huge
    claim '.. is counted as not kept' counts bonafide_content_unkept_total
    claim '.. as the log says' says 'cannot be kept, it passes through.*No space left'
    claim '.. and leaves nothing behind' eventually nothing_partial "$2"
    claim 'the disk is full' eventually fill "$3"
    claim '.. what was not kept yet is pulled' pulled acme/later
    claim '.. and not kept' fails is_kept "$2" acme/later
    claim '.. what was kept is pulled' pulled acme/small
}

mount -t tmpfs -o size=6m disk "$disk"
claim 'Bonafide starts on a small disk' on "$disk/state"
full 'Everything' "$disk/state" "$disk"
claim '.. and facts that are not kept are counted' eventually forgets
claim 'with the disk full, Bonafide starts anew' on "$disk/state"
claim '.. and an image is pulled' pulled acme/later
rm -f "$disk/filler"
claim 'with room again, an image is pulled' pulled acme/later
claim '.. and kept' eventually is_kept "$disk/state" acme/later
claim '.. and all that is kept is whole' is_whole
stop bonafide
umount "$disk"

mount -t tmpfs -o size=4m content "$work/held/content"
claim 'Bonafide starts with its content alone on a small disk' on "$work/held"
full 'Content' "$work/held" "$work/held/content"
claim '.. and facts are kept' fails counts bonafide_facts_unkept_total
rm -f "$work/held/content/filler"
claim 'with room again, an image is pulled' pulled acme/later
claim '.. and kept' eventually is_kept "$work/held" acme/later
claim '.. and all that is kept is whole' is_whole

# --- read-only

claim 'the disk of the content becomes read-only' mount -o remount,ro "$work/held/content"
layered acme/after 500000
claim '.. what was kept is pulled' pulled acme/later
claim '.. what was not kept yet is pulled' pulled acme/after
claim '.. as the log says' says 'cannot be kept, it passes through.*Read-only file system'
claim 'the disk is writable again' mount -o remount,rw "$work/held/content"
claim '.. an image is pulled' pulled acme/after
claim '.. and kept' eventually is_kept "$work/held" acme/after
mount -o remount,ro "$work/held/content"
layered acme/last 500000
claim 'with content read-only from the start, Bonafide starts' on "$work/held"
claim '.. what was kept is pulled' pulled acme/after
claim '.. what was not kept yet is pulled' pulled acme/last
stop bonafide
umount "$work/held/content"

mount -t tmpfs -o size=6m disk "$disk"
on "$disk/state"
stop bonafide
mount -o remount,ro "$disk"
claim 'where facts cannot be written from the start, it ends, and says where and why' \
    fails_saying "cannot use $disk/state/facts.sqlite for facts: .*Read-only file system" \
    timeout 20 bonafide serve --config "$work/bonafide.toml"
umount "$disk"

cp "$work/usual.toml" "$work/bonafide.toml"
claim 'Bonafide is back on its usual disk' bonafide_up
