# The test bed: an upstream, the way around Bonafide, an authority that signs, Bonafide, and images. Sourced by run.

upstream=127.0.0.1:25000   # a plain docker-registry: what Bonafide pulls from
mirror=127.0.0.1:5000      # Bonafide, where the files of deploy/ look for it
fulcio=http://127.0.0.1:25200
github=https://token.actions.githubusercontent.com
workflow=fystack/slsa-workflows/.github/workflows/docker-build-slsa.yml@refs/tags/v1.4.0
generator=slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml@refs/tags/v2.1.0
commit=0123456789abcdef0123456789abcdef01234567
key_kinds=(p256 p384 p521 rsa ed25519)

bed_up() {
    upstream_up && way_around_up && authority_up && keys && settings && bonafide_up
}

# --- servers

registry_settings() { # ADDRESS TLS
    cat <<END
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $work/registry}, delete: {enabled: true}}
http: {addr: "$1", secret: e2e$2}
END
}

upstream_up() {
    registry_settings "$upstream" '' >"$work/upstream.yml"
    start upstream docker-registry serve "$work/upstream.yml"
    eventually curl -fsS "http://$upstream/v2/"
}

# The names of the public registries lead here: the same content, over TLS that every client trusts. What asks here went past Bonafide.
way_around_up() {
    local name names=(docker.io index.docker.io registry-1.docker.io auth.docker.io)
    for name in "${names[@]}"; do echo "127.0.0.1 $name" >>/etc/hosts; done
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj '/CN=e2e' -keyout "$work/around.key" \
        -out "$work/around.pem" -addext "subjectAltName=$(printf 'DNS:%s,' "${names[@]}")IP:127.0.0.1" 2>/dev/null || return 1
    export SSL_CERT_FILE=$work/around.pem
    registry_settings 127.0.0.1:443 ", tls: {certificate: $work/around.pem, key: $work/around.key}" >"$work/around.yml"
    start around docker-registry serve "$work/around.yml"
    eventually curl -fsS --cacert "$work/around.pem" https://registry-1.docker.io/v2/
}

authority_up() {
    start authority authority "$work/authority" 25200 25201
    eventually test -s "$work/authority/trusted_root.json" && eventually curl -fsS "$fulcio/api/v1/rootCert"
}

bonafide_up() {
    start bonafide bonafide serve --config "$work/bonafide.toml"
    eventually curl -fsS "http://$mirror/v2/"
}

keys() {
    (cd "$work" && cosign2 generate-key-pair --output-key-prefix release && cosign2 generate-key-pair --output-key-prefix stranger) \
        >"$work/log/keys" 2>&1
    local kind how
    for kind in "${key_kinds[@]}"; do
        for how in logged unlogged; do
            private_key "$kind" >"$work/key.pem" || return 1
            cosign3 import-key-pair -y --key "$work/key.pem" --output-key-prefix "$work/$how-$kind" || return 1
        done
    done >>"$work/log/keys" 2>&1
}

# private_key KIND: one that cosign imports.
private_key() {
    case $1 in
        p*) openssl genpkey -algorithm EC -pkeyopt "ec_paramgen_curve:P-${1#p}" | openssl pkey -traditional ;;
        rsa) openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 2>/dev/null | openssl pkey -traditional ;;
        ed25519) openssl genpkey -algorithm ed25519 ;;
    esac
}

# What went past Bonafide, so far: every request behind the public names, and those of other programs at the upstream.
went_around() {
    { cat "$work/log/around" && grep -v '"bonafide/' "$work/log/upstream"; } | grep '"[A-Z]* /v2/'
}

# stays_inside COMMAND..: as COMMAND, and nothing goes past Bonafide meanwhile.
stays_inside() {
    local status
    went_around >"$work/before"
    "$@"
    status=$?
    went_around >"$work/after"
    cmp -s "$work/before" "$work/after" || { echo 'went past Bonafide:' && diff "$work/before" "$work/after"; return 1; }
    return "$status"
}

