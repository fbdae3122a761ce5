//! Why the program does not start.

use std::io;

use crate::content::ContentError;
use crate::facts::FactsError;
use crate::feeds::FeedsError;
use crate::listen::ListenError;
use crate::trust::TrustError;
use crate::upstream::UpstreamError;

/// Why the program does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The operating system gives no threads or no signals.
    #[error("the operating system refuses threads or signals")]
    System(#[from] io::Error),
    /// An address or the TLS files cannot be used.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A root or a key cannot be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// A feed cannot be used.
    #[error(transparent)]
    Feeds(#[from] FeedsError),
    /// An upstream cannot be used.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The store of facts cannot be opened.
    #[error("the store of facts cannot be opened")]
    Facts(#[source] FactsError),
    /// The store of content cannot be opened.
    #[error("the store of content cannot be opened")]
    Content(#[source] ContentError),
    /// Two metrics of one name.
    #[error("the metrics cannot be set up")]
    Metrics(#[from] prometheus::Error),
}

impl StartError {
    /// Whether another storage path would help.
    pub const fn is_about_storage(&self) -> bool {
        match self {
            Self::Facts(_) | Self::Content(_) => true,
            Self::System(_)
            | Self::Listen(_)
            | Self::Trust(_)
            | Self::Upstream(_)
            | Self::Feeds(_)
            | Self::Metrics(_) => false,
        }
    }

    /// Whether the configuration has to be changed: a file that it names cannot be used.
    pub const fn is_about_configuration(&self) -> bool {
        match self {
            Self::Trust(_) | Self::Upstream(_) | Self::Listen(ListenError::Tls(_)) => true,
            Self::Feeds(error) => error.is_about_configuration(),
            Self::Facts(_)
            | Self::Content(_)
            | Self::System(_)
            | Self::Metrics(_)
            | Self::Listen(ListenError::Bind { .. }) => false,
        }
    }
}
