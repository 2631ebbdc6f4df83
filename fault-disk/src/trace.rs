//! Running a program step by step.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::libc::{self, c_long};
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::syscall::Call;
use crate::{Journal, Operation, Tree};

/// What is to go wrong. Operations are counted from 0 over all threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The program is killed before an operation or, if that is a write and is to be torn, when
    /// half of its bytes are written.
    Kill {
        /// Before which operation.
        at: usize,
        /// Whether half of a write still happens.
        is_torn: bool,
    },
    /// An operation is refused.
    Refuse {
        /// Which.
        at: usize,
        /// Why.
        trouble: Trouble,
        /// Whether those after it are, too.
        is_lasting: bool,
    },
}

/// Why a disk refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// There is no room for more bytes and names; when that lasts, half of the first write that
    /// meets it still found room.
    Full,
    /// It does nothing any more but forget.
    Broken,
}

/// How a program ended.
#[derive(Debug)]
pub struct Traced {
    /// Its exit code; none if it was killed.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: Vec<u8>,
    /// What it did to the files of the folder.
    pub journal: Journal,
    /// Whether the fault was met.
    pub met_fault: bool,
}

/// Runs a program, watching what it does to the files below a folder, which has to be there.
///
/// Each run sees the same operations of a program that does the same, but for the order of those
/// of different threads.
///
/// # Errors
///
/// When the program cannot be run or traced, as where a sandbox forbids it, or changes a file in a
/// way that is not followed.
///
/// # Cost
///
/// Some 20 µs for every system call.
pub fn trace(mut command: Command, folder: &Path, fault: Option<Fault>) -> io::Result<Traced> {
    let folder = &folder.canonicalize()?;
    let (mut stdout, mut stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    command.stdin(Stdio::null());
    command
        .stdout(stdout.try_clone()?)
        .stderr(stderr.try_clone()?);
    let before = Tree::read(folder)?;
    let numbers = before.entries.keys().map(|path| {
        let number = folder.join(path).metadata()?.ino();
        Ok((path.clone(), number))
    });
    let journal = Journal {
        numbers: numbers.collect::<io::Result<_>>()?,
        before,
        operations: Vec::new(),
    };
    let mut tracer = Tracer {
        leader: start(command)?,
        folder,
        fault,
        journal,
        begun: 0,
        met_fault: false,
        threads: HashMap::new(),
    };
    let code = tracer.run().inspect_err(|_| tracer.kill())?;
    Ok(Traced {
        code,
        stdout: text_of(&mut stdout)?,
        stderr: text_of(&mut stderr)?,
        journal: tracer.journal,
        met_fault: tracer.met_fault,
    })
}

fn text_of(file: &mut File) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut text)?;
    Ok(text)
}

/// Starts a program, which waits at its first instruction to be traced by this thread.
#[expect(
    unsafe_code,
    reason = "nothing else runs in a child before its program does"
)]
fn start(mut command: Command) -> io::Result<Pid> {
    // Its threads are waited for by their group, and nobody else's.
    command.process_group(0);
    // SAFETY: between fork and exec this makes one system call, allocates nothing and takes no lock.
    unsafe {
        command.pre_exec(|| Ok(ptrace::traceme()?));
    }
    let leader = Pid::from_raw(command.spawn()?.id() as i32);
    match waitpid(leader, None)? {
        WaitStatus::Stopped(..) => (),
        other => return Err(io::Error::other(format!("cannot trace: {other:?}"))),
    }
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL;
    ptrace::setoptions(leader, options)?;
    ptrace::syscall(leader, None)?;
    Ok(leader)
}

struct Tracer<'a> {
    leader: Pid,
    folder: &'a Path,
    fault: Option<Fault>,
    journal: Journal,
    /// How many operations were begun.
    begun: usize,
    met_fault: bool,
    /// What each thread is about to do.
    threads: HashMap<Pid, Option<Doing>>,
}

/// An operation that was begun.
struct Doing {
    operation: Operation,
    end: End,
}

/// What happens when a system call returns.
#[derive(Clone, Copy)]
enum End {
    Return,
    Refuse(Errno),
    Kill,
}

