//! Asking a person on a terminal. Questions go to standard error, so that standard output is for results alone.

use std::io::{self, BufRead, IsTerminal, Write};

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use crate::cli::Failure;
use crate::model::secret::Secret;

/// A person at a terminal.
pub(super) struct Person;

impl Person {
    /// If one is there.
    pub(super) fn at_terminal() -> Option<Self> {
        (io::stdin().is_terminal() && io::stderr().is_terminal()).then_some(Self)
    }

    /// Asks for a text; none when the answer is empty.
    pub(super) fn ask(&self, question: &str) -> Result<Option<String>, Failure> {
        say(&format!("{question}: "))?;
        let line = read_line()?;
        Ok(Some(line.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    /// Asks until there is an answer.
    pub(super) fn insist(&self, question: &str) -> Result<String, Failure> {
        loop {
            if let Some(text) = self.ask(question)? {
                return Ok(text);
            }
            say("This is needed.\n")?;
        }
    }

    /// Asks for yes or no; an empty answer is yes.
    pub(super) fn agrees(&self, question: &str) -> Result<bool, Failure> {
        loop {
            let Some(answer) = self.ask(&format!("{question} [Y/n]"))? else { return Ok(true) };
            match answer.to_lowercase().as_str() {
                "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => say("Please answer y or n.\n")?,
            }
        }
    }

    /// Asks for one of several names, of which the beginning is enough; none when the answer is empty.
    pub(super) fn choose<'a>(&self, question: &str, names: &[&'a str]) -> Result<Option<&'a str>, Failure> {
        loop {
            let Some(text) = self.ask(&format!("{question} [{}; empty for none]", names.join(", ")))? else {
                return Ok(None);
            };
            match names.iter().find(|name| name.starts_with(&text.to_lowercase())) {
                Some(name) => return Ok(Some(name)),
                None => say("That is none of them.\n")?,
            }
        }
    }

    /// Asks for a secret, which is not shown while it is typed, until there is one.
    pub(super) fn secret(&self, question: &str) -> Result<Secret, Failure> {
        loop {
            let line = {
                // Before the question, so that nothing of a quick answer is shown or lost.
                let _silence = Silence::begin();
                say(&format!("{question} (not shown): "))?;
                read_line()
            };
            say("\n")?;
            let secret = Secret::new(line?.trim());
            if !secret.expose().is_empty() {
                return Ok(secret);
            }
            say("This is needed.\n")?;
        }
    }

    /// Tells something between questions.
    pub(super) fn tell(&self, text: &str) -> Result<(), Failure> {
        say(&format!("{text}\n"))
    }
}

fn say(text: &str) -> Result<(), Failure> {
    let mut terminal = io::stderr();
    Ok(terminal.write_all(text.as_bytes()).and_then(|()| terminal.flush())?)
}

fn read_line() -> Result<String, Failure> {
    let mut line = String::new();
    match io::stdin().lock().read_line(&mut line) {
        Ok(0) => Err(Failure::Failed("nothing was written: the input ended before the last answer".to_owned())),
        Ok(_) => Ok(line),
        Err(error) => Err(Failure::Failed(format!("can't read the answer: {error}"))),
    }
}

/// While it lasts the terminal does not show what is typed.
struct Silence(Option<rustix::termios::Termios>);

impl Silence {
    fn begin() -> Self {
        let Ok(before) = tcgetattr(io::stdin()) else { return Self(None) };
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        let done = tcsetattr(io::stdin(), OptionalActions::Flush, &silent);
        Self(done.is_ok().then_some(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // When the terminal is gone there is nothing to show either.
            let _ = tcsetattr(io::stdin(), OptionalActions::Drain, before);
        }
    }
}
