//! What people say of sequences: saying it, listing it, and asking by it.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};
use tilesight::annotations::{
    self, AnnotationError, AnnotationFilter, Annotations, Note, Owner, RuleError, TourKey,
    Transport,
};
use tilesight::{Filter, SequenceQuery};

use crate::args::Source;
use crate::ask;
use crate::failure::Failure;
use crate::import;
use crate::output::{self, Voice};
use crate::plan::Target;

#[derive(Debug, Args)]
pub(crate) struct Annotate {
    #[command(flatten)]
    source: Source,

    /// The file of annotations, instead of the one beside the source
    #[arg(long, value_name = "FILE", global = true)]
    annotations: Option<PathBuf>,

    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Give sequences a title, a description, a transport type or an owner
    Set(Set),
    /// Add tags to sequences, or take some away
    Tag(Tag),
    /// Let a user like sequences
    Like(Like),
    /// Make a tour of sequences of one owner, or change it
    Tour(Tour),
    /// Forget what is said of sequences
    Forget(Named),
    /// List sequences and what is said of them, a line each, between tabs
    List(Said),
    /// Write everything as JSON
    Export(Export),
    /// Read JSON as export writes it: what it says of a sequence or a tour replaces what was said
    Import(Import),
}

/// Some sequences.
#[derive(Debug, Args)]
struct Named {
    /// Which sequences
    #[arg(value_name = "ID,…", allow_hyphen_values = true)]
    sequences: Ids,
}

/// Ids between commas: one word, since ids may begin with a hyphen as options do.
#[derive(Debug, Clone)]
struct Ids(Vec<String>);

impl FromStr for Ids {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.split(',').map(str::to_owned).collect()))
    }
}

#[derive(Debug, Args)]
struct Set {
    #[command(flatten)]
    named: Named,

    /// What the sequences are called
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,

    /// What there is to tell about them
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,

    /// How they were travelled: Walk, Air/Drone; a parent (Air, Earth, Snow, Water, Other) where
    /// no more is known
    #[arg(long, value_name = "TYPE", value_parser = Transport::from_str)]
    transport: Option<Transport>,

    /// Who made them, where the source does not tell
    #[arg(long, value_name = "USER")]
    owner: Option<String>,

    /// Forget some of these
    #[arg(long, value_name = "WHAT,…", value_delimiter = ',')]
    clear: Vec<Part>,
}

/// A part of what is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Title,
    Description,
    Transport,
}

#[derive(Debug, Args)]
struct Tag {
    #[command(flatten)]
    named: Named,

    /// Tags to add
    #[arg(
        long,
        value_name = "TAG,…",
        value_delimiter = ',',
        required_unless_present = "remove"
    )]
    add: Vec<String>,

    /// Tags to take away
    #[arg(long, value_name = "TAG,…", value_delimiter = ',')]
    remove: Vec<String>,
}

#[derive(Debug, Args)]
struct Like {
    #[command(flatten)]
    named: Named,

    /// Who likes them; nobody likes their own
    #[arg(long, value_name = "USER")]
    user: String,

    /// Like them no longer
    #[arg(long)]
    undo: bool,
}

#[derive(Debug, Args)]
struct Tour {
    /// What the tour is called
    #[arg(value_name = "NAME")]
    name: String,

    /// Whose tour it is, where neither the tour nor its first sequence tells
    #[arg(long, value_name = "USER")]
    owner: Option<String>,

    /// Sequences to add, of its owner alone
    #[arg(
        long,
        value_name = "ID,…",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    add: Vec<String>,

    /// Sequences to take out
    #[arg(
        long,
        value_name = "ID,…",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    remove: Vec<String>,

    /// What there is to tell about it
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,

    /// Tags to add
    #[arg(long = "tag", value_name = "TAG,…", value_delimiter = ',')]
    tags: Vec<String>,

    /// Tags to take away
    #[arg(long = "untag", value_name = "TAG,…", value_delimiter = ',')]
    untags: Vec<String>,

    /// Forget the tour, and not its sequences
    #[arg(long, conflicts_with_all = ["add", "remove", "description", "tags", "untags"])]
    delete: bool,
}

#[derive(Debug, Args)]
struct Export {
    /// File to write, whole or not at all
    #[arg(short = 'o', long = "output", value_name = "FILE|-")]
    target: Option<PathBuf>,

    /// Replace the file if it is there
    #[arg(long)]
    overwrite: bool,
}

