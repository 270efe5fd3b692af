//! `kind = "hmac"`, a source: any sender that signs in a usual way, by a preset or spelled out.

use std::time::Duration;

use super::super::definitions::{Check, EVENT, Form, Key, Preset, SECOND, Shape, any};
use super::super::problem::Wrong;
use super::super::reader::{FromValue, List, Section};
use crate::model::money::Currency;
use crate::model::secret::Secret;
use crate::sources::hmac::Settings;
use crate::sources::hmac::check::{faults, secret_fault};
use crate::sources::hmac::meaning::{Field, Meaning, OTHER_WORDS, Reading, Rule, Tells, ValueUnit, presets};
use crate::sources::hmac::preset::{PRESETS, preset};
use crate::sources::hmac::scheme::{Encoding, Greeting, Hash, KeyForm, Proof, Scheme, Syntax, Unit};

const PROOFS: &[(&str, Proof)] =
    &[("hmac", Proof::Hmac), ("ed25519", Proof::Ed25519), ("token", Proof::Token), ("basic", Proof::Basic)];
const HASHES: &[(&str, Hash)] = &[("sha256", Hash::Sha256), ("sha512", Hash::Sha512)];
const KEY_FORMS: &[(&str, KeyForm)] = &[("raw", KeyForm::Raw), ("base64", KeyForm::Base64), ("hex", KeyForm::Hex)];
const SYNTAXES: &[(&str, Syntax)] =
    &[("plain", Syntax::Plain), ("pairs", Syntax::Pairs), ("versions", Syntax::Versions)];
const ENCODINGS: &[(&str, Encoding)] = &[("hex", Encoding::Hex), ("base64", Encoding::Base64)];
const UNITS: &[(&str, Unit)] = &[("s", Unit::Seconds), ("ms", Unit::Millis)];
const GREETINGS: &[(&str, Greeting)] = &[
    ("none", Greeting::None),
    ("slack", Greeting::Slack),
    ("zoom", Greeting::Zoom),
    ("woocommerce", Greeting::WooCommerce),
];

/// The longest time that a signature may be old: longer than any sender comes again.
const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// Keys of the time that is signed.
const OF_TIMES: [&str; 2] = ["tolerance", "tolerance_future"];

/// Further keys that only a signature has.
const OF_SIGNATURES: [&str; 15] = [
    "hash",
    "key",
    "key_prefix",
    "header",
    "syntax",
    "prefix",
    "separator",
    "signature_key",
    "timestamp_key",
    "encoding",
    "timestamp_header",
    "timestamp_unit",
    "id_header",
    "signed",
    "absent",
];

const fn key(name: &'static str, form: Form, example: &'static str, doc: &'static str) -> Key {
    Key { name, form, preset: Preset::Unset(example), doc }
}

