//! What a sandbox does wrong on request.

use std::io;
use std::time::Duration;

use crate::demo::http_server::{Answer, Connection, Stop, Then};

/// One way to answer badly, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// None: this request is answered as it should be.
    Pass,
    /// Does nothing and answers with a status.
    Status {
        /// HTTP status.
        status: u16,
        /// The value of `Retry-After`, however odd.
        retry_after: Option<String>,
        /// The body.
        body: String,
    },
    /// Does nothing and answers this, header fields and all.
    Answer(Answer),
    /// Does what is asked, and answers so much later.
    Delay(Duration),
    /// Does nothing and says nothing for so long, then closes the connection.
    Hang(Duration),
    /// Resets the connection before it has read the body.
    ResetEarly,
    /// Reads the whole request, does nothing and resets the connection.
    ResetLate,
    /// Does what is asked, and resets the connection instead of answering.
    LoseAnswer,
    /// Does nothing and closes the connection in order, without an answer.
    Close,
    /// Does nothing and answers with bytes that are not HTTP.
    Garbage,
    /// Does nothing and answers 200 with a web page.
    Html,
    /// Does nothing and sends elsewhere with a 302.
    Redirect(String),
    /// Does what is asked, and sends the answer byte by byte with such a pause between.
    Drip(Duration),
    /// Does nothing and answers 200 with so many bytes of JSON.
    Flood(usize),
}

impl Fault {
    /// A status without a body.
    pub const fn status(status: u16) -> Self {
        Self::Status { status, retry_after: None, body: String::new() }
    }

    /// A status with `Retry-After`: seconds, a date, or rubbish.
    pub fn retry_after(status: u16, value: &str) -> Self {
        Self::Status { status, retry_after: Some(value.to_owned()), body: String::new() }
    }

    /// Whether the sandbox does what is asked all the same.
    pub const fn does_it(&self) -> bool {
        matches!(self, Self::Pass | Self::Delay(_) | Self::LoseAnswer | Self::Drip(_))
    }

    /// The status that the client gets to see; `proper` is that of the proper answer.
    pub const fn answered(&self, proper: Option<u16>) -> Option<u16> {
        match self {
            Self::Pass | Self::Delay(_) | Self::Drip(_) => proper,
            Self::Status { status, .. } => Some(*status),
            Self::Answer(answer) => Some(answer.status),
            Self::Html | Self::Flood(_) => Some(200),
            Self::Redirect(_) => Some(302),
            Self::Hang(_) | Self::ResetEarly | Self::ResetLate | Self::LoseAnswer | Self::Close | Self::Garbage => None,
        }
    }

    /// Answers accordingly; `proper` is the proper answer where [`Fault::does_it`] says that there is one.
    ///
    /// # Errors
    /// When the client is gone.
    pub fn perform(&self, proper: Option<&Answer>, connection: &mut Connection, stop: &Stop) -> io::Result<Then> {
        let proper = || proper.map(Answer::bytes).unwrap_or_default();
        match self {
            Self::Pass => connection.send(&proper())?,
            Self::Status { status, retry_after, body } => {
                let mut answer = Answer::text(*status, "application/json", body.as_str());
                answer.headers.extend(retry_after.iter().map(|value| ("retry-after".to_owned(), value.clone())));
                connection.send(&answer.bytes())?;
            }
            Self::Answer(answer) => connection.send(&answer.bytes())?,
            Self::Delay(span) => {
                if stop.wait(*span) {
                    return Ok(Then::Close);
                }
                connection.send(&proper())?;
            }
            Self::Hang(span) => {
                stop.wait(*span);
                return Ok(Then::Close);
            }
            Self::ResetEarly | Self::ResetLate | Self::LoseAnswer => return Ok(Then::Reset),
            Self::Close => return Ok(Then::Close),
            Self::Garbage => {
                connection.send(b"\x00\x01\x02 this is not HTTP \xff\xfe\r\n\r\n")?;
                return Ok(Then::Close);
            }
            Self::Html => {
                let page = "<!doctype html><html><body><h1>Please sign in</h1></body></html>";
                connection.send(&Answer::text(200, "text/html", page).bytes())?;
            }
            Self::Redirect(location) => {
                connection.send(&Answer::empty(302).with("location", location.as_str()).bytes())?;
            }
            Self::Drip(pause) => {
                for byte in proper() {
                    connection.send(&[byte])?;
                    if stop.wait(*pause) {
                        return Ok(Then::Close);
                    }
                }
            }
            Self::Flood(length) => {
                let head =
                    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
                connection.send(head.as_bytes())?;
                let piece = [b'['; 16 * 1024];
                let mut left = *length;
                while left > 0 {
                    let now = left.min(piece.len());
                    connection.send(&piece[..now])?;
                    left -= now;
                }
            }
        }
        Ok(Then::KeepAlive)
    }
}