impl Tracer<'_> {
    /// Runs the program to its end, and gives its exit code.
    fn run(&mut self) -> io::Result<Option<i32>> {
        self.threads.insert(self.leader, None);
        loop {
            let status = match waitpid(self.group(), Some(WaitPidFlag::__WALL)) {
                Err(Errno::EINTR) => continue,
                status => status?,
            };
            match status {
                WaitStatus::Exited(process, code) if process == self.leader => {
                    return Ok(Some(code));
                }
                WaitStatus::Signaled(process, ..) if process == self.leader => return Ok(None),
                WaitStatus::PtraceSyscall(thread) => {
                    unless_dead(self.at_call(thread))?;
                    resume(thread, None)?;
                }
                WaitStatus::PtraceEvent(thread, ..) => resume(thread, None)?,
                // A new thread begins with a stop of its own.
                WaitStatus::Stopped(thread, Signal::SIGSTOP)
                    if self.threads.insert(thread, None).is_none() =>
                {
                    resume(thread, None)?;
                }
                WaitStatus::Stopped(thread, signal) => resume(thread, signal)?,
                _ => (),
            }
        }
    }

    fn at_call(&mut self, thread: Pid) -> io::Result<()> {
        if ptrace::syscall_info(thread)?.op == libc::PTRACE_SYSCALL_INFO_ENTRY {
            return self.begin(thread);
        }
        match self.threads.insert(thread, None).flatten() {
            None => Ok(()),
            Some(doing) => self.end(thread, doing),
        }
    }

    fn begin(&mut self, thread: Pid) -> io::Result<()> {
        let mut registers = ptrace::getregs(thread)?;
        let call = Call {
            thread,
            registers: &registers,
            folder: self.folder,
        };
        let Some(operation) = call.operation()? else {
            return Ok(());
        };
        let number = self.begun;
        self.begun += 1;
        let mut end = End::Return;
        match self.fault {
            Some(Fault::Kill { at, is_torn }) if at == number => {
                self.met_fault = true;
                if !(is_torn && is_halved(&operation, &mut registers.rdx)) {
                    self.kill();
                    return Ok(());
                }
                end = End::Kill;
            }
            Some(Fault::Refuse {
                at,
                trouble,
                is_lasting,
            }) if trouble.meets(&operation) && (number == at || number > at && is_lasting) => {
                let is_first = !std::mem::replace(&mut self.met_fault, true);
                let finds_room = is_first && is_lasting && trouble == Trouble::Full;
                if !(finds_room && is_halved(&operation, &mut registers.rdx)) {
                    // No such call: nothing happens.
                    registers.orig_rax = u64::MAX;
                    end = End::Refuse(trouble.errno());
                }
            }
            _ => (),
        }
        ptrace::setregs(thread, registers)?;
        self.threads.insert(thread, Some(Doing { operation, end }));
        Ok(())
    }

    fn end(&mut self, thread: Pid, doing: Doing) -> io::Result<()> {
        let mut registers = ptrace::getregs(thread)?;
        if let End::Refuse(errno) = doing.end {
            registers.rax = -i64::from(errno as i32) as u64;
            return Ok(ptrace::setregs(thread, registers)?);
        }
        let result = registers.rax as c_long;
        if result >= 0 {
            let call = Call {
                thread,
                registers: &registers,
                folder: self.folder,
            };
            let operation = completed(doing.operation, &call, result)?;
            self.journal.operations.push(operation);
        }
        if let End::Kill = doing.end {
            self.kill();
        }
        Ok(())
    }

    /// All processes and threads of the program, as signals and waiting have it.
    fn group(&self) -> Pid {
        Pid::from_raw(-self.leader.as_raw())
    }

    fn kill(&self) {
        // With all that it runs. One that has ended already is as good as killed.
        let _ = kill(self.group(), Signal::SIGKILL);
    }
}

impl Trouble {
    const fn errno(self) -> Errno {
        match self {
            Self::Full => Errno::ENOSPC,
            Self::Broken => Errno::EIO,
        }
    }

    /// Whether an operation is one that this hinders.
    const fn meets(self, operation: &Operation) -> bool {
        match (self, operation) {
            (_, Operation::Remove { .. }) | (Self::Full, Operation::SetLength { .. }) => false,
            (Self::Full | Self::Broken, _) => true,
        }
    }
}

/// Halves a write of at least two bytes; the register says how long it, or the list of its parts,
/// is to be.
fn is_halved(operation: &Operation, length: &mut u64) -> bool {
    let halves = matches!(operation, Operation::Write { .. }) && *length > 1;
    if halves {
        *length /= 2;
    }
    halves
}

/// What an operation has become with its result.
fn completed(mut operation: Operation, call: &Call<'_>, result: c_long) -> io::Result<Operation> {
    match &mut operation {
        Operation::Create { file, .. } => *file = call.number(result as u64)?,
        Operation::Write { bytes, .. } => bytes.truncate(result as usize),
        _ => (),
    }
    Ok(operation)
}

fn resume(thread: Pid, signal: impl Into<Option<Signal>>) -> io::Result<()> {
    unless_dead(ptrace::syscall(thread, signal).map_err(io::Error::from))
}

/// A thread that was killed meanwhile can be asked nothing any more.
fn unless_dead(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error)
            if error.raw_os_error() == Some(libc::ESRCH)
                || error.kind() == io::ErrorKind::NotFound =>
        {
            Ok(())
        }
        outcome => outcome,
    }
}
