//! getopt(3C) as the stand-ins need it: short options in clusters, ending at the first operand.

/// Options in the order given, and the operands.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    pub options: Vec<(char, Option<String>)>,
    pub operands: Vec<String>,
}

impl Parsed {
    pub fn has(&self, option: char) -> bool {
        self.options.iter().any(|(o, _)| *o == option)
    }

    pub fn value(&self, option: char) -> Option<&str> {
        self.options.iter().rev().find(|(o, _)| *o == option).and_then(|(_, v)| v.as_deref())
    }

    pub fn values(&self, option: char) -> impl Iterator<Item = &str> {
        self.options.iter().filter(move |(o, _)| *o == option).filter_map(|(_, v)| v.as_deref())
    }
}

/// Parses by an option string as getopt takes it; nothing when an option is unknown or lacks its argument.
pub fn parse(known: &str, args: &[String]) -> Option<Parsed> {
    let mut parsed = Parsed::default();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let Some(cluster) = arg.strip_prefix('-').filter(|c| !c.is_empty()) else {
            parsed.operands.push(arg.clone());
            break;
        };
        if cluster == "-" {
            break;
        }
        let mut letters = cluster.chars();
        while let Some(letter) = letters.next() {
            let at = known.find(letter).filter(|_| letter != ':')?;
            let takes_value = known[at..].chars().nth(1) == Some(':');
            if !takes_value {
                parsed.options.push((letter, None));
                continue;
            }
            let attached = letters.as_str();
            let value = if attached.is_empty() { rest.next()?.clone() } else { attached.to_string() };
            parsed.options.push((letter, Some(value)));
            break;
        }
    }
    parsed.operands.extend(rest.cloned());
    Some(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(known: &str, words: &[&str]) -> Option<Parsed> {
        parse(known, &words.iter().map(|w| w.to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn clusters_values_and_operands_are_told_apart() {
        let got = run("Ho:a", &["-Hostate,fmri", "-o", "x", "op", "-a"]).unwrap();
        assert!(got.has('H') && !got.has('a'));
        assert_eq!(got.values('o').collect::<Vec<_>>(), ["state,fmri", "x"]);
        assert_eq!(got.operands, ["op", "-a"]);
        assert_eq!(run("a", &["--", "-a"]).unwrap().operands, ["-a"]);
        assert_eq!(run("a", &["-x"]), None);
        assert_eq!(run("o:", &["-o"]), None);
        assert_eq!(run("o:", &["-:"]), None);
    }
}
