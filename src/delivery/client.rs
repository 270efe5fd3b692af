//! One HTTP request to a destination, and what came of it.

use std::fmt;
use std::io::{self, Read};
use std::time::Duration;

use ureq::http::header::{HeaderValue, RETRY_AFTER};
use ureq::http::{self, Uri};
use ureq::unversioned::transport::{Connector, TcpConnector};
use ureq::{Agent, Body, Error, Timeout};

use super::address::Forbidden;
use super::connection::{self, SecureConnector, TlsFailure, Trust};
use super::resolver::{CheckedResolver, LONGEST_LOOKUP, Names, NoAddress};
use crate::destinations::{HttpRequest, HttpResponse, KEPT_HEADERS, NoAnswer, Reply};
use crate::model::retry::parse_retry_after;
use crate::model::time::format_span;
use crate::platform::clock::SharedClock;

/// As much of an answer's body as is read.
pub const LONGEST_BODY: u64 = 1024 * 1024;
/// As much of a too long body as is thrown away to keep the connection; beyond that the connection is given up.
const LONGEST_REST: u64 = 64 * 1024;
/// For the connection, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection without a request is kept. Shorter than the idle time of usual servers, since a request that meets
/// a server just hanging up has an unknown outcome.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// ureq's buffers, in bytes, each way.
const BUFFER: usize = 16 * 1024;
/// The head of an answer, in bytes. It has to fit into the buffer: ureq takes a full one for the end of the connection.
const LONGEST_HEAD: usize = BUFFER - 1024;

/// What one request may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From looking up the name to the last byte of the answer.
    pub timeout: Duration,
}

/// Sends requests; given in, so that tests can script any answer.
pub trait Client: Send + Sync {
    /// Sends one request on the calling thread. Redirects are not followed.
    fn send(&self, request: &HttpRequest, limits: &Limits) -> Reply;

    /// Breaks off what is under way, and refuses what comes after. A name lookup or a TCP connect under way runs to its own
    /// limit of five seconds.
    fn shutdown(&self);
}

/// What a client may do.
#[derive(Clone, Copy, Debug)]
pub struct ClientOptions {
    /// Whether private and link-local addresses may be connected to.
    pub allow_private_addresses: bool,
    /// How many idle connections are kept: as many as requests are made at a time.
    pub connections: usize,
}

/// Sends over the network. Each destination has its own, so that none uses another's connections.
pub struct HttpClient {
    agent: Agent,
    clock: SharedClock,
}

impl HttpClient {
    /// A client that believes in `trust`.
    pub fn new(trust: Trust, options: ClientOptions, clock: SharedClock) -> Self {
        Self::with_names(trust, options, Names::system(clock.clone()), clock)
    }

    /// A client with a name service of its own.
    pub fn with_names(trust: Trust, options: ClientOptions, names: Names, clock: SharedClock) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0) // otherwise a 302 turns a POST into a GET, and its 200 into a success
            .proxy(None) // otherwise read from the environment
            .timeout_resolve(Some(LONGEST_LOOKUP))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .input_buffer_size(BUFFER)
            .output_buffer_size(BUFFER)
            .max_response_header_size(LONGEST_HEAD)
            .max_idle_connections(options.connections.max(1))
            .max_idle_connections_per_host(options.connections.max(1))
            .max_idle_age(IDLE_TIMEOUT)
            .accept_encoding("identity")
            .user_agent(concat!("tallyhook/", env!("CARGO_PKG_VERSION")))
            .build();
        let connector = ().chain(TcpConnector::default()).chain(SecureConnector::new(trust));
        let resolver = CheckedResolver::new(names, options.allow_private_addresses);
        Self { agent: Agent::with_parts(config, connector, resolver), clock }
    }

    /// Sends any request and gives the whole answer back, header and all, its body cut at [`LONGEST_BODY`]: for a protocol that
    /// lives in its header (ACME), where [`Client::send`] only keeps what destinations read.
    ///
    /// # Errors
    /// Why there is no answer.
    pub fn exchange(
        &self,
        request: http::Request<Vec<u8>>,
        limits: &Limits,
    ) -> Result<http::Response<Vec<u8>>, NoAnswer> {
        let host = shown_host(request.uri());
        let (head, body) = request.into_parts();
        let answer = self.run(http::Request::from_parts(head, body.as_slice()), &host, limits)?;
        let (head, body) = answer.into_parts();
        let mut bytes = Vec::new();
        match body.into_reader().take(LONGEST_BODY).read_to_end(&mut bytes) {
            Ok(_) => Ok(http::Response::from_parts(head, bytes)),
            Err(error) => {
                let cause = unknown_cause(&Error::from(error), limits);
                Err(NoAnswer::Unknown(format!("{host} answered {}, but then {cause}", head.status.as_u16())))
            }
        }
    }

    fn run(
        &self,
        request: http::Request<&[u8]>,
        host: &str,
        limits: &Limits,
    ) -> Result<http::Response<Body>, NoAnswer> {
        let timeout = Some(limits.timeout);
        connection::begin_request();
        let answer = if request.body().is_empty() && matches!(request.method().as_str(), "GET" | "HEAD") {
            let request = request.map(|_| ());
            self.agent.run(self.agent.configure_request(request).timeout_global(timeout).build())
        } else {
            self.agent.run(self.agent.configure_request(request).timeout_global(timeout).build())
        };
        answer.map_err(|error| no_answer(&error, host, limits))
    }

    fn read_answer(&self, response: http::Response<Body>, host: &str, limits: &Limits) -> Reply {
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| parse_retry_after(value, self.clock.now()));
        let headers = KEPT_HEADERS
            .into_iter()
            .filter_map(|name| Some((name, response.headers().get(name)?.to_str().ok()?.trim().to_owned())))
            .collect();
        let is_success = response.status().is_success();
        let mut reader = response.into_body().into_reader();
        let mut body = Vec::new();
        match reader.by_ref().take(LONGEST_BODY).read_to_end(&mut body) {
            Ok(_) => {
                if u64::try_from(body.len()).is_ok_and(|length| length == LONGEST_BODY) {
                    // A connection whose answer was read to its end can be used again; the rest itself is of no interest.
                    let _ = io::copy(&mut reader.take(LONGEST_REST), &mut io::sink());
                }
            }
            // A refusal is a refusal even when its explanation breaks off; a success needs its body to be understood.
            Err(error) if is_success => {
                let cause = unknown_cause(&Error::from(error), limits);
                return Err(NoAnswer::Unknown(format!("{host} answered {status}, but then {cause}")));
            }
            Err(_) => {}
        }
        Ok(HttpResponse { status, retry_after, body, headers })
    }
}

