//! What a certificate says of itself: how long it is good, for which names, and what its authority calls it.
//!
//! Only that is read (RFC 5280, 4.1 and 4.2.1). Whether anybody should believe it is for the other side to judge.

use std::time::Duration;

use crate::model::time::{Timestamp, format_span};

/// What stands in a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// From when it is good.
    pub not_before: Timestamp,
    /// Until when it is good.
    pub not_after: Timestamp,
    /// The host names it is for (`subjectAltName`, `dNSName`), in lower case.
    pub names: Vec<String>,
    /// The serial number's bytes as they are encoded, a leading zero included (RFC 9773, 4.1 wants them so).
    pub serial: Vec<u8>,
    /// The key that signed it, as its `authorityKeyIdentifier` names it.
    pub authority_key: Option<Vec<u8>>,
}

impl Facts {
    /// Reads a certificate in DER; none when it is not one.
    pub fn read(certificate: &[u8]) -> Option<Self> {
        let mut certificate = Der(Der(certificate).expect(SEQUENCE)?);
        let mut fields = Der(certificate.expect(SEQUENCE)?);
        fields.skip_if(CONTEXT_0); // version
        let serial = fields.expect(INTEGER)?.to_vec();
        fields.expect(SEQUENCE)?; // signature algorithm
        fields.expect(SEQUENCE)?; // issuer
        let mut validity = Der(fields.expect(SEQUENCE)?);
        let (not_before, not_after) = (time(validity.next()?)?, time(validity.next()?)?);
        let mut facts = Self { not_before, not_after, names: Vec::new(), serial, authority_key: None };
        while let Some((tag, content)) = fields.next() {
            if tag == CONTEXT_3 {
                facts.read_extensions(content)?;
            }
        }
        Some(facts)
    }

    /// Whether it is for every one of these names, none of them a wildcard.
    pub fn covers(&self, domains: &[String]) -> bool {
        domains.iter().all(|domain| self.names.iter().any(|name| name.eq_ignore_ascii_case(domain)))
    }

    fn read_extensions(&mut self, content: &[u8]) -> Option<()> {
        let mut extensions = Der(Der(content).expect(SEQUENCE)?);
        while let Some((_, extension)) = extensions.next() {
            let mut extension = Der(extension);
            let id = extension.expect(OBJECT_ID)?;
            extension.skip_if(BOOLEAN); // critical
            let value = extension.expect(OCTET_STRING)?;
            match id {
                SUBJECT_ALT_NAME => {
                    let mut names = Der(Der(value).expect(SEQUENCE)?);
                    while let Some((tag, name)) = names.next() {
                        if tag == DNS_NAME {
                            self.names.push(String::from_utf8_lossy(name).to_ascii_lowercase());
                        }
                    }
                }
                AUTHORITY_KEY_IDENTIFIER => {
                    let mut parts = Der(Der(value).expect(SEQUENCE)?);
                    self.authority_key = parts.skip_if(KEY_IDENTIFIER).map(<[u8]>::to_vec);
                }
                _ => {}
            }
        }
        Some(())
    }
}

/// How the certificate is, for operators.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// As `server.tls.mode` names it.
    pub mode: &'static str,
    /// The names it is for, or is to be for when there is none yet.
    pub names: Vec<String>,
    /// From when and until when it is good; none while there is no certificate.
    pub validity: Option<(Timestamp, Timestamp)>,
    /// When it is renewed by itself; none when that is somebody else's business.
    pub renews_at: Option<Timestamp>,
    /// Tries that failed since the last success.
    pub failures: u32,
    /// When and why the last one failed.
    pub last_error: Option<(Timestamp, String)>,
    /// When the next try is, after a failure.
    pub next_try_at: Option<Timestamp>,
    /// Whether the authority asked to wait until then, which nobody's impatience shortens.
    pub is_asked_to_wait: bool,
    /// Why the other way to prove names, port 80, can't be taken although it is configured. A sentence.
    pub deaf: Option<String>,
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// There is none for the names that are configured.
    Absent,
    /// It has ended.
    Expired,
    /// It ends soon, and should have been renewed.
    Late,
    /// It could not be renewed several times; there is time left.
    Failing,
    /// Nothing yet: but port 80, which was to help, can't be used.
    Deaf,
}

/// So many failed renewals in a row are no hiccup any more.
const MANY_FAILURES: u32 = 3;
/// A certificate that ends sooner should have been renewed. One that was made for a short time is renewed later (with a third of it
/// left), and late with a quarter of it left.
const LATE: Duration = Duration::from_secs(21 * 86_400);

