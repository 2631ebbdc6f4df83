//! The only printing: results to standard output or a file, everything else to standard error.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tilesight::Progress;
use tilesight_publish::Draft;
pub(crate) use tilesight_publish::folder_of;

use crate::failure::Failure;
use crate::plan::Target;

/// How long work may take before its progress is shown.
const PATIENCE: Duration = Duration::from_millis(300);

/// Whether results go to somebody who reads them as they come.
pub(crate) fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Speaks to the user on standard error, as much as was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Voice {
    pub(crate) quiet: bool,
    /// How often it was asked for.
    pub(crate) verbose: u8,
}

impl Voice {
    pub(crate) fn error(message: impl Display) {
        say("error", "31", message);
    }

    pub(crate) fn warn(self, message: impl Display) {
        if !self.quiet {
            say("warning", "33", message);
        }
    }

    /// Says what is of interest to the curious alone.
    pub(crate) fn tell(self, message: impl Display) {
        if self.verbose > 0 {
            say("note", "36", message);
        }
    }

    /// Says what happens to single tiles, to the very curious.
    pub(crate) fn detail(self, message: impl Display) {
        if self.verbose > 1 {
            say("note", "36", message);
        }
    }

    /// Says how something ended that has no other result.
    pub(crate) fn conclude(self, message: impl Display) {
        if !self.quiet {
            say("done", "32", message);
        }
    }

    /// A bar for the reading of a source, on a terminal alone.
    pub(crate) fn reading_bar(self) -> ReadingBar {
        ReadingBar {
            bar: self.bar(None, "reading {wide_bar} {pos}/{len} tiles {eta}"),
            begun: Instant::now(),
        }
    }

    /// A bar for the download of pictures, on a terminal alone.
    pub(crate) fn download_bar(self, pictures: u64) -> ProgressBar {
        self.bar(
            Some(pictures),
            "downloading {wide_bar} {pos}/{len} pictures, {per_sec}, {eta}",
        )
    }

    /// A bar for asking where pictures are, on a terminal alone.
    pub(crate) fn address_bar(self, pictures: u64) -> ProgressBar {
        self.bar(
            Some(pictures),
            "asking {wide_bar} {pos}/{len} addresses, {eta}",
        )
    }

    /// A bar for the writing of rows, on a terminal alone.
    #[cfg(feature = "parquet")]
    pub(crate) fn export_bar(self) -> ProgressBar {
        self.bar(None, "writing {wide_bar} {pos}/{len} rows, {eta}")
    }

    /// A bar for the fetching of tiles, on a terminal alone.
    pub(crate) fn fetch_bar(self) -> ProgressBar {
        self.bar(
            None,
            "fetching {wide_bar} {pos}/{len} tiles, {per_sec}, {eta}{msg}",
        )
    }

