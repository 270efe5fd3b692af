//! Starts everything in order, and stops it in the opposite one.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use tokio::sync::watch;

use super::books_keeper::BooksKeeper;
use super::certificate::{self, CertificateParts};
use super::commit_news::CommitNews;
use super::door::WriterDoor;
use super::health::Health;
use super::settler::Settler;
use super::space::Space;
use crate::alerts::sender::{AlertThreads, Alerts, Channel};
use crate::alerts::trouble::{AlertClass, Recovered, Trouble};
use crate::config::{self, Config};
use crate::delivery::client::{Client, ClientOptions, HttpClient, Limits};
use crate::delivery::connection::{Trust, TrustError};
use crate::delivery::engine::{self, Engine, EngineError, Surroundings};
use crate::http::admin::{AdminSocket, BindError};
use crate::http::certificate::Standing as CertificateStanding;
use crate::http::door::Door;
use crate::http::health::HealthPages;
use crate::http::leads::{LeadLimits, LeadSettings, Leads};
use crate::http::listener::{self, Handler};
use crate::http::rejected::RejectedLog;
use crate::http::router::Router;
use crate::http::source_table::SourceTable;
use crate::http::tls::{Certificate, TlsError};
use crate::http::webhooks::{BodyLimits, Webhooks};
use crate::ledger::rules::Rules;
use crate::model::delivery::Standing;
use crate::model::id::DestinationId;
use crate::operator::{Configured, Desk, Live, rules};
use crate::platform::clock::{Chance, SharedClock, SystemClock, ThreadChance};
use crate::platform::disk::{FreeDisk, SystemDisk};
use crate::platform::sockets::PassedSockets;
use crate::store::{Command, Store, StoreError, StoreSettings, Unavailable, Writer, WriterSettings};

/// What is given in: the outside world, or a test's.
pub struct Parts {
    /// The time.
    pub clock: SharedClock,
    /// For jitter.
    pub chance: Arc<dyn Chance>,
    /// How much the disk still holds.
    pub disk: Arc<dyn FreeDisk>,
    /// Roots that destinations' certificates are checked against, beside the usual ones; PEM.
    pub extra_roots: Option<Vec<u8>>,
    /// Listening sockets that the service manager handed over.
    pub sockets: PassedSockets,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            chance: Arc::new(ThreadChance),
            disk: Arc::new(SystemDisk),
            extra_roots: None,
            sockets: PassedSockets::default(),
        }
    }
}