impl Standing {
    /// What needs a person, as a sentence.
    pub fn problem(&self, now: Timestamp) -> Option<String> {
        self.defect(now).map(|(_, sentence)| sentence)
    }

    /// What needs a person: nothing to serve, expired, about to expire, or not renewed for some time; with a sentence.
    pub fn defect(&self, now: Timestamp) -> Option<(Defect, String)> {
        self.own_defect(now).or_else(|| Some((Defect::Deaf, self.deaf.clone()?)))
    }

    fn own_defect(&self, now: Timestamp) -> Option<(Defect, String)> {
        let why = self.last_error.as_ref().map(|(_, why)| format!(": {why}")).unwrap_or_default();
        let next = self.next_try_at.filter(|_| self.failures > 0).map_or_else(String::new, |at| {
            let sooner = match self.is_asked_to_wait {
                true => "since the authority asked to wait that long",
                false => "`systemctl reload tallyhook` tries at once",
            };
            format!("; the next try is at {at}, {sooner}")
        });
        let names = self.names.join(", ");
        let Some((not_before, not_after)) = self.validity else {
            let sentence =
                || format!("there is no certificate for {names} yet, so that no webhook can arrive{why}{next}");
            return (self.mode == "acme" && self.failures > 0).then(|| (Defect::Absent, sentence()));
        };
        let advice = if self.mode == "files" { "; renew it, the new files are taken up by themselves" } else { "" };
        if not_after <= now {
            let sentence = format!(
                "the certificate for {names} expired at {not_after}, so that senders refuse to connect{why}{next}{advice}"
            );
            return Some((Defect::Expired, sentence));
        }
        let left = not_after.since(now);
        let is_late = left < LATE.min(not_after.since(not_before) / 4);
        let left = format_span(Duration::from_secs(left.as_secs()));
        if is_late {
            let sentence = format!("the certificate for {names} ends in {left} and is not renewed{why}{next}{advice}");
            return Some((Defect::Late, sentence));
        }
        (self.failures >= MANY_FAILURES).then(|| {
            let sentence = format!(
                "the certificate for {names} could not be renewed {} times in a row, {left} are left{why}{next}",
                self.failures
            );
            (Defect::Failing, sentence)
        })
    }

    /// Whether a client can connect at all.
    pub const fn is_there(&self) -> bool {
        self.validity.is_some()
    }
}

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT_ID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const CONTEXT_0: u8 = 0xa0;
const CONTEXT_3: u8 = 0xa3;
/// `[2] IA5String` of a `GeneralName`.
const DNS_NAME: u8 = 0x82;
/// `[0] OCTET STRING` of an `AuthorityKeyIdentifier`.
const KEY_IDENTIFIER: u8 = 0x80;
/// 2.5.29.17
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// 2.5.29.35
const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 0x23];

/// What is left to read of a sequence of elements (X.690, 8.1 and 10.1).
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let mut length = usize::from(first);
        if first >= 0x80 {
            let bytes = usize::from(first & 0x7f);
            // No certificate comes near a length of four bytes.
            let (long, after) = rest.split_at_checked(bytes).filter(|_| (1..=4).contains(&bytes))?;
            length = long.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
            rest = after;
        }
        let (content, after) = rest.split_at_checked(length)?;
        self.0 = after;
        Some((tag, content))
    }

    fn expect(&mut self, wanted: u8) -> Option<&'a [u8]> {
        self.next().filter(|(tag, _)| *tag == wanted).map(|(_, content)| content)
    }

    fn skip_if(&mut self, tag: u8) -> Option<&'a [u8]> {
        (self.0.first() == Some(&tag)).then(|| self.expect(tag)).flatten()
    }
}

