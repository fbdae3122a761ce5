//! The way to an upstream: its name, TLS, proxies.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bonafide::upstream::{AuthSettings, Proxy, Settings, UnavailableKind, UpstreamError, Upstreams};
use http::header::{HOST, PROXY_AUTHORIZATION};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{Bed, MANIFEST, app, kind, settings, tag};
use crate::counted::counted;
use crate::support::registry::Registry;

/// An upstream over TLS whose authority is trusted, and the folder with that.
pub(super) async fn bed_with_tls() -> (Bed, TempDir) {
    let registry = Registry::start_with_tls().await;
    let (ca, folder) = authority_of(&registry);
    registry.push_manifest("lib/app", Some("v1"), MANIFEST);
    (Bed::with(registry, |settings| settings.ca = Some(ca)), folder)
}

fn authority_of(registry: &Registry) -> (std::path::PathBuf, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    fs::write(&ca, registry.authority_pem()).unwrap();
    (ca, folder)
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_where_it_is_named() {
    let (bed, _authority) = bed_with_tls().await;
    assert!(bed.upstream.resolve(&app(), &tag("v1")).await.unwrap().is_some());
}

#[tokio::test]
async fn an_unknown_authority_is_not_trusted() {
    let bed = Bed::with(Registry::start_with_tls().await, |_| {});
    assert_eq!(kind(bed.upstream.resolve(&app(), &tag("v1")).await), UnavailableKind::Connect);
    assert!(bed.registry.requests().is_empty());
}

#[tokio::test]
async fn a_handshake_that_stands_still_ends_in_time() {
    // Accepts, and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let mut settings = settings("a.io", &url);
    settings.connect_timeout = Duration::from_millis(50);
    let bed = Bed::through(Proxy::none(), Registry::start().await, &settings);
    for expected in [UnavailableKind::Timeout, UnavailableKind::Timeout, UnavailableKind::Resting] {
        assert_eq!(kind(bed.upstream.resolve(&app(), &tag("v1")).await), expected);
    }
    assert!(bed.pauses.all().is_empty(), "who has waited so long does not try again");
}

#[tokio::test]
async fn a_name_that_this_host_finds_no_address_of_is_no_failure_of_the_upstream() {
    // No part of a name may be so long (RFC 1035, section 2.3.4): no resolver asks anybody for it.
    let url = format!("http://{}.test", "a".repeat(64));
    let bed = Bed::through(Proxy::none(), Registry::start().await, &settings("a.io", &url));
    for _ in 0..4 {
        let unavailable = bed.upstream.resolve(&app(), &tag("v1")).await.unwrap_err();
        assert_eq!(unavailable.kind, UnavailableKind::ThisHost, "{unavailable}");
        assert!(unavailable.to_string().starts_with("a.io: a fault of this host: "), "{unavailable}");
        assert!(unavailable.text.contains("this host finds no address of aaaa"), "{unavailable}");
    }
    let labels = [("status", "unsent"), ("upstream", "a.io")];
    assert_eq!(counted(&bed.metrics, "bonafide_upstream_requests_total", &labels), 12);
}

#[tokio::test]
async fn an_address_may_have_a_prefix() {
    let registry = Registry::start().await;
    let url = format!("{}/hub/", registry.url());
    let bed = Bed::with(registry, |settings| settings.url = vec![url]);
    bed.upstream.resolve(&app(), &tag("v1")).await.unwrap();
    assert_eq!(bed.asked("HEAD /hub/v2/lib/app/manifests/v1"), 1);
}

#[tokio::test]
async fn plain_requests_go_to_the_proxy_whole() {
    // Any HTTP server can play the proxy of plain requests.
    let registry = Registry::start().await;
    registry.push_manifest("lib/app", Some("v1"), MANIFEST);
    let proxy = Proxy::of(&format!("http://u:p@{}", registry.host()), "");
    let bed = Bed::through(proxy, registry, &settings("a.io", "http://registry.test"));
    assert!(bed.upstream.resolve(&app(), &tag("v1")).await.unwrap().is_some());
    let [request] = bed.registry.requests().try_into().unwrap();
    assert_eq!(request.header(HOST).unwrap(), "registry.test");
    assert_eq!(request.header(PROXY_AUTHORIZATION).unwrap(), "Basic dTpw");
}

#[tokio::test]
async fn tls_goes_through_a_tunnel() {
    let registry = Registry::start_with_tls().await;
    registry.push_manifest("lib/app", Some("v1"), MANIFEST);
    let (ca, _folder) = authority_of(&registry);
    let tunnel = TunnelProxy::start(registry.host()).await;
    let settings = Settings { ca: Some(ca), ..settings("a.io", "https://registry.test") };
    let bed = Bed::through(Proxy::of(&format!("http://u:p@{}", tunnel.address), ""), registry, &settings);
    assert!(bed.upstream.resolve(&app(), &tag("v1")).await.unwrap().is_some());
    let heard = tunnel.heard.lock().unwrap().clone();
    assert!(heard.starts_with("CONNECT registry.test:443 HTTP/1.1\r\n"), "{heard}");
    assert!(heard.contains("Proxy-Authorization: Basic dTpw\r\n"), "{heard}");
    let [request] = bed.registry.requests().try_into().unwrap();
    assert_eq!(request.header(PROXY_AUTHORIZATION), None, "the registry is not told");
}

/// A proxy that knows `CONNECT` only, and leads everybody to one place.
struct TunnelProxy {
    address: String,
    /// The head of the last request.
    heard: Arc<Mutex<String>>,
    _tasks: JoinSet<()>,
}

impl TunnelProxy {
    async fn start(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let heard = Arc::new(Mutex::new(String::new()));
        let mut tasks = JoinSet::new();
        tasks.spawn(lead(listener, target, Arc::clone(&heard)));
        Self { address, heard, _tasks: tasks }
    }
}

async fn lead(listener: TcpListener, target: String, heard: Arc<Mutex<String>>) {
    while let Ok((client, _)) = listener.accept().await {
        let mut client = BufReader::new(client);
        let mut request = String::new();
        while !request.ends_with("\r\n\r\n") {
            assert_ne!(client.read_line(&mut request).await.unwrap(), 0);
        }
        *heard.lock().unwrap() = request;
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let mut server = TcpStream::connect(&target).await.unwrap();
        drop(copy_bidirectional(&mut client, &mut server).await);
    }
}

fn upstreams(settings: &[Settings]) -> Result<Upstreams, UpstreamError> {
    Upstreams::new(settings, &prometheus::Registry::new())
}

#[test]
fn only_configured_names_are_upstreams() {
    let mut hub = settings("docker.io", "https://registry-1.docker.io");
    hub.default = true;
    hub.tag_ttl = Duration::from_secs(7);
    let all = upstreams(&[hub, settings("a.io:5000", "http://a.io:5000")]).unwrap();
    let name = |text: &str| text.parse().unwrap();
    assert!(all.get(&name("docker.io")).is_some());
    for other in ["b.io", "a.io", "127.0.0.1", "localhost"] {
        assert!(all.get(&name(other)).is_none(), "{other}");
        assert_eq!(all.names().canonical(&name(other)), None);
        assert_eq!(all.tag_ttl(&name(other)), Duration::ZERO);
    }
    assert_eq!(all.names().default_name(), Some(&name("docker.io")));
    assert_eq!(all.tag_ttl(&name("docker.io")), Duration::from_secs(7));
    assert_eq!(all.names().iter().count(), 2);
}

#[test]
fn aliases_mean_the_upstream_that_rules_know() {
    let mut one = settings("a.io", "https://a.io");
    one.aliases = vec!["www.a.io".parse().unwrap()];
    let all = upstreams(&[one, settings("docker.io", "https://registry-1.docker.io")]).unwrap();
    for (alias, means) in
        [("www.a.io", "a.io"), ("index.docker.io", "docker.io"), ("registry-1.docker.io", "docker.io")]
    {
        assert_eq!(all.names().canonical(&alias.parse().unwrap()).unwrap().as_str(), means);
        assert!(all.get(&alias.parse().unwrap()).is_some());
    }
}

#[test]
fn a_name_means_one_upstream() {
    let plain = |name: &str| settings(name, "https://a.io");
    let aliased = |name: &str| Settings { aliases: vec!["x.io".parse().unwrap()], ..plain(name) };
    for pair in [
        [plain("a.io"), plain("a.io")],
        [plain("x.io"), aliased("a.io")],
        [aliased("a.io"), aliased("b.io")],
        [plain("docker.io"), plain("index.docker.io")],
    ] {
        assert!(matches!(upstreams(&pair), Err(UpstreamError::Duplicate(_))), "{pair:?}");
    }
}

#[test]
fn there_is_one_default_at_most() {
    let default = |name: &str| Settings { default: true, ..settings(name, "https://a.io") };
    let error = upstreams(&[default("a.io"), default("b.io")]).unwrap_err();
    assert!(matches!(error, UpstreamError::SecondDefault(..)));
    assert_eq!(upstreams(&[settings("a.io", "https://a.io")]).unwrap().names().default_name(), None);
}

#[test]
fn settings_that_cannot_be_used_are_errors_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let junk = folder.path().join("junk");
    fs::write(&junk, "junk").unwrap();
    let good = || settings("a.io", "https://a.io");
    let missing = folder.path().join("missing");
    assert!(matches!(upstreams(&[settings("a.io", "a.io")]), Err(UpstreamError::Address { .. })));
    let ca = |path: &std::path::Path| upstreams(&[Settings { ca: Some(path.to_owned()), ..good() }]);
    assert!(matches!(ca(&missing), Err(UpstreamError::ReadAuthority { .. })));
    assert!(matches!(ca(&junk), Err(UpstreamError::Authority { .. })));
    let auth = AuthSettings::Password { username: "u".into(), password_file: missing };
    assert!(matches!(upstreams(&[Settings { auth: Some(auth), ..good() }]), Err(UpstreamError::Credentials { .. })));
}
