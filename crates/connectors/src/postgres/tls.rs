//! Who the server is: `sslmode` as libpq has it.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore};
use rustls::{Error as TlsError, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::options::{PgOptions, TlsMode};

/// What makes a connection private, as the table's options say.
pub(super) fn connector(options: &PgOptions) -> Result<MakeRustlsConnect, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?;
    let config = match options.tls {
        TlsMode::VerifyFull => {
            builder.with_root_certificates(roots(options)?).with_no_client_auth()
        }
        mode => {
            let chain = match mode {
                TlsMode::VerifyCa => Some(
                    WebPkiServerVerifier::builder_with_provider(
                        Arc::new(roots(options)?),
                        Arc::clone(&provider),
                    )
                    .build()
                    .map_err(|e| e.to_string())?,
                ),
                _ => None,
            };
            let lenient = Lenient { chain, provider };
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(lenient))
                .with_no_client_auth()
        }
    };
    Ok(MakeRustlsConnect::new(config))
}

fn roots(options: &PgOptions) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match &options.root_cert {
        Some(path) => {
            let shown = path.display();
            let file = std::fs::File::open(path);
            let file = file.map_err(|e| format!("'sslrootcert' {shown}: {e}"))?;
            let mut file = std::io::BufReader::new(file);
            for certificate in rustls_pemfile::certs(&mut file) {
                let certificate = certificate.map_err(|e| format!("'sslrootcert' {shown}: {e}"))?;
                roots.add(certificate).map_err(|e| format!("'sslrootcert' {shown}: {e}"))?;
            }
            if roots.is_empty() {
                return Err(format!("'sslrootcert' {shown} holds no certificate in PEM form"));
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                return Err("the system has no root certificates (name a file in the URL's \
                            'sslrootcert')"
                    .into());
            }
        }
    }
    Ok(roots)
}

/// Checks less than a browser would: nothing (`prefer`, `require`), or all but the name
/// (`verify-ca`).
#[derive(Debug)]
struct Lenient {
    chain: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        let found =
            chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match found {
            Err(TlsError::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            found => found,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
