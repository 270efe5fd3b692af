//! The public listener: takes connections, keeps their number in bounds, and stops without losing a request.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv6Addr, TcpListener as StdListener};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use super::acme::challenges::PROTOCOL;
use super::connection::{self, Stage, Waits};
use super::tls::Certificate;
use crate::config;

pub use super::answer::Answer;
pub use super::connection::Handler;

/// Between the last accepted connection and the first closed one. A client that has just connected, or has a request on its way
/// over an open connection, is answered in this time; hyper would drop it (rust: hyper #3792).
const DRAIN_LAG: Duration = Duration::from_millis(750);
/// After a failed accept, so that running out of file descriptors does not turn into a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How a listener ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Connections that had not ended when `drain_timeout` was over, and were cut.
    pub unfinished: usize,
}

/// Serves a bound socket until `shutdown` resolves, then stops in order: no new connections, a moment for what is on its way,
/// then requests under way are finished, for `drain_timeout` at most. With a certificate it speaks TLS and reads the
/// certificate's files again when they change.
///
/// # Errors
/// When the socket can't be used, or TLS can't be set up.
pub async fn serve<H: Handler>(
    listener: StdListener,
    limits: &config::Server,
    certificate: Option<Arc<Certificate>>,
    handler: Arc<H>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<Stopped> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let tls = match &certificate {
        Some(certificate) => {
            Some(TlsAcceptor::from(Certificate::server_config(certificate).map_err(io::Error::other)?))
        }
        None => None,
    };
    let max_connections = u32::try_from(limits.max_connections).unwrap_or(u32::MAX).clamp(1, 1 << 20);
    let slots = Arc::new(Semaphore::new(max_connections as usize));
    let (stage, stage_seen) = watch::channel(Stage::Running);
    let connections = Arc::new(Connections {
        protocol: connection::protocol(),
        tls,
        handler,
        waits: Waits { header: limits.header_timeout, idle: limits.idle_timeout },
        handshake_timeout: limits.handshake_timeout,
        addresses: AddressCounts::new(limits.max_connections_per_address),
        stage: stage_seen,
    });

    let accepting = accept(&listener, &slots, &connections);
    let reloading = async {
        match &certificate {
            Some(certificate) => certificate.watch().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = pin!(shutdown) => {}
        () = accepting => {}
        () = reloading => {}
    }

    stage.send_replace(Stage::Draining);
    accept_what_waits(listener, &slots, &connections);
    tokio::time::sleep(DRAIN_LAG.min(limits.drain_timeout)).await;
    stage.send_replace(Stage::Closing);
    let all_ended = slots.acquire_many(max_connections);
    let unfinished = match tokio::time::timeout(limits.drain_timeout, all_ended).await {
        Ok(_) => 0,
        Err(_) => max_connections as usize - slots.available_permits(),
    };
    stage.send_replace(Stage::Stopped);
    Ok(Stopped { unfinished })
}

/// Takes connections for ever.
async fn accept<H: Handler>(listener: &TcpListener, slots: &Arc<Semaphore>, connections: &Arc<Connections<H>>) {
    let mut failing = false;
    loop {
        // Without a free slot new connections wait in the socket's backlog.
        let Ok(slot) = Arc::clone(slots).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) => {
                failing = false;
                connections.begin(stream, peer.ip(), slot);
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(%error, "can't take connections; trying on");
                }
                failing = true;
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Takes the connections that clients have already opened: closing the socket would reset them.
fn accept_what_waits<H: Handler>(listener: TcpListener, slots: &Arc<Semaphore>, connections: &Arc<Connections<H>>) {
    let Ok(listener) = listener.into_std() else { return };
    while let Ok(slot) = Arc::clone(slots).try_acquire_owned() {
        let Ok((stream, peer)) = listener.accept() else { return };
        let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
        if let Ok(stream) = stream {
            connections.begin(stream, peer.ip(), slot);
        }
    }
}

/// What all connections share.
struct Connections<H> {
    protocol: http1::Builder,
    tls: Option<TlsAcceptor>,
    handler: Arc<H>,
    waits: Waits,
    handshake_timeout: Duration,
    addresses: AddressCounts,
    stage: watch::Receiver<Stage>,
}

impl<H: Handler> Connections<H> {
    /// Serves a connection in a task of its own; one too many from an address is closed at once.
    fn begin(self: &Arc<Self>, stream: TcpStream, peer: IpAddr, slot: OwnedSemaphorePermit) {
        let Some(place) = self.addresses.take_place(peer) else {
            tracing::debug!("connection refused: too many from one address");
            return;
        };
        let connections = Arc::clone(self);
        tokio::spawn(async move {
            connections.serve(stream, peer).await;
            drop(place);
            drop(slot);
        });
    }

    async fn serve(&self, stream: TcpStream, peer: IpAddr) {
        // Answers are small and complete: nothing is gained by waiting for more to send.
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else { return self.drive(stream, peer).await };
        match tokio::time::timeout(self.handshake_timeout, tls.accept(stream)).await {
            // RFC 8737, 3: an authority that checks a name has seen all it wants to see.
            Ok(Ok(mut stream)) if stream.get_ref().1.alpn_protocol() == Some(PROTOCOL) => {
                let _ = tokio::time::timeout(self.handshake_timeout, stream.shutdown()).await;
            }
            Ok(Ok(stream)) => self.drive(stream, peer).await,
            Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
            Err(_) => tracing::debug!("TLS handshake took too long"),
        }
    }

    async fn drive<Io>(&self, io: Io, peer: IpAddr)
    where
        Io: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        connection::drive(io, peer, &self.protocol, Arc::clone(&self.handler), self.waits, self.stage.clone()).await;
    }
}

/// How many connections each address has. IPv6 is counted by /64, the least that one customer gets.
struct AddressCounts {
    max: usize,
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl AddressCounts {
    fn new(max: usize) -> Self {
        Self { max: max.max(1), counts: Arc::default() }
    }

    fn take_place(&self, peer: IpAddr) -> Option<Place> {
        let address = counted_as(peer);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_insert(0);
        if *count >= self.max {
            return None;
        }
        *count += 1;
        Some(Place { address, counts: Arc::clone(&self.counts) })
    }
}

/// A connection's place among those of its address; given back when dropped.
struct Place {
    address: IpAddr,
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

fn counted_as(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from(network))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_counted_apart_and_forgotten_when_gone() {
        let counts = AddressCounts::new(1);
        let first = counts.take_place("192.0.2.1".parse().unwrap()).unwrap();
        assert!(counts.take_place("192.0.2.1".parse().unwrap()).is_none());
        assert!(counts.take_place("::ffff:192.0.2.1".parse().unwrap()).is_none(), "the same address in IPv6 clothes");
        let _other = counts.take_place("192.0.2.2".parse().unwrap()).unwrap();
        let _six = counts.take_place("2001:db8::1".parse().unwrap()).unwrap();
        assert!(counts.take_place("2001:db8::ffff".parse().unwrap()).is_none(), "the same /64");
        drop(first);
        assert!(counts.take_place("192.0.2.1".parse().unwrap()).is_some());
        assert_eq!(counts.counts.lock().unwrap().len(), 2);
    }
}