/// `UTCTime` of two digits a year up to 2049, `GeneralizedTime` beyond (RFC 5280, 4.1.2.5).
fn time((tag, content): (u8, &[u8])) -> Option<Timestamp> {
    let text = std::str::from_utf8(content).ok()?.strip_suffix('Z')?;
    let digits = match tag {
        UTC_TIME if text.len() == 12 => format!("{}{text}", if text < "50" { "20" } else { "19" }),
        GENERALIZED_TIME if text.len() == 14 => text.to_owned(),
        _ => return None,
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| &digits[from..to];
    let rfc3339 =
        format!("{}-{}-{}T{}:{}:{}Z", part(0, 4), part(4, 6), part(6, 8), part(8, 10), part(10, 12), part(12, 14));
    rfc3339.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn made() -> (Vec<u8>, Vec<u8>) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut authority = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        authority.key_identifier_method = rcgen::KeyIdMethod::PreSpecified(vec![0xc0, 0xff, 0xee]);
        let issuer = rcgen::Issuer::new(authority, key);
        let mut leaf =
            rcgen::CertificateParams::new(vec!["Hooks.Example.com".to_owned(), "b.example".to_owned()]).unwrap();
        leaf.not_before = rcgen::date_time_ymd(2026, 1, 2);
        leaf.not_after = rcgen::date_time_ymd(2051, 3, 4);
        leaf.serial_number = Some(rcgen::SerialNumber::from_slice(&[0xca, 0xfe]));
        leaf.use_authority_key_identifier_extension = true;
        let signed = leaf.signed_by(&rcgen::KeyPair::generate().unwrap(), &issuer).unwrap();
        (signed.der().to_vec(), vec![0xc0, 0xff, 0xee])
    }

    #[test]
    fn a_certificate_tells_its_time_its_names_and_its_number() {
        let (der, authority_key) = made();
        let facts = Facts::read(&der).unwrap();
        assert_eq!(facts.not_before.date(), "2026-01-02", "two digits a year");
        assert_eq!(facts.not_after.date(), "2051-03-04", "four digits a year");
        assert_eq!(facts.names, ["hooks.example.com", "b.example"]);
        assert_eq!(facts.serial, [0, 0xca, 0xfe]);
        assert_eq!(facts.authority_key, Some(authority_key));
        let all = |names: &[&str]| facts.covers(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert!(all(&["b.example"]) && all(&["HOOKS.example.com", "b.example"]));
        assert!(!all(&["b.example", "c.example"]));
    }

    #[test]
    fn half_a_certificate_is_none() {
        let (der, _) = made();
        for end in 0..der.len() {
            assert_eq!(Facts::read(&der[..end]), None, "{end} bytes");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(at in 0usize..200, byte: u8, rubbish: Vec<u8>) {
            let _ = Facts::read(&rubbish);
            let (mut der, _) = made();
            der[at] = byte;
            let _ = Facts::read(&der);
        }
    }

    #[test]
    fn a_person_is_asked_in_time_and_not_before() {
        let day = |day: i64| Timestamp::from_unix_seconds(day * 86_400);
        let fine = Standing {
            mode: "acme",
            names: vec!["a.example".into()],
            validity: Some((day(0), day(90))),
            ..Standing::default()
        };
        assert_eq!(fine.problem(day(60)), None);
        let failing = |failures| Standing {
            failures,
            last_error: Some((day(61), "the authority is away".into())),
            ..fine.clone()
        };
        assert_eq!(failing(2).problem(day(62)), None, "it may pass");
        let many = failing(3).problem(day(62)).unwrap();
        assert!(many.contains("3 times in a row") && many.contains("the authority is away"), "{many}");
        assert_eq!(fine.problem(day(68)), None);
        assert!(fine.problem(day(70)).unwrap().contains("ends in 20d"), "three weeks before its end");
        assert!(fine.problem(day(76)).unwrap().contains("ends in 14d"));
        assert!(fine.problem(day(90)).unwrap().contains("expired at 1970-04-01"));
        let files = Standing { mode: "files", ..fine.clone() };
        assert!(files.problem(day(80)).unwrap().contains("taken up by themselves"));
        let short = Standing { validity: Some((day(0), day(6))), ..fine.clone() };
        assert_eq!(short.problem(day(4)), None, "a certificate of six days is not late with two days left");
        let deaf = Standing { deaf: Some("port 80 is taken".into()), ..fine.clone() };
        assert_eq!(deaf.defect(day(1)), Some((Defect::Deaf, "port 80 is taken".into())));
        assert_eq!(deaf.defect(day(90)).unwrap().0, Defect::Expired, "the worst first");
        let none = Standing { validity: None, ..fine };
        assert_eq!(none.problem(day(0)), None, "it is just being fetched");
        let refused = Standing { failures: 1, last_error: Some((day(0), "no".into())), ..none };
        assert!(refused.problem(day(0)).unwrap().contains("no webhook can arrive: no"));
        let waiting = Standing { next_try_at: Some(day(1)), ..refused };
        assert!(waiting.problem(day(0)).unwrap().ends_with("`systemctl reload tallyhook` tries at once"));
        let limited = Standing { is_asked_to_wait: true, ..waiting };
        let limited = limited.problem(day(0)).unwrap();
        assert!(limited.contains("asked to wait") && !limited.contains("reload"), "{limited}");
    }
}
