//! Wiring and lifecycle: opens the store, starts the threads and listeners, and stops them in order. No business rules.

mod books_keeper;
mod certificate;
mod commit_news;
mod door;
mod health;
mod reload;
mod settler;
mod space;
mod start;
mod watchdog;

pub use reload::ReloadError;
pub use start::{App, Parts, StartError};

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::config::{Config, Problems};
use crate::platform::signals::{Signals, Wish};
use crate::platform::systemd::{Notice, ServiceManager};

/// How much longer than usual a start may take at a time.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs until asked to stop. `reload` reads the configuration again.
///
/// # Errors
/// When it can't start, or the store failed while it ran: then the process must end so that it is started again from what is
/// on disk.
pub fn serve(
    config: Config,
    parts: Parts,
    service: &ServiceManager,
    reload: &dyn Fn(Option<&Path>) -> Result<Config, Problems>,
) -> Result<(), StartError> {
    let file = config.file.clone();
    let app = patiently(service, || App::start(config, parts))?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), listen = %app.public_address(), "ready");
    let _ = service.notify(&[Notice::Ready, Notice::Status("taking webhooks")]);
    let outcome = watched(&app, service, || run(&app, file.as_deref(), reload));
    let _ = service.notify(&[Notice::Stopping]);
    app.stop();
    outcome
}

/// Asks the service manager for patience while a start takes its time: a store that is repaired or brought up to date.
fn patiently<T>(service: &ServiceManager, start: impl FnOnce() -> T) -> T {
    let ask = |stop: &AtomicBool| {
        while !stop.load(Ordering::SeqCst) {
            let _ = service.notify(&[Notice::ExtendTimeout(PATIENCE)]);
            std::thread::park_timeout(PATIENCE / 3);
        }
    };
    beside(ask, start)
}

/// Runs with a watchdog beside it, where the service manager wants one.
fn watched<T>(app: &App, service: &ServiceManager, run: impl FnOnce() -> T) -> T {
    match service.watchdog() {
        None => run(),
        Some(interval) => beside(|stop| watchdog::run(app, service, interval, stop), run),
    }
}

/// Does `work` while `companion` runs on a thread of its own, which is told to stop and unparked when the work is over, be it in a
/// panic.
fn beside<T>(companion: impl FnOnce(&AtomicBool) + Send, work: impl FnOnce() -> T) -> T {
    struct Over<'a>(&'a AtomicBool, std::thread::Thread);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
            self.1.unpark();
        }
    }
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| companion(&stop));
        let _over = Over(&stop, thread.thread().clone());
        work()
    })
}

/// A process can't see what became of the variables and credentials that it was started with, nor whether they changed.
fn told_of_reload(holds_copies: bool) {
    tracing::info!("configuration reloaded");
    if holds_copies {
        tracing::warn!(
            "secrets from credentials and the environment are those of the start; if you changed one: systemctl restart tallyhook"
        );
    }
}

/// Heeds signals until one asks to stop, or the store fails.
fn run(
    app: &App,
    file: Option<&Path>,
    reload: &dyn Fn(Option<&Path>) -> Result<Config, Problems>,
) -> Result<(), StartError> {
    app.block_on(async {
        let mut signals = Signals::listen().map_err(StartError::Io)?;
        let mut failure = app.failure();
        loop {
            tokio::select! {
                wish = signals.next() => match wish {
                    Wish::Stop => return Ok(()),
                    Wish::Reload => match reload(file) {
                        Ok(fresh) => match tokio::task::block_in_place(|| app.reload(fresh)) {
                            Ok(()) => told_of_reload(app.holds_copies()),
                            Err(error) => tracing::error!(%error, "the old configuration stays in force"),
                        },
                        Err(problems) => tracing::error!(%problems, "the old configuration stays in force"),
                    },
                },
                error = failure.next() => return Err(StartError::StoreFailed(error)),
            }
        }
    })
}
