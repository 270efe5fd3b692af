//! `tallyhook serve`.

use std::ffi::OsString;
use std::io::Write;

use clap::Args;

use super::{Failure, Setting};
use crate::app::{self, Parts};
use crate::config::{Config, Environment};
use crate::platform::sockets::PassedSockets;
use crate::platform::systemd::{ServiceManager, watchdog_interval};
use crate::telemetry;

/// Arguments of `serve`.
#[derive(Debug, Args)]
#[command(after_help = "\
SIGTERM finishes what is under way and stops. SIGHUP reads the configuration again; when something is wrong with it \
the old one stays in force, and the log says why.

Examples:
  tallyhook serve
  tallyhook serve --config ./tallyhook.toml
  STRIPE_WEBHOOK_SECRET=whsec_… tallyhook serve")]
pub(super) struct Serve {}

impl Serve {
    /// Runs until stopped.
    pub(super) fn run(self, setting: &Setting<'_>, _: &mut dyn Write) -> Result<(), Failure> {
        let config = setting.load()?;
        telemetry::init(&config.log).map_err(|error| Failure::Wrong(error.to_string()))?;
        telemetry::panics::install();
        let notify_socket = setting.environment.var("NOTIFY_SOCKET").map(OsString::from);
        let service = ServiceManager::new(notify_socket.as_deref())
            .map_err(|error| Failure::Failed(format!("the service manager can't be told anything: {error}")))?;
        let (usec, pid) = (setting.environment.var("WATCHDOG_USEC"), setting.environment.var("WATCHDOG_PID"));
        let service = service.with_watchdog(watchdog_interval(usec.as_deref(), pid.as_deref()));
        let environment: &dyn Environment = setting.environment;
        // Without a file of its own name the configuration is looked for where it was found.
        let again = |file: Option<&std::path::Path>| Config::load(file.or(setting.config), environment);
        let parts = Parts { sockets: PassedSockets::take(), ..Parts::default() };
        app::serve(config, parts, &service, &again).map_err(|error| Failure::Failed(error.to_string()))
    }
}
