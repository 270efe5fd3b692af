//! One client's connection: reads requests however they are cut, and can be reset at any time.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::message::Head;

/// The longest head of a request, in bytes.
const LONGEST_HEAD: usize = 64 * 1024;
/// The longest body of a request, in bytes.
const LONGEST_BODY: usize = 16 * 1024 * 1024;
/// How much is read at a time, in bytes.
const CHUNK: usize = 16 * 1024;
/// How long a connection may wait for its next request.
const IDLE: Duration = Duration::from_secs(120);

/// A client's connection.
///
/// The last byte that came is read, but left in the system's buffer until more is needed: so every connection can be reset
/// at any time just by dropping it, also when its request was read whole.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    holds_back: bool,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(IDLE))?;
        stream.set_write_timeout(Some(IDLE))?;
        Ok(Self { stream, buffer: Vec::new(), holds_back: false })
    }

    /// Reads what there is, at least a byte; 0 at the end.
    fn fill(&mut self) -> io::Result<usize> {
        self.give_up_reset()?;
        let mut chunk = [0; CHUNK];
        let length = self.stream.peek(&mut chunk)?;
        if length > 0 {
            self.stream.read_exact(&mut chunk[..length - 1])?;
            self.holds_back = true;
            self.buffer.extend_from_slice(&chunk[..length]);
        }
        Ok(length)
    }

    /// Takes the byte that was held back.
    pub(super) fn give_up_reset(&mut self) -> io::Result<()> {
        if self.holds_back {
            self.stream.read_exact(&mut [0])?;
            self.holds_back = false;
        }
        Ok(())
    }

    fn fill_or_fail(&mut self) -> io::Result<()> {
        if self.fill()? == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// The head of the next request; none when the client has hung up.
    pub(super) fn read_head(&mut self) -> io::Result<Option<Head>> {
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            if self.buffer.len() > LONGEST_HEAD {
                return Err(malformed("the head of the request is too long"));
            }
            if self.fill()? == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        };
        let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
        let text = std::str::from_utf8(&head[..end]).map_err(|_| malformed("the head of the request is not text"))?;
        Head::parse(text).map(Some).ok_or_else(|| malformed("that is no HTTP/1.1 request"))
    }

    /// The body of a request, whole.
    ///
    /// # Errors
    /// When it ends early, is too long, or its framing is wrong.
    pub fn read_body(&mut self, head: &Head) -> io::Result<Vec<u8>> {
        if head.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        if head.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            return self.read_chunks();
        }
        let length = match head.header("content-length") {
            Some(length) => length.parse().map_err(|_| malformed("content-length is not a number"))?,
            None => 0,
        };
        self.take(length)
    }

    fn read_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.read_line()?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(|_| malformed("a chunk has no size"))?;
            if size == 0 {
                while !self.read_line()?.is_empty() {}
                return Ok(body);
            }
            if body.len().saturating_add(size) > LONGEST_BODY {
                return Err(malformed("the body is too long"));
            }
            body.extend(self.take(size)?);
            self.read_line()?;
        }
    }

    fn read_line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|window| window == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            if self.buffer.len() > LONGEST_HEAD {
                return Err(malformed("a line of the body is too long"));
            }
            self.fill_or_fail()?;
        }
    }

    fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        if length > LONGEST_BODY {
            return Err(malformed("the body is too long"));
        }
        while self.buffer.len() < length {
            self.fill_or_fail()?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// When the client is gone.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }
}

fn malformed(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
