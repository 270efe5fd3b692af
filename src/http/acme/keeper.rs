//! Sees to it that there is a certificate: uses the one on disk, asks for one when there is none, renews it in time, and has
//! patience with an authority that is away or says no.

use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};

use super::challenges::Challenges;
use super::failure::Failure;
use super::order::{Authority, Way};
use super::schedule::{self, Cause, LONGEST_ASKED_WAIT};
use super::state::{StateFolder, Tries};
use super::transport::{Exchange, Transport};
use crate::config;
use crate::http::certificate::{Facts, Standing};
use crate::http::tls::Certificate;
use crate::model::time::Timestamp;
use crate::platform::clock::{Chance, SharedClock};
use crate::platform::crypto::crypto_provider;

/// Longer than any authority takes.
const LONGEST_TRY: Duration = Duration::from_secs(300);
/// The clock may be set: nothing waits longer without a look at it.
const LONGEST_NAP: Duration = Duration::from_secs(60);
/// Between two questions for a suggested moment of renewal (RFC 9773, 4.3.2 lets the authority say, within reason).
const SUGGESTION_PACE: (Duration, Duration) = (Duration::from_secs(3600), Duration::from_secs(86_400));

/// What is given in: the outside world, or a test's.
pub struct Surroundings {
    /// How the authority is reached.
    pub exchange: Exchange,
    /// The time.
    pub clock: SharedClock,
    /// For jitter.
    pub chance: Arc<dyn Chance>,
    /// Why names can't be proved on port 80 although `http_listen` is given; a sentence. None where nothing is wrong.
    pub deaf: Option<String>,
}

/// Keeps a certificate valid.
pub struct Keeper {
    config: config::Acme,
    state: StateFolder,
    transport: Transport,
    challenges: Arc<Challenges>,
    certificate: Arc<Certificate>,
    clock: SharedClock,
    chance: Arc<dyn Chance>,
    deaf: Option<String>,
    /// What is asked for, in a few letters.
    wish: String,
    held: Mutex<Option<Held>>,
    /// The tries as they were before the one under way.
    interrupted: Mutex<Option<Tries>>,
}

/// The certificate in use.
#[derive(Clone)]
struct Held {
    facts: Facts,
    /// When it is to be renewed.
    renew_at: Timestamp,
    /// When the authority is asked next whether it suggests another moment.
    ask_at: Timestamp,
    /// Whether it wants to know which certificate a new one replaces.
    wants_replaced: bool,
}

impl Keeper {
    /// Takes up what is on disk below the store's folder. Nothing is asked of anybody yet.
    pub fn new(mut config: config::Acme, store_folder: &Path, surroundings: Surroundings) -> Self {
        if surroundings.deaf.is_some() {
            config.http_listen = None;
        }
        let challenges = Arc::new(Challenges::default());
        let eab = config.eab.as_ref().map(|eab| &eab.key_id);
        let root = config.ca_root.as_ref().map(|root| root.display().to_string());
        let reach = (root, config.allow_private_addresses, config.http_listen);
        let wish = serde_json::json!([config.domains, config.contact, eab, reach]);
        let keeper = Self {
            state: StateFolder::new(store_folder, &config.directory),
            transport: Transport::new(surroundings.exchange, Arc::clone(&surroundings.clock)),
            certificate: Certificate::from_authority(Arc::clone(&challenges)),
            challenges,
            clock: surroundings.clock,
            chance: surroundings.chance,
            deaf: surroundings.deaf,
            wish: hex::encode(&Sha256::digest(wish.to_string().as_bytes())[..8]),
            held: Mutex::default(),
            interrupted: Mutex::default(),
            config,
        };
        keeper.take_up();
        keeper.tell();
        keeper
    }

    /// What the listener shows.
    pub fn certificate(&self) -> Arc<Certificate> {
        Arc::clone(&self.certificate)
    }

    /// What the plain listener answers.
    pub fn challenges(&self) -> Arc<Challenges> {
        Arc::clone(&self.challenges)
    }

