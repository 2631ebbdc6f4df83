//! What is seen of programs, and what is done to them.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use tilesight_fault_disk::{Fault, Loss, Operation, Traced, Tree, Trouble, trace};

/// Everything that can be done to files, and to a file outside of the folder.
const SCRIPT: &str = "
    printf 'one\\ntwo\\n' > a && printf three >> a && mv a b && ln b c && mkdir d && mv c d/e &&
    sync b && sync d && sync . && truncate -s 5 b && rm b && printf x > ../outside &&
    printf 'a longer text' > d/e && mkdir f && rmdir f";

fn folder() -> TempDir {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("watched");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("old"), "was here before").unwrap();
    dir
}

#[track_caller]
fn run(dir: &TempDir, script: &str, fault: Option<Fault>) -> Traced {
    let folder = dir.path().join("watched");
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).current_dir(&folder);
    trace(shell, &folder, fault).unwrap()
}

fn left(dir: &TempDir) -> Tree {
    Tree::read(&dir.path().join("watched")).unwrap()
}

#[test]
fn everything_is_seen() {
    let dir = folder();
    let traced = run(&dir, SCRIPT, None);
    assert_eq!((traced.code, traced.met_fault), (Some(0), false));
    let operations = &traced.journal.operations;
    let count = operations.len();
    assert_eq!(traced.journal.after_crash(count, Loss::Nothing), left(&dir));
    let file = match &operations[0] {
        Operation::Create {
            path: Some(path),
            file,
        } if path == Path::new("a") => *file,
        other => panic!("{other:?}"),
    };
    for expected in [
        Operation::Write {
            file,
            offset: 0,
            bytes: b"one\ntwo\n".to_vec(),
        },
        Operation::Write {
            file,
            offset: 8,
            bytes: b"three".to_vec(),
        },
        Operation::Rename {
            from: "a".into(),
            to: "b".into(),
        },
        Operation::Link {
            from: "b".into(),
            to: "c".into(),
        },
        Operation::Rename {
            from: "c".into(),
            to: "d/e".into(),
        },
        Operation::Sync { file },
        Operation::SyncFolder { path: "d".into() },
        Operation::SyncFolder { path: "".into() },
        Operation::SetLength { file, length: 5 },
        Operation::SetLength { file, length: 0 },
        Operation::Remove { path: "b".into() },
        Operation::Remove { path: "f".into() },
    ] {
        assert!(
            operations.contains(&expected),
            "{expected:?}: {operations:?}"
        );
    }
}

#[test]
fn what_is_done_by_many_threads_is_seen() {
    let dir = folder();
    let script = "for i in 1 2 3 4 5 6 7 8; do (printf $i > $i && sync $i) & done; wait";
    let traced = run(&dir, script, None);
    let operations = &traced.journal.operations;
    let syncs = operations
        .iter()
        .filter(|op| matches!(op, Operation::Sync { .. }));
    assert_eq!(syncs.count(), 8);
    assert_eq!(
        traced.journal.after_crash(operations.len(), Loss::Nothing),
        left(&dir)
    );
}

#[test]
fn a_program_dies_before_any_operation_or_within_it() {
    let whole = run(&folder(), SCRIPT, None).journal;
    for at in 0..whole.operations.len() {
        for is_torn in [false, true] {
            let dir = folder();
            let script = format!("exec 2> /dev/null; {SCRIPT}");
            let traced = run(&dir, &script, Some(Fault::Kill { at, is_torn }));
            assert!(traced.met_fault);
            let seen = &traced.journal.operations;
            assert_eq!(
                traced.journal.after_crash(seen.len(), Loss::Nothing),
                left(&dir)
            );
            let tears = is_torn && matches!(whole.operations[at], Operation::Write { .. });
            assert_eq!(seen.len(), at + usize::from(tears), "{at}");
        }
    }
}

#[test]
fn a_full_disk_takes_half_and_then_nothing_but_removals() {
    let dir = folder();
    let full = |at, is_lasting| Fault::Refuse {
        at,
        trouble: Trouble::Full,
        is_lasting,
    };
    let script = "printf 'ten bytes!' > a; printf 'more' > b; rm old; cat a";
    let traced = run(&dir, script, Some(full(1, true)));
    assert!(traced.met_fault);
    assert_eq!(traced.stdout, b"ten b");
    assert_eq!(fs::read_dir(dir.path().join("watched")).unwrap().count(), 1);
    let traced = run(
        &dir,
        "printf 'one' > c; printf 'two' > d; cat c d",
        Some(full(1, false)),
    );
    assert_eq!(traced.stdout, b"two");
}

#[test]
fn a_broken_disk_says_so() {
    let dir = folder();
    let broken = Fault::Refuse {
        at: 2,
        trouble: Trouble::Broken,
        is_lasting: false,
    };
    let traced = run(&dir, "printf 'one' > a; sync a", Some(broken));
    let said = String::from_utf8(traced.stderr).unwrap();
    assert!(
        traced.code == Some(1) && said.contains("Input/output error"),
        "{said}"
    );
}

#[test]
fn what_is_not_followed_is_an_error() {
    let dir = folder();
    let folder = dir.path().join("watched");
    let mut shell = Command::new("ln");
    shell.args(["-s", "old", "new"]).current_dir(&folder);
    let error = trace(shell, &folder, None).unwrap_err().to_string();
    assert!(error.contains("not followed"), "{error}");
}