# --- configuration

settings() {
    cat >"$work/bonafide.toml" <<END
[server]
listen = "$mirror"

[admin]
listen = "127.0.0.1:5001"

[storage]
path = "$work/state"

[[upstream]]
name = "docker.io"
url = "http://$upstream"
default = true

[[trust]]
name = "test"
trusted_root = "$work/authority/trusted_root.json"

[[key]]
name = "release"
path = "$work/release.pub"
without_log = "allow"

[[builder]]
name = "release-machine"
id = "https://builder.example/release"
key = "release"
level = 2

# Signed by the workflow, for the one source.
[[rule]]
name = "signed"
images = ["docker.io/acme/*"]
message = "ask #platform to sign it"

[[rule.signature]]
trust = "test"
issuer = "$github"
subject = "https://github.com/fystack/slsa-workflows/.github/workflows/docker-build-slsa.yml@refs/tags/v*"
source_repository = "https://github.com/fystack/apex"

# The seed pipeline: all three requirements, in whatever era an image was made.
[[rule]]
name = "seed"
images = ["docker.io/seed/*"]

[[rule.signature]]
trust = "test"
issuer = "$github"
subject = "https://github.com/fystack/slsa-workflows/.github/workflows/docker-build-slsa.yml@refs/tags/v*"
source_repository = "https://github.com/fystack/apex"

[rule.provenance]
trust = "test"
level = 3
builders = ["slsa-github-generator"]
source = "github.com/fystack/apex"

[rule.sbom]
formats = ["spdx"]

# Each form that cosign writes, by key and keyless.
$(form_rules)

# Keys of each kind, that demand a log entry or do without.
$(key_rules)
END
}

key_rules() {
    local kind
    for kind in "${key_kinds[@]}"; do
        cat <<END
[[key]]
name = "logged-$kind"
path = "$work/logged-$kind.pub"

[[key]]
name = "unlogged-$kind"
path = "$work/unlogged-$kind.pub"
without_log = "allow"

$(for how in logged unlogged; do printf '[[rule]]\nname = "%s"\nimages = ["docker.io/%s/*"]\n[[rule.signature]]\nkey = "%s"\n\n' \
            "$how-$kind" "$how-$kind" "$how-$kind"; done)
END
    done
}

# One rule for each form of evidence: forms/<signer>-<kind> demands that kind, by that signer.
form_rules() {
    local signer identity builders
    for signer in key keyless; do
        if [ "$signer" = key ]; then
            identity='key = "release"'
            builders='release-machine'
        else
            identity="trust = \"test\"
issuer = \"$github\"
subject = \"https://github.com/$workflow\""
            builders='slsa-github-generator'
        fi
        cat <<END
[[rule]]
name = "$signer-signature"
images = ["docker.io/$signer-signature/*"]
[[rule.signature]]
$identity

[[rule]]
name = "$signer-slsa"
images = ["docker.io/$signer-slsa/*"]
[rule.provenance]
$([ "$signer" = key ] || echo 'trust = "test"')
builders = ["$builders"]
source = "github.com/fystack/apex"

$(for format in spdx cyclonedx; do printf '[[rule]]\nname = "%s"\nimages = ["docker.io/%s/*"]\n[rule.sbom]\nformats = ["%s"]\n[rule.sbom.signed_by]\n%s\n\n' \
            "$signer-$format" "$signer-$format" "$format" "$identity"; done)
END
    done
}

# --- images

