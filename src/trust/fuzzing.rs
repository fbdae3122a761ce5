//! Ways in for the fuzz targets (`fuzz/`), compiled for nobody else: a look at a TUF repository, without its schedule.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use crate::trust::Fetch;
use crate::trust::tuf::Tuf;

/// The trusted root that the repository behind `fetch` vouches for at `now`, where trust begins with `anchor`; none if it
/// does not.
pub async fn vouched(
    anchor: &[u8],
    target: &str,
    fetch: Arc<dyn Fetch>,
    folder: &Path,
    now: Timestamp,
) -> Option<String> {
    let tuf = Tuf::new("fuzz", anchor.to_vec(), target, fetch, folder).ok()?;
    tuf.fetch(now).await.ok().map(|vouched| vouched.root)
}
