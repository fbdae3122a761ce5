//! A site of files that is no registry: fetched in the same way and by the same client.

use bytes::Bytes;
use http::{Method, StatusCode};

use crate::upstream::exchange::{Call, Exchange, Redirects};
use crate::upstream::patience::Patience;
use crate::upstream::trouble::{Retry, Trouble};
use crate::upstream::weather::Purpose;
use crate::upstream::{Unavailable, UnavailableKind};

const ANYTHING: &str = "*/*";

/// One site.
#[derive(Debug)]
pub struct Site {
    name: String,
    exchange: Exchange,
    patience: Patience,
}

impl Site {
    pub(super) const fn new(name: String, exchange: Exchange, patience: Patience) -> Self {
        Self { name, exchange, patience }
    }

    /// The file at `path`, which has no leading slash, of at most `most` bytes whatever the site says; none if there is
    /// none. 403 says that too: object stores answer so where nobody may list what there is.
    ///
    /// # Errors
    /// [`Unavailable`] if the site cannot be asked, or if there are more bytes.
    pub async fn file(&self, path: &str, most: u64) -> Result<Option<Bytes>, Unavailable> {
        let file = self.patience.persist(|| self.fetch(path, most)).await;
        file.map_err(|trouble| trouble.of_upstream(&self.name))
    }

    async fn fetch(&self, path: &str, most: u64) -> Result<Option<Bytes>, Trouble> {
        let call = self.call(path)?;
        let answer = self.exchange.answer(&call).await?;
        if answer.response.status() == StatusCode::FORBIDDEN {
            return Ok(None);
        }
        let found = self.exchange.read_status(answer).map_err(|trouble| trouble.at(&call.name()))?;
        let Some(answer) = found else { return Ok(None) };
        let body = self.exchange.transport.whole(answer.response.into_body(), most).await;
        body.map(Some).map_err(|trouble| trouble.at(&call.name()))
    }

    fn call(&self, path: &str) -> Result<Call, Trouble> {
        let unaskable = |error: http::Error| Trouble::new(UnavailableKind::Status, error.to_string(), Retry::Never);
        let uri = self.exchange.base.at(&format!("/{path}")).map_err(unaskable)?;
        let (method, redirects) = (Method::GET, Redirects::Followed);
        Ok(Call { method, uri, accept: ANYTHING, from: 0, scope: String::new(), redirects, purpose: Purpose::Blob })
    }
}
