# Keys of every kind, as each generation of cosign signs with them.

for kind in "${key_kinds[@]}"; do
    for how in logged unlogged; do
        image "$how-$kind/two" >/dev/null && image "$how-$kind/three" >/dev/null
    done
    signed_by=(--key "$work/logged-$kind.key")

    with_key2 "unlogged-$kind" sign "$upstream/unlogged-$kind/two@$(crane digest "$upstream/unlogged-$kind/two:v1")"
    claim "cosign 2 signs with a key of $kind, without a log: admitted" admitted "unlogged-$kind/two"
    (. "$work/authority/environment" && cosign2 sign -y "${signed_by[@]}" --rekor-url "$fulcio" "$upstream/logged-$kind/two:v1") \
        >>"$work/log/cosign" 2>&1
    claim '.. and with one' admitted "logged-$kind/two"

    # cosign 3 makes no bundles with Ed25519 keys.
    if [ "$kind" = ed25519 ]; then
        (. "$work/authority/environment" && cosign3 sign -y "${signed_by[@]}" --new-bundle-format=false --use-signing-config=false \
            --rekor-url "$fulcio" "$upstream/logged-$kind/three:v1") >>"$work/log/cosign" 2>&1
        claim 'cosign 3 signs with it, in the old format: admitted' admitted "logged-$kind/three"
        continue
    fi
    with_key3 "unlogged-$kind" sign "$upstream/unlogged-$kind/three:v1"
    claim 'cosign 3 signs with it, without a log: admitted' admitted "unlogged-$kind/three"
    cosign3 sign -y "${signed_by[@]}" --signing-config "$work/authority/signing-config-v2.json" \
        --trusted-root "$work/authority/trusted_root.json" "$upstream/logged-$kind/three:v1" >>"$work/log/cosign" 2>&1
    claim '.. and with one, of the second generation' admitted "logged-$kind/three"
done
