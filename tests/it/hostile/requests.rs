//! Requests that no client sends: each has a clear answer, and the upstream hears of none.

use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{TAG, World};
use crate::support::authority::image::Image;

/// What the mirror says to `bytes`, until it closes.
async fn raw(world: &World, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(world.mirror.address()).await.unwrap();
    let mut answer = Vec::new();
    // Who has heard enough may reset the rest: what was said before counts.
    if stream.write_all(bytes).await.is_ok() {
        drop(stream.read_to_end(&mut answer).await);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn request(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nhost: mirror\r\nconnection: close\r\n\r\n").into_bytes()
}

async fn world() -> World {
    let world = World::new().await;
    world.signed(&Image::new("app"));
    world
}

#[tokio::test]
async fn hostile_targets_have_a_clear_answer_and_reach_nobody() {
    let world = world().await;
    let long = format!("/v2/acme/{}/manifests/{TAG}", "a".repeat(10_000));
    let tag = format!("/v2/acme/app/manifests/{}", "t".repeat(10_000));
    for target in [
        "/v2/../../etc/passwd",
        "/v2/acme/app/manifests/../../../../etc/passwd",
        "/v2/acme/app/blobs/sha256:../../../../../etc/passwd",
        "/v2/acme/app/blobs/sha256:",
        "/v2/acme/app/blobs/sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
        "/v2/acme/app/manifests/v1%0d%0aX-Evil:%201",
        "/v2/acme/app/manifests/v1%00",
        "/v2/acme%2fapp/manifests/v1",
        "/v2/ACME/app/manifests/v1",
        "/v2/acme/app/manifests/v1?ns=127.0.0.1:6379",
        "/v2/acme/app/manifests/v1?ns=docker.io&ns=evil.example",
        "/v2/acme/app/tags/list?n=-1",
        "/v2/acme/app/tags/list?n=99999999999999999999",
        "/v2/acme/app/tags/list?last=../..",
        "/v2/acme/app/referrers/sha256:0",
        "http://169.254.169.254/latest/meta-data",
        "https://user:secret@evil.example/v2/acme/app/blobs/x",
        "/metrics",
        "/",
        &long,
        &tag,
    ] {
        let answer = raw(&world, &request(target)).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 4"), "{target}: {head}");
        assert!(!head.to_lowercase().contains("x-evil"), "{target}: {head}");
        let error: serde_json::Value = serde_json::from_str(body).unwrap();
        assert!(error["errors"][0]["code"].is_string(), "{target}: {body}");
        assert!(body.len() < 1000, "{target}: {body}");
    }
    assert_eq!(world.registry.requests().len(), 0);
}

/// The authority of a target is not an upstream: only the path and `ns` are looked at.
#[tokio::test]
async fn another_host_in_the_request_changes_nothing() {
    let world = world().await;
    let path = format!("/v2/acme/app/manifests/{TAG}");
    let usual = world.mirror.get(&path).await;
    for host in ["evil.example", "169.254.169.254", "docker.io", ""] {
        let headers =
            [("host", host), ("x-forwarded-host", host), ("x-original-url", "/v2/"), ("authorization", "Basic eDp5")];
        let answer = world.mirror.get_with(&path, &headers).await;
        assert_eq!((answer.status, answer.body), (usual.status, usual.body.clone()), "{host}");
    }
    let asked = world.registry.requests();
    assert!(asked.iter().all(|request| request.header("authorization").is_none()));
    assert!(asked.iter().all(|request| request.header("x-forwarded-host").is_none()));
}

#[tokio::test]
async fn requests_beyond_the_bounds_are_ended() {
    let world = world().await;
    let many = format!("GET /v2/ HTTP/1.1\r\nhost: m\r\n{}\r\n", "x: y\r\n".repeat(1000));
    let long = format!("GET /v2/ HTTP/1.1\r\nx: {}", "y".repeat(1 << 20));
    let target = format!("GET /{} HTTP/1.1\r\nhost: m\r\n\r\n", "y".repeat(1 << 20));
    for head in [many, long, target] {
        let answer = raw(&world, head.as_bytes()).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    assert_eq!(world.mirror.get("/v2/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_is_no_request_is_ended_and_harms_no_other() {
    let world = world().await;
    for bytes in [
        &b"\0\0\0\0\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET /v2/ HTTP/9.9\r\n\r\n",
        b"GET /v2/ HTTP/1.1\r\nhost: m\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"GET /v2/ HTTP/1.1\r\nhost: m\r\ncontent-length: -1\r\n\r\n",
        b"GET /v2/ HTTP/1.1\r\nhost: m\r\nx\0y: z\r\n\r\n",
        b"GET /v2/\x01 HTTP/1.1\r\nhost: m\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ] {
        let answer = raw(&world, bytes).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{bytes:?}: {answer}");
    }
    assert_eq!(world.mirror.get("/v2/").await.status, StatusCode::OK);
    assert_eq!(world.registry.requests().len(), 0);
}

/// A body is not read, so it can be neither a second request nor a way to fill memory.
#[tokio::test]
async fn the_body_of_a_request_is_never_another_request() {
    let world = world().await;
    let inner = format!("GET /v2/acme/app/manifests/{TAG} HTTP/1.1\r\nhost: m\r\nconnection: close\r\n\r\n");
    let framed =
        format!("GET /v2/ HTTP/1.1\r\nhost: m\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{inner}", inner.len());
    let both = format!(
        "GET /v2/ HTTP/1.1\r\nhost: m\r\nconnection: close\r\ncontent-length: 3\r\n\
         transfer-encoding: chunked\r\n\r\n0\r\n\r\n{inner}"
    );
    for request in [framed, both] {
        let answer = raw(&world, request.as_bytes()).await;
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{answer}");
    }
    assert_eq!(world.registry.requests().len(), 0);
}
