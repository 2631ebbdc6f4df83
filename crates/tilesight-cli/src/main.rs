//! The program `tilesight`.
//!
//! [`args`] holds what was typed, [`plan`] makes questions of it, [`ask`] and [`info`] answer
//! them, [`sees`] and [`coverage`] those about the shapes of a file, [`build`] makes dataset files,
//! [`pack`] archives and `export` partitioned datasets, [`fetch`] and [`import`] fill stores,
//! [`annotate`] says something of sequences and [`verify`] examines them, [`graph`] and [`download`]
//! ask the [`service`], [`geokit`] does what geokit does, and [`output`] alone prints.

#![forbid(unsafe_code)]

mod annotate;
mod args;
mod ask;
mod build;
mod coverage;
mod download;
#[cfg(feature = "parquet")]
mod export;
mod failure;
mod fetch;
mod geokit;
mod graph;
mod import;
mod info;
mod output;
mod pack;
mod plan;
mod sees;
mod service;
mod verify;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Arguments, Command};
use failure::Failure;
use output::Voice;
use plan::{Plan, Target};

fn main() -> ExitCode {
    let Arguments {
        command,
        quiet,
        verbose,
    } = Arguments::parse();
    let voice = Voice { quiet, verbose };
    match run(command, voice) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(message) = failure.message() {
                Voice::error(message);
            }
            failure.exit_code()
        }
    }
}

fn run(command: Command, voice: Voice) -> Result<(), Failure> {
    output::end_on_interrupt()?;
    let on_terminal = output::stdout_is_terminal();
    match command {
        Command::Images(mut typed) => match typed.sees.targets.take() {
            Some(targets) => sees::answer(&targets, typed, on_terminal, voice),
            None => ask::answer(&Plan::images(typed, on_terminal)?, voice),
        },
        Command::Sequences(typed) => ask::answer(&Plan::sequences(typed, on_terminal)?, voice),
        Command::Features(typed) => ask::answer(&Plan::features(typed, on_terminal)?, voice),
        Command::Annotate(typed) => annotate::annotate(typed, voice),
        Command::Import(typed) => import::import(&typed, voice),
        Command::Fetch(typed) => fetch::fetch(&typed, voice),
        Command::Verify(typed) => verify::verify(&typed, voice),
        Command::Coverage(typed) => coverage::measure(typed, on_terminal, voice),
        #[cfg(feature = "parquet")]
        Command::Export(typed) => export::export(typed, voice),
        Command::Info(typed) => info::show(&typed, voice),
        Command::Geokit(typed) => geokit::run(typed, voice),
        Command::Graph(typed) => graph::ask(typed),
        Command::DownloadImages(typed) => download::download(typed, voice),
        Command::Build(typed) => build::build(&typed, voice),
        Command::Pack(typed) => pack::pack(&typed, voice),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "tilesight", &mut script);
            print(&script)
        }
        Command::Man { command } => print(&manual_page(command.as_deref())?),
    }
}

/// The manual page of the program, or of one of its commands.
fn manual_page(name: Option<&str>) -> Result<Vec<u8>, Failure> {
    let mut program = Arguments::command();
    program.build();
    let command = match name {
        None => program,
        Some(name) => {
            let found = program.find_subcommand(name).cloned();
            found.ok_or_else(|| Failure::usage(format!("there is no command {name}: images")))?
        }
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    Ok(page)
}

fn print(bytes: &[u8]) -> Result<(), Failure> {
    output::write(&Target::Stdout, |out| Ok(out.write_all(bytes)?))
}