# image REPOSITORY: pushes a runnable image for two platforms as REPOSITORY:v1, unlike that of any other repository, and prints its digest.
image() {
    local name=$1 platform to=$upstream/$1 folder=$work/image
    rm -rf "$folder" && mkdir -p "$folder/base/bin" "$folder/app/data"
    cp -L "$tools/busybox" "$folder/base/bin/sh"
    for platform in amd64 arm64; do
        echo "$name for $platform" >"$folder/app/data/name"
        archive "$folder/base" && archive "$folder/app"
        crane append --oci-empty-base -f "$folder/base.tar" -f "$folder/app.tar" -t "$to:$platform" >/dev/null || return 1
        crane mutate "$to:$platform" --set-platform "linux/$platform" --entrypoint /bin/sh -t "$to:$platform" >/dev/null || return 1
    done 2>>"$work/log/image"
    crane index append -m "$to:amd64" -m "$to:arm64" -t "$to:v1" >/dev/null 2>>"$work/log/image" || return 1
    crane digest "$to:v1"
}

archive() { tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$1" -cf "$1.tar" .; }

# put_blob REPOSITORY FILE: uploads FILE and prints its digest.
put_blob() {
    local digest location
    digest=sha256:$(sha256sum <"$2" | cut -c 1-64)
    location=$(curl -fsS -X POST -D - -o /dev/null "http://$upstream/v2/$1/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
    curl -fsS -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$2" -o /dev/null \
        "$location$(grep -q '?' <<<"$location" && echo '&' || echo '?')digest=$digest" || return 1
    echo "$digest"
}

# put_manifest REPOSITORY REFERENCE FILE: uploads FILE as a manifest of the type that it names, and prints its digest.
put_manifest() {
    curl -fsS -X PUT -H "Content-Type: $(jq -r .mediaType "$3")" --data-binary "@$3" -o /dev/null "http://$upstream/v2/$1/manifests/$2" &&
        echo "sha256:$(sha256sum <"$3" | cut -c 1-64)"
}

# --- signing

# token SOURCE SIGNER: a token of GitHub for a build of SOURCE that signs as the workflow SIGNER. Prints the file.
token() {
    local file
    file=$(mktemp "$work/token.XXXXXX")
    authority token "$(jq -cn --arg source "$1" --arg signer "$2" --arg commit "$commit" --arg issuer "$github" '{
        iss: $issuer, sub: "repo:\($source):ref:refs/tags/v1", ref: "refs/tags/v1", sha: $commit, event_name: "push",
        repository: $source, repository_id: "1001", repository_owner: ($source | split("/")[0]), repository_owner_id: "1002",
        repository_visibility: "public", workflow: "release", workflow_sha: $commit,
        workflow_ref: "\($source)/.github/workflows/release.yml@refs/tags/v1", job_workflow_ref: $signer, job_workflow_sha: $commit,
        runner_environment: "github-hosted", run_id: "1003", run_attempt: "1"}')" >"$file"
    echo "$file"
}

# as2 TOKEN ARGUMENTS.. IMAGE: cosign 2, keyless.
as2() {
    local token=$1 verb=$2
    shift 2
    (. "$work/authority/environment" && cosign2 "$verb" -y --identity-token "$token" --fulcio-url "$fulcio" --rekor-url "$fulcio" "$@") \
        >>"$work/log/cosign" 2>&1
}

# as3 TOKEN ARGUMENTS.. IMAGE: cosign 3, keyless.
as3() {
    local token=$1 verb=$2
    shift 2
    cosign3 "$verb" -y --identity-token "$token" --signing-config "$work/authority/signing-config-${rekor:-v1}.json" \
        --trusted-root "$work/authority/trusted_root.json" "$@" >>"$work/log/cosign" 2>&1
}

# with_key2 KEY ARGUMENTS.. IMAGE, with_key3: the same with a key, without any log.
with_key2() {
    local key=$1 verb=$2
    shift 2
    cosign2 "$verb" -y --key "$work/$key.key" --tlog-upload=false "$@" >>"$work/log/cosign" 2>&1
}
with_key3() {
    local key=$1 verb=$2
    shift 2
    cosign3 "$verb" -y --key "$work/$key.key" --signing-config "$work/authority/signing-config-empty.json" "$@" >>"$work/log/cosign" 2>&1
}

# provenance_v0_2 SOURCE BUILDER, provenance_v1: predicates as slsa-github-generator and GitHub write them. Print the file.
provenance_v0_2() {
    jq -n --arg source "git+https://github.com/$1@refs/tags/v1" --arg builder "$2" --arg commit "$commit" '{
        builder: {id: $builder}, buildType: "https://github.com/slsa-framework/slsa-github-generator/container@v1",
        invocation: {configSource: {uri: $source, digest: {sha1: $commit}, entryPoint: ".github/workflows/release.yml"},
            parameters: {}, environment: {github_event_name: "push", github_ref: "refs/tags/v1"}},
        metadata: {buildInvocationID: "1003-1", completeness: {parameters: true, environment: false, materials: false},
            reproducible: false},
        materials: [{uri: $source, digest: {sha1: $commit}}]}' | predicate
}
provenance_v1() {
    jq -n --arg source "https://github.com/$1" --arg builder "$2" --arg commit "$commit" '{
        buildDefinition: {buildType: "https://actions.github.io/buildtypes/workflow/v1",
            externalParameters: {workflow: {ref: "refs/tags/v1", repository: $source, path: ".github/workflows/release.yml"}},
            internalParameters: {github: {event_name: "push"}},
            resolvedDependencies: [{uri: "git+\($source)@refs/tags/v1", digest: {gitCommit: $commit}}]},
        runDetails: {builder: {id: $builder}, metadata: {invocationId: "\($source)/actions/runs/1003/attempts/1"}}}' | predicate
}
spdx() {
    jq -n '{spdxVersion: "SPDX-2.3", dataLicense: "CC0-1.0", SPDXID: "SPDXRef-DOCUMENT", name: "app",
        documentNamespace: "https://sbom.example/app", creationInfo: {created: "2026-01-01T00:00:00Z", creators: ["Tool: e2e"]},
        packages: [{SPDXID: "SPDXRef-1", name: "axios", versionInfo: "1.13.2", downloadLocation: "NOASSERTION",
            externalRefs: [{referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator: "pkg:npm/axios@1.13.2"}]}]}' |
        predicate
}
cyclonedx() {
    jq -n '{bomFormat: "CycloneDX", specVersion: "1.6", version: 1,
        components: [{type: "library", name: "axios", version: "1.13.2", purl: "pkg:npm/axios@1.13.2"}]}' | predicate
}
predicate() {
    local file
    file=$(mktemp "$work/predicate.XXXXXX")
    cat >"$file"
    echo "$file"
}

