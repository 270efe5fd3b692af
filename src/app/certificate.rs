//! The certificate: where it comes from, who keeps it valid, and who is told when it needs a person.

use std::future::Future;
use std::net::TcpListener;
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
use crate::http::plain::Plain;
use crate::http::tls::Certificate;
use crate::platform::clock::SharedClock;

/// For one request to an authority.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How often the certificate is looked at.
const EVERY: Duration = Duration::from_secs(1);
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
        let surroundings = Surroundings {
            exchange: exchange(acme, parts)?,
            clock: Arc::clone(&parts.clock),
            chance: Arc::clone(&parts.chance),
        };
        let keeper = Keeper::new(acme.clone(), store_folder, surroundings);
        let plain = match acme.http_listen {
            None => None,
            Some(address) => {
                let listener =
                    parts.sockets.claim_or_bind(address).map_err(|cause| StartError::Listen { address, cause })?;
                let (domains, url) = (acme.domains.clone(), server.public_url.as_deref());
                Some((listener, Arc::new(Plain::new(keeper.challenges(), domains, url))))
            }
        };
        Ok(Self { certificate: Some(keeper.certificate()), keeper: Some(keeper), plain })
    }
}

/// The way to the authority: a client of its own.
fn exchange(acme: &config::Acme, parts: &Parts) -> Result<Exchange, StartError> {
    let own_root = acme.ca_root.as_ref().map(std::fs::read).transpose()?;
    let trust = Trust::new(own_root.as_deref().or(parts.extra_roots.as_deref()))?;
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

/// Alerts people when the certificate needs one, and when it no longer does.
pub(super) async fn watch(
    certificate: Arc<Certificate>,
    alerts: Alerts,
    clock: SharedClock,
    stop: impl Future<Output = ()>,
) {
    let watching = async {
        let mut told = false;
        loop {
            match certificate.standing().problem(clock.now()) {
                Some(message) if !told => {
                    tracing::error!("{message}");
                    alerts.report(&Trouble {
                        subject: SUBJECT.to_owned(),
                        class: AlertClass::Certificate,
                        message,
                        transaction_id: None,
                        lead_id: None,
                        count: 1,
                    });
                    told = true;
                }
                None if told => {
                    tracing::info!("the certificate is in order again");
                    alerts.recovered(&Recovered { subject: SUBJECT.to_owned(), class: AlertClass::Certificate });
                    told = false;
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
