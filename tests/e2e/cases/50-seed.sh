# The seed pipeline, in each of its eras: one rule with all three requirements admits what it published, and names what is missing.

seed_source=fystack/apex

# piece PIECE ERA IMAGE: signs this piece as the pipeline did in that era: in era B as bundles, but for the provenance. The bill of
# materials is text, of which cosign 3.1 makes no bundle any more (3.0 did): that bundle is made by cosign 2, which writes the same.
piece() {
    local bundle=
    case $1-$2 in
        signature-B) as3 "$(token "$seed_source" "$workflow")" sign "$3" ;;
        signature-*) as2 "$(token "$seed_source" "$workflow")" sign "$3" ;;
        provenance-*) as2 "$(token "$seed_source" "$generator")" attest --type slsaprovenance \
            --predicate "$(provenance_v0_2 "$seed_source" "https://github.com/$generator")" "$3" ;;
        sbom-*)
            [ "$2" != B ] || bundle=--new-bundle-format
            as2 "$(token "$seed_source" "$workflow")" attest $bundle --type spdx --predicate "$(spdx)" "$3"
            ;;
    esac
}

# with_buildkit REPOSITORY: the image again, as BuildKit pushes it: with a bill of materials in the index that nobody signed.
with_buildkit() {
    local digest statement config manifest index=$work/index.json child
    crane manifest "$upstream/$1:v1" >"$index"
    child=$(jq -r '.manifests[0].digest' "$index")
    statement=$(mktemp "$work/statement.XXXXXX") && config=$(mktemp "$work/config.XXXXXX") && manifest=$(mktemp "$work/manifest.XXXXXX")
    jq -cn --arg digest "${child#sha256:}" '{_type: "https://in-toto.io/Statement/v0.1", predicateType: "https://spdx.dev/Document",
        subject: [{name: "app", digest: {sha256: $digest}}], predicate: {spdxVersion: "SPDX-2.3", packages: []}}' >"$statement"
    echo '{"architecture":"unknown","os":"unknown","config":{},"rootfs":{"type":"layers","diff_ids":[]}}' >"$config"
    jq -cn --arg layer "$(put_blob "$1" "$statement")" --arg config "$(put_blob "$1" "$config")" \
        --argjson layer_size "$(wc -c <"$statement")" --argjson config_size "$(wc -c <"$config")" '{schemaVersion: 2,
        mediaType: "application/vnd.oci.image.manifest.v1+json",
        config: {mediaType: "application/vnd.oci.image.config.v1+json", digest: $config, size: $config_size},
        layers: [{mediaType: "application/vnd.in-toto+json", digest: $layer, size: $layer_size,
            annotations: {"in-toto.io/predicate-type": "https://spdx.dev/Document"}}]}' >"$manifest"
    digest=$(put_manifest "$1" buildkit "$manifest") || return 1
    jq -c --arg digest "$digest" --arg child "$child" --argjson size "$(wc -c <"$manifest")" '.manifests += [{
        mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $digest, size: $size,
        platform: {architecture: "unknown", os: "unknown"},
        annotations: {"vnd.docker.reference.digest": $child, "vnd.docker.reference.type": "attestation-manifest"}}]' \
        "$index" >"$index.new"
    put_manifest "$1" v1 "$index.new"
}

# publish ERA REPOSITORY PIECE..: an image with these pieces of evidence, as the pipeline published them in that era.
publish() {
    local era=$1 repository=$2 digest piece
    shift 2
    digest=$(image "$repository") || return 1
    [ "$era" != "A'" ] || digest=$(with_buildkit "$repository") || return 1
    for piece in "$@"; do
        piece "$piece" "$era" "$upstream/$repository@$digest" || return 1
    done
}

