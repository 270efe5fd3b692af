//! One order at the authority, from the account to the certificate (RFC 8555, 7.4).

use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, ChallengeType, Error, ExternalAccountKey, Identifier,
    NewAccount, NewOrder, Order, OrderStatus, RetryPolicy,
};
use rustls::pki_types::Der;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::challenges::Challenges;
use super::failure::{Failure, kind};
use super::schedule::Cause;
use super::state::StateFolder;
use super::transport::Transport;
use crate::config;
use crate::http::certificate::Facts;
use crate::model::time::Timestamp;

/// How long the authority may take to look, and to sign.
const PATIENCE: RetryPolicy =
    RetryPolicy::new().initial_delay(Duration::from_millis(250)).backoff(1.5).timeout(Duration::from_secs(90));

/// Refusals of an order that have nothing to do with the certificate that it replaces.
const WHATEVER_IS_REPLACED: [&str; 2] = ["rateLimited", "accountDoesNotExist"];

/// How a name is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// On the port of TLS itself (RFC 8737).
    Tls,
    /// On port 80 (RFC 8555, 8.3).
    Http,
}

impl Way {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Tls => "tls-alpn-01",
            Self::Http => "http-01",
        }
    }

    const fn challenge(self) -> ChallengeType {
        match self {
            Self::Tls => ChallengeType::TlsAlpn01,
            Self::Http => ChallengeType::Http01,
        }
    }
}

/// The authority, as it is configured.
pub(super) struct Authority<'a> {
    pub(super) config: &'a config::Acme,
    pub(super) state: &'a StateFolder,
    pub(super) transport: &'a Transport,
    pub(super) challenges: &'a Challenges,
}