/// Why Tallyhook can't start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The public address can't be had.
    #[error(
        "can't listen on {address}: {cause}; another program may have it; a port below 1024 needs a permission, or tallyhook-https.socket active: `systemctl status tallyhook-https.socket`"
    )]
    Listen {
        /// Which one.
        address: SocketAddr,
        /// Why.
        cause: std::io::Error,
    },
    /// The store can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The certificate can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The root of an authority of one's own can't be used.
    #[error("server.tls.ca_root: can't use {path}: {reason}; put the authority's root certificate there, in PEM form")]
    AuthorityRoot {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The admin socket can't be had.
    #[error(transparent)]
    Admin(#[from] BindError),
    /// The engine can't start.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The trusted roots can't be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The store took no first write.
    #[error("the store takes nothing: {0}")]
    FirstWrite(#[from] Unavailable),
    /// The store failed while it ran.
    #[error("the store failed: {0}; start again once the disk is in order")]
    StoreFailed(String),
    /// The system refuses.
    #[error("the system refuses: {0}")]
    Io(#[from] std::io::Error),
}

/// A running Tallyhook.
pub struct App {
    pub(super) config: Mutex<Config>,
    pub(super) runtime: tokio::runtime::Runtime,
    pub(super) store: Store,
    pub(super) writer: Writer,
    pub(super) router: Arc<Router>,
    pub(super) health: Arc<HealthPages>,
    pub(super) desk: Desk,
    pub(super) certificate: Option<Arc<Certificate>>,
    pub(super) news: Arc<CommitNews>,
    pub(super) surroundings: Surroundings,
    pub(super) trust: Trust,
    address: SocketAddr,
    space: Arc<Space>,
    stopping: Arc<AtomicBool>,
    stop_listening: watch::Sender<bool>,
    serving: Vec<tokio::task::JoinHandle<()>>,
    writer_thread: JoinHandle<()>,
    chores: Vec<JoinHandle<()>>,
    alert_threads: AlertThreads,
}

/// Waits for the store to fail.
pub struct Failure(watch::Receiver<Option<String>>);

impl Failure {
    /// Resolves with the error, once there is one.
    pub async fn next(&mut self) -> String {
        loop {
            if let Some(error) = self.0.borrow_and_update().clone() {
                return error;
            }
            if self.0.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl App {
    /// Starts.
    ///
    /// # Errors
    /// With a sentence on what is wrong and what to do.
    pub fn start(config: Config, mut parts: Parts) -> Result<Self, StartError> {
        for warning in &config.warnings {
            tracing::warn!(%warning, "configuration");
        }
        let listen = config.server.listen;
        let listener =
            parts.sockets.claim_or_bind(listen).map_err(|cause| StartError::Listen { address: listen, cause })?;
        let address = listener.local_addr()?;
        let folder = config.store.path.parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf);
        let CertificateParts { certificate, keeper, plain } =
            CertificateParts::prepare(&config.server, &folder, &mut parts)?;
        for address in parts.sockets.unclaimed() {
            tracing::warn!(%address, "the service manager listens there for us, but the configuration does not");
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(32)
            .thread_name("http")
            .enable_all()
            .build()?;

        let names: Vec<String> = config.destinations.iter().map(|destination| destination.name.clone()).collect();
        let settings = StoreSettings { path: config.store.path.clone(), cache: config.store.cache };
        let opened = Store::open(&settings, &names)?;
        let store = opened.store;
        let trust = Trust::new(parts.extra_roots.as_deref())?;
        let alert_threads =
            AlertThreads::start(channels(&config, &trust, &parts.clock), config.alerting, &parts.clock)?;
        let alerts = alert_threads.alerts();

        let settler = Arc::new(Settler::default());
        let (failure, _) = watch::channel(None);
        let news = Arc::new(CommitNews {
            engine: RwLock::default(),
            settler: Arc::clone(&settler),
            alerts: alerts.clone(),
            names: RwLock::new(opened.destinations.iter().copied().zip(names).collect()),
            failed: Mutex::default(),
            failure,
        });
        let rules = rules(&config, &opened.destinations);
        let listens = Arc::clone(&news);
        let (writer, writer_thread) =
            Writer::start(&store, rules.clone(), WriterSettings::default(), Arc::clone(&parts.clock), listens)?;
        // After a crash nothing is sent before one commit has succeeded: what was sent before could else be sent again and again.
        writer.run(Command::Touch)?;

        let space = Arc::new(Space::new(Arc::clone(&parts.disk), folder, config.store.reserve));
        let surroundings = Surroundings {
            reader: store.reader(),
            writer: writer.clone(),
            clock: Arc::clone(&parts.clock),
            chance: parts.chance,
            gate: space.clone(),
            alerts: alerts.clone(),
        };
        let engine = Engine::start(&surroundings, lanes(&config, &rules, &trust, &parts.clock))?;
        *news.engine.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(engine));

        let rejected = Arc::new(RejectedLog::default());
        let snapshot = store.reader().snapshot()?;
        let kept = snapshot.rejected()?;
        if let Some(Err(error)) = kept.map(|list| rejected.restore(&list)) {
            tracing::warn!(%error, "the list of rejected requests could not be taken up again");
        }
        // After a crash the list may be behind what is kept whole.
        if let Some(last) = snapshot.refused()?.last() {
            rejected.number_after(last.id);
        }
        drop(snapshot);
        let stopping = Arc::new(AtomicBool::new(false));
        let lead_limits = Arc::new(LeadLimits::default());
        let mut chores = start_chores(&ChoreParts {
            settler: Arc::clone(&settler),
            space: Arc::clone(&space),
            alerts: alerts.clone(),
            keeper: BooksKeeper {
                writer: writer.clone(),
                clock: Arc::clone(&parts.clock),
                retention: config.retention,
                leads_kept: config.leads.keep,
                lead_limits: Arc::clone(&lead_limits),
                rejected: Arc::clone(&rejected),
                stopping: Arc::clone(&stopping),
                reader: store.reader(),
                alerts: alerts.clone(),
                news: Arc::clone(&news),
                space: Arc::clone(&space),
            },
            surroundings: surroundings.clone(),
        })?;

        let view = Health {
            writer: writer.clone(),
            space: Arc::clone(&space),
            news: Arc::clone(&news),
            clock: Arc::clone(&parts.clock),
            reader: store.reader(),
            certificate: certificate.clone(),
        };
        let health = Arc::new(HealthPages::new(Arc::new(view), config.health.clone()));
        let door = Arc::new(WriterDoor { writer: writer.clone(), space: Arc::clone(&space) });
        let leads_door: Arc<dyn Door> = door.clone();
        let router = Arc::new(Router {
            webhooks: Webhooks::new(
                SourceTable::from_config(&config),
                Arc::clone(&parts.clock),
                door,
                Arc::clone(&rejected),
                crate::store::body::compress,
                BodyLimits::from(&config.server),
            ),
            leads: Leads::new(
                LeadSettings::from(&config),
                Arc::clone(&parts.clock),
                leads_door,
                Arc::clone(&lead_limits),
            ),
            health: Arc::clone(&health),
        });
        let live = Arc::new(LiveParts {
            rejected,
            news: Arc::clone(&news),
            writer: writer.clone(),
            space: Arc::clone(&space),
            certificate: certificate.clone(),
            lead_limits,
        });
        let clock = Arc::clone(&parts.clock);
        let configured = configured(&config, &trust, &parts.clock);
        let desk =
            Desk::new(store.reader(), writer.clone(), Arc::clone(&parts.clock), parts.disk, configured, Some(live));

        let (stop_listening, stop_seen) = watch::channel(false);
        let admin = AdminSocket::bind(&config.admin.socket)?;
        let mut serving = vec![
            runtime.spawn(serve_public(
                listener,
                config.server.clone(),
                certificate.clone(),
                Arc::clone(&router),
                stopped(stop_seen.clone()),
            )),
            runtime.spawn(serve_admin(
                admin,
                desk.clone(),
                Arc::clone(&health),
                config.server.drain_timeout,
                stopped(stop_seen.clone()),
            )),
        ];
        if let Some((listener, handler)) = plain {
            let stop = stopped(stop_seen.clone());
            serving.push(runtime.spawn(serve_public(listener, config.server.clone(), None, handler, stop)));
        }
        if let Some(keeper) = keeper {
            chores.push(certificate::keep(keeper, runtime.handle().clone(), stopped(stop_seen.clone()))?);
        }
        if let Some(certificate) = &certificate {
            let watch = certificate::watch(Arc::clone(certificate), alerts, clock, stopped(stop_seen));
            serving.push(runtime.spawn(watch));
        }
        Ok(Self {
            config: Mutex::new(config),
            runtime,
            store,
            writer,
            router,
            health,
            desk,
            certificate,
            news,
            surroundings,
            trust,
            address,
            space,
            stopping,
            stop_listening,
            serving,
            writer_thread,
            chores,
            alert_threads,
        })
    }

    /// Where webhooks are taken; with the real port when the configuration asked for any.
    pub const fn public_address(&self) -> SocketAddr {
        self.address
    }

    /// The operator's desk, for a caller in the same process.
    pub fn desk(&self) -> Desk {
        self.desk.clone()
    }

    /// Resolves when the store failed.
    pub fn failure(&self) -> Failure {
        Failure(self.news.failure.subscribe())
    }

    /// Runs a future on the listener's runtime.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Stops in order: no new connections, requests under way finish, deliveries under way finish or are broken off, what
    /// waits is written.
    pub fn stop(self) {
        self.stop_listening.send_replace(true);
        self.runtime.block_on(async {
            for task in self.serving {
                let _ = task.await;
            }
        });
        if let Some(engine) = self.news.engine() {
            engine.stop();
        }
        self.news.settler.stop();
        self.space.stop();
        self.stopping.store(true, Ordering::SeqCst);
        for thread in self.chores {
            let _ = thread.join();
        }
        self.writer.close();
        let _ = self.writer_thread.join();
        self.alert_threads.stop();
        self.runtime.shutdown_background();
    }
}

/// What the desk needs of a configuration. Its requests use connections of their own, so that a test waits for no worker.
pub(super) fn configured(config: &Config, trust: &Trust, clock: &SharedClock) -> Configured {
    Configured::new(config, |destination| Arc::new(client(destination, trust, clock)))
}

fn client(destination: &config::Destination, trust: &Trust, clock: &SharedClock) -> HttpClient {
    let options = ClientOptions {
        allow_private_addresses: destination.delivery.allow_private_addresses,
        connections: destination.delivery.concurrency,
    };
    HttpClient::new(trust.clone(), options, Arc::clone(clock))
}

/// A lane for each destination, with a client of its own.
pub(super) fn lanes(config: &Config, rules: &Rules, trust: &Trust, clock: &SharedClock) -> Vec<engine::Destination> {
    let pairs = config.destinations.iter().zip(&rules.destinations);
    pairs
        .map(|(destination, rules)| engine::Destination {
            rules: rules.clone(),
            client: Arc::new(client(destination, trust, clock)),
            timeout: destination.delivery.timeout,
            rate_limit: destination.delivery.rate_limit,
            concurrency: destination.delivery.concurrency,
        })
        .collect()
}

fn channels(config: &Config, trust: &Trust, clock: &SharedClock) -> Vec<Channel> {
    let channels = config.alerts.iter().map(|alert| {
        let options = ClientOptions { allow_private_addresses: alert.allow_private_addresses, connections: 1 };
        let client = HttpClient::new(trust.clone(), options, Arc::clone(clock));
        Channel {
            alert: alert.clone(),
            post: Box::new(move |request, timeout| client.send(request, &Limits { timeout })),
        }
    });
    channels.collect()
}

struct ChoreParts {
    settler: Arc<Settler>,
    space: Arc<Space>,
    alerts: Alerts,
    keeper: BooksKeeper,
    surroundings: Surroundings,
}

fn start_chores(parts: &ChoreParts) -> Result<Vec<JoinHandle<()>>, StartError> {
    let thread = |name: &str, work: Box<dyn FnOnce() + Send>| {
        std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(StartError::Io)
    };
    let (settler, surroundings) = (Arc::clone(&parts.settler), parts.surroundings.clone());
    let settle = move || settler.run(&surroundings.reader, &surroundings.writer, &surroundings.clock);
    let (space, alerts) = (Arc::clone(&parts.space), parts.alerts.clone());
    let watch = move || space.watch(|enough| tell_of_space(&alerts, enough));
    let keeper = parts.keeper.clone();
    Ok(vec![
        thread("settle", Box::new(settle))?,
        thread("disk", Box::new(watch))?,
        thread("chores", Box::new(move || keeper.run()))?,
    ])
}

fn tell_of_space(alerts: &Alerts, enough: bool) {
    if enough {
        tracing::info!("the disk has room again: webhooks are accepted and deliveries sent");
        alerts.recovered(&Recovered { subject: "disk".into(), class: AlertClass::Storage });
    } else {
        let message = "the free disk is below the reserve: nothing is accepted or sent until there is more".to_owned();
        tracing::error!(%message, "disk");
        alerts.report(&Trouble {
            subject: "disk".into(),
            class: AlertClass::Storage,
            message,
            transaction_id: None,
            lead_id: None,
            count: 1,
        });
    }
}

async fn stopped(mut seen: watch::Receiver<bool>) {
    // The sender going away means the same.
    let _ = seen.wait_for(|stop| *stop).await;
}

async fn serve_public<H: Handler>(
    listener: TcpListener,
    server: config::Server,
    certificate: Option<Arc<Certificate>>,
    handler: Arc<H>,
    stop: impl Future<Output = ()>,
) {
    match listener::serve(listener, &server, certificate, handler, stop).await {
        Ok(stopped) if stopped.unfinished > 0 => {
            tracing::warn!(connections = stopped.unfinished, "cut after the time for finishing was over");
        }
        Ok(_) => {}
        Err(error) => tracing::error!(%error, "the public listener ended"),
    }
}

async fn serve_admin(
    socket: AdminSocket,
    desk: Desk,
    health: Arc<HealthPages>,
    drain: std::time::Duration,
    stop: impl Future<Output = ()>,
) {
    if let Err(error) = socket.serve(Arc::new(desk), health, drain, stop).await {
        tracing::error!(%error, "the admin socket ended");
    }
}

/// What the desk asks of a running daemon.
struct LiveParts {
    rejected: Arc<RejectedLog>,
    news: Arc<CommitNews>,
    writer: Writer,
    space: Arc<Space>,
    certificate: Option<Arc<Certificate>>,
    lead_limits: Arc<LeadLimits>,
}

impl Live for LiveParts {
    fn rejected(&self) -> &RejectedLog {
        &self.rejected
    }

    fn standing(&self, destination: DestinationId) -> Option<Standing> {
        self.news.engine()?.standing(destination)
    }

    fn standing_changed(&self, destination: DestinationId, standing: &Standing) {
        if let Some(engine) = self.news.engine() {
            engine.standing_changed(destination, standing.clone());
        }
    }

    fn ready(&self) -> Result<(), String> {
        super::health::ready(&self.space, &self.writer, self.certificate.as_deref())
    }

    fn lost_alerts(&self) -> Option<String> {
        self.news.alerts.trouble()
    }

    fn certificate(&self) -> Option<CertificateStanding> {
        self.certificate.as_ref().map(|certificate| certificate.standing())
    }

    fn lead_limits(&self) -> Option<&LeadLimits> {
        Some(&self.lead_limits)
    }
}
