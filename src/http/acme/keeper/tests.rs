//! Patience, restarts and what is on disk, with an authority that is scripted and a clock that is moved. That a certificate comes of
//! it in the end is shown against a real authority in `tests/acme.rs`.

use std::sync::atomic::{AtomicBool, Ordering};

use hyper::Response;

use super::*;
use crate::platform::clock::{Clock, FixedChance, ManualClock};

const DAY: Duration = Duration::from_secs(86_400);

/// Status, a header field's value and a body.
type Scripted = (u16, &'static str, &'static str);

/// An authority that answers every request in the same way, and when it was asked.
struct World {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
    asked: Arc<Mutex<Vec<Timestamp>>>,
    /// Status, `Retry-After` and body; none for no connection.
    answer: Arc<Mutex<Option<Scripted>>>,
    /// While set, requests hang.
    hangs: Arc<AtomicBool>,
    /// The window in which it suggests to renew; none for an authority that suggests nothing.
    window: Arc<Mutex<Option<(Timestamp, Timestamp)>>>,
    /// For which certificates it was asked for a suggestion.
    suggested: Arc<Mutex<Vec<String>>>,
    /// The kind of problem by which it refuses every order that says what it replaces; none while it gives out no nonce.
    refusal: Arc<Mutex<Option<&'static str>>>,
    /// What was posted to it, by path.
    posted: Arc<Mutex<Vec<(String, serde_json::Value)>>>,
}

