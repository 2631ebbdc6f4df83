//! What can go wrong between the program and its disk: killed at any step, the power lost at any
//! step, any step refused. Earlier data stays, what is visible is whole, and the same command
//! finishes the work.
//!
//! Linux on x86-64 alone, where a program's steps can be watched; elsewhere there is no test here.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test ends where the unexpected begins, and prints its figures"
)]

mod cases;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use cases::{
    CANARY_CORE, CASES, Case, Content, Inputs, Nature, Service, content, hash, path_of, tiles,
};
use tempfile::TempDir;
use tilesight_fault_disk::{Fault, Journal, Loss, Operation, Traced, Tree, Trouble, trace};
use tilesight_fault_server::{Fault as ServiceFault, FaultServer, Request};
use tilesight_store::KnownTiles;

/// Cases that run at a time: much of each is waiting.
const THREADS: usize = 3;

/// Steps of each case that a small edition takes.
const SMALL_STEPS: usize = 4;

/// States that a loss of power is given a chance to leave after a step, in the small edition and
/// in the whole one.
const STATES: [u64; 2] = [2, 12];

/// Whether every step is taken.
fn is_whole_edition() -> bool {
    std::env::var("TILESIGHT_SOAK").is_ok_and(|value| value == "1")
}

/// The steps that are taken of so many, evenly spread; the last is among them.
fn steps(count: usize) -> Vec<usize> {
    if is_whole_edition() || count <= SMALL_STEPS {
        return (0..count).collect();
    }
    let step = |n: usize| (n + 1) * count / SMALL_STEPS - 1;
    (0..SMALL_STEPS).map(step).collect()
}

/// What was looked at.
#[derive(Default)]
struct Tally {
    steps: AtomicU64,
    kills: AtomicU64,
    crash_states: AtomicU64,
    refusals: AtomicU64,
    /// Faults of the service.
    services: AtomicU64,
    searched_bytes: AtomicU64,
    wrong: Mutex<Vec<String>>,
}

impl Tally {
    fn expect(&self, is_right: bool, what: impl FnOnce() -> String) {
        if !is_right {
            self.wrong.lock().unwrap().push(what());
        }
    }

    /// Looks for the token.
    fn search(&self, bytes: &[u8], what: impl Fn() -> String) {
        let has_canary = bytes
            .windows(CANARY_CORE.len())
            .any(|part| part == CANARY_CORE);
        self.expect(!has_canary, || format!("{}: the token", what()));
        self.searched_bytes.fetch_add(bytes.len() as u64, Relaxed);
    }

    #[track_caller]
    fn check(&self) {
        let wrong = self.wrong.lock().unwrap();
        assert!(
            wrong.is_empty(),
            "{} wrong:\n{}",
            wrong.len(),
            wrong.join("\n")
        );
    }
}

/// A case that has run undisturbed.
struct Scene<'a> {
    case: &'a Case,
    inputs: &'a Inputs,
    service: Service,
    tally: &'a Tally,
    before: Tree,
    content_before: Content,
    content_after: Content,
    /// Names in the folder before or after.
    names: BTreeSet<String>,
    journal: Journal,
    /// Hashes of what losses of power left: many leave the same.
    seen: Mutex<BTreeSet<u64>>,
}

/// A folder that is written to, until it is dropped.
struct Place(TempDir);

impl Place {
    fn of(tree: &Tree) -> Self {
        let place = Self(TempDir::new().unwrap());
        tree.write(&place.out()).unwrap();
        place
    }

    fn out(&self) -> std::path::PathBuf {
        // As the tracer sees it.
        self.0.path().canonicalize().unwrap().join("out")
    }
}

