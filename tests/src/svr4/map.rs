//! A pkgmap, and the objects in it.

/// One object of a package, as its map or the contents database tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// f e v d x s l p c b, or i in a map.
    pub letter: char,
    pub class: String,
    /// Absolute, or below BASEDIR.
    pub path: String,
    /// What a link points to.
    pub target: Option<String>,
    pub device: Option<(u32, u32)>,
    pub attributes: Option<Attributes>,
    pub facts: Option<Facts>,
    pub volume: u32,
}

/// A `?` of a map is nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes {
    pub mode: Option<u32>,
    pub owner: Option<String>,
    pub group: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    pub size: u64,
    pub cksum: u32,
    pub mtime: i64,
}

impl Object {
    pub fn is_file(&self) -> bool {
        matches!(self.letter, 'f' | 'e' | 'v')
    }

    pub fn is_directory(&self) -> bool {
        matches!(self.letter, 'd' | 'x')
    }
}

/// The sum that maps have: of all bytes, folded into 16 bits.
pub fn cksum(bytes: &[u8]) -> u32 {
    let sum = bytes.iter().fold(0u32, |sum, byte| sum.wrapping_add(u32::from(*byte)));
    let folded = (sum & 0xffff) + (sum >> 16);
    (folded & 0xffff) + (folded >> 16)
}

/// Parses a map; nothing where pkgadd cannot process it. The `:` line may be missing, and the order is any.
pub fn parse(text: &str) -> Option<Vec<Object>> {
    let mut objects: Vec<Object> = Vec::new();
    for line in text.split('\n').filter(|line| !line.is_empty() && !line.starts_with([':', '#'])) {
        let mut words = line.split(' ').filter(|word| !word.is_empty()).peekable();
        let volume = words.next_if(|word| word.chars().all(|c| c.is_ascii_digit()));
        let volume = volume.map_or(Some(1), |word| word.parse().ok())?;
        let object = object(words, volume)?;
        // The same folder twice is no error.
        if !objects.contains(&object) {
            objects.push(object);
        }
    }
    Some(objects)
}

/// How many parts the first line speaks of. Lines of later ones are never reached.
pub fn parts(text: &str) -> u32 {
    let first = text.lines().next().and_then(|line| line.strip_prefix(": ")?.split(' ').next()?.parse().ok());
    first.unwrap_or(1)
}

fn object<'a>(mut words: impl Iterator<Item = &'a str>, volume: u32) -> Option<Object> {
    let letter = words.next().filter(|word| word.len() == 1)?.chars().next()?;
    let class = if letter == 'i' { "none" } else { words.next()? };
    let named = words.next()?;
    let (path, target) = match letter {
        's' | 'l' => named.split_once('=').map(|(path, target)| (path, Some(target.to_string())))?,
        // The source of a prototype may be left in it.
        _ => (named.split('=').next()?, None),
    };
    let mut object = Object {
        letter,
        class: class.into(),
        path: path.into(),
        target,
        device: None,
        attributes: None,
        facts: None,
        volume,
    };
    match letter {
        's' | 'l' => {}
        'i' => object.facts = facts(&mut words),
        'd' | 'x' | 'p' => object.attributes = Some(attributes(&mut words)?),
        'c' | 'b' => {
            object.device = Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?));
            object.attributes = Some(attributes(&mut words)?);
        }
        'f' | 'e' | 'v' => {
            object.attributes = Some(attributes(&mut words)?);
            object.facts = Some(facts(&mut words)?);
        }
        _ => return None,
    }
    Some(object)
}

fn attributes<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Attributes> {
    let mode = match words.next()? {
        "?" => None,
        mode => Some(u32::from_str_radix(mode, 8).ok()?),
    };
    let mut name = || words.next().map(|word| (word != "?").then(|| word.to_string()));
    Some(Attributes { mode, owner: name()?, group: name()? })
}

fn facts<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Facts> {
    // The real one stops at the first character that is no digit; a CR of a line's end is the one that comes up.
    let mut number = || words.next()?.trim_end_matches('\r').parse::<i64>().ok();
    Some(Facts { size: number()?.try_into().ok()?, cksum: number()?.try_into().ok()?, mtime: number()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_line_is_read() {
        let map = ": 1 508\n1 i pkginfo 583 51342 1\n1 f none lib/a 0755 root sys 6 641 7\n1 s none lib/b=a\n\
                   1 d none opt ? ? ?\n1 c none dev/x 1 3 0600 root sys";
        let objects = parse(map).unwrap();
        assert_eq!(objects.len(), 5);
        assert_eq!(objects[1].facts, Some(Facts { size: 6, cksum: 641, mtime: 7 }));
        assert_eq!(objects[2].target.as_deref(), Some("a"));
        assert_eq!(objects[3].attributes, Some(Attributes { mode: None, owner: None, group: None }));
        for broken in ["1 f none a 0644 root sys", "1 z none a 0644 root sys 1 1 1", "1 f none a 0888 root sys 1 1 1"] {
            assert_eq!(parse(broken), None, "{broken}");
        }
    }

    #[test]
    fn the_sum_wraps_before_it_is_folded() {
        assert_eq!(cksum(b"method"), 641);
        assert_eq!(cksum(&vec![0xff; 20_000_000]), 764);
    }
}
