//! Which page a request is for.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::Request;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};

use super::answer::{self, Answer};
use super::body::RequestBody;
use super::connection::Handler;
use super::health::{Entrance, HealthPages};
use super::leads::Leads;
use super::webhooks::Webhooks;

/// What the public listener serves.
pub struct Router {
    /// `POST /api/webhooks/{source}` and `/api/webhooks/{source}/{token}`.
    pub webhooks: Webhooks,
    /// `POST /api/leads`, `GET /lead.js`.
    pub leads: Leads,
    /// `GET /api/health/webhooks`, `/livez`, `/readyz`.
    pub health: Arc<HealthPages>,
}

impl Handler for Router {
    async fn handle(&self, request: Request<Incoming>, peer: IpAddr) -> Answer {
        let (head, body) = request.into_parts();
        let mut body = RequestBody::new(body);
        let path = head.uri.path();
        let mut answer = if let Some(route) = path.strip_prefix("/api/webhooks/") {
            self.webhooks.answer(route, &head, &mut body, peer).await
        } else if path == "/api/leads" {
            self.leads.post(&head, &mut body, peer).await
        } else if path == "/lead.js" {
            self.leads.script(&head)
        } else if let Some(page) = self.health.answer(&head.method, path, &head.headers, Entrance::Public) {
            page
        } else {
            answer::not_found()
        };
        if body.is_unread() {
            // What is still on its way would be taken for the next request.
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }
}
