//! The command line of pkg: what is asked for, and what is said in answer.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

use super::image::Image;
use super::listing::{self, Row};
use super::operation::{Manner, Operation};
use super::pattern::Pattern;
use super::refused::Refused;
use super::verify::verify;

#[derive(Debug, Parser)]
#[command(name = "pkg", disable_help_subcommand = true)]
struct Line {
    /// The root of the image
    #[arg(short = 'R', value_name = "DIR")]
    root: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Install(Change),
    Update(Change),
    Uninstall(Change),
    Fix(Change),
    Verify(Patterns),
    List(List),
    Info(Info),
    Contents(Contents),
    Publisher(Patterns),
    SetPublisher(SetPublisher),
    UnsetPublisher(Patterns),
    ImageCreate(ImageCreate),
}

/// Options end at the first operand, as pkg's do.
#[derive(Debug, Args)]
struct Patterns {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    patterns: Vec<String>,
}

#[derive(Debug, Args)]
struct Change {
    /// Only say what would be done
    #[arg(short = 'n')]
    dry: bool,
    #[arg(short = 'v')]
    verbose: bool,
    #[arg(short = 'q')]
    quiet: bool,
    /// Take packages from this archive, too
    #[arg(short = 'g', value_name = "ARCHIVE")]
    origins: Vec<PathBuf>,
    #[arg(long)]
    accept: bool,
    #[command(flatten)]
    operands: Patterns,
}

#[derive(Debug, Args)]
struct List {
    #[arg(short = 'H')]
    no_head: bool,
    #[arg(short = 'v')]
    verbose: bool,
    /// What can be installed, too
    #[arg(short = 'a')]
    all: bool,
    #[arg(short = 'g', value_name = "ARCHIVE")]
    origins: Vec<PathBuf>,
    #[command(flatten)]
    operands: Patterns,
}

#[derive(Debug, Args)]
struct Info {
    /// Of what can be installed
    #[arg(short = 'r')]
    remote: bool,
    #[arg(short = 'g', value_name = "ARCHIVE")]
    origins: Vec<PathBuf>,
    #[command(flatten)]
    operands: Patterns,
}

#[derive(Debug, Args)]
struct Contents {
    #[arg(short = 'H')]
    no_head: bool,
    /// The manifest as it is stored
    #[arg(short = 'm')]
    manifest: bool,
    #[arg(short = 'r')]
    remote: bool,
    #[arg(short = 'g', value_name = "ARCHIVE")]
    origins: Vec<PathBuf>,
    #[arg(short = 't', value_name = "TYPE", value_delimiter = ',')]
    types: Vec<String>,
    #[arg(short = 'o', value_name = "ATTRIBUTE", value_delimiter = ',')]
    columns: Vec<String>,
    #[command(flatten)]
    operands: Patterns,
}

#[derive(Debug, Args)]
struct SetPublisher {
    #[arg(short = 'g', value_name = "ARCHIVE")]
    add: Vec<PathBuf>,
    #[arg(short = 'G', value_name = "ARCHIVE")]
    remove: Vec<PathBuf>,
    /// Every publisher of this archive
    #[arg(short = 'p', value_name = "ARCHIVE")]
    all_of: Option<PathBuf>,
    #[command(flatten)]
    operands: Patterns,
}

#[derive(Debug, Args)]
struct ImageCreate {
    #[arg(short = 'f', long = "force")]
    force: bool,
    directory: PathBuf,
}

/// The word of the command line that says what to do.
pub fn subcommand(args: &[OsString]) -> Option<&str> {
    let mut words = args.iter().filter_map(|arg| arg.to_str());
    let first = words.next()?;
    if first == "-R" { words.nth(1) } else { Some(first) }.filter(|word| !word.starts_with('-'))
}

/// What is said, and the failure that ended it.
pub fn run(host: &Path, args: &[OsString]) -> (String, Option<Refused>) {
    let words = std::iter::once(OsString::from("pkg")).chain(args.iter().cloned());
    let line = match Line::try_parse_from(words) {
        Ok(line) => line,
        Err(error) => return (String::new(), Some(Refused::usage(error.to_string()))),
    };
    let root = line.root.map_or_else(|| host.to_path_buf(), |root| on_host(host, &root));
    let mut said = String::new();
    let done = answer(host, &root, line.command, &mut said);
    (said, done.err())
}

