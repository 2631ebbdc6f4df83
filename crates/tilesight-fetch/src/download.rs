//! Downloading pictures into a folder, resumably.

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use futures_util::{StreamExt, stream};
use tilesight_publish::{Draft, folder_of, make_folder};

use crate::graph::{self, Graph, Id, Thumbnail, ThumbnailSize};
use crate::{Auth, GaveUp, Reply, Request, RequestError, Setback};

/// Largest picture; panoramas as they were taken have up to about 50 MB.
const MAX_PICTURE_BYTES: usize = 128 << 20;

/// Images whose addresses are asked for together: few, so that none expires before its turn.
const IMAGES_A_BATCH: usize = 50;

/// First bytes of every JPEG file.
const JPEG_MAGIC: &[u8] = &[0xff, 0xd8, 0xff];

/// Folder of the images that belong to no sequence, or to one whose key cannot name a folder.
const NO_SEQUENCE: &str = "no-sequence";

/// Longest key of a sequence that names a folder.
const MAX_KEY_LEN: usize = 64;

/// File by which a download tells others that it is working in a folder.
const LOCK_NAME: &str = ".tilesight.lock";

/// An image whose picture is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Which image.
    pub id: Id,
    /// Key of its sequence.
    pub sequence: Option<String>,
}

/// How pictures are downloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DownloadOptions {
    /// How large they are.
    pub size: ThumbnailSize,
    /// How many at the same time.
    pub jobs: usize,
}

impl Default for DownloadOptions {
    fn default() -> Self {
        Self {
            size: ThumbnailSize::default(),
            jobs: 4,
        }
    }
}

/// What became of one picture.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It is there now, and so large.
    Downloaded {
        /// Its size.
        bytes: u64,
    },
    /// It was there before.
    AlreadyThere,
    /// The service has no such image, or not of this size.
    NotFound,
    /// It could not be had this time.
    Failed {
        /// Why, in a sentence.
        reason: String,
    },
}

/// How many pictures met with which outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DownloadSummary {
    /// Downloaded now.
    pub downloaded: u64,
    /// Downloaded before.
    pub already_there: u64,
    /// Not to be had.
    pub not_found: u64,
    /// Failed this time.
    pub failed: u64,
    /// Size of those downloaded now.
    pub bytes: u64,
}

/// Why a download ended before its end; what is there stays there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// The service has no answers.
    #[error(transparent)]
    Graph(#[from] graph::Error),
    /// The folder cannot be written.
    #[error("cannot write {}: {source}; make room, and the same command goes on", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Another process downloads into the folder.
    #[error("another download is working in {}", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
}

/// Downloads the pictures of images into `{folder}/{sequence}/{id}.jpg`.
///
/// A file that is there is whole and not asked for again, so a download that was stopped goes on
/// where it was. Addresses are asked for through `graph` and never stored; the pictures come
/// from other hosts, which get no token, with the same politeness. `on_outcome` is called once
/// for each image, as pictures come.
///
/// # Errors
///
/// [`DownloadError::Graph`] when the service refuses the token or answers nothing any more,
/// [`DownloadError::Io`] when the folder cannot be written, [`DownloadError::Locked`] when
/// another process is at it. A picture that cannot be had is an [`Outcome`] and no error.
///
/// # Cost
///
/// A request for every picture that is not there, and one for every fifty of them; memory for as
/// many pictures as [`jobs`](DownloadOptions::jobs).
pub async fn download(
    graph: &Graph,
    images: &[Wanted],
    folder: &Path,
    options: DownloadOptions,
    mut on_outcome: impl FnMut(&Wanted, &Outcome),
) -> Result<DownloadSummary, DownloadError> {
    let _lock = lock(folder)?;
    let mut summary = DownloadSummary::default();
    let mut report = |image: &Wanted, outcome: &Outcome| {
        summary.add(outcome);
        on_outcome(image, outcome);
    };
    let mut missing = Vec::new();
    for image in images {
        if path_of(folder, image).exists() {
            report(image, &Outcome::AlreadyThere);
        } else {
            missing.push(image);
        }
    }
    for batch in missing.chunks(IMAGES_A_BATCH) {
        let ids: Vec<Id> = batch.iter().map(|image| image.id).collect();
        let thumbnails = graph.thumbnails(&ids, options.size).await?;
        let pictures = batch.iter().zip(thumbnails).map(|(image, thumbnail)| {
            let path = path_of(folder, image);
            async move { (*image, picture(graph, thumbnail, &path).await) }
        });
        let mut pictures = stream::iter(pictures).buffer_unordered(options.jobs.max(1));
        while let Some((image, outcome)) = pictures.next().await {
            report(image, &outcome?);
        }
    }
    Ok(summary)
}

