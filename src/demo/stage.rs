//! Everything that a rehearsal needs, on loopback and in a folder of its own: the daemon as it is, and sandboxes around it.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::DemoError;
use super::certificate;
use super::samples::Shop;
use super::sandbox::{AlertSandbox, CrmSandbox, Ga4Sandbox, MailerLiteSandbox};
use super::tls_client::TlsClient;
use crate::app::{App, Parts};
use crate::config::{Config, Environment, SystemEnvironment};
use crate::platform::clock::SystemClock;

/// Where the sample source takes its events.
pub const PATH: &str = "/api/webhooks/stripe";
/// MailerLite groups of the tiers.
pub const GROUPS: [(&str, &str); 3] =
    [("vip", "160000000000000001"), ("premium", "160000000000000002"), ("standard", "160000000000000003")];

const MEASUREMENT_ID: &str = "G-DEMO2026";

/// A folder for this run only, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn create() -> io::Result<Self> {
        let parent = SystemEnvironment.var("TMPDIR").filter(|path| path.starts_with('/'));
        let parent = PathBuf::from(parent.unwrap_or_else(|| "/tmp".to_owned()));
        let path = parent.join(format!("tallyhook-demo-{}", random()?));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Sixteen hexadecimal digits that nobody can guess.
fn random() -> io::Result<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(hex::encode(bytes))
}

/// Where a destination of the rehearsal listens, and its key.
struct Secrets {
    webhook: String,
    ga4: String,
    crm: String,
    mailerlite: String,
}

/// A running daemon with everything around it.
pub struct Stage {
    /// The daemon.
    pub app: App,
    /// Its configuration, as it stands in [`Stage::config_file`].
    pub config: Config,
    /// GA4.
    pub ga4: Ga4Sandbox,
    /// The CRM.
    pub crm: CrmSandbox,
    /// MailerLite.
    pub mailerlite: MailerLiteSandbox,
    /// The operator's monitoring.
    pub alerts: AlertSandbox,
    /// Posts to the daemon.
    pub client: TlsClient,
    /// Makes what is posted.
    pub shop: Shop,
    // Last, so that it is removed when nobody uses it any more.
    folder: Folder,
}

impl Stage {
    /// Sets everything up and starts the daemon.
    ///
    /// # Errors
    /// When something can't be set up or started.
    pub fn set_up() -> Result<Self, DemoError> {
        let folder = Folder::create()?;
        let secrets = Secrets {
            webhook: format!("whsec_{}{}", random()?, random()?),
            ga4: random()?,
            crm: random()?,
            mailerlite: random()?,
        };
        let ga4 = Ga4Sandbox::start(MEASUREMENT_ID, &secrets.ga4)?;
        let crm = CrmSandbox::start(&secrets.crm)?;
        let mailerlite = MailerLiteSandbox::start(&secrets.mailerlite, &GROUPS.map(|(_, id)| id))?;
        let alerts = AlertSandbox::start()?;
        let trusted = certificate::write(&folder.file("cert.pem"), &folder.file("key.pem"))?;
        let text =
            settings(free_address()?, &secrets, [&ga4.origin(), &crm.base_url(), &mailerlite.origin()], &alerts.url());
        let file = folder.file("tallyhook.toml");
        write_private(&file, &text)?;
        let config = Config::load(Some(&file), &SystemEnvironment)
            .map_err(|problems| DemoError::Setup(format!("its own configuration is wrong:\n{problems}")))?;
        let [source] = &config.sources[..] else {
            return Err(DemoError::Setup("its own configuration has no source".to_owned()));
        };
        let shop = Shop::new(source, Arc::new(SystemClock))?;
        let app = App::start(config.clone(), Parts::default()).map_err(|error| DemoError::Setup(error.to_string()))?;
        let client = TlsClient::new(app.public_address(), trusted)?;
        Ok(Self { app, config, ga4, crm, mailerlite, alerts, client, shop, folder })
    }

    /// The daemon's configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.folder.file("tallyhook.toml")
    }

    /// Stops the daemon, then the sandboxes, and removes the folder.
    pub fn close(self) {
        let Self { app, ga4, crm, mailerlite, alerts, folder, .. } = self;
        app.stop();
        drop((ga4, crm, mailerlite, alerts));
        drop(folder);
    }
}

/// A port that is free now. It has to stand in the configuration, so that other commands find the daemon by it.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn write_private(file: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(file)?;
    io::Write::write_all(&mut file, text.as_bytes())
}

/// The configuration; its paths start at its own folder. Waits are short, so that a person can watch.
fn settings(listen: SocketAddr, secrets: &Secrets, [ga4, crm, mailerlite]: [&str; 3], alerts: &str) -> String {
    let port = listen.port();
    let groups = GROUPS.map(|(tier, id)| format!("{tier} = \"{id}\"")).join(", ");
    let Secrets { webhook, ga4: api_secret, crm: crm_key, mailerlite: mailerlite_key } = secrets;
    let schedule = r#"schedule = ["0s", "1s", "2s", "5s", "10s"]"#;
    format!(
        r#"# The configuration of a rehearsal (`tallyhook demo`). It is gone when the rehearsal ends.

[server]
listen = "{listen}"
public_url = "https://localhost:{port}"
drain_timeout = "2s"
tls = {{ mode = "files", cert = "cert.pem", key = "key.pem" }}

[admin]
socket = "admin.sock"

[store]
path = "tallyhook.redb"
reserve = "1MiB"

[sources.stripe]
kind = "stripe"
secrets = ["{webhook}"]
settle = "2s"
settle_late = "4s"

[destinations.ga4]
kind = "ga4"
measurement_id = "{MEASUREMENT_ID}"
api_secret = "{api_secret}"
endpoint = "{ga4}"
{schedule}

[destinations.crm]
kind = "rest"
base_url = "{crm}"
api_key = "{crm_key}"
{schedule}

[destinations.mailerlite]
kind = "mailerlite"
api_key = "{mailerlite_key}"
endpoint = "{mailerlite}"
groups = {{ {groups} }}
{schedule}

[alerts.monitoring]
kind = "webhook"
url = "{alerts}"

[alerting]
group_wait = "1s"
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_private_and_goes_away() {
        use std::os::unix::fs::PermissionsExt;
        let folder = Folder::create().unwrap();
        let path = folder.0.clone();
        write_private(&folder.file("x"), "secret").unwrap();
        for (path, mode) in [(path.clone(), 0o700), (folder.file("x"), 0o600)] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, mode);
        }
        drop(folder);
        assert!(!path.exists());
        assert_ne!(random().unwrap(), random().unwrap());
    }
}