/// A path as those who live on the host know it; one that lies on it as this machine sees it is right as it is.
fn on_host(host: &Path, path: &Path) -> PathBuf {
    match path.strip_prefix("/") {
        Ok(inside) if !path.starts_with(host) => host.join(inside),
        _ => path.to_path_buf(),
    }
}

fn parse(operands: &Patterns) -> Result<Vec<Pattern>, Refused> {
    // An option that is known would not have come here.
    if let Some(option) = operands.patterns.first().filter(|word| word.starts_with('-')) {
        return Err(Refused::usage(format!(
            "illegal option '{option}', or one that this stand-in of pkg does not know"
        )));
    }
    operands.patterns.iter().map(|text| Pattern::parse(text)).collect()
}

fn answer(host: &Path, root: &Path, command: Command, said: &mut String) -> Result<(), Refused> {
    let operation = |manner: Manner, origins: &[PathBuf]| {
        Operation::new(host, Image::open(root, host)?, manner, &origins.iter().map(absolute).collect::<Vec<_>>())
    };
    let change = |change: &Change| {
        let Change { dry, verbose, accept, .. } = *change;
        operation(Manner { dry, verbose, accept }, &change.origins)
    };
    let quiet = |change: &Change, text: String| if change.quiet { String::new() } else { text };
    match command {
        Command::Install(c) => {
            let patterns = at_least_one(parse(&c.operands)?)?;
            *said = quiet(&c, change(&c)?.install(&patterns)?);
        }
        Command::Update(c) => *said = quiet(&c, change(&c)?.update(&parse(&c.operands)?)?),
        Command::Uninstall(c) => {
            let patterns = at_least_one(parse(&c.operands)?)?;
            *said = quiet(&c, change(&c)?.uninstall(&patterns)?);
        }
        Command::Fix(c) => *said = quiet(&c, change(&c)?.fix(&parse(&c.operands)?)?),
        Command::Verify(operands) => {
            let operation = operation(Manner::default(), &[])?;
            *said = report(&operation, &parse(&operands)?)?;
            if !said.is_empty() {
                return Err(Refused::oops("what is installed is not as the packages have it"));
            }
        }
        Command::List(list) => *said = table(&operation(Manner::default(), &list.origins)?, &list)?,
        Command::Info(info) => {
            let operation = operation(Manner::default(), &info.origins)?;
            let remote = info.remote || !info.origins.is_empty();
            for package in found(&operation, &parse(&info.operands)?, remote)? {
                let is_installed = operation.image.state.installed.get(&package.name) == Some(&package);
                *said += &listing::info(&package, is_installed);
            }
        }
        Command::Contents(contents) => {
            let operation = operation(Manner::default(), &contents.origins)?;
            let remote = contents.remote || !contents.origins.is_empty();
            for package in found(&operation, &parse(&contents.operands)?, remote)? {
                *said += &of_contents(&package, &contents);
            }
        }
        Command::Publisher(_) => {
            for (name, publisher) in &Image::open(root, host)?.state.publishers {
                let origins = publisher.origins.iter().map(|o| format!("file://{}/", o.display()));
                let place = Some(origins.collect::<Vec<_>>().join(" ")).filter(|text| !text.is_empty());
                *said += &format!("{name:<27} {:<8} {:<9} {}\n", "origin", "online", place.unwrap_or_default());
            }
        }
        Command::SetPublisher(set) => set_publisher(Image::open(root, host)?, &set)?,
        Command::UnsetPublisher(operands) => {
            let mut image = Image::open(root, host)?;
            for name in &operands.patterns {
                if image.state.publishers.remove(name).is_none() {
                    return Err(Refused::oops(format!("Unknown publisher '{name}'.")));
                }
            }
            image.save()?;
        }
        Command::ImageCreate(create) => {
            let root = on_host(host, &create.directory);
            if root.exists() && !create.force {
                return Err(Refused::oops(format!("'{}' is there already; use -f", create.directory.display())));
            }
            Image::create(&root)?;
        }
    }
    Ok(())
}

fn absolute(path: &PathBuf) -> PathBuf {
    let plain = path.to_str().and_then(|text| text.strip_prefix("file://")).map(PathBuf::from);
    let path = plain.as_ref().unwrap_or(path);
    std::path::absolute(path).unwrap_or_else(|_| path.clone())
}

