//! `lead.js` in a real browser: Chromium opens a page with a form, a payment link and a booking link, all on loopback.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use support::daemon::{Daemon, Home, Sandboxes, Settings};
use support::wait_for;

const CHROMIUM: &str = "/usr/bin/chromium";

/// Serves one page again and again, for as long as the test runs; its origin.
fn serve(page: impl Fn(&str) -> String + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let own = origin.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // A browser opens connections that it may never use.
            let _ = stream.set_read_timeout(Some(Duration::from_millis(500)));
            let mut head = [0; 4096];
            if !matches!(stream.read(&mut head), Ok(1..)) {
                continue;
            }
            let body = page(&own);
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
        }
    });
    origin
}

/// A daemon that takes leads of a page, which is only known after it.
struct Stage {
    _sandboxes: Sandboxes,
    home: Home,
    daemon: Daemon,
}

impl Stage {
    fn start(origin: &str, leads: &str) -> Self {
        let sandboxes = Sandboxes::start();
        let more = format!("[leads]\norigins = [\"{origin}\"]\nrate_limit = \"off\"\nsettle = \"300ms\"\n{leads}\n");
        let home = Home::new(&sandboxes, &Settings { more, ..Settings::default() });
        let daemon = home.start();
        Self { _sandboxes: sandboxes, home, daemon }
    }

    fn leads(&self) -> u64 {
        self.home.rows(&["status"])[0]["leads"].as_u64().unwrap()
    }
}

/// The page as it stands after its scripts ran; none, loudly, where there is no browser.
fn look(url: &str, profile: &Path) -> Option<String> {
    if !Path::new(CHROMIUM).exists() {
        eprintln!("SKIPPED: {CHROMIUM} is not here; `apt-get install chromium`, as .ci/run does");
        return None;
    }
    let output = Command::new("timeout")
        .args(["--kill-after=5", "120", CHROMIUM])
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--virtual-time-budget=6000",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(url)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn page(script: &str) -> String {
    format!(
        r#"<!doctype html><title>shop</title>
<meta http-equiv="content-security-policy" content="script-src 'unsafe-inline' {script}; connect-src {script}">
<script>document.cookie = '_ga=GA1.1.1234567890.1747132561'; document.cookie = '_ga_AB12=GS2.1.s1747132561$o1$g0$t1747132655';</script>
<script src="{script}/lead.js"></script>
<a id="pay" href="https://buy.stripe.com/test_abc?prefilled_email=a%40b.example">Pay</a>
<a id="own" href="https://buy.stripe.com/test_abc?client_reference_id=mine_0001">Pay</a>
<a id="book" href="https://api.leadconnectorhq.com/widget/booking/xyz">Book</a>
<a id="other" href="https://elsewhere.example/">Elsewhere</a>
<stripe-buy-button id="button"></stripe-buy-button>
<form data-tallyhook action="about:blank" target="nowhere">
  <input type="email" name="mail" value="jane@example.com"><input name="name" value="Jane">
  <input type="checkbox" name="consent_email" checked>
  <input type="hidden" id="source" name="utm_source"><input type="hidden" name="ga_client_id">
</form><iframe name="nowhere"></iframe>
<script>
  document.querySelector('form').addEventListener('submit', function (e) {{ e.preventDefault(); }});
  setTimeout(function () {{ document.querySelector('form').requestSubmit(); }}, 1000);
</script>"#
    )
}

/// The value of an attribute of the element with an id.
fn attribute(dom: &str, id: &str, name: &str) -> Option<String> {
    let at = dom.find(&format!("id=\"{id}\""))?;
    let element = &dom[dom[..at].rfind('<')?..at + dom[at..].find('>')?];
    let value = element.split(&format!(" {name}=\"")).nth(1)?;
    Some(value.split('"').next()?.replace("&amp;", "&"))
}

