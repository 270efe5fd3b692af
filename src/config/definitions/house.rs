//! Keys of the tables with a fixed name.

use super::{Check, DAY, Form, HOUR, Key, LATER, MOMENT, Preset, SectionDefinition, Shape, Wrong, any};
use std::time::Duration;

use crate::model::identity::SharedAddresses;
use crate::model::phone::Country;

/// The case of `server.listen` in which TLS ends here.
pub(in crate::config) const LISTEN_WITH_TLS: &str = "with TLS";
/// The case of `server.listen` without TLS.
pub(in crate::config) const LISTEN_WITHOUT_TLS: &str = "without TLS";

/// Every table with a fixed name, in the order of the sample.
pub(in crate::config) static SECTIONS: &[SectionDefinition] = &[
    SectionDefinition { name: "server", doc: "The public listener: where webhooks arrive.", keys: SERVER },
    SectionDefinition { name: "admin", doc: "The operator's door.", keys: ADMIN },
    SectionDefinition { name: "store", doc: "Where the state is kept.", keys: STORE },
    SectionDefinition { name: "retention", doc: "How many days things are kept; 0 is for ever.", keys: RETENTION },
    SectionDefinition {
        name: "leads",
        doc: "What your pages say of their visitors: POST /api/leads and GET /lead.js, which are off without origins.",
        keys: LEADS,
    },
    SectionDefinition {
        name: "identity",
        doc: "By what people are recognised, and what they agree to.",
        keys: IDENTITY,
    },
    SectionDefinition {
        name: "alerting",
        doc: "How alerts are grouped, so that one trouble is one message.",
        keys: ALERTING,
    },
    SectionDefinition { name: "health", doc: "GET /api/health/webhooks, for monitors.", keys: HEALTH },
    SectionDefinition { name: "log", doc: "Logs, on standard error.", keys: LOG },
];

const BYTES_64M: u64 = 64 << 20;
const EXBIBYTE: u64 = 1 << 60;

const SERVER: &[Key] = &[
    Key {
        name: "listen",
        form: Form::Listen,
        preset: Preset::Depends(&[(LISTEN_WITH_TLS, "\"0.0.0.0:443\""), (LISTEN_WITHOUT_TLS, "\"127.0.0.1:8080\"")]),
        doc: "Address and port.",
    },
    Key {
        name: "public_url",
        form: Form::Url(Shape::Own),
        preset: Preset::Unset("\"https://hooks.example.com\""),
        doc: "How the world reaches it; shown in hints.",
    },
    Key {
        name: "max_body",
        form: Form::Size(1, BYTES_64M),
        preset: Preset::Default("\"1MiB\""),
        doc: "The largest body that is taken.",
    },
    Key {
        name: "handshake_timeout",
        form: Form::Span(MOMENT, HOUR),
        preset: Preset::Default("\"10s\""),
        doc: "For the TLS handshake.",
    },
    Key {
        name: "header_timeout",
        form: Form::Span(MOMENT, HOUR),
        preset: Preset::Default("\"10s\""),
        doc: "For the header of a request.",
    },
    Key {
        name: "body_timeout",
        form: Form::Span(MOMENT, HOUR),
        preset: Preset::Default("\"20s\""),
        doc: "For the body of a request.",
    },
    Key {
        name: "idle_timeout",
        form: Form::Span(MOMENT, HOUR),
        preset: Preset::Default("\"60s\""),
        doc: "For a connection that asks nothing.",
    },
    Key {
        name: "max_connections",
        form: Form::Count(1, 1_000_000),
        preset: Preset::Default("1024"),
        doc: "Connections at a time.",
    },
    Key {
        name: "max_connections_per_address",
        form: Form::Count(1, 1_000_000),
        preset: Preset::Default("256"),
        doc: "Connections at a time from one address.",
    },
    Key {
        name: "max_bytes_in_flight",
        form: Form::Size(1, EXBIBYTE),
        preset: Preset::Default("\"64MiB\""),
        doc: "Bytes of bodies held in memory at a time; beyond it senders are asked to come again.",
    },
    Key {
        name: "drain_timeout",
        form: Form::Span(Duration::ZERO, HOUR),
        preset: Preset::Default("\"10s\""),
        doc: "How long a stop waits for requests under way.",
    },
    Key { name: "tls", form: Form::Table(TLS), preset: Preset::Unset(""), doc: "Transport security." },
];