fn at_least_one(patterns: Vec<Pattern>) -> Result<Vec<Pattern>, Refused> {
    if patterns.is_empty() { Err(Refused::usage("at least one package name required")) } else { Ok(patterns) }
}

fn report(operation: &Operation<'_>, patterns: &[Pattern]) -> Result<String, Refused> {
    let mut text = String::new();
    for package in operation.chosen(patterns)? {
        let broken = verify(&operation.image, package);
        if broken.is_empty() {
            continue;
        }
        if text.is_empty() {
            text = format!("{:<72} {:>6}\n", "PACKAGE", "STATUS");
        }
        text += &format!("{:<72} {:>6}\n", format!("pkg://{}/{}", package.publisher, package.name), "ERROR");
        for one in broken {
            text += &format!("\t{}: {}\n", one.action.kind, one.action.path());
            text.extend(one.errors.iter().map(|error| format!("\t\tERROR: {error}\n")));
        }
    }
    Ok(text)
}

fn table(operation: &Operation<'_>, list: &List) -> Result<String, Refused> {
    let patterns = parse(&list.operands)?;
    let installed = &operation.image.state.installed;
    let mut packages: Vec<_> = installed.values().cloned().collect();
    if list.all || !list.origins.is_empty() {
        packages.extend(operation.available().into_iter().filter(|p| installed.get(&p.name) != Some(p)));
    }
    packages.retain(|package| patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(package)));
    if let Some(missing) = patterns.iter().find(|pattern| !packages.iter().any(|package| pattern.matches(package))) {
        return Err(Refused::oops(format!("no packages matching '{}' installed", missing.text())));
    }
    if packages.is_empty() {
        return Err(Refused::oops("no packages installed"));
    }
    packages.sort_by(|a, b| (&a.name, std::cmp::Reverse(a.order())).cmp(&(&b.name, std::cmp::Reverse(b.order()))));
    let rows: Vec<Row<'_>> = packages
        .iter()
        .map(|package| Row { package, is_installed: installed.get(&package.name) == Some(package) })
        .collect();
    Ok(listing::list(&rows, !list.no_head, list.verbose))
}

/// The packages that the patterns mean, installed or to be had.
fn found(
    operation: &Operation<'_>,
    patterns: &[Pattern],
    remote: bool,
) -> Result<Vec<super::package::Package>, Refused> {
    if !remote {
        return Ok(operation.chosen(patterns)?.into_iter().cloned().collect());
    }
    let available = operation.available();
    let mut found = Vec::new();
    for pattern in patterns {
        let newest = available.iter().filter(|p| pattern.matches(p)).max_by_key(|p| p.order());
        let none = || Refused::oops(format!("no packages matching '{}' found", pattern.text()));
        found.push(newest.ok_or_else(none)?.clone());
    }
    Ok(found)
}

fn of_contents(package: &super::package::Package, contents: &Contents) -> String {
    if contents.manifest {
        return package.manifest.clone();
    }
    let kinds = &contents.types;
    let actions: Vec<_> = package.actions.iter().filter(|a| kinds.is_empty() || kinds.contains(&a.kind)).collect();
    let path = ["path".to_string()];
    let columns = if contents.columns.is_empty() { &path[..] } else { &contents.columns[..] };
    listing::contents(&actions, columns, !contents.no_head)
}

fn set_publisher(mut image: Image, set: &SetPublisher) -> Result<(), Refused> {
    let mut names = set.operands.patterns.clone();
    let mut add: Vec<PathBuf> = set.add.iter().map(absolute).collect();
    if let Some(archive) = &set.all_of {
        let path = absolute(archive);
        let of_archive = super::archive::Archive::open(&path)?;
        names.extend(of_archive.packages.iter().map(|package| package.publisher.clone()));
        names.sort();
        names.dedup();
        add.push(path);
    }
    if names.is_empty() {
        return Err(Refused::usage("name a publisher, or an archive with -p"));
    }
    for path in &add {
        super::archive::Archive::open(path)?;
    }
    let remove: Vec<PathBuf> = set.remove.iter().map(absolute).collect();
    for name in names {
        let publisher = image.state.publishers.entry(name).or_default();
        publisher.origins.retain(|origin| !remove.contains(origin) && !add.contains(origin));
        publisher.origins.extend(add.iter().cloned());
    }
    image.save()
}