#[test]
fn links_and_forms_carry_the_lead_id_and_the_server_learns_it() {
    let script = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let told = std::sync::Arc::clone(&script);
    let origin = serve(move |_| page(&told.lock().unwrap()));
    let stage = Stage::start(&origin, "");
    *script.lock().unwrap() = format!("http://{}", stage.daemon.address);
    let profile = tempfile::tempdir().unwrap();
    let url = format!("{origin}/?utm_source=news&utm_campaign=spring&gclid=click1");
    let Some(dom) = look(&url, profile.path()) else { return };

    let pay = attribute(&dom, "pay", "href").unwrap_or_else(|| panic!("{dom}"));
    let id = pay.split("client_reference_id=").nth(1).unwrap_or_else(|| panic!("{pay}")).to_owned();
    assert!(id.starts_with("th_") && id.len() == 35, "{pay}");
    assert!(pay.contains("prefilled_email=a%40b.example"), "what was there stays: {pay}");
    assert!(attribute(&dom, "own", "href").unwrap().ends_with("client_reference_id=mine_0001"));
    let book = attribute(&dom, "book", "href").unwrap();
    for part in [&format!("lead_id={id}"), "utm_campaign=spring", "ga_client_id=1234567890.1747132561", "gclid=click1"]
    {
        assert!(book.contains(part), "{part} in {book}");
    }
    assert_eq!(attribute(&dom, "other", "href").as_deref(), Some("https://elsewhere.example/"));
    assert_eq!(attribute(&dom, "button", "client-reference-id").as_ref(), Some(&id));

    wait_for("the form at the server", || {
        stage.home.command(&["contacts", "show", "jane@example.com"]).status.success()
    });
    assert_eq!(stage.leads(), 1);
    let contact = &stage.home.rows(&["contacts", "show", &id])[0];
    assert_eq!(contact["last_touch"]["utm_source"], "news");
    assert_eq!(contact["last_touch"]["has_client_id"], true);
    assert_eq!(contact["consent"]["email"], true);
    assert_eq!(contact["unverified"], true);

    // Another visit of the same browser is the same visitor.
    let Some(again) = look(&origin, profile.path()) else { return };
    assert!(attribute(&again, "pay", "href").unwrap().ends_with(&id), "{again}");
    assert_eq!(stage.leads(), 1);
}

#[test]
fn before_consent_nothing_is_stored_sent_or_written_into_links() {
    let script = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let told = std::sync::Arc::clone(&script);
    let origin = serve(move |_| page(&told.lock().unwrap()));
    let stage = Stage::start(&origin, "wait_for_consent = true");
    *script.lock().unwrap() = format!("http://{}", stage.daemon.address);
    let profile = tempfile::tempdir().unwrap();
    let Some(dom) = look(&format!("{origin}/?utm_source=news"), profile.path()) else { return };
    assert!(!attribute(&dom, "pay", "href").unwrap().contains("client_reference_id"));
    // What she typed into the form is told, and nothing else.
    wait_for("the form at the server", || {
        stage.home.command(&["contacts", "show", "jane@example.com"]).status.success()
    });
    let contact = &stage.home.rows(&["contacts", "show", "jane@example.com"])[0];
    assert!(!contact.to_string().contains("news") && contact["consent"]["analytics"] == false, "{contact}");
    assert_eq!(stage.leads(), 1);

    let told = std::sync::Arc::clone(&script);
    let agreeing = serve(move |_| {
        format!("{}<script>tallyhook.consent({{analytics: true}})</script>", page(&told.lock().unwrap()))
    });
    let stage = Stage::start(&agreeing, "wait_for_consent = true");
    *script.lock().unwrap() = format!("http://{}", stage.daemon.address);
    let Some(dom) = look(&format!("{agreeing}/?utm_source=news"), profile.path()) else { return };
    assert!(attribute(&dom, "pay", "href").unwrap().contains("client_reference_id=th_"), "{dom}");
    wait_for("the lead", || stage.leads() == 1);
}

#[test]
fn who_says_no_is_left_alone_on_the_next_page_too() {
    let script = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let told = std::sync::Arc::clone(&script);
    let origin = serve(move |_| {
        let page = page(&told.lock().unwrap());
        format!(
            "{page}<script>if (location.search) tallyhook.consent({{analytics: false}}); document.title = document.cookie</script>"
        )
    });
    let stage = Stage::start(&origin, "");
    *script.lock().unwrap() = format!("http://{}", stage.daemon.address);
    let profile = tempfile::tempdir().unwrap();
    for path in ["/?utm_source=news", "/"] {
        let Some(dom) = look(&format!("{origin}{path}"), profile.path()) else { return };
        assert!(!attribute(&dom, "pay", "href").unwrap().contains("client_reference_id"), "{path}: {dom}");
        let title = dom.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next()).unwrap();
        assert!(title.contains("_tallyhook=") && !title.contains("th_") && !title.contains("news"), "{title}");
    }
}