pub(in crate::config) const KEYS: &[Key] = &[
    Key {
        name: "secrets",
        form: Form::Secrets(any),
        preset: Preset::Required("[{ env = \"SHOP_WEBHOOK_SECRET\" }]"),
        doc: "What the sender signs with; several while one is being replaced. For verify = \"token\" the tokens, for \"basic\" texts \
              like \"name:password\", for \"ed25519\" the sender's public keys; for paypal its certificate.",
    },
    key(
        "preset",
        Form::Word("preset", || PRESETS.to_vec()),
        "\"shopify\"",
        "The way of a known sender; every key below that is given as well counts instead of the preset's.",
    ),
    key(
        "verify",
        Form::Choice(&["hmac", "ed25519", "token", "basic"], &[]),
        "\"hmac\"",
        "What proves a request: an HMAC, an Ed25519 signature, a token (in the path, in X-Tallyhook-Token or as Bearer), or name and \
         password. \"hmac\" unless given.",
    ),
    key(
        "hash",
        Form::Choice(&["sha256", "sha512"], &[]),
        "\"sha256\"",
        "The hash of the HMAC; \"sha256\" unless given.",
    ),
    key(
        "key",
        Form::Choice(&["raw", "base64", "hex"], &[]),
        "\"raw\"",
        "What the text of a secret stands for: itself (unless given), or bytes in base64 or hexadecimal digits.",
    ),
    key("key_prefix", Form::TextOrNothing(any), "\"whsec_\"", "What is taken off a secret before it is decoded."),
    key(
        "header",
        Form::Texts(any),
        "\"X-Signature\"",
        "The header of the signature; X-Signature unless given. Of a list the first that is there counts.",
    ),
    key(
        "syntax",
        Form::Choice(&["plain", "pairs", "versions"], &[]),
        "\"plain\"",
        "How that is laid out: the signature alone (unless given), pairs like t=…,v1=…, or versions like v1,… v1,….",
    ),
    key("prefix", Form::TextOrNothing(any), "\"sha256=\"", "What stands before the signature."),
    key(
        "separator",
        Form::Text(SEPARATOR),
        "\",\"",
        "What parts pairs (\",\" unless given) or versions, one character or \"space\".",
    ),
    key(
        "signature_key",
        Form::Text(any),
        "\"v1\"",
        "The key of signatures in pairs, or the version that counts; v1 unless given.",
    ),
    key("timestamp_key", Form::TextOrNothing(any), "\"t\"", "The key of the time in pairs."),
    key(
        "encoding",
        Form::Choice(&["hex", "base64"], &[]),
        "\"hex\"",
        "How the signature is written; \"hex\" unless given.",
    ),
    key("timestamp_header", Form::Texts(any), "\"X-Timestamp\"", "The header of the signed time, where it has one."),
    key(
        "timestamp_unit",
        Form::Choice(&["s", "ms"], &[]),
        "\"s\"",
        "Its unit: seconds (unless given) or milliseconds.",
    ),
    key(
        "tolerance",
        Form::Span(SECOND, WEEK),
        "\"5m\"",
        "How old a signature may be; 5m unless given, for mailgun 12h and for paypal 4d, since they come again with the same one.",
    ),
    key(
        "tolerance_future",
        Form::Span(SECOND, WEEK),
        "\"5m\"",
        "How far in the future it may be; as tolerance unless given (for mailgun and paypal 5m).",
    ),
    key("id_header", Form::Texts(any), "\"X-Id\"", "The header of the signed id, where {id} is signed."),
    key(
        "signed",
        Form::Text(any),
        "\"{timestamp}.{body}\"",
        "What is signed, of {body}, {timestamp}, {id}, {method}, {url} and {unescaped_url} (as HubSpot undoes escapes); the body alone \
         unless given.",
    ),
    key(
        "public_url",
        Form::Url(Shape::Whole),
        "\"https://hooks.example.com/api/webhooks/shop\"",
        "For a sender that signs its address: the address as it is registered there, where it is not server.public_url with the path.",
    ),
    key(
        "webhook_id",
        Form::Text(any),
        "\"8PT597110X687430LKGECATA\"",
        "For paypal: the id that stands beside the webhook in its dashboard, which is signed along.",
    ),
    key("absent", Form::Texts(any), "[\"N/A\"]", "Values of the header that mean there is no signature."),
    key(
        "event_id",
        Form::Texts(any),
        "[\"header:X-Event-Id|/data/id\"]",
        "Where the event's id stands: JSON pointers into the body, header:NAME, or query:event; | parts alternatives, ? at the end \
         allows it to be missing, and several in a list are joined. Or \"body\": the id is made from the body, and tells a repeat for \
         ten minutes. \"body\" unless given.",
    ),
    key("event_type", Form::Texts(any), "[\"/type\"]", "Where the event's type stands, in the same way."),
    key(
        "test_mode",
        Form::Text(any),
        "\"/meta/test_mode\"",
        "Where the sender says that an event is only a test, in the same way.",
    ),
    key(
        "batch",
        Form::TextOrNothing(any),
        "\"/events\"",
        "Where a list of events stands in the body, if one request holds several: a JSON pointer, or \"\" for the body itself.",
    ),
    key(
        "environment",
        Form::Choice(&["live", "test"], &[]),
        "\"test\"",
        "What its events are where the sender does not say: \"test\" for a sandbox or a shop for rehearsals; \"live\" unless given.",
    ),
    key(
        "meaning",
        Form::Table(MEANING),
        "",
        "What its events mean to the books, added to what the preset knows. Each place is written like event_id: \"/data/id\", where in \
         lists name=value picks the element that says so (\"/answers/type=email/email\"), header:NAME, and | between alternatives.",
    ),
    key("keep_headers", Form::Texts(any), "[\"X-Shop\"]", "Further headers that are stored with the webhook."),
    key(
        "handshake",
        Form::Choice(&["none", "slack", "zoom", "woocommerce"], &[]),
        "\"none\"",
        "Requests that only try the address out, answered the way of this sender; \"none\" unless given.",
    ),
];