    /// Keeps on until `stop` resolves.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        tokio::select! {
            biased;
            () = stop => {}
            () = self.keep() => {}
        }
        // A try that we broke off ourselves says nothing about the authority.
        if let Some(tries) = self.interrupted.lock().unwrap_or_else(PoisonError::into_inner).take() {
            if let Err(error) = self.state.keep_tries(&tries) {
                tracing::warn!(%error, "certificate");
            }
        }
    }

    async fn keep(&self) {
        let mut at_once = false;
        loop {
            let now = self.clock.now();
            let (needed_at, tries) = (self.needed_at(), self.state.tries(&self.wish));
            let patience = if at_once && !tries.is_asked { now } else { not_before(&tries, now) };
            let due = needed_at.max(patience);
            at_once = false;
            if due <= now {
                self.try_once(tries).await;
                continue;
            }
            let ask_at = self.held().map_or(Timestamp::FAR_FUTURE, |held| held.ask_at);
            if ask_at <= now {
                self.ask_for_a_suggestion().await;
                continue;
            }
            let nap = self.clock.wait_until(due.min(ask_at)).min(LONGEST_NAP);
            tokio::select! {
                () = tokio::time::sleep(nap) => {}
                () = self.certificate.wished() => at_once = true,
            }
        }
    }

    /// When a new certificate is needed, whatever came of the last tries.
    fn needed_at(&self) -> Timestamp {
        self.right().map_or(Timestamp::EPOCH, |held| held.renew_at)
    }

    /// The certificate in use, unless it is for other names: those who come to the right one refuse it.
    fn right(&self) -> Option<Held> {
        self.held().filter(|held| held.facts.covers(&self.config.domains))
    }

    async fn try_once(&self, before: Tries) {
        let now = self.clock.now();
        let failures = before.failures.saturating_add(1);
        // Written before anything is asked: should the program end in the middle, again and again, the authority is not asked each time.
        let wait = schedule::wait(failures, Cause::Unreachable, self.config.retry, None, self.chance.next());
        let begun = Tries { failures, at: now, not_before: now.after(wait), is_asked: false, ..before.clone() };
        let outcome = match self.state.keep_tries(&begun) {
            // What can't be kept is not worth asking for.
            Err(error) => Err(error.into()),
            Ok(()) => {
                *self.interrupted.lock().unwrap_or_else(PoisonError::into_inner) = Some(before.clone());
                let outcome = tokio::time::timeout(LONGEST_TRY, self.issue(&before)).await;
                self.challenges.clear();
                outcome.unwrap_or_else(|_| Err(Failure::new(Cause::Unreachable, "the authority took too long")))
            }
        };
        *self.interrupted.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let after = match outcome {
            Ok(way) => Tries {
                failures: 0,
                not_before: Timestamp::EPOCH,
                is_asked: false,
                error: None,
                way: (way == Way::Http).then(|| way.name().to_owned()),
                ..begun
            },
            Err(failure) => {
                let wait =
                    schedule::wait(failures, failure.cause, self.config.retry, failure.asked, self.chance.next());
                let not_before = self.clock.now().after(wait);
                let way =
                    if failure.is_about_proof { other(self.way(&before), &self.config) } else { self.way(&before) };
                tracing::warn!(error = %failure, failures, next_try_at = %not_before, "no certificate");
                let is_asked = failure.asked.is_some() || failure.cause == Cause::Limited;
                let way = (way == Way::Http).then(|| way.name().to_owned());
                Tries { not_before, is_asked, error: Some(failure.sentence), way, ..begun }
            }
        };
        if let Err(error) = self.state.keep_tries(&after) {
            tracing::warn!(%error, "certificate");
            // Without a place to write it down, patience has to be had here.
            tokio::time::sleep(self.clock.wait_until(after.not_before)).await;
        }
        self.tell_of(&after);
    }

    /// Gets a certificate and puts it to use; returns the way in which the names were proved.
    async fn issue(&self, tries: &Tries) -> Result<Way, Failure> {
        let authority = self.authority();
        // One for other names goes on beside the new one, as far as the authority is concerned (RFC 9773, 5).
        let held = self.right();
        let replaced = held.as_ref().filter(|held| held.wants_replaced).map(|held| &held.facts);
        let way = self.way(tries);
        let (pem, way) = match authority.issue(way, replaced).await {
            // The first time the other way is tried at once: somebody is waiting for the first certificate.
            Err(failure) if failure.is_about_proof && tries.failures == 0 && other(way, &self.config) != way => {
                tracing::info!(error = %failure, "the names are proved in another way");
                let way = other(way, &self.config);
                (authority.issue(way, replaced).await?, way)
            }
            issued => (issued?, way),
        };
        let (key, facts) =
            usable(pem.as_bytes()).filter(|(_, facts)| facts.covers(&self.config.domains)).ok_or_else(|| {
                Failure::new(Cause::Refused, "the authority issued a certificate that can't be used for these names")
            })?;
        self.state.keep_certificate(pem.as_bytes())?;
        let expires_at = facts.not_after;
        self.hold(key, facts);
        tracing::info!(names = %self.config.domains.join(", "), %expires_at, "a new certificate is in use");
        Ok(way)
    }

    async fn ask_for_a_suggestion(&self) {
        let Some(held) = self.held() else { return };
        match tokio::time::timeout(LONGEST_TRY, self.authority().tell_contact()).await {
            Ok(Ok(())) => {}
            // It is told again with the next question; no certificate depends on it.
            Ok(Err(error)) => tracing::warn!(%error, "the certificate authority does not know the new contact"),
            Err(_) => tracing::debug!("the certificate authority did not take the contact in time"),
        }
        let suggestion = tokio::time::timeout(LONGEST_TRY, self.authority().suggestion(&held.facts)).await;
        let mut held = Held { ask_at: self.clock.now().after(SUGGESTION_PACE.1), ..held };
        match suggestion {
            Ok(Ok(Some((start, end, again)))) => {
                held.wants_replaced = true;
                held.ask_at = self.clock.now().after(again.clamp(SUGGESTION_PACE.0, SUGGESTION_PACE.1));
                // A moment chosen before stays, unless the authority changed its mind; ours is the latest that is good.
                if !(start..=end).contains(&held.renew_at) {
                    let own = schedule::renewal(&held.facts, self.chance.next());
                    held.renew_at = schedule::suggested(start, end, self.chance.next()).min(own.max(start));
                }
            }
            Ok(Ok(None)) => {}
            Ok(Err(error)) => tracing::debug!(%error, "no suggestion when to renew the certificate"),
            Err(_) => tracing::debug!("no suggestion in time when to renew the certificate"),
        }
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
        self.tell();
    }

    fn authority(&self) -> Authority<'_> {
        Authority { config: &self.config, state: &self.state, transport: &self.transport, challenges: &self.challenges }
    }

    /// The way to prove the names now.
    fn way(&self, tries: &Tries) -> Way {
        let by_http = tries.way.as_deref() == Some(Way::Http.name()) && self.config.http_listen.is_some();
        if by_http { Way::Http } else { Way::Tls }
    }

    /// Uses what is on disk.
    fn take_up(&self) {
        match self.state.certificate() {
            Ok(None) => {}
            Ok(Some(pem)) => match usable(&pem) {
                Some((key, facts)) => self.hold(key, facts),
                None => tracing::warn!("the certificate on disk can't be used; a new one is asked for"),
            },
            Err(error) => tracing::warn!(%error, "certificate"),
        }
    }

    fn hold(&self, key: CertifiedKey, facts: Facts) {
        let renew_at = schedule::renewal(&facts, self.chance.next());
        let held = Held { facts, renew_at, ask_at: self.clock.now(), wants_replaced: false };
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
        self.certificate.show(key);
    }

    fn held(&self) -> Option<Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn tell(&self) {
        self.tell_of(&self.state.tries(&self.wish));
    }

    fn tell_of(&self, tries: &Tries) {
        let held = self.right();
        self.certificate.tell(Standing {
            mode: "acme",
            names: held.as_ref().map_or_else(|| self.config.domains.clone(), |held| held.facts.names.clone()),
            validity: held.as_ref().map(|held| (held.facts.not_before, held.facts.not_after)),
            renews_at: held.as_ref().map(|held| held.renew_at),
            failures: tries.failures,
            last_error: tries.error.clone().map(|error| (tries.at, error)),
            next_try_at: (tries.failures > 0).then_some(tries.not_before),
            is_asked_to_wait: tries.is_asked,
            deaf: self.deaf.clone(),
        });
    }
}

