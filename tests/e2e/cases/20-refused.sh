# What is not proven is refused to every client, and no request goes past Bonafide.

release=$(token fystack/apex "$workflow")
stranger=$(token mallory/apex mallory/apex/.github/workflows/release.yml@refs/heads/main)
unsigned=$(image acme/unsigned)
foreign=$(image acme/foreign)
as3 "$stranger" sign "$upstream/acme/foreign@$foreign"
source=$(image seed/other-source)
as3 "$release" sign "$upstream/seed/other-source@$source"
as3 "$release" attest --type spdx --predicate "$(spdx)" "$upstream/seed/other-source@$source"
as2 "$(token mallory/apex "$generator")" attest --type slsaprovenance \
    --predicate "$(provenance_v0_2 mallory/apex "https://github.com/$generator")" "$upstream/seed/other-source@$source"

claim 'an unsigned image is refused, with the reason and what the rule says' \
    refused acme/unsigned 'acme/unsigned.* is not proven: .*signature.*ask #platform to sign it'
claim 'an image signed by a stranger is refused, and the stranger is named' refused acme/foreign 'mallory'
claim 'an image whose provenance names another source is refused, and both are named' refused seed/other-source 'mallory/apex'
claim 'an image without a rule is refused' refused nobody/app 'rule'

for client in "${clients[@]}"; do
    "up_$client" >>"$work/log/up" 2>&1
    claim "$client: is refused the unsigned image, and told why" \
        stays_inside fails_saying 'is not proven: .*signature' "pull_$client" acme/unsigned:v1
    claim "$client: is refused it by digest" stays_inside fails "pull_$client" "acme/unsigned@$unsigned"
    claim "$client: is refused the image signed by a stranger" \
        stays_inside fails_saying mallory "pull_$client" acme/foreign:v1
    claim "$client: is refused the image built from another source" \
        stays_inside fails_saying 'provenance.*mallory/apex' "pull_$client" seed/other-source:v1
done
layers_asked_for() { grep '"bonafide/' "$work/log/upstream" | grep -E "GET /v2/$1/blobs/($(blobs_of "$1" | paste -sd '|'))"; }
claim 'not a layer of it was fetched from the upstream' fails layers_asked_for acme/unsigned

# The watch itself: without the files of deploy/, a refusal leads past Bonafide, and is seen.
goes_around() { ! stays_inside "$@"; }
open_door() { # an ordinary mirror setting, without `server`
    mkdir -p "$work/open/docker.io"
    printf '[host."http://%s"]\ncapabilities = ["pull", "resolve"]\n' "$mirror" >"$work/open/docker.io/hosts.toml"
    ctr17 -a "$work/containerd17/sock" images pull --snapshotter native --hosts-dir "$work/open" docker.io/acme/unsigned:v1
}
claim 'an ordinary mirror setting goes past Bonafide, and the watch sees it' goes_around open_door