impl<'a> Scene<'a> {
    fn set(case: &'a Case, tally: &'a Tally) -> Self {
        let inputs = Inputs::get();
        let service = Service::start(inputs);
        let place = Place::of(&Tree::default());
        case.prepare(inputs, &service, &place.out());
        let mut scene = Self {
            case,
            inputs,
            service,
            tally,
            before: Tree::read(&place.out()).unwrap(),
            content_before: content(&place.out()),
            content_after: Content::new(),
            names: names(&place.out()),
            journal: Journal::default(),
            seen: Mutex::default(),
        };
        let traced = scene.trace(&place.out(), None);
        let said = String::from_utf8_lossy(&traced.stderr);
        assert_eq!(traced.code, Some(0), "{}: {said}", case.name);
        scene.content_after = content(&place.out());
        assert_ne!(scene.content_after, scene.content_before, "{}", case.name);
        scene.names.extend(names(&place.out()));
        scene.journal = traced.journal;
        let all = scene.journal.operations.len();
        let left = scene.journal.after_crash(all, Loss::Nothing);
        assert!(
            left == Tree::read(&place.out()).unwrap(),
            "{}: not all was seen",
            case.name
        );
        tally.steps.fetch_add(all as u64, Relaxed);
        scene
    }

    fn trace(&self, out: &Path, fault: Option<Fault>) -> Traced {
        let command = self.case.command(self.inputs, &self.service, out);
        let traced = trace(command, out, fault).unwrap();
        let what = || format!("{}: {fault:?}", self.case.name);
        for said in [&traced.stdout, &traced.stderr] {
            self.tally.search(said, what);
        }
        for operation in &traced.journal.operations {
            if let Operation::Write { bytes, .. } = operation {
                self.tally.search(bytes, what);
            }
        }
        traced
    }

    /// Checks that what is visible is whole and nothing of before is lost.
    fn check(&self, out: &Path, what: &dyn Fn() -> String) {
        let found = content(out);
        let is_right = match self.case.nature {
            Nature::Growing => {
                holds(&found, &self.content_before) && holds(&self.content_after, &found)
            }
            _ => found == self.content_before || found == self.content_after,
        };
        let say = || {
            format!(
                "{}: {}: {}",
                self.case.name,
                what(),
                self.difference(&found)
            )
        };
        self.tally.expect(is_right, say);
    }

    /// What is found, against what should be.
    fn difference(&self, found: &Content) -> String {
        let shorten = |content: &Content| {
            let lines = content.iter().map(|(name, lines)| {
                let first: Vec<_> = lines
                    .iter()
                    .take(2)
                    .map(|line| line.chars().take(90).collect::<String>())
                    .collect();
                format!("{name}: {} of {first:?}", lines.len())
            });
            lines.collect::<Vec<_>>().join(", ")
        };
        format!(
            "found [{}], before [{}], after [{}]",
            shorten(found),
            shorten(&self.content_before),
            shorten(&self.content_after)
        )
    }

    /// Runs the command again, undisturbed; it asks the service only for what is missing.
    fn run_again(&self, out: &Path, what: &dyn Fn() -> String) {
        let found = content(out);
        if self.case.nature == Nature::Once && found == self.content_after {
            return;
        }
        let requests = self.service.requests();
        let mut command = self.case.command(self.inputs, &self.service, out);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let again = content(out);
        let is_right = output.status.success() && again == self.content_after;
        let say = || {
            let difference = self.difference(&again);
            format!(
                "{}: {}: again: {said}: {difference}",
                self.case.name,
                what()
            )
        };
        self.tally.expect(is_right, say);
        let (asked, missing) = (
            self.service.requests() - requests,
            count(&self.content_after) - count(&found).min(count(&self.content_after)),
        );
        if self.case.nature == Nature::Growing {
            let say = || {
                format!(
                    "{}: {}: {asked} requests for {missing}",
                    self.case.name,
                    what()
                )
            };
            self.tally.expect(asked == missing, say);
        }
    }

