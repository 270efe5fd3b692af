//! A certificate made on the spot, for this machine and this run only.

use std::fs;
use std::io;
use std::path::Path;

use rustls::pki_types::CertificateDer;

/// The name in the certificate.
pub const NAME: &str = "localhost";

/// Makes a self-signed certificate and writes it and its key as PEM into two files.
///
/// # Errors
/// When it can't be made or written.
pub fn write(cert: &Path, key: &Path) -> io::Result<CertificateDer<'static>> {
    let names = vec![NAME.to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
    fs::write(cert, made.cert.pem())?;
    fs::write(key, made.signing_key.serialize_pem())?;
    Ok(made.cert.der().clone())
}
