//! Trusted roots are fetched as images are: by the one HTTP client, through the same proxies.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::app::StartError;
use crate::trust::{Fetch, FetchError};
use crate::upstream::{Site, Upstreams};

#[derive(Debug)]
struct FromSite(Site);

#[async_trait]
impl Fetch for FromSite {
    async fn fetch(&self, path: &str, most: u64) -> Result<Option<Bytes>, FetchError> {
        self.0.file(path, most).await.map_err(|unavailable| FetchError(unavailable.to_string()))
    }
}

/// What fetches from `url`, with the authorities in `ca` besides those of the system.
///
/// # Errors
/// [`StartError::Upstream`] if either cannot be used.
pub(in crate::app) fn fetch_from(
    upstreams: &Upstreams,
    url: &str,
    ca: Option<&Path>,
) -> Result<Arc<dyn Fetch>, StartError> {
    Ok(Arc::new(FromSite(upstreams.site(url, ca)?)))
}
