# A proven image for several platforms is pulled by every client, and its layers are byte-identical.

digest=$(image acme/proven)
release=$(token fystack/apex "$workflow")
as3 "$release" sign "$upstream/acme/proven@$digest"

claim 'the proven image is served as it was published' admitted acme/proven
for client in "${clients[@]}"; do
    claim "$client: starts" "up_$client"
    claim "$client: pulls the proven image, through Bonafide alone" stays_inside "pull_$client" acme/proven:v1
    claim "$client: has its layers, byte for byte" "layers_$client" acme/proven
    claim "$client: pulls it by digest" stays_inside "pull_$client" "acme/proven@$digest"
done