#[derive(Debug, Args)]
struct Import {
    /// JSON of annotations, or standard input
    #[arg(value_name = "FILE|-")]
    file: PathBuf,

    /// Forget everything that was said before
    #[arg(long)]
    replace: bool,
}

/// Filters by what is said of sequences.
#[derive(Debug, Args)]
#[command(next_help_heading = "Filters")]
pub(crate) struct Said {
    /// In sequences with one of these tags
    #[arg(long = "tag", value_name = "TAG,…", value_delimiter = ',')]
    tags: Vec<String>,

    /// In sequences of one of these transport types; a parent includes its children
    #[arg(long = "transport", value_name = "TYPE,…", value_delimiter = ',',
          value_parser = Transport::from_str)]
    transports: Vec<Transport>,

    /// In sequences of the tours of this name
    #[arg(long = "tour", value_name = "NAME")]
    tours: Vec<String>,

    /// In sequences with this text in their title, in any case
    #[arg(long = "title", value_name = "TEXT")]
    titles: Vec<String>,
}

/// The same, of a question.
#[derive(Debug, Args)]
#[command(next_help_heading = "Filters")]
pub(crate) struct Annotated {
    #[command(flatten)]
    said: Said,

    /// The file of annotations, instead of the one beside the source
    #[arg(long, value_name = "FILE")]
    annotations: Option<PathBuf>,
}

impl From<Said> for AnnotationFilter {
    fn from(typed: Said) -> Self {
        Self {
            tags: typed.tags,
            transports: typed.transports,
            tours: typed.tours,
            titles: typed.titles,
        }
    }
}

impl From<AnnotationError> for Failure {
    fn from(error: AnnotationError) -> Self {
        match error {
            AnnotationError::Rule(_) | AnnotationError::Json(_) => Self::usage(error),
            _ => Self::failed(error),
        }
    }
}

impl From<RuleError> for Failure {
    fn from(error: RuleError) -> Self {
        AnnotationError::from(error).into()
    }
}

/// Narrows a filter to the sequences of which is said what was typed.
pub(crate) fn narrowed(
    mut filter: Filter,
    typed: Annotated,
    source: &Source,
) -> Result<Filter, Failure> {
    let wanted = AnnotationFilter::from(typed.said);
    if wanted.is_any() {
        return match typed.annotations {
            None => Ok(filter),
            Some(_) => Err(Failure::usage(
                "--annotations belongs to --tag, --transport, --tour or --title: --tag sea",
            )),
        };
    }
    let file = file(typed.annotations, &source.path)?;
    annotations::read(&file)?.narrow(&wanted, &mut filter);
    Ok(filter)
}

/// The file of annotations that was typed, or the one beside a source.
fn file(typed: Option<PathBuf>, source: &Path) -> Result<PathBuf, Failure> {
    let unnamed = || {
        Failure::usage(format!(
            "{} has no name for a file beside it: --annotations town.annotations",
            source.display()
        ))
    };
    typed
        .or_else(|| annotations::default_path(source))
        .ok_or_else(unnamed)
}

/// Says something of sequences, or shows what is said.
pub(crate) fn annotate(typed: Annotate, voice: Voice) -> Result<(), Failure> {
    let file = &file(typed.annotations, &typed.source.path)?;
    let source = &typed.source;
    match typed.action {
        Action::Set(typed) => set(file, &typed, &Owners::find(source, &typed.named, voice)?),
        Action::Tag(typed) => tag(file, &typed, &Owners::find(source, &typed.named, voice)?),
        Action::Like(typed) => like(file, &typed, &Owners::find(source, &typed.named, voice)?),
        Action::Tour(typed) => {
            let added = typed.add.iter().map(String::as_str);
            let owners = Owners::of(source, added, voice)?;
            owners.check_all(&typed.add, source)?;
            annotations::edit(file, |all| change_tour(all, &typed, &owners))
        }
        Action::Forget(typed) => forget(file, &typed),
        Action::List(typed) => list(file, typed),
        Action::Export(typed) => export(file, typed),
        Action::Import(typed) => take_in(file, &typed, source, voice),
    }
}

/// Who made sequences, as a source tells; of those that it has.
struct Owners(BTreeMap<String, Option<Owner>>);

impl Owners {
    /// Looks sequences up, which must be there.
    fn find(source: &Source, named: &Named, voice: Voice) -> Result<Self, Failure> {
        let ids = named.sequences.0.iter().map(String::as_str);
        let owners = Self::of(source, ids, voice)?;
        owners.check_all(&named.sequences.0, source)?;
        Ok(owners)
    }

