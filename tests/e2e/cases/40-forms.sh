# Every form of evidence that cosign 2 and 3 write, by key and keyless, is proof of what it says.

as_key2() { with_key2 release "$@"; }
as_key3() { with_key3 release "$@"; }
as_keyless2() { as2 "$(token fystack/apex "$as_workflow")" "$@"; }
as_keyless3() { as3 "$(token fystack/apex "$as_workflow")" "$@"; }
as_keyless3_rekor2() { rekor=v2 as_keyless3 "$@"; }
as_keyless2_bundle() { as_keyless2 "$@" --new-bundle-format; }

# attested SIGNER REPOSITORY: a new image with the one piece of evidence that the rule of its name demands.
attested() {
    local signer=$1 name=$2 digest builder=https://builder.example/release
    as_workflow=$workflow
    case $name in keyless-slsa/*) as_workflow=$generator builder=https://github.com/$generator ;; esac
    digest=$(image "$name") || return 1
    case $name in
        *-signature/*) set -- sign ;;
        *-slsa/*-v02) set -- attest --type slsaprovenance --predicate "$(provenance_v0_2 fystack/apex "$builder")" ;;
        *-slsa/*-v1) set -- attest --type slsaprovenance1 --predicate "$(provenance_v1 fystack/apex "$builder")" ;;
        *-spdx/*-text) set -- attest --type spdx --predicate "$(spdx)" ;;
        *-spdx/*) set -- attest --type spdxjson --predicate "$(spdx)" ;;
        *-cyclonedx/*) set -- attest --type cyclonedx --predicate "$(cyclonedx)" ;;
    esac
    "as_$signer" "$@" "$upstream/$name@$digest"
}
admits_form() { attested "$@" && admitted "$2"; }

for signer in key2 key3 keyless2 keyless2_bundle keyless3 keyless3_rekor2; do
    kind=key
    case $signer in keyless*) kind=keyless ;; esac
    # Only attestations of cosign 2 can be bundles.
    [ "$signer" = keyless2_bundle ] || claim "$signer: a signature" admits_form "$signer" "$kind-signature/$signer"
    claim "$signer: SLSA provenance v0.2" admits_form "$signer" "$kind-slsa/$signer-v02"
    claim "$signer: SLSA provenance v1" admits_form "$signer" "$kind-slsa/$signer-v1"
    claim "$signer: an SPDX bill of materials" admits_form "$signer" "$kind-spdx/$signer"
    claim "$signer: a CycloneDX bill of materials" admits_form "$signer" "$kind-cyclonedx/$signer"
    # cosign 3.1 refuses to make a keyless bundle of a predicate that is text; 3.0 made them.
    case $signer in
        keyless3*) ;;
        *) claim "$signer: an SPDX bill of materials as text" admits_form "$signer" "$kind-spdx/$signer-text" ;;
    esac
done

stranger_by_key() {
    local digest
    digest=$(image key-signature/stranger) && with_key2 stranger sign "$upstream/key-signature/stranger@$digest" &&
        refused key-signature/stranger "$1"
}
claim 'a signature by another key is none' stranger_by_key 'key'
