//! The upstreams there are: those that were configured, under their names, and no others.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::clock::{Clock, SystemClock};
use crate::oci::UpstreamName;
use crate::upstream::address::{AddressError, Base};
use crate::upstream::breaker::Breaker;
use crate::upstream::connector::{Connector, Proxy};
use crate::upstream::credentials::{Credentials, CredentialsError};
use crate::upstream::exchange::Exchange;
use crate::upstream::login::Login;
use crate::upstream::metrics::Metrics;
use crate::upstream::patience::{Patience, Pause, RealPause};
use crate::upstream::remote::Remote;
use crate::upstream::settings::Deadlines;
use crate::upstream::transport::Transport;
use crate::upstream::ways::Ways;
use crate::upstream::weather::Weather;
use crate::upstream::{EvidencePlace, Names, Settings, Site, Upstream};

/// Why the configured upstreams cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// Two upstreams answer to one name.
    #[error("two upstreams are called {0}")]
    Duplicate(UpstreamName),
    /// Two upstreams are the default.
    #[error("{0} and {1} cannot both be the default upstream")]
    SecondDefault(UpstreamName, UpstreamName),
    /// The `url` of an upstream is none.
    #[error("the url of upstream {name} cannot be used")]
    Address {
        /// The upstream.
        name: UpstreamName,
        /// What is wrong.
        source: AddressError,
    },
    /// The `url` of a site is none.
    #[error("{url:?} cannot be used")]
    SiteAddress {
        /// The address.
        url: String,
        /// What is wrong.
        source: AddressError,
    },
    /// The `auth` of an upstream cannot be read.
    #[error("the credentials for upstream {name} cannot be used")]
    Credentials {
        /// The upstream.
        name: UpstreamName,
        /// What is wrong.
        source: CredentialsError,
    },
    /// The `ca` of an upstream cannot be read.
    #[error("cannot read {}", path.display())]
    ReadAuthority {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The `ca` of an upstream holds no certificate.
    #[error("{} holds no certificate in PEM", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
    },
    /// TLS cannot be set up.
    #[error("cannot set up tls")]
    Tls(#[from] rustls::Error),
    /// The metrics are registered already.
    #[error("cannot register the metrics of upstreams")]
    Metrics(#[from] prometheus::Error),
}

/// What upstreams need of the world; tests bring their own.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The time of day, for tokens and `Retry-After`.
    pub clock: Arc<dyn Clock>,
    /// The pauses between tries.
    pub pause: Arc<dyn Pause>,
    /// The way out.
    pub proxy: Proxy,
}

impl Surroundings {
    /// The system's clock and timer, and the proxies that the environment names.
    pub fn of_process() -> Self {
        Self { clock: Arc::new(SystemClock), pause: Arc::new(RealPause), proxy: Proxy::from_environment() }
    }
}

/// The configured upstreams: a closed world. A name that is not among them is nowhere; no name is ever a host to dial.
#[derive(Debug)]
pub struct Upstreams {
    configured: HashMap<UpstreamName, Configured>,
    names: Names,
    maker: Maker,
}

#[derive(Debug)]
struct Configured {
    remote: Arc<Remote>,
    tag_ttl: Duration,
    max_stale: Duration,
    evidence_from: Vec<EvidencePlace>,
}

impl Upstreams {
    /// The upstreams of `settings`, in the surroundings of the process.
    ///
    /// # Errors
    /// [`UpstreamError`] if two share a name, or if an address or a file of one cannot be used.
    pub fn new(settings: &[Settings], registry: &Registry) -> Result<Self, UpstreamError> {
        Self::within(&Surroundings::of_process(), settings, registry)
    }

    /// The same in other surroundings.
    ///
    /// # Errors
    /// As [`Upstreams::new`].
    pub fn within(
        surroundings: &Surroundings,
        settings: &[Settings],
        registry: &Registry,
    ) -> Result<Self, UpstreamError> {
        let names = Names::new(settings)?;
        let (surroundings, metrics) = (surroundings.clone(), Metrics::register(registry)?);
        let maker = Maker { surroundings, metrics, roots: system_roots() };
        let mut configured = HashMap::new();
        for one in settings {
            let (remote, evidence_from) = (Arc::new(maker.make(one)?), one.evidence_from.clone());
            let &Settings { tag_ttl, max_stale, .. } = one;
            configured.insert(one.name.clone(), Configured { remote, tag_ttl, max_stale, evidence_from });
        }
        Ok(Self { configured, names, maker })
    }

    /// The upstream called `name`, by its own name or an alias.
    pub fn get(&self, name: &UpstreamName) -> Option<Arc<dyn Upstream>> {
        let remote = &self.find(name)?.remote;
        Some(Arc::<Remote>::clone(remote))
    }

    /// A site of files at `url`, with the authorities in `ca` besides those of the system. In metrics its host stands for
    /// it.
    ///
    /// # Errors
    /// [`UpstreamError`] if address or authorities cannot be used.
    pub fn site(&self, url: &str, ca: Option<&Path>) -> Result<Site, UpstreamError> {
        self.maker.site(url, ca)
    }

