//! Parses the command line, runs one command, and turns an error into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    tallyhook::platform::name_service::pin();
    tallyhook::cli::main(std::env::args_os())
}
