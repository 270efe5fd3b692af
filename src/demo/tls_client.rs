//! The sender's side of a webhook: one POST over TLS.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

use super::certificate;
use crate::platform::crypto::crypto_provider;

/// For each read and write.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What a webhook was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// HTTP status.
    pub status: u16,
    /// The body; null when it is not JSON.
    pub body: Value,
}

/// Posts to one address, and believes in one certificate only.
pub struct TlsClient {
    address: SocketAddr,
    config: Arc<ClientConfig>,
}

impl TlsClient {
    /// For a server with this certificate.
    ///
    /// # Errors
    /// When the certificate can't be a root, or TLS can't be set up.
    pub fn new(address: SocketAddr, trusted: CertificateDer<'static>) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(trusted).map_err(io::Error::other)?;
        let mut config = ClientConfig::builder_with_provider(crypto_provider())
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { address, config: Arc::new(config) })
    }

    /// Posts a body and waits for the answer, on a connection of its own.
    ///
    /// # Errors
    /// When there is no connection, or no HTTP answer.
    pub fn post(&self, path: &str, headers: &[(String, String)], body: &[u8]) -> io::Result<Answered> {
        let stream = TcpStream::connect_timeout(&self.address, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(certificate::NAME).map_err(io::Error::other)?;
        let connection = ClientConnection::new(Arc::clone(&self.config), name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, stream);
        let mut head = format!("POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", certificate::NAME);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        stream.flush()?;
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            // The end of the connection without a word is only bad when the answer isn't whole.
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error),
            _ => {}
        }
        parse(&answer).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not whole, or not HTTP"))
    }
}

fn parse(answer: &[u8]) -> Option<Answered> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let body = &answer[end + 4..];
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    if length.is_some_and(|length: usize| length != body.len()) {
        return None;
    }
    Some(Answered { status, body: serde_json::from_slice(body).unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_whole_answer_is_one() {
        let text = "HTTP/1.1 400 Bad Request\r\nContent-Length: 7\r\n\r\n";
        assert_eq!(
            parse(format!("{text}{{\"a\":1}}").as_bytes()),
            Some(Answered { status: 400, body: json!({"a": 1}) })
        );
        for cut in [text.to_owned(), format!("{text}{{\"a\":"), "HTTP/1.1 200".to_owned(), "\x16\x03".to_owned()] {
            assert_eq!(parse(cut.as_bytes()), None, "{cut:?}");
        }
        let bare = parse(b"HTTP/1.1 204 No Content\r\n\r\n");
        assert_eq!(bare, Some(Answered { status: 204, body: Value::Null }));
    }
}
