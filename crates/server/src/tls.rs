//! TLS: a certificate that is given, or one that the server makes for itself and keeps.

use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertificateParams, DnType, KeyPair};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::access::private;

/// What clients are told that the protocol within is.
const HTTP: &[u8] = b"http/1.1";
const POSTGRES: &[u8] = b"postgresql";

/// What connections are encrypted with.
#[derive(Clone)]
pub struct Tls {
    http: Arc<ServerConfig>,
    postgres: Arc<ServerConfig>,
    fingerprint: String,
    made_in: Option<PathBuf>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

/// Why there is no TLS.
#[derive(Debug)]
pub enum TlsError {
    /// A file cannot be used.
    File(PathBuf, String),
    /// The certificate and the key cannot be used, or not together.
    Pair(PathBuf, String),
    /// No certificate can be made.
    Make(String),
}

impl std::fmt::Display for TlsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path, why) => write!(f, "cannot use {} for TLS: {why}", path.display()),
            Self::Pair(path, why) => {
                write!(f, "the certificate {} and its key cannot be used: {why}", path.display())
            }
            Self::Make(why) => write!(f, "cannot make a certificate: {why}"),
        }
    }
}

impl std::error::Error for TlsError {}

impl Tls {
    /// By a certificate (and those that vouch for it) and its key, in files of PEM.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |e: tokio_rustls::rustls::pki_types::pem::Error| {
                TlsError::File(path.clone(), e.to_string())
            }
        };
        let chain = CertificateDer::pem_file_iter(certificate).map_err(failed(certificate))?;
        let chain = chain.collect::<Result<Vec<_>, _>>().map_err(failed(certificate))?;
        let Some(first) = chain.first() else {
            let why = "there is no certificate in it (expected PEM: BEGIN CERTIFICATE)";
            return Err(TlsError::File(certificate.to_owned(), why.into()));
        };
        let hash = Sha256::digest(first);
        let bytes: Vec<String> = hash.iter().map(|byte| format!("{byte:02X}")).collect();
        let key = PrivateKeyDer::from_pem_file(key).map_err(failed(key))?;
        let pair =
            |e: tokio_rustls::rustls::Error| TlsError::Pair(certificate.into(), e.to_string());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(pair)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(pair)?;
        let speaks = |protocol: &[u8]| {
            let mut config = config.clone();
            config.alpn_protocols = vec![protocol.to_vec()];
            Arc::new(config)
        };
        let (http, postgres) = (speaks(HTTP), speaks(POSTGRES));
        Ok(Self { http, postgres, fingerprint: bytes.join(":"), made_in: None })
    }

    /// By the certificate that is kept in a folder; the first time one is made, for the names of
    /// this machine and the address. Clients know it by its fingerprint: nobody vouches for it.
    pub fn self_signed(folder: &Path, address: IpAddr) -> Result<Self, TlsError> {
        let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        if !certificate.exists() || !key.exists() {
            make(folder, &certificate, &key, address)?;
        }
        let tls = Self::from_files(&certificate, &key)?;
        Ok(Self { made_in: Some(certificate), ..tls })
    }

    /// The SHA-256 of the certificate, as browsers and OpenSSL show it.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The file of the certificate, where the server made it itself.
    pub fn made_in(&self) -> Option<&Path> {
        self.made_in.as_deref()
    }

    pub(crate) fn http(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.http))
    }

    pub(crate) fn postgres(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.postgres))
    }
}

fn make(folder: &Path, certificate: &Path, key: &Path, address: IpAddr) -> Result<(), TlsError> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !address.is_unspecified() && !address.is_loopback() {
        names.push(address.to_string());
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    if !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c)) {
        names.push(host.to_owned());
    }
    let failed = |e: rcgen::Error| TlsError::Make(e.to_string());
    let pair = KeyPair::generate().map_err(failed)?;
    let mut parameters = CertificateParams::new(names).map_err(failed)?;
    parameters.distinguished_name.push(DnType::CommonName, "Rialto, self-signed");
    let made = parameters.self_signed(&pair).map_err(failed)?;
    let write = |path: &Path, text: &str| {
        let mut file = private().truncate(true).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    let file = |path: &Path, e: std::io::Error| TlsError::File(path.to_owned(), e.to_string());
    let folders = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    folders.map_err(|e| file(folder, e))?;
    // The key first: what breaks off between the two is made anew.
    write(key, &pair.serialize_pem()).map_err(|e| file(key, e))?;
    write(certificate, &made.pem()).map_err(|e| file(certificate, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_once_is_used_again() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("tls");
        let address = IpAddr::from([192, 0, 2, 1]);
        let one = Tls::self_signed(&folder, address).unwrap();
        let two = Tls::self_signed(&folder, address).unwrap();
        assert_eq!(one.fingerprint(), two.fingerprint());
        assert_eq!(one.fingerprint().len(), 32 * 3 - 1);
        let given = Tls::from_files(&folder.join("cert.pem"), &folder.join("key.pem")).unwrap();
        assert_eq!((given.fingerprint(), given.made_in()), (one.fingerprint(), None));
    }

    #[test]
    fn files_that_are_none_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        Tls::self_signed(&one, IpAddr::from([127, 0, 0, 1])).unwrap();
        Tls::self_signed(&two, IpAddr::from([127, 0, 0, 1])).unwrap();
        let (cert, key) = (one.join("cert.pem"), one.join("key.pem"));
        let said = |cert: &Path, key: &Path| Tls::from_files(cert, key).unwrap_err().to_string();
        assert!(said(&cert, &two.join("key.pem")).contains("cannot be used"));
        assert!(said(&key, &key).contains("there is no certificate in it"));
        assert!(said(&cert, &cert).contains("cert.pem"));
        assert!(said(&dir.path().join("none.pem"), &key).contains("none.pem"));
    }
}