impl World {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            clock: ManualClock::at(Timestamp::from_unix_seconds(1_800_000_000)),
            asked: Arc::default(),
            answer: Arc::default(),
            hangs: Arc::default(),
            window: Arc::default(),
            suggested: Arc::default(),
            refusal: Arc::default(),
            posted: Arc::default(),
        }
    }

    fn config() -> config::Acme {
        config::Acme {
            domains: vec!["a.example".to_owned()],
            contact: None,
            directory: "https://ca.example/dir".to_owned(),
            ca_root: None,
            eab: None,
            http_listen: None,
            retry: Duration::from_secs(60),
            allow_private_addresses: false,
        }
    }

    fn keeper(&self) -> Keeper {
        self.keeper_of(Self::config())
    }

    fn keeper_of(&self, config: config::Acme) -> Keeper {
        let (clock, asked, answer) = (Arc::clone(&self.clock), Arc::clone(&self.asked), Arc::clone(&self.answer));
        let hangs = Arc::clone(&self.hangs);
        let (window, suggested) = (Arc::clone(&self.window), Arc::clone(&self.suggested));
        let (refusal, posted) = (Arc::clone(&self.refusal), Arc::clone(&self.posted));
        let exchange: Exchange = Arc::new(move |request| {
            if let Some((start, end)) = *window.lock().unwrap() {
                let mut answer = Response::builder().header("retry-after", "21600");
                let body = match request.uri().path().strip_prefix("/renewal-info/") {
                    Some(id) => {
                        suggested.lock().unwrap().push(id.to_owned());
                        serde_json::json!({"suggestedWindow": {"start": start.to_string(), "end": end.to_string()}})
                    }
                    None if request.uri().path() == "/dir" => serde_json::json!({
                        "newNonce": "https://ca.example/nonce", "newAccount": "https://ca.example/account",
                        "newOrder": "https://ca.example/order", "renewalInfo": "https://ca.example/renewal-info",
                    }),
                    None if refusal.lock().unwrap().is_some() => {
                        answer = Response::builder().header("replay-nonce", "bm9uY2U");
                        let path = request.uri().path().to_owned();
                        let payload = payload(request.body());
                        let replaces = payload["replaces"].is_string();
                        posted.lock().unwrap().push((path.clone(), payload));
                        match path.as_str() {
                            "/order" => {
                                let refusal =
                                    if replaces { refusal.lock().unwrap().unwrap() } else { "rejectedIdentifier" };
                                let kind = format!("urn:ietf:params:acme:error:{refusal}");
                                answer = answer.status(400).header("content-type", "application/problem+json");
                                serde_json::json!({"type": kind, "detail": "no"})
                            }
                            _ => serde_json::json!({"status": "valid"}),
                        }
                    }
                    None => {
                        answer = answer.status(503);
                        asked.lock().unwrap().push(clock.now());
                        serde_json::Value::Null
                    }
                };
                return answer.body(body.to_string().into_bytes()).map_err(|error| error.to_string());
            }
            asked.lock().unwrap().push(clock.now());
            while hangs.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(1));
            }
            let (status, retry_after, body) = answer.lock().unwrap().ok_or("no connection to ca.example")?;
            let mut answer = Response::builder().status(status).header("content-type", "application/problem+json");
            if !retry_after.is_empty() {
                answer = answer.header("retry-after", retry_after);
            }
            answer.body(body.as_bytes().to_vec()).map_err(|error| error.to_string())
        });
        let clock: SharedClock = Arc::clone(&self.clock) as SharedClock;
        let chance = Arc::new(FixedChance(0.0));
        Keeper::new(config, self.folder.path(), Surroundings { exchange, clock, chance, deaf: None })
    }

    fn asked(&self) -> Vec<Timestamp> {
        self.asked.lock().unwrap().clone()
    }

    /// Runs a keeper while something else happens.
    fn during<T>(&self, keeper: &Keeper, script: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let (done, seen) = tokio::sync::oneshot::channel::<()>();
            let running = keeper.run(async {
                let _ = seen.await;
            });
            let script = async {
                let outcome = script.await;
                let _ = done.send(());
                outcome
            };
            tokio::join!(running, script).1
        })
    }

    /// Moves the clock on in steps, and lets the keeper look at it each time.
    async fn pass(&self, span: Duration, step: Duration) {
        let end = self.clock.now().after(span);
        while self.clock.now() < end {
            self.clock.advance(step);
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    async fn until(&self, is_so: impl Fn() -> bool) {
        for _ in 0..20_000 {
            if is_so() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("waited in vain; asked at {:?}", self.asked());
    }

    fn state(&self) -> StateFolder {
        StateFolder::new(self.folder.path(), &Self::config().directory)
    }

    /// Puts an account on disk whose contact the authority was told.
    fn register(&self, contact: Option<&str>) {
        use base64::Engine;
        let key = rcgen::KeyPair::generate().unwrap().serialize_der();
        let account = serde_json::json!({
            "id": "https://ca.example/account/1", "directory": Self::config().directory,
            "key_pkcs8": base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(key),
        });
        self.state().keep_account(&serde_json::from_value(account).unwrap()).unwrap();
        self.state().keep_contact(contact).unwrap();
    }

    /// For every order that was posted, whether it says what it replaces.
    fn orders(&self) -> Vec<bool> {
        let posted = self.posted.lock().unwrap();
        posted.iter().filter(|(path, _)| path == "/order").map(|(_, order)| order["replaces"].is_string()).collect()
    }

    /// Puts a certificate on disk that is good for 90 days from now.
    fn put_on_disk(&self, names: &[&str]) {
        let mut params =
            rcgen::CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        // The clock's own day in UTC.
        params.not_before = rcgen::date_time_ymd(2027, 1, 15);
        params.not_after = rcgen::date_time_ymd(2027, 4, 15);
        params.use_authority_key_identifier_extension = true;
        params.key_identifier_method = rcgen::KeyIdMethod::PreSpecified(vec![0xc0, 0xff, 0xee]);
        params.serial_number = Some(rcgen::SerialNumber::from_slice(&[0xca, 0xfe]));
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = format!("{}{}", params.self_signed(&key).unwrap().pem(), key.serialize_pem());
        StateFolder::new(self.folder.path(), &Self::config().directory).keep_certificate(pem.as_bytes()).unwrap();
    }
}

/// What stands in a signed request (RFC 7515, 7.2.2); null when there is nothing.
fn payload(body: &[u8]) -> serde_json::Value {
    use base64::Engine;
    let request: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let payload = request["payload"].as_str().unwrap_or_default();
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
    serde_json::from_slice(&payload).unwrap_or_default()
}

fn gaps(asked: &[Timestamp]) -> Vec<u64> {
    asked.windows(2).map(|pair| pair[1].since(pair[0]).as_secs() / 60).collect()
}

#[test]
fn an_authority_that_is_away_is_asked_with_growing_patience() {
    let world = World::new();
    let keeper = world.keeper();
    assert!(!keeper.certificate().is_there());
    assert_eq!(keeper.certificate().standing().problem(world.clock.now()), None, "nothing was tried yet");
    world.during(&keeper, async {
        world.until(|| world.asked().len() == 1).await;
        world
            .until(|| {
                world.clock.advance(Duration::from_secs(1));
                world.asked().len() > 4
            })
            .await;
    });
    let gaps = gaps(&world.asked());
    for (at, gap) in gaps.iter().enumerate() {
        assert!(*gap >= 1 << at, "{gaps:?}");
    }
    let problem = keeper.certificate().standing().problem(world.clock.now()).unwrap();
    assert!(
        problem.contains("no certificate for a.example yet") && problem.contains("no connection to ca.example"),
        "{problem}"
    );
    assert!(problem.contains("the next try is at"), "{problem}");
}

#[test]
fn a_restart_loop_does_not_hammer_the_authority() {
    let world = World::new();
    let keeper = world.keeper();
    world.during(&keeper, world.until(|| keeper.certificate().standing().last_error.is_some()));
    for _ in 0..20 {
        let keeper = world.keeper();
        world.during(&keeper, async { tokio::time::sleep(Duration::from_millis(5)).await });
    }
    assert_eq!(world.asked().len(), 1);
    let keeper = world.keeper();
    assert!(keeper.certificate().standing().failures > 0, "a new process knows of the failures");

    let other = config::Acme { domains: vec!["b.example".to_owned()], ..World::config() };
    let before = world.asked().len();
    world.during(&world.keeper_of(other), world.until(|| world.asked().len() > before));
}

#[test]
fn a_crash_in_the_middle_counts_and_an_orderly_stop_does_not() {
    let world = World::new();
    world.hangs.store(true, Ordering::SeqCst);
    let keeper = world.keeper();
    world.during(&keeper, async {
        world.until(|| world.asked().len() == 1).await;
        // What a process that ends here leaves behind.
        let tries = keeper.state.tries(&keeper.wish);
        assert_eq!(tries.failures, 1);
        assert!(tries.not_before >= world.clock.now().after(Duration::from_secs(60)));
        let hangs = Arc::clone(&world.hangs);
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            hangs.store(false, Ordering::SeqCst);
        });
    });
    assert_eq!(keeper.state.tries(&keeper.wish).failures, 0);
}