impl Authority<'_> {
    /// A certificate chain and its key, PEM in one text, proved in this way. `replaced` is the certificate that it takes the place
    /// of, where the authority wants to know.
    pub(super) async fn issue(&self, way: Way, replaced: Option<&Facts>) -> Result<Zeroizing<String>, Failure> {
        let (account, is_new) = self.account().await?;
        // No certificate belongs to an account that was just made.
        let issued = self.issue_to(&account, way, replaced.filter(|_| !is_new)).await;
        self.challenges.clear();
        issued
    }

    /// The moments between which the authority suggests to renew (RFC 9773), and when to ask again; none when it suggests nothing.
    pub(super) async fn suggestion(&self, facts: &Facts) -> Result<Option<(Timestamp, Timestamp, Duration)>, Failure> {
        let (Some(id), Some(credentials)) = (identifier(facts), self.state.account()?) else { return Ok(None) };
        let account = self.builder().from_credentials(credentials).await.map_err(|error| self.failure(&error))?;
        match account.renewal_info(&id).await {
            Ok((info, again)) => {
                let moment =
                    |moment: i128| Timestamp::from_millis(i64::try_from(moment / 1_000_000).unwrap_or(i64::MAX));
                let window = info.suggested_window;
                let (start, end) = (window.start.unix_timestamp_nanos(), window.end.unix_timestamp_nanos());
                Ok(Some((moment(start), moment(end), again)))
            }
            Err(Error::Unsupported(_)) => Ok(None),
            Err(error) => Err(self.failure(&error)),
        }
    }

    fn builder(&self) -> instant_acme::AccountBuilder {
        Account::builder_with_http(Box::new(self.transport.clone()))
    }

    fn failure(&self, error: &Error) -> Failure {
        Failure::of(error, &self.config.directory, self.transport.asked_to_wait())
    }

    /// Tells the authority where it may write to, when that changed since it was told (RFC 8555, 7.3.2). Without an account there
    /// is nobody to tell yet.
    pub(super) async fn tell_contact(&self) -> Result<(), Failure> {
        let contact = self.contact();
        let Some(credentials) = self.state.account()?.filter(|_| !self.state.knows_contact(contact.as_deref())) else {
            return Ok(());
        };
        let account = self.builder().from_credentials(credentials).await.map_err(|error| self.failure(&error))?;
        let contacts: Vec<&str> = contact.as_deref().into_iter().collect();
        account.update_contacts(&contacts).await.map_err(|error| self.failure(&error))?;
        self.state.keep_contact(contact.as_deref())?;
        tracing::info!("the certificate authority knows the contact as it is configured now");
        Ok(())
    }

    fn contact(&self) -> Option<String> {
        self.config.contact.as_ref().map(|contact| format!("mailto:{contact}"))
    }

    /// The account, and whether it was made just now.
    async fn account(&self) -> Result<(Account, bool), Failure> {
        match self.state.account()? {
            Some(credentials) => {
                let account = self.builder().from_credentials(credentials).await;
                Ok((account.map_err(|error| self.failure(&error))?, false))
            }
            None => Ok((self.new_account().await?, true)),
        }
    }

    async fn new_account(&self) -> Result<Account, Failure> {
        let told = self.contact();
        let contact: Vec<&str> = told.as_deref().into_iter().collect();
        let wanted = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let external = self.config.eab.as_ref().map(|eab| ExternalAccountKey::new(eab.key_id.clone(), &eab.hmac_key));
        let made = self.builder().create(&wanted, self.config.directory.clone(), external.as_ref()).await;
        let (account, credentials) = made.map_err(|error| self.failure(&error))?;
        self.state.keep_account(&credentials)?;
        self.state.keep_contact(told.as_deref())?;
        tracing::info!(directory = %self.config.directory, "registered with the certificate authority");
        Ok(account)
    }

    async fn issue_to(
        &self,
        account: &Account,
        way: Way,
        replaced: Option<&Facts>,
    ) -> Result<Zeroizing<String>, Failure> {
        let names: Vec<Identifier> = self.config.domains.iter().map(|domain| Identifier::Dns(domain.clone())).collect();
        let mut order = self.order(account, &names, replaced).await?;
        self.prove(&mut order, way).await?;
        let status = order.poll_ready(&PATIENCE).await;
        if !matches!(status, Ok(OrderStatus::Ready)) {
            // The order only knows that it failed; why stands with the name that could not be proved.
            let unproved = self.unproved(&mut order, way).await;
            let other = || match &status {
                Err(error) => self.failure(error),
                Ok(_) => Failure::new(Cause::Refused, "the authority refuses the order and does not say why"),
            };
            return Err(unproved.unwrap_or_else(other));
        }
        self.challenges.clear();

        let unmade = |error: rcgen::Error| {
            Failure::new(Cause::Refused, format!("the request for a certificate can't be made: {error}"))
        };
        let key = rcgen::KeyPair::generate().map_err(unmade)?;
        let mut request = rcgen::CertificateParams::new(self.config.domains.clone()).map_err(unmade)?;
        request.distinguished_name = rcgen::DistinguishedName::new();
        let request = request.serialize_request(&key).map_err(unmade)?;
        order.finalize_csr(request.der()).await.map_err(|error| self.failure(&error))?;
        let chain = order.poll_certificate(&PATIENCE).await.map_err(|error| self.failure(&error))?;
        let key = Zeroizing::new(key.serialize_pem());
        Ok(Zeroizing::new(format!("{}\n{}", chain.trim_end(), key.as_str())))
    }

    async fn order(&self, account: &Account, names: &[Identifier], replaced: Option<&Facts>) -> Result<Order, Failure> {
        let order = match replaced.and_then(identifier) {
            Some(id) => account.new_order(&NewOrder::new(names).replaces(id)).await,
            None => account.new_order(&NewOrder::new(names)).await,
        };
        match order {
            Ok(order) => Ok(order),
            // What it replaces is a courtesy: without it the authority may still want to issue. It has many ways to refuse it: the
            // certificate is another account's, has other names, was replaced already.
            Err(Error::Unsupported(_) | Error::Other(_)) if replaced.is_some() => {
                Box::pin(self.order(account, names, None)).await
            }
            Err(Error::Api(problem)) if replaced.is_some() && !WHATEVER_IS_REPLACED.contains(&kind(&problem)) => {
                let refusal = self.failure(&Error::Api(problem));
                tracing::info!(%refusal, "ordered again without saying which certificate is replaced");
                Box::pin(self.order(account, names, None)).await
            }
            Err(Error::Api(problem)) if kind(&problem) == "accountDoesNotExist" => {
                tracing::warn!("the certificate authority does not know this account any more; a new one is made");
                self.state.put_account_aside()?;
                let account = self.new_account().await?;
                account.new_order(&NewOrder::new(names)).await.map_err(|error| self.failure(&error))
            }
            Err(error) => Err(self.failure(&error)),
        }
    }

    /// Prepares the answers for every name that is not proved yet, and asks the authority to look.
    async fn prove(&self, order: &mut Order, way: Way) -> Result<(), Failure> {
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(|error| self.failure(&error))?;
            if authorization.status != AuthorizationStatus::Pending {
                // Proved before; or refused, which is told in full once the order is asked.
                continue;
            }
            let domain = authorization.identifier().to_string();
            let Some(mut challenge) = authorization.challenge(way.challenge()) else {
                let sentence = format!("the authority does not offer to check {domain} by {}", way.name());
                return Err(Failure { is_about_proof: true, ..Failure::new(Cause::Refused, sentence) });
            };
            let answer = challenge.key_authorization();
            match way {
                Way::Tls => {
                    self.challenges.answer_by_tls(&domain, &Sha256::digest(answer.as_str().as_bytes()).into())?
                }
                Way::Http => self.challenges.answer_by_http(&challenge.token, answer.as_str()),
            }
            challenge.set_ready().await.map_err(|error| self.failure(&error))?;
        }
        Ok(())
    }

    /// The first name that could not be proved, and what the authority says about it.
    async fn unproved(&self, order: &mut Order, way: Way) -> Option<Failure> {
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.ok()?;
            authorization.refresh().await.ok()?;
            if authorization.status == AuthorizationStatus::Invalid {
                let problem = authorization.challenges.iter().find_map(|challenge| challenge.error.as_ref());
                return Some(Failure::of_proof(&authorization.identifier().to_string(), way.name(), problem));
            }
        }
        None
    }
}

/// What the authority calls a certificate (RFC 9773, 4.1).
fn identifier(facts: &Facts) -> Option<CertificateIdentifier<'static>> {
    let key = facts.authority_key.as_deref()?;
    Some(CertificateIdentifier::new(Der::from_slice(key), Der::from_slice(&facts.serial)).into_owned())
}
