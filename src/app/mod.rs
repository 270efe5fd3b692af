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

pub use reload::ReloadError;
pub use start::{App, Parts, StartError};

use std::path::Path;

use crate::config::{Config, Problems};
use crate::platform::signals::{Signals, Wish};
use crate::platform::systemd::{Notice, ServiceManager};

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
    let app = App::start(config, parts)?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), listen = %app.public_address(), "ready");
    let _ = service.notify(&[Notice::Ready, Notice::Status("taking webhooks")]);
    let outcome = app.block_on(async {
        let mut signals = Signals::listen().map_err(StartError::Io)?;
        let mut failure = app.failure();
        loop {
            tokio::select! {
                wish = signals.next() => match wish {
                    Wish::Stop => return Ok(()),
                    Wish::Reload => match reload(file.as_deref()) {
                        Ok(fresh) => match tokio::task::block_in_place(|| app.reload(fresh)) {
                            Ok(()) => tracing::info!("configuration reloaded"),
                            Err(error) => tracing::error!(%error, "the old configuration stays in force"),
                        },
                        Err(problems) => tracing::error!(%problems, "the old configuration stays in force"),
                    },
                },
                error = failure.next() => return Err(StartError::StoreFailed(error)),
            }
        }
    });
    let _ = service.notify(&[Notice::Stopping]);
    app.stop();
    outcome
}
