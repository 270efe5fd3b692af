//! The certificate: where it comes from, who keeps it valid, and who is told when it needs a person.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::start::{Parts, StartError};
use crate::alerts::sender::Alerts;
use crate::alerts::trouble::{AlertClass, Recovered, Trouble};
use crate::config;
use crate::delivery::client::{ClientOptions, HttpClient, Limits};
use crate::delivery::connection::Trust;
use crate::destinations::NoAnswer;
use crate::http::acme::Exchange;
use crate::http::acme::keeper::{Keeper, Surroundings};
use crate::http::certificate::Defect;
use crate::http::plain::Plain;
use crate::http::tls::Certificate;
use crate::model::time::Timestamp;
use crate::platform::clock::SharedClock;

/// For one request to an authority.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How often the certificate is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// How often trouble that lasts is reported with words of the day.
const AGAIN: Duration = Duration::from_secs(86_400);
/// What alerts are about.
const SUBJECT: &str = "certificate";

/// What TLS needs as configured.
#[derive(Default)]
pub(super) struct CertificateParts {
    /// What is shown; none without TLS.
    pub(super) certificate: Option<Arc<Certificate>>,
    /// Who fetches and renews it.
    pub(super) keeper: Option<Keeper>,
    /// Where plain HTTP is answered.
    pub(super) plain: Option<(TcpListener, Arc<Plain>)>,
}

impl CertificateParts {
    /// Reads what is there and binds what has to be bound; nobody outside is asked.
    pub(super) fn prepare(server: &config::Server, store_folder: &Path, parts: &mut Parts) -> Result<Self, StartError> {
        let acme = match &server.tls {
            config::Tls::Off => return Ok(Self::default()),
            config::Tls::Files { cert, key } => {
                return Ok(Self { certificate: Some(Certificate::load(cert, key)?), ..Self::default() });
            }
            config::Tls::Acme(acme) => acme.as_ref(),
        };
        // Only one of two ways to prove names is missing without it: no reason to take no webhook.
        let (plain, deaf) = match acme
            .http_listen
            .map(|address| parts.sockets.claim_or_bind(address).map_err(|error| (address, error)))
        {
            None => (None, None),
            Some(Ok(listener)) => (Some(listener), None),
            Some(Err((address, error))) => (None, Some(deaf(address, &error))),
        };
        if let Some(deaf) = &deaf {
            tracing::error!("{deaf}");
        }
        let surroundings = Surroundings {
            exchange: exchange(acme, parts)?,
            clock: Arc::clone(&parts.clock),
            chance: Arc::clone(&parts.chance),
            deaf,
        };
        let keeper = Keeper::new(acme.clone(), store_folder, surroundings);
        let plain = plain.map(|listener| {
            let (domains, url) = (acme.domains.clone(), server.public_url.as_deref());
            (listener, Arc::new(Plain::new(keeper.challenges(), domains, url)))
        });
        Ok(Self { certificate: Some(keeper.certificate()), keeper: Some(keeper), plain })
    }
}

fn deaf(address: SocketAddr, error: &std::io::Error) -> String {
    format!(
        "server.tls.http_listen: can't listen on {address}: {error}; names are proved on port 443 only. A port below 1024 is opened by \
         tallyhook-https.socket: `systemctl edit tallyhook-https.socket` and add ListenStream={} below [Socket], then `systemctl stop \
         tallyhook-https.socket tallyhook.service` and `systemctl start tallyhook.service`",
        address.port()
    )
}

/// The way to the authority: a client of its own.
fn exchange(acme: &config::Acme, parts: &Parts) -> Result<Exchange, StartError> {
    let trust = match &acme.ca_root {
        Some(path) => {
            let wrong = |reason: String| StartError::AuthorityRoot { path: path.clone(), reason };
            let root = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
            Trust::new(Some(&root)).map_err(|error| wrong(error.to_string()))?
        }
        None => Trust::new(parts.extra_roots.as_deref())?,
    };
    let options = ClientOptions { allow_private_addresses: acme.allow_private_addresses, connections: 1 };
    let client = HttpClient::new(trust, options, Arc::clone(&parts.clock));
    Ok(Arc::new(move |request| {
        client.exchange(request, &Limits { timeout: TIMEOUT }).map_err(|no_answer| match no_answer {
            NoAnswer::NotSent(why) | NoAnswer::Unknown(why) | NoAnswer::Broken(why) => why,
        })
    }))
}

/// Keeps the certificate valid in a thread of its own, whose writing to disk no request waits for.
pub(super) fn keep(
    keeper: Keeper,
    runtime: tokio::runtime::Handle,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<JoinHandle<()>, StartError> {
    let work = move || runtime.block_on(keeper.run(stop));
    std::thread::Builder::new().name("acme".to_owned()).spawn(work).map_err(StartError::Io)
}

/// Whether people are to be told: of what is wrong now, when that is not what they were told last, and once a day, since the words
/// that they were told go out of date; and that nothing is wrong any more.
fn is_news(told: Option<(Defect, Timestamp)>, defect: Option<Defect>, now: Timestamp) -> bool {
    match (told, defect) {
        (None, None) => false,
        (Some((told, at)), Some(defect)) => told != defect || now >= at.after(AGAIN),
        _ => true,
    }
}

/// Alerts people when the certificate needs one, and when it no longer does.
pub(super) async fn watch(
    certificate: Arc<Certificate>,
    alerts: Alerts,
    clock: SharedClock,
    stop: impl Future<Output = ()>,
) {
    let watching = async {
        let mut told = None;
        loop {
            let (now, defect) = (clock.now(), certificate.standing().defect(clock.now()));
            let is_news = is_news(told, defect.as_ref().map(|(defect, _)| *defect), now);
            match defect {
                Some((defect, message)) if is_news => {
                    tracing::error!("{message}");
                    alerts.report(&Trouble {
                        subject: SUBJECT.to_owned(),
                        class: AlertClass::Certificate,
                        message,
                        transaction_id: None,
                        lead_id: None,
                        count: 1,
                    });
                    told = Some((defect, now));
                }
                None if is_news => {
                    tracing::info!("the certificate is in order again");
                    alerts.recovered(&Recovered { subject: SUBJECT.to_owned(), class: AlertClass::Certificate });
                    told = None;
                }
                _ => {}
            }
            tokio::time::sleep(EVERY).await;
        }
    };
    tokio::select! {
        () = pin!(stop) => {}
        () = watching => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_when_it_gets_worse_and_once_a_day() {
        let hour = |hour: i64| Timestamp::from_unix_seconds(hour * 3600);
        let told = Some((Defect::Failing, hour(0)));
        assert!(is_news(None, Some(Defect::Failing), hour(0)));
        assert!(!is_news(told, Some(Defect::Failing), hour(23)));
        assert!(is_news(told, Some(Defect::Failing), hour(24)), "with words of today");
        assert!(is_news(told, Some(Defect::Late), hour(1)) && is_news(told, Some(Defect::Expired), hour(1)));
        assert!(is_news(told, None, hour(1)), "that it is over");
        assert!(!is_news(None, None, hour(1)));
    }
}