const TLS: &[Key] = &[
    Key {
        name: "mode",
        form: Form::Choice(&["off", "files", "acme"], &[]),
        preset: Preset::Default("\"off\""),
        doc: "\"acme\": TLS with a certificate that is fetched and renewed by itself (RFC 8555), from Let's Encrypt unless told \
              otherwise; this agrees to the authority's terms of service. \"files\": TLS with the certificate in cert and key, read \
              again when it changes. \"off\": plain HTTP, behind a proxy that ends TLS, or for tests.",
    },
    Key {
        name: "cert",
        form: Form::Path,
        preset: Preset::Unset("\"/etc/letsencrypt/live/hooks.example.com/fullchain.pem\""),
        doc: "The certificate with its chain, PEM.",
    },
    Key {
        name: "key",
        form: Form::Path,
        preset: Preset::Unset("\"/etc/letsencrypt/live/hooks.example.com/privkey.pem\""),
        doc: "Its private key, PEM.",
    },
    Key {
        name: "domains",
        form: Form::Texts(DOMAIN),
        preset: Preset::Unset("[\"hooks.example.com\"]"),
        doc: "For mode = \"acme\": the names in the certificate. Each must lead to this server, on port 443 (TLS-ALPN-01).",
    },
    Key {
        name: "contact",
        form: Form::Text(CONTACT),
        preset: Preset::Unset("\"you@example.com\""),
        doc: "Where the authority may write to when something is wrong with the certificate.",
    },
    Key {
        name: "staging",
        form: Form::Flag,
        preset: Preset::Default("false"),
        doc: "Rehearse with Let's Encrypt's staging authority: generous limits, and certificates that nobody trusts.",
    },
    Key {
        name: "directory",
        form: Form::Url(Shape::Base),
        preset: Preset::Unset("\"https://acme.zerossl.com/v2/DV90\""),
        doc: "The directory of another authority.",
    },
    Key {
        name: "ca_root",
        form: Form::Path,
        preset: Preset::Unset("\"/etc/tallyhook/ca.pem\""),
        doc: "The root that signed the authority's own web certificate, PEM, when it is a private or a test authority.",
    },
    Key {
        name: "http_listen",
        form: Form::Listen,
        preset: Preset::Unset("\"0.0.0.0:80\""),
        doc: "Listen here for plain HTTP too: answers the authority when TLS-ALPN-01 does not get through (HTTP-01, which asks on \
              port 80), sends browsers on to https, and refuses everything else.",
    },
    Key {
        name: "retry",
        form: Form::Span(MOMENT, HOUR),
        preset: Preset::Default("\"1m\""),
        doc: "How long to wait after the first failure; it doubles up to six hours. After a refusal it starts five times as long, \
              and never ends before the authority permits. `systemctl reload tallyhook` tries at once.",
    },
    Key {
        name: "allow_private_addresses",
        form: Form::Flag,
        preset: Preset::Default("false"),
        doc: "Whether the authority may be inside your own network (10.x, 192.168.x and the like).",
    },
    Key {
        name: "eab",
        form: Form::Table(EAB),
        preset: Preset::Unset(""),
        doc: "External account binding, for authorities that tie accounts to customers (ZeroSSL, Google, a company's own). Empty: \
              none.",
    },
];

const EAB: &[Key] = &[
    Key {
        name: "key_id",
        form: Form::Text(ANYTHING),
        preset: Preset::Unset("\"kid-1\""),
        doc: "The key's id, as the authority gave it.",
    },
    Key {
        name: "hmac_key",
        form: Form::Secret(HMAC_KEY),
        preset: Preset::Unset("{ env = \"TALLYHOOK_ACME_HMAC_KEY\" }"),
        doc: "The key itself, in base64url as the authority gave it.",
    },
];

const ANYTHING: Check = |_| Ok(());

const HMAC_KEY: Check = |text| match crate::config::decode_hmac_key(text) {
    Some(key) if key.len() >= 16 => Ok(()),
    Some(_) => Err(Wrong::new("is too short for a key")),
    None => Err(Wrong::new("is not in base64url").but("copy it as the authority shows it")),
};