const MEANING: &[Key] = &[
    key(
        "events",
        Form::Pairs(any, TOLD),
        "{ \"order.paid\" = \"purchase\", \"invitee.created\" = \"booking_made\", \"ping\" = \"ignore\" }",
        "Which of the sender's types (with * at the end all that begin so) tell of which business event: purchase, renewal, refund, \
         payment_failed, lead, contact_changed, booking_made, booking_changed, booking_cancelled, booking_attended, booking_missed, or a \
         name of your own; \"unsubscribed\" for a no to e-mail, \"ignore\" for nothing. The first that fits counts.",
    ),
    key(
        "time",
        Form::Text(any),
        "\"/created_at\"",
        "Where the time of the event stands: RFC 3339, Unix seconds or milliseconds, or UTC.",
    ),
    key("email", Form::Text(any), "\"/data/customer/email\"", "Where the person's e-mail address stands."),
    key("phone", Form::Text(any), "\"/data/customer/phone\"", "Where the phone number stands."),
    key("name", Form::Text(any), "\"/data/customer/name\"", "Where the name stands, or the first name."),
    key(
        "last_name",
        Form::Text(any),
        "\"/data/customer/last_name\"",
        "Where the last name stands, put after the name.",
    ),
    key("customer", Form::Text(any), "\"/data/customer/id\"", "Where the sender's own id of the person stands."),
    key("lead_id", Form::Text(any), "\"/data/metadata/lead_id\"", "Where the browser's lead id stands."),
    key(
        "id",
        Form::Text(any),
        "\"/data/id\"",
        "Where the id of the order or appointment stands: several events of one id are one sale, one appointment.",
    ),
    key(
        "previous_id",
        Form::Text(any),
        "\"/data/moved_from\"",
        "Where a moved appointment that gets a new id names the one before.",
    ),
    key(
        "refund_id",
        Form::Text(any),
        "\"/data/refund/id\"",
        "Where the refund's own id stands; without one an order has one refund at most.",
    ),
    key(
        "value",
        Form::Text(any),
        "\"/data/amount\"",
        "Where the amount stands. An amount that is not there is noted, and never zero.",
    ),
    key("refund_value", Form::Text(any), "\"/data/refund/amount\"", "Where a refund's amount stands, if not at value."),
    key(
        "value_unit",
        Form::Choice(&["minor", "major"], &[]),
        "\"minor\"",
        "What amounts are written in: \"minor\" is whole cents, \"major\" is 49.90.",
    ),
    key("currency", Form::Text(any), "\"/data/currency\"", "Where the currency's code stands."),
    key("fixed_currency", Form::Text(CURRENCY), "\"eur\"", "The currency of events that name none."),
    key(
        "subscription",
        Form::Text(any),
        "\"/data/subscription_id\"",
        "Where the id of the subscription stands that an order bills: of one subscription the later sales are renewals.",
    ),
    key("starts_at", Form::Text(any), "\"/data/start_time\"", "Where the beginning of an appointment stands."),
    key("ends_at", Form::Text(any), "\"/data/end_time\"", "Where its end stands."),
    key("service_id", Form::Text(any), "\"/data/product/id\"", "Where the id of what is sold or booked stands."),
    key("service_name", Form::Text(any), "\"/data/product/name\"", "Where its name stands."),
    key(
        "tags_in",
        Form::Texts(any),
        "[\"/data/metadata\"]",
        "Objects that may hold the recognised names (lead_id, user_id, utm_source, gclid, ga_client_id, consent_email and so on); in a \
         list of names and values put {} for the name: \"/fields/name={}/value\".",
    ),
];