/// A site that keeps what its pages post to `/log`, and answers that with one status after the other, the last again and again.
struct Site {
    origin: String,
    script: Arc<Mutex<String>>,
    posts: Arc<Mutex<Vec<Value>>>,
}

impl Site {
    fn start(body: &'static str, statuses: &'static [u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let (script, posts) = (Arc::new(Mutex::new(String::new())), Arc::new(Mutex::new(Vec::new())));
        let (src, log) = (Arc::clone(&script), Arc::clone(&posts));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (src, log) = (Arc::clone(&src), Arc::clone(&log));
                std::thread::spawn(move || {
                    // Not kept locked: a browser opens connections that it may never use.
                    let script = src.lock().unwrap().clone();
                    answer(stream, body, statuses, &script, &log);
                });
            }
        });
        Self { origin, script, posts }
    }

    /// The page, with the script that `stage` serves, by somebody new.
    fn look(&self, stage: &Stage, path: &str) -> Option<String> {
        self.look_as(stage, path, tempfile::tempdir().unwrap().path())
    }

    /// The page as somebody opens it whose browser keeps what it knows in a folder.
    fn look_as(&self, stage: &Stage, path: &str, profile: &Path) -> Option<String> {
        *self.script.lock().unwrap() = format!("http://{}/lead.js", stage.daemon.address);
        look(&format!("{}{path}", self.origin), profile)
    }

    fn posts(&self) -> Vec<Value> {
        self.posts.lock().unwrap().clone()
    }

    /// The posts with an address.
    fn forms(&self) -> Vec<Value> {
        self.posts().into_iter().filter(|post| post["email"].is_string()).collect()
    }
}

