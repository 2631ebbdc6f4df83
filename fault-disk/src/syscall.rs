//! Which system calls change files, and how.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use nix::libc::{self, c_long, user_regs_struct};
use nix::unistd::Pid;

use crate::Operation;

/// What a path without a leading folder begins at, as the registers have it.
const HERE: u64 = libc::AT_FDCWD as u64;

/// Longest path that a system call takes.
const MAX_PATH_BYTES: usize = 4096;

/// What a process asks of the system.
pub struct Call<'a> {
    /// The thread that asks.
    pub thread: Pid,
    /// What it asks.
    pub registers: &'a user_regs_struct,
    /// The folder that is watched.
    pub folder: &'a Path,
}

impl Call<'_> {
    /// The operation that a system call is, once it has succeeded; none if it changes no file of
    /// the folder.
    ///
    /// A file that is made has no number yet.
    ///
    /// # Errors
    ///
    /// When the call changes such a file in a way that is not followed.
    pub fn operation(&self) -> io::Result<Option<Operation>> {
        let user_regs_struct {
            rdi,
            rsi,
            rdx,
            r10,
            r8,
            ..
        } = *self.registers;
        match self.registers.orig_rax as c_long {
            libc::SYS_open => self.open(HERE, rdi, rsi),
            libc::SYS_openat => self.open(rdi, rsi, rdx),
            libc::SYS_creat => self.open(HERE, rdi, (libc::O_CREAT | libc::O_TRUNC) as u64),
            libc::SYS_write => self.write(rdi, None, &[(rsi, rdx)]),
            libc::SYS_pwrite64 => self.write(rdi, Some(r10), &[(rsi, rdx)]),
            libc::SYS_writev => self.write(rdi, None, &self.slices(rsi, rdx)?),
            libc::SYS_pwritev => self.write(rdi, Some(r10), &self.slices(rsi, rdx)?),
            libc::SYS_ftruncate => {
                let file = self.file(rdi)?;
                Ok(file.map(|file| Operation::SetLength { file, length: rsi }))
            }
            libc::SYS_fsync | libc::SYS_fdatasync => self.sync(rdi),
            libc::SYS_mkdir => self.at(HERE, rdi, |path| Operation::MakeFolder { path }),
            libc::SYS_mkdirat => self.at(rdi, rsi, |path| Operation::MakeFolder { path }),
            libc::SYS_unlink | libc::SYS_rmdir => {
                self.at(HERE, rdi, |path| Operation::Remove { path })
            }
            libc::SYS_unlinkat => self.at(rdi, rsi, |path| Operation::Remove { path }),
            libc::SYS_rename => self.rename((HERE, rdi), (HERE, rsi), 0),
            libc::SYS_renameat => self.rename((rdi, rsi), (rdx, r10), 0),
            libc::SYS_renameat2 => self.rename((rdi, rsi), (rdx, r10), r8),
            libc::SYS_link => self.link((HERE, rdi), (HERE, rsi)),
            libc::SYS_linkat => self.link((rdi, rsi), (rdx, r10)),
            other => self.refuse_what_is_not_followed(other).map(|()| None),
        }
    }

    /// Errors for calls that change files and that nobody here makes.
    fn refuse_what_is_not_followed(&self, number: c_long) -> io::Result<()> {
        let user_regs_struct {
            rdi,
            rsi,
            rdx,
            r10,
            r8,
            ..
        } = *self.registers;
        let changes = match number {
            libc::SYS_fallocate | libc::SYS_pwritev2 | libc::SYS_sendfile => self.file(rdi)?,
            libc::SYS_copy_file_range | libc::SYS_splice => self.file(rdx)?,
            libc::SYS_mmap if is_written(rdx, r10) && !self.is_shared_index(r8) => self.file(r8)?,
            libc::SYS_truncate => self.path(HERE, rdi)?.map(|_| 0),
            libc::SYS_symlink => self.path(HERE, rsi)?.map(|_| 0),
            libc::SYS_symlinkat => self.path(rsi, rdx)?.map(|_| 0),
            libc::SYS_openat2 | libc::SYS_io_uring_setup => Some(0),
            _ => None,
        };
        match changes {
            None => Ok(()),
            Some(_) => Err(io::Error::other(format!(
                "the system call {number} changes a file in a way that is not followed"
            ))),
        }
    }

    fn open(&self, from: u64, path: u64, flags: u64) -> io::Result<Option<Operation>> {
        let has = |flag: i32| flags & flag as u64 == flag as u64;
        if !has(libc::O_CREAT) && !has(libc::O_TRUNC) && !has(libc::O_TMPFILE) {
            return Ok(None);
        }
        let Some(path) = self.path(from, path)? else {
            return Ok(None);
        };
        if has(libc::O_TMPFILE) {
            return Ok(Some(Operation::Create {
                path: None,
                file: 0,
            }));
        }
        match fs::metadata(self.folder.join(&path)) {
            Ok(there) if has(libc::O_TRUNC) && !has(libc::O_EXCL) => {
                let file = there.ino();
                Ok(Some(Operation::SetLength { file, length: 0 }))
            }
            Err(_) if has(libc::O_CREAT) => Ok(Some(Operation::Create {
                path: Some(path),
                file: 0,
            })),
            _ => Ok(None),
        }
    }

    fn write(
        &self,
        to: u64,
        offset: Option<u64>,
        slices: &[(u64, u64)],
    ) -> io::Result<Option<Operation>> {
        let Some(file) = self.file(to)? else {
            return Ok(None);
        };
        let offset = offset.map_or_else(|| self.position(to), Ok)?;
        let mut bytes = Vec::new();
        for &(at, length) in slices {
            bytes.extend(self.memory(at, length as usize)?);
        }
        Ok(Some(Operation::Write {
            file,
            offset,
            bytes,
        }))
    }

    /// The parts of a write from several places.
    fn slices(&self, list: u64, count: u64) -> io::Result<Vec<(u64, u64)>> {
        let list = self.memory(list, count as usize * 16)?;
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .rev()
                .fold(0, |sum, &byte| sum << 8 | u64::from(byte))
        };
        let parts = list.chunks(16);
        Ok(parts
            .map(|part| (number(&part[..8]), number(&part[8..])))
            .collect())
    }

    fn sync(&self, open: u64) -> io::Result<Option<Operation>> {
        let Some(path) = self.watched(&self.link_of(open)?) else {
            return Ok(None);
        };
        let metadata = fs::metadata(self.of_process(&format!("fd/{open}")))?;
        Ok(Some(if metadata.is_dir() {
            Operation::SyncFolder { path }
        } else {
            Operation::Sync {
                file: metadata.ino(),
            }
        }))
    }

    fn rename(
        &self,
        from: (u64, u64),
        to: (u64, u64),
        flags: u64,
    ) -> io::Result<Option<Operation>> {
        let exchanges = flags & u64::from(libc::RENAME_EXCHANGE) != 0;
        self.pair(from, to, |from, to| {
            if exchanges {
                Operation::Exchange { from, to }
            } else {
                Operation::Rename { from, to }
            }
        })
    }

    fn link(&self, from: (u64, u64), to: (u64, u64)) -> io::Result<Option<Operation>> {
        self.pair(from, to, |from, to| Operation::Link { from, to })
    }

    fn pair(
        &self,
        from: (u64, u64),
        to: (u64, u64),
        operation: impl FnOnce(PathBuf, PathBuf) -> Operation,
    ) -> io::Result<Option<Operation>> {
        match (self.path(from.0, from.1)?, self.path(to.0, to.1)?) {
            (Some(from), Some(to)) => Ok(Some(operation(from, to))),
            (None, None) => Ok(None),
            _ => Err(io::Error::other("a file crosses the edge of the folder")),
        }
    }

    fn at(
        &self,
        from: u64,
        path: u64,
        operation: impl FnOnce(PathBuf) -> Operation,
    ) -> io::Result<Option<Operation>> {
        Ok(self.path(from, path)?.map(operation))
    }

    /// The path that a call names, where it lies in the folder.
    fn path(&self, from: u64, path: u64) -> io::Result<Option<PathBuf>> {
        let mut bytes = self.memory(path, MAX_PATH_BYTES)?;
        let end = bytes.iter().position(|&byte| byte == 0);
        bytes.truncate(end.unwrap_or(MAX_PATH_BYTES));
        let named = PathBuf::from(OsString::from_vec(bytes));
        let start = match (named.is_absolute(), from as i32) {
            (true, _) => PathBuf::new(),
            (false, libc::AT_FDCWD) => fs::read_link(self.of_process("cwd"))?,
            (false, open) => self.link_of(open as u64)?,
        };
        Ok(self.watched(&start.join(named)))
    }

    /// The part of a path within the folder.
    fn watched(&self, path: &Path) -> Option<PathBuf> {
        let mut plain = PathBuf::new();
        for part in path.components() {
            match part {
                Component::ParentDir => drop(plain.pop()),
                part => plain.push(part),
            }
        }
        plain.strip_prefix(self.folder).ok().map(Path::to_owned)
    }

    /// The number of an open file, where it lies in the folder or had a name there.
    fn file(&self, open: u64) -> io::Result<Option<u64>> {
        if self.watched(&self.link_of(open)?).is_none() {
            return Ok(None);
        }
        self.number(open).map(Some)
    }

    /// The number of an open file.
    pub fn number(&self, open: u64) -> io::Result<u64> {
        Ok(fs::metadata(self.of_process(&format!("fd/{open}")))?.ino())
    }

    fn link_of(&self, open: u64) -> io::Result<PathBuf> {
        match fs::read_link(self.of_process(&format!("fd/{}", open as i32))) {
            // The call will fail, or is none.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(PathBuf::new()),
            link => link,
        }
    }

    /// Whether a file that is mapped is the index that the users of an `SQLite` journal share,
    /// which is made anew after a crash.
    fn is_shared_index(&self, open: u64) -> bool {
        self.link_of(open)
            .is_ok_and(|link| link.to_string_lossy().ends_with("-shm"))
    }

    /// Where the next byte goes that is written to an open file.
    fn position(&self, open: u64) -> io::Result<u64> {
        let text = fs::read_to_string(self.of_process(&format!("fdinfo/{open}")))?;
        let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
        let flags = value("flags:").map(str::trim).unwrap_or_default();
        let flags = i32::from_str_radix(flags, 8).map_err(io::Error::other)?;
        if flags & libc::O_APPEND != 0 {
            return Ok(fs::metadata(self.of_process(&format!("fd/{open}")))?.len());
        }
        let position = value("pos:").map(str::trim).unwrap_or_default();
        position.parse().map_err(io::Error::other)
    }

    /// Reads memory of the process, as much of it as there is.
    fn memory(&self, at: u64, length: usize) -> io::Result<Vec<u8>> {
        let memory = File::open(self.of_process("mem"))?;
        let mut bytes = vec![0; length];
        let mut read = 0;
        while read < length {
            match memory.read_at(&mut bytes[read..], at + read as u64) {
                Ok(0) | Err(_) if read > 0 => break,
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                more => read += more?,
            }
        }
        bytes.truncate(read);
        Ok(bytes)
    }

    fn of_process(&self, what: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{what}", self.thread))
    }
}

/// Whether what is mapped so is written to its file.
fn is_written(protection: u64, flags: u64) -> bool {
    let is_shared = flags & libc::MAP_TYPE as u64 != libc::MAP_PRIVATE as u64;
    is_shared
        && flags & libc::MAP_ANONYMOUS as u64 == 0
        && protection & libc::PROT_WRITE as u64 != 0
}