    fn bar(self, length: Option<u64>, template: &str) -> ProgressBar {
        let is_shown = !self.quiet && io::stderr().is_terminal();
        let target = if is_shown {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(length, target);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar
    }
}

/// Progress of the reading of a source.
pub(crate) struct ReadingBar {
    bar: ProgressBar,
    begun: Instant,
}

impl ReadingBar {
    pub(crate) fn update(&self, progress: Progress) {
        if self.begun.elapsed() > PATIENCE {
            self.bar.set_length(progress.tiles);
            self.bar.set_position(progress.tiles_read);
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Writes an answer to its target: a file appears whole or not at all.
pub(crate) fn write<T>(
    target: &Target,
    answer: impl FnOnce(&mut dyn Write) -> Result<T, Failure>,
) -> Result<T, Failure> {
    match target {
        Target::Stdout => write_stdout(answer),
        Target::File { path, overwrite } => {
            check_target(path, *overwrite)?;
            if is_special(path) {
                let mut file = fs::OpenOptions::new().write(true).open(path)?;
                return answer(&mut file);
            }
            write_file(path, *overwrite, |file| answer(file))
        }
    }
}

/// Writes an archive, which is made in any order and not from first to last, as a file that
/// appears whole or not at all.
pub(crate) fn write_archive<T>(
    path: &Path,
    overwrite: bool,
    make: impl FnOnce(&mut File) -> Result<T, Failure>,
) -> Result<T, Failure> {
    check_target(path, overwrite)?;
    if is_special(path) {
        let problem = "is not an ordinary file, which an archive must be";
        return Err(Failure::Failed(format!("{} {problem}", path.display())));
    }
    write_file(path, overwrite, make)
}

/// Refuses a folder that cannot be written, before any work is done for it.
#[cfg(feature = "parquet")]
pub(crate) fn check_folder(path: &Path, overwrite: bool) -> Result<(), Failure> {
    let problem = if path.as_os_str() == "-" {
        return Err(Failure::usage(
            "a folder is not written to standard output: -o town",
        ));
    } else if path.exists() && !path.is_dir() {
        "is a file; give a folder"
    } else if path.exists() && !overwrite {
        "exists; add --overwrite to replace it"
    } else if !folder_of(path).is_dir() {
        "lies in a folder that does not exist"
    } else {
        return Ok(());
    };
    Err(Failure::failed(format!("{} {problem}", path.display())))
}

/// Writes a folder that appears whole or not at all: what was there is taken away when the new one
/// is in its place.
#[cfg(feature = "parquet")]
pub(crate) fn write_folder<T>(
    path: &Path,
    overwrite: bool,
    make: impl FnOnce(&Path) -> Result<T, Failure>,
) -> Result<T, Failure> {
    check_folder(path, overwrite)?;
    let cannot_write = Failure::cannot_write(path);
    let beside = tempfile::Builder::new()
        .prefix(".tilesight-")
        .suffix(".part")
        .tempdir_in(folder_of(path))
        .map_err(&cannot_write)?;
    let _guard = Unfinished::mark(beside.path());
    let new = beside.path().join("new");
    fs::create_dir(&new).map_err(&cannot_write)?;
    let outcome = make(&new)?;
    tilesight_publish::publish_folder(&new, path).map_err(cannot_write)?;
    Ok(outcome)
}

/// Refuses a target that cannot be written, before any work is done for it.
pub(crate) fn check(target: &Target) -> Result<(), Failure> {
    match target {
        Target::Stdout => Ok(()),
        Target::File { path, overwrite } => check_target(path, *overwrite),
    }
}

fn check_target(path: &Path, overwrite: bool) -> Result<(), Failure> {
    let problem = if path.is_dir() {
        "is a folder; give a file in it"
    } else if path.exists() && !overwrite && !is_special(path) {
        "exists; add --overwrite to replace it"
    } else if !folder_of(path).is_dir() {
        "lies in a folder that does not exist"
    } else {
        return Ok(());
    };
    Err(Failure::failed(format!("{} {problem}", path.display())))
}

/// Whether a path is there and no ordinary file, as `/dev/null` is.
fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| !metadata.is_file())
}

fn write_stdout<T>(
    answer: impl FnOnce(&mut dyn Write) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut stdout = io::stdout().lock();
    let outcome = answer(&mut stdout)?;
    stdout.flush()?;
    Ok(outcome)
}

fn write_file<T>(
    path: &Path,
    overwrite: bool,
    answer: impl FnOnce(&mut File) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let cannot_write = Failure::cannot_write(path);
    let mut draft = Draft::beside(path).map_err(&cannot_write)?;
    let _guard = Unfinished::mark(draft.path());
    let outcome = answer(draft.file()).map_err(|failure| match failure {
        Failure::Unwritten(error) => cannot_write(error),
        failure => failure,
    })?;
    draft.publish(overwrite).map_err(cannot_write)?;
    Ok(outcome)
}

/// The temporary file or folder that an interrupt must take away, since it skips every destructor.
static UNFINISHED: Mutex<Option<PathBuf>> = Mutex::new(None);

/// What ends work in progress in its own way, at the first interrupt.
static STOP: Mutex<Option<Box<dyn Fn() + Send>>> = Mutex::new(None);

/// Lets the first interrupt from now on end work in its own way; the second ends the program.
pub(crate) fn stop_on_interrupt(stop: impl Fn() + Send + 'static) {
    *STOP.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(stop));
}

/// Lets the first interrupt from now on end the program: the work that ends in its own way is
/// done.
pub(crate) fn end_on_next_interrupt() {
    *STOP.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

struct Unfinished;

impl Unfinished {
    fn mark(path: &Path) -> Self {
        *UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner) = Some(path.to_owned());
        Self
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        *UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Ends the program when it is interrupted, leaving nothing half-written behind.
pub(crate) fn end_on_interrupt() -> Result<(), Failure> {
    const INTERRUPTED: i32 = 130;
    let end = || {
        if let Some(stop) = STOP.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return stop();
        }
        if let Some(path) = UNFINISHED
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
            // Nobody is left to be told that it could not be removed.
            let _ = if path.is_dir() {
                fs::remove_dir_all(path)
            } else {
                fs::remove_file(path)
            };
        }
        std::process::exit(INTERRUPTED);
    };
    ctrlc::set_handler(end)
        .map_err(|error| Failure::failed(format!("cannot catch interrupts: {error}")))
}

fn say(label: &str, colour: &str, message: impl Display) {
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let label = if no_colour || !io::stderr().is_terminal() {
        format!("{label}:")
    } else {
        format!("\u{1b}[1;{colour}m{label}:\u{1b}[0m")
    };
    // Where standard error is closed there is nowhere to say so.
    let _ = writeln!(io::stderr(), "{label} {message}");
}