/// RFC 1034, 3.5, and what the CA/Browser Forum makes of it.
const DOMAIN: Check = |text| {
    if text.starts_with("*.") {
        return Err(
            Wrong::new("is a wildcard, which only DNS-01 can prove and which is not spoken here").but("name each host")
        );
    }
    if text.parse::<std::net::IpAddr>().is_ok() {
        return Err(Wrong::new("is an IP address").but("give the name that leads to it"));
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if text.len() > 253 || !text.split('.').all(label) {
        return Err(Wrong::new("is not the name of a host")
            .but("write it like \"hooks.example.com\", without https:// and path"));
    }
    Ok(())
};

const CONTACT: Check = |text| match text.split_once('@') {
    Some((name, host))
        if !name.is_empty()
            && host.contains('.')
            && text.bytes().all(|byte| byte.is_ascii_graphic())
            && !text.contains([',', '?', ':']) =>
    {
        Ok(())
    }
    _ => Err(Wrong::new("is not an e-mail address").but("write it like \"you@example.com\", without mailto:")),
};

const ADMIN: &[Key] = &[
    Key {
        name: "socket",
        form: Form::Path,
        preset: Preset::Default("\"/run/tallyhook/admin.sock\""),
        doc: "The Unix socket that the command line talks to; the file's permissions are the lock.",
    },
    Key { name: "listen", form: Form::Refused(LATER), preset: Preset::Unset(""), doc: "" },
    Key { name: "password", form: Form::Refused(LATER), preset: Preset::Unset(""), doc: "" },
];

const STORE: &[Key] = &[
    Key {
        name: "path",
        form: Form::Path,
        preset: Preset::Default("\"/var/lib/tallyhook/tallyhook.redb\""),
        doc: "The file that holds everything.",
    },
    Key {
        name: "reserve",
        form: Form::Size(0, EXBIBYTE),
        preset: Preset::Default("\"256MiB\""),
        doc: "Below this much free disk nothing is accepted or sent.",
    },
    Key {
        name: "cache",
        form: Form::Size(64 << 10, 1 << 40),
        preset: Preset::Default("\"32MiB\""),
        doc: "Memory for pages of the store.",
    },
];

const CENTURY_IN_DAYS: u64 = 36_500;

const RETENTION: &[Key] = &[
    Key {
        name: "payloads",
        form: Form::Count(0, CENTURY_IN_DAYS),
        preset: Preset::Default("30"),
        doc: "Bodies of webhooks, with the personal data in them.",
    },
    Key {
        name: "attempts",
        form: Form::Count(0, CENTURY_IN_DAYS),
        preset: Preset::Default("14"),
        doc: "What was sent and answered; never shorter than a failed delivery waits for you.",
    },
    Key {
        name: "dedup",
        form: Form::Count(0, CENTURY_IN_DAYS),
        preset: Preset::Default("35"),
        doc: "The marks by which a repeat is known; longer than a sender can repeat (Stripe: 30 days).",
    },
];

const LEADS: &[Key] = &[
    Key {
        name: "origins",
        form: Form::Texts(ORIGIN),
        preset: Preset::Unset("[\"https://www.example.com\"]"),
        doc: "Whose pages may post leads: scheme and host, as browsers send it in Origin.",
    },
    Key {
        name: "make_leads",
        form: Form::Flag,
        preset: Preset::Default("true"),
        doc: "Whether a new address or phone number from a form makes a contact and a lead of it; false keeps only where visitors \
              came from.",
    },
    Key {
        name: "settle",
        form: Form::Span(Duration::ZERO, DAY),
        preset: Preset::Default("\"2m\""),
        doc: "How long a lead waits before anybody is told; corrections and spam show in that time.",
    },
    Key {
        name: "rate_limit",
        form: Form::Rate,
        preset: Preset::Default("\"60/min\""),
        doc: "Posts from one IP address (of IPv6 from one /64).",
    },
    Key {
        name: "max_per_day",
        form: Form::Count(1, 100_000_000),
        preset: Preset::Default("20000"),
        doc: "Posts in a day without an address, all together; what is more is refused. One IP address has a tenth of it.",
    },
    Key {
        name: "max_forms_per_day",
        form: Form::Count(1, 100_000_000),
        preset: Preset::Default("2000"),
        doc: "The same of posts with an e-mail address or phone number, which are counted apart.",
    },
    Key {
        name: "max_kept",
        form: Form::Count(1, 100_000_000),
        preset: Preset::Default("100000"),
        doc: "Leads that are kept; when they get too many, those without an address who were here longest ago go early.",
    },
    Key {
        name: "keep",
        form: Form::Count(1, CENTURY_IN_DAYS),
        preset: Preset::Default("180"),
        doc: "Days that a lead is kept after it last said something new.",
    },
    Key {
        name: "wait_for_consent",
        form: Form::Flag,
        preset: Preset::Default("false"),
        doc: "Whether lead.js stores and sends nothing before the page says tallyhook.consent({analytics: true}).",
    },
    Key {
        name: "cookie_days",
        form: Form::Count(1, 400),
        preset: Preset::Default("180"),
        doc: "How long the cookie of lead.js lasts; browsers shorten what is longer than 400 days, Safari to 7.",
    },
    Key {
        name: "address_header",
        form: Form::Text(HEADER_NAME),
        preset: Preset::Unset("\"X-Forwarded-For\""),
        doc: "Behind a proxy: the header whose last address is the visitor's. Only when every request comes through it.",
    },
];

/// The value of `Origin` (RFC 6454): scheme, host, and a port that is not the usual one.
const ORIGIN: Check = |text| {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_host = |host: &str| {
        !host.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']'))
    };
    match rest {
        Some(host) if is_host(host) => Ok(()),
        Some(host) if host.strip_suffix('/').is_some_and(is_host) => {
            Err(Wrong::new("ends in a slash, which no browser sends").but("leave it out"))
        }
        _ => Err(Wrong::new("is not an origin").but("write it like \"https://www.example.com\", without a path")),
    }
};