# tampered REPOSITORY PIECE: the evidence of the image with what is said in this piece changed, its signature left as it was.
tampered() {
    local repository=$1 piece=$2 digest tag index manifest
    digest=$(crane digest "$upstream/$repository:v1")
    tag=${digest/:/-}
    case $piece in signature) set -- .sig ;; *) set -- .att ;; esac
    if crane manifest "$upstream/$repository:$tag$1" >"$work/evidence.json" 2>/dev/null && tamper_manifest "$repository" "$piece"; then
        put_manifest "$repository" "$tag$1" "$work/evidence.json" && return
    fi
    # A bundle: each referrer of the fallback index.
    index=$work/referrers.json
    crane manifest "$upstream/$repository:$tag" >"$index" || return 1
    for manifest in $(jq -r '.manifests[].digest' "$index"); do
        crane manifest "$upstream/$repository@$manifest" >"$work/evidence.json"
        tamper_manifest "$repository" "$piece" || continue
        digest=$(put_manifest "$repository" tampered "$work/evidence.json")
        jq -c --arg old "$manifest" --arg new "$digest" --argjson size "$(wc -c <"$work/evidence.json")" \
            '(.manifests[] | select(.digest == $old)) |= (.digest = $new | .size = $size)' "$index" >"$index.new"
        put_manifest "$repository" "$tag" "$index.new" && return
    done
    return 1
}

# tamper_manifest REPOSITORY PIECE: changes the layer of this piece in $work/evidence.json; fails if there is none.
tamper_manifest() {
    local layer digest said
    case $2 in
        signature) said='sigstore.dev/cosign/sign' ;;
        provenance) said='slsa.dev/provenance' ;;
        sbom) said='spdx.dev/Document' ;;
    esac
    for layer in $(jq -r '.layers[].digest' "$work/evidence.json"); do
        crane blob "$upstream/$1@$layer" >"$work/layer.json"
        if jq -e '.critical' "$work/layer.json" >/dev/null; then
            jq -c '.optional = {"tampered": "yes"}' "$work/layer.json" >"$work/layer.new"
        else
            jq -r '(.dsseEnvelope // .).payload | @base64d' "$work/layer.json" | grep -q "$said" || continue
            jq -c 'def change: .payload |= (@base64d | sub("\"subject\""; " \"subject\"") | @base64);
                if .dsseEnvelope then .dsseEnvelope |= change else change end' "$work/layer.json" >"$work/layer.new"
        fi
        digest=$(put_blob "$1" "$work/layer.new") || return 1
        jq -c --arg old "$layer" --arg new "$digest" --argjson size "$(wc -c <"$work/layer.new")" \
            '(.layers[] | select(.digest == $old)) |= (.digest = $new | .size = $size)' "$work/evidence.json" >"$work/evidence.new"
        mv "$work/evidence.new" "$work/evidence.json"
        return 0
    done
    return 1
}

publish_and_admit() { publish "$1" "$2" signature provenance sbom && admitted "$2"; }
publish_without() { # ERA REPOSITORY PIECE
    local pieces=" signature provenance sbom "
    # shellcheck disable=SC2086
    publish "$1" "$2" ${pieces/ $3 / } && refused "$2" "$(names "$3")"
}
publish_tampered() { publish "$1" "$2" signature provenance sbom && tampered "$2" "$3" && refused "$2" "$(names "$3")"; }
publish_foreign() { # ERA REPOSITORY PIECE: this one piece made by the same pipeline for another repository
    local digest pieces=" signature provenance sbom "
    # shellcheck disable=SC2086
    publish "$1" "$2" ${pieces/ $3 / } || return 1
    digest=$(crane digest "$upstream/$2:v1")
    seed_source=mallory/apex piece "$3" "$1" "$upstream/$2@$digest" && refused "$2" "$(names "$3").*mallory"
}
names() { case $1 in sbom) echo '(bill of materials|sbom)' ;; *) echo "$1" ;; esac; }

for era in A "A'" B; do
    name=seed/era-$(tr "A-Z'" 'a-zb' <<<"$era")
    claim "era $era: admitted with all three" publish_and_admit "$era" "$name-whole"
    for piece in signature provenance sbom; do
        claim "era $era: refused without its $piece, which is named" publish_without "$era" "$name-no-$piece" "$piece"
        claim "era $era: refused with its $piece tampered, which is named" publish_tampered "$era" "$name-tampered-$piece" "$piece"
        claim "era $era: refused with its $piece from another repository, which is named" \
            publish_foreign "$era" "$name-foreign-$piece" "$piece"
    done
done
publish A seed/unsigned
claim 'the image that the pipeline leaves when its last job fails is refused' refused seed/unsigned 'not proven'
