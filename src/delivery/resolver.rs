//! Looking names up: every address is checked before it is connected to, and answers are kept for a short while.
//!
//! `getaddrinfo` can hang and can't be interrupted, so each lookup has a thread of its own, never more than one a name.
//! `ureq::unversioned` may change in any minor release, hence the pinned version.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::address::{Forbidden, Target};
use crate::model::time::Timestamp;
use crate::platform::clock::SharedClock;

/// How long an answer is good without asking again.
const FRESH: Duration = Duration::from_secs(30);
/// How long an answer is used when asking again fails.
const STALE: Duration = Duration::from_secs(600);
/// How long a lookup is waited for at most.
pub const LONGEST_LOOKUP: Duration = Duration::from_secs(5);
/// How many addresses of a name are tried; the capacity of ureq's list.
const MAX_ADDRESSES: usize = 16;

/// Why a name has no address. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAddress {
    /// The name service said so, or could not be asked.
    #[error("the name {host} can't be looked up: {reason}")]
    NotFound {
        /// The name.
        host: String,
        /// What the name service says.
        reason: String,
    },
    /// The name service does not answer.
    #[error("the name {0} can't be looked up: the name service does not answer")]
    TimedOut(String),
}

/// Asks the name service.
type Lookup = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

/// What is known of a name.
#[derive(Default)]
struct Known {
    addresses: Vec<IpAddr>,
    /// When the addresses were given.
    found_at: Timestamp,
    /// When the name service was last asked, or last known not to answer.
    asked_at: Timestamp,
    /// Why the last lookup failed, if it did.
    failure: Option<String>,
    /// Whether a lookup is under way.
    asking: bool,
    /// How many lookups have ended.
    lookups: u64,
}

impl Known {
    fn is_within(since: Timestamp, now: Timestamp, span: Duration) -> bool {
        since <= now && now.since(since) < span
    }

    /// Whether the addresses can be used without asking.
    fn is_fresh(&self, now: Timestamp) -> bool {
        self.is_usable(now) && Self::is_within(self.asked_at, now, FRESH)
    }

    /// Whether the addresses can be used at all.
    fn is_usable(&self, now: Timestamp) -> bool {
        !self.addresses.is_empty() && Self::is_within(self.found_at, now, STALE)
    }
}

struct Shared {
    known: Mutex<HashMap<String, Known>>,
    lookup_ended: Condvar,
    lookup: Box<Lookup>,
    clock: SharedClock,
}

impl Shared {
    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look_up(&self, host: &str) {
        let answer = (self.lookup)(host);
        let now = self.clock.now();
        let mut names = self.known();
        let known = names.entry(host.to_owned()).or_default();
        known.asking = false;
        known.lookups += 1;
        known.asked_at = now;
        match answer {
            Ok(addresses) if !addresses.is_empty() => {
                known.addresses = addresses;
                known.found_at = now;
                known.failure = None;
            }
            Ok(_) => known.failure = Some("it has no address".to_owned()),
            Err(error) => known.failure = Some(error.to_string()),
        }
        drop(names);
        self.lookup_ended.notify_all();
    }
}

/// Names with their addresses, remembered.
#[derive(Clone)]
pub struct Names(Arc<Shared>);