    /// How long the digest of a tag of `name` is remembered; not at all for an upstream that is not there.
    pub fn tag_ttl(&self, name: &UpstreamName) -> Duration {
        self.find(name).map_or(Duration::ZERO, |configured| configured.tag_ttl)
    }

    /// How long what `name` said last of a tag stands while it cannot be asked; not at all for an upstream that is not
    /// there.
    pub fn max_stale(&self, name: &UpstreamName) -> Duration {
        self.find(name).map_or(Duration::ZERO, |configured| configured.max_stale)
    }

    /// Where evidence about the images of `name` is looked for besides their own repositories.
    pub fn evidence_from(&self, name: &UpstreamName) -> &[EvidencePlace] {
        self.find(name).map_or(&[], |configured| &configured.evidence_from)
    }

    /// What they are called.
    pub const fn names(&self) -> &Names {
        &self.names
    }

    fn find(&self, name: &UpstreamName) -> Option<&Configured> {
        self.configured.get(self.names.canonical(name)?)
    }
}

#[derive(Debug)]
struct Maker {
    surroundings: Surroundings,
    metrics: Metrics,
    roots: RootCertStore,
}

impl Maker {
    fn make(&self, settings: &Settings) -> Result<Remote, UpstreamError> {
        let name = &settings.name;
        let transport = self.transport(name.as_str(), settings.ca.as_deref(), settings.deadlines())?;
        let exchanges =
            settings.url.iter().map(|url| self.address(settings, url, &transport)).collect::<Result<_, _>>()?;
        let clock = &self.surroundings.clock;
        let ways = Ways::new(name.to_string(), exchanges, self.patience(), Arc::clone(clock));
        Ok(Remote::new(ways, Arc::clone(clock)))
    }

    /// One of its addresses. The credentials are for each of them.
    fn address(&self, settings: &Settings, url: &str, transport: &Transport) -> Result<Exchange, UpstreamError> {
        let name = &settings.name;
        let wrong_address = |source| UpstreamError::Address { name: name.clone(), source };
        let base = Base::parse(url).map_err(wrong_address)?;
        let unreadable = |source| UpstreamError::Credentials { name: name.clone(), source };
        let credentials = settings.auth.as_ref().map(|auth| Credentials::read(auth, &base));
        let credentials = credentials.transpose().map_err(unreadable)?;
        Ok(self.exchange(name.as_str(), base, credentials, transport.clone()))
    }

    fn site(&self, url: &str, ca: Option<&Path>) -> Result<Site, UpstreamError> {
        let wrong_address = |source| UpstreamError::SiteAddress { url: url.to_owned(), source };
        let base = Base::parse(url).map_err(wrong_address)?;
        let name = base.host_and_port().to_owned();
        let transport = self.transport(&name, ca, Deadlines::usual())?;
        let exchange = self.exchange(&name, base, None, transport);
        Ok(Site::new(name, exchange, self.patience()))
    }

    fn transport(&self, name: &str, ca: Option<&Path>, deadlines: Deadlines) -> Result<Transport, UpstreamError> {
        let proxy = self.surroundings.proxy.clone();
        let connector = Connector::new(self.tls(ca)?, proxy.clone(), deadlines.connect);
        Ok(Transport::new(connector, proxy, deadlines, self.metrics.of(name)))
    }

    fn exchange(&self, name: &str, base: Base, credentials: Option<Credentials>, transport: Transport) -> Exchange {
        let clock = Arc::clone(&self.surroundings.clock);
        let host = base.host_and_port();
        let weather = |host: &str, breaker| {
            let metrics = self.metrics.weather(name, host);
            Weather::new(Arc::clone(&clock), transport.answer_timeout(), metrics, breaker)
        };
        let of_tokens = weather(&format!("token service of {host}"), Breaker::of_token_service());
        let login = Login::new(base.origin.clone(), credentials, transport.clone(), of_tokens, Arc::clone(&clock));
        let weather = weather(host, Breaker::of_registry());
        Exchange { base, transport, weather, login, clock }
    }

    fn patience(&self) -> Patience {
        Patience { pause: Arc::clone(&self.surroundings.pause) }
    }

    fn tls(&self, ca: Option<&Path>) -> Result<ClientConfig, UpstreamError> {
        let mut roots = self.roots.clone();
        if let Some(path) = ca {
            add_authorities(path, &mut roots)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(versions.with_root_certificates(roots).with_no_client_auth())
    }
}

/// The authorities that the system trusts. There may be none, in a bare container; then TLS works only with `ca`.
fn system_roots() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        tracing::warn!("the system has no certificate authorities: upstreams over tls need a ca of their own");
    }
    roots
}

fn add_authorities(path: &Path, roots: &mut RootCertStore) -> Result<(), UpstreamError> {
    let unreadable = |source| UpstreamError::ReadAuthority { path: path.to_owned(), source };
    let pem = fs::read(path).map_err(unreadable)?;
    let unusable = || UpstreamError::Authority { path: path.to_owned() };
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(|_| unusable())?;
    if certificates.is_empty() {
        return Err(unusable());
    }
    for certificate in certificates {
        roots.add(certificate).map_err(|_| unusable())?;
    }
    Ok(())
}
