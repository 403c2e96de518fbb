//! TLS and mTLS by rustls with ring, from PEM files that are read again when they change.

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::fs::metadata;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

const H2: &[u8] = b"h2";
/// How often files are looked at, at most; they are looked at when a connection is made.
const LOOK: Duration = Duration::from_secs(1);
/// Where systems keep the certificates they trust.
const SYSTEM: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// A certificate chain and its key, in PEM files.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The chain, leaf first.
    pub certificates: PathBuf,
    /// The private key (PKCS#8, PKCS#1 or SEC1).
    pub key: PathBuf,
}

/// What a server shows, and whom it asks to show something.
#[derive(Debug, Clone)]
pub struct ServerTls {
    /// The server's own.
    pub identity: Identity,
    /// Certificates that a client's certificate must come from (mTLS); without it clients are not asked.
    pub clients: Option<PathBuf>,
}

/// Whom a client trusts, and what it shows.
#[derive(Debug, Clone, Default)]
pub struct ClientTls {
    /// Certificates that the server's must come from; without it the system's.
    pub roots: Option<PathBuf>,
    /// The client's own (mTLS).
    pub identity: Option<Identity>,
    /// The name that the server's certificate must have; without it the host of the channel's authority.
    pub server_name: Option<String>,
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bad = |e: String| format!("{}: certificates in PEM are expected: {e}", path.display());
    let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(|e| bad(e.to_string()))?.collect();
    let all = all.map_err(|e| bad(e.to_string()))?;
    if all.is_empty() { Err(bad("there is none".into())) } else { Ok(all) }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(path).map_err(|e| format!("{}: a private key in PEM is expected: {e}", path.display()))
}

fn roots(path: &Path) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    let (added, _) = store.add_parsable_certificates(chain(path)?);
    if added == 0 { Err(format!("{}: no certificate in it can be used", path.display())) } else { Ok(store) }
}

impl ServerTls {
    fn config(&self) -> Result<ServerConfig, String> {
        let provider = Arc::new(default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone());
        let builder = builder.with_safe_default_protocol_versions().map_err(|e| e.to_string())?;
        let builder = match &self.clients {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(path)?), provider).build();
                builder.with_client_cert_verifier(verifier.map_err(|e| format!("{}: {e}", path.display()))?)
            }
        };
        let Identity { certificates, key: file } = &self.identity;
        let config = builder.with_single_cert(chain(certificates)?, key(file)?);
        let bad = |e| format!("{} and {}: {e}", certificates.display(), file.display());
        let mut config = config.map_err(bad)?;
        config.alpn_protocols = vec![H2.to_vec()];
        Ok(config)
    }

    fn files(&self) -> Vec<PathBuf> {
        let own = [self.identity.certificates.clone(), self.identity.key.clone()];
        own.into_iter().chain(self.clients.clone()).collect()
    }
}

impl ClientTls {
    fn config(&self) -> Result<ClientConfig, String> {
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(|e| e.to_string())?;
        let system = || SYSTEM.iter().map(Path::new).find(|p| p.exists());
        let trusted = self.roots.as_deref().or_else(system).ok_or("no file of trusted certificates was found")?;
        let builder = builder.with_root_certificates(roots(trusted)?);
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(own) => builder
                .with_client_auth_cert(chain(&own.certificates)?, key(&own.key)?)
                .map_err(|e| format!("{}: {e}", own.certificates.display()))?,
        };
        config.alpn_protocols = vec![H2.to_vec()];
        Ok(config)
    }

    fn files(&self) -> Vec<PathBuf> {
        let own = self.identity.iter().flat_map(|i| [i.certificates.clone(), i.key.clone()]);
        own.chain(self.roots.clone()).collect()
    }
}

type Stamp = Vec<Option<(SystemTime, u64)>>;

/// A configuration made from files, made again when they change. Files that are bad leave the last good one in force.
struct Reloaded<C> {
    files: Vec<PathBuf>,
    make: Box<dyn Fn() -> Result<C, String> + Send + Sync>,
    now: ArcSwap<C>,
    looked: Mutex<(Instant, Stamp)>,
}

impl<C> Reloaded<C> {
    fn new(files: Vec<PathBuf>, make: Box<dyn Fn() -> Result<C, String> + Send + Sync>) -> Result<Self, String> {
        let seen = stamp(&files);
        let now = ArcSwap::from_pointee(make()?);
        Ok(Self { files, make, now, looked: Mutex::new((Instant::now(), seen)) })
    }

    fn get(&self) -> Arc<C> {
        if let Some(mut looked) = self.looked.try_lock()
            && looked.0.elapsed() >= LOOK
        {
            looked.0 = Instant::now();
            let seen = stamp(&self.files);
            if seen != looked.1
                && let Ok(made) = (self.make)()
            {
                // Only what could be used counts as seen: a half-written pair is looked at again.
                looked.1 = seen;
                self.now.store(Arc::new(made));
            }
        }
        self.now.load_full()
    }
}

fn stamp(files: &[PathBuf]) -> Stamp {
    let one = |p: &PathBuf| metadata(p).ok().and_then(|m| Some((m.modified().ok()?, m.len())));
    files.iter().map(one).collect()
}

/// The server's side, ready for connections.
pub(crate) struct Acceptor(Reloaded<ServerConfig>);

impl Acceptor {
    pub fn new(tls: ServerTls) -> Result<Self, String> {
        Ok(Self(Reloaded::new(tls.files(), Box::new(move || tls.config()))?))
    }

    pub fn get(&self) -> tokio_rustls::TlsAcceptor {
        self.0.get().into()
    }
}

/// The client's side, ready for connections.
pub(crate) struct Connector {
    config: Reloaded<ClientConfig>,
    pub name: rustls::pki_types::ServerName<'static>,
}

impl Connector {
    pub fn new(tls: ClientTls, host: &str) -> Result<Self, String> {
        let name = tls.server_name.clone().unwrap_or_else(|| host.to_string());
        let name = name.clone().try_into().map_err(|e| format!("{name} is no name of a server: {e}"))?;
        Ok(Self { config: Reloaded::new(tls.files(), Box::new(move || tls.config()))?, name })
    }

    pub fn get(&self) -> tokio_rustls::TlsConnector {
        self.config.get().into()
    }
}

/// What to look at when no TLS came about.
pub(crate) fn advice(error: &std::io::Error) -> &'static str {
    match error.get_ref().and_then(|e| e.downcast_ref()) {
        Some(rustls::Error::InvalidCertificate(_)) => {
            "check the server's certificate: its name, its dates, and that its authority is among the trusted ones"
        }
        Some(rustls::Error::InvalidMessage(_)) => "does the server speak TLS on this port?",
        Some(rustls::Error::AlertReceived(_)) => "the server refused us: look at its log, and at our certificate",
        _ => "does the server speak TLS on this port?",
    }
}

/// Whether both sides agreed on HTTP/2.
pub(crate) fn is_h2(protocol: Option<&[u8]>) -> bool {
    protocol == Some(H2)
}