impl Names {
    /// Asks the machine's name service.
    pub fn system(clock: SharedClock) -> Self {
        Self::new(clock, |host| match this_machine(host) {
            Some(addresses) => Ok(addresses.to_vec()),
            None => Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect()),
        })
    }

    /// Asks `lookup`.
    pub fn new(clock: SharedClock, lookup: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared {
            known: Mutex::default(),
            lookup_ended: Condvar::new(),
            lookup: Box::new(lookup),
            clock,
        }))
    }

    /// The addresses of a name, from memory where it is fresh enough, else from the name service within `patience`.
    ///
    /// # Errors
    /// When there is no answer and none is remembered.
    pub fn addresses(&self, host: &str, patience: Duration) -> Result<Vec<IpAddr>, NoAddress> {
        let deadline = Instant::now() + patience;
        let not_found = |reason: String| NoAddress::NotFound { host: host.to_owned(), reason };
        let mut names = self.0.known();
        let known = names.entry(host.to_owned()).or_default();
        if known.is_fresh(self.0.clock.now()) {
            return Ok(known.addresses.clone());
        }
        let lookups_before = known.lookups;
        if !known.asking {
            let (shared, name) = (Arc::clone(&self.0), host.to_owned());
            std::thread::Builder::new()
                .name("name-lookup".to_owned())
                .spawn(move || shared.look_up(&name))
                .map_err(|error| not_found(error.to_string()))?;
            known.asking = true;
        }
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let known = names.entry(host.to_owned()).or_default();
            let has_ended = known.lookups != lookups_before;
            if has_ended && known.failure.is_none() {
                return Ok(known.addresses.clone());
            }
            if has_ended || left.is_zero() {
                let now = self.0.clock.now();
                if known.is_usable(now) {
                    known.asked_at = now; // the next callers need not wait for a name service that does not answer
                    return Ok(known.addresses.clone());
                }
                let failure = known.failure.clone().filter(|_| has_ended);
                return Err(failure.map_or_else(|| NoAddress::TimedOut(host.to_owned()), not_found));
            }
            names = self.0.lookup_ended.wait_timeout(names, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The addresses of `localhost`, which needs no name service and is never anybody else's (RFC 6761, 6.3).
fn this_machine(host: &str) -> Option<[IpAddr; 2]> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let last = host.rsplit('.').next().unwrap_or(host);
    last.eq_ignore_ascii_case("localhost").then_some([Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()])
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Names")
    }
}

/// ureq's resolver: looks up, then lets only permitted addresses through.
#[derive(Debug)]
pub struct CheckedResolver {
    names: Names,
    allow_private: bool,
}

impl CheckedResolver {
    /// With `allow_private`, private ranges may be connected to as well.
    pub const fn new(names: Names, allow_private: bool) -> Self {
        Self { names, allow_private }
    }
}