#[test]
fn what_the_authority_asks_for_is_heeded_even_when_a_person_is_impatient() {
    let world = World::new();
    *world.answer.lock().unwrap() =
        Some((429, "7200", r#"{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many"}"#));
    let keeper = world.keeper();
    world.during(&keeper, async {
        world.until(|| keeper.certificate().standing().last_error.is_some()).await;
        keeper.certificate().reload().unwrap();
        world.pass(Duration::from_secs(7100), Duration::from_secs(100)).await;
        keeper.certificate().reload().unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(world.asked().len(), 1);
        world.clock.advance(Duration::from_secs(200));
        world.until(|| world.asked().len() == 2).await;
    });
}

#[test]
fn a_person_can_have_it_tried_at_once() {
    let world = World::new();
    let keeper = world.keeper();
    world.during(&keeper, async {
        world.until(|| keeper.certificate().standing().last_error.is_some()).await;
        keeper.certificate().reload().unwrap();
        world.until(|| world.asked().len() == 2).await;
    });
}

#[test]
fn a_certificate_on_disk_is_used_and_renewed_in_time() {
    let world = World::new();
    world.put_on_disk(&["a.example"]);
    let keeper = world.keeper();
    assert!(keeper.certificate().is_there(), "at once");
    let standing = keeper.certificate().standing();
    assert_eq!(standing.names, ["a.example"]);
    assert_eq!(standing.renews_at.unwrap().date(), "2027-03-16", "30 of 90 days are left");
    world.during(&keeper, async {
        world.pass(59 * DAY, DAY).await;
        assert_eq!(world.asked().len(), 0);
        world.pass(2 * DAY, DAY).await;
        world.until(|| !world.asked().is_empty()).await;
    });
    assert!(keeper.certificate().is_there(), "the old one stays in use");
}

#[test]
fn a_moment_that_the_authority_suggests_is_kept_to() {
    let world = World::new();
    world.put_on_disk(&["a.example"]);
    world.register(None);
    // Sooner than we would: say, since the authority has to revoke it.
    let (start, end) = (world.clock.now().after(5 * DAY), world.clock.now().after(6 * DAY));
    *world.window.lock().unwrap() = Some((start, end));
    let keeper = world.keeper();
    world.during(&keeper, async {
        world.until(|| keeper.certificate().standing().renews_at == Some(start)).await;
        assert_eq!(world.suggested.lock().unwrap()[0], "wP_u.AMr-", "RFC 9773, 4.1");
        world.pass(4 * DAY, DAY / 4).await;
        assert_eq!(world.asked().len(), 0);
        // It may change its mind.
        world.until(|| world.suggested.lock().unwrap().len() > 1).await;
        world.pass(2 * DAY, DAY / 4).await;
        world.until(|| !world.asked().is_empty()).await;
    });
    assert!(world.asked()[0] >= start);
}

#[test]
fn a_certificate_for_other_names_counts_as_none() {
    let world = World::new();
    world.put_on_disk(&["b.example"]);
    let keeper = world.keeper();
    let standing = keeper.certificate().standing();
    assert_eq!((standing.names, standing.validity, standing.renews_at), (vec!["a.example".to_owned()], None, None));
    assert!(!keeper.certificate().is_there());
    assert!(keeper.certificate().facts().is_some(), "it is shown while the right one is asked for");
    world.during(&keeper, world.until(|| keeper.certificate().standing().last_error.is_some()));
    let problem = keeper.certificate().standing().problem(world.clock.now()).unwrap();
    assert!(problem.contains("no certificate for a.example yet"), "{problem}");
}

/// The orders that come of a renewal at an authority that refuses those which say what they replace, with this kind of problem.
fn orders_refused_as(refusal: &'static str) -> Vec<bool> {
    let world = World::new();
    world.put_on_disk(&["a.example"]);
    world.register(None);
    *world.refusal.lock().unwrap() = Some(refusal);
    let now = world.clock.now();
    *world.window.lock().unwrap() = Some((now, now.after(Duration::from_secs(1))));
    let keeper = world.keeper();
    world.during(&keeper, world.until(|| keeper.certificate().standing().last_error.is_some()));
    world.orders()
}

#[test]
fn what_is_replaced_is_a_courtesy_that_no_certificate_depends_on() {
    // Let's Encrypt's answers for other names and for another account's certificate; RFC 9773, 5 for the third.
    for refusal in ["malformed", "unauthorized", "alreadyReplaced", "conflict"] {
        assert_eq!(orders_refused_as(refusal), [true, false], "{refusal}");
    }
    assert_eq!(orders_refused_as("rateLimited"), [true], "to ask again at once would be rude");
}

#[test]
fn an_order_for_other_names_replaces_nothing() {
    let world = World::new();
    world.put_on_disk(&["b.example"]);
    world.register(None);
    *world.refusal.lock().unwrap() = Some("malformed");
    let (start, end) = (world.clock.now(), world.clock.now().after(DAY));
    *world.window.lock().unwrap() = Some((start, end));
    let keeper = world.keeper();
    // What the authority suggests for the old one is known by the second try.
    world.during(&keeper, async {
        world.until(|| keeper.certificate().standing().last_error.is_some()).await;
        world.until(|| !world.suggested.lock().unwrap().is_empty()).await;
        keeper.certificate().reload().unwrap();
        world.until(|| world.orders().len() == 2).await;
    });
    assert_eq!(world.orders(), [false, false]);
}

#[test]
fn another_contact_is_told_once() {
    let world = World::new();
    world.put_on_disk(&["a.example"]);
    world.register(None);
    *world.refusal.lock().unwrap() = Some("malformed");
    let (start, end) = (world.clock.now().after(50 * DAY), world.clock.now().after(51 * DAY));
    *world.window.lock().unwrap() = Some((start, end));
    let config = config::Acme { contact: Some("me@example.com".to_owned()), ..World::config() };
    for _ in 0..2 {
        world.suggested.lock().unwrap().clear();
        let keeper = world.keeper_of(config.clone());
        world.during(&keeper, world.until(|| !world.suggested.lock().unwrap().is_empty()));
    }
    let posted = world.posted.lock().unwrap();
    let told: Vec<_> = posted.iter().filter(|(path, _)| path == "/account/1").map(|(_, account)| account).collect();
    assert_eq!(told, [&serde_json::json!({"contact": ["mailto:me@example.com"]})]);
}

#[test]
fn rubbish_on_disk_is_as_good_as_nothing() {
    let world = World::new();
    let state = StateFolder::new(world.folder.path(), &World::config().directory);
    state.keep_certificate(b"-----BEGIN CERTIFICATE-----\nhalf writ").unwrap();
    let keeper = world.keeper();
    assert!(!keeper.certificate().is_there());
    world.during(&keeper, world.until(|| world.asked().len() == 1));
}

#[test]
fn nothing_is_asked_for_that_could_not_be_kept() {
    let world = World::new();
    std::fs::write(world.folder.path().join("acme"), "a file where the folder should be").unwrap();
    let keeper = world.keeper();
    world.during(&keeper, async {
        world.until(|| keeper.certificate().standing().last_error.is_some()).await;
    });
    assert_eq!(world.asked().len(), 0);
    assert!(keeper.certificate().standing().problem(world.clock.now()).unwrap().contains("can't keep the certificate"));
}
