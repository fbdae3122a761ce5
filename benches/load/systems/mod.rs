//! The systems that are compared: each serves the same image, at the same paths, on one core.

pub(crate) mod bonafide;
pub(crate) mod cold;
pub(crate) mod nginx;
mod registry;
mod zot;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::bed::{Bed, blob_path};
use crate::client::{Client, Http};
use crate::process::Process;

/// How clients talk to a system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Plain,
    Tls,
}

/// A running server.
#[derive(Debug)]
pub(crate) struct System {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) transport: Transport,
    pub(crate) process: Process,
}

/// What there is to compare, and what is not there: its name, and why.
#[derive(Debug)]
pub(crate) struct Systems {
    pub(crate) running: Vec<System>,
    pub(crate) missing: Vec<(&'static str, String)>,
}

impl System {
    /// The URL of `path`.
    pub(crate) fn url(&self, path: &str) -> String {
        let scheme = match self.transport {
            Transport::Plain => "http",
            Transport::Tls => "https",
        };
        format!("{scheme}://{}{path}", self.address)
    }

    /// What connects to it.
    pub(crate) fn client(&self, bed: &Bed) -> Client {
        let tls = (self.transport == Transport::Tls).then(|| bed.certificate.client());
        Client::new(self.address, tls)
    }
}

/// All systems, each of which was seen to serve the image: what is not proven of it, Bonafide would refuse.
pub(crate) fn start(bed: &Bed, transport: Transport) -> Systems {
    let attempts = [
        ("bonafide", bonafide::start(bed, transport)),
        ("nginx", nginx::start(bed, transport)),
        ("docker-registry", registry::start(bed, transport)),
        ("zot", zot::start(bed, transport)),
    ];
    let mut systems = Systems { running: Vec::new(), missing: Vec::new() };
    for (name, attempt) in attempts {
        match attempt.and_then(|system| try_out(bed, &system).map(|()| system)) {
            Ok(system) => systems.running.push(system),
            Err(why) => systems.missing.push((name, why)),
        }
    }
    assert_eq!(systems.running.first().map(|system| system.name), Some("bonafide"), "{:?}", systems.missing);
    systems
}

/// Asks for everything once: what is compared must do the same work, and be warm.
fn try_out(bed: &Bed, system: &System) -> Result<(), String> {
    let client = system.client(bed);
    let mut connection = client.connect();
    for (path, size) in [
        (bed.manifest_path(), bed.manifest_bytes.len() as u64),
        (blob_path(bed.blob.0), bed.blob.1),
        (blob_path(bed.small_blob.0), bed.small_blob.1),
    ] {
        let length = connection.get(&path)?;
        if length != size {
            return Err(format!("{path} has {length} bytes there"));
        }
        connection.skip(length)?;
    }
    Ok(())
}

/// The program `name` that `benches/load/install` has fetched.
pub(crate) fn program(name: &str) -> Result<PathBuf, String> {
    let folder =
        std::env::var_os("BONAFIDE_PEERS_BIN").ok_or("start it by benches/load/run, which fetches the peers")?;
    let path = Path::new(&folder).join(name);
    if path.exists() { Ok(path) } else { Err(format!("there is no {}", path.display())) }
}

/// A certificate for 127.0.0.1 and the authority that it is of, as all systems use them: ECDSA with P-256.
#[derive(Debug)]
pub(crate) struct Certificate {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    authority: PathBuf,
}

impl Certificate {
    pub(crate) fn write(folder: &Path) -> Self {
        let write = |name: &str, pem: String| {
            let path = folder.join(name);
            fs::write(&path, pem).unwrap();
            path
        };
        let authority_key = rcgen::KeyPair::generate().unwrap();
        let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority_path = write("authority.pem", authority.self_signed(&authority_key).unwrap().pem());
        let issuer = rcgen::Issuer::new(authority, authority_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let cert = write("server.crt", certificate.signed_by(&key, &issuer).unwrap().pem());
        Self { cert, key: write("server.key", key.serialize_pem()), authority: authority_path }
    }

    /// How clients talk to who shows it: HTTP/1.1, no session resumed.
    pub(crate) fn client(&self) -> Http {
        Http::trusting(&self.authority)
    }
}
