//! The shop whose events Stripe would send: the source's own samples, and what they don't tell of made from them.

use serde_json::{Value, json};

use super::DemoError;
use crate::config;
use crate::platform::clock::SharedClock;
use crate::sources::signature::{SigningKey, to_hex};
use crate::sources::{self, Sample, SampleRequest, Settings, Source};

/// A signed event, ready to be posted.
#[derive(Clone, Debug)]
pub struct Signed {
    /// `checkout.session.completed`.
    pub event_type: String,
    /// `evt_…`.
    pub id: String,
    /// Header fields to send.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Makes signed events.
pub struct Shop {
    source: Box<dyn Source>,
    key: SigningKey,
    clock: SharedClock,
}

impl Shop {
    /// The shop behind a configured source, signing with its first secret.
    ///
    /// # Errors
    /// When the source has no secret.
    pub fn new(source: &config::Source, clock: SharedClock) -> Result<Self, DemoError> {
        let Settings::Stripe(stripe) = &source.settings else {
            return Err(DemoError::Setup("the demo's source is Stripe".to_owned()));
        };
        let secret = stripe.secrets.first().ok_or_else(|| DemoError::Setup("the source has no secret".to_owned()))?;
        let key = SigningKey::new(secret.expose().as_bytes());
        Ok(Self { source: sources::build(&source.settings, None), key, clock })
    }

    /// One of the source's own samples. Those of one number and mode tell of one purchase.
    ///
    /// # Errors
    /// When the source has no such sample.
    pub fn event(&self, event_type: &str, number: u64, livemode: bool) -> Result<Signed, DemoError> {
        let wanted = SampleRequest { event_type, number, now: self.clock.now(), livemode, endpoint: None };
        let sample = self.source.sample(&wanted);
        let Sample { headers, body } =
            sample.ok_or_else(|| DemoError::Setup(format!("there is no sample of {event_type}")))?;
        let told: Value = serde_json::from_slice(&body).unwrap_or_default();
        let id = told["id"].as_str().unwrap_or_default().to_owned();
        Ok(Signed { event_type: event_type.to_owned(), id, headers, body })
    }

    /// A live sample with its object changed, signed anew.
    ///
    /// # Errors
    /// When the source has no such sample.
    fn changed(&self, event_type: &str, number: u64, change: impl FnOnce(&mut Value)) -> Result<Signed, DemoError> {
        let mut event = self.event(event_type, number, true)?;
        let mut body: Value = serde_json::from_slice(&event.body).unwrap_or_default();
        change(&mut body["data"]["object"]);
        event.body = serde_json::to_vec_pretty(&body).unwrap_or_default();
        self.sign(&mut event, &self.key);
        Ok(event)
    }

    /// Signs as Stripe does: `t=…,v1=…` over the time, a dot and the body (Stripe: webhooks, verify manually).
    fn sign(&self, event: &mut Signed, key: &SigningKey) {
        let time = self.clock.now().unix_seconds().to_string();
        let digest = key.digest(&[time.as_bytes(), b".", &event.body]);
        for (name, value) in &mut event.headers {
            if name.eq_ignore_ascii_case("stripe-signature") {
                *value = format!("t={time},v1={}", to_hex(&digest));
            }
        }
    }

    /// A live sample signed by somebody who doesn't know the secret.
    ///
    /// # Errors
    /// When the source has no such sample.
    pub fn forged(&self, event_type: &str, number: u64) -> Result<Signed, DemoError> {
        let mut event = self.event(event_type, number, true)?;
        self.sign(&mut event, &SigningKey::new(b"whsec_guessed"));
        Ok(event)
    }

    /// What Stripe sends when the first invoice of a subscription is paid: the intent, and the invoice twice over.
    ///
    /// # Errors
    /// When the source lacks a sample.
    pub fn first_invoice(&self, number: u64) -> Result<[Signed; 3], DemoError> {
        let bill = |invoice: &mut Value| {
            let metadata = invoice["metadata"].clone();
            invoice["billing_reason"] = json!("subscription_create");
            invoice["parent"] = json!({
                "type": "subscription_details",
                "quote_details": null,
                "subscription_details": {"subscription": format!("sub_1Demo{number:016}"), "metadata": metadata},
            });
        };
        let invoice = self.changed("invoice.paid", number, bill)?;
        let body: Value = serde_json::from_slice(&invoice.body).unwrap_or_default();
        let id = body["data"]["object"]["id"].clone();
        let intent = self.changed("payment_intent.succeeded", number, |intent| {
            intent["payment_details"]["order_reference"] = id;
        })?;
        Ok([intent, self.changed("invoice.payment_succeeded", number, bill)?, invoice])
    }

