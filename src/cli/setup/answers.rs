//! What `setup` has to know, and the configuration that follows from it.

use crate::model::secret::Secret;

/// Everything that was answered, by flags or by a person.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    /// The public name.
    pub(super) domain: Option<String>,
    /// For the authority that signs certificates.
    pub(super) email: Option<String>,
    /// A proxy in front ends TLS.
    pub(super) proxy: bool,
    /// Address and port, where not the usual one.
    pub(super) listen: Option<String>,
    /// Where the state is kept, where not in the usual folder.
    pub(super) state: Option<String>,
    /// Stripe's signing secret.
    pub(super) stripe_secret: Option<Secret>,
    /// Google Analytics 4.
    pub(super) ga4: Option<Ga4>,
    /// The token in the address that HighLevel's workflows post to, where they do.
    pub(super) highlevel_webhooks: Option<Secret>,
    /// The id of the location (sub-account) at HighLevel.
    pub(super) highlevel_location: Option<String>,
    /// A CRM with a REST interface.
    pub(super) crm: Option<Crm>,
    /// HubSpot's access token.
    pub(super) hubspot: Option<Secret>,
    /// HighLevel as a CRM: the token of a private integration.
    pub(super) highlevel: Option<Secret>,
    /// MailerLite.
    pub(super) mailerlite: Option<MailerLite>,
    /// Where alerts are posted; such an address is a secret.
    pub(super) alert_url: Option<Secret>,
}

/// Google Analytics 4.
#[derive(Clone, Debug)]
pub(super) struct Ga4 {
    pub(super) measurement_id: String,
    pub(super) api_secret: Secret,
    pub(super) endpoint: Option<String>,
}

/// A CRM with a REST interface.
#[derive(Clone, Debug)]
pub(super) struct Crm {
    pub(super) base_url: String,
    pub(super) api_key: Secret,
}

/// MailerLite.
#[derive(Clone, Debug)]
pub(super) struct MailerLite {
    pub(super) api_key: Secret,
    pub(super) classic: bool,
    /// Which group is joined when, and its id.
    pub(super) groups: Vec<(String, String)>,
    pub(super) endpoint: Option<String>,
}

/// A secret with the name of its file in `credentials/`.
pub(super) type Credential<'a> = (&'static str, &'a Secret);

impl Answers {
    /// The secrets, each with the name of its file.
    pub(super) fn credentials(&self) -> Vec<Credential<'_>> {
        let all = [
            ("stripe", self.stripe_secret.as_ref()),
            ("highlevel_webhooks", self.highlevel_webhooks.as_ref()),
            ("ga4", self.ga4.as_ref().map(|ga4| &ga4.api_secret)),
            ("crm", self.crm.as_ref().map(|crm| &crm.api_key)),
            ("hubspot", self.hubspot.as_ref()),
            ("highlevel", self.highlevel.as_ref()),
            ("mailerlite", self.mailerlite.as_ref().map(|mailerlite| &mailerlite.api_key)),
            ("alerts", self.alert_url.as_ref()),
        ];
        all.into_iter().filter_map(|(name, secret)| Some((name, secret?))).collect()
    }

    /// The configuration's file. Secrets stand in it by name only.
    pub(super) fn configuration(&self) -> String {
        let mut text = Text(
            "# Written by `tallyhook setup`. Every key there is, with what it does: tallyhook init --all -\n\
             # After a change, here or in credentials/: tallyhook check && systemctl restart tallyhook (no sender is refused meanwhile)\n"
                .to_owned(),
        );
        text.table("server");
        match (&self.listen, self.proxy) {
            (Some(listen), _) => text.pair("listen", listen),
            (None, true) => text.pair("listen", "127.0.0.1:8080"),
            (None, false) => {}
        }
        if let Some(domain) = &self.domain {
            text.pair("public_url", &format!("https://{domain}"));
        }
        match &self.domain {
            Some(domain) if !self.proxy => {
                let contact =
                    self.email.as_ref().map_or_else(String::new, |email| format!(", contact = {}", quoted(email)));
                text.line(&format!("tls = {{ mode = \"acme\", domains = [{}]{contact} }}", quoted(domain)));
            }
            _ => text.line("tls = { mode = \"off\" }"),
        }
        if let Some(state) = &self.state {
            let state = state.trim_end_matches('/');
            text.table("admin");
            text.pair("socket", &format!("{state}/admin.sock"));
            text.table("store");
            text.pair("path", &format!("{state}/tallyhook.redb"));
        }
        text.table("sources.stripe");
        text.pair("kind", "stripe");
        text.line("secrets = [{ credential = \"stripe\" }]");
        let location = self.highlevel_location.as_deref().unwrap_or_default();
        if self.highlevel_webhooks.is_some() {
            text.line("counts_sales = true");
            text.table("sources.highlevel");
            text.pair("kind", "gohighlevel");
            text.line(&format!("locations = [{}]", quoted(location)));
            text.line("token = { credential = \"highlevel_webhooks\" }");
            text.line(
                "# HighLevel charges through the same Stripe account: each sale is counted once, by what Stripe says.",
            );
            text.line("counts_sales = false");
        }
        if let Some(ga4) = &self.ga4 {
            text.table("destinations.ga4");
            text.pair("kind", "ga4");
            text.pair("measurement_id", &ga4.measurement_id);
            text.line("api_secret = { credential = \"ga4\" }");
            text.pair_if("endpoint", ga4.endpoint.as_deref());
        }
        if let Some(crm) = &self.crm {
            text.table("destinations.crm");
            text.pair("kind", "rest");
            text.pair("base_url", &crm.base_url);
            text.line("api_key = { credential = \"crm\" }");
        }
        if self.hubspot.is_some() {
            text.table("destinations.hubspot");
            text.pair("kind", "hubspot");
            text.line("access_token = { credential = \"hubspot\" }");
        }
        if self.highlevel.is_some() {
            text.table("destinations.highlevel");
            text.pair("kind", "gohighlevel");
            text.line("token = { credential = \"highlevel\" }");
            text.pair("location_id", location);
        }
        if let Some(mailerlite) = &self.mailerlite {
            text.table("destinations.mailerlite");
            text.pair("kind", "mailerlite");
            text.line("api_key = { credential = \"mailerlite\" }");
            text.pair_if("api", mailerlite.classic.then_some("classic"));
            text.pair_if("endpoint", mailerlite.endpoint.as_deref());
            if !mailerlite.groups.is_empty() {
                let groups: Vec<String> =
                    mailerlite.groups.iter().map(|(name, id)| format!("{} = {}", key(name), quoted(id))).collect();
                text.line(&format!("groups = {{ {} }}", groups.join(", ")));
            }
        }
        if self.alert_url.is_some() {
            text.table("alerts.ops");
            text.pair("kind", "webhook");
            text.line("url = { credential = \"alerts\" }");
        }
        text.0
    }

    /// The address for Stripe's dashboard.
    pub(super) fn endpoint(&self) -> String {
        format!("{}/api/webhooks/stripe", self.base())
    }

    /// The address for HighLevel's workflows, with the token that makes it one.
    pub(super) fn highlevel_endpoint(&self) -> Option<String> {
        let token = self.highlevel_webhooks.as_ref()?;
        Some(format!("{}/api/webhooks/highlevel/{}", self.base(), token.expose()))
    }

    fn base(&self) -> String {
        match (&self.domain, &self.listen) {
            (Some(domain), _) => format!("https://{domain}"),
            (None, Some(listen)) => format!("http://{listen}"),
            (None, None) => "http://127.0.0.1:8080".to_owned(),
        }
    }
}

