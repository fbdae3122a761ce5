//! What a registry of metrics has counted.

use prometheus::Registry;

/// The value of the counter or gauge `name` with exactly these labels; fails if it is not there.
pub(crate) fn counted(registry: &Registry, name: &str, labels: &[(&str, &str)]) -> u64 {
    let families = registry.gather();
    let mut metrics =
        families.iter().filter(|family| family.name() == name).flat_map(prometheus::proto::MetricFamily::get_metric);
    let found = metrics.find(|metric| {
        let mut pairs: Vec<_> = metric.get_label().iter().map(|label| (label.name(), label.value())).collect();
        pairs.sort_unstable();
        pairs == labels
    });
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of a test are small")]
    found.map_or_else(
        || panic!("{name} {labels:?} is not there"),
        |metric| (metric.get_counter().get_value() + metric.get_gauge().get_value()) as u64,
    )
}
