//! PayPal: a checksum of the body is signed with the key of a certificate of PayPal's (PayPal: integrate webhooks, verify by
//! yourself).
//!
//! Each request names the address of its certificate. Fetching that here would let a request decide whom to believe and make the
//! answer wait for another server. So the certificate is configured; when PayPal takes another, requests are refused and the
//! explanation says how to get it. PayPal comes again for three days.
//!
//! What is signed of the body is its CRC-32, which guards against accidents and not against design: whoever holds one genuine
//! request can make another body for it. So a signature is good for four days at most.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::scheme::Scheme;
use super::super::verify::only;
use super::Window;
use crate::model::secret::Secret;
use crate::model::time::Timestamp;
use crate::sources::rsa::Certificate;
use crate::sources::{Refusal, Request};

const ID: &str = "paypal-transmission-id";
const TIME: &str = "paypal-transmission-time";
const SIGNATURE: &str = "paypal-transmission-sig";
const CERTIFICATE: &str = "paypal-cert-url";
const ALGORITHM: &str = "paypal-auth-algo";

/// The header fields that are read.
pub(super) const HEADERS: [&str; 5] = [ID, TIME, SIGNATURE, CERTIFICATE, ALGORITHM];

/// The only algorithm that is taken; the older one uses SHA-1.
const RSA_SHA256: &[u8] = b"SHA256withRSA";

/// Stands for the certificate as long as its address is not known: nothing is believed, and the first refusal names it.
pub(in crate::sources::hmac) const UNKNOWN_YET: &str = "unknown-yet";

/// How the name in a certificate of PayPal's ends.
const PAYPAL: &str = ".paypal.com";

/// A webhook of a PayPal app.
pub(in crate::sources::hmac) struct PayPal {
    certificates: Vec<Certificate>,
    webhook_id: String,
    window: Window,
}

/// What the headers say.
struct Signed<'r> {
    id: &'r [u8],
    time: &'r [u8],
    at: Timestamp,
    signature: Vec<u8>,
}

impl PayPal {
    /// From settings; what is no certificate of PayPal's verifies nothing.
    pub fn new(scheme: &Scheme, secrets: &[Secret]) -> Self {
        let certificates = secrets.iter().filter_map(|secret| certificate(secret.expose())).collect();
        Self { certificates, webhook_id: scheme.webhook_id.clone().unwrap_or_default(), window: Window::of(scheme) }
    }

    /// Checks a request: the signature first, and only then its age.
    pub fn verify(&self, request: &Request<'_>) -> Result<(), Refusal> {
        let signed = read(request)?;
        let message = self.message(&signed, request.body).ok_or(Refusal::NoMatchingSignature)?;
        if !self.certificates.iter().any(|certificate| certificate.key.verify(&message, &signed.signature)) {
            return Err(Refusal::NoMatchingSignature);
        }
        self.window.check(signed.at, request.received_at)
    }

    /// What is signed; none without a webhook id.
    fn message(&self, signed: &Signed<'_>, body: &[u8]) -> Option<Vec<u8>> {
        if self.webhook_id.is_empty() {
            return None;
        }
        let checksum = crc32(body).to_string();
        let parts = [signed.id, signed.time, self.webhook_id.as_bytes(), checksum.as_bytes()];
        Some(parts.join(&b'|'))
    }

    /// Explains a refusal.
    pub fn explain(&self, request: &Request<'_>, refusal: Refusal) -> String {
        match refusal {
            Refusal::MissingSignature => {
                "There is no header paypal-transmission-sig, or it is empty or there twice. Either this did not come from PayPal, or a \
                 proxy in front changes it."
                    .to_owned()
            }
            Refusal::TimestampTooOld | Refusal::TimestampInFuture => match read(request) {
                Ok(signed) => self.window.explain(signed.at, request.received_at),
                Err(_) => "The time in paypal-transmission-time can't be read.".to_owned(),
            },
            Refusal::NoMatchingSignature => self.no_match(request),
            _ => "The headers paypal-transmission-id, -time and -sig and paypal-auth-algo (SHA256withRSA) are not all there in a form \
                  that can be read: a proxy in front changes them, or another sender posts to this address."
                .to_owned(),
        }
    }