/// TOML in the making.
struct Text(String);

impl Text {
    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn table(&mut self, name: &str) {
        self.line(&format!("\n[{name}]"));
    }

    fn pair(&mut self, key: &str, value: &str) {
        self.line(&format!("{key} = {}", quoted(value)));
    }

    fn pair_if(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.pair(key, value);
        }
    }
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A key as TOML writes it.
fn key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if is_bare { name.to_owned() } else { quoted(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stand_in_files_and_odd_texts_stay_texts() {
        let answers = Answers {
            domain: Some("hooks.example.com".to_owned()),
            email: Some("a\"b@example.com".to_owned()),
            stripe_secret: Some(Secret::new("whsec_0123456789")),
            mailerlite: Some(MailerLite {
                api_key: Secret::new("ml_key"),
                classic: true,
                groups: vec![("vip".to_owned(), "12".to_owned()), ("odd name".to_owned(), "1\n2".to_owned())],
                endpoint: None,
            }),
            ..Answers::default()
        };
        let text = answers.configuration();
        assert!(!text.contains("whsec_") && !text.contains("ml_key"), "{text}");
        let read: toml::Table = text.parse().unwrap();
        assert_eq!(read["server"]["tls"]["contact"].as_str(), Some("a\"b@example.com"));
        assert_eq!(read["destinations"]["mailerlite"]["groups"]["odd name"].as_str(), Some("1\n2"));
        let names: Vec<&str> = answers.credentials().iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["stripe", "mailerlite"]);
        assert_eq!(answers.endpoint(), "https://hooks.example.com/api/webhooks/stripe");
    }

    #[test]
    fn with_highlevel_beside_stripe_only_stripe_counts() {
        let answers = Answers {
            highlevel_webhooks: Some(Secret::new("0123456789abcdef0123456789")),
            highlevel_location: Some("ve9EPM428h8vShlRW1KT".to_owned()),
            highlevel: Some(Secret::new("pit-0123")),
            hubspot: Some(Secret::new("pat-0123")),
            proxy: true,
            ..Answers::default()
        };
        let text = answers.configuration();
        assert!(!text.contains("0123"), "{text}");
        let read: toml::Table = text.parse().unwrap();
        let counts = |source: &str| read["sources"][source]["counts_sales"].as_bool();
        assert_eq!((counts("stripe"), counts("highlevel")), (Some(true), Some(false)));
        assert_eq!(read["destinations"]["highlevel"]["location_id"].as_str(), Some("ve9EPM428h8vShlRW1KT"));
        assert_eq!(read["destinations"]["hubspot"]["kind"].as_str(), Some("hubspot"));
        let address = "http://127.0.0.1:8080/api/webhooks/highlevel/0123456789abcdef0123456789";
        assert_eq!(answers.highlevel_endpoint().as_deref(), Some(address));
    }

    #[test]
    fn behind_a_proxy_only_this_machine_is_listened_to() {
        let answers = Answers { domain: Some("hooks.example.com".to_owned()), proxy: true, ..Answers::default() };
        let read: toml::Table = answers.configuration().parse().unwrap();
        assert_eq!(read["server"]["listen"].as_str(), Some("127.0.0.1:8080"));
        assert_eq!(read["server"]["tls"]["mode"].as_str(), Some("off"));
        assert_eq!(read["server"]["public_url"].as_str(), Some("https://hooks.example.com"));
    }
}