    fn kill(&self, at: usize, is_torn: bool) {
        let place = Place::of(&self.before);
        let fault = Fault::Kill { at, is_torn };
        let traced = self.trace(&place.out(), Some(fault));
        let what = || format!("{fault:?}, {:?}", self.operation(at));
        // Another order of the threads may have fewer steps.
        let is_killed = traced.code.is_none() || !traced.met_fault;
        self.tally.expect(is_killed, || {
            format!("{}: {}: {:?}", self.case.name, what(), traced.code)
        });
        self.check(&place.out(), &what);
        self.run_again(&place.out(), &what);
        self.tally.kills.fetch_add(1, Relaxed);
    }

    /// The power is lost after so many steps; what is left is looked at once.
    fn crash(&self, count: usize, loss: Loss) {
        let left = self.journal.after_crash(count, loss);
        let is_done = count == self.journal.operations.len();
        let state = hash(&(is_done, &left.entries));
        if !self.seen.lock().unwrap().insert(state) {
            return;
        }
        let place = Place::of(&left);
        let what = || format!("{loss:?} after {count}, {:?}", self.operation(count));
        let found = content(&place.out());
        let say = || {
            format!(
                "{}: {}: {}",
                self.case.name,
                what(),
                self.difference(&found)
            )
        };
        self.tally
            .expect(!is_done || found == self.content_after, say);
        self.check(&place.out(), &what);
        self.run_again(&place.out(), &what);
        self.tally.crash_states.fetch_add(1, Relaxed);
    }

    fn refuse(&self, at: usize, trouble: Trouble, is_lasting: bool) {
        let place = Place::of(&self.before);
        let fault = Fault::Refuse {
            at,
            trouble,
            is_lasting,
        };
        let traced = self.trace(&place.out(), Some(fault));
        let said = String::from_utf8_lossy(&traced.stderr);
        let what = || {
            format!(
                "{fault:?}, {:?}: {:?}: {said}",
                self.operation(at),
                traced.code
            )
        };
        let wrong = |problem: &str| format!("{}: {}: {problem}", self.case.name, what());
        self.check(&place.out(), &what);
        if traced.code == Some(0) {
            let is_done = content(&place.out()) == self.content_after;
            self.tally.expect(is_done, || wrong("not done"));
        } else {
            self.tally
                .expect(traced.code == Some(1), || wrong("the exit code"));
            let problem = problem_of(&said, &place.out());
            self.tally
                .expect(problem.is_none(), || wrong(problem.unwrap_or_default()));
            self.tally.expect(traced.met_fault, || wrong("no fault"));
        }
        let left: Vec<_> = names(&place.out())
            .difference(&self.names)
            .cloned()
            .collect();
        // What a database keeps beside it when it cannot be closed belongs to it.
        let is_left = |name: &String| {
            !["-wal", "-shm", "-journal"]
                .iter()
                .any(|end| name.ends_with(end))
        };
        self.tally.expect(!left.iter().any(is_left), || {
            wrong(&format!("left behind: {left:?}"))
        });
        self.run_again(&place.out(), &what);
        self.tally.refusals.fetch_add(1, Relaxed);
    }

    /// What is done at a step, in short.
    fn operation(&self, at: usize) -> String {
        match self.journal.operations.get(at) {
            Some(Operation::Write {
                file,
                offset,
                bytes,
            }) => {
                format!("write of {} bytes at {offset} of {file}", bytes.len())
            }
            other => format!("{other:?}"),
        }
    }
}

/// What is wrong with a message: it is one, names what could not be written and tells what to do.
fn problem_of(said: &str, out: &Path) -> Option<&'static str> {
    let errors: Vec<_> = said
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    match errors[..] {
        [error] if !error.contains(&*out.to_string_lossy()) => Some("it names no file"),
        [error] if !error.contains("room") => Some("it does not say what to do"),
        [_] => None,
        _ => Some("not one error"),
    }
}

