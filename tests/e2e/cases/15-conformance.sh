# The OCI distribution conformance suite, against a registry that is read only: every shape of manifest, each one signed.

repository=key-signature/conformance
folder=$work/conformance

# descriptor KIND TYPE DIGEST: of what the upstream has under KIND, blobs or manifests.
descriptor() {
    local size
    size=$(curl -fsSI -H "$accept" "http://$upstream/v2/$repository/$1/$3" | tr -d '\r' | sed -n 's/^[Cc]ontent-[Ll]ength: //p')
    jq -cn --arg type "$2" --arg digest "$3" --argjson size "$size" '{mediaType: $type, digest: $digest, size: $size}'
}

# shape TAG FILTER: pushes what FILTER makes of a plain artifact, and signs it.
shape() {
    jq -c --argjson image "$image" --argjson nothing "$nothing" "$2" "$folder/plain" >"$folder/$1" &&
        put_manifest "$repository" "$1" "$folder/$1" >>"$folder/manifests" && echo "$1" >>"$folder/tags" &&
        with_key3 release sign "$upstream/$repository:$1"
}

# Pushes an image and artifacts of every shape, and lists what the suite is to ask for.
shapes() {
    local oci=application/vnd.oci digest image object text nothing index manifest
    mkdir -p "$folder"
    digest=$(image "$repository") && with_key3 release sign "$upstream/$repository@$digest" || return 1
    image=$(descriptor manifests $oci.image.index.v1+json "$digest")
    printf '{}' >"$folder/object" && printf 'a text' >"$folder/text" && : >"$folder/nothing"
    object=$(descriptor blobs $oci.empty.v1+json "$(put_blob "$repository" "$folder/object")")
    text=$(descriptor blobs text/plain "$(put_blob "$repository" "$folder/text")")
    nothing=$(descriptor blobs text/plain "$(put_blob "$repository" "$folder/nothing")")
    jq -cn --arg oci $oci --argjson object "$object" --argjson text "$text" '{schemaVersion: 2, artifactType: "text/x.conformance",
        mediaType: "\($oci).image.manifest.v1+json", config: $object, layers: [$text]}' >"$folder/plain"

    index="{schemaVersion, mediaType: \"$oci.image.index.v1+json\", manifests: [\$image]}"
    shape artifact . &&
        shape without-layers '.layers = []' &&
        shape empty-blob '.layers += [$nothing]' &&
        shape with-data '.config.data = "e30="' &&
        shape with-subject '.subject = $image' &&
        shape custom-fields '.["org.example.field"] = {a: 1} | .annotations = {"org.example.note": "ä"}' &&
        shape large '.annotations = ([range(300) | {"org.example.\(.)": ("a" * 10000)}] | add)' &&
        shape nested-index "$index" &&
        shape empty-index "$index | .manifests = []" &&
        shape index-with-subject "$index | .subject = \$image" || return 1
    echo v1 >>"$folder/tags"
    echo "$digest" >>"$folder/manifests"
    jq -r '.manifests[].digest' <(from_upstream "$digest") >>"$folder/manifests"
    for manifest in $(cat "$folder/manifests"); do
        from_upstream "$manifest" | jq -r '(.config, .layers[]?) | .digest? // empty'
    done | sort -u >"$folder/blobs"
    wc -l "$folder/manifests" "$folder/blobs"
}

from_upstream() { curl -fsS -H "$accept" "http://$upstream/v2/$repository/manifests/$1"; }

words() { paste -sd ' ' "$folder/$1"; }

# Runs the suite. It cannot see the digest header of a manifest whose bytes it does not know; `cargo test` asks for it.
suite() {
    OCI_REGISTRY=$mirror OCI_TLS=disabled OCI_REPO1=docker.io/$repository OCI_RESULTS_DIR=$folder/results \
        OCI_API_PUSH=false OCI_API_BLOBS_DELETE=false OCI_API_MANIFESTS_DELETE=false OCI_API_TAGS_DELETE=false \
        OCI_API_BLOBS_DIGEST_HEADER=true OCI_RO_DATA_TAGS=$(words tags) OCI_RO_DATA_MANIFESTS=$(words manifests) \
        OCI_RO_DATA_BLOBS=$(words blobs) OCI_RO_DATA_REFERRERS=$(words manifests) conformance >"$folder/report" 2>&1
    sed -n '/^OCI Conformance Result/,$p' "$folder/report" | grep -E '^[A-Z ].*\.\.: '
}

# tests STATUS: how many of the suite's tests ended so.
tests() { sed -nE "s/^  $1\.+: +([0-9]+)$/\1/p" "$folder/report"; }

# What is left out is pushing and deleting, which conformance.txt explains.
conforms() {
    grep -E -A 5 ': (FAIL|Error)$' "$folder/report"
    sed -nE 's|^ *OCI Conformance Test/(.*): (Disabled\|Skip)$|\1|p' "$folder/report" | LC_ALL=C sort -u >"$folder/left-out"
    sed '/^#/d; s/: .*//' "$here/cases/conformance.txt" | LC_ALL=C sort | diff - "$folder/left-out" &&
        [ "$(tests Pass)" -ge 70 ] && [ "$(tests FAIL)" = 0 ] && [ "$(tests Error)" = 0 ]
}

claim 'images and artifacts of every shape are pushed and signed' shapes
claim 'the conformance suite runs against them' suite
claim "it passes $(tests Pass) tests, fails none, and leaves out what it may" conforms
