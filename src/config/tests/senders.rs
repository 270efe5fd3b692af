//! Sources as they are written: whom they believe, what they mean, who sells.

use super::*;

#[test]
fn highlevel_needs_its_locations_and_takes_every_form_of_a_key() {
    let highlevel = "[sources.highlevel]\nkind = \"gohighlevel\"\n";
    let config = read(&format!(
        "{highlevel}locations = \"loc1\"\ncurrency = \"EUR\"\ntags = [\"vip\"]\n\
         public_keys = [\"i2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg=\"]\n"
    ))
    .unwrap();
    let sources::Settings::GoHighLevel(settings) = &config.sources[0].settings else { panic!("a gohighlevel source") };
    assert_eq!((settings.locations.as_slice(), settings.public_keys.len()), (&["loc1".to_owned()][..], 1));
    assert_eq!((settings.token.is_none(), settings.legacy_signature), (true, false));
    assert_eq!(settings.replay_window, Duration::from_secs(7200));
    assert_eq!((settings.currency.unwrap().code(), settings.event_id.as_str()), ("eur", "customData.event_id"));
    assert!(config.sources[0].rules.counts_sales);
    for (keys, words) in [
        ("", "locations: is missing"),
        ("locations = [\"l\"]\ntoken = \"short\"", "at least 20"),
        ("locations = [\"l\"]\ntoken = \"0123456789 0123456789\"", "white space"),
        ("locations = [\"l\"]\npublic_keys = [\"abc\"]", "no Ed25519 public key"),
        ("locations = [\"l\"]\nsecrets = [\"abc\"]", "unknown key"),
        ("locations = [\"l\"]\ncount = \"auto\"", "unknown key"),
    ] {
        let complaints = complaints(&format!("{highlevel}{keys}\n"));
        assert!(complaints.contains(words) && !complaints.contains("0123456789 "), "{keys}: {complaints}");
    }
    // Beside another source that sells it must be clear whose sales count.
    let both = format!("{STRIPE}{highlevel}locations = [\"l\"]\n");
    assert_eq!(complaints(&both).matches("counts_sales: is missing").count(), 2);
    assert_eq!(complaints(&format!("{both}counts_sales = true\n")).matches("counts_sales: is missing").count(), 1);
    let clear = read(&format!("{both}counts_sales = false\n")).unwrap();
    assert_eq!((clear.sources[0].rules.counts_sales, clear.sources[1].rules.counts_sales), (true, false));
}

#[test]
fn a_source_counts_and_reads_metadata_as_it_is_told() {
    let text = format!(
        "{STRIPE}count = \"checkout_and_invoices\"\ntransaction_id = \"order_id\"\n\
         metadata = {{ lead_id = \"visitor\", pricing_tier = [\"plan\", \"tier\"], gclid = \"gclid\" }}\n"
    );
    let config = read(&text).unwrap();
    let rules = config.sources[0].rules;
    assert_eq!((rules.count, rules.order_ids), (Count::CheckoutAndInvoices, true));
    let own = |name: &str, keys: &[&str]| (name.to_owned(), keys.iter().map(|key| (*key).to_owned()).collect());
    let sources::Settings::Stripe(stripe) = &config.sources[0].settings else { panic!("a stripe source") };
    let expected = vec![own("lead_id", &["visitor"]), own("pricing_tier", &["plan", "tier"])];
    assert_eq!(stripe.metadata, stripe::MetadataKeys::new(expected));

    let text = format!("{STRIPE}count = \"payment_intents\"\n[sources.stripe.metadata]\nga_client_id = \"google\"\n");
    let config = read(&text).unwrap();
    assert_eq!((config.sources[0].rules.count, config.sources[0].rules.order_ids), (Count::PaymentIntents, false));
    let sources::Settings::Stripe(stripe) = &config.sources[0].settings else { panic!("a stripe source") };
    assert_eq!(stripe.metadata, stripe::MetadataKeys::new(vec![own("ga_client_id", &["google"])]));
}

