//! Rehearsal without an account: sandbox destinations, signed samples, and the daemon between them as it is, all on loopback,
//! over TLS with a certificate made on the spot.

use std::io::{self, Write};

mod books;
mod certificate;
pub mod http_server;
mod printer;
mod samples;
pub mod sandbox;
mod stage;
mod story;
mod tls_client;
mod verdict;
mod watch;

use printer::Printer;
use stage::Stage;
use story::Story;

/// Why a rehearsal ended badly.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// It could not be set up.
    #[error("the rehearsal can't be set up: {0}")]
    Setup(String),
    /// The system refuses.
    #[error("the rehearsal broke off: {0}")]
    Io(io::Error),
    /// The daemon did not answer a question.
    #[error("the rehearsal broke off: the daemon says: {0}")]
    Daemon(String),
    /// Not everything agreed.
    #[error("the rehearsal did not go as it should:\n   {}", .0.join("\n   "))]
    Disagreement(Vec<String>),
    /// The person pressed Ctrl-C before it was over.
    #[error("the rehearsal was broken off")]
    Interrupted,
}

/// Plays a rehearsal and prints it to `out`, live: for people, or with `json` one object a line. With `once` it ends by itself, else it stays up until Ctrl-C. Leaves nothing
/// behind.
///
/// # Errors
/// When it can't be set up, or anything is not as it should be.
pub fn run(once: bool, json: bool, out: &mut dyn Write) -> Result<(), DemoError> {
    let mut printer = Printer::new(out, json);
    printer.line(
        "A rehearsal of Tallyhook on this machine: the program as it is, sandboxes instead of GA4, CRM and MailerLite.",
    )?;
    let stage = Stage::set_up()?;
    let outcome = play(&stage, once, printer);
    stage.close();
    outcome
}

fn play(stage: &Stage, once: bool, printer: Printer<'_>) -> Result<(), DemoError> {
    let mut story = Story::new(stage, printer)?;
    story.play()?;
    let tally = story.tally();
    let mut wrong = story.surprises().to_vec();
    for surprise in &wrong {
        story.printer().point(false, surprise)?;
    }
    wrong.extend(verdict::sum_up(stage, tally, story.printer())?);
    if !wrong.is_empty() {
        return Err(DemoError::Disagreement(wrong));
    }
    story.printer().line("   Everything agrees.")?;
    if !once {
        verdict::invite(stage, story.printer())?;
        story.stay()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rehearsal_goes_through_and_shows_what_happened() {
        let mut out = Vec::new();
        let began = std::time::Instant::now();
        let outcome = run(true, false, &mut out);
        let shown = String::from_utf8(out).unwrap();
        assert!(outcome.is_ok(), "{shown}\n{}", outcome.unwrap_err());
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "{shown}");
        for line in
            ["Everything agrees.", "15 webhooks in", "400 no_matching_signature", "503 (scripted)", "123.90 EUR"]
        {
            assert!(shown.contains(line), "{line} is missing in\n{shown}");
        }
        assert!(!shown.contains('@') && !shown.contains("whsec_"), "no personal data, no secrets:\n{shown}");
    }
}