impl DownloadSummary {
    fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Downloaded { bytes } => {
                self.downloaded += 1;
                self.bytes += bytes;
            }
            Outcome::AlreadyThere => self.already_there += 1,
            Outcome::NotFound => self.not_found += 1,
            Outcome::Failed { .. } => self.failed += 1,
        }
    }
}

/// Where the picture of an image lies: its names are made of what cannot lead out of the folder.
fn path_of(folder: &Path, image: &Wanted) -> PathBuf {
    let key = image.sequence.as_deref().filter(|key| is_folder_name(key));
    let sequence = folder.join(key.unwrap_or(NO_SEQUENCE));
    sequence.join(format!("{}.jpg", image.id))
}

fn is_folder_name(key: &str) -> bool {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=MAX_KEY_LEN).contains(&key.len()) && key.bytes().all(is_safe)
}

/// Holds the folder until the file is closed, which the end of the process does too.
fn lock(folder: &Path) -> Result<File, DownloadError> {
    make_folder(folder).map_err(io_error(folder))?;
    let path = folder.join(LOCK_NAME);
    let file = File::create(&path).map_err(io_error(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(DownloadError::Locked {
            path: folder.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(io_error(&path)(error)),
    }
}

/// Gets and keeps one picture.
async fn picture(
    graph: &Graph,
    thumbnail: Option<Thumbnail>,
    path: &Path,
) -> Result<Outcome, DownloadError> {
    let Some(thumbnail) = thumbnail else {
        return Ok(Outcome::NotFound);
    };
    match fetch(graph, thumbnail).await {
        Ok(picture) => {
            publish(path, &picture).map_err(io_error(path))?;
            let bytes = picture.len() as u64;
            Ok(Outcome::Downloaded { bytes })
        }
        Err(GaveUp::Failed { error, .. }) => Ok(Outcome::Failed {
            reason: error.to_string(),
        }),
        Err(GaveUp::Closed { until }) => Err(graph::Error::Closed { until }.into()),
        Err(GaveUp::OutOfReach { error }) => Err(error.into_graph_error().into()),
    }
}

/// Why there is no picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum PictureError {
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("its host answered with status {0}")]
    Status(u16),
    #[error("what came is no JPEG picture")]
    NoPicture,
}

impl PictureError {
    fn into_graph_error(self) -> graph::Error {
        match self {
            Self::Request(error) => graph::Error::Request(error),
            Self::Status(status) => graph::Error::Transient {
                status,
                message: self.to_string(),
            },
            Self::NoPicture => graph::Error::Answer {
                reason: self.to_string(),
            },
        }
    }
}

async fn fetch(graph: &Graph, thumbnail: Thumbnail) -> Result<Vec<u8>, GaveUp<PictureError>> {
    let request = Request {
        url: thumbnail.url.reveal().clone(),
        // The signature is all that this host needs to know.
        auth: Auth::None,
        if_none_match: None,
        max_body_bytes: MAX_PICTURE_BYTES,
    };
    let attempt = async || {
        let reply = graph.client().get(&request).await;
        reply.map_err(of_request).and_then(read_picture)
    };
    graph.politeness().run(attempt).await
}

fn of_request(error: RequestError) -> Setback<PictureError> {
    let is_retryable = error.is_retryable();
    let error = PictureError::Request(error);
    if is_retryable {
        Setback::Retry { error, after: None }
    } else {
        Setback::Final(error)
    }
}

fn read_picture(reply: Reply) -> Result<Vec<u8>, Setback<PictureError>> {
    let error = PictureError::Status(reply.status);
    let after = reply.retry_after;
    match reply.status {
        200 if reply.body.starts_with(JPEG_MAGIC) => Ok(reply.body),
        200 => Err(Setback::Final(PictureError::NoPicture)),
        429 => Err(Setback::Limited { error, after }),
        500.. => Err(Setback::Retry { error, after }),
        _ => Err(Setback::Final(error)),
    }
}

/// Makes a file appear whole or not at all; what an earlier download left half-written is
/// written anew.
fn publish(path: &Path, bytes: &[u8]) -> io::Result<()> {
    make_folder(folder_of(path))?;
    let mut draft = Draft::named(path.with_extension("jpg.part"), path)?;
    draft.file().write_all(bytes)?;
    draft.publish(true)
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> DownloadError {
    let path = path.to_owned();
    move |source| DownloadError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    fn wanted(sequence: Option<&str>) -> Wanted {
        Wanted {
            id: Id(17),
            sequence: sequence.map(str::to_owned),
        }
    }

    #[test]
    fn pictures_lie_in_the_folder_of_their_sequence() {
        let path = path_of(Path::new("town"), &wanted(Some("aB3-_x")));
        assert_eq!(path, Path::new("town/aB3-_x/17.jpg"));
        for none in [
            None,
            Some(""),
            Some(".."),
            Some("a/b"),
            Some("/etc"),
            Some("a.b"),
        ] {
            let path = path_of(Path::new("town"), &wanted(none));
            assert_eq!(path, Path::new("town/no-sequence/17.jpg"), "{none:?}");
        }
    }

    /// By default a thousand names; `TILESIGHT_SOAK=1` makes it a hundred thousand.
    #[test]
    fn output_of_no_name_leaves_the_folder_or_meets_another() {
        let is_whole_edition = std::env::var_os("TILESIGHT_SOAK").is_some();
        let names = if is_whole_edition { 100_000 } else { 1_000 };
        let keys = prop_oneof![".{0,80}", r"[./\\\x00aA:~-]{0,5}", "[a-zA-Z0-9_-]{1,70}"];
        let mut runner = TestRunner::new(ProptestConfig::with_cases(names));
        let check = |(key, id, other): (String, i64, i64)| {
            let sequence = Some(key.as_str());
            let path = |id| {
                let id = Id(id);
                path_of(
                    Path::new("town"),
                    &Wanted {
                        id,
                        ..wanted(sequence)
                    },
                )
            };
            let at = path(id);
            let parts: Vec<_> = at.iter().map(|part| part.to_str().unwrap()).collect();
            let is_name = |part: &&str| {
                let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
                part.bytes().all(is_letter) && !part.starts_with('.')
            };
            prop_assert!(parts.len() == 3 && parts.iter().all(is_name), "{at:?}");
            prop_assert_eq!(at == path(other), id == other);
            Ok(())
        };
        runner
            .run(&(keys, any::<i64>(), any::<i64>()), check)
            .unwrap();
        println!(
            "reliability: output: {names} names of pictures stay in their folder, each its own"
        );
    }

    #[test]
    fn a_folder_is_held_by_one_download() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("town");
        let held = lock(&folder).unwrap();
        assert!(matches!(lock(&folder), Err(DownloadError::Locked { .. })));
        drop(held);
        assert!(lock(&folder).is_ok());
    }

    #[test]
    fn files_are_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/17.jpg");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path.with_extension("jpg.part"), "half of a longer picture").unwrap();
        publish(&path, b"whole").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
