//! TLS for listeners: certificate, key, and the authority of clients where they must show a certificate.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio_rustls::TlsAcceptor;

/// `tls = { cert = "tls.crt", key = "tls.key", client_ca = "clients.pem", alpn = ["h2", "http/1.1"] }`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// The certificate chain, PEM, the server's own first.
    pub cert: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// Authorities of client certificates, PEM. With it, a client without such a certificate is turned away.
    pub client_ca: Option<PathBuf>,
    /// The protocols that are offered (ALPN, RFC 7301), the preferred one first. A client that names none of them speaks
    /// HTTP/1.1, or is turned away if it named others.
    #[serde(default = "Protocol::standard")]
    pub alpn: Vec<Protocol>,
}

/// A protocol of a TLS connection, by the name that ALPN has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Protocol {
    /// HTTP/2: one connection for all requests of a client.
    #[serde(rename = "h2")]
    Http2,
    /// HTTP/1.1: large blobs cost less, and each has a connection of its own.
    #[serde(rename = "http/1.1")]
    Http1,
}

impl Protocol {
    /// What is offered unless something else is said: HTTP/2 first, since clients that speak both then need one connection.
    pub fn standard() -> Vec<Self> {
        vec![Self::Http2, Self::Http1]
    }

    const fn name(self) -> &'static [u8] {
        match self {
            Self::Http2 => b"h2",
            Self::Http1 => b"http/1.1",
        }
    }
}

impl TlsSettings {
    /// Whether these files can be used.
    ///
    /// # Errors
    /// [`TlsError`] if not.
    pub fn check(&self) -> Result<(), TlsError> {
        acceptor(self).map(drop)
    }
}

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is not PEM of the right kind.
    #[error("cannot read {what} from {path:?}")]
    File {
        /// What should be in it.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: rustls_pki_types::pem::Error,
    },
    /// The file has no certificate in it.
    #[error("no {what} in {path:?}")]
    Empty {
        /// What should be in it.
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// Certificate and key do not go together, or are of no supported kind.
    #[error("the certificate and the key cannot be used")]
    Pair(#[source] rustls::Error),
    /// No protocol is offered.
    #[error("tls.alpn names no protocol: write \"h2\", \"http/1.1\" or both")]
    NoProtocol,
    /// The authorities of clients are not certificates of authorities.
    #[error("the client authorities in {path:?} cannot be used: {text}")]
    ClientAuthorities {
        /// The file.
        path: PathBuf,
        /// What is wrong with them.
        text: String,
    },
}

pub(in crate::listen) fn acceptor(settings: &TlsSettings) -> Result<TlsAcceptor, TlsError> {
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(TlsError::Pair)?;
    let builder = match &settings.client_ca {
        Some(path) => builder.with_client_cert_verifier(client_verifier(path)?),
        None => builder.with_no_client_auth(),
    };
    let chain = certificates("certificate chain", &settings.cert)?;
    let mut config = builder.with_single_cert(chain, private_key(&settings.key)?).map_err(TlsError::Pair)?;
    if settings.alpn.is_empty() {
        return Err(TlsError::NoProtocol);
    }
    config.alpn_protocols = settings.alpn.iter().map(|protocol| protocol.name().to_vec()).collect();
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn client_verifier(path: &Path) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let unusable = |text: String| TlsError::ClientAuthorities { path: path.to_owned(), text };
    let mut roots = RootCertStore::empty();
    for authority in certificates("client authorities", path)? {
        roots.add(authority).map_err(|error| unusable(error.to_string()))?;
    }
    let provider = Arc::new(default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    verifier.build().map_err(|error| unusable(error.to_string()))
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let file = |source| TlsError::File { what, path: path.to_owned(), source };
    let certificates = CertificateDer::pem_file_iter(path).map_err(file)?;
    let certificates = certificates.collect::<Result<Vec<_>, _>>().map_err(file)?;
    if certificates.is_empty() {
        return Err(TlsError::Empty { what, path: path.to_owned() });
    }
    Ok(certificates)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let file = |source| TlsError::File { what: "private key", path: path.to_owned(), source };
    PrivateKeyDer::from_pem_file(path).map_err(file)
}