/// The other way to prove names, where there is one.
fn other(way: Way, config: &config::Acme) -> Way {
    match way {
        Way::Tls if config.http_listen.is_some() => Way::Http,
        _ => Way::Tls,
    }
}

/// No try before. A clock that was set back makes no wait longer than any could be.
fn not_before(tries: &Tries, now: Timestamp) -> Timestamp {
    if tries.failures == 0 { Timestamp::EPOCH } else { tries.not_before.min(now.after(LONGEST_ASKED_WAIT)) }
}

/// What stands in the certificate that is kept on disk for a configuration; none when none was fetched yet. Nobody is asked.
///
/// # Errors
/// When it can't be read or used. A sentence.
pub fn kept(config: &config::Acme, store_folder: &Path) -> Result<Option<Facts>, String> {
    let state = StateFolder::new(store_folder, &config.directory);
    let Some(pem) = state.certificate().map_err(|error| error.to_string())? else { return Ok(None) };
    let found =
        usable(&pem).ok_or("the certificate on disk can't be used; another one is fetched at the next start")?;
    Ok(Some(found.1))
}

/// A certificate chain and its key, when they are whole and belong together.
fn usable(pem: &[u8]) -> Option<(CertifiedKey, Facts)> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()?;
    let key = PrivateKeyDer::from_pem_slice(pem).ok()?;
    let facts = Facts::read(chain.first()?)?;
    let key = CertifiedKey::from_der(chain, key, &crypto_provider()).ok()?;
    Some((key, facts))
}

#[cfg(test)]
mod tests;
