//! The command line: one file a command. What needs the books goes to the running daemon, or to its store file when none runs.

mod access;
mod backup;
mod check;
mod completions;
mod consent;
mod contacts;
mod deliveries;
mod demo;
mod destinations;
mod doctor;
mod event_page;
mod events;
mod failed;
mod flags;
mod forget;
mod init;
mod manual;
mod output;
mod rejected;
mod restore;
mod send;
mod serve;
mod service;
mod setup;
mod status;
mod table;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::config::{Config, Environment, Problems, SystemEnvironment};

const EXAMPLES: &str = "\
Examples:
  tallyhook demo --once                 see everything work, without any account
  sudo tallyhook setup                  set it up on a server, step by step
  tallyhook init tallyhook.toml         write a configuration to begin with
  tallyhook check --config tallyhook.toml
  tallyhook serve --config tallyhook.toml
  tallyhook doctor                      is everything around it right?
  tallyhook status                      is anything broken?
  tallyhook failed list                 what needs a decision

Exit codes: 0 done, 1 it failed, 2 the call or the configuration is wrong.";

/// Receives webhooks, counts every sale once, and tells GA4, a CRM and MailerLite for certain.
#[derive(Debug, Parser)]
#[command(name = "tallyhook", version, after_help = EXAMPLES, disable_help_subcommand = true, max_term_width = 120)]
pub struct Cli {
    /// The configuration; without it /etc/tallyhook/tallyhook.toml, else environment variables alone
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print one JSON object a line
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Receive webhooks and deliver what they mean, until stopped
    Serve(serve::Serve),
    /// Show everything at work on this machine alone: sandbox destinations, signed samples
    Demo(demo::Demo),
    /// From nothing to the first event: ask, write the configuration, examine, wait
    Setup(setup::Setup),
    /// Write a commented configuration
    Init(init::Init),
    /// Say everything that is wrong with the configuration, or what it amounts to
    Check(check::Check),
    /// Examine everything around it: DNS, port, certificate, clock, disk, permissions, each destination
    Doctor(doctor::Doctor),
    /// Sign a sample as a source would and post it to the running tallyhook
    Send(send::Send),
    /// Is anything broken? One page
    Status(status::Status),
    /// Webhooks, and what became of each
    Events(events::Events),
    /// What is told to whom
    Deliveries(deliveries::Deliveries),
    /// What a person bought, and where they stand
    Contacts(contacts::Contacts),
    /// Deliveries that failed and wait for a decision
    Failed(failed::Failed),
    /// Requests that failed verification, with why
    Rejected(rejected::Rejected),
    /// Destinations as a whole: see, pause, resume, test
    Destinations(destinations::Destinations),
    /// Copy the books, while it runs, into a file that is checked
    Backup(backup::Backup),
    /// Make the store anew from a backup
    Restore(restore::Restore),
    /// Print completions for a shell
    Completions(completions::Completions),
    /// Print the manual page, or write those of all commands
    Man(manual::Man),
}

/// Why a command was not done.
#[derive(Debug)]
pub enum Failure {
    /// The call or the configuration is wrong: exit code 2.
    Wrong(String),
    /// It failed: exit code 1.
    Failed(String),
    /// Nobody reads the output any more, which is no failure.
    Closed,
}

impl From<io::Error> for Failure {
    /// Of writing the output.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::Closed
        } else {
            Self::Failed(format!("can't write the output: {error}"))
        }
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        match &problems.0[..] {
            [problem] => Self::Wrong(problem.to_string()),
            several => Self::Wrong(format!("the configuration has {} mistakes:\n{problems}", several.len())),
        }
    }
}

/// What every command has at hand.
pub(super) struct Setting<'a> {
    /// As given by `--config`.
    config: Option<&'a Path>,
    environment: &'a dyn Environment,
    /// Whether `--json` was given.
    json: bool,
}

impl Setting<'_> {
    /// The whole configuration.
    fn load(&self) -> Result<Config, Failure> {
        Ok(Config::load(self.config, self.environment)?)
    }
}

/// Runs the command that the arguments name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            let text = error.render().to_string();
            return report(&Failure::Wrong(text.strip_prefix("error: ").unwrap_or(&text).trim_end().to_owned()));
        }
        Err(help_or_version) => {
            // Nothing is lost when nobody reads it.
            let _ = help_or_version.print();
            return ExitCode::SUCCESS;
        }
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let setting = Setting { config: cli.config.as_deref(), environment: &SystemEnvironment, json: cli.json };
    let done = run(cli.command, &setting, &mut out);
    // What was found before a failure is shown too.
    let flushed = out.flush().map_err(Failure::from);
    match done.and(flushed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure),
    }
}

fn run(command: Command, setting: &Setting<'_>, out: &mut dyn Write) -> Result<(), Failure> {
    match command {
        Command::Serve(command) => command.run(setting, out),
        Command::Demo(command) => command.run(setting, out),
        Command::Setup(command) => command.run(setting, out),
        Command::Init(command) => command.run(setting, out),
        Command::Check(command) => command.run(setting, out),
        Command::Doctor(command) => command.run(setting, out),
        Command::Send(command) => command.run(setting, out),
        Command::Status(command) => command.run(setting, out),
        Command::Events(command) => command.run(setting, out),
        Command::Deliveries(command) => command.run(setting, out),
        Command::Contacts(command) => command.run(setting, out),
        Command::Failed(command) => command.run(setting, out),
        Command::Rejected(command) => command.run(setting, out),
        Command::Destinations(command) => command.run(setting, out),
        Command::Backup(command) => command.run(setting, out),
        Command::Restore(command) => command.run(setting, out),
        Command::Completions(command) => command.run(&mut Cli::command(), out),
        Command::Man(command) => command.run(Cli::command(), out),
    }
}

/// Says once what went wrong.
fn report(failure: &Failure) -> ExitCode {
    let (text, code) = match failure {
        Failure::Closed => return ExitCode::SUCCESS,
        Failure::Wrong(text) => (text, 2),
        Failure::Failed(text) => (text, 1),
    };
    // There is no one left to tell when standard error is closed.
    let _ = writeln!(io::stderr(), "tallyhook: {text}");
    ExitCode::from(code)
}
