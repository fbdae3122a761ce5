# A proven image for several platforms is pulled by every client, and its layers are byte-identical.

digest=$(image acme/proven)
release=$(token fystack/apex "$workflow")
as3 "$release" sign "$upstream/acme/proven@$digest"
pulls_proven() { "pull_$1" acme/proven:v1 && "layers_$1" acme/proven; }

claim 'the proven image is served as it was published' admitted acme/proven
for client in "${clients[@]}"; do
    claim "$client: starts" "up_$client"
    claim "$client: pulls the proven image through Bonafide alone, byte for byte" stays_inside pulls_proven "$client"
    claim "$client: pulls it by digest" stays_inside "pull_$client" "acme/proven@$digest"
done
