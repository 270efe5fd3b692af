//! What a person is asked for, where no flag has said it.

use std::collections::BTreeSet;

use super::answers::{Answers, Crm, Ga4, MailerLite};
use super::guide;
use super::prompt::Person;
use crate::cli::Failure;
use crate::config::Problem;
use crate::model::secret::Secret;

/// A part of the answers, with the tables of the configuration that it becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Server,
    Stripe,
    HighLevel,
    Ga4,
    Crm,
    MailerLite,
    Alerts,
}

/// Keys of the configuration, the flag that says each, and to which part it belongs; the first that fits.
const KEYS: [(&str, &str, Part); 18] = [
    ("server.tls.contact", "--email", Part::Server),
    ("server.listen", "--listen", Part::Server),
    ("server", "--domain", Part::Server),
    ("admin.socket", "--state", Part::Server),
    ("store.path", "--state", Part::Server),
    ("sources.stripe", "--stripe-secret-file", Part::Stripe),
    ("sources.highlevel", "--highlevel-location", Part::HighLevel),
    ("destinations.ga4.api_secret", "--ga4-api-secret-file", Part::Ga4),
    ("destinations.ga4.endpoint", "--ga4-endpoint", Part::Ga4),
    ("destinations.ga4", "--ga4-measurement-id", Part::Ga4),
    ("destinations.crm.api_key", "--crm-api-key-file", Part::Crm),
    ("destinations.crm", "--crm-base-url", Part::Crm),
    ("destinations.hubspot", "--hubspot-token-file", Part::Crm),
    ("destinations.highlevel.location_id", "--highlevel-location", Part::Crm),
    ("destinations.highlevel", "--highlevel-token-file", Part::Crm),
    ("destinations.mailerlite.groups", "--mailerlite-groups", Part::MailerLite),
    ("destinations.mailerlite", "--mailerlite-api-key-file", Part::MailerLite),
    ("alerts.ops", "--alert-url-file", Part::Alerts),
];

/// Which part of the answers a complaint is about.
pub(super) fn part(problem: &Problem) -> Option<Part> {
    entry(problem).map(|(_, _, part)| *part)
}

fn entry(problem: &Problem) -> Option<&'static (&'static str, &'static str, Part)> {
    KEYS.iter().find(|(key, ..)| problem.key.starts_with(key))
}

/// A complaint about the configuration as one about the answer behind it.
pub(super) fn complaint(problem: &Problem) -> String {
    let subject = entry(problem).map_or(problem.key.as_str(), |(_, flag, _)| flag);
    // The credential is a file that was never there under this name.
    let message = match problem.message.strip_prefix("the credential ") {
        Some(rest) => rest.split_once(' ').map_or(rest, |(_, rest)| rest),
        None => &problem.message,
    };
    let advice = problem.suggestion.as_ref().map_or_else(String::new, |advice| format!("; {advice}"));
    format!("{subject}: {message}{advice}")
}

/// Forgets the answers of a part.
pub(super) fn forget(answers: &mut Answers, part: Part) {
    match part {
        Part::Server => (answers.domain, answers.email) = (None, None),
        Part::Stripe => answers.stripe_secret = None,
        Part::Ga4 => answers.ga4 = None,
        Part::HighLevel => (answers.highlevel_webhooks, answers.highlevel_location) = (None, None),
        Part::Crm => {
            (answers.crm, answers.hubspot, answers.highlevel) = (None, None, None);
            // Unless it was good enough for the source.
            if answers.highlevel_webhooks.is_none() {
                answers.highlevel_location = None;
            }
        }
        Part::MailerLite => answers.mailerlite = None,
        Part::Alerts => answers.alert_url = None,
    }
}