    fn of<'i>(
        source: &Source,
        ids: impl Iterator<Item = &'i str>,
        voice: Voice,
    ) -> Result<Self, Failure> {
        let sequences: Vec<String> = ids.map(str::to_owned).collect();
        if sequences.is_empty() {
            return Ok(Self(BTreeMap::new()));
        }
        let data = ask::open(source, voice)?;
        let filter = Filter {
            sequences,
            ..Filter::default()
        };
        let query = SequenceQuery {
            filter,
            allow_partial: true,
            ..SequenceQuery::default()
        };
        let found = data.sequences(&query)?;
        let owner = |sequence: tilesight::Sequence<'_>| {
            (sequence.id.to_owned(), Owner::of(&sequence, &data))
        };
        Ok(Self(found.iter().map(owner).collect()))
    }

    fn check_all(&self, ids: &[String], source: &Source) -> Result<(), Failure> {
        match ids.iter().find(|id| !self.0.contains_key(*id)) {
            None => Ok(()),
            Some(id) => Err(Failure::usage(format!(
                "there is no sequence {id:?} in {}: `tilesight sequences {} -f ids` lists those \
                 that there are",
                source.path.display(),
                source.path.display()
            ))),
        }
    }

    /// Notes who made a sequence where that is known, and refuses somebody else.
    fn complete(&self, id: &str, note: &mut Note) -> Result<(), Failure> {
        let Some(owner) = self.0.get(id).and_then(Option::as_ref) else {
            return Ok(());
        };
        match &note.owner {
            Some(other) if !owner.is(&other.key) => Err(Failure::usage(format!(
                "{} made the sequence {id}, not {}",
                owner.key, other.key
            ))),
            _ => {
                note.owner = Some(owner.clone());
                Ok(())
            }
        }
    }
}

/// Changes what is said of some sequences.
fn change(
    file: &Path,
    named: &Named,
    owners: &Owners,
    change: impl Fn(&mut Note),
) -> Result<(), Failure> {
    annotations::edit(file, |all| {
        for id in &named.sequences.0 {
            let mut note = all.note(id).cloned().unwrap_or_default();
            change(&mut note);
            owners.complete(id, &mut note)?;
            all.put(id, note)?;
        }
        Ok(())
    })
}

fn set(file: &Path, typed: &Set, owners: &Owners) -> Result<(), Failure> {
    let is_nothing = typed.title.is_none()
        && typed.description.is_none()
        && typed.transport.is_none()
        && typed.owner.is_none()
        && typed.clear.is_empty();
    if is_nothing {
        return Err(Failure::usage(
            "there is nothing to set: --title 'To the sea'",
        ));
    }
    change(file, &typed.named, owners, |note| {
        let clears = |part| typed.clear.contains(&part);
        renew(&mut note.title, typed.title.as_ref(), clears(Part::Title));
        let description = typed.description.as_ref();
        renew(
            &mut note.description,
            description,
            clears(Part::Description),
        );
        let transport = typed.transport.as_ref();
        renew(&mut note.transport, transport, clears(Part::Transport));
        let owner = typed.owner.as_ref().map(Owner::new);
        renew(&mut note.owner, owner.as_ref(), false);
    })
}

/// Puts something new in place, or clears the place, or leaves it.
fn renew<T: Clone>(place: &mut Option<T>, new: Option<&T>, clears: bool) {
    if clears || new.is_some() {
        *place = new.cloned();
    }
}

fn tag(file: &Path, typed: &Tag, owners: &Owners) -> Result<(), Failure> {
    change(file, &typed.named, owners, |note| {
        exchange(&mut note.tags, &typed.add, &typed.remove);
    })
}

fn exchange(texts: &mut BTreeSet<String>, added: &[String], removed: &[String]) {
    texts.extend(added.iter().cloned());
    texts.retain(|text| !removed.contains(text));
}

fn like(file: &Path, typed: &Like, owners: &Owners) -> Result<(), Failure> {
    change(file, &typed.named, owners, |note| {
        if typed.undo {
            note.likes.remove(&typed.user);
        } else {
            note.likes.insert(typed.user.clone());
        }
    })
}