    fn no_match(&self, request: &Request<'_>) -> String {
        let fetch = match named_certificate(request) {
            Some(address) => format!(
                "PayPal says that it signed with the certificate at {address}. Fetch it with `curl -fsS {address} -o paypal.pem`, put \
                 it among the `secrets` of this source as {{ file = \"…/paypal.pem\" }}, and reload: PayPal comes again for three days."
            ),
            None => {
                "The request names no certificate of PayPal's (paypal-cert-url), so that it hardly came from there."
                    .to_owned()
            }
        };
        if self.certificates.is_empty() {
            return format!("No certificate of PayPal's is configured yet. {fetch}");
        }
        format!(
            "The signature was made with another certificate, for another webhook, or over another body. {fetch} If that certificate is \
             configured already, compare `webhook_id` with the one beside this address at PayPal (the sandbox has others than live); if \
             it is right, something in front changes the body."
        )
    }
}

/// A certificate of PayPal's.
fn certificate(text: &str) -> Option<Certificate> {
    Certificate::parse(text).filter(|certificate| certificate.is_of(PAYPAL))
}

/// What is wrong with one of the `secrets`, and what to do about it.
pub(in crate::sources::hmac) fn certificate_fault(text: &str) -> Option<(&'static str, &'static str)> {
    if text.trim() == UNKNOWN_YET {
        return None;
    }
    match Certificate::parse(text) {
        None => Some((
            "is no certificate with an RSA key",
            "give PayPal's certificate as { file = \"/etc/tallyhook/paypal.pem\" }; write \"unknown-yet\" to be told its address by the \
             first refusal (`tallyhook rejected list`)",
        )),
        Some(certificate) if !certificate.is_of(PAYPAL) => Some((
            "is the certificate of somebody else: its name does not end in .paypal.com",
            "fetch the one that `tallyhook rejected list` names",
        )),
        Some(_) => None,
    }
}

/// Takes the headers apart; none of them may hold what parts them where they are signed.
fn read<'r>(request: &Request<'r>) -> Result<Signed<'r>, Refusal> {
    let field = |name: &str| {
        let value = only(request.headers, &[name.to_owned()])?;
        let clear = |byte: &u8| byte.is_ascii_graphic() && *byte != b'|';
        ((1..=1024).contains(&value.len()) && value.iter().all(clear)).then_some(value)
    };
    let empty = |value: &[u8]| value.is_empty();
    if only(request.headers, &[SIGNATURE.to_owned()]).is_none_or(empty) {
        return Err(Refusal::MissingSignature);
    }
    let read = || {
        let (id, time) = (field(ID)?, field(TIME)?);
        let at = std::str::from_utf8(time).ok()?.parse().ok()?;
        let signature = STANDARD.decode(field(SIGNATURE)?).ok()?;
        (field(ALGORITHM)? == RSA_SHA256).then_some(Signed { id, time, at, signature })
    };
    read().ok_or(Refusal::MalformedSignature)
}

/// The address of the certificate that a request names, if it is one of PayPal's and can be shown to a person as a command.
fn named_certificate<'r>(request: &Request<'r>) -> Option<&'r str> {
    let address = std::str::from_utf8(only(request.headers, &[CERTIFICATE.to_owned()])?).ok()?;
    let (host, path) = address.strip_prefix("https://")?.split_once('/')?;
    let plain = |text: &str, more: &[u8]| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte));
    (address.len() <= 200 && host.ends_with(PAYPAL) && plain(host, b".-") && plain(path, b"/-_.")).then_some(address)
}

