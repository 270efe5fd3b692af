//! Does it run, and would it take a webhook now?

use serde_json::Value;

use super::certificate::{ASK_AGAIN, is_being_fetched};
use super::finding::Finding;
use crate::cli::Failure;

/// How to start it.
const START: &str = "start it with `systemctl enable --now tallyhook-https.socket tallyhook.service` (behind a proxy \
                     tallyhook.service alone), or by hand with `tallyhook serve`";

/// From the running daemon's status; none when none runs.
pub(super) fn judge(status: &Result<Option<Value>, Failure>) -> Finding {
    match status {
        Ok(None) => Finding::warning("daemon", "tallyhook is not running, so that nothing is received or sent", START),
        Ok(Some(status)) => match status["not_taking"].as_str() {
            None => Finding::ok("daemon", "tallyhook is running and takes webhooks"),
            Some(reason) if is_being_fetched(status) => {
                Finding::warning("daemon", format!("tallyhook is running, and {reason}"), ASK_AGAIN)
            }
            Some(reason) => Finding::error(
                "daemon",
                format!("tallyhook is running, but {reason}"),
                "put that right; `journalctl -u tallyhook` tells more, and senders come again meanwhile",
            ),
        },
        Err(Failure::Failed(reason) | Failure::Wrong(reason)) => Finding::error(
            "daemon",
            format!("the running tallyhook can't be asked: {reason}"),
            "run this as root or as the user that tallyhook runs as; if it is that user already, restart tallyhook",
        ),
        Err(Failure::Closed) => Finding::error("daemon", "the running tallyhook can't be asked", "restart tallyhook"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::finding::Level;
    use super::*;

    #[test]
    fn a_daemon_that_takes_nothing_is_an_error_and_none_at_all_a_warning() {
        let level = |status| judge(&status).level;
        assert_eq!(level(Ok(Some(json!({"not_taking": null})))), Level::Ok);
        assert_eq!(level(Ok(Some(json!({"not_taking": "webhooks are not taken now: full"})))), Level::Error);
        assert_eq!(level(Err(Failure::Failed("forbidden".to_owned()))), Level::Error);
        let first = |failures: u8| json!({"not_taking": "no certificate yet", "certificate": {"mode": "acme", "expires_at": null, "failures": failures}});
        assert_eq!(level(Ok(Some(first(0)))), Level::Warning, "the authority had no time to answer yet");
        assert_eq!(level(Ok(Some(first(1)))), Level::Error);
        let stopped = judge(&Ok(None));
        assert_eq!(stopped.level, Level::Warning);
        assert!(stopped.fix.unwrap().contains("systemctl enable --now tallyhook-https.socket"));
    }
}