fn change_tour(all: &mut Annotations, typed: &Tour, owners: &Owners) -> Result<(), Failure> {
    for id in &typed.add {
        let mut note = all.note(id).cloned().unwrap_or_default();
        owners.complete(id, &mut note)?;
        all.put(id, note)?;
    }
    let key = tour_key(all, typed)?;
    if typed.delete {
        let unknown = || Failure::usage(format!("there is no tour {:?}", key.name));
        return all.remove_tour(&key).map(drop).ok_or_else(unknown);
    }
    let mut tour = all.tour(&key).cloned().unwrap_or_default();
    exchange(&mut tour.sequences, &typed.add, &typed.remove);
    exchange(&mut tour.tags, &typed.tags, &typed.untags);
    renew(&mut tour.description, typed.description.as_ref(), false);
    all.put_tour(&key, tour)?;
    Ok(())
}

/// Which tour is meant: that of the owner who was typed, else the only one of its name, else that of
/// whoever made the first of its sequences.
fn tour_key(all: &Annotations, typed: &Tour) -> Result<TourKey, Failure> {
    let named = || {
        all.tours()
            .map(|(key, _)| key)
            .filter(|key| key.name == typed.name)
    };
    let first = || {
        let note = all.note(typed.add.first()?)?;
        Some(note.owner.as_ref()?.key.clone())
    };
    let owners: Vec<&String> = named().map(|key| &key.owner).collect();
    let owner = match (&typed.owner, &owners[..]) {
        (Some(owner), _) => owner.clone(),
        (None, [owner]) => (*owner).clone(),
        (None, [one, ..]) => {
            return Err(Failure::usage(format!(
                "{} users have a tour {:?}: --owner {one}",
                owners.len(),
                typed.name
            )));
        }
        (None, []) => first().ok_or_else(|| {
            Failure::usage(format!(
                "nothing says whose tour {:?} is: --owner 549053432678742",
                typed.name
            ))
        })?,
    };
    Ok(TourKey {
        owner,
        name: typed.name.clone(),
    })
}

fn forget(file: &Path, named: &Named) -> Result<(), Failure> {
    annotations::edit(file, |all| {
        for id in &named.sequences.0 {
            let unknown = || Failure::usage(format!("nothing is said of the sequence {id:?}"));
            all.remove(id).ok_or_else(unknown)?;
        }
        Ok(())
    })
}

fn list(file: &Path, typed: Said) -> Result<(), Failure> {
    let all = annotations::read(file)?;
    let wanted = AnnotationFilter::from(typed);
    output::write(&Target::Stdout, |out| {
        writeln!(out, "sequence\ttitle\ttransport\ttags\tlikes\ttours")?;
        for id in all.matching(&wanted) {
            let Some(note) = all.note(id) else { continue };
            let title = note.title.as_deref().unwrap_or_default();
            let transport = note
                .transport
                .map_or_else(String::new, |type_| type_.to_string());
            let tags: Vec<&str> = note.tags.iter().map(String::as_str).collect();
            let tours = all.tours().filter(|(_, tour)| tour.sequences.contains(id));
            let tours: Vec<&str> = tours.map(|(key, _)| key.name.as_str()).collect();
            let (tags, likes, tours) = (tags.join(","), note.likes.len(), tours.join(","));
            writeln!(out, "{id}\t{title}\t{transport}\t{tags}\t{likes}\t{tours}")?;
        }
        Ok(())
    })
}

fn export(file: &Path, typed: Export) -> Result<(), Failure> {
    let target = match typed.target {
        Some(path) if path.as_os_str() != "-" => Target::File {
            path,
            overwrite: typed.overwrite,
        },
        _ => Target::Stdout,
    };
    let json = annotations::read(file)?.to_json()?;
    output::write(&target, |out| Ok(out.write_all(json.as_bytes())?))
}

fn take_in(file: &Path, typed: &Import, source: &Source, voice: Voice) -> Result<(), Failure> {
    let text = import::read_text(&typed.file)?;
    let mut new = Annotations::from_json(text.trim_start_matches('\u{feff}'))?;
    let ids: Vec<String> = new.notes().map(|(id, _)| id.to_owned()).collect();
    let owners = Owners::of(source, ids.iter().map(String::as_str), voice)?;
    for id in &ids {
        let mut note = new.note(id).cloned().unwrap_or_default();
        owners.complete(id, &mut note)?;
        new.put(id, note)?;
    }
    let unknown = ids.len() - owners.0.len();
    if unknown > 0 {
        let source = source.path.display();
        voice.warn(format_args!(
            "{unknown} of the sequences are not in {source}"
        ));
    }
    annotations::edit(file, |all| {
        if typed.replace {
            *all = Annotations::default();
        }
        Ok(all.merge(new.clone())?)
    })
}