/// Whether all lines of one content are in another.
fn holds(all: &Content, part: &Content) -> bool {
    let holds = |(name, lines): (&String, &BTreeSet<String>)| {
        all.get(name)
            .map_or(lines.is_empty(), |all| all.is_superset(lines))
    };
    part.iter().all(holds)
}

fn count(content: &Content) -> usize {
    content.values().map(BTreeSet::len).sum()
}

/// The names in a folder and below it.
fn names(folder: &Path) -> BTreeSet<String> {
    let tree = Tree::read(folder).unwrap();
    tree.entries
        .keys()
        .map(|path| path.display().to_string())
        .collect()
}

/// Plays cases, some at a time.
#[track_caller]
fn play_each(cases: &[&Case], play: impl Fn(&Scene<'_>) + Sync) -> Tally {
    let tally = Tally::default();
    let left = Mutex::new(cases.iter());
    in_threads(|| {
        loop {
            let case = left.lock().unwrap().next();
            let Some(case) = case else { return };
            play(&Scene::set(case, &tally));
        }
    });
    tally.check();
    tally
}

fn all_cases() -> Vec<&'static Case> {
    CASES.iter().collect()
}

fn in_threads(work: impl Fn() + Sync) {
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(&work);
        }
    });
}

#[test]
fn killed_at_any_step_and_the_power_lost() {
    let states = STATES[usize::from(is_whole_edition())];
    let tally = play_each(&all_cases(), |scene| {
        let count = scene.journal.operations.len();
        for at in steps(count) {
            scene.kill(at, false);
            if matches!(scene.journal.operations[at], Operation::Write { .. }) {
                scene.kill(at, true);
            }
            scene.crash(at + 1, Loss::Everything);
            for state in 1..states {
                scene.crash(at + 1, Loss::Some(at as u64 * states + state));
            }
        }
    });
    println!(
        "reliability: kill points: {} kills and {} different states after a loss of power, at {} of {} commands' \
         writes, syncs and renames, 0 lost, 0 half files",
        tally.kills.into_inner(),
        tally.crash_states.into_inner(),
        tally.steps.into_inner(),
        CASES.len(),
    );
}

/// A new store whose first page was lost, and not its length, was once refused for good.
#[test]
fn a_new_store_survives_a_loss_of_power_at_every_step_until_it_is_there() {
    let cases: Vec<&Case> = CASES.iter().filter(|case| case.name == "fetch").collect();
    let tally = play_each(&cases, |scene| {
        let is_there = |at: &usize| {
            let left = Place::of(&scene.journal.after_crash(*at, Loss::Nothing));
            let known = KnownTiles::open(&left.out().join("town.mbtiles"));
            matches!(known, Ok(Some(_)))
        };
        let there = (0..scene.journal.operations.len()).find(is_there).unwrap();
        for at in 0..=there {
            for state in 0..STATES[1] {
                scene.crash(at, Loss::Some(at as u64 * STATES[1] + state));
            }
        }
    });
    assert!(tally.crash_states.into_inner() > 1);
}

/// A new store is brought to the disk, its name, the journal and its name, and what is checkpointed.
#[test]
fn a_fetch_waits_for_the_disk_no_more_often_than_it_has_to() {
    let cases: Vec<&Case> = CASES.iter().filter(|case| case.name == "fetch").collect();
    play_each(&cases, |scene| {
        let waits = |operation: &&Operation| {
            matches!(
                operation,
                Operation::Sync { .. } | Operation::SyncFolder { .. }
            )
        };
        let waits = scene.journal.operations.iter().filter(waits).count();
        let what = || format!("a fetch waits for the disk {waits} times");
        scene.tally.expect(waits == 5, what);
    });
}

