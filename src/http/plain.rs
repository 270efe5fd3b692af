//! Plain HTTP beside TLS: answers the authority that checks a name (HTTP-01), sends browsers on to https, and nothing else.
//!
//! A POST is never sent on: its body has crossed the net in the open by then, and its sender has to be told so.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue, LOCATION};
use hyper::{Method, Request, StatusCode};

use super::acme::challenges::{Challenges, PATH};
use super::answer::{self, Answer};
use super::connection::Handler;

/// What the plain listener serves.
pub struct Plain {
    challenges: Arc<Challenges>,
    /// The names that browsers are sent on to; the first is for those that ask for none of them.
    domains: Vec<String>,
    /// The port in the public address, when it is not https's own.
    port: Option<u16>,
}

impl Plain {
    /// For a certificate's names. `public_url` may tell another port than 443.
    pub fn new(challenges: Arc<Challenges>, domains: Vec<String>, public_url: Option<&str>) -> Self {
        let authority = public_url.and_then(|url| url.split_once("://")).and_then(|(_, rest)| rest.split('/').next());
        let port = authority.and_then(|authority| authority.rsplit_once(':')).and_then(|(_, port)| port.parse().ok());
        Self { challenges, domains, port: port.filter(|port| *port != 443) }
    }

    fn answer(&self, request: &Request<Incoming>) -> Answer {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return answer::method_not_allowed("GET, HEAD");
        }
        match request.uri().path().strip_prefix(PATH) {
            Some(token) => self.challenges.word(token).map_or_else(answer::not_found, word),
            None => self.redirect(request),
        }
    }

    fn redirect(&self, request: &Request<Incoming>) -> Answer {
        let asked = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let asked = asked.split(':').next().unwrap_or_default();
        // Never to a name that a stranger gives.
        let known = self.domains.iter().find(|domain| domain.eq_ignore_ascii_case(asked)).or(self.domains.first());
        let Some(domain) = known else { return answer::not_found() };
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        // An absolute-form or asterisk target has a path of its own making.
        let path = if path.starts_with('/') { path } else { "/" };
        let Ok(location) = HeaderValue::from_str(&format!("https://{domain}{port}{path}")) else {
            return answer::not_found();
        };
        let mut answer = answer::fixed(StatusCode::PERMANENT_REDIRECT, r#"{"error":"https_required"}"#);
        answer.headers_mut().insert(LOCATION, location);
        answer
    }
}

impl Handler for Plain {
    async fn handle(&self, request: Request<Incoming>, _peer: IpAddr) -> Answer {
        let mut answer = self.answer(&request);
        if !request.body().is_end_stream() {
            // What is still on its way would be taken for the next request.
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }
}

/// RFC 8555, 8.3.
fn word(key_authorization: String) -> Answer {
    let mut answer = Answer::new(Full::new(Bytes::from(key_authorization)));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    answer
}