    /// What Stripe sends when a part of a purchase is refunded: the refund as it is made and as it is done, and the charge.
    ///
    /// # Errors
    /// When the source lacks a sample.
    pub fn partial_refund(&self, number: u64, minor: i64) -> Result<[Signed; 3], DemoError> {
        let refund = |status: &'static str| {
            move |refund: &mut Value| {
                refund["amount"] = json!(minor);
                refund["status"] = json!(status);
            }
        };
        Ok([
            self.changed("refund.created", number, refund("pending"))?,
            self.changed("charge.refunded", number, |charge| {
                charge["amount_refunded"] = json!(minor);
                charge["refunded"] = json!(false);
            })?,
            self.changed("refund.updated", number, refund("succeeded"))?,
        ])
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::config::SourceRules;
    use crate::model::count::Count;
    use crate::model::secret::Secret;
    use crate::model::statement::{Claim, Meaning};
    use crate::platform::clock::SystemClock;
    use crate::sources::{Headers, Message, Refusal, Request, stripe};

    struct Sent<'a>(&'a Signed);

    impl Headers for Sent<'_> {
        fn values(&self, name: &str) -> Vec<&[u8]> {
            let fields = self.0.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
            fields.map(|(_, value)| value.as_bytes()).collect()
        }
    }

    fn shop() -> Shop {
        let settings = stripe::Settings {
            secrets: vec![Secret::new("whsec_demo")],
            tolerance: Duration::from_secs(300),
            metadata: stripe::MetadataKeys::default(),
        };
        let rules = SourceRules {
            settle: Duration::ZERO,
            settle_late: Duration::ZERO,
            counts_sales: true,
            count: Count::Auto,
            order_ids: false,
            always_200: false,
        };
        let source = config::Source { name: "stripe".to_owned(), settings: Settings::Stripe(settings), rules };
        Shop::new(&source, Arc::new(SystemClock)).unwrap()
    }

    fn verdict(shop: &Shop, event: &Signed) -> Result<(), Refusal> {
        shop.source.verify(&Request::post(&Sent(event), &event.body, shop.clock.now()))
    }

    #[test]
    fn every_event_is_genuine_but_the_forged_one() {
        let shop = shop();
        let mut events = vec![shop.event("charge.succeeded", 4, true).unwrap()];
        events.extend(shop.first_invoice(5).unwrap());
        events.extend(shop.partial_refund(4, 2500).unwrap());
        for event in &events {
            assert_eq!(verdict(&shop, event), Ok(()), "{}", event.event_type);
            assert!(event.id.starts_with("evt_"));
        }
        let forged = shop.forged("charge.succeeded", 4).unwrap();
        assert_eq!(verdict(&shop, &forged), Err(Refusal::NoMatchingSignature));
        assert!(shop.event("no.such", 4, true).is_err());
    }

    #[test]
    fn made_events_say_what_they_are_made_for() {
        let shop = shop();
        let claim = |event: &Signed| match shop
            .source
            .interpret(&Message::bare(&event.body, shop.clock.now()))
            .unwrap()
            .meaning
        {
            Meaning::Statement(statement) => *statement,
            Meaning::Ignored | Meaning::Undigested => panic!("{} is ignored", event.event_type),
        };
        let [intent, paid, _] = shop.first_invoice(5).unwrap();
        let invoice = claim(&paid);
        assert!(invoice.subscription.is_some());
        assert!(claim(&intent).links.contains(&invoice.object), "the intent names its invoice");
        let [created, charge, updated] = shop.partial_refund(4, 2500).unwrap();
        for refund in [created, updated] {
            let Claim::Refund(step) = claim(&refund).claim else { panic!("a refund") };
            assert_eq!(step.amount.minor, 2500);
        }
        assert_eq!(claim(&charge).claim, Claim::Nothing);
    }
}