# --- asking Bonafide, as plainly as can be

accept='Accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json'

# admitted REPOSITORY [REFERENCE]: served, and the bytes are the upstream's.
admitted() {
    local reference=${2:-v1}
    curl -sS -H "$accept" -o "$work/served" -w '%{http_code}\n' "http://$mirror/v2/docker.io/$1/manifests/$reference" | tee "$work/status"
    [ "$(cat "$work/status")" = 200 ] || { cat "$work/served" && return 1; }
    curl -fsS -H "$accept" "http://$upstream/v2/$1/manifests/$reference" | cmp - "$work/served"
}

# refused REPOSITORY PATTERN [REFERENCE]: 403 on HEAD and GET, nothing of the image, and a message that says PATTERN.
refused() {
    local url=http://$mirror/v2/docker.io/$1/manifests/${3:-v1}
    [ "$(curl -sS -I -H "$accept" -o /dev/null -w '%{http_code}' "$url")" = 403 ] || { echo 'HEAD is not answered with 403' && return 1; }
    curl -sS -H "$accept" -w '\n%{http_code}\n' "$url" | tee "$work/served"
    [ "$(tail -n 1 "$work/served")" = 403 ] && head -n -1 "$work/served" | jq -r '.errors[0].message' | tee "$work/message" &&
        grep -qiE -- "$2" "$work/message" || { echo "does not say: $2" && return 1; }
}