fn answer(mut stream: TcpStream, body: &str, statuses: &[u16], script: &str, log: &Mutex<Vec<Value>>) {
    let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
    let whole = loop {
        let Ok(read @ 1..) = stream.read(&mut chunk) else { return };
        request.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, rest)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if rest.len() >= length.unwrap_or(0) {
            break text;
        }
    };
    let (status, body) = if whole.starts_with("POST /log") {
        let post: Value = serde_json::from_str(whole.split_once("\r\n\r\n").unwrap().1).unwrap();
        let mut log = log.lock().unwrap();
        let forms = log.iter().filter(|post: &&Value| post["email"].is_string()).count();
        let status = if post["email"].is_string() { statuses[forms.min(statuses.len() - 1)] } else { 202 };
        log.push(post);
        (status, "{}".to_owned())
    } else {
        (200, body.replace("SCRIPT", &format!(r#"<script src="{script}" data-endpoint="/log" "#)))
    };
    let _ = write!(
        stream,
        "HTTP/1.1 {status} X\r\ncontent-type: text/html; charset=utf-8\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
}

const FORM: &str = r#"<!doctype html><title>form</title>
<script>document.cookie = '_ga=GA1.1.1234567890.1747132561'</script>SCRIPT></script>
<form data-tallyhook><input type="email" name="mail" value="jane@example.com"><input name="name" value="Jim <3">
<input type="checkbox" name="consent_email" checked></form>
<script>
  var form = document.querySelector('form'), wish = new URLSearchParams(location.search);
  form.addEventListener('submit', function (e) { e.preventDefault(); });
  function in_ms(ms, f) { setTimeout(f, ms); }
  if (wish.has('no')) in_ms(500, function () { tallyhook.consent({analytics: false}); });
  if (!wish.has('quiet')) in_ms(wish.has('late') ? 5000 : 1000, function () { form.requestSubmit(); });
  if (wish.has('again')) in_ms(1500, function () {
    document.querySelector('input').value = 'joe@example.com';
    document.querySelector('[type=checkbox]').remove();
    form.requestSubmit();
  });
  in_ms(5500, function () { document.title = document.cookie; });
</script>"#;

#[test]
fn who_refuses_analytics_can_still_write_to_the_shop() {
    for (config, path) in [("", "/?no&utm_source=news"), ("wait_for_consent = true", "/?utm_source=news")] {
        let site = Site::start(FORM, &[202]);
        let stage = Stage::start(&site.origin, config);
        let Some(dom) = site.look(&stage, path) else { return };
        let forms = site.forms();
        assert_eq!(forms.len(), 1, "{forms:?}");
        let form = forms[0].as_object().unwrap();
        assert_eq!(form.keys().collect::<Vec<_>>(), ["consent", "email", "lead_id", "name"], "{form:?}");
        assert_eq!(form["consent"], json!({"analytics": false, "email": true}));
        assert!(!dom.contains(form["lead_id"].as_str().unwrap()) && !dom.contains("<title>th_"), "{dom}");
        let told: Vec<Value> = site.posts().into_iter().filter(|post| post["consent"]["analytics"] == false).collect();
        if path.contains("no") {
            // The no itself says nothing else.
            assert_eq!(told.len(), 2, "{told:?}");
            assert_eq!(told[0].as_object().unwrap().keys().collect::<Vec<_>>(), ["consent", "lead_id"]);
            assert_ne!(told[0]["lead_id"], form["lead_id"]);
        } else {
            assert_eq!(site.posts().len(), 1);
        }
    }
}

#[test]
fn a_yes_to_mail_is_not_remembered_for_the_next_form() {
    let site = Site::start(FORM, &[202]);
    let stage = Stage::start(&site.origin, "");
    let Some(dom) = site.look(&stage, "/?again") else { return };
    let forms = site.forms();
    assert_eq!(forms.len(), 2, "{forms:?}");
    assert_eq!((&forms[0]["consent"]["email"], &forms[1]["consent"]["email"]), (&json!(true), &Value::Null));
    assert!(!dom.split("</title>").next().unwrap().contains("email"), "{dom}");
}

#[test]
fn a_form_that_gets_no_good_answer_is_sent_again_here_or_on_the_next_page() {
    // A second try comes four seconds after the first; who submits late has left before that.
    let late = ["/?late", "/?quiet"];
    for (statuses, paths, times) in
        [(&[503, 429, 202][..], &["/?"][..], 2), (&[503, 202], &late, 2), (&[400], &late, 1), (&[202], &late, 1)]
    {
        let site = Site::start(FORM, statuses);
        let stage = Stage::start(&site.origin, "");
        let profile = tempfile::tempdir().unwrap();
        for path in paths {
            if site.look_as(&stage, path, profile.path()).is_none() {
                return;
            }
        }
        let forms = site.forms();
        assert!(
            forms.len() == times && forms.iter().all(|form| *form == forms[0]),
            "{statuses:?} {paths:?}: {forms:?}"
        );
    }
}

#[test]
fn links_that_change_keep_the_lead_id_and_frames_are_changed_once() {
    let page = r#"<!doctype html><title>toggle</title>SCRIPT></script>
<a id="pay" href="https://buy.stripe.com/monthly">Pay</a>
<iframe id="frame" src="/widget/booking/xyz"></iframe>
<script>
  setTimeout(function () { document.getElementById('pay').href = 'https://buy.stripe.com/yearly'; }, 1000);
  setTimeout(function () { document.cookie = '_ga=GA1.1.1234567890.1747132561'; }, 2000);
</script>"#;
    let site = Site::start(page, &[202]);
    let stage = Stage::start(&site.origin, "");
    let Some(dom) = site.look(&stage, "/") else { return };
    let pay = attribute(&dom, "pay", "href").unwrap();
    assert!(pay.starts_with("https://buy.stripe.com/yearly?client_reference_id=th_"), "{pay}");
    let frame = attribute(&dom, "frame", "src").unwrap();
    assert!(frame.contains("lead_id=th_") && !frame.contains("ga_client_id"), "{frame}");
    assert!(site.posts().last().unwrap()["_ga"].is_string(), "the server knows it all the same");
}

#[test]
fn what_analytics_knows_after_a_late_consent_is_sent() {
    let page = r#"<!doctype html><title>late</title><script>
  var agreed; function gtag(what, stream, name, tell) { if (agreed) setTimeout(function () { tell(name + '.77'); }, 100); }
</script>SCRIPT data-consent="wait" data-ga="G-AB12"></script><script>
  setTimeout(function () { agreed = 1; tallyhook.consent({analytics: true}); }, 3500);
  setTimeout(function () { document.cookie = '_ga=GA1.1.1234567890.1747132561'; }, 3700);
</script>"#;
    let site = Site::start(page, &[202]);
    let stage = Stage::start(&site.origin, "");
    if site.look(&stage, "/").is_none() {
        return;
    }
    let posts = site.posts();
    assert!(posts.iter().any(|post| post["client_id"] == "client_id.77" && post["_ga"].is_null()), "{posts:?}");
    assert!(posts.last().unwrap()["_ga"].is_string(), "{posts:?}");
}