/// CRC-32 as in Ethernet and zlib (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| CRC_TABLE[usize::from(sum.to_le_bytes()[0] ^ byte)] ^ (sum >> 8))
}

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut number: u32 = 0;
    while number < 256 {
        let (mut sum, mut bit) = (number, 0);
        while bit < 8 {
            sum = if sum & 1 == 1 { 0xedb8_8320 ^ (sum >> 1) } else { sum >> 1 };
            bit += 1;
        }
        table[number as usize] = sum;
        number += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::envelope::Envelope;
    use crate::sources::hmac::preset::preset;
    use crate::sources::rsa::tests as rsa;

    /// `{id}|{time}|{webhook id}|{zlib.crc32(body)}` was put together with Python and signed with `openssl dgst -sha256 -sign`.
    const BODY: &str = "{\"id\":\"WH-1\",\"event_type\":\"PAYMENT.CAPTURE.COMPLETED\",\"name\":\"Zoë\"}";
    const WEBHOOK: &str = "8PT597110X687430LKGECATA";
    const NOW: i64 = 1_700_000_000;
    const ADDRESS: &str = "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-1d93a270";

    type Fields = Vec<(&'static str, String)>;

    fn genuine() -> Fields {
        vec![
            ("PAYPAL-TRANSMISSION-ID", "69cd13f0-d67a-11e5-baa3-778b53f4ae55".into()),
            ("PAYPAL-TRANSMISSION-TIME", "2023-11-14T22:13:20Z".into()),
            ("PAYPAL-TRANSMISSION-SIG", rsa::SIGNATURE.into()),
            ("PAYPAL-AUTH-ALGO", "SHA256withRSA".into()),
            ("PAYPAL-CERT-URL", ADDRESS.into()),
        ]
    }

    fn with<T>(
        webhook: &str,
        certificates: &[&str],
        fields: &Fields,
        body: &[u8],
        at: i64,
        ask: impl FnOnce(&PayPal, &Request<'_>) -> T,
    ) -> T {
        let scheme = Scheme { webhook_id: Some(webhook.to_owned()), ..preset("paypal").unwrap() };
        let certificates: Vec<_> = certificates.iter().map(|text| Secret::new(*text)).collect();
        let headers = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into_bytes())).collect();
        let envelope = Envelope { headers, event: None };
        ask(&PayPal::new(&scheme, &certificates), &Request::post(&envelope, body, Timestamp::from_unix_seconds(at)))
    }

    fn judge(fields: &Fields, body: &[u8]) -> Result<(), Refusal> {
        with(WEBHOOK, &[rsa::CERTIFICATE], fields, body, NOW, |paypal, request| paypal.verify(request))
    }

    fn changed(name: &str, value: &str) -> Fields {
        let mut fields = genuine();
        for (known, text) in &mut fields {
            if *known == name {
                value.clone_into(text);
            }
        }
        fields
    }

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926, "the check value of CRC-32");
        assert_eq!((crc32(b""), crc32(BODY.as_bytes())), (0, 1_597_241_568));
    }

    #[test]
    fn what_paypal_signed_for_this_webhook_is_believed_and_no_change_of_it() {
        assert_eq!(judge(&genuine(), BODY.as_bytes()), Ok(()));
        let none = Err(Refusal::NoMatchingSignature);
        for place in 0..BODY.len() {
            let mut body = BODY.as_bytes().to_vec();
            body[place] ^= 1;
            assert_eq!(judge(&genuine(), &body), none, "{place}");
        }
        assert_eq!(judge(&genuine(), b""), none);
        assert_eq!(judge(&changed("PAYPAL-TRANSMISSION-ID", "69cd13f0"), BODY.as_bytes()), none);
        assert_eq!(judge(&changed("PAYPAL-TRANSMISSION-TIME", "2023-11-14T22:13:21Z"), BODY.as_bytes()), none);
        assert_eq!(
            judge(&changed("PAYPAL-CERT-URL", "https://evil.example/"), BODY.as_bytes()),
            Ok(()),
            "it is not asked"
        );
        let verdict = |webhook: &str, certificates: &[&str]| {
            with(webhook, certificates, &genuine(), BODY.as_bytes(), NOW, |paypal, request| paypal.verify(request))
        };
        assert_eq!(verdict("8PT597110X687430LKGECATB", &[rsa::CERTIFICATE]), none);
        assert_eq!(verdict("", &[rsa::CERTIFICATE]), none);
        assert_eq!(verdict(WEBHOOK, &[]), none);
        assert_eq!(verdict(WEBHOOK, &[UNKNOWN_YET]), none);
        assert_eq!(verdict(WEBHOOK, &[UNKNOWN_YET, rsa::CERTIFICATE]), Ok(()), "while one is replaced");
    }

    #[test]
    fn odd_headers_are_not_believed() {
        for (name, value) in [
            ("PAYPAL-TRANSMISSION-SIG", "no base64!"),
            ("PAYPAL-TRANSMISSION-ID", "a|b"),
            ("PAYPAL-TRANSMISSION-ID", ""),
            ("PAYPAL-TRANSMISSION-TIME", "yesterday"),
            ("PAYPAL-TRANSMISSION-TIME", "2023-11-14T22:13:20Z|x"),
            ("PAYPAL-AUTH-ALGO", "SHA1withRSA"),
            ("PAYPAL-AUTH-ALGO", ""),
        ] {
            assert_eq!(
                judge(&changed(name, value), BODY.as_bytes()),
                Err(Refusal::MalformedSignature),
                "{name} {value}"
            );
        }
        let missing = Err(Refusal::MissingSignature);
        assert_eq!(judge(&Vec::new(), BODY.as_bytes()), missing);
        assert_eq!(judge(&changed("PAYPAL-TRANSMISSION-SIG", ""), BODY.as_bytes()), missing);
        for field in 0..4 {
            let mut twice = genuine();
            twice.push(twice[field].clone());
            assert!(judge(&twice, BODY.as_bytes()).is_err(), "{}", twice[field].0);
        }
        let cut = &rsa::SIGNATURE[..rsa::SIGNATURE.len() - 4];
        assert!(judge(&changed("PAYPAL-TRANSMISSION-SIG", cut), BODY.as_bytes()).is_err());
    }

    #[test]
    fn paypal_may_come_again_for_three_days() {
        let when = |at: i64| {
            with(WEBHOOK, &[rsa::CERTIFICATE], &genuine(), BODY.as_bytes(), at, |paypal, request| {
                paypal.verify(request)
            })
        };
        assert_eq!(when(NOW + 3 * 86_400), Ok(()));
        assert_eq!(when(NOW + 4 * 86_400 + 1), Err(Refusal::TimestampTooOld));
        assert_eq!(when(NOW - 301), Err(Refusal::TimestampInFuture));
    }

    #[test]
    fn a_refusal_names_the_certificate_and_how_to_get_it() {
        let told = |certificates: &[&str], fields: &Fields| {
            with(WEBHOOK, certificates, fields, b"{}", NOW, |paypal, request| {
                let refusal = paypal.verify(request).unwrap_err();
                paypal.explain(request, refusal)
            })
        };
        let first = told(&[UNKNOWN_YET], &genuine());
        assert!(first.contains("yet") && first.contains(&format!("curl -fsS {ADDRESS} -o")), "{first}");
        assert!(told(&[rsa::CERTIFICATE], &genuine()).contains("webhook_id"));
        for evil in [
            "https://evil.example/x",
            "http://api.paypal.com/x",
            "https://paypal.com.evil.example/x",
            "https://evil.example/.paypal.com/x",
            "https://api.paypal.com/x;rm",
            "https://api.paypal.com/$(x)",
            "https://user@api.paypal.com/x",
            "https://notpaypal.com/x",
        ] {
            let told = told(&[UNKNOWN_YET], &changed("PAYPAL-CERT-URL", evil));
            assert!(!told.contains("curl") && !told.contains("evil"), "{told}");
        }
    }

    #[test]
    fn only_certificates_of_paypal_are_configured() {
        assert_eq!(certificate_fault(rsa::CERTIFICATE), None);
        assert_eq!(certificate_fault(UNKNOWN_YET), None);
        for wrong in ["", "whsec_abc", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"] {
            assert!(certificate_fault(wrong).unwrap().0.contains("no certificate"), "{wrong}");
        }
    }
}
