//! What a rule says beyond its requirements, through the whole program.

mod update;

use crate::support::mirror::Mirror;

/// The value of the metric `line`, labels included; 0 if it was never counted.
async fn metric(mirror: &Mirror, line: &str) -> f64 {
    let page = mirror.admin("/metrics").await;
    let page = String::from_utf8(page.body.to_vec()).unwrap();
    page.lines().find_map(|other| other.strip_prefix(line)?.trim().parse().ok()).unwrap_or_default()
}