#[test]
fn refused_at_any_step_once_and_from_then_on() {
    let tally = play_each(&all_cases(), |scene| {
        for at in steps(scene.journal.operations.len()) {
            for trouble in [Trouble::Full, Trouble::Broken] {
                for is_lasting in [false, true] {
                    scene.refuse(at, trouble, is_lasting);
                }
            }
        }
    });
    println!(
        "reliability: full disk: {} refusals at {} of {} commands' writes, syncs and renames, 0 lost, 0 left \
         behind",
        tally.refusals.into_inner(),
        tally.steps.into_inner(),
        CASES.len(),
    );
}

/// Faults of the service that take no waiting; the whole edition plays all that there are.
const QUICK: [ServiceFault; 8] = [
    ServiceFault::ErrorPage,
    ServiceFault::TransientAsJson,
    ServiceFault::ServerError,
    ServiceFault::CloseInBody,
    ServiceFault::GzipCut,
    ServiceFault::Garbage,
    ServiceFault::LengthsThatDiffer,
    ServiceFault::NoHttp,
];

/// Plays a fault of the service to a command, and looks for the token in all that comes of it.
fn search_after(case: &Case, fault: ServiceFault, tally: &Tally) {
    let inputs = Inputs::get();
    let service = Service::start(inputs);
    let elsewhere = FaultServer::start([("/login".to_owned(), Vec::new())].into()).unwrap();
    let place = Place::of(&Tree::default());
    case.prepare(inputs, &service, &place.out());
    for server in [&service.api, &service.pictures] {
        server.redirect_to(&elsewhere.origin());
    }
    service.api.inject(&path_of(tiles()[0]), [fault]);
    service.api.inject("/", [fault]);
    for request in service.pictures.requests().iter().take(1) {
        service.pictures.inject(&request.path, [fault]);
    }
    let command = case.command(inputs, &service, &place.out());
    let traced = trace(command, &place.out(), None).unwrap();
    let mut searched = vec![traced.stdout, traced.stderr];
    let written = traced.journal.operations.into_iter();
    searched.extend(written.filter_map(|operation| match operation {
        Operation::Write { bytes, .. } => Some(bytes),
        _ => None,
    }));
    let requests = [elsewhere.requests(), service.pictures.requests()].concat();
    searched.extend(requests.iter().map(text_of));
    searched.extend(
        Tree::read(&place.out())
            .unwrap()
            .entries
            .into_values()
            .flatten(),
    );
    for bytes in searched {
        tally.search(&bytes, || format!("{}: {fault:?}", case.name));
    }
    tally.services.fetch_add(1, Relaxed);
}

fn text_of(request: &Request) -> Vec<u8> {
    let Request {
        path,
        query,
        headers,
    } = request;
    format!("{path}?{query} {headers:?}").into_bytes()
}

#[test]
fn the_token_is_nowhere() {
    let uses_token = |case: &&Case| ["fetch more", "download-images"].contains(&case.name);
    let cases: Vec<&Case> = CASES.iter().filter(uses_token).collect();
    let tally = play_each(&cases, |scene| {
        for at in steps(scene.journal.operations.len()) {
            scene.kill(at, true);
            scene.refuse(at, Trouble::Full, true);
            scene.refuse(at, Trouble::Broken, false);
        }
    });
    let mut faults = ServiceFault::ENDING.to_vec();
    if is_whole_edition() {
        faults.extend(ServiceFault::PASSING);
    } else {
        faults.extend(QUICK);
    }
    let left = Mutex::new(
        faults
            .iter()
            .flat_map(|fault| cases.iter().map(move |case| (case, fault))),
    );
    in_threads(|| {
        loop {
            let next = left.lock().unwrap().next();
            let Some((case, &fault)) = next else { return };
            search_after(case, fault, &tally);
        }
    });
    tally.check();
    println!(
        "reliability: token: canary in 0 of {} bytes written, said at -vv, and sent to other hosts, over {} \
         faults of the service and {} of the disk",
        tally.searched_bytes.into_inner(),
        tally.services.into_inner(),
        tally.kills.into_inner() + tally.refusals.into_inner(),
    );
}
