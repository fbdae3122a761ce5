# With the upstream stopped, what was proven is still served, and nothing else.

digest=$(image acme/kept)
as3 "$(token fystack/apex "$workflow")" sign "$upstream/acme/kept@$digest"
image acme/unseen >/dev/null
child=$(crane manifest "$upstream/acme/kept:v1" | jq -r '.manifests[1].digest')

pull_kept() { rm -rf "$work/kept" && crane pull --format oci "$mirror/docker.io/acme/kept$1" "$work/kept"; }
status_of() {
    curl -sS -o "$work/answer" -w '%{http_code}\n' -H "$accept" "http://$mirror/v2/docker.io/$1"
}
is() { [ "$("${@:2}" | tee "$work/status")" = "$1" ] || { cat "$work/status" "$work/answer" && return 1; }; }

claim 'a proven image is pulled' pull_kept :v1
stop upstream
claim 'the upstream is stopped' fails curl -fsS "http://$upstream/v2/"
claim 'what was proven is served by digest' pull_kept "@$digest"
claim '.. and by its tag' pull_kept :v1
claim '.. and its child manifest' is 200 status_of "acme/kept/manifests/$child"
claim 'what was never proven is undecided: 503, not refused, not served' is 503 status_of acme/unseen/manifests/v1
stop bonafide
claim 'Bonafide starts without its upstream' bonafide_up
claim 'what was proven is served by digest after a restart' pull_kept "@$digest"
claim 'the upstream is back' upstream_up