impl Client for HttpClient {
    fn send(&self, request: &HttpRequest, limits: &Limits) -> Reply {
        let uri: Uri = request.address().expose().parse().map_err(|_| {
            NoAnswer::Broken("the address to send to is not a valid URL; correct it in the configuration".to_owned())
        })?;
        let host = shown_host(&uri);
        let mut head = http::Request::builder().method(request.method.name()).uri(uri);
        for (name, value) in &request.headers {
            head = head.header(*name, value);
        }
        if let Some((name, secret)) = &request.secret_header {
            let value = HeaderValue::from_str(secret.expose()).map(|mut value| {
                value.set_sensitive(true);
                value
            });
            let Ok(value) = value else {
                let reason = format!("the secret sent as {name} holds characters that a header field can't");
                return Err(NoAnswer::Broken(format!("{reason}; correct it in the configuration")));
            };
            head = head.header(*name, value);
        }
        let unsendable = |_| NoAnswer::Broken(format!("a header field for {host} holds characters that can't be sent"));
        let call = head.body(request.body.as_slice()).map_err(unsendable)?;
        self.read_answer(self.run(call, &host, limits)?, &host, limits)
    }

    fn shutdown(&self) {
        self.agent.clone().shutdown();
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpClient")
    }
}

/// Host and port; path, query and user name may hold secrets.
fn shown_host(uri: &Uri) -> String {
    let host = uri.host().unwrap_or("the address");
    uri.port_u16().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// What a failed call means, by what failed and whether the request had left by then.
fn no_answer(error: &Error, host: &str, limits: &Limits) -> NoAnswer {
    if let Error::Other(inner) = error {
        if let Some(forbidden) = inner.downcast_ref::<Forbidden>() {
            return NoAnswer::Broken(forbidden.to_string());
        }
        if let Some(no_address) = inner.downcast_ref::<NoAddress>() {
            return NoAnswer::NotSent(no_address.to_string());
        }
        if let Some(failure) = inner.downcast_ref::<TlsFailure>() {
            let message = format!("no connection to {host}: {failure}");
            return match failure {
                TlsFailure::Untrusted(_) | TlsFailure::Name => NoAnswer::Broken(message),
                TlsFailure::Handshake(_) => NoAnswer::NotSent(message),
            };
        }
    }
    if connection::request_has_left() {
        return NoAnswer::Unknown(format!("the request went out to {host}, but {}", unknown_cause(error, limits)));
    }
    match error {
        Error::Timeout(Timeout::Resolve) => {
            NoAnswer::NotSent(format!("the name {host} can't be looked up: the name service does not answer"))
        }
        Error::Timeout(_) => NoAnswer::NotSent(format!("no connection to {host} in time")),
        Error::Io(error) => NoAnswer::NotSent(format!("no connection to {host}: {}", error_kind(error))),
        Error::HostNotFound | Error::ConnectionFailed => NoAnswer::NotSent(format!("no connection to {host}")),
        // What is left is a request that can't be put into HTTP at all.
        _ => NoAnswer::Broken(format!("the request to {host} can't be made; correct its address in the configuration")),
    }
}

/// What went wrong after the request had left, as it stands after "but".
fn unknown_cause(error: &Error, limits: &Limits) -> String {
    match error {
        Error::Timeout(_) => format!("no complete answer came within {}", format_span(limits.timeout)),
        Error::Io(error) => match error.kind() {
            io::ErrorKind::UnexpectedEof => "the connection was closed before the answer was complete".to_owned(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
                "the connection was reset before the answer was complete".to_owned()
            }
            _ => format!("the connection broke: {}", error_kind(error)),
        },
        Error::LargeResponseHeader(..) => format!("the answer has more than {LONGEST_HEAD} bytes of header"),
        _ => "what came back is not HTTP/1.1".to_owned(),
    }
}

/// The system's words without whatever a library may have put around them.
fn error_kind(error: &io::Error) -> String {
    error.kind().to_string()
}

#[cfg(test)]
mod tests;
