# A blob is served only below an image that is admitted, in that repository.

digest=$(image acme/granted)
as3 "$(token fystack/apex "$workflow")" sign "$upstream/acme/granted@$digest"
child=$(crane digest --platform "linux/$(platform)" "$upstream/acme/granted:v1")
image acme/hidden >/dev/null
layer=$(blobs_of acme/hidden | tail -n 1)
shared=$(blobs_of acme/granted | tail -n 1)

blob() { curl -sS -o "$work/blob" -w '%{http_code}\n' "http://$mirror/v2/docker.io/$1/blobs/$2"; }
answers() { # STATUS COMMAND..
    local wanted=$1 status
    shift
    status=$("$@")
    echo "$status"
    [ "$status" = "$wanted" ]
}

claim 'a blob fetched by digest without a grant is refused' answers 403 blob acme/hidden "$layer"
claim '.. to crane, with the reason on the terminal' fails_saying 'denied' crane blob "$mirror/docker.io/acme/hidden@$layer"
claim 'the image is admitted' admitted acme/granted
claim 'its blob is served, though nobody asked for the manifest between: a node may hold that already' answers 200 blob acme/granted "$shared"
claim '.. with the bytes of the upstream' cmp "$work/blob" <(crane blob "$upstream/acme/granted@$shared")
claim 'its manifest for this platform is served, as every client asks for it' admitted acme/granted "$child"
claim 'the same digest in another repository opens nothing' answers 403 blob acme/hidden "$shared"