/// What a rule may tell of.
const TOLD: Check = |word| {
    if OTHER_WORDS.contains(&word) {
        return Ok(());
    }
    EVENT(word)?;
    if Tells::parse(word).is_some() {
        return Ok(());
    }
    Err(Wrong::new(format!("{word:?} can't be told by a rule"))
        .but(format!("there is {}, and names of your own", told().join(", "))))
};

fn told() -> Vec<&'static str> {
    crate::sources::hmac::meaning::TOLD.into_iter().chain(OTHER_WORDS).collect()
}

const CURRENCY: Check = |text| match text.parse::<Currency>() {
    Ok(currency) if currency.is_known() => Ok(()),
    _ => Err(Wrong::new(format!("{text:?} is no known currency")).but("write a code like \"eur\"")),
};

const SEPARATOR: Check = |text| {
    if text == "space" || text.len() == 1 {
        return Ok(());
    }
    Err(Wrong::new("must be one character or \"space\""))
};

/// What the table says. `has_public_url` is whether `server.public_url` is given.
pub(in crate::config) fn read(section: &Section<'_>, name: &str, has_public_url: bool) -> Settings {
    let chosen: Option<String> = section.find("preset");
    let known = chosen.as_deref().and_then(|chosen| PRESETS.into_iter().find(|known| *known == chosen));
    let mut scheme = known.and_then(preset).unwrap_or_default();
    spelled_out(section, &mut scheme);
    let List(secrets): List<Secret> = section.get("secrets");
    useless(section, scheme.proof);
    for fault in faults(&scheme) {
        section.report(fault.key, Wrong::new(fault.message).but(fault.fix));
    }
    for secret in &secrets {
        if let Some(fault) = secret_fault(known, &scheme, secret.expose()) {
            section.report(fault.key, Wrong::new(fault.message).but(fault.fix));
        }
    }
    if scheme.signs_address() && scheme.public_url.is_none() && !has_public_url {
        let wrong = Wrong::new("is missing: this sender signs the address it posts to");
        section.report("public_url", wrong.but("give server.public_url, or public_url here as it is registered there"));
    }
    if scheme.proof == Proof::PayPal && scheme.webhook_id.is_none() {
        let wrong = Wrong::new("is missing: PayPal signs it along");
        section.report(
            "webhook_id",
            wrong.but("copy it from PayPal: Apps & Credentials, your app, the row of this webhook"),
        );
    }
    let provider = known.map_or_else(|| format!("hmac-{name}"), |known| provider(known).to_owned());
    let meaning = meaning(section, known);
    let is_test = section.find::<String>("environment").is_some_and(|environment| environment == "test");
    Settings { provider, preset: known, scheme, secrets, account: name.to_owned(), is_test, meaning }
}

/// Reports keys that have no effect with a proof.
fn useless(section: &Section<'_>, proof: Proof) {
    let of_times = OF_TIMES.into_iter().filter(|_| !matches!(proof, Proof::Mailgun | Proof::PayPal));
    for name in OF_SIGNATURES.into_iter().chain(of_times).filter(|name| section.gives(name)) {
        if proof.is_own() {
            let wrong = Wrong::new("is of no use: this sender signs in a way of its own");
            section.report(name, wrong.but("leave it out"));
        } else if !proof.is_spelled_out() {
            let wrong = Wrong::new("is of no use where nothing is signed");
            section.report(name, wrong.but("leave it out, or give verify = \"hmac\""));
        }
    }
    if proof != Proof::PayPal && section.gives("webhook_id") {
        section.report("webhook_id", Wrong::new("is of no use: only paypal signs it along").but("leave it out"));
    }
}