impl Resolver for CheckedResolver {
    fn resolve(&self, uri: &Uri, _: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else {
            return Err(ureq::Error::BadUri("it needs a scheme and a host".to_owned()));
        };
        let other = |error: Forbidden| ureq::Error::Other(Box::new(error));
        let target = Target::new(scheme, host).map_err(other)?;
        let port = uri.port_u16().unwrap_or(if scheme.eq_ignore_ascii_case("http") { 80 } else { 443 });
        let addresses = match target.literal() {
            Some(address) => vec![address],
            None => self
                .names
                .addresses(target.host(), (*timeout.after).min(LONGEST_LOOKUP))
                .map_err(|error| ureq::Error::Other(Box::new(error)))?,
        };
        let mut permitted = self.empty();
        let mut refusal = None;
        for address in addresses {
            match target.permit(address, self.allow_private) {
                Ok(()) if permitted.len() < MAX_ADDRESSES => permitted.push(SocketAddr::new(address, port)),
                Ok(()) => {}
                Err(forbidden) => refusal = Some(forbidden),
            }
        }
        match refusal {
            Some(forbidden) if permitted.is_empty() => Err(other(forbidden)),
            _ if permitted.is_empty() => Err(ureq::Error::HostNotFound),
            _ => Ok(permitted),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;
    use crate::platform::clock::ManualClock;

    const PATIENCE: Duration = Duration::from_secs(5);

    fn start() -> Timestamp {
        Timestamp::from_unix_seconds(1_700_000_000)
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([93, 184, 215, last])
    }

    #[test]
    fn localhost_is_this_machine_without_a_name_service() {
        for name in ["localhost", "LOCALHOST", "localhost.", "hooks.localhost"] {
            assert!(this_machine(name).is_some_and(|all| all.iter().all(IpAddr::is_loopback)), "{name}");
        }
        for name in ["localhost.example.com", "notlocalhost", "example.com", ""] {
            assert_eq!(this_machine(name), None, "{name}");
        }
    }

    #[test]
    fn an_answer_is_kept_for_half_a_minute() {
        let clock = ManualClock::at(start());
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let names = Names::new(clock.clone(), move |_| {
            let count = counter.fetch_add(1, Ordering::SeqCst);
            Ok(vec![address(u8::try_from(count).unwrap())])
        });
        assert_eq!(names.addresses("a.example", PATIENCE), Ok(vec![address(0)]));
        clock.advance(Duration::from_secs(29));
        assert_eq!(names.addresses("a.example", PATIENCE), Ok(vec![address(0)]));
        clock.advance(Duration::from_secs(2));
        assert_eq!(names.addresses("a.example", PATIENCE), Ok(vec![address(1)]));
        clock.set(start());
        assert_eq!(names.addresses("a.example", PATIENCE), Ok(vec![address(2)]), "a clock set back trusts nothing");
        assert_eq!(asked.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn an_old_answer_is_used_for_ten_minutes_while_the_name_service_is_down() {
        let clock = ManualClock::at(start());
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let names = Names::new(clock.clone(), move |_| match counter.fetch_add(1, Ordering::SeqCst) {
            0 => Ok(vec![address(1)]),
            _ => Err(io::Error::other("temporary failure in name resolution")),
        });
        assert!(names.addresses("a.example", PATIENCE).is_ok());
        clock.advance(Duration::from_secs(31));
        assert_eq!(names.addresses("a.example", PATIENCE), Ok(vec![address(1)]));
        assert_eq!(names.addresses("a.example", PATIENCE), Ok(vec![address(1)]));
        assert_eq!(asked.load(Ordering::SeqCst), 2, "a failure is not asked for again at once");
        clock.advance(STALE);
        let error = names.addresses("a.example", PATIENCE).unwrap_err();
        assert!(error.to_string().contains("temporary failure"), "{error}");
    }

    #[test]
    fn a_lookup_that_hangs_costs_one_thread_and_no_more_than_the_patience() {
        let clock = ManualClock::at(start());
        let (release, held) = mpsc::channel::<()>();
        let held = Mutex::new(held);
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let names = Names::new(clock, move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
            let _ = held.lock().unwrap().recv();
            Ok(vec![address(7)])
        });
        let short = Duration::from_millis(30);
        for _ in 0..3 {
            assert_eq!(names.addresses("a.example", short), Err(NoAddress::TimedOut("a.example".to_owned())));
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        release.send(()).unwrap();
        assert_eq!(names.addresses("a.example", PATIENCE), Ok(vec![address(7)]));
    }

    #[test]
    fn forbidden_addresses_are_left_out_and_nothing_else_left_is_a_refusal() {
        let clock = ManualClock::at(start());
        let names = Names::new(clock, |host| {
            Ok(match host {
                "mixed.example" => vec![IpAddr::from([10, 0, 0, 1]), address(1)],
                _ => vec![IpAddr::from([127, 0, 0, 1])],
            })
        });
        let resolve = |uri: &str, allow_private| {
            let resolver = CheckedResolver::new(names.clone(), allow_private);
            let found = resolver.resolve(&uri.parse().unwrap(), &Config::default(), NextTimeout::default());
            found.map(|addresses| addresses.iter().copied().collect::<Vec<_>>()).map_err(|error| error.to_string())
        };
        assert_eq!(resolve("https://mixed.example", false), Ok(vec![SocketAddr::new(address(1), 443)]));
        assert_eq!(resolve("https://mixed.example:8443", true).map(|found| found.len()), Ok(2));
        let refusal = resolve("https://rebound.example", false).unwrap_err();
        assert!(refusal.contains("allow_private_addresses"), "{refusal}");
        assert!(resolve("https://rebound.example", true).is_ok());
        assert!(resolve("http://rebound.example", true).unwrap_err().contains("unencrypted"));
        assert!(resolve("http://localhost", false).is_ok());
        assert!(resolve("https://10.0.0.1/", false).is_err());
    }
}