/// Asks for every part that is not settled, and settles it.
pub(super) fn ask(person: &Person, answers: &mut Answers, settled: &mut BTreeSet<Part>) -> Result<(), Failure> {
    if settled.insert(Part::Server) {
        server(person, answers)?;
    }
    if settled.insert(Part::Stripe) {
        person.tell(&guide::stripe(&answers.endpoint()))?;
        answers.stripe_secret = Some(person.secret("The endpoint's signing secret, whsec_…")?);
    }
    if settled.insert(Part::HighLevel)
        && person.agrees("Receive bookings and contacts from GoHighLevel's workflows?")?
    {
        location(person, answers)?;
        answers.highlevel_webhooks = Some(fresh_token()?);
    }
    if settled.insert(Part::Ga4) && person.agrees("Tell Google Analytics 4?")? {
        let measurement_id = person.insist("Measurement id, G-… (Admin, Data streams)")?;
        let api_secret = person.secret("Measurement Protocol API secret of that stream")?;
        answers.ga4 = Some(Ga4 { measurement_id, api_secret, endpoint: None });
    }
    if settled.insert(Part::Crm) {
        crm(person, answers)?;
    }
    if settled.insert(Part::MailerLite) && person.agrees("Tell MailerLite?")? {
        answers.mailerlite = Some(mailerlite(person)?);
    }
    if settled.insert(Part::Alerts) && person.agrees("Be alerted by a webhook when something needs you?")? {
        answers.alert_url = Some(person.secret("Its address")?);
    }
    Ok(())
}

fn server(person: &Person, answers: &mut Answers) -> Result<(), Failure> {
    if answers.domain.is_none() {
        answers.domain = Some(person.insist("The name under which the world reaches this server, hooks.example.com")?);
    }
    if !answers.proxy && answers.email.is_none() {
        let question = "Your e-mail address for the certificate's authority (may be left empty)";
        answers.email = person.ask(question)?;
    }
    Ok(())
}

fn crm(person: &Person, answers: &mut Answers) -> Result<(), Failure> {
    let which = ["hubspot", "gohighlevel", "rest"];
    match person.choose("Which CRM is told? (rest is any other with contacts over HTTP)", &which)? {
        Some("hubspot") => {
            answers.hubspot =
                Some(person.secret("Access token of a private app, pat-… (Settings, Integrations, Private Apps)")?);
        }
        Some("gohighlevel") => {
            location(person, answers)?;
            answers.highlevel =
                Some(person.secret("Token of a private integration, pit-… (Settings, Private Integrations)")?);
        }
        Some(_) => {
            let base_url = person.insist("Its address, everything before /contacts")?;
            answers.crm = Some(Crm { base_url, api_key: person.secret("Its API key")? });
        }
        None => {}
    }
    Ok(())
}

fn location(person: &Person, answers: &mut Answers) -> Result<(), Failure> {
    if answers.highlevel_location.is_none() {
        answers.highlevel_location = Some(person.insist("HighLevel's location id (Settings, Business Profile)")?);
    }
    Ok(())
}

/// A token that nobody guesses, for an address.
pub(super) fn fresh_token() -> Result<Secret, Failure> {
    let mut bytes = [0_u8; 24];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::Failed(format!("the system gives no random numbers: {error}")))?;
    Ok(Secret::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
}

fn mailerlite(person: &Person) -> Result<MailerLite, Failure> {
    let api_key = person.secret("API key (Integrations, API)")?;
    let classic = !person.agrees("Was the account made after 22 March 2022?")?;
    person.tell("Groups that buyers join; the id stands in the address of the group's page. Leave empty for none.")?;
    let mut groups = Vec::new();
    for name in ["vip", "premium", "standard"] {
        if let Some(id) = person.ask(&format!("Id of the group for {name}"))? {
            groups.push((name.to_owned(), id));
        }
    }
    Ok(MailerLite { api_key, classic, groups, endpoint: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_names_the_flag() {
        let problem = |key: &str, message: &str| Problem {
            file: "x".to_owned(),
            line: Some(1),
            key: key.to_owned(),
            message: message.to_owned(),
            suggestion: Some("look again".to_owned()),
        };
        let secret = problem("sources.stripe.secrets[0]", "the credential stripe is an API key, not a signing secret");
        assert_eq!(complaint(&secret), "--stripe-secret-file: is an API key, not a signing secret; look again");
        assert_eq!(part(&secret), Some(Part::Stripe));
        let id = problem("destinations.ga4.measurement_id", "is not a measurement id");
        assert_eq!(complaint(&id), "--ga4-measurement-id: is not a measurement id; look again");
        assert!(complaint(&problem("log.level", "is odd")).starts_with("log.level: is odd"));
    }
}