/// The preset's meaning with what the file adds to it.
fn meaning(section: &Section<'_>, known: Option<&'static str>) -> Meaning {
    let usual = known.map(presets::meaning).unwrap_or_default();
    if !section.gives("meaning") {
        return usual;
    }
    let table = section.table("meaning");
    let events: Vec<(String, String)> = table.find("events").unwrap_or_default();
    let List(tags) = table.find("tags_in").unwrap_or_default();
    let own = Reading {
        rules: events.iter().filter_map(|(event, told)| Some(Rule::new(event, Tells::parse(told)?))).collect(),
        places: Field::KEYS.iter().filter_map(|(key, field)| Some((*field, table.find(key)?))).collect(),
        unit: table.find::<String>("value_unit").map(|unit| match unit.as_str() {
            "minor" => ValueUnit::Minor,
            _ => ValueUnit::Major,
        }),
        fixed_currency: table.find::<String>("fixed_currency").and_then(|code| code.parse().ok()),
        tags,
        ..Reading::default()
    };
    if usual.readings.is_empty() && own.rules.is_empty() && !own.places.is_empty() {
        let wrong = Wrong::new("is missing: nothing says what the events tell of");
        table.report("events", wrong.but("add for example events = { \"order.paid\" = \"purchase\" }"));
    }
    let meaning = usual.with_own(own);
    for fault in meaning.faults() {
        table.report(fault.key, Wrong::new(fault.message).but(fault.fix));
    }
    meaning
}

/// The two families of one specification are one provider.
fn provider(preset: &'static str) -> &'static str {
    if preset == "svix" { "standard_webhooks" } else { preset }
}

/// Puts what the file gives in the place of the preset's.
fn spelled_out(section: &Section<'_>, scheme: &mut Scheme) {
    word(section, "verify", PROOFS, &mut scheme.proof);
    word(section, "hash", HASHES, &mut scheme.hash);
    word(section, "key", KEY_FORMS, &mut scheme.key);
    word(section, "syntax", SYNTAXES, &mut scheme.syntax);
    word(section, "encoding", ENCODINGS, &mut scheme.encoding);
    word(section, "timestamp_unit", UNITS, &mut scheme.timestamp_unit);
    word(section, "handshake", GREETINGS, &mut scheme.greeting);
    for (name, text) in [
        ("key_prefix", &mut scheme.key_prefix),
        ("prefix", &mut scheme.prefix),
        ("separator", &mut scheme.separator),
        ("signature_key", &mut scheme.signature_key),
        ("timestamp_key", &mut scheme.timestamp_key),
        ("signed", &mut scheme.signed),
    ] {
        given(section, name, text);
    }
    if scheme.separator == "space" {
        scheme.separator = " ".to_owned();
    }
    for (name, list) in [
        ("header", &mut scheme.headers),
        ("timestamp_header", &mut scheme.timestamp_headers),
        ("id_header", &mut scheme.id_headers),
        ("keep_headers", &mut scheme.keep_headers),
    ] {
        if let Some(List(names)) = section.find::<List<String>>(name) {
            *list = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        }
    }
    for (name, list) in
        [("absent", &mut scheme.absent), ("event_id", &mut scheme.event_id), ("event_type", &mut scheme.event_type)]
    {
        if let Some(List(texts)) = section.find::<List<String>>(name) {
            *list = if name == "event_id" && texts == ["body"] { Vec::new() } else { texts };
        }
    }
    for (name, text) in [
        ("public_url", &mut scheme.public_url),
        ("webhook_id", &mut scheme.webhook_id),
        ("test_mode", &mut scheme.test_mode),
        ("batch", &mut scheme.batch),
    ] {
        if let Some(given) = section.find::<String>(name) {
            *text = Some(given);
        }
    }
    if section.gives("tolerance") {
        given(section, "tolerance", &mut scheme.tolerance);
        scheme.tolerance_future = scheme.tolerance;
    }
    given(section, "tolerance_future", &mut scheme.tolerance_future);
}

fn given<T: FromValue>(section: &Section<'_>, name: &str, value: &mut T) {
    if let Some(given) = section.find(name) {
        *value = given;
    }
}

fn word<T: Copy>(section: &Section<'_>, name: &str, words: &[(&str, T)], value: &mut T) {
    if let Some(given) = section.find::<String>(name)
        && let Some((_, found)) = words.iter().find(|(word, _)| *word == given)
    {
        *value = *found;
    }
}
