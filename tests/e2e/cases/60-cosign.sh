# Real cosign verifies through Bonafide, and accepts what the test authority makes in memory.

by=(--certificate-identity "https://github.com/$workflow" --certificate-oidc-issuer "$github")
roots=$work/authority/trusted_root.json
verify2() { (. "$work/authority/environment" && cosign2 verify "$@"); }
verify3() { cosign3 verify --trusted-root "$roots" "$@"; }
attestation2() { (. "$work/authority/environment" && cosign2 verify-attestation "$@"); }
attestation3() { cosign3 verify-attestation --trusted-root "$roots" "$@"; }

for generation in 2 3; do
    name=acme/cosign$generation
    digest=$(image "$name")
    "as$generation" "$(token fystack/apex "$workflow")" sign "$upstream/$name@$digest"
    "as$generation" "$(token fystack/apex "$workflow")" attest --type spdxjson --predicate "$(spdx)" "$upstream/$name@$digest"
    claim "signed by cosign $generation: cosign 3 verifies it through Bonafide" verify3 "${by[@]}" "$mirror/docker.io/$name:v1"
    claim ".. and its bill of materials" attestation3 --type spdxjson "${by[@]}" "$mirror/docker.io/$name:v1"
done
claim 'signed by cosign 2: cosign 2 verifies it through Bonafide' verify2 "${by[@]}" "$mirror/docker.io/acme/cosign2:v1"
claim '.. and its bill of materials' attestation2 --type spdxjson "${by[@]}" "$mirror/docker.io/acme/cosign2:v1"
claim 'cosign is refused an unsigned image, by Bonafide' fails_saying 'not proven' verify3 "${by[@]}" "$mirror/docker.io/acme/hidden:v1"

# What cargo test signs in memory, on a registry of the authority.
memory=$(sed -n 's/^registry: //p' "$work/log/authority")
seed_by=(--certificate-identity-regexp '^https://github.com/fystack/slsa-workflows/' --certificate-oidc-issuer "$github")
generator_by=(--certificate-identity-regexp '^https://github.com/slsa-framework/slsa-github-generator/' --certificate-oidc-issuer "$github")
for era in a buildkit b; do
    claim "in memory, era $era: cosign 3 accepts the signature" verify3 "${seed_by[@]}" "$memory/fystack/apex:$era"
done
for era in a buildkit; do
    claim "in memory, era $era: cosign 2 accepts the signature" verify2 "${seed_by[@]}" "$memory/fystack/apex:$era"
    claim "in memory, era $era: cosign 2 accepts the provenance" \
        attestation2 --type slsaprovenance "${generator_by[@]}" "$memory/fystack/apex:$era"
done
# No cosign reads a bill of materials that is text, not even one of its own (`verify-attestation --type spdx`).
claim 'in memory, unsigned: cosign 3 refuses it' fails verify3 "${seed_by[@]}" "$memory/fystack/apex:unsigned"
