//! The load generators of others: wrk for HTTP/1.1, h2load for HTTP/2.

use std::process::Command;
use std::time::Duration;

use crate::support::authority::image::OCI_MANIFEST;
use crate::systems::program;

/// What a load generator saw.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// Requests that were answered in full, each with a 200.
    pub(crate) requests: f64,
    pub(crate) per_second: f64,
    /// The 99th percentile of their latency, where it was asked for.
    pub(crate) p99: Duration,
}

/// Requests for `url` over HTTP/1.1 on `connections` connections.
pub(crate) fn wrk(url: &str, connections: usize, time: Duration) -> Seen {
    let (connections, time) = (connections.to_string(), format!("{}s", time.as_secs().max(1)));
    let accept = format!("Accept: {OCI_MANIFEST}");
    let arguments = ["-t1", "-c", &connections, "-d", &time, "--latency", "-H", &accept, url];
    let said = run("wrk", &arguments);
    assert!(!said.contains("Non-2xx") && !said.contains("Socket errors"), "{url}: {said}");
    let requests = said.lines().find_map(|line| line.split_once(" requests in ")?.0.trim().parse().ok());
    let per_second = after(&said, "Requests/sec:").and_then(|text| text.parse().ok());
    let p99 = said.lines().find_map(|line| duration(line.trim().strip_prefix("99%")?.trim()));
    Seen { requests: requests.expect(&said), per_second: per_second.expect(&said), p99: p99.expect(&said) }
}

/// Requests for `url` over HTTP/2 on `connections` connections with `streams` streams each.
pub(crate) fn h2load(url: &str, connections: usize, streams: usize, time: Duration) -> Seen {
    let (connections, streams) = (connections.to_string(), streams.to_string());
    let time = time.as_secs().max(1).to_string();
    let accept = format!("accept: {OCI_MANIFEST}");
    let said = run("h2load", &["-c", &connections, "-m", &streams, "-D", &time, "-H", &accept, url]);
    assert!(said.contains("Application protocol: h2"), "{url}: {said}");
    let statuses = after(&said, "status codes:").expect(&said);
    let good: f64 = statuses.parse().unwrap();
    assert!(good > 0.0, "{url}: {said}");
    assert!(said.contains(" 0 3xx, 0 4xx, 0 5xx"), "{url}: {said}");
    let per_second =
        said.lines().find_map(|line| line.split(", ").find_map(|part| part.strip_suffix(" req/s")?.parse().ok()));
    Seen { requests: good, per_second: per_second.expect(&said), p99: Duration::ZERO }
}

fn run(name: &str, arguments: &[&str]) -> String {
    let output = Command::new(program(name).unwrap()).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{name}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// The word that follows `label` in what a program said.
fn after<'a>(said: &'a str, label: &str) -> Option<&'a str> {
    said.split_once(label)?.1.split_whitespace().next()
}

/// A time as wrk writes it, such as `1.25ms`.
fn duration(text: &str) -> Option<Duration> {
    let end = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(end);
    let factor = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    Some(Duration::from_secs_f64(number.parse::<f64>().ok()? * factor))
}