/// The name of a header field (RFC 9110, token).
const HEADER_NAME: Check = |text| {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if text.bytes().all(is_token) { Ok(()) } else { Err(Wrong::new("can't be the name of a header")) }
};

const IDENTITY: &[Key] = &[
    Key {
        name: "shared_emails",
        form: Form::Texts(SHARED_EMAIL),
        preset: Preset::Unset("[\"info@*\", \"office@example.com\"]"),
        doc: "Addresses that several people read: what is bought with one is told under it, but it makes nobody the same person. \
              * stands for everything on one side of the @.",
    },
    Key {
        name: "default_country",
        form: Form::Word("country (two letters, ISO 3166)", Country::names),
        preset: Preset::Unset("\"DE\""),
        doc: "Where phone numbers without a country code are from, whoever sends them: forms and every source. Without it such a number \
              is left out.",
    },
    Key {
        name: "consent_default",
        form: Form::Table(CONSENT_DEFAULT),
        preset: Preset::Unset(""),
        doc: "What a person agrees to of whom nobody said it; what is not given stays unknown.",
    },
];

const CONSENT_DEFAULT: &[Key] = &[
    Key { name: "analytics", form: Form::Flag, preset: Preset::Unset("true"), doc: "Being measured (GA4)." },
    Key { name: "ads", form: Form::Flag, preset: Preset::Unset("false"), doc: "Data used for advertising." },
    Key { name: "email", form: Form::Flag, preset: Preset::Unset("false"), doc: "Marketing by e-mail." },
];

const SHARED_EMAIL: Check = |text| match SharedAddresses::parse(text) {
    Some(_) => Ok(()),
    None => Err(Wrong::new("is neither an address nor one with * for all of one side").but("write it like \"info@*\"")),
};

const ALERTING: &[Key] = &[
    Key {
        name: "group_wait",
        form: Form::Span(Duration::ZERO, DAY),
        preset: Preset::Default("\"30s\""),
        doc: "How long to collect before the first word.",
    },
    Key {
        name: "group_interval",
        form: Form::Span(MOMENT, DAY),
        preset: Preset::Default("\"5m\""),
        doc: "How long before news of the same trouble.",
    },
    Key {
        name: "repeat_interval",
        form: Form::Span(MOMENT, Duration::from_secs(30 * 86_400)),
        preset: Preset::Default("\"4h\""),
        doc: "How long before the same is said again.",
    },
];

const HEALTH: &[Key] = &[
    Key {
        name: "details",
        form: Form::Choice(&["public", "token", "admin"], &[]),
        preset: Preset::Default("\"public\""),
        doc: "Who sees more than the status: everybody, who brings the token (Authorization: Bearer), or only the admin socket.",
    },
    Key {
        name: "token",
        form: Form::Secret(any),
        preset: Preset::Unset("{ env = \"TALLYHOOK_HEALTH_TOKEN\" }"),
        doc: "The token for details = \"token\".",
    },
];

const LOG: &[Key] = &[
    Key {
        name: "format",
        form: Form::Choice(&["text", "json"], &[]),
        preset: Preset::Default("\"text\""),
        doc: "Lines for people, or one JSON object a line.",
    },
    Key {
        name: "level",
        form: Form::Text(LEVEL),
        preset: Preset::Default("\"info\""),
        doc: "How much: error, warn, info, debug, trace or off; also by part, \"info,tallyhook::delivery=debug\".",
    },
];

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

const LEVEL: Check = |text| {
    for part in text.split(',') {
        let level = part.rsplit('=').next().unwrap_or(part).trim();
        if !LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level)) {
            return Err(Wrong::new("is not a level of logging").or_nearest(level, LEVELS.into_iter()));
        }
    }
    Ok(())
};
