//! The operator's door, called as the command line calls it.

use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::*;
use crate::http::admin::{AdminSocket, BindError, Operator, OperatorError, OperatorRows};
use crate::http::admin_client::{AdminError, backup, call, is_running};

/// `{"rows": n}` gives n rows; other requests fail in their own ways.
struct TestOperator;

impl Operator for TestOperator {
    fn handle(&self, request: Value) -> Result<OperatorRows, OperatorError> {
        if let Some(rows) = request["rows"].as_u64() {
            return Ok(Box::new((0..rows).map(|number| json!({"number": number, "text": "line\nbreak"}))));
        }
        if request["wrong"].is_string() {
            return Err(OperatorError { status: 404, message: "there is no event w7".to_owned() });
        }
        if request["breaks_off"].is_boolean() {
            return Ok(Box::new((0..3).map(|number| {
                assert_ne!(number, 2, "made for the test");
                json!(number)
            })));
        }
        panic!("made for the test");
    }

    fn metrics(&self) -> Result<String, OperatorError> {
        Ok("tallyhook_ok 1\n".to_owned())
    }

    /// More than waits anywhere on its way, then an end or a failure.
    fn backup(&self, out: &mut dyn Write) -> io::Result<()> {
        for number in 0..200_u8 {
            out.write_all(&[number; 40_000])?;
        }
        if BACKUPS_FAIL.load(Ordering::SeqCst) { Err(io::Error::other("made for the test")) } else { Ok(()) }
    }
}

static BACKUPS_FAIL: AtomicBool = AtomicBool::new(false);

#[test]
fn a_backup_comes_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    assert!(!is_running(&path).unwrap());
    let daemon = Daemon::start(AdminSocket::bind(&path).unwrap());
    assert!(is_running(&path).unwrap());
    let mut got = Vec::new();
    let take = &mut |bytes: &[u8]| got.write_all(bytes);
    backup(&path, take).unwrap();
    assert_eq!(got.len(), 200 * 40_000);
    assert!(
        got.chunks(40_000).enumerate().all(|(number, chunk)| chunk.iter().all(|byte| usize::from(*byte) == number))
    );

    let full = backup(&path, &mut |_| Err(io::ErrorKind::StorageFull.into()));
    assert!(matches!(full, Err(AdminError::Taking(error)) if error.kind() == io::ErrorKind::StorageFull));

    BACKUPS_FAIL.store(true, Ordering::SeqCst);
    let half = backup(&path, &mut |_| Ok(()));
    assert!(matches!(half, Err(AdminError::Broken { .. })), "{half:?}");
    drop(daemon);
}

struct Daemon {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Daemon {
    fn start(socket: AdminSocket) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            let health = Arc::new(HealthPages::new(Arc::new(TestHealth(Condition::Healthy)), config::Health::Admin));
            let shutdown = async {
                let _ = stopped.await;
            };
            runtime.block_on(socket.serve(Arc::new(TestOperator), health, PATIENCE, shutdown)).unwrap();
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
        self.thread.take().unwrap().join().unwrap();
    }
}

fn rows(socket: &Path, request: &Value) -> Result<Vec<Value>, AdminError> {
    let mut rows = Vec::new();
    call(socket, request, &mut |row| rows.push(row)).map(|()| rows)
}

#[test]
fn an_operator_is_answered_row_by_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made/for/it/admin.sock");
    let daemon = Daemon::start(AdminSocket::bind(&path).unwrap());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    for count in [0, 1, 100_000] {
        let rows = rows(&path, &json!({"rows": count})).unwrap();
        assert_eq!(rows.len(), count);
        assert!(rows.iter().enumerate().all(|(number, row)| row["number"] == number));
    }
    match rows(&path, &json!({"wrong": "id"})) {
        Err(AdminError::Refused { status: 404, message }) => assert_eq!(message, "there is no event w7"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(rows(&path, &json!({"breaks_off": true})), Err(AdminError::Broken { .. })));
    assert!(matches!(rows(&path, &json!("panics")), Err(AdminError::Refused { status: 500, .. })));
    assert_eq!(rows(&path, &json!({"rows": 1})).unwrap().len(), 1, "it goes on");

    drop(daemon);
    assert!(!path.exists(), "the file goes with the daemon");
    assert!(matches!(rows(&path, &json!({"rows": 1})), Err(AdminError::NoDaemon(_))));
}

#[test]
fn health_is_shown_with_all_details() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let _daemon = Daemon::start(AdminSocket::bind(&path).unwrap());
    let ask = |request: &str| {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        read_reply(&mut stream)
    };
    assert!(ask("GET /api/health/webhooks HTTP/1.1\r\nhost: x\r\n\r\n").json()["checks"].is_object());
    assert_eq!(ask("GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n").status, 200);
    assert_eq!(ask("GET /v1 HTTP/1.1\r\nhost: x\r\n\r\n").status, 405);
    assert_eq!(ask("GET / HTTP/1.1\r\nhost: x\r\n\r\n").status, 404);
    assert_eq!(ask("POST /v1 HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n{").status, 400);
}

#[test]
fn a_socket_left_over_is_replaced_and_a_living_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    assert!(matches!(rows(&path, &json!({"rows": 1})), Err(AdminError::NoDaemon(_))));
    let daemon = Daemon::start(AdminSocket::bind(&path).unwrap());
    assert_eq!(rows(&path, &json!({"rows": 1})).unwrap().len(), 1);

    assert!(matches!(AdminSocket::bind(&path), Err(BindError::InUse(_))));
    assert_eq!(rows(&path, &json!({"rows": 1})).unwrap().len(), 1, "the first is still there");
    drop(daemon);

    std::fs::write(&path, "precious").unwrap();
    assert!(matches!(AdminSocket::bind(&path), Err(BindError::NotASocket(_))));
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
}