#[test]
fn a_preset_is_a_beginning_that_each_key_changes() {
    let text = format!(
        "{STRIPE}counts_sales = true\n[sources.shop]\nkind = \"hmac\"\npreset = \"shopify\"\ncounts_sales = false\nsecrets = [\"0123\"]\nheader = [\"X-Own\"]\nevent_id = [\"body\"]\n\
         [sources.own]\nkind = \"hmac\"\nsecrets = [\"0123\"]\nsigned = \"{{timestamp}}.{{body}}\"\nsyntax = \"pairs\"\ntimestamp_key = \"t\"\n\
         tolerance = \"1m\"\nrespond = \"strict\"\n"
    );
    let config = read(&text).unwrap();
    let of = |number: usize| match &config.sources[number].settings {
        sources::Settings::Hmac(hmac) => hmac.clone(),
        other => panic!("{other:?}"),
    };
    let preset = sources::hmac::preset::preset("shopify").unwrap();
    let expected = sources::hmac::scheme::Scheme { headers: vec!["x-own".into()], event_id: Vec::new(), ..preset };
    assert_eq!((of(1).scheme, of(1).provider.as_str(), of(1).preset), (expected, "shopify", Some("shopify")));
    assert!(config.sources[1].rules.always_200, "Shopify gives up after errors");
    let own = of(2);
    assert_eq!((own.provider.as_str(), own.scheme.timestamp_key.as_str()), ("hmac-own", "t"));
    assert_eq!(own.scheme.tolerance_future, Duration::from_secs(60));
    assert!(!config.sources[2].rules.always_200);
}

#[test]
fn a_meaning_is_checked_and_who_sells_is_asked() {
    let told = |keys: &str| {
        complaints(&format!(
            "{STRIPE}counts_sales = true\n[sources.shop]\nkind = \"hmac\"\nsecrets = [\"x\"]\n{keys}\n"
        ))
    };
    let whole = "id = \"/id\"\nvalue = \"/total\"\nvalue_unit = \"minor\"\nfixed_currency = \"eur\"\n";
    for (keys, words) in [
        ("[sources.shop.meaning]\nevents = { paid = \"purchas\" }", "did you mean \"purchase\"?"),
        ("[sources.shop.meaning]\nevents = { paid = \"dispute_lost\" }", "can't be told by a rule"),
        ("[sources.shop.meaning]\nemail = \"/email\"", "events: is missing"),
        ("[sources.shop.meaning]\nevents = { paid = \"purchase\" }", "value_unit: is missing"),
        ("[sources.shop.meaning]\nevents = { paid = \"purchase\" }", "currency: is missing"),
        ("[sources.shop.meaning]\nevents = { paid = \"lead\" }", "email: is missing"),
        ("[sources.shop.meaning]\nevents = { paid = \"lead\" }\nemail = \"email\"", "email: must be made of places"),
        ("[sources.shop.meaning]\nfixed_currency = \"zzz\"", "no known currency"),
        (&format!("[sources.shop.meaning]\nevents = {{ paid = \"purchase\" }}\n{whole}"), "counts_sales: is missing"),
        ("preset = \"woocommerce\"", "counts_sales: is missing"),
    ] {
        let complaints = told(keys);
        assert!(
            complaints.contains(words) || told(&format!("counts_sales = false\n{keys}")).contains(words),
            "{keys}: {complaints}"
        );
    }
    let fine = format!(
        "{STRIPE}counts_sales = true\n[sources.shop]\nkind = \"hmac\"\nsecrets = [\"x\"]\ncounts_sales = false\n\
        [sources.shop.meaning]\nevents = {{ paid = \"purchase\" }}\n{whole}"
    );
    assert!(read(&fine).is_ok(), "{:?}", read(&fine));
}

#[test]
fn what_would_believe_anybody_or_nobody_does_not_start() {
    let told = |keys: &str| complaints(&format!("{STRIPE}[sources.shop]\nkind = \"hmac\"\n{keys}\n"));
    for (keys, words) in [
        ("preset = \"shopify\"", "secrets: is missing"),
        ("preset = \"shopfy\"\nsecrets = [\"x\"]", "did you mean \"shopify\"?"),
        (
            "preset = \"svix\"\nsecrets = [\"v1,whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX\"]",
            "take off everything before whsec_",
        ),
        ("preset = \"shopify\"\nsecrets = [\"shpat_0123456789\"]", "client secret"),
        ("preset = \"square\"\nsecrets = [\"0123456789\"]", "public_url"),
        ("secrets = [\"x\"]\nsigned = \"{timestamp}\"", "signed: must hold {body}"),
        ("verify = \"token\"\nsecrets = [\"short\"]", "too short"),
        ("verify = \"token\"\nsecrets = [\"0123456789abcdef\"]\nhash = \"sha512\"", "of no use"),
    ] {
        let complaints = told(keys);
        assert!(complaints.contains(words), "{keys}: {complaints}");
        assert!(!complaints.contains("AAECAw") && !complaints.contains("shpat_0"), "{complaints}");
    }
}
